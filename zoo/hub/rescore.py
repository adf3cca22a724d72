"""What runs in the fresh process of `zoo verify`: download, compare with the manifest, load plainly, score again.

`python -m zoo.hub.rescore REQUEST OUTCOME`, two JSON files: `Request`, and `Verification` or `{"error": ..}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from zoo.errors import ZooError
from zoo.evaluation.result import RESULT_FILE, Result, load_result
from zoo.evaluation.spans import Counts, count_documents, per_type, total
from zoo.hub.claims import ANY, Figures, Split, align_types, check_figures, match_corpus, read_figures, split_of
from zoo.hub.client import Hub, Remote
from zoo.hub.manifest import CARD_FILE, MANIFEST_FILE, Manifest, folder_problems, read_manifest
from zoo.hub.retry import insist
from zoo.hub.verification import Claim, Verification
from zoo.records import Record
from zoo.registry.loader import Registry, load_registry
from zoo.registry.schema import CorpusEntry
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.corpora.load import Corpus
    from zoo.tagging.tagger import Tagger

PIPELINE_DOCUMENTS = 50
"""So many test documents go through the plain pipeline one by one, as a user would give them."""
_LIBRARIES = ("transformers", "peft", "torch", "huggingface_hub")
_NOTHING = "No fever, no cough; aspirin was stopped."


class Request(Record):
    """What to verify."""

    repo_id: str
    revision: str | None = None
    registry: Path | None = None
    corpus: str | None = None
    types: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class _Run:
    request: Request
    hub: Hub
    registry: Registry
    settings: Settings
    remote: Remote

    def outcome(self, kind: Any, problems: list[str], **more: Any) -> Verification:  # noqa: ANN401 - checked by the model
        return Verification(
            repo_id=self.request.repo_id,
            revision=self.remote.head,
            kind=kind,
            passed=not problems,
            problems=problems,
            versions={name: version(name) for name in _LIBRARIES},
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **more,
        )

    def corpus(self, entry: CorpusEntry) -> Corpus:
        from zoo.corpora.load import load_corpus

        folder = self.registry.folders[f"corpora/{entry.id}"]
        return load_corpus(entry, registry_folder=folder, local=self.settings.corpora, cache=self.settings.cache)


def rescore(request: Request, hub: Hub) -> Verification:
    """Verify a repository of the Hub.

    Args:
        request: What.
        hub: From where.

    Raises:
        ZooError: It is not there, cannot be loaded, or its corpus cannot be had.
    """
    about = hub.about(request.repo_id)
    remote = insist(lambda: hub.look(request.repo_id, request.revision), about=about, patience=hub.patience)
    if remote is None:
        raise ZooError("there is no such repository, or the token may not see it", where=about, fix="check its name")
    settings = Settings.load()
    settings = replace(settings, registry=request.registry or settings.registry)
    run = _Run(request, hub, load_registry(settings.registry), settings, remote)
    if MANIFEST_FILE not in remote.files:
        return _other(run)
    folder, manifest, problems = _fetch(run, remote)
    if manifest.repo_id != request.repo_id:
        problems.append(f"the manifest is of the repository {manifest.repo_id}")
    if manifest.kind == "base":
        if not problems and (found := _load(run, None).tag([_NOTHING])[0]):
            problems.append(f"a base finds nothing alone, this one does: {found[0].type}")
        return run.outcome("base", problems, content=manifest.content)
    return _checkpoint(run, folder, manifest, problems)


def _checkpoint(run: _Run, folder: Path, manifest: Manifest, problems: list[str]) -> Verification:
    base = manifest.base
    more: dict[str, Any] = {"content": manifest.content}
    if base is None:
        return run.outcome("checkpoint", [*problems, "the manifest names no base"], **more)
    about = run.hub.about(base.repo_id)
    remote = insist(lambda: run.hub.look(base.repo_id), about=about, patience=run.hub.patience)
    if remote is None:
        return run.outcome("checkpoint", [*problems, f"its base {base.repo_id} is not on the Hub"], **more)
    _, of_base, found = _fetch(run, remote)
    problems += [f"base {base.repo_id}: {problem}" for problem in found]
    if of_base.content != base.content:
        problems.append(f"the base {base.repo_id} is not the one that the adapter was trained on")
    more |= {"base_repo_id": base.repo_id, "base_revision": remote.head}
    if problems:  # of damaged files no score is worth anything
        return run.outcome("checkpoint", problems, **more)
    result = load_result(folder / RESULT_FILE)
    more |= {
        "corpus": result.corpus,
        "expected": result.scores.test.counts,
        "adapter": result.fingerprints["adapter"],
    }
    corpus = run.corpus(run.registry.corpus(result.corpus))
    if corpus.fingerprints["test"] != result.fingerprints["split_test"]:
        problems.append(f"the test split of {result.corpus} here is another one than in its result")
        return run.outcome("checkpoint", problems, **more)
    tagger = _load(run, result)
    counts, differing, given = _score(tagger, corpus, result)
    measured = counts[ANY]
    if measured != more["expected"]:
        problems.append(f"the test score differs: measured {measured}, result.json says {more['expected']}")
    claims = check_figures(read_figures(folder / CARD_FILE), corpus.entry, {"test": counts}, own=True)
    problems += [str(claim) for claim in claims if claim.status == "differs"]
    if not any(claim.status == "reproduced" for claim in claims):
        problems.append("the card has no figure of the test split")
    return run.outcome(
        "checkpoint",
        problems,
        **more,
        documents=len(corpus.splits["test"]),
        measured=measured,
        pipeline_documents=given,
        pipeline_differs=differing,
        claims=claims,
    )


def _other(run: _Run) -> Verification:
    """Somebody else's model: which figures of its card can be reproduced."""
    about = run.hub.about(run.request.repo_id)
    if CARD_FILE not in run.remote.files:
        return run.outcome("other", ["it has no card: there is nothing to compare with"])
    from huggingface_hub import hf_hub_download

    card = insist(
        lambda: hf_hub_download(run.request.repo_id, CARD_FILE, revision=run.remote.head),
        about=about,
        patience=run.hub.patience,
    )
    claims: list[Claim] = []
    by_corpus: dict[str, list[Figures]] = {}
    for figures in read_figures(Path(card)):
        entry = run.registry.corpus(run.request.corpus) if run.request.corpus else match_corpus(figures, run.registry)
        if entry is None:
            claims.append(figures.judged("not checked", "the registry has no such corpus; name it with --corpus"))
        else:
            by_corpus.setdefault(entry.id, []).append(figures)
    documents = 0
    tagger = _load(run, None) if by_corpus else None
    for name, found in by_corpus.items():
        assert tagger is not None
        try:
            corpus = run.corpus(run.registry.corpus(name))
        except ZooError as error:
            claims += [figures.judged("not checked", error.what) for figures in found]
            continue
        types = run.request.types or align_types(_types(tagger), corpus.entry.entity_types)
        if not types:
            why = f"its types {', '.join(_types(tagger)[:6])} are not those of the corpus; map them with --map"
            claims += [figures.judged("not checked", why) for figures in found]
            continue
        wanted = {split for figures in found if figures.figure and (split := split_of(figures))}
        scores = {split: _score_other(tagger, corpus, split, types) for split in sorted(wanted)}
        documents += sum(len(corpus.splits[split]) for split in scores)
        claims += check_figures(found, corpus.entry, scores, own=False)
    problems = [str(claim) for claim in claims if claim.status == "differs"]
    if not any(claim.status != "not checked" for claim in claims):
        problems.append("no figure of its card could be checked" if claims else "its card has no model-index")
    return run.outcome("other", problems, claims=claims, documents=documents)


