"""Preparing passages of pre-training at scale: seconds, memory, and whether what was planted is found.

    python benchmarks/passages.py [--passages 10000 50000 350000] [--folder DIR]

writes made-up text of 200 to 250 words a passage, words drawn by Zipf's law from 200,000, to three registry entries on
disk, prepares each size in a process of its own as the stage `dapt` does (three epochs drawn), and writes
`benchmarks/results/passages.{json,md}`. A seed decides the text. Planted are passages that are too short, exact and
near duplicates, in any entry, of earlier ones of the first, whole test sentences, and 13 words of longer ones: none of
them may be kept, and nothing else may go.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files import write_whole

RESULTS = Path(__file__).parent / "results"
SIZES = (10_000, 50_000, 350_000)
EPOCHS = 3
SECONDS_LIMIT, BYTES_LIMIT = 15 * 60, 2e9
VOCABULARY = 200_000
TEST_SENTENCES = 30_000
ENTRIES = {"abstracts": 0.7, "trials": 0.2, "notes": 0.1}
WEIGHTS = {"abstracts": 1.0, "trials": 0.5, "notes": 2.0}
PLANTED = {"short": 0.01, "exact": 0.03, "near": 0.05, "sentence": 0.02, "run": 0.005}
"""Kind -> share of the passages."""
_BLOCK = 1000
_REMEMBERED = 20_000
_SYLLABLES = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "al", "in", "os", "er", "ium")]


class Text:
    """Made-up text, decided by a seed.

    Args:
        seed: Of everything.
    """

    def __init__(self, seed: int = 0) -> None:
        self.chooser, self.rng = random.Random(seed), np.random.default_rng(seed)
        shape = random.Random(seed)
        made: dict[str, None] = {"β": None, "α": None}  # a Greek letter makes a string twice as large in memory
        while len(made) < VOCABULARY:
            made["".join(shape.choices(_SYLLABLES, k=shape.randrange(1, 5)))] = None
        self.words = sorted(made, key=lambda word: len(word) + 4 * shape.random())  # frequent ones are short
        weights = 1.0 / np.arange(1, VOCABULARY + 1)
        self._shares = np.cumsum(weights / weights.sum())

    def drawn(self, count: int) -> list[str]:
        """So many words by Zipf's law."""
        places = np.searchsorted(self._shares, self.rng.random(count)).clip(max=VOCABULARY - 1)
        return [self.words[place] for place in places.tolist()]

    def sentence(self, low: int, high: int) -> str:
        """A sentence of `low` to `high` words."""
        return _sentence(self.drawn(self.chooser.randint(low, high)))

    def sentences(self, words: list[str]) -> list[str]:
        """Words as sentences of 8 to 25."""
        found, start = [], 0
        while start < len(words):
            stop = start + self.chooser.randint(8, 25)
            found.append(_sentence(words[start:stop]))
            start = stop
        return found

    def passages(self, count: int, tests: list[str]) -> Iterator[tuple[str, str, str]]:
        """Kind, entry and text of each passage; kind is `clean` or what was planted."""
        kinds, shares = ["clean", *PLANTED], [1 - sum(PLANTED.values()), *PLANTED.values()]
        longer = [test.rstrip(".").split() for test in tests if len(test.split()) > 15]
        remembered: list[str] = []
        for start in range(0, count, _BLOCK):
            lengths = self.rng.integers(200, 251, min(_BLOCK, count - start))
            words = self.drawn(int(lengths.sum()))
            for stop, length in zip(np.cumsum(lengths).tolist(), lengths.tolist(), strict=True):
                (kind,) = self.chooser.choices(kinds, shares)
                (entry,) = self.chooser.choices(list(ENTRIES), list(ENTRIES.values()))
                sentences = self.sentences(words[stop - length : stop])
                if kind in ("exact", "near") and not remembered:
                    kind = "clean"
                if kind == "short":
                    yield kind, entry, " ".join(sentences)[:60]
                elif kind == "exact":
                    yield kind, entry, self.chooser.choice(remembered).replace(". ", ".\n ").replace(" ", "  ").upper()
                elif kind == "near":
                    yield kind, entry, self._changed(self.chooser.choice(remembered))
                elif kind == "sentence":
                    sentences[self.chooser.randrange(len(sentences))] = self.chooser.choice(tests).upper()
                    yield kind, entry, " ".join(sentences)
                elif kind == "run":
                    source = self.chooser.choice(longer)
                    first = self.chooser.randrange(1, len(source) - 13)
                    sentences.insert(self.chooser.randrange(len(sentences)), _sentence(source[first : first + 13]))
                    yield kind, entry, " ".join(sentences)
                else:
                    text = " ".join(sentences)
                    if entry != next(iter(ENTRIES)):
                        pass
                    elif len(remembered) < _REMEMBERED:
                        remembered.append(text)
                    elif self.chooser.random() < _REMEMBERED / count:
                        remembered[self.chooser.randrange(_REMEMBERED)] = text
                    yield kind, entry, text

    def _changed(self, text: str) -> str:
        """One to three words replaced: pieces of 100 words keep a similarity of 0.84."""
        words = text.split(" ")
        for place in self.chooser.sample(range(len(words)), self.chooser.randint(1, 3)):
            end = "." if words[place].endswith(".") else ""
            words[place] = f"x{self.chooser.randrange(10**6)}{end}"
        return " ".join(words)


