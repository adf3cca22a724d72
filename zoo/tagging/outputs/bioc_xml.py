"""BioC as XML: one collection, written document by document.

Control characters that XML cannot hold are replaced, one for one, so that offsets hold: a form feed and the like by a
space, others by U+FFFD.
"""

from __future__ import annotations

import re
from dataclasses import replace

from zoo.tagging.outputs.bioc import bioc_document
from zoo.tagging.outputs.format import FileFormat, Run
from zoo.tagging.texts import Tagged

_HEADER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'
    "<collection><source>zoo</source><date></date><key></key>\n"
)
_IMPOSSIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _document(tagged: Tagged, run: Run) -> str:
    from bioc.biocxml.encoder import encode_document
    from lxml import etree

    text = replace(tagged.text, id=_possible(tagged.text.id), text=_possible(tagged.text.text))
    element = encode_document(bioc_document(replace(tagged, text=text), run))
    return f"{etree.tostring(element, encoding='unicode')}\n"


def _possible(text: str) -> str:
    return _IMPOSSIBLE.sub(lambda found: " " if found[0].isspace() else "\ufffd", text)


FORMAT = FileFormat(header=lambda _: _HEADER, document=_document, footer="</collection>\n")
