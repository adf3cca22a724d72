"""Readers of PubMed, ClinicalTrials.gov, arXiv and MIMIC-III: what they give, count and refuse."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.corpora.json_stream import stream_json
from zoo.errors import ZooError
from zoo.passages.load import read_passage_files
from zoo.passages.passage import Passage
from zoo.passages.readers.arxiv import is_biomedical, read_arxiv
from zoo.passages.readers.clinicaltrials import read_clinical_trials
from zoo.passages.readers.mimic import read_mimic, readable
from zoo.passages.readers.pubmed import read_pubmed

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://x/pubmed.dtd">\n'
)
HEADER = [
    *("ROW_ID", "SUBJECT_ID", "HADM_ID", "CHARTDATE", "CHARTTIME", "STORETIME"),
    *("CATEGORY", "DESCRIPTION", "CGID", "ISERROR", "TEXT"),
]


def put(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def article(pmid: object, *parts: str, tail: str = "") -> str:
    abstract = (
        f"<Abstract>{''.join(parts)}<CopyrightInformation>Mine.</CopyrightInformation></Abstract>" if parts else ""
    )
    body = f"<Article><ArticleTitle>A title.</ArticleTitle>{abstract}</Article>{tail}"
    return f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID>{body}</MedlineCitation></PubmedArticle>\n'


def articles(*items: str) -> str:
    return f"{HEAD}<PubmedArticleSet>\n{''.join(items)}</PubmedArticleSet>\n"


def study(name: str, summary: str | None = None, detail: str | None = None) -> dict[str, Any]:
    texts = {"briefSummary": summary, "detailedDescription": detail}
    description = {key: text for key, text in texts.items() if text is not None}
    module = {"descriptionModule": description} if description else {}
    return {"protocolSection": {"identificationModule": {"nctId": name}, **module}, "hasResults": False}


def note(row: int, text: str, *, subject: int = 7, error: str = "", category: str = "Physician ") -> list[str]:
    return [str(row), str(subject), "1", "2101-01-01", "", "", category, "Report", "", error, text]


def notes(*rows: list[str], header: list[str] = HEADER) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([header, *rows])
    return out.getvalue()


class TestPubMed:
    @pytest.mark.parametrize("name", ["pubmed26n0001.xml", "pubmed26n0001.xml.gz"])
    def test_parts_markup_and_counts(self, name: str, tmp_path: Path) -> None:
        other = '<OtherAbstract Language="fre"><AbstractText>Bonjour.</AbstractText></OtherAbstract>'
        labelled = '<AbstractText Label="METHODS" NlmCategory="METHODS">We gave\n 10<sup>6</sup> cells.</AbstractText>'
        text = articles(
            article(11, "<AbstractText>One <i>E. coli</i> strain &#8805; <b>t<sub>1/2</sub></b>.</AbstractText>"),
            article(12, labelled, '<AbstractText Label="UNLABELLED">Rest.</AbstractText><AbstractText/>', tail=other),
            article(13),
            article(11, "<AbstractText>Again.</AbstractText>"),
            "<PubmedBookArticle><BookDocument><PMID>9</PMID><Abstract><AbstractText>Book.</AbstractText></Abstract>"
            "</BookDocument></PubmedBookArticle>",
            article(14, "<AbstractText> \n </AbstractText>"),
            "<DeleteCitation><PMID>12</PMID></DeleteCitation>",
        )
        skipped: Counter[str] = Counter()
        assert list(read_pubmed(put(tmp_path / name, text), skipped=skipped)) == [
            Passage("pmid-11", "One E. coli strain ≥ t1/2.", "PubMed"),
            Passage("pmid-12", "METHODS: We gave 106 cells. Rest.", "PubMed"),
        ]
        assert skipped == {"repeated PMID": 1, "article without an abstract": 2}

    @pytest.mark.parametrize(
        ("text", "what", "where"),
        [
            (articles(article(1, "<AbstractText>a & b</AbstractText>")), "not valid XML", ":4"),
            (articles(article(1))[:-25], "not valid XML", ":4"),
            ("", "not valid XML", ":1"),
            ("[1]", "not valid XML", ":1"),
            ("<collection><document/></collection>", "begins with <collection>", ""),
            (articles(article(1), article(" ")), "no MedlineCitation/PMID", ": article 2"),
            (articles("<PubmedArticle/>"), "no MedlineCitation/PMID", ": article 1"),
        ],
    )
    def test_what_is_no_pubmed_xml_is_refused(self, text: str, what: str, where: str, tmp_path: Path) -> None:
        path = put(tmp_path / "x.xml", text)
        with pytest.raises(ZooError, match=what) as caught:
            list(read_pubmed(path))
        assert caught.value.where == f"{path}{where}" and caught.value.fix

    def test_entities_do_not_explode(self, tmp_path: Path) -> None:
        levels = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
        bomb = f'<!DOCTYPE PubmedArticleSet [<!ENTITY a0 "{"x" * 1000}">{levels}]>'
        text = f"{bomb}<PubmedArticleSet>{article(1, '<AbstractText>&a11;</AbstractText>')}</PubmedArticleSet>"
        with pytest.raises(ZooError, match="not valid XML"):
            list(read_pubmed(put(tmp_path / "x.xml", text)))


class TestClinicalTrials:
    STUDIES = (study("NCT1", "Summary \\<18 years.\n", "Detail:\n\n\\* 5 \\> 3"), study("NCT2", "Only this."))
    EXPECTED = (("NCT1", "Summary <18 years.\n\nDetail:\n\n* 5 > 3"), ("NCT2", "Only this."))

    @pytest.mark.parametrize(
        "text",
        [
            json.dumps(STUDIES),
            json.dumps(STUDIES, indent=2),
            json.dumps({"totalCount": 2, "studies": STUDIES, "nextPageToken": "x"}, indent=1),
            "\n".join(map(json.dumps, STUDIES)),
            "\ufeff" + json.dumps(STUDIES[0], indent=3) + "\r\n" + json.dumps(STUDIES[1:]).strip("[]"),
        ],
    )
    def test_every_shape_of_a_file(self, text: str, tmp_path: Path) -> None:
        for name in ("x.json", "x.json.gz"):
            found = list(read_clinical_trials(put(tmp_path / name, text)))
            assert [(p.id, p.text) for p in found] == list(self.EXPECTED)
            assert {p.source for p in found} == {"ClinicalTrials.gov"}

    def test_one_file_a_study_in_subfolders(self, tmp_path: Path) -> None:
        for name in ("NCT000/NCT3.json", "NCT001/NCT1.json", "NCT2.json", ".hidden/NCT9.json"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            put(tmp_path / name, json.dumps(study(Path(name).stem, "Text.")))
        put(tmp_path / "contents.txt", "none of these")
        found = read_passage_files(tmp_path, "clinicaltrials-json")
        assert [p.id for p in found] == ["NCT2", "NCT3", "NCT1"]

    def test_what_is_left_out_is_counted(self, tmp_path: Path) -> None:
        skipped: Counter[str] = Counter()
        items = [study("NCT1"), study("NCT2", "Text."), study("NCT2", "Other."), study("NCT3", " ", "")]
        found = list(read_clinical_trials(put(tmp_path / "x.json", json.dumps(items)), skipped=skipped))
        assert [p.text for p in found] == ["Text."]
        assert skipped == {"study without a description": 2, "repeated NCT id": 1}

    @pytest.mark.parametrize(
        ("text", "what", "line"),
        [
            ('[\n{"protocolSection": {}},\n]', "nctId", 2),
            ('[1,\n"x"]', "no object", 1),
            ('{"FullStudiesResponse": {"NStudies": 1}}', "nctId", 1),
            ('{"protocolSection":\n[]}', "no object 'protocolSection'", 1),
            (json.dumps(study("NCT1", "x")).replace('"x"', "5"), "description of NCT1 is not text", 1),
            (json.dumps([study("NCT1", "x")], indent=1)[:-2], "the list does not end", 12),
            (json.dumps([study("NCT1", "x"), study("NCT2", "y")], indent=1)[:-30], "not valid JSON", 21),
            ("[{}\n{}]", "nctId", 1),
            (json.dumps([study("NCT1", "x")]) + "\n\n[]", "after the end of the list", 3),
            (json.dumps(study("NCT1", "x")) + "\nnonsense", "not valid JSON", 2),
            (json.dumps(study("NCT1", "\ud800")), "surrogate", 1),
            ("[" * 100_000, "nested too deeply", 1),
        ],
    )
    def test_what_is_no_study_is_refused(self, text: str, what: str, line: int, tmp_path: Path) -> None:
        path = put(tmp_path / "x.json", text)
        with pytest.raises(ZooError, match=what) as caught:
            list(read_clinical_trials(path))
        assert caught.value.where == f"{path}:{line}" and caught.value.fix


class TestStreamedJson:
    @pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
    def test_values_that_end_in_another_block_are_whole(
        self, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zoo.corpora.json_stream._BLOCK_CHARACTERS", block)
        values = [{"a": 'é\n"\\ 🧬' * 9, "b": [1.5e-7, -12, True, None]}, 12345678901234567890, "t", [], -0.25, False]
        path = put(tmp_path / "x", json.dumps(values, indent=2))
        assert [value for _, value in stream_json(path, fix="")] == values
        put(path, "\n".join(json.dumps(value) for value in values if value != []))
        assert list(stream_json(path, fix="")) == list(enumerate((v for v in values if v != []), start=1))

    @pytest.mark.parametrize("text", ["[1, 2", "[1 2]", "[,1]", "[1,]", "{", '{"a": tru', '"\\u12', "]", "[1]]", "nul"])
    def test_damage_is_found_wherever_blocks_end(
        self, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for block in (1, 2, 1000):
            monkeypatch.setattr("zoo.corpora.json_stream._BLOCK_CHARACTERS", block)
            with pytest.raises(ZooError, match="not valid JSON"):
                list(stream_json(put(tmp_path / "x", text), fix=""))

    def test_nothing_holds_no_values(self, tmp_path: Path) -> None:
        assert list(stream_json(put(tmp_path / "x", " \n"), fix="")) == list(
            stream_json(put(tmp_path / "y", "[ ]\n"), fix="")
        )


class TestArxiv:
    def test_biomedical_abstracts_alone(self, tmp_path: Path) -> None:
        items = [
            {"id": "0704.0001", "categories": "hep-ph", "abstract": "Quarks."},
            {"id": "0704.0002", "categories": "cs.LG q-bio.NC", "abstract": "  Neurons\nfire $x^2$.\n", "title": "T"},
            {"id": "q-bio/0309001", "categories": "physics.med-ph", "abstract": "Dose."},
            {"id": "1", "categories": "physics.bio-ph", "abstract": " \n"},
        ]
        skipped: Counter[str] = Counter()
        path = put(tmp_path / "dump.json.gz", "\n".join(map(json.dumps, items)) + "\n\n")
        assert list(read_arxiv(path, skipped=skipped)) == [
            Passage("arxiv-0704.0002", "Neurons fire $x^2$.", "arXiv"),
            Passage("arxiv-q-bio/0309001", "Dose.", "arXiv"),
        ]
        assert skipped == {"paper of other categories": 1, "paper without an abstract": 1}

    def test_categories(self) -> None:
        yes = ["q-bio", "q-bio.GN", "physics.med-ph", "physics.bio-ph"]
        no = ["physics", "physics.optics", "q-fin.ST", "math.q-bio", "eess.IV"]
        assert all(map(is_biomedical, yes)) and not any(map(is_biomedical, no))

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("{", "not valid JSON"),
            ("[]", "text field 'id'"),
            ('{"id": "1", "abstract": "x"}', "text field 'categories'"),
            ('{"id": "1", "categories": "q-bio.GN", "abstract": null}', "text field 'abstract'"),
        ],
    )
    def test_a_bad_line_is_named(self, line: str, what: str, tmp_path: Path) -> None:
        path = put(tmp_path / "x.json", '{"id": "1", "categories": "hep-ph", "abstract": "x"}\n\n' + line)
        with pytest.raises(ZooError, match=what) as caught:
            list(read_arxiv(path))
        assert caught.value.where == f"{path}:3"


class TestMimic:
    @pytest.mark.parametrize("name", ["NOTEEVENTS.csv", "NOTEEVENTS.csv.gz"])
    def test_notes_of_many_lines(self, name: str, tmp_path: Path) -> None:
        rows = [
            note(1, 'Pt said "ouch", then\n\nslept.\n'),
            note(2, "Wrong patient.", error="1"),
            note(3, "[** **]\n "),
            note(4, "Seen by Dr. [**Last Name (STitle) 99**].", subject=8, category="Nursing/other"),
        ]
        skipped: Counter[str] = Counter()
        assert list(read_mimic(put(tmp_path / name, notes(*rows)), skipped=skipped)) == [
            Passage("mimic-1", 'Pt said "ouch", then\n\nslept.', "MIMIC-III/Physician", "mimic-patient-7"),
            Passage("mimic-4", "Seen by Dr. Last Name.", "MIMIC-III/Nursing/other", "mimic-patient-8"),
        ]
        assert skipped == {"note marked as an error": 1, "note without text": 1}

    @pytest.mark.parametrize(
        ("mark", "words"),
        [
            ("[**2151-7-16**]", "2151-7-16"),
            ("[**7-16**]", "7-16"),
            ("[**5/2151**]", "5/2151"),
            ("[**Hospital1 18**]", "Hospital"),
            ("[**Known lastname (un) 123**]", "Known lastname"),
            ("[**First Name8 (NamePattern2) **]", "First Name"),
            ("[**Telephone/Fax (1) 432**]", "Telephone/Fax"),
            ("[**Age over 90 **]", "Age over 90"),
            ("[**Hospital\n  Unit Name 4**]", "Hospital Unit Name"),
            ("[** **]", ""),
            ("[x] ** 4 [**", "[x] ** 4 [**"),
        ],
    )
    def test_marks_become_words(self, mark: str, words: str) -> None:
        assert readable(f"On {mark}, and {mark}.") == f"On {words}, and {words}."

    def test_the_header_may_be_in_another_order_and_case(self, tmp_path: Path) -> None:
        header = ["text", "iserror", "category", "subject_id", "row_id"]
        path = put(tmp_path / "x.csv", notes(["Note.", "0", "ECG", "5", "6"], header=header))
        assert list(read_mimic(path)) == [Passage("mimic-6", "Note.", "MIMIC-III/ECG", "mimic-patient-5")]

    def test_a_note_may_be_of_any_length(self, tmp_path: Path) -> None:
        path = put(tmp_path / "x.csv", notes(note(1, "x" * 200_000)))
        assert [passage.text for passage in read_mimic(path)] == ["x" * 200_000]

    @pytest.mark.parametrize(
        ("text", "what", "line"),
        [
            ("", "no column ROW_ID", 1),
            (notes(note(1, "x"), header=[*HEADER[:-2], "TEXT", "X"]), "no column ISERROR", 1),
            ("ROW_ID\tTEXT\n1\tx\n", "no column ROW_ID, SUBJECT_ID", 1),
            (notes(note(1, "a\nb"), note(2, "x")[:-1]), "10 fields, the header 11", 4),
            (notes(note(1, "a\nb")) + '"2","unclosed\n\n', "not valid CSV", 5),
        ],
    )
    def test_a_bad_file_is_refused(self, text: str, what: str, line: int, tmp_path: Path) -> None:
        path = put(tmp_path / "x.csv", text)
        with pytest.raises(ZooError, match=what) as caught:
            list(read_mimic(path))
        assert caught.value.where == f"{path}:{line}" and "NOTEEVENTS" in (caught.value.fix or "")


READERS: dict[
    str, tuple[Callable[[Path], Iterator[Passage]], Callable[[int, str], str], Callable[[Iterator[str]], str]]
]
READERS = {
    "x.xml.gz": (read_pubmed, lambda i, t: article(i, f"<AbstractText>{t}</AbstractText>"), lambda xs: articles(*xs)),
    "x.json.gz": (
        read_clinical_trials,
        lambda i, t: json.dumps(study(f"NCT{i}", t)),
        lambda xs: "[" + ",\n".join(xs) + "]",
    ),
    "x.jsonl.gz": (
        read_arxiv,
        lambda i, t: json.dumps({"id": str(i), "categories": "q-bio.GN", "abstract": t}),
        "\n".join,
    ),
    "x.csv.gz": (read_mimic, lambda i, t: notes(note(i, t), header=HEADER).partition("\n")[2], None),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", list(READERS))
def test_damaged_gzip_and_wrong_encoding(name: str, tmp_path: Path) -> None:
    read, record, join = READERS[name]
    texts = (record(i, f"Note {i} {i * i * 7919 % 104729} of a patient.") for i in range(3000))
    whole = (join or (lambda xs: notes() + "".join(xs)))(texts)
    path = put(tmp_path / name, whole)
    assert len(list(read(path))) == 3000
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ZooError, match="gzip data is damaged") as caught:
        list(read(path))
    assert str(path) in (caught.value.where or "")
    path.write_bytes(gzip.compress(whole.encode().replace(b"Note 2000 ", b"na\xefve ")))
    with pytest.raises(ZooError, match=r"not UTF-8|not valid XML") as caught:
        list(read(path))
    assert (caught.value.where or "").startswith(f"{path}:")
    with pytest.raises(ZooError, match="cannot read"):
        list(read(tmp_path / "absent"))


@pytest.mark.parametrize("name", list(READERS))
def test_readers_hold_a_few_records_only(name: str, tmp_path: Path) -> None:
    read, record, join = READERS[name]
    texts = (record(i, f"{i} " + "x" * 2000) for i in range(6000))
    path = put(tmp_path / name, (join or (lambda xs: notes() + "".join(xs)))(texts))
    tracemalloc.start()
    try:
        assert sum(len(passage.text) > 2000 for passage in read(path)) == 6000
        assert tracemalloc.get_traced_memory()[1] < 8_000_000  # of 12 MB of text
    finally:
        tracemalloc.stop()
