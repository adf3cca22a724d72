"""The page of one model: what it is, how sure its scores are, where it errs, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from columns import MISSING, count, escape, figure, interval, percent, rank, verified
from entry import Entry

MOST_MISTAKES = 12
_LIES = {
    "outer": "Outside others",
    "inner": "Inside another",
    "inner_same_type": "Inside one of the same type",
    "overlapping": "Across another, or on its very characters",
    "discontinuous": "Discontinuous",
}
"""Parts of a result's nesting, and what a page calls them."""


def render_model(entry: Entry) -> str:
    """The page as HTML; what was not measured is said, never guessed."""
    result = entry.details.get("result") or {}
    parts = [
        _head(entry),
        _facts(entry, result),
        _scores(entry, result),
        _types(entry, result),
        _nesting(result),
        _robustness(result.get("robustness") or {}),
        _mistakes(result.get("errors") or {}),
        _stages(result),
        render_use(entry),
        _limits(result),
    ]
    return f'<article class="modelpage">{"".join(part for part in parts if part)}</article>'


def _head(entry: Entry) -> str:
    link = ""
    if entry.card_url:
        link = (
            f' <a href="{escape(entry.card_url)}" target="_blank" rel="noopener noreferrer">Model card on the Hub</a>'
        )
    return (
        f"<h2>{escape(entry.name)}</h2><p>Finds {escape(', '.join(entry.types)) or 'nothing'} with the backbone "
        f"{escape(entry.backbone)}, trained on {escape(entry.corpus)}.{link}</p>"
    )


def _facts(entry: Entry, result: Mapping[str, Any]) -> str:
    lora = result.get("lora") or {}
    dapt = result.get("dapt")
    facts = [
        ("Strict F1", f"{percent(entry.f1)} ({interval(entry) or 'no interval'})"),
        ("Rank on its corpus", rank(entry)),
        *([("Language", ", ".join(entry.languages))] if entry.languages else []),
        ("Verified from the Hub", verified(entry)),
        ("Licence", entry.license or MISSING),
        ("Trained parameters", f"{count(entry.trained_parameters)} of {count(entry.parameters)}"),
        ("Adapter", MISSING if entry.adapter_bytes is None else f"{entry.adapter_bytes / 1e6:.2f} MB"),
        (
            "Speed on a CPU",
            "not measured"
            if entry.ms_per_1000_words is None
            else f"{figure(entry.ms_per_1000_words)} ms / 1,000 words"
            + (f" ({entry.processor})" if entry.processor else ""),
        ),
        (
            "Energy",
            f"{figure(entry.energy_wh)} Wh, {figure(entry.emissions_g)} g CO2e ({entry.country or 'no country'})",
        ),
        ("LoRA", f"rank {lora['rank']}, alpha {lora['alpha']:g}" if "rank" in lora and "alpha" in lora else MISSING),
        *([("Heads", f"{entry.heads} on one LoRA")] if entry.heads > 1 else []),
        (
            "Pre-training",
            f"{dapt['passages_trained']:,} passages, perplexity {dapt['perplexity_before']:.1f} to "
            f"{dapt['perplexity_after']:.1f}"
            if dapt
            else "none beyond the backbone's own"
            if result
            else MISSING,
        ),
        *([("Concepts", _concepts(entry))] if entry.linked_to else []),
        ("Seeds", _seeds(entry)),
        ("Built", entry.created[:10] or MISSING),
    ]
    return (
        '<dl class="facts">'
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
        + "</dl>"
    )


def _concepts(entry: Entry) -> str:
    return (
        f"{entry.linked_to}; F1 with concept ids {percent(entry.linked_f1)}, concepts of annotated mentions "
        f"{percent(entry.linking_accuracy)} (BELB's rule)"
    )


def _seeds(entry: Entry) -> str:
    if entry.std is None:
        return str(entry.n_seeds)
    own = "" if entry.first_f1 is None else f"; the published adapter's own is {percent(entry.first_f1)}"
    return f"{entry.n_seeds}, F1 {percent(entry.f1)} ± {percent(entry.std)}{own}"


