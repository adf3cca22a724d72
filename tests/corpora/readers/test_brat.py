"""BRAT: pairs of files, discontinuous mentions, quoted text against offsets, ignored lines."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from tests.corpora.writers import RUNNING_DOCUMENTS, brat
from zoo.corpora.document import Document, Span
from zoo.corpora.readers.brat import read_brat
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.errors import ZooError

TEXT = "Breast and ovarian cancer.\nRenal\nfailure."


def read(folder: Path) -> tuple[list[Document], Counter[str]]:
    repairs: Counter[str] = Counter()
    return list(read_brat(folder, repairs=repairs)), repairs


def read_one(folder: Path, annotations: str, text: str = TEXT) -> tuple[Document, Counter[str]]:
    (folder / "a.txt").write_bytes(text.encode())
    (folder / "a.ann").write_bytes(annotations.encode())
    documents, repairs = read(folder)
    return documents[0], repairs


def test_written_documents_are_read_back(tmp_path: Path) -> None:
    brat(RUNNING_DOCUMENTS, tmp_path / "x")
    (tmp_path / "x" / "annotation.conf").write_text("[entities]\nDisease\n")
    (tmp_path / "x" / ".hidden.txt").write_text("not of the corpus")
    assert read(tmp_path / "x") == (list(RUNNING_DOCUMENTS), Counter())


def test_subfolders_and_gzip(tmp_path: Path) -> None:
    brat(RUNNING_DOCUMENTS[:1], tmp_path / "b")
    brat(RUNNING_DOCUMENTS[1:2], tmp_path / "a" / "deep")
    for path in (tmp_path / "b").iterdir():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    documents, _ = read(tmp_path)
    assert [document.id for document in documents] == ["a/deep/102", "b/101"]
    assert documents[1].spans == RUNNING_DOCUMENTS[0].spans


def test_discontinuous_mentions_keep_their_fragments(tmp_path: Path) -> None:
    document, repairs = read_one(tmp_path, "T1\tDisease 0 6;19 25\tBreast cancer\n")
    assert document.spans == (Span(0, 25, "Disease", (), ((0, 6), (19, 25))),)
    assert not repairs


def test_fragments_in_another_order_are_sorted(tmp_path: Path) -> None:
    document, _ = read_one(tmp_path, "T1\tDisease 19 25;0 6\tcancer Breast\n")
    assert document.spans == (Span(0, 25, "Disease", (), ((0, 6), (19, 25))),)


@pytest.mark.parametrize("offsets", ["27 32;33 40", "27 40"])
def test_a_mention_over_a_line_break_is_one(offsets: str, tmp_path: Path) -> None:
    document, repairs = read_one(tmp_path, f"T1\tDisease {offsets}\tRenal failure\n")
    assert document.spans == (Span(27, 40, "Disease"),)
    assert repairs == ({"parts of a mention joined over white space": 1} if ";" in offsets else {})


def test_other_lines_are_counted(tmp_path: Path) -> None:
    lines = [
        "T1\tDisease 0 6\tBreast",
        "T2\tDisease 11 25\tovarian cancer",
        "R1\tSame Arg1:T1 Arg2:T2",
        "*\tEquiv T1 T2",
        "E1\tFound:T1 Theme:T2",
        "A1\tNegated T1",
        "M1\tSpeculated E1",
        "#1\tAnnotatorNotes T1\tsure?",
        "N1\tReference T2 MESH:D010051\tOvarian Neoplasms",
        "N2\tReference T2 OMIM:167000\t",
        "N3\tReference E1 GO:1\tfound",
        "",
    ]
    document, repairs = read_one(tmp_path, "\n".join(lines))
    assert document.spans == (Span(0, 6, "Disease"), Span(11, 25, "Disease", ("MESH:D010051", "OMIM:167000")))
    assert repairs == {
        "relation line ignored": 2,
        "event line ignored": 1,
        "attribute line ignored": 2,
        "note line ignored": 1,
        "normalisation line without a mention ignored": 1,
    }


def test_line_ends_count_as_the_offsets_say(tmp_path: Path) -> None:
    windows = TEXT.replace("\n", "\r\n")
    document, repairs = read_one(tmp_path, "T1\tDisease 28 33\tRenal\n", windows)
    assert (document.text, repairs) == (windows, Counter())
    document, repairs = read_one(tmp_path, "T1\tDisease 27 32\tRenal\r\n", windows)
    assert document.text == TEXT
    assert repairs == {"text with CRLF read with line feeds, as its offsets count": 1}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("T2\tDisease 0 6\tOvary?", "the text at 0 6 is 'Breast'"),
        ("T2\tDisease 9 15\tBreast", "the text at 9 15 is 'd ovar'"),
        ("T2\tDisease 0 6;19 25\tBreast cancers", "the text at 0 6;19 25 is 'Breast cancer'"),
        ("T2\tDisease 90 96\tBreast", "the text at 90 96 is ''"),
        ("T2\tDisease 6 0\tBreast", "empty or overlap"),
        ("T2\tDisease 0 6;3 9\tBreast and", "empty or overlap"),
        ("T2\tDisease 0 6", "not a mention"),
        ("T2\tDisease 0 6 Breast", "not a mention"),
        ("T2 Disease 0 6\tBreast", "not a mention"),
        ("T2\tDisease -1 6\tBreast", "not a mention"),
        ("T2\tDisease 0 " + "9" * 5000 + "\tBreast", "not a mention"),
        ("T2\t0 6\tBreast", "not a mention"),
        ("T1\tDisease 0 6\tBreast", "stands in line 1 already"),
        ("X1\tDisease 0 6\tBreast", "not a line of BRAT standoff"),
        ("R1 Same T1 T2", "not a line of BRAT standoff"),
        ("free text", "not a line of BRAT standoff"),
        ("A1\tNegated T1T2\tDisease 11 25\tovarian cancer", "a mention stands inside another line"),
        ("N1\tReference T1 D1\tnameT2\tDisease 11 25\tovarian cancer", "a mention stands inside another line"),
    ],
)
def test_broken_lines_are_named(line: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=what) as caught:
        read_one(tmp_path, f"T1\tDisease 0 6\tBreast\n\n{line}\n")
    assert str(caught.value.where).endswith("a.ann:3")


@pytest.mark.parametrize(
    ("line", "text", "repair"),
    [
        ("T1\tDisease 0 6\tBreast \t ", "Breast", "white space around a quoted mention ignored"),
        ("T1\tDisease 0 6\tbreast", "Breast", "mention spelt otherwise than the text at its offsets"),
        ("T1\tDisease 22 28\tRenal", "Renal", "mention moved to where its text stands"),
        ("T1\tDisease 28 33\tRenal", "Renal", "mention whose offsets count from 1 (or a byte-order mark), converted"),
        ("T1\tDisease 0 7\tBreast ", "Breast", ""),  # trimmed for all formats alike
        ("T1\tDisease 0 6;18 25\tBreastcancer", "Breast and ovarian cancer", ""),
    ],
)
def test_what_annotators_leave_is_repaired_and_counted(line: str, text: str, repair: str, tmp_path: Path) -> None:
    document, repairs = read_one(tmp_path, line + "\n")
    assert [document.text[s.start : s.end].strip() for s in document.spans] == [text]
    assert repairs == ({repair: 1} if repair else {})


def test_a_byte_order_mark_that_offsets_count(tmp_path: Path) -> None:
    lines = "T1\tDis 1 5\tAsma\nT2\tDis 8 12\tgota\n"
    document, repairs = read_one(tmp_path, lines, "\ufeffAsma e gota")
    assert document.spans == (Span(0, 4, "Dis"), Span(7, 11, "Dis"))
    assert repairs == {"mention whose offsets count from 1 (or a byte-order mark), converted": 2}


def test_all_bad_lines_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text(TEXT)
    (tmp_path / "b.ann").write_text("free text\n")
    with pytest.raises(ZooError, match="and 3 more") as caught:
        read_one(tmp_path, "T1\tDisease 0 6\tBreast\nT2\tDisease 6 0\tx\nX1\nT3\tDisease 0 6\tGout\n")
    assert str(caught.value.where).endswith("a.ann:2")
    for place in ("a.ann:3: not a line", "a.ann:4: the text at 0 6 is 'Breast', the mention says 'Gout'", "b.ann:1"):
        assert place in caught.value.what


@pytest.mark.parametrize("suffix", [".txt", ".ann"])
def test_half_a_pair_is_refused(suffix: str, tmp_path: Path) -> None:
    brat(RUNNING_DOCUMENTS, tmp_path)
    (tmp_path / f"102{suffix}").unlink()
    with pytest.raises(ZooError, match=f"'102' has no {suffix} file"):
        read(tmp_path)


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    brat(RUNNING_DOCUMENTS, tmp_path)
    (tmp_path / "102.ann.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(ZooError, match="there twice"):
        read(tmp_path)


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(ZooError, match=r"a folder with \.txt and \.ann files"):
        read(tmp_path / "x")


def test_real_documents_written_as_brat_are_the_same(shared_data: Path, tmp_path: Path) -> None:
    documents = list(
        read_pubtator(shared_data / "standoff" / "bc5cdr" / "CDR_sample_50_with_CID_relations.PubTator.gz")
    )
    brat(documents, tmp_path)
    assert read(tmp_path)[0] == sorted(documents, key=lambda document: document.id)
