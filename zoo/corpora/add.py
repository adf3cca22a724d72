"""A user's own annotated data becomes a corpus of their registry folder: checked, split by document, pinned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zoo.corpora.collection import Collection, gather, natural_unit
from zoo.corpora.document import Document, Span, count_mentions
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.overlaps import Policy, count_places, resolve_overlaps
from zoo.corpora.splitting import assign_splits, join_copies, splits_by_text
from zoo.corpora.type_names import all_types, check_types, new_in_label_space
from zoo.errors import ZooError
from zoo.registry.formats import AddableFormat
from zoo.registry.loader import Registry, load_registry
from zoo.registry.overlay import check_new_id, publish_corpus, staging
from zoo.registry.reading import check
from zoo.registry.schema import BundledSource, CorpusEntry, EntityType, SplitName

_CORRECTIONS = "corrections"


@dataclass(frozen=True)
class Request:
    """What to add, and how.

    Attributes:
        name: Id of the new corpus.
        path: A file, a folder of files, or a folder with files or folders named after train, dev and test.
        format: How the files are written.
        types: Type in the files -> type of the label space; empty: none was named.
        all_types: Whether types in the files that are not named are taken, too, under their own names.
        registry: Folder of the user's registry, made if it does not exist.
        overlaps: What becomes of nested, overlapping and discontinuous mentions; auto: kept where there are such, and
            else refused in what is read later.
        license_spdx: Licence of the data.
        publishable: Whether models trained on it may be published.
        language: BCP 47 tag of the language of the texts.
        unit: What one document is; None: sentences of CoNLL files without `-DOCSTART-`, else documents.
        dev: Share of the documents that become the dev split, where there is none.
        test: Share of the documents that become the test split, where there is none.
        seed: Seed of the draw.
        local: The user's folder of local corpora (`ZOO_CORPORA`), which comes before every entry.
        ignored_types: Types in the files whose mentions are left out, counted.
        growing: Whether the data is a folder of corrections that grows: each text keeps its split, and the corpus takes
            the place of the one that was made of them before.
    """

    name: str
    path: Path
    format: AddableFormat
    types: Mapping[str, str]
    registry: Path
    overlaps: Policy | Literal["auto"] = "auto"
    license_spdx: str = "NOASSERTION"
    publishable: bool = False
    language: str = "en"
    unit: Literal["sentence", "document"] | None = None
    dev: float = 0.1
    test: float = 0.2
    seed: int = 13
    local: Path | None = None
    ignored_types: tuple[str, ...] = ()
    all_types: bool = False
    growing: bool = False


@dataclass(frozen=True)
class Added:
    """What was added.

    Attributes:
        path: The new registry entry.
        corpus: The corpus as builds will read it, with its entry.
        new_types: Types that were appended to the label space.
        notes: What was decided on the way, for the user to know.
        found_types: Types in the files and their mentions, the most frequent first.
        types: Type in the files -> type of the label space.
    """

    path: Path
    corpus: Corpus
    new_types: tuple[str, ...]
    notes: tuple[str, ...]
    found_types: Mapping[str, int]
    types: Mapping[str, str]


def add_corpus(request: Request) -> Added:
    """Check data, make splits where it has none, and write the entry into the registry folder.

    The folder gets `corpora/NAME.yaml`, `splits/NAME/{train,dev,test}.jsonl`, and new types in `labels.yaml`. Nothing
    is written before everything is checked, and the entry comes last.

    Raises:
        ZooError: The name is taken, a line is malformed, a type is unknown, or there are too few documents.
    """
    registry = load_registry(request.registry if request.registry.is_dir() else None)
    if not (request.growing and _made_of_corrections(request, registry)):
        check_new_id(request.name, "corpora", registry, request.local)
    data = gather(request.path, _draft(request))
    found = Counter(span.type for documents in data.splits.values() for d in documents for span in d.spans)
    if request.all_types:
        request = replace(request, types=all_types(request.types, request.ignored_types, found, registry))
    check_types(request.types, request.ignored_types, found, request.path)
    _leave_out(request.ignored_types, data)
    policy, kept = _policy(request, data)
    request = replace(request, overlaps=policy)
    draft = _draft(request)
    new_types = new_in_label_space(request.types, registry)
    capacity = _raised_capacity(new_types, registry)
    notes = kept + _make_splits(request, data)
    notes += [f"{what}: {count}" for what, count in sorted(data.repairs.items())]
    for split, documents in data.splits.items():
        if not count_mentions(documents):
            raise ZooError(
                f"the {split} split holds no mention",
                where=request.path,
                fix="add documents, or draw with another --seed",
            )
    path, corpus = _write(request, draft, data, new_types, notes, capacity)
    if capacity is not None:
        notes.append(
            f"the label space of {request.registry} has room for {capacity} types now, not "
            f"{registry.labels.capacity}: its bases are built anew, published ones stay as they are"
        )
    return Added(path, corpus, new_types, tuple(notes), dict(found.most_common()), request.types)


def _made_of_corrections(request: Request, registry: Registry) -> bool:
    """Whether an entry of the user's own has the name, and was made of corrections as this one is."""
    entry = registry.corpora.get(request.name)
    own = registry.folders.get(f"corpora/{request.name}") == request.registry
    return own and entry is not None and entry.note.startswith(f"Added from {_CORRECTIONS}")