def _scores(entry: Entry, result: Mapping[str, Any]) -> str:
    if not result:
        return '<p class="empty">board.json holds no details of this model: run zoo board again.</p>'
    test, memory = result["scores"]["test"], result.get("memorisation") or {}
    lines: list[tuple[str, Mapping[str, Any], str]] = [
        ("Test split", {**test, "f1": test["micro_f1"]}, "{} to {}".format(*map(percent, test["ci95"]))),
    ]
    lines += [
        (
            f"Of it {name} ({own['language']})",
            {**part, "f1": part["micro_f1"]},
            "{} to {}".format(*map(percent, part["ci95"])),
        )
        for name, own in (result["scores"].get("members") or {}).items()
        for part in (own["test"],)
    ]
    lines += [(f"Mentions {name} in training", memory[name], "") for name in ("seen", "unseen") if memory.get(name)]
    clean = result.get("without_leaked")
    if clean:
        lines.append(
            (
                f"Without {clean['leaked_documents']} documents that stand in train too",
                {**clean, "f1": clean["micro_f1"]},
                "",
            )
        )
    raw = (result.get("raw_text") or {}).get("score")
    if raw:
        low, high = raw["ci95"]
        lines.append(
            ("Original documents, plain pipeline", {**raw, "f1": raw["micro_f1"]}, f"{percent(low)} to {percent(high)}")
        )
    return "<h3>Scores</h3>" + _score_table("Seen through", [(n, s, i) for n, s, i in lines]) + _not_scored(result)


def _not_scored(result: Mapping[str, Any]) -> str:
    """How many mentions the overlap policy of the corpus left out, where it left out any."""
    record = result.get("corpus_record") or {}
    dropped = (record.get("dropped_mentions") or {}).get("test")
    if not dropped:
        return ""
    every = dropped + record["mentions"]["test"]
    share = percent(dropped / every)
    return f"<p>{share} % of the annotated test mentions are not scored: they overlap others or are discontinuous.</p>"


def _types(entry: Entry, result: Mapping[str, Any]) -> str:
    scores = (result.get("scores") or {}).get("test", {}).get("per_type", {})
    if not scores:
        return ""
    examples = (result.get("corpus_record") or {}).get("examples", {})
    alone = interval(entry) if len(scores) == 1 else ""
    lines = [
        (name, score, f"{percent(ci[0])} to {percent(ci[1])}" if (ci := score.get("ci95")) else alone)
        for name, score in sorted(scores.items(), key=lambda item: -item[1]["gold_mentions"])
    ]
    words = "".join(
        f"<li><b>{escape(name)}</b>: {escape(', '.join(values[:8]))}</li>"
        for name, values in examples.items()
        if values
    )
    taught = f"<p>Frequent mentions in its training data:</p><ul>{words}</ul>" if words else ""
    return "<h3>By entity type</h3>" + _score_table("Type", lines) + taught


def _nesting(result: Mapping[str, Any]) -> str:
    """Scores by how mentions lie among others, where some are nested, overlap or are discontinuous."""
    scores = (result.get("scores") or {}).get("test", {}).get("nesting")
    if not scores:
        return ""
    named = [(name, scores[key], "") for key, name in _LIES.items() if scores[key]["gold_mentions"]]
    missing = scores["unreachable_mentions"]
    note = f"<p>{missing:,} of the annotated mentions cannot be found by any of its heads.</p>" if missing else ""
    return "<h3>Nested and discontinuous mentions</h3>" + _score_table("Mentions", named) + note


