"""The mixture of pre-training: what stays out, what is held out, what an epoch draws, what its fingerprint tells."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.corpora.document import Document
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.repeats import repeated_texts
from zoo.corpora.retry import FetchOptions
from zoo.corpora.similarity import near_duplicates, words
from zoo.errors import ZooError
from zoo.passages.contamination import TextIndex, check_passages
from zoo.passages.mixture import (
    PreparedPassages,
    draw_epoch,
    mixture_license,
    passages_fingerprint,
    prepare_passages,
)
from zoo.passages.passage import Passage
from zoo.registry.loader import load_registry
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import BundledSource, CorpusEntry, LicenseInfo

VOCABULARY = [f"w{i}" for i in range(4000)]
SENTENCE = "Aspirin lowers the risk of stroke."


def prose(seed: object, length: int = 40) -> str:
    """Sentences of ten words that share next to nothing with others."""
    drawn = random.Random(str(seed)).choices(VOCABULARY, k=length)
    return " ".join(f"{word}." if number % 10 == 9 else word for number, word in enumerate(drawn))


def entry(name: str = "one", *, publishable: bool = True, spdx: str = "CC0-1.0", **fields: Any) -> PassageEntry:
    return PassageEntry(
        id=name,
        title=name,
        license=LicenseInfo(spdx=spdx, source="tests", publishable=publishable),
        sources=(BundledSource(kind="bundled", path=f"{name}.jsonl"),),
        **fields,
    )


def corpus(*tests: str, unit: str = "sentence") -> Corpus:
    item = CorpusEntry(
        id="tests",
        title="t",
        description="",
        format="jsonl",
        unit=unit,
        types={"Disease": "Disease"},
        license=LicenseInfo(spdx="CC0-1.0", source="tests", publishable=True),
    )
    documents = tuple(Document(f"d{i}", text) for i, text in enumerate(tests))
    return Corpus(entry=item, splits={"train": (), "dev": (), "test": documents}, source="tests", fingerprints={})


class Mixture:
    """Entries written to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, texts: Iterable[str | Passage]) -> None:
        lines = []
        for number, item in enumerate(texts):
            passage = item if isinstance(item, Passage) else Passage(f"{name}-{number}", item)
            lines.append(json.dumps({"id": passage.id, "text": passage.text, "document": passage.document}))
        (self.folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")

    def folders(self, entries: Iterable[PassageEntry]) -> dict[str, Path]:
        return {f"passages/{item.id}": self.folder for item in entries}

    def prepare(self, *entries: PassageEntry, tests: Sequence[Corpus] = (), **options: Any) -> PreparedPassages:
        entries = entries or (entry(),)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        found = prepare_passages(entries, tests, folders=self.folders(entries), folder=folder, **{"seed": 0, **options})
        assert [path.name for path in folder.iterdir()] == ["passages.arrow"], "a sample's candidates are left"
        for count in (*found.counts.entries.values(), found.counts.total):
            gone = count.too_short + count.not_sampled + count.test_overlap
            gone += count.exact_duplicates + count.near_duplicates
            assert count.read + count.cut_pieces == gone + count.kept_train + count.kept_heldout
        assert found.counts.total.kept_train == len(found.train) == len(found.train_origin)
        assert found.counts.total.kept_heldout == len(found.heldout) == len(found.heldout_origin)
        assert found.counts.total.kept_words == sum(len(p.text.split()) for p in (*found.train, *found.heldout))
        assert not {p.document_id for p in found.train} & {p.document_id for p in found.heldout}
        return found

    def fingerprint(self, *entries: PassageEntry, local: Path | None = None) -> str:
        return passages_fingerprint(entries, folders=self.folders(entries), local=local)


@pytest.fixture
def mixture(tmp_path: Path) -> Mixture:
    return Mixture(tmp_path)


def everything(prepared: PreparedPassages) -> list[str]:
    return sorted(passage.text for passage in (*prepared.train, *prepared.heldout))


def test_short_passages_and_duplicates_go(mixture: Mixture) -> None:
    first, other = prose(1), prose(2)
    near = first.replace(first.split()[0], "changed", 1)
    mixture.write("one", [first, prose(3, 29), other, first.upper().replace(" ", "\n "), near, prose(4, 30)])
    found = mixture.prepare(heldout_share=0)
    assert [p.id for p in found.train] == ["one-0", "one-2", "one-5"] and not found.heldout
    total = found.counts.total
    assert (total.read, total.too_short, total.exact_duplicates, total.near_duplicates) == (6, 1, 1, 1)


def test_duplicates_are_found_across_entries_and_the_first_stays(mixture: Mixture) -> None:
    mixture.write("one", [prose(1), prose(2)])
    mixture.write("two", [prose(3), prose(2), prose(1)])
    found = mixture.prepare(entry("two"), entry("one"), heldout_share=0)
    assert [p.id for p in found.train] == ["two-0", "two-1", "two-2"]
    assert found.counts.entries["one"].exact_duplicates == 2 and set(found.train_origin) == {"two"}


def test_near_duplicates_are_those_of_the_leakage_check() -> None:
    chooser = random.Random(5)
    texts = [prose(i, 60) for i in range(40)]
    for _ in range(160):
        changed = chooser.choice(texts).split()
        for _ in range(chooser.randrange(9)):
            changed[chooser.randrange(60)] = chooser.choice(VOCABULARY)
        texts.append(" ".join(changed))
    texts += ["", "one two", "One two!", "...", "***"]
    found = repeated_texts(texts)
    pairs = near_duplicates([words(text) for text in texts], range(len(texts)), range(len(texts)))
    expected: dict[int, int] = {}
    for item in range(len(texts)):
        earlier = [other for other in sorted(pairs.get(item, {})) if other < item and other not in expected]
        if earlier:
            expected[item] = earlier[0]
    assert found == expected and 20 < len(found) < 165
    assert repeated_texts([]) == {}


def test_thousands_of_copies_are_one(mixture: Mixture) -> None:
    base = prose(0, 60)
    texts = [f"{base} {number}" for number in range(3000)]
    assert repeated_texts(texts) == dict.fromkeys(range(1, 3000), 0)


def test_test_sentences_and_runs_go(mixture: Mixture) -> None:
    run = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    tests = corpus(SENTENCE, run, "Too short.")
    texts = [
        f"{prose(1)} ASPIRIN  lowers (the) risk of stroke {prose(2)}",
        f"{prose(3)} {' '.join(run.split()[2:15])} {prose(4)}",
        f"{prose(5)} {' '.join(run.split()[2:14])} x {prose(6)}",
        f"{prose(7)} Aspirin lowers the risk. Too short. {prose(8)}",
    ]
    mixture.write("one", texts)
    found = mixture.prepare(tests=[tests], heldout_share=0)
    assert [p.id for p in found.train] == ["one-2", "one-3"] and found.counts.total.test_overlap == 2
    assert len(mixture.prepare(heldout_share=0).train) == 4


def test_test_text_takes_the_pieces_beside_it_out(mixture: Mixture) -> None:
    """A run over the border of two pieces is found, and far pieces of the same passage stay."""
    plain = [prose(number).replace(".", "") for number in range(4)]
    pieces = [
        f"{plain[0]} a b c d e f g.",
        f"h i j k l m n {plain[1]} end.",
        f"o p q r s t {plain[2]} end.",
        f"u v w x y z {plain[3]} end.",
    ]
    mixture.write("one", [" ".join(pieces), prose(9)])
    cut = {"heldout_share": 0, "max_words": 60}
    assert [p.text for p in mixture.prepare(**cut).train] == [*pieces, prose(9)]
    found = mixture.prepare(tests=[corpus("a b c d e f g. h i j k l m n o p")], **cut)
    assert [p.id for p in found.train] == ["one-0#3", "one-0#4", "one-1"] and found.counts.total.test_overlap == 2
    inside = mixture.prepare(tests=[corpus("u v w x y z")], **cut)
    assert [p.id for p in inside.train] == ["one-0#1", "one-0#2", "one-1"]


def test_pieces_keep_their_document_and_are_named(mixture: Mixture) -> None:
    mixture.write("one", [Passage("n1", prose(1, 450), document="patient"), Passage("PMC1#p2", prose(2, 250))])
    found = mixture.prepare(heldout_share=0)
    assert [p.id for p in found.train] == ["n1#1", "n1#2", "n1#3", "PMC1#p2#1", "PMC1#p2#2"]
    assert [p.document_id for p in found.train] == ["patient"] * 3 + ["PMC1"] * 2
    assert found.counts.total.cut_pieces == 3 and max(len(p.text.split()) for p in found.train) <= 200


def test_heldout_documents_are_whole_and_in_their_bounds(mixture: Mixture) -> None:
    sizes = [random.Random(i).randrange(1, 9) for i in range(300)]
    mixture.write("one", [Passage(f"d{d}#{i}", prose((d, i))) for d, n in enumerate(sizes) for i in range(n)])
    total = sum(sizes)
    for share, most in ((0.05, 500), (0.3, 500), (0.5, 40)):
        found = mixture.prepare(heldout_share=share, heldout_max=most)
        limit = min(round(share * total), most)
        assert limit - 8 <= len(found.heldout) <= limit
    other = mixture.prepare(heldout_share=0.3, seed=1)
    assert {p.document_id for p in other.heldout} != {p.document_id for p in mixture.prepare(heldout_share=0.3).heldout}


def test_heldout_is_never_all_and_never_nothing(mixture: Mixture) -> None:
    mixture.write("one", [Passage(f"{d}#{i}", prose((d, i))) for d in "ab" for i in range(3 if d == "a" else 2)])
    assert {p.document_id for p in mixture.prepare().heldout} == {"b"}
    assert len(mixture.prepare(heldout_share=0.99).train) > 0
    mixture.write("one", [prose(1)])
    assert len(mixture.prepare().train) == 1 and not mixture.prepare().heldout


def test_the_same_document_in_two_entries_is_on_one_side(mixture: Mixture) -> None:
    for name in ("one", "two"):
        mixture.write(name, [Passage(f"pmid-{i}", prose((name, i))) for i in range(50)])
    found = mixture.prepare(entry("one"), entry("two"), heldout_share=0.2)
    assert Counter(found.heldout_origin) == {"one": 10, "two": 10}


def test_a_sample_is_seeded_and_counted(mixture: Mixture) -> None:
    mixture.write("one", [prose(i) for i in range(100)] + [prose("short", 5)])
    samples = [
        [p.id for p in mixture.prepare(entry(sample=30), heldout_share=0, seed=seed).train] for seed in (0, 0, 1)
    ]
    assert samples[0] == samples[1] != samples[2] and len(set(samples[0])) == 30
    assert samples[0] == sorted(samples[0], key=lambda name: int(name[4:]))
    count = mixture.prepare(entry(sample=30)).counts.total
    assert (count.read, count.too_short, count.not_sampled) == (101, 1, 70)
    assert mixture.prepare(entry(sample=1000)).counts.total.not_sampled == 0


def test_epochs_draw_by_weight(mixture: Mixture) -> None:
    sizes = {"one": 40, "two": 41, "three": 30}
    for name, size in sizes.items():
        mixture.write(name, [prose((name, i)) for i in range(size)])
    weights = {"one": 2.0, "two": 0.5, "three": 1.0}
    entries = [entry(name, weight=weight) for name, weight in weights.items()]
    prepared = mixture.prepare(*entries, heldout_share=0)
    assert prepared.weights == weights

    def drawn_ids(epoch: int, seed: int) -> list[str]:
        return [prepared.train[number].id for number in draw_epoch(prepared, epoch, seed)]

    epochs = [drawn_ids(epoch, 7) for epoch in range(4)]
    assert epochs == [drawn_ids(epoch, 7) for epoch in range(4)]
    assert epochs[0] != epochs[1] != drawn_ids(1, 8)
    for epoch in epochs:
        drawn = Counter(epoch)
        by_entry = {name: [n for item, n in drawn.items() if item.startswith(f"{name}-")] for name in sizes}
        assert by_entry["one"] == [2] * 40 and by_entry["three"] == [1] * 30
        assert len(by_entry["two"]) in (20, 21) and set(by_entry["two"]) == {1}
    halves = [{item for item in epoch if item.startswith("two-")} for epoch in epochs]
    assert len(halves[0] | halves[1]) == 41 and not halves[0] & halves[1]
    origins = [item.partition("-")[0] for item in epochs[0]]
    assert origins != sorted(origins, key=list(sizes).index)


def test_nothing_to_draw() -> None:
    counts = {"entries": {}, "total": {}}
    empty = PreparedPassages((), (), (), (), {"one": 1.0}, counts)  # type: ignore[arg-type]
    assert not len(draw_epoch(empty, 0, 0))


SCRIPT = """
import hashlib, sys
from pathlib import Path
from tests.passages.test_mixture import Mixture, corpus, entry, SENTENCE
from zoo.passages.mixture import draw_epoch
found = Mixture(Path(sys.argv[1])).prepare(entry("one", sample=150), entry("two"), tests=[corpus(SENTENCE)])
parts = [[*found.train], [*found.heldout], found.counts.model_dump_json(), draw_epoch(found, 1, 3).tolist()]
print(hashlib.sha256(repr(parts).encode()).hexdigest())
"""


def test_another_process_with_another_hash_seed_prepares_the_same(mixture: Mixture) -> None:
    texts = [prose(i, 30 + i) for i in range(200)]
    mixture.write("one", [*texts, *(f"{text} {SENTENCE}" for text in texts[:5]), *(f"{t} x" for t in texts[:9])])
    mixture.write("two", [prose(("two", i)) for i in range(50)])
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(mixture.folder)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outcomes) == 1