def _draft(request: Request) -> CorpusEntry:
    """The entry as far as it is known before reading; reading needs its format, unit and default type."""
    unit = request.unit or natural_unit(request.path, request.format)
    sources = list(request.types)
    data = {
        "id": request.name,
        "title": request.name,
        "description": "Not yet read.",
        "format": request.format,
        "unit": unit,
        "types": dict(request.types) or {"any": "any"},
        "default_type": sources[0] if len(sources) == 1 else None,
        "overlaps": "keep" if request.overlaps == "auto" else request.overlaps,
        "language": request.language,
        "license": {
            "spdx": request.license_spdx,
            "source": "given when the corpus was added",
            "publishable": request.publishable,
            "note": "" if request.publishable else "set publishable to true if models trained on it may be published",
        },
    }
    return check(CorpusEntry, data, where="zoo corpora add")


def _leave_out(ignored: Sequence[str], data: Collection) -> None:
    """Drop the mentions of types that the user does not want; before overlaps are judged, which these cannot cause."""
    for split, documents in data.splits.items():
        for document in documents:
            data.repairs.update(
                f"mentions of the ignored type {span.type} left out" for span in document.spans if span.type in ignored
            )
        data.splits[split] = [
            replace(document, spans=tuple(span for span in document.spans if span.type not in ignored))
            for document in documents
        ]


def _policy(request: Request, data: Collection) -> tuple[Policy, list[str]]:
    """The overlap policy, and a note where it was found in the data.

    A refusal comes here, where it can name the user's own file; what is left out is counted at every reading.
    """
    documents = [document for split in data.splits.values() for document in split]
    policy, notes = request.overlaps, []
    if policy == "auto":
        counts = count_places(documents)
        policy = "keep" if counts else "error"
        notes = (
            [f"overlaps: keep; mentions {', '.join(f'{how}: {n:,}' for how, n in counts.items())}"] if counts else []
        )
    for document in documents:
        try:
            resolve_overlaps(document, policy, Counter())
        except ZooError as error:
            raise ZooError(
                error.what,
                where=request.path,
                fix="say --overlaps keep (all are trained), or --overlaps longest (keeps the longest, counts the rest)",
            ) from None
    return policy, notes


def _raised_capacity(new_types: Sequence[str], registry: Registry) -> int | None:
    """What the label space must be raised to for new types: a power of two, with room for more; None: they fit."""
    needed, capacity = len(registry.labels.types) + len(new_types), registry.labels.capacity or 0
    return None if needed <= capacity else 1 << needed.bit_length()


