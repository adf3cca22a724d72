"""Files of formats that are not read, or of another than was said, are named with the way to read or convert them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.corpora.notes import Add
from zoo.errors import ZooError

LABELLED = {"id": 1, "data": {"text": "x"}, "annotations": [{"id": 1, "result": []}]}
FILES = {
    "WebAnno TSV": (
        "conll",
        "a.tsv",
        "#FORMAT=WebAnno TSV 3.3\n#T_SP=Entity|value\n\n#Text=No gout\n1-1\t0-2\tNo\t_\n",
    ),
    "UIMA XMI": (
        "bioc",
        "a.xml",
        '<?xml version="1.0"?><xmi:XMI xmlns:xmi="http://www.omg.org/XMI"><cas:NULL/></xmi:XMI>',
    ),
    "UIMA JSON": (
        "jsonl",
        "a.jsonl",
        json.dumps({"_context": {}, "_views": {"_InitialView": {}}, "_referenced_fss": {}}),
    ),
    "DDI XML": (
        "bioc",
        "a.xml",
        '<document id="DDI-1">\n<sentence id="DDI-1.s0" text="No aspirin.">'
        '<entity id="e" charOffset="3-9" type="drug" text="aspirin"/></sentence></document>',
    ),
    "i2b2 XML": ("bioc", "a.xml", "<MEDDOCAN><TEXT><![CDATA[No gout]]></TEXT><TAGS/></MEDDOCAN>"),
    "i2b2 XML, as": ("brat", "a.xml", "<deIdi2b2><TEXT><![CDATA[No gout]]></TEXT><TAGS/></deIdi2b2>"),
    "an export of Doccano": ("jsonl", "a.jsonl", '{"id": 1, "text": "No gout", "label": [[3, 7, "Disease"]]}'),
    "an export of Prodigy": ("doccano", "a.jsonl", '{"text": "x", "_input_hash": 5, "spans": []}'),
    "an export of Label Studio": ("bioc", "a.json", json.dumps([LABELLED])),
    "PubTator": ("conll", "a.txt", "1|t|No gout\n1|a|\n1\t3\t7\tgout\tDisease\tD1\n"),
    "BioC": ("label-studio", "a.json", '{"source": "", "documents": [{"id": "1", "passages": []}]}'),
}


@pytest.mark.parametrize("title", FILES)
def test_files_of_other_formats_are_named(add: Add, tmp_path: Path, title: str) -> None:
    format, name, content = FILES[title]
    (tmp_path / name).write_text(content)
    with pytest.raises(ZooError, match="the file is ") as caught:
        add(path=tmp_path / name, format=format, types={})
    assert title in caught.value.what and caught.value.where == str(tmp_path / name)
    assert "--format" in (caught.value.fix or "")


def test_other_errors_stay_as_they_are(add: Add, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "a", "text": "No gout"}\n')
    with pytest.raises(ZooError, match="no list 'spans'"):
        add(path=tmp_path / "a.jsonl")