def _score_table(head: str, lines: Sequence[tuple[str, Mapping[str, Any], str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="num"><strong>{percent(score["f1"])}</strong></td>'
        f'<td class="num">{escape(ci)}</td><td class="num">{percent(score.get("precision"))}</td>'
        f'<td class="num">{percent(score.get("recall"))}</td>'
        f'<td class="num">{score.get("gold_mentions", 0):,}</td></tr>'
        for name, score, ci in lines
    )
    heads = "".join(
        f'<th scope="col"{"" if index == 0 else " class=num"}>{name}</th>'
        for index, name in enumerate((head, "F1", "95 % interval", "P", "R", "Mentions"))
    )
    return (
        f'<div class="tablebox" role="region" aria-label="Scores: {escape(head.lower())}" tabindex="0">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _robustness(scores: Mapping[str, Any]) -> str:
    if not scores:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td class="num">{percent(score["micro_f1"])}</td>'
        f'<td class="num">{percent(score["loss"]) if name != "original" else ""}</td></tr>'
        for name, score in scores.items()
    )
    return (
        "<h3>Robustness</h3><table><thead><tr><th scope='col'>Text</th><th scope='col' class='num'>F1</th>"
        f"<th scope='col' class='num'>Loss</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _mistakes(data: Mapping[str, Any]) -> str:
    """Classes of mistakes; words of the corpus only where its licence lets them be quoted."""
    if not data:
        return '<h3>Errors</h3><p class="fine">Not analysed: the build is older than this analysis.</p>'
    classes = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="num">{item["false_positives"]:,}</td>'
        f'<td class="num">{item["false_negatives"]:,}</td></tr>'
        for name, item in data["classes"].items()
    )
    words = "".join(
        f"<li>{escape(item['before'])}<b>{escape(item['text'])}</b>{escape(item['after'])}<br>"
        f'<span class="fine">{escape(item["kind"])}: annotated {escape(item["gold"] or "nothing")}, found '
        f"{escape(item['predicted'] or 'nothing')}</span></li>"
        for item in data.get("examples", ())[:MOST_MISTAKES]
    )
    note = (
        f"<ul>{words}</ul>"
        if words
        else "<p>No examples: the licence of the corpus does not clearly allow quoting.</p>"
    )
    return (
        "<h3>Errors</h3><div class='tablebox' role='region' aria-label='Errors' tabindex='0'><table><thead><tr>"
        "<th scope='col'>Kind</th><th scope='col' class='num'>Found wrongly</th>"
        f"<th scope='col' class='num'>Not found</th></tr></thead><tbody>{classes}</tbody></table></div>{note}"
    )


def _stages(result: Mapping[str, Any]) -> str:
    stages = result.get("energy_stages") or {}
    if not stages:
        return ""
    sharers = result.get("base_sharers", 1)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="num">{figure(item["energy_wh"])}</td>'
        f'<td class="num">{figure(item["emissions_g"])}</td><td class="num">{figure(item["seconds"])}</td>'
        f"<td>{escape(item['hardware'])}</td><td>{escape(item['method'])}</td></tr>"
        for name, item in stages.items()
    )
    note = f"<p class='fine'>dapt and base are shared by {sharers} checkpoints.</p>" if sharers > 1 else ""
    return (
        "<h3>Energy by stage</h3><div class='tablebox' role='region' aria-label='Energy by stage' tabindex='0'><table>"
        "<thead><tr><th scope='col'>Stage</th><th scope='col' class='num'>Wh</th><th scope='col' class='num'>g "
        "CO2e</th>"
        "<th scope='col' class='num'>Seconds</th><th scope='col'>Hardware</th><th scope='col'>How "
        "known</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{note}"
    )


def render_use(entry: Entry) -> str:
    """The lines that load a model and that build it again, to be copied."""
    lines = [
        ("Load it", f"from transformers import pipeline\nner = {entry.pipeline_line}"),
        ("Rebuild it", entry.rebuild_command),
    ]
    return "<h3>Use it</h3>" + "".join(
        f'<div class="code"><p>{title}</p><pre tabindex="0">{escape(code)}</pre><button type="button" class="copy" '
        f'data-copy="{escape(code)}" aria-label="Copy: {title.lower()}">copy</button></div>'
        for title, code in lines
    )


def _limits(result: Mapping[str, Any]) -> str:
    corpus = result.get("corpus_record") or {}
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.get("notes", ()))
    data = ""
    if corpus:
        documents, mentions = corpus["documents"], corpus["mentions"]
        unit = escape(corpus["unit"])
        data = (
            f"<p>{escape(corpus['title'])} ({escape(corpus['license'])}): "
            + ", ".join(
                f"{split} {documents[split]:,} {unit}s with {mentions[split]:,} mentions" for split in documents
            )
            + ".</p>"
        )
    return (
        f"<h3>Data and limits</h3>{data}<ul>{notes}<li>A research tool: not a medical device, and not for decisions on "
        "patients without a person's review.</li></ul>"
    )
