"""`zoo verify`: a fresh process with an empty cache downloads a model, checks every file and scores it again.

That process is `python -m zoo.hub.verify REQUEST OUTCOME`: a `VerifyRequest` as JSON, and a JSON file for the
`Verification` or `{"error": ..}`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from zoo.errors import HubError, ZooError
from zoo.evaluation.result import RESULT_FILE, Result, load_result
from zoo.evaluation.spans import Counts
from zoo.hub.access import fresh_environment
from zoo.hub.bundle import Bundle
from zoo.hub.client import Hub, Remote
from zoo.hub.manifest import CARD_FILE, MANIFEST_FILE, Manifest, folder_problems, read_manifest
from zoo.hub.push import Pushed, PushOptions, push
from zoo.hub.retry import redact
from zoo.hub.verification import (
    ANY,
    CardFigure,
    Claim,
    Split,
    Verification,
    adapter_problems,
    align_types,
    check_figures,
    counts_by_type,
    match_corpus,
    read_figures,
    split_of,
)
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
_NO_MENTION = "No fever, no cough; aspirin was stopped."


class VerifyRequest(Record):
    """What to verify."""

    repo_id: str
    revision: str | None = None
    registry: Path | None = None
    corpus: str | None = Field(default=None, description="corpus of another's card, where its name does not tell")
    types: dict[str, str] = Field(default_factory=dict, description="another's types -> types of the corpus")


def verify(request: VerifyRequest, hub: Hub, *, home: Path | None = None) -> Verification:
    """Verify one repository in a fresh process.

    Public ones are read without a token, as strangers read them.

    Args:
        request: Which.
        hub: Whether it is private is asked here; the rest is up to the fresh process.
        home: Folder for the caches of several verifications, empty at first; None: one of its own.

    Raises:
        HubError: The Hub refuses or cannot be reached.
        ZooError: The model or its corpus cannot be had.
    """
    about = hub.about(request.repo_id)
    private = hub.retrying(lambda: hub.is_private(request.repo_id), request.repo_id)
    with tempfile.TemporaryDirectory(prefix="zoo-verify-") as folder:
        outcome = Path(folder) / "outcome.json"
        done = subprocess.run(
            [sys.executable, "-m", "zoo.hub.verify", request.to_json(), str(outcome)],
            env=fresh_environment(os.environ, home or Path(folder) / "home", private=private),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if not outcome.is_file():
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise ZooError(
                f"the verifying process died: {redact(last)}", where=about, fix="see that memory and disk suffice"
            )
        found = json.loads(outcome.read_bytes())
    if "error" in found:
        kind = HubError if found.pop("exit_code") == HubError.exit_code else ZooError
        raise kind(found.pop("error"), **found)
    return Verification.model_validate(found)


def verify_pushed(
    bundle: Bundle, pushed: Pushed, request: VerifyRequest, hub: Hub, options: PushOptions, *, home: Path | None = None
) -> Verification:
    """Verify what was just pushed; if it passes, one more commit says so in card and `verification.json`.

    Args:
        bundle: What was pushed.
        pushed: What came of it; a verification of the same model that the repository has already is not repeated.
        request: How to verify it.
        hub: Where it is.
        options: How it was pushed.
        home: As in `verify`.
    """
    if pushed.verification is not None:
        return pushed.verification
    verification = verify(request, hub, home=home)
    if verification.content != bundle.manifest.content:
        problems = [*verification.problems, "the repository holds another model now than was pushed"]
        return verification.model_copy(update={"passed": False, "problems": problems})
    if verification.passed:
        push(bundle.verified(verification.to_json().encode(), verification), hub, options)
    return verification


def rescore(request: VerifyRequest, hub: Hub) -> Verification:
    """What the fresh process does.

    Args:
        request: Which repository.
        hub: From where.

    Raises:
        ZooError: It is not there, cannot be loaded, or its corpus cannot be had.
    """
    remote = hub.retrying(lambda: hub.find(request.repo_id, request.revision), request.repo_id)
    if remote is None:
        about = hub.about(request.repo_id)
        raise ZooError("there is no such repository, or the token may not see it", where=about, fix="check its name")
    settings = Settings.load()
    settings = replace(settings, registry=request.registry or settings.registry)
    rescoring = _Rescoring(request, hub, load_registry(settings.registry), settings, remote)
    kind = rescoring.own() if MANIFEST_FILE in remote.files else rescoring.other()
    return Verification(
        repo_id=request.repo_id,
        revision=remote.head,
        kind=kind,
        passed=not rescoring.problems,
        problems=rescoring.problems,
        versions={name: version(name) for name in _LIBRARIES},
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **rescoring.facts,
    )


@dataclass
class _Rescoring:
    """A verification on its way: `problems` and `facts`, which are fields of `Verification`, come together."""

    request: VerifyRequest
    hub: Hub
    registry: Registry
    settings: Settings
    remote: Remote
    problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def own(self) -> str:
        """A repository of the toolkit: files, base, score, card; its kind."""
        folder, manifest, self.problems = self._download(self.remote)
        self.facts["content"] = manifest.content
        if manifest.repo_id != self.request.repo_id:
            self.problems.append(f"the manifest is of the repository {manifest.repo_id}")
        if manifest.kind == "checkpoint":
            self._check_base(manifest)
        if self.problems:  # of damaged files no score is worth anything
            return manifest.kind
        if manifest.kind == "checkpoint":
            self._score_checkpoint(folder)
        elif found := self._load(None).tag([_NO_MENTION])[0]:
            self.problems.append(f"a base finds nothing alone, this one does: {found[0].type}")
        return manifest.kind

    def _check_base(self, manifest: Manifest) -> None:
        base = manifest.base
        if base is None:
            self.problems.append("the manifest names no base")
            return
        remote = self.hub.retrying(lambda: self.hub.find(base.repo_id), base.repo_id)
        if remote is None:
            self.problems.append(f"its base {base.repo_id} is not on the Hub")
            return
        _, of_base, found = self._download(remote)
        self.problems += [f"base {base.repo_id}: {problem}" for problem in found]
        if of_base.content != base.content:
            self.problems.append(f"the base {base.repo_id} is not the one that the adapter was trained on")
        self.facts |= {"base_repo_id": base.repo_id, "base_revision": remote.head}

    def _score_checkpoint(self, folder: Path) -> None:
        from zoo.evaluation.oracle import pipeline_entities
        from zoo.evaluation.scoring import gold_keys, tag_documents
        from zoo.hub.verify_linking import link_again

        result = load_result(folder / RESULT_FILE)
        expected = result.scores.test.counts
        self.facts |= {"corpus": result.corpus, "expected": expected, "adapter": result.fingerprints["adapter"]}
        self.problems += adapter_problems(folder, result)
        corpus = self._corpus(self.registry.corpus(result.corpus))
        if not corpus.is_split("test", result.fingerprints["split_test"]):
            self.problems.append(f"the test split of {result.corpus} here is another one than in its result")
            return
        tagger, documents = self._load(result, folder), corpus.splits["test"]
        found = tag_documents(tagger, documents)
        keys = [[entity.key for entity in entities] for entities in found]
        counts = counts_by_type(gold_keys(documents), keys)
        if counts[ANY] != expected:
            self.problems.append(f"the test score differs: measured {counts[ANY]}; result.json says {expected}")
        plain = pipeline_entities(
            tagger,
            [document.text for document in documents[:PIPELINE_DOCUMENTS]],
            aggregation_strategy=result.decoding.aggregation_strategy,
            stride=result.decoding.stride_tokens,
        )
        differs = sum({e.key for e in entities} != set(ours) for entities, ours in zip(plain, keys, strict=False))
        claims = check_figures(read_figures(folder / CARD_FILE), corpus.entry, {"test": counts}, own=True)
        self.problems += [str(claim) for claim in claims if claim.status == "differs"]
        if not any(claim.status == "reproduced" for claim in claims):
            self.problems.append("the card has no figure of the test split")
        linking = link_again(folder, result, documents, found, self.registry, self.settings)
        self.problems += [str(linking)] if linking and linking.status == "differs" else []
        self.facts |= {"documents": len(documents), "measured": counts[ANY], "claims": claims, "linking": linking}
        self.facts |= {"pipeline_documents": len(plain), "pipeline_differs": differs}

    def other(self) -> str:
        """Somebody else's model: which figures of its card can be reproduced."""
        if CARD_FILE not in self.remote.files:
            self.problems.append("it has no card: there is nothing to compare with")
            return "other"
        from huggingface_hub import hf_hub_download

        repo_id, revision = self.request.repo_id, self.remote.head
        card = self.hub.retrying(lambda: hf_hub_download(repo_id, CARD_FILE, revision=revision), repo_id)
        claims: list[Claim] = []
        by_corpus: dict[str, list[CardFigure]] = {}
        for figure in read_figures(Path(card)):
            named = self.request.corpus
            entry = self.registry.corpus(named) if named else match_corpus(figure, self.registry)
            if entry is None:
                claims.append(figure.judged("not checked", "the registry has no such corpus; name it with --corpus"))
            else:
                by_corpus.setdefault(entry.id, []).append(figure)
        self.facts["documents"] = 0
        if by_corpus:
            tagger = self._load(None)
            for name, figures in by_corpus.items():
                claims += self._check_card(tagger, self.registry.corpus(name), figures)
        self.problems += [str(claim) for claim in claims if claim.status == "differs"]
        if not any(claim.status != "not checked" for claim in claims):
            self.problems.append("no figure of its card could be checked" if claims else "its card has no model-index")
        self.facts["claims"] = claims
        return "other"

    def _check_card(self, tagger: Tagger, entry: CorpusEntry, figures: list[CardFigure]) -> list[Claim]:
        """The figures of one corpus; what the corpus does not annotate is left out of the scores."""
        from zoo.evaluation.scoring import check_renames, gold_keys, rename_types, tag_documents

        try:
            corpus = self._corpus(entry)
        except ZooError as error:
            return [figure.judged("not checked", error.what) for figure in figures]
        known = tagger.types
        check_renames(self.request.types, known)
        types = self.request.types or align_types(known, entry.entity_types)
        if not types:
            why = f"its types {', '.join(known[:6])} are not those of the corpus; map them with --map"
            return [figure.judged("not checked", why) for figure in figures]
        scores: dict[Split, dict[str, Counts]] = {}
        for split in sorted({split for figure in figures if figure.kind and (split := split_of(figure))}):
            documents = corpus.splits[split]
            found = rename_types(tag_documents(tagger, documents), types)
            keys = [[e.key for e in entities if e.type in entry.entity_types] for entities in found]
            scores[split] = counts_by_type(gold_keys(documents), keys)
            self.facts["documents"] += len(documents)
        return check_figures(figures, entry, scores, own=False)

    def _corpus(self, entry: CorpusEntry) -> Corpus:
        from zoo.corpora.load import open_corpus

        return open_corpus(entry, self.registry, self.settings)

    def _download(self, remote: Remote) -> tuple[Path, Manifest, list[str]]:
        """Download a repository of ours and compare it with its manifest."""
        from huggingface_hub import snapshot_download

        about = self.hub.about(remote.repo_id)
        folder = Path(
            self.hub.retrying(lambda: snapshot_download(remote.repo_id, revision=remote.head), remote.repo_id)
        )
        if not (folder / MANIFEST_FILE).is_file():
            raise ZooError(f"the repository has no {MANIFEST_FILE}: it is none of zoo's", where=about)
        manifest = read_manifest((folder / MANIFEST_FILE).read_bytes(), about)
        return folder, manifest, folder_problems(folder, manifest)

    def _load(self, result: Result | None, folder: Path | None = None) -> Tagger:
        """The model as the plain pipeline loads it by its Hub id; one that takes the toolkit, in its folder."""
        from transformers import pipeline

        from zoo.tagging.tagger import DEFAULT_STRIDE_TOKENS, Tagger

        files, more = self.remote.files, dict[str, Any]()
        if self.request.revision and "adapter_config.json" in files:
            # `revision=` would be asked of the base, too: transformers #29849
            more = {"model_kwargs": {"adapter_kwargs": {"revision": self.remote.head}}}
        elif self.request.revision:
            more = {"revision": self.remote.head}
        elif MANIFEST_FILE not in files and "adapter_config.json" not in files:
            more = {"model_kwargs": {"use_safetensors": True}}  # no pickles of strangers
        try:
            ner = pipeline("token-classification", model=self.request.repo_id, aggregation_strategy="simple", **more)
            stride = result.decoding.stride_tokens if result else DEFAULT_STRIDE_TOKENS
            if folder and result and (result.heads or result.discontinuous):
                return Tagger.load(folder, stride_tokens=stride)
            return Tagger.of(ner.model, ner.tokenizer, stride_tokens=stride)
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            reason = (str(error) or type(error).__name__).strip().splitlines()[0]
            where = self.hub.about(self.request.repo_id)
            raise ZooError(f"transformers' pipeline cannot load it: {reason}", where=where) from None


def main(request: str, outcome: Path) -> None:
    """Verify what a request (JSON) asks for and write what came out into a file."""
    from zoo.modeling.quiet import quiet_libraries

    quiet_libraries()
    try:
        text = rescore(VerifyRequest.model_validate_json(request), Hub()).to_json()
    except ZooError as error:
        text = json.dumps({"error": error.what, "where": error.where, "fix": error.fix, "exit_code": error.exit_code})
    outcome.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
