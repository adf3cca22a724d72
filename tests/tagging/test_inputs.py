"""What can be tagged is read as people keep it; what cannot is named with file and line."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from zoo.errors import ZooError
from zoo.tagging.inputs import Fields, read_texts

PUBMED = """<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID><Article><Abstract>
<AbstractText>Asthma is common.</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>
"""


def read(path: Path, **fields: str) -> list[tuple[str, str]]:
    return [(text.id, text.text) for text in read_texts(path, fields=Fields(**fields))]


def test_a_folder_of_everything(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("first\r\nline")
    (tmp_path / "b.jsonl").write_text('{"id": "x", "text": "second"}\n\n{"text": "third"}\n')
    (tmp_path / "c.csv").write_text('id,text\n9,"fourth, ""quoted""\nline"\n,fifth\n')
    (tmp_path / "d.xml.gz").write_bytes(gzip.compress(PUBMED.encode()))
    (tmp_path / ".hidden.txt").write_text("no")
    (tmp_path / "notes.md").write_text("no")
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "a.txt").write_text("")
    assert read(tmp_path) == [
        ("a", "first\r\nline"),
        ("b.jsonl#x", "second"),
        ("b.jsonl#2", "third"),
        ("c.csv#9", 'fourth, "quoted"\nline'),
        ("c.csv#2", "fifth"),
        ("d.xml.gz#pmid-7", "Asthma is common."),
        ("ward/a", ""),
    ]


def test_records_without_a_text_are_skipped_and_counted_and_ids_may_be_numbers(tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    file.write_text('{"id": 1, "text": null}\n{"id": 2.5, "text": "pain"}\n{"id": null, "text": ""}\n')
    skipped: Counter[str] = Counter()
    assert [(text.id, text.text) for text in read_texts(file, skipped=skipped)] == [("2.5", "pain"), ("3", "")]
    assert skipped == {"record without a text": 1}


def test_titles_of_articles_are_tagged_too(tmp_path: Path) -> None:
    article = "<PubmedArticle><MedlineCitation><PMID>{}</PMID><Article>{}</Article></MedlineCitation></PubmedArticle>"
    title, abstract = (
        "<ArticleTitle>On <i>gout</i>.</ArticleTitle>",
        "<Abstract><AbstractText>It hurts.</AbstractText></Abstract>",
    )
    articles = [article.format(1, title), article.format(2, title + abstract), article.format(3, "")]
    (tmp_path / "p.xml").write_text(f"<PubmedArticleSet>{''.join(articles)}</PubmedArticleSet>")
    skipped: Counter[str] = Counter()
    texts = list(read_texts(tmp_path / "p.xml", skipped=skipped))
    assert [(text.id, text.text) for text in texts] == [("pmid-1", "On gout."), ("pmid-2", "On gout. It hurts.")]
    assert all(text.derived for text in texts) and skipped.total() == 1


def test_a_file_alone_keeps_its_ids_and_fields_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("note_id,body\n12,pain\n")
    assert read(file, id="note_id", text="body") == [("12", "pain")]
    (tmp_path / "letter").write_text("any name is plain text")
    assert read(tmp_path / "letter") == [("letter", "any name is plain text")]


@pytest.mark.parametrize(
    ("name", "content", "where", "what"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"txt": "x"}\n', "a.jsonl:2", "text field 'text'"),
        ("a.jsonl", b'{"text": "x"\n', "a.jsonl:1", "not valid JSON"),
        ("a.jsonl", b'{"text": "x", "id": [1]}\n', "a.jsonl:1", "the id"),
        ("a.csv", b"id,note\n1,x\n", "a.csv:1", "there are: id, note"),
        ("a.csv", b"id,text\n1\n", "a.csv:2", "has no 'text'"),
        ("a.csv", b'id,text\n1,"x', "a.csv:", "not valid CSV"),
        ("a.txt", b"caf\xe9", "a.txt:1", "not UTF-8"),
        ("a.txt", b"a\0b", "a.txt:1", "NUL"),
        ("a.xml", b"<html/>", "a.xml", "not PubMed XML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, content: bytes, where: str, what: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ZooError) as error:
        read(tmp_path / name)
    assert where in str(error.value.where) and what in error.value.what


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="nothing to tag"):
        read(tmp_path)


def test_parquet_has_its_text_and_id_in_columns(tmp_path: Path) -> None:
    table = pyarrow.table({"note": ["first", None, "third"], "number": [7, 8, None]})
    parquet.write_table(table, tmp_path / "p.parquet")
    skipped: Counter[str] = Counter()
    found = read_texts(tmp_path / "p.parquet", fields=Fields("number", "note"), skipped=skipped)
    assert [(text.id, text.text) for text in found] == [("7", "first"), ("3", "third")]
    assert skipped == {"record without a text": 1}
    for fields, words in ((Fields(), "no column 'text'; there are: note, number"), (Fields("note", "number"), "row 1")):
        with pytest.raises(ZooError) as refused:
            list(read_texts(tmp_path / "p.parquet", fields=fields))
        assert words in str(refused.value)
    (tmp_path / "p.parquet").write_text("no")
    with pytest.raises(ZooError, match="not a Parquet file"):
        list(read_texts(tmp_path / "p.parquet"))


def test_a_url_is_read_as_the_folder_and_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "a.jsonl").write_text('{"id": "x", "text": "first"}\n')
    (tmp_path / "ward" / "b.txt").write_text("second")
    (tmp_path / "ward" / ".c.txt").write_text("no")
    url = f"file://{tmp_path}"
    whole = [("ward/a.jsonl#x", "first"), ("ward/b", "second")]
    assert [(text.id, text.text) for text in read_texts(url)] == whole
    assert [(text.id, text.text) for text in read_texts(f"{url}/ward/*.jsonl")] == [("a.jsonl#x", "first")]
    assert [(text.id, text.text) for text in read_texts(f"{url}/ward/a.jsonl")] == [("x", "first")]
    (tmp_path / "ward" / "a.jsonl").write_text("{}\n")
    with pytest.raises(ZooError) as refused:
        list(read_texts(url))
    assert refused.value.where == f"{url}/ward/a.jsonl:1", "not that of a copy"
    for wrong in (f"{url}/nowhere", "nothing://bucket/x"):
        with pytest.raises(ZooError, match="cannot read it"):
            list(read_texts(wrong))
