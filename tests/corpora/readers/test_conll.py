"""Columns: every tagging scheme and separator, documents, mixtures of schemes, repairs."""

from __future__ import annotations

import gzip
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpora.writers import TOKEN_DOCUMENTS, conll, token_document
from zoo.corpora.document import Document, Span
from zoo.corpora.overlaps import resolve_overlaps
from zoo.corpora.readers.conll import read_conll
from zoo.errors import ZooError

SCHEMES = {
    "IOB1": "O I-A I-A B-A I-B O I-A",
    "IOB2": "O B-A I-A B-A B-B O B-A",
    "IOBES": "O B-A E-A S-A S-B O S-A",
    "BILOU": "O B-A L-A U-A U-B O U-A",
    "underscore": "O B_A I_A B_A B_B O B_A",
}
EXPECTED = token_document("x-1", ("w0 w1 w2 w3 w4 w5 w6", [(1, 2, "A"), (3, 3, "A"), (4, 4, "B"), (6, 6, "A")]))


def read(path: Path, text: str, **options: object) -> tuple[list[Document], Counter[str]]:
    path.write_text(text, encoding="utf-8")
    repairs: Counter[str] = Counter()
    return list(read_conll(path, repairs=repairs, **options)), repairs  # type: ignore[arg-type]


def column(tags: str | Sequence[str], separator: str = "\t") -> str:
    tags = tags.split() if isinstance(tags, str) else tags
    return "".join(f"w{index}{separator}{tag}\n" for index, tag in enumerate(tags))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes(scheme: str, tmp_path: Path) -> None:
    assert read(tmp_path / "x.tsv", column(SCHEMES[scheme])) == ([EXPECTED], Counter())


def test_bmes(tmp_path: Path) -> None:
    documents, repairs = read(tmp_path / "x.tsv", column("B-A M-A M-A E-A S-B"))
    assert [(span.start, span.end, span.type) for span in documents[0].spans] == [(0, 11, "A"), (12, 14, "B")]
    assert not repairs


@pytest.mark.parametrize("separator", ["\t", " ", "   ", " \t ", "\tNN\t", " NN B-NP ", "\u00a0"])
def test_separators(separator: str, tmp_path: Path) -> None:
    assert read(tmp_path / "x.tsv", column(SCHEMES["IOB2"], separator)) == ([EXPECTED], Counter())


def test_bare_tags_take_the_default_type(tmp_path: Path) -> None:
    documents, _ = read(tmp_path / "x.tsv", column("O B I O B"), default_type="Species")
    assert [(span.start, span.end, span.type) for span in documents[0].spans] == [
        (3, 8, "Species"),
        (12, 14, "Species"),
    ]
    with pytest.raises(ZooError, match="names no type"):
        read(tmp_path / "x.tsv", column("O B I O B"))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_written_documents_are_read_back(packed: bool, newline: str, mark: str, tmp_path: Path) -> None:
    data = (mark + conll(TOKEN_DOCUMENTS)).replace("\n", newline).encode()
    path = tmp_path / ("x.tsv.gz" if packed else "x.tsv")
    path.write_bytes(gzip.compress(data) if packed else data)
    documents = list(read_conll(path))
    texts = [line for document in TOKEN_DOCUMENTS for line in document.text.split("\n")]
    assert [document.text for document in documents] == texts
    assert [document.id for document in documents] == [f"x-{number}" for number in range(1, len(texts) + 1)]
    found = [document.text[span.start : span.end] for document in documents for span in document.spans]
    wanted = [document.text[span.start : span.end] for document in TOKEN_DOCUMENTS for span in document.spans]
    assert found == wanted


DOCUMENTS = (
    "-DOCSTART-\tO\n\nOne\tB-A\n\n\n\ntwo\tO\n\n-DOCSTART- -X- O O\nthree\tB-A\n-DOCSTART-\tO\n\n-DOCSTART-\tO\nfour\tO"
)


def test_document_lines_group_sentences(tmp_path: Path) -> None:
    grouped = ["One\ntwo", "three", "four"]
    assert [document.text for document in read(tmp_path / "x.tsv", DOCUMENTS)[0]] == grouped
    assert [document.text for document in read(tmp_path / "x.tsv", DOCUMENTS, unit="document")[0]] == grouped
    sentences = ["One", "two", "three", "four"]
    assert [document.text for document in read(tmp_path / "x.tsv", DOCUMENTS, unit="sentence")[0]] == sentences


def test_documents_wanted_but_not_marked(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="DOCSTART") as caught:
        read(tmp_path / "x.tsv", "\none\tO\n\ntwo\tO\n", unit="document")
    assert str(caught.value.where).endswith("x.tsv:2")


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ("B-A E-A O U-A", "E- and U-"),
        ("B-A E-A O B-A L-A", "E- and L-"),
        ("S-A O U-A", "S- and U-"),
        ("B-A M-A E-A B-A I-A E-A", "M- and I-"),
        ("B-A I-A O S-A", "S- and a mention without its last tag"),
        ("S-A O B-A O", "S- and a mention without its last tag"),
        ("B-A L-A B-A I-B O", "L- and a mention without its last tag"),
        ("B-A I-A O B O", "a bare tag and a tag with a type"),
    ],
)
def test_mixed_schemes_are_refused(tags: str, names: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=f"{names} belong to different schemes") as caught:
        read(tmp_path / "x.tsv", "first\tO\n\n" + column(tags), default_type="A")
    assert "x.tsv:" in str(caught.value.where)