@pytest.mark.parametrize(
    ("entries", "options", "what"),
    [
        ((entry(), entry()), {}, "named twice"),
        ((entry(),), {"min_words": 101}, "no range"),
        ((entry(),), {"heldout_share": 1.0}, "cannot be held out"),
        ((entry("absent"),), {}, "not on this machine"),
    ],
)
def test_what_cannot_be_prepared(
    entries: Sequence[PassageEntry], options: dict[str, Any], what: str, mixture: Mixture
) -> None:
    mixture.write("one", [prose(1)])
    with pytest.raises(ZooError, match=what):
        mixture.prepare(*entries, **options)


class TestFingerprint:
    def test_content_and_use_count_but_not_the_place(self, mixture: Mixture, tmp_path: Path) -> None:
        mixture.write("one", [prose(1)])
        same = mixture.fingerprint(entry())
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "one.jsonl").write_bytes((tmp_path / "one.jsonl").read_bytes())
        assert mixture.fingerprint(entry(), local=elsewhere) == same == mixture.fingerprint(entry(note="x"))
        others = [entry(weight=2), entry(sample=5), entry(format="text")]
        prints = {same, *(mixture.fingerprint(item) for item in others)}
        mixture.write("one", [prose(2)])
        prints.add(mixture.fingerprint(entry()))
        assert len(prints) == 5

    def test_files_of_a_folder_count_with_their_names(self, mixture: Mixture, tmp_path: Path) -> None:
        folder = tmp_path / "local" / "one"
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text("a")
        (folder / "README.md").write_text("not read")
        prints = [mixture.fingerprint(entry(), local=tmp_path / "local")]
        (folder / "README.md").write_text("still not read")
        assert mixture.fingerprint(entry(), local=tmp_path / "local") == prints[0]
        (folder / "b.jsonl.gz").write_bytes(gzip.compress(b"b", mtime=0))
        prints.append(mixture.fingerprint(entry(), local=tmp_path / "local"))
        (folder / "b.jsonl.gz").rename(folder / "c.jsonl.gz")
        prints.append(mixture.fingerprint(entry(), local=tmp_path / "local"))
        assert len(set(prints)) == 3

    def test_order_counts(self, mixture: Mixture) -> None:
        mixture.write("one", [prose(1)])
        mixture.write("two", [prose(2)])
        assert mixture.fingerprint(entry("one"), entry("two")) != mixture.fingerprint(entry("two"), entry("one"))


