"""PubTator: text, offsets, concept ids, relations, repairs; the real files to the counts that their sources state."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.corpora.writers import RUNNING_DOCUMENTS, pubtator
from zoo.corpora.document import Document, Span
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.errors import ZooError

HEAD = "7|t|Aspirin helps.\n7|a|It is cheap, aspirin.\n"


def read(path: Path, text: str) -> tuple[list[Document], Counter[str]]:
    path.write_text(text, encoding="utf-8", newline="")
    repairs: Counter[str] = Counter()
    return list(read_pubtator(path, repairs=repairs)), repairs


def spans(path: Path, *lines: str) -> tuple[list[Span], Counter[str]]:
    documents, repairs = read(path, HEAD + "".join(line + "\n" for line in lines))
    return list(documents[0].spans), repairs


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("blank_lines", [0, 1, 3])
def test_written_documents_are_read_back(newline: str, blank_lines: int, tmp_path: Path) -> None:
    text = "\n" * blank_lines + pubtator(RUNNING_DOCUMENTS).replace("\n\n", "\n" * (blank_lines + 1))
    assert read(tmp_path / "x.txt", text.replace("\n", newline)) == (list(RUNNING_DOCUMENTS), Counter())


def test_text_is_title_space_abstract(tmp_path: Path) -> None:
    assert [
        document.text for document in read(tmp_path / "x.txt", HEAD + "\n8|t|Only a title\n9|t|And\n9|a|\n")[0]
    ] == [
        "Aspirin helps. It is cheap, aspirin.",
        "Only a title",
        "And",
    ]


def test_lines_of_other_kinds(tmp_path: Path) -> None:
    """Relations, extra columns of a composite mention, no concept ids, a text that holds tabs and bars."""
    text = (
        "x-1|t|A|b|\tc\nx-1\t0\t1\tA\tGene\nx-1\t2\t3\tb\tGene\n"
        "x-1\tCID\tD1\tD2\nx-1\tPositive_Correlation\t7157\tD2\tNovel\n"
    )
    documents, repairs = read(tmp_path / "x.txt", text)
    assert documents == [Document("x-1", "A|b|\tc", (Span(0, 1, "Gene"), Span(2, 3, "Gene")))]
    assert repairs == {"relation line ignored": 2}
    found, repairs = spans(tmp_path / "x.txt", "7\t0\t7\tAspirin\tChemical\tD1|D2\tfirst|second")
    assert found == [Span(0, 7, "Chemical", ("D1", "D2"))]
    assert not repairs


@pytest.mark.parametrize(
    ("mention", "place", "repair"),
    [
        ("0\t7\tAspirin", (0, 7), None),
        ("0\t9\tAspirin  ", (0, 7), "mention moved to where its text stands"),
        ("0\t5\tAspirin", (0, 7), "mention moved to where its text stands"),
        ("25\t32\taspirin", (28, 35), "mention moved to where its text stands"),
        ("33\t40\taspirin", (28, 35), "mention moved to where its text stands"),
        ("34\t41\taspirin", None, "mention left out: its text is not at its offsets"),
        ("0\t7\tAspir\u00edn", (0, 7), "mention spelt otherwise than the text at its offsets"),
        ("0\t7\tPlacebo", None, "mention left out: its text is not at its offsets"),
        ("27\t28\tp", None, "mention left out: its text is not at its offsets"),  # twice within reach
        ("900\t907\tAspirin", None, "mention left out: its text is not at its offsets"),
        ("0\t7\t", None, "mention left out: its text is not at its offsets"),
    ],
)
def test_mentions_that_disagree_with_their_offsets(
    mention: str, place: tuple[int, int] | None, repair: str | None, tmp_path: Path
) -> None:
    found, repairs = spans(tmp_path / "x.txt", f"7\t{mention}\tChemical\tD1")
    assert [(span.start, span.end) for span in found] == ([place] if place else [])
    assert repairs == ({repair: 1} if repair else {})


def test_a_document_repeated_word_for_word_is_left_out(tmp_path: Path) -> None:
    block = HEAD + "7\t0\t7\tAspirin\tChemical\tD1\n7\t28\t35\taspirin\tChemical\tD1\n\n"
    documents, repairs = read(tmp_path / "x.txt", block + "8|t|Other\n\n" + block)
    assert [document.id for document in documents] == ["7", "8"]
    assert repairs == {"repeated document left out": 1, "mention of a repeated document left out": 2}


@pytest.mark.parametrize("change", [("cheap", "dear "), ("\tD1\n", "\tD2\n"), ("7\t28", "7\t27")])
def test_an_id_with_other_content_is_refused(change: tuple[str, str], tmp_path: Path) -> None:
    block = HEAD + "7\t0\t7\tAspirin\tChemical\tD1\n7\t28\t35\taspirin\tChemical\tD1\n\n"
    other = block.replace(*change)
    if change[0].startswith("7\t28"):  # moved back by its text: the same document after all
        assert len(read(tmp_path / "x.txt", block + other)[0]) == 1
        return
    with pytest.raises(ZooError, match="two different documents: the other begins in line 1") as caught:
        read(tmp_path / "x.txt", block + other)
    assert str(caught.value.where).endswith("x.txt:6")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("7|a|Text without a title.\n", 1, "does not follow its title"),
        (HEAD + "7|a|Twice.\n", 3, "does not follow its title"),
        (HEAD + "8|a|Of another.\n", 3, "does not follow its title"),
        (HEAD + "8\t0\t7\tAspirin\tChemical\tD1\n", 3, "belongs to no document"),
        ("7\t0\t7\tAspirin\tChemical\tD1\n" + HEAD, 1, "belongs to no document"),
        (HEAD + "7\t0 7\tAspirin\tChemical\tD1\n", 3, "neither a mention nor a relation"),
        (HEAD + "7\t0\tx\tAspirin\tChemical\tD1\n", 3, "neither a mention nor a relation"),
        (HEAD + "7\t-1\t7\tAspirin\tChemical\tD1\n", 3, "neither a mention nor a relation"),
        (HEAD + "7\t0\t7\tAspirin\n", 3, "neither a mention nor a relation"),
        (HEAD + "7\t0\t" + "7" * 5000 + "\tAspirin\tChemical\tD1\n", 3, "neither a mention nor a relation"),
        (HEAD + "7\t7\t0\tAspirin\tChemical\tD1\n", 3, "start < end"),
        (HEAD + "7\t0\t7\tAspirin\t \tD1\n", 3, "a type"),
        (HEAD + "7 some words\n", 3, "belongs to no document"),
        ("7|t|\n7|a|\n", 1, "has no text"),
        ("7|t|Aspirin.7|a|It is cheap.\n", 1, "goes on with another line"),
        ("7|t|Aspirin.\n7|a|Cheap.7\t0\t7\tAspirin\tChemical\tD1\n", 2, "goes on with another line"),
        (HEAD + "7\t0\t7\tAspirin\tChemical\tD17\t28\t35\taspirin\tChemical\tD1\n", 3, "goes on with another line"),
        (HEAD + "7\t0\t7\tAspirin\tChemical\tD18|t|Title\n", 3, "goes on with another line"),
    ],
)
def test_broken_lines_are_named(text: str, line: int, what: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=what) as caught:
        read(tmp_path / "x.txt", text)
    assert str(caught.value.where).endswith(f"x.txt:{line}")


FILES = [
    "bc5cdr/BC5CDR_TrainDev",
    "bc5cdr/BC5CDR_Test",
    "bc5cdr/CDR_sample_50_with_CID_relations",
    "ncbi-disease/NCBI_train",
    "ncbi-disease/NCBI_dev",
    "ncbi-disease/NCBI_test",
    "linnaeus/Linnaeus_Train",
    "linnaeus/Linnaeus_Test",
    "species-800/SPECIES_Train",
    "species-800/SPECIES_Test",
]


@pytest.mark.parametrize("name", FILES)
def test_real_files_have_the_counts_of_their_source(name: str, shared_data: Path) -> None:
    path = shared_data / "standoff" / f"{name}.PubTator.gz"
    source = (path.parent / "SOURCE.md").read_text()
    stated = json.loads(re.search(rf"`{re.escape(path.name)}`.*\n\s*({{.*}})", source)[1])  # type: ignore[index]
    repairs: Counter[str] = Counter()
    documents = list(read_pubtator(path, repairs=repairs))
    mentions = [span for document in documents for span in document.spans]
    # NCBI train holds one document twice: the reader leaves the copy out and says so.
    again, mentions_again = repairs["repeated document left out"], repairs["mention of a repeated document left out"]
    assert (again, mentions_again) == ((1, 11) if name.endswith("NCBI_train") else (0, 0))
    assert len(documents) == stated["distinct_ids"] == stated["documents"] - again
    assert len(mentions) == stated["mentions"] - mentions_again
    assert sum(bool(span.concept_ids) for span in mentions) == stated["with_concept_id"] - mentions_again
    assert repairs["relation line ignored"] == sum(stated["relations"].values())
    assert repairs["white space around a quoted mention ignored"] == stated["mentions"] - stated["offsets_exact"]
    assert not repairs["mention moved to where its text stands"]
    assert not [kind for kind in repairs if kind.startswith(("mention left out", "mention spelt"))]
    copies = Counter({"SpecificDisease": 10, "Modifier": 1}) if again else Counter()
    assert Counter(span.type for span in mentions) + copies == stated["types"]


def test_real_mention_with_white_space_at_its_end_is_trimmed(shared_data: Path) -> None:
    documents = read_pubtator(shared_data / "standoff" / "ncbi-disease" / "NCBI_train.PubTator.gz")
    document = next(document for document in documents if document.id == "10923035")
    texts = [document.text[span.start : span.end] for span in document.spans]
    assert 'generalized epilepsy and febrile seizures " plus "' in texts
    assert texts == [text.strip() for text in texts]