def _fetch(run: _Run, remote: Remote) -> tuple[Path, Manifest, list[str]]:
    """Download a repository of ours and compare it with its manifest."""
    from huggingface_hub import snapshot_download

    about = run.hub.about(remote.repo_id)
    folder = insist(
        lambda: Path(snapshot_download(remote.repo_id, revision=remote.head)), about=about, patience=run.hub.patience
    )
    if not (folder / MANIFEST_FILE).is_file():
        raise ZooError(f"the repository has no {MANIFEST_FILE}: it is none of zoo's", where=about)
    manifest = read_manifest((folder / MANIFEST_FILE).read_bytes(), about)
    return folder, manifest, folder_problems(folder, manifest)


def _load(run: _Run, result: Result | None) -> Tagger:
    """The model as the plain pipeline loads it by its Hub id."""
    from transformers import pipeline

    from zoo.tagging.tagger import DEFAULT_STRIDE_TOKENS, Tagger

    name = run.request.repo_id
    more: dict[str, Any] = {}
    if run.request.revision:
        # `revision=` would be asked of the base, too: transformers #29849
        adapter = "adapter_config.json" in run.remote.files
        more = (
            {"model_kwargs": {"adapter_kwargs": {"revision": run.remote.head}}}
            if adapter
            else {"revision": run.remote.head}
        )
    elif result is None and MANIFEST_FILE not in run.remote.files and "adapter_config.json" not in run.remote.files:
        more = {"model_kwargs": {"use_safetensors": True}}  # no pickles of strangers
    try:
        ner = pipeline("token-classification", model=name, aggregation_strategy="simple", **more)
        stride = result.decoding.stride_tokens if result else DEFAULT_STRIDE_TOKENS
        return Tagger.of(ner.model, ner.tokenizer, stride_tokens=stride)
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise ZooError(f"transformers' pipeline cannot load it: {reason}", where=run.hub.about(name)) from None


