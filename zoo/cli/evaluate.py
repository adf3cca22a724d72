"""`zoo evaluate`: score a model on a corpus, and what links its mentions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import load_tagger, open_corpus, open_registry
from zoo.cli.options import (
    AsJson,
    CorpusArgument,
    MapOption,
    ModelArgument,
    PrecisionOption,
    RegistryOption,
    SplitOption,
    parse_renames,
)
from zoo.cli.output import (
    download_bars,
    interval,
    percent,
    print_json,
    print_line,
    print_step,
    print_table,
    score_cells,
)
from zoo.errors import ZooError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.corpora.load import Corpus
    from zoo.evaluation.linking import LinkingScores, RuleScore
    from zoo.evaluation.scoring import SplitScore
    from zoo.modeling.windows import Entity
    from zoo.registry.loader import Registry
    from zoo.registry.schema import CorpusEntry, SplitName
    from zoo.settings import Settings
    from zoo.tagging.tagger import Tagger


def evaluate(
    model: ModelArgument,
    corpus: CorpusArgument,
    split: SplitOption = "test",
    link: Annotated[
        list[str] | None,
        typer.Option(
            "--link",
            metavar="[TYPE=]ONTOLOGY",
            help="Link mentions, too, and score that: an ontology, or your own .csv, .tsv or .obo file.",
        ),
    ] = None,
    mapping: MapOption = None,
    precision: PrecisionOption = "float32",
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on a corpus: strict micro-F1 with a 95% document-bootstrap interval; --link scores concepts."""
    found, settings = open_registry(registry)
    entry = found.corpus(corpus)
    renames = parse_renames(mapping)
    opened = open_corpus(entry, found, settings)
    documents = opened.documents(split)
    if link and not any(span.concept_ids for document in documents for span in document.spans):
        others = ", ".join(name for name, other in found.corpora.items() if other.ontologies)
        raise ZooError(f"no mention of {corpus} has a concept id", where="--link", fix=f"corpora that have: {others}")
    from zoo.evaluation.cross import predictable_types
    from zoo.evaluation.scoring import rename_types, renamed_types, score_predictions, tag_documents

    tagger = load_tagger(model, renames)
    predictions = rename_types(tag_documents(tagger, documents, precision=precision), renames)
    score = score_predictions(documents, predictions, samples=10_000)
    members = {
        name: score_predictions(documents[own[split]], predictions[own[split]], samples=10_000)
        for name, own in opened.members.items()
    }
    trained = _languages(model, found)
    linking = _link(link, model, tagger, opened, split, predictions, found, settings) if link else None
    if as_json:
        about = {"model": model, "corpus": corpus, "split": split, "number_format": precision}
        tongues = {"languages": entry.languages, "trained_languages": trained}
        concepts = {"linking": linking.model_dump(mode="json")} if linking else {}
        own_scores = (
            {"members": {name: own.model_dump(mode="json") for name, own in members.items()}} if members else {}
        )
        print_json({**about, **tongues, **score.model_dump(mode="json"), **own_scores, **concepts})
        return
    _print_score(score)
    _print_members(entry, members)
    if new := [tag for tag in entry.languages if trained and tag not in trained]:
        print_line(f"\nacross languages: trained on text in {', '.join(trained)}, not in {', '.join(new)}")
    known = renamed_types(predictable_types(tagger), renames)
    if missing := [name for name in entry.entity_types if name not in known]:
        print_line(
            f"\nthe model does not know {', '.join(missing)}, which counts as missed; zoo cross leaves such types out"
        )
    if linking:
        _print_linking(linking)


def _languages(model: str, registry: Registry) -> tuple[str, ...]:
    """Languages of the corpus that a model was trained on; empty where that is not known."""
    from zoo.evaluation.cross import describe_model

    described = describe_model(model)
    known = registry.corpora.get(described.corpus or "")
    return described.languages or (known.languages if known else ())


def _print_members(entry: CorpusEntry, members: Mapping[str, SplitScore]) -> None:
    """The score of each member of a joined corpus."""
    rows = [
        [part.id, part.language, *score_cells(s.micro_f1, s.precision, s.recall, s.ci95), str(s.gold_mentions)]
        for part in entry.members
        for s in (members[part.id],)
    ]
    if rows:
        print_line()
        print_table(["corpus", "language", "strict F1", "95% interval", "P", "R", "mentions"], rows)