def test_mixed_schemes_in_different_sentences_name_both_lines(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="first at 6 and 2"):
        read(tmp_path / "x.tsv", "a\tO\nb\tB-A\nc\tO\n\na\tB-A\nb\tE-A\n")


def test_continuing_starts_are_counted_unless_the_file_is_iob1(tmp_path: Path) -> None:
    documents, repairs = read(tmp_path / "x.tsv", column("O I-A O B-A"))
    assert len(documents[0].spans) == 2
    assert repairs == {"mention starts with a continuing tag": 1}
    assert not read(tmp_path / "x.tsv", column("O I-A O I-A B-A"))[1]
    assert read(tmp_path / "x.tsv", column("O E-A O S-A"))[1] == {"mention starts with a continuing tag": 1}


def test_mentions_cut_by_a_sentence_end_are_counted(tmp_path: Path) -> None:
    documents, repairs = read(tmp_path / "x.tsv", "a\tB-A\n\nb\tE-A\nc\tS-A\n")
    assert [len(document.spans) for document in documents] == [1, 2]
    assert repairs == {"mention starts with a continuing tag": 1, "mention cut off by the end of its sentence": 1}


def test_white_space_inside_tokens_is_counted(tmp_path: Path) -> None:
    documents, repairs = read(tmp_path / "x.tsv", "1\u00a0 mg\tB-A\nplain\tO\n")
    assert documents[0].text == "1 mg plain"
    assert repairs == {"white space inside a token made one space": 1}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("word", "expected a token and a tag"),
        ("\tB-A", "expected a token and a tag"),
        ("word\t", "expected a token and a tag"),
        ("word\tX-A", "unknown tag"),
        ("word\tB-", "unknown tag"),
        ("word\tb-A", "unknown tag"),
        ("word\tB-A\0", "NUL"),
        ("word\tOnext\tB-A", "the line has 3 columns, the lines before have 2"),
        ("word next B-A", "the line has 3 columns, the lines before have 2"),
    ],
)
def test_broken_lines_are_named(line: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=what) as caught:
        read(tmp_path / "x.tsv", f"fine\tO\n\n{line}\n")
    assert str(caught.value.where).endswith("x.tsv:3")


def test_reading_is_streaming(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("one\tO\n\n" * 100_000 + "broken\n")
    assert [document.text for document in itertools.islice(read_conll(path), 2)] == ["one", "one"]


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["O", "A", "B", "AA"]), max_size=9), max_size=5), st.sampled_from(["\t", " "]))
def test_iob2_and_iobes_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, plan: list[list[str]], separator: str
) -> None:
    """Mentions of one or two tokens, written in both schemes."""
    folder = tmp_path_factory.mktemp("x")
    spellings = {
        "IOB2": {"O": ["O"], "A": ["B-A"], "B": ["B-B"], "AA": ["B-A", "I-A"]},
        "IOBES": {"O": ["O"], "A": ["S-A"], "B": ["S-B"], "AA": ["B-A", "E-A"]},
    }
    results = []
    for spelling in spellings.values():
        text = "\n".join(column([tag for item in row for tag in spelling[item]], separator) for row in plan)
        results.append(read(folder / "x.tsv", text))
    assert results[0] == results[1]
    assert sum(len(document.spans) for document in results[0][0]) == sum(item != "O" for row in plan for item in row)


class TestLayers:
    def read(self, tmp_path: Path, text: str, **options: Any) -> tuple[list[Document], Counter[str]]:
        (tmp_path / "x.tsv").write_text(text)
        repairs: Counter[str] = Counter()
        return list(read_conll(tmp_path / "x.tsv", repairs=repairs, **options)), repairs

    def test_all_columns_of_tags_are_read(self, tmp_path: Path) -> None:
        text = "IL-2\tB-protein\tB-DNA\tO\ngene\tO\tI-DNA\tO\n\nT\tB-cell\tO\tO\nIL-2\tB-protein\tB-DNA\tO\n"
        documents, repairs = self.read(tmp_path, text)
        assert [document.spans for document in documents] == [
            (Span(0, 4, "protein"), Span(0, 9, "DNA")),
            (Span(0, 1, "cell"), Span(2, 6, "DNA"), Span(2, 6, "protein")),
        ]
        assert repairs == {"column of tags read as a layer of mentions": 3}

    def test_a_last_column_without_mentions_hides_none(self, tmp_path: Path) -> None:
        documents, _ = self.read(tmp_path, "IL-2\tB-protein\tO\n\nIt\tO\tO\n")
        assert [len(document.spans) for document in documents] == [1, 0]

    def test_documents_of_layers(self, tmp_path: Path) -> None:
        text = "-DOCSTART-\tO\tO\n\nIL-2\tB-A\tO\n\nIL-3\tB-A\tB-B\n"
        (document,), _ = self.read(tmp_path, text, unit="document")
        assert document.spans == (Span(0, 4, "A"), Span(5, 9, "A"), Span(5, 9, "B"))

    def test_parts_of_speech_and_chunks_are_no_mentions(self, tmp_path: Path) -> None:
        documents, repairs = self.read(tmp_path, "Mild NN B-NP B-Disease\nasthma NN I-NP I-Disease\n. . O O\n")
        assert documents[0].spans == (Span(0, 11, "Disease"),) and not repairs

    def test_layers_that_overlap_need_a_policy(self, tmp_path: Path) -> None:
        (tmp_path / "x.tsv").write_text("IL-2\tB-protein\tB-DNA\ngene\tO\tI-DNA\n")
        (document,) = read_conll(tmp_path / "x.tsv")
        with pytest.raises(ZooError, match="shares characters"):
            resolve_overlaps(document, "error", Counter())
