"""200 damaged files: each ends in a `ZooError`, or in a parse that accounts for everything that the file shows.

A damaged file may happen to be another valid file (a line less, another word). What "no silent loss" means is therefore
checked against the damaged file itself, by a count that knows nothing of the readers: the documents and mentions that
it shows are those that were read, plus those that were counted as left out. Damage that takes no word away (a lost line
end, a lost tab) must be refused, repaired with a count, or leave as many documents and mentions as the clean file has.
The clean files must need no repair.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from tests.corpora import writers
from zoo.corpora.document import Document, count_mentions, count_tokens, fingerprint
from zoo.corpora.readers.bioc import read_bioc
from zoo.corpora.readers.brat import read_brat
from zoo.corpora.readers.conll import read_conll
from zoo.corpora.readers.jsonl import read_jsonl
from zoo.corpora.readers.parquet import read_parquet
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.errors import ZooError

FORMATS = ("conll", "jsonl", "brat", "pubtator", "bioc.xml", "bioc.json", "parquet")
Repairs = Counter[str]


# What damages bytes. Those named in ALWAYS_REFUSED can never give a valid file.


def truncate_gzip(data: bytes, rng: random.Random) -> bytes:
    packed = gzip.compress(data)
    return packed[: rng.randrange(12, len(packed) - 1)]


def corrupt_gzip(data: bytes, rng: random.Random) -> bytes:
    packed = bytearray(gzip.compress(data))
    packed[rng.randrange(len(packed) - 8, len(packed) - 4)] ^= 1 << rng.randrange(8)  # the checksum
    return bytes(packed)


def wrong_encoding(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", errors="replace")
    return (
        text.encode("utf-16") if rng.random() < 0.5 else re.sub("[^\0-\xff]", "\xe9", text + "\xe9").encode("latin-1")
    )


def nul_byte(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + b"\0" + data[place:]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def change_letters(data: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        flipped[rng.randrange(len(flipped))] = rng.choice(b'BIESLUO-_|;,0129 \t\nxyT#<>{}[]":')
    return bytes(flipped)


def shift_number(data: bytes, rng: random.Random) -> bytes:
    numbers = list(re.finditer(rb"\d+", data))
    if not numbers:
        return data + b"5"
    number = rng.choice(numbers)
    moved = int(number[0]) + rng.choice([-(10**6), -20, -3, -1, 1, 3, 20, 10**6])
    return data[: number.start()] + str(moved).encode() + data[number.end() :]


def lines_of(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Callable[[bytes, random.Random], bytes]:
    return lambda data, rng: b"\n".join(change(data.split(b"\n"), rng))


def _drop(lines: list[bytes], rng: random.Random) -> list[bytes]:
    place = rng.randrange(len(lines))
    return lines[:place] + lines[place + 1 :]


def _repeat(lines: list[bytes], rng: random.Random) -> list[bytes]:
    place = rng.randrange(len(lines))
    return lines[: place + 1] + lines[place:]


def _shuffle(lines: list[bytes], rng: random.Random) -> list[bytes]:
    return rng.sample(lines, len(lines))


def _lose_tab(lines: list[bytes], rng: random.Random) -> list[bytes]:
    places = [index for index, line in enumerate(lines) if b"\t" in line] or [0]
    place = rng.choice(places)
    return [line.replace(b"\t", b" ", 1) if index == place else line for index, line in enumerate(lines)]


def _other_scheme(lines: list[bytes], rng: random.Random) -> list[bytes]:
    """Half of the mentions in another scheme; in other formats, a letter changed in half of the lines."""
    old, new = rng.choice(
        [(b"\tB-", b"\tS-"), (b"\tI-", b"\tL-"), (b"\tB-", b"\tU-"), (b"\tB-", b"\tB "), (b"a", b"e")]
    )
    return [line.replace(old, new) if rng.random() < 0.5 else line for line in lines]


def _join_lines(lines: list[bytes], rng: random.Random) -> list[bytes]:
    places = [index for index in range(len(lines) - 1) if lines[index].strip() and lines[index + 1].strip()] or [0]
    place = rng.choice(places)
    return [*lines[:place], b"".join(lines[place : place + 2]), *lines[place + 2 :]]


def _windows(lines: list[bytes], rng: random.Random) -> list[bytes]:
    return [line + b"\r" for line in lines]


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "truncated gzip": truncate_gzip,
    "corrupt gzip": corrupt_gzip,
    "wrong encoding": wrong_encoding,
    "NUL byte": nul_byte,
    "truncated": truncate,
    "flipped bits": flip_bits,
    "changed letters": change_letters,
    "bad offset": shift_number,
    "lost line": lines_of(_drop),
    "repeated line": lines_of(_repeat),
    "shuffled lines": lines_of(_shuffle),
    "missing tab": lines_of(_lose_tab),
    "lost line end": lines_of(_join_lines),
    "mixed schemes": lines_of(_other_scheme),
    "line ends": lines_of(_windows),
    "everything twice": lambda data, rng: data + data,
    "empty": lambda data, rng: b"",
}
ALWAYS_REFUSED = {"truncated gzip", "corrupt gzip", "wrong encoding", "NUL byte"}
NOTHING_TAKEN = {"missing tab", "lost line end", "line ends"}


# How the formats are written, read, and what a naive look at a file finds in it: (documents, mentions).


def written(form: str, documents: Sequence[Document], folder: Path) -> Path:
    path = folder / f"x.{form}"
    match form:
        case "brat":
            writers.brat(documents, path)
        case "parquet":
            writers.parquet(documents, path)
        case _:
            write: dict[str, Callable[[Sequence[Document]], str]] = {
                "conll": writers.conll,
                "jsonl": writers.jsonl,
                "pubtator": writers.pubtator,
                "bioc.xml": lambda documents: writers.bioc(documents, "xml"),
                "bioc.json": lambda documents: writers.bioc(documents, "json"),
            }
            path.write_text(write[form](documents), encoding="utf-8")
    return path


def read(form: str, path: Path) -> tuple[list[Document], Repairs]:
    repairs: Repairs = Counter()
    readers: dict[str, Callable[[], Iterator[Document]]] = {
        "conll": lambda: read_conll(path, repairs=repairs),
        "jsonl": lambda: read_jsonl(path),
        "brat": lambda: read_brat(path, repairs=repairs),
        "pubtator": lambda: read_pubtator(path, repairs=repairs),
        "bioc.xml": lambda: read_bioc(path, repairs=repairs),
        "bioc.json": lambda: read_bioc(path, repairs=repairs),
        "parquet": lambda: read_parquet(path, repairs=repairs),
    }
    documents = list(readers[form]())
    return documents, repairs


def lines(path: Path) -> list[str]:
    return [line.rstrip("\r") for line in path.read_bytes().decode("utf-8-sig").split("\n")]


def shown(form: str, path: Path) -> tuple[int, int]:
    match form:
        case "conll":
            sentences: list[list[str]] = [[]]
            for line in lines(path):
                if line.strip():
                    sentences[-1].append(line.split()[-1])
                else:
                    sentences.append([])
            return sum(map(bool, sentences)), sum(len(get_entities(tags)) for tags in sentences if tags)
        case "jsonl":
            items = [json.loads(line) for line in lines(path) if line.strip()]
            return len(items), sum(len(item["spans"]) for item in items)
        case "brat":
            mentions = [line for ann in path.glob("*.ann") for line in lines(ann) if line.startswith("T")]
            return len(list(path.glob("*.txt"))), len(mentions)
        case "pubtator":
            text = path.read_text(encoding="utf-8")
            return len(re.findall(r"(?m)^[^|\t]+\|t\|", text)), len(re.findall(r"\t\d+\t\d+\t", text))
        case "bioc.xml":
            text = path.read_text(encoding="utf-8")
            return text.count("<document"), text.count("<annotation")
        case "bioc.json":
            text = path.read_text(encoding="utf-8")
            return text.count('"passages"'), text.count('"locations"')
        case _:
            from pyarrow import parquet

            return int(parquet.read_metadata(path).num_rows), -1


def accounted(form: str, documents: Sequence[Document], repairs: Repairs) -> tuple[int, int]:
    """What was read, and what was counted as not read."""
    left_out = [
        kind for kind in repairs if kind.startswith(("mention left out", "mention of a repeated", "annotation"))
    ]
    mentions = count_mentions(documents) + sum(repairs[kind] for kind in left_out)
    gone = repairs["repeated document left out"] + repairs["row without tokens left out"]
    return len(documents) + gone, -1 if form == "parquet" else mentions


def damage(form: str, mutation: str, path: Path, rng: random.Random) -> None:
    """Rewrite the file, or for BRAT one of the files of the folder."""
    target = path
    if form == "brat":
        files = [file for file in sorted(path.iterdir()) if file.stat().st_size]
        target = rng.choice([file for file in files if file.suffix == ".ann"] if rng.random() < 0.8 else files)
    target.write_bytes(MUTATIONS[mutation](target.read_bytes(), rng))


def check(form: str, mutation: str, path: Path, clean: Sequence[Document]) -> str:
    """`refused`, `repaired` or `read`; anything but a clear error or a full account fails."""
    try:
        documents, repairs = read(form, path)
        fingerprint(documents)
    except ZooError as error:
        assert error.what
        assert str(path) in str(error.where), "an error names its file"
        return "refused"
    assert mutation not in ALWAYS_REFUSED or form == "parquet", f"{mutation} was read"
    for document in documents:
        for span in document.spans:
            assert 0 <= span.start < span.end <= len(document.text)
    assert accounted(form, documents, repairs) == shown(form, path), f"lost without a word; counted: {dict(repairs)}"
    if form == "conll":
        assert count_tokens(documents) == sum(bool(line.strip()) for line in lines(path))
    if repairs:
        return "repaired"
    if mutation in NOTHING_TAKEN and form != "parquet":
        assert count_mentions(documents) == count_mentions(clean), "mentions lost without a word"
        wanted = [line for document in clean for line in document.text.split("\n")] if form == "conll" else clean
        assert len(documents) == len(wanted), "documents lost without a word"
    return "read"


CASES = [
    (seed, FORMATS[seed % len(FORMATS)], list(MUTATIONS)[seed // len(FORMATS) % len(MUTATIONS)]) for seed in range(200)
]


def test_the_clean_files_are_read_whole(tmp_path: Path) -> None:
    for form in FORMATS:
        documents = writers.TOKEN_DOCUMENTS if form in ("conll", "parquet") else writers.RUNNING_DOCUMENTS
        path = written(form, documents, tmp_path)
        assert check(form, "", path, documents) == "read"
        assert count_mentions(read(form, path)[0]) == count_mentions(documents)


@pytest.mark.parametrize(("seed", "form", "mutation"), CASES)
def test_damaged_written_files(seed: int, form: str, mutation: str, tmp_path: Path) -> None:
    documents = writers.TOKEN_DOCUMENTS if form in ("conll", "parquet") else writers.RUNNING_DOCUMENTS
    path = written(form, documents, tmp_path)
    damage(form, mutation, path, random.Random(seed))
    check(form, mutation, path, documents)


@pytest.fixture(scope="module")
def real_documents(shared_data: Path) -> dict[str, list[Document]]:
    """Slices of real corpora, as the real files spell them where a format is theirs."""
    running: list[Document] = []
    for name in ("ncbi-disease/NCBI_test", "bc5cdr/BC5CDR_Test", "species-800/SPECIES_Test"):
        running += islice(read_pubtator(shared_data / "standoff" / f"{name}.PubTator.gz"), 3)
    tokens = list(islice(read_conll(shared_data / "corpora" / "bc5cdr" / "test.tsv.gz"), 25))
    named = {True: tokens, False: running}
    return {form: named[form in ("conll", "parquet")] for form in FORMATS}


@pytest.mark.parametrize(("seed", "form", "mutation"), CASES)
def test_damaged_real_files(
    seed: int, form: str, mutation: str, real_documents: dict[str, list[Document]], shared_data: Path, tmp_path: Path
) -> None:
    path = written(form, real_documents[form], tmp_path)
    if form == "pubtator":  # the file itself, with its relations
        name = "CDR_sample_50_with_CID_relations.PubTator.gz"
        blocks = gzip.decompress((shared_data / "standoff" / "bc5cdr" / name).read_bytes()).split(b"\n\n")
        path.write_bytes(b"\n\n".join(blocks[:6]) + b"\n")
    documents = real_documents[form] if form != "pubtator" else read(form, path)[0]
    damage(form, mutation, path, random.Random(1000 + seed))
    check(form, mutation, path, documents)


def test_the_account_notices_a_loss(tmp_path: Path) -> None:
    """The check itself can fail: a reader that drops a mention, or a document, without counting it is caught."""
    path = written("jsonl", writers.RUNNING_DOCUMENTS, tmp_path)
    documents, repairs = read("jsonl", path)
    assert accounted("jsonl", documents, repairs) == shown("jsonl", path)
    assert accounted("jsonl", documents[1:], repairs) != shown("jsonl", path)
    poorer = [replace(documents[0], spans=documents[0].spans[1:]), *documents[1:]]
    assert accounted("jsonl", poorer, repairs) != shown("jsonl", path)


def test_the_damage_is_of_every_kind(tmp_path: Path) -> None:
    """Most cases are refused; some are repaired; some damage leaves another valid file."""
    outcomes: Counter[str] = Counter()
    for seed, form, mutation in CASES:
        documents: Any = writers.TOKEN_DOCUMENTS if form in ("conll", "parquet") else writers.RUNNING_DOCUMENTS
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = written(form, documents, folder)
        damage(form, mutation, path, random.Random(seed))
        outcomes[check(form, mutation, path, documents)] += 1
    assert len({(form, mutation) for _, form, mutation in CASES}) == len(FORMATS) * len(MUTATIONS)
    assert outcomes["refused"] > 100
    assert outcomes["repaired"] > 5