def _score(tagger: Tagger, corpus: Corpus, result: Result) -> tuple[dict[str, Counts], int, int]:
    """Counts on test by type, scored as in the build; documents in which the plain pipeline differs, and its share."""
    from transformers import pipeline

    from zoo.evaluation.scoring import gold_keys, tag_documents
    from zoo.modeling.windows import Entity, finish

    documents = corpus.splits["test"]
    found = tag_documents(tagger, documents)
    keys = [[entity.key for entity in entities] for entities in found]
    sample = [document.text for document in documents[:PIPELINE_DOCUMENTS]]
    call = {"aggregation_strategy": result.decoding.aggregation_strategy, "stride": result.decoding.stride_tokens}
    ner = pipeline("token-classification", model=tagger.model, tokenizer=tagger.tokenizer, **call)
    differing = 0
    for text, ours in zip(sample, keys, strict=False):
        plain = [[Entity(int(e["start"]), int(e["end"]), e["entity_group"], 0.0) for e in ner(text)]] if text else [[]]
        differing += {entity.key for entity in finish(text, plain)} != set(ours)
    return _counts(gold_keys(documents), keys), differing, len(sample)


def _score_other(tagger: Tagger, corpus: Corpus, split: Split, types: Mapping[str, str]) -> dict[str, Counts]:
    """Counts by type; what the corpus does not annotate is left out."""
    from zoo.evaluation.scoring import gold_keys, rename_types, tag_documents

    documents = corpus.splits[split]
    found = rename_types(tag_documents(tagger, documents), types)
    wanted = set(corpus.entry.entity_types)
    return _counts(gold_keys(documents), [[e.key for e in entities if e.type in wanted] for entities in found])


def _counts(gold: Sequence[Sequence[Any]], found: Sequence[Sequence[Any]]) -> dict[str, Counts]:
    return {**per_type(gold, found), ANY: total(count_documents(gold, found))}


def _types(tagger: Tagger) -> list[str]:
    names: Iterable[str] = (name[2:] if name.startswith(("B-", "I-")) else name for name in tagger.labels)
    return [name for name in dict.fromkeys(names) if name != "O"]


def main(request: Path, outcome: Path) -> None:
    """Verify what a file asks for and write what came out into another."""
    from zoo.modeling.quiet import quiet_libraries

    quiet_libraries()
    try:
        text = rescore(Request.model_validate_json(request.read_bytes()), Hub()).to_json()
    except ZooError as error:
        parts = {"what": error.what, "where": error.where, "fix": error.fix, "exit_code": error.exit_code}
        text = json.dumps({"error": parts})
    outcome.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