def _link(
    links: Sequence[str],
    model: str,
    tagger: Tagger,
    corpus: Corpus,
    split: SplitName,
    predictions: Sequence[Sequence[Entity]],
    registry: Registry,
    settings: Settings,
) -> LinkingScores:
    """Scores of what links the mentions of a model, as `--link` says."""
    from zoo.evaluation.linking import measure_linking
    from zoo.evaluation.linking_rules import Vocabulary
    from zoo.linking.indexes import open_index
    from zoo.linking.opening import open_linking, parse_links

    types = corpus.entry.entity_types
    with download_bars() as progress:
        linking = open_linking(
            links, [model], [tagger.base], types, registry, settings, say=print_step, progress=progress
        )
    (chain,) = linking.linkers
    opened = [open_index(name, registry, settings) for _, name in parse_links(links)]
    fingerprints = {each.index.info.ontology: each.fingerprint for each in opened}
    vocabularies = {}
    for name, index in chain.ontologies.items():
        entry = registry.ontologies.get(index.info.ontology)
        vocabularies[name] = Vocabulary(
            id=index.info.ontology,
            version=index.info.version,
            fingerprint=fingerprints[index.info.ontology],
            concept=index.concept,
            id_prefix=entry.id_prefix if entry else "",
        )
    return measure_linking(
        chain,
        vocabularies,
        corpus.splits,
        train_names="train" if chain.knows_names else "none",
        split=split,
        found=predictions,
        described="names of the vocabulary and of training" if chain.knows_names else "names of the vocabulary alone",
    )


def _print_score(score: SplitScore) -> None:
    rows = [["all", *score_cells(score.micro_f1, score.precision, score.recall, score.ci95), str(score.gold_mentions)]]
    rows += [
        [name, *score_cells(s.f1, s.precision, s.recall), str(s.gold_mentions)] for name, s in score.per_type.items()
    ]
    print_table(["type", "strict F1", "95% interval", "P", "R", "mentions"], rows)
    if score.nesting:
        print_line()
        rows = [
            [name, percent(s.f1), percent(s.precision), percent(s.recall), str(s.gold_mentions)]
            for name, s in score.nesting.parts.items()
        ]
        print_table(["mentions by how they lie", "strict F1", "P", "R", "mentions"], rows)


def _print_linking(scores: LinkingScores) -> None:
    for name, used in scores.vocabularies.items():
        print_line(f"\n{name}: {used.id}, {used.version or 'version not known'}, sha256 {used.fingerprint[:12]}")
    print_line(f"linked by {scores.linker}")
    for rule in ("belb", "biosyn"):
        each = [("all", scores.gold), *(scores.per_type.items() if len(scores.per_type) > 1 else ())]
        print_line()
        head = f"annotated mentions, {getattr(scores.gold, rule).rule}'s rule"
        columns = [head, "accuracy", "95% interval", "at 5", "at 20", "mentions", "left out", "outside"]
        print_table(columns, [[name, *_rule_cells(getattr(gold, rule))] for name, gold in each])
    print_line()
    groups = [("seen in train or dev", scores.gold.seen), ("unseen", scores.gold.unseen)]
    columns = ["mentions by their text, BELB's rule", "accuracy", "95% interval", "mentions"]
    print_table(columns, [[name, percent(g.accuracy), interval(*g.ci95), str(g.mentions)] for name, g in groups])
    if both := scores.end_to_end:
        print_line()
        rows = [
            ["with concept ids", *score_cells(both.f1, both.precision, both.recall, both.ci95)],
            ["without", percent(both.recognition_f1), interval(*both.recognition_ci95), "", ""],
        ]
        print_table(["found and linked", "strict F1", "95% interval", "P", "R"], rows)
    _print_abstention(scores)


def _print_abstention(scores: LinkingScores) -> None:
    abstention = scores.abstention
    if abstention.threshold is not None:
        aim = f"{percent(abstention.target_precision)} % precision on dev"
        share, precision = percent(abstention.answered_share), percent(abstention.precision)
        print_line(
            f"\nanswering from a score of {abstention.threshold:.3f} on ({aim}): {share} % of mentions, "
            f"{precision} % of them rightly"
        )
    if nil := scores.nil:
        print_line(
            f"linked to none: precision {percent(nil.precision)}, recall {percent(nil.recall)} "
            f"({nil.gold_mentions} annotated without an id)"
        )


def _rule_cells(score: RuleScore) -> list[str]:
    at = [percent(value) for value in (score.accuracy_at_5, score.accuracy_at_20)]
    counts = [str(value) for value in (score.mentions, score.left_out, score.outside)]
    return [percent(score.accuracy_at_1), interval(*score.ci95), *at, *counts]