def _sentence(words: list[str]) -> str:
    return " ".join(words).capitalize() + "."


def write_text(folder: Path, count: int, seed: int = 0) -> dict[str, int]:
    """Write entries and test sentences; how many of each kind. Ids begin with the kind."""
    text, kinds = Text(seed), Counter[str]()
    tests = [text.sentence(8, 25) for _ in range(TEST_SENTENCES)]
    (folder / "tests.json").write_text(json.dumps(tests))
    files = {entry: (folder / f"{entry}.jsonl").open("w", encoding="utf-8") for entry in ENTRIES}
    for number, (kind, entry, passage) in enumerate(text.passages(count, tests)):
        kinds[kind] += 1
        files[entry].write(json.dumps({"id": f"{kind}-{number}", "text": passage}, ensure_ascii=False) + "\n")
    for file in files.values():
        file.close()
    return dict(kinds)


def prepare(folder: Path) -> dict[str, Any]:
    """Prepare what is in a folder, draw the epochs, and say what became of each kind. Runs in its own process."""
    from zoo.corpora.document import Document
    from zoo.corpora.load import Corpus
    from zoo.passages.mixture import draw_epoch, prepare_passages
    from zoo.registry.passage_entry import PassageEntry
    from zoo.registry.schema import BundledSource, CorpusEntry, LicenseInfo

    open_license = LicenseInfo(spdx="CC0-1.0", source="made here", publishable=True)
    entries = [
        PassageEntry(
            id=name,
            title=name,
            license=open_license,
            weight=WEIGHTS[name],
            sources=(BundledSource(kind="bundled", path=f"{name}.jsonl"),),
        )
        for name in ENTRIES
    ]
    tests = CorpusEntry(
        id="tests",
        title="tests",
        description="",
        format="jsonl",
        unit="sentence",
        types={"Disease": "Disease"},
        license=open_license,
    )
    documents = tuple(Document(str(i), text) for i, text in enumerate(json.loads((folder / "tests.json").read_text())))
    corpus = Corpus(entry=tests, splits={"train": (), "dev": (), "test": documents}, source="made", fingerprints={})
    peak = _Peak()
    started = time.perf_counter()
    folders = {f"passages/{name}": folder for name in ENTRIES}
    prepared = prepare_passages(entries, [corpus], folders=folders, folder=folder / "prepared", seed=13)
    prepared_s = time.perf_counter() - started
    epochs = [draw_epoch(prepared, epoch, 13) for epoch in range(EPOCHS)]
    seconds = time.perf_counter() - started
    kept = {passage.id.partition("#")[0] for passages in (prepared.train, prepared.heldout) for passage in passages}
    return {
        "seconds": seconds,
        "seconds_of_drawing": seconds - prepared_s,
        "cpu_seconds": sum(os.times()[:4]),
        "peak_bytes": peak.end(),
        "drawn": [len(epoch) for epoch in epochs],
        "kept_by_kind": Counter(name.partition("-")[0] for name in kept),
        "counts": prepared.counts.total.model_dump(),
    }