def test_licences() -> None:
    open_, closed = entry("one", spdx="CC-BY-4.0"), entry("two", spdx="LicenseRef-X", publishable=False)
    assert mixture_license([open_, entry("three", spdx="CC-BY-4.0")]) == (("CC-BY-4.0",), True, ())
    spdx, publishable, reasons = mixture_license([open_, closed])
    assert (spdx, publishable) == (("CC-BY-4.0", "LicenseRef-X"), False)
    assert reasons == ("passages two: LicenseRef-X (tests)",)
    assert not mixture_license(iter([load_registry().passage("mimic-iii-notes")]))[1]


@pytest.fixture(scope="module")
def small_corpora(shared_data: Path) -> list[Corpus]:
    registry = load_registry()
    return [
        load_corpus(
            registry.corpus(name),
            registry_folder=registry.folders[f"corpora/{name}"],
            local=shared_data / "corpora",
            options=FetchOptions(offline=True),
        )
        for name in ("ncbi-disease", "cll", "bionlp2013-cg")
    ]


def test_the_index_agrees_with_the_leakage_check(small_corpora: list[Corpus]) -> None:
    chooser = np.random.default_rng(0)
    texts = []
    for number in range(300):
        documents = small_corpora[number % 3].splits["test" if number % 2 else "train"]
        tokens = documents[int(chooser.integers(len(documents)))].text.split()
        cut = int(chooser.integers(len(tokens)))
        texts.append(" ".join([prose(number, 10), *tokens[cut // 2 : cut // 2 + 20], prose(-number, 10)]))
    held = [bool(places) for places in TextIndex(small_corpora).places([words(text) for text in texts])]
    for text, hit in zip(texts[:40], held, strict=False):
        found = check_passages("p", [Passage("x", text)], small_corpora)
        assert hit == any(overlap.passages_hit for overlap in found)
    assert 20 < sum(held) < 280


def test_real_passages_with_planted_test_text(shared_data: Path, small_corpora: list[Corpus], mixture: Mixture) -> None:
    """Real abstracts stay as they are; test sentences planted in some of them take out just those."""
    with gzip.open(shared_data / "passages" / "pubmedqa.jsonl.gz", "rt", encoding="utf-8") as file:
        real = [json.loads(line) for line in file]
    documents = [d.text for c in small_corpora for d in c.splits["test"] if len(d.text.split()) > 12]
    planted = {item["id"]: f"{item['text']}\n\n{documents[i]}" for i, item in enumerate(real[::20])}
    mixture.write("one", [Passage(item["id"], planted.get(item["id"], item["text"])) for item in real])
    found = mixture.prepare(tests=small_corpora, max_words=1000)
    kept = {p.id for p in (*found.train, *found.heldout)}
    assert len(real) == 1018 and found.counts.total.test_overlap == len(planted) == 51
    assert kept == {item["id"] for item in real} - set(planted)
    assert len(found.heldout) == round(0.05 * len(kept))