def _make_splits(request: Request, data: Collection) -> list[str]:
    """Draw the splits that the data lacks from what it calls train; say what was done."""
    shares: dict[SplitName, float] = {"dev": request.dev, "test": request.test}
    shares = {split: share for split, share in shares.items() if split not in data.splits}
    if "train" not in data.splits:
        return [*data.notes, "a test split alone: models are evaluated on it, and none is trained"]
    if not shares:
        return [*data.notes, "splits as given"]
    notes = list(data.notes)
    if data.splits.keys() & {"dev", "test"}:
        notes.append(f"warning: there is no {' and no '.join(shares)} split; it is drawn from train")
    documents, groups, by = data.splits["train"], data.groups["train"], "document"
    parts = " and ".join(f"{split} ({100 * share:g} %)" for split, share in shares.items())
    if request.growing:
        drawn = splits_by_text(documents, shares, seed=request.seed)
        _divide(data, documents, drawn)
        return [*notes, f"{parts} drawn by a hash of each text, seed {request.seed}: they stay as documents are added"]
    if "" in groups and "test" in data.splits:
        by, groups = "sentence", [str(number) for number in range(len(documents))]
        notes.append(
            "warning: the files do not say which sentences belong to one document: train and dev may share some, and "
            "scores on dev be too good; those on test are not touched"
        )
    if "" in groups:
        raise ZooError(
            "the files do not say which sentences belong to one document: splits drawn by sentence would put the same "
            "document into train and test",
            where=request.path,
            fix="put a -DOCSTART- line before every document, or give one file a document, or files train, dev, test",
        )
    groups, copies = join_copies(groups, documents)
    drawn = assign_splits(groups, shares, seed=request.seed)
    _divide(data, documents, drawn)
    notes.append(f"{parts} drawn by {by} from {len(set(groups))}, seed {request.seed}")
    return [*notes, *([f"documents with the same text kept in one split: {copies}"] if copies else [])]


def _divide(data: Collection, documents: Sequence[Document], drawn: Sequence[SplitName]) -> None:
    for split in dict.fromkeys(("train", *drawn)):
        data.splits[split] = [document for document, of in zip(documents, drawn, strict=True) if of == split]


def _write(
    request: Request,
    draft: CorpusEntry,
    data: Collection,
    new_types: Sequence[str],
    notes: list[str],
    capacity: int | None,
) -> tuple[Path, Corpus]:
    with staging(request.registry) as folder:
        splits = folder / "splits" / request.name
        splits.mkdir(parents=True)
        for split, documents in data.splits.items():
            (splits / f"{split}.jsonl").write_text("".join(map(_line, documents)), encoding="utf-8")
        entry = _finished(request, draft, data, notes)
        corpus = load_corpus(entry, registry_folder=folder)  # exactly what a build will read
        entry = entry.model_copy(update={"splits": corpus.split_infos()})
        labels = [EntityType(name=name, description=f"as annotated in {request.name}") for name in new_types]
        path = publish_corpus(entry, splits, request.registry, labels, capacity, replace=request.growing)
    return path, replace(corpus, entry=entry)


def _finished(request: Request, draft: CorpusEntry, data: Collection, notes: list[str]) -> CorpusEntry:
    count = sum(map(len, data.splits.values()))
    source = _CORRECTIONS if request.growing else f"{request.format} data"
    return draft.model_copy(
        update={
            "description": f"{count:,} {draft.unit}s annotated with {', '.join(draft.entity_types)}.",
            "format": "jsonl",
            "default_type": None,
            "for_evaluation_only": "train" not in data.splits,
            "sources": (BundledSource(kind="bundled", path=f"splits/{request.name}"),),
            "note": f"Added from {source} ({request.path.name}); {'; '.join(notes)}.",
        }
    )


def _line(document: Document) -> str:
    data = {"id": document.id, "text": document.text, "spans": [_span(span) for span in document.spans]}
    return json.dumps(data, ensure_ascii=False) + "\n"


def _span(span: Span) -> dict[str, Any]:
    extra = {"concept_ids": list(span.concept_ids), "fragments": [list(part) for part in span.fragments]}
    return {"start": span.start, "end": span.end, "type": span.type} | {k: v for k, v in extra.items() if v}