class _Peak:
    """The most resident memory of this process and those below it, looked at ten times a second."""

    def __init__(self) -> None:
        import psutil

        self._process, self._most, self._ends = psutil.Process(), 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        import psutil

        while True:
            resident = 0
            for process in (self._process, *self._process.children(recursive=True)):
                try:
                    resident += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self._most = max(self._most, resident)
            if self._ends.wait(0.1):
                return

    def end(self) -> int:
        """Bytes."""
        self._ends.set()
        self._thread.join()
        return self._most


def measure(count: int, folder: Path | None = None) -> dict[str, Any]:
    """Write, prepare and check one size."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        where = Path(name)
        planted = write_text(where, count)
        text_bytes = sum(path.stat().st_size for path in where.glob("*.jsonl"))
        command = [sys.executable, __file__, "--prepare", name]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    kept = found.pop("kept_by_kind")
    shares = {kind: 1 - kept.get(kind, 0) / planted[kind] for kind in PLANTED if planted.get(kind)}
    lost = planted["clean"] - kept.get("clean", 0)
    return {"passages": count, "text_bytes": text_bytes, "planted": planted, "found": shares, "lost": lost, **found}


def main() -> None:
    """Measure all sizes and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, help="where the text is written, 0.6 GB; default: the system's")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.prepare:
        sys.stdout.write(json.dumps(prepare(arguments.prepare)))
        return
    rows = []
    for count in arguments.passages:
        rows.append(measure(count, arguments.folder))
        sys.stderr.write(f"{count:,}: {rows[-1]['seconds']:.0f} s, {rows[-1]['peak_bytes'] / 1e6:.0f} MB\n")
    about = {"cpu": _processor(), "cores": os.cpu_count()}
    data = {"command": "python benchmarks/passages.py", "machine": about, "epochs": EPOCHS, "rows": rows}
    arguments.results.mkdir(exist_ok=True)
    write_whole(arguments.results / "passages.json", json.dumps(data, indent=1) + "\n")
    write_whole(arguments.results / "passages.md", _markdown(about, rows))


def _markdown(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    lines = [
        "# Preparing passages of pre-training",
        "",
        f"`python benchmarks/passages.py`, {about['cores']} cores ({about['cpu']}) shared with other work.",
        "One process: CPU seconds are what it takes where a core is free.",
        f"Made-up text of 200 to 250 words a passage from {VOCABULARY:,} words, three entries, {TEST_SENTENCES:,} test",
        "sentences: read, filtered by length, cut, de-duplicated, freed of test text, held out in part, and drawn for",
        f"{EPOCHS} epochs. Memory is the most that was resident, files mapped into it included. Wanted: 350,000 within",
        f"{SECONDS_LIMIT // 60} minutes and {BYTES_LIMIT / 1e9:.0f} GB on two cores.",
        "",
        "| passages | text, MB | seconds | CPU seconds | passages/s | memory, MB | pieces kept | clean passages lost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        kept = row["counts"]["kept_train"] + row["counts"]["kept_heldout"]
        lines.append(
            f"| {row['passages']:,} | {row['text_bytes'] / 1e6:.0f} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} "
            f"| {row['passages'] / row['seconds']:.0f} | {row['peak_bytes'] / 1e6:.0f} | {kept:,} | {row['lost']} |"
        )
    names = {
        "short": "too short",
        "exact": "exact duplicates",
        "near": "near duplicates",
        "sentence": "with a test sentence",
        "run": "with 13 words of one",
    }
    lines += ["", "Planted passages, and the share that left nothing behind:", ""]
    lines += ["| passages | " + " | ".join(names.values()) + " |", "|---|" + "---|" * len(names)]
    for row in rows:
        cells = [f"{row['planted'].get(kind, 0):,}: {100 * row['found'].get(kind, 1):.2f} %" for kind in names]
        lines.append(f"| {row['passages']:,} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
