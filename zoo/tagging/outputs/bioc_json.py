"""BioC as JSON: one collection, written document by document."""

from __future__ import annotations

import json

from zoo.tagging.outputs.bioc import bioc_document
from zoo.tagging.outputs.format import FileFormat, Run
from zoo.tagging.texts import Tagged

_HEADER = '{"bioctype": "BioCCollection", "source": "zoo", "date": "", "key": "", "infons": {}, "documents": [\n'


def _document(tagged: Tagged, run: Run) -> str:
    from bioc.biocjson.encoder import BioCJSONEncoder

    return json.dumps(bioc_document(tagged, run), cls=BioCJSONEncoder, ensure_ascii=False)


FORMAT = FileFormat(header=lambda _: _HEADER, document=_document, between=",\n", footer="\n]}\n")
