"""The metadata dump of arXiv, JSON lines: the abstracts of its biomedical categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zoo.corpora.files import numbered_lines, parse_json
from zoo.errors import ZooError
from zoo.passages.passage import Passage

ARCHIVES = ("q-bio",)
"""Archives of which every category counts: quantitative biology."""
CATEGORIES = ("physics.bio-ph", "physics.med-ph")
"""Further categories that count: biological and medical physics.

Left out are categories of which only a part is biomedical (`eess.IV`, `cs.CV`, `stat.AP`, `cond-mat.soft`): their
papers on medicine and biology come in where they are cross-listed with one of these.
"""
_FIX = 'a line is {"id": str, "categories": "q-bio.NC cs.LG", "abstract": str}, as in arxiv-metadata-oai-snapshot.json'


def read_arxiv(path: Path, *, skipped: Counter[str] | None = None) -> Iterator[Passage]:
    """Stream the biomedical abstracts of a dump, plain or gzip; ids are `arxiv-<id>`.

    An abstract counts if any of its categories, cross-lists too, is one of `ARCHIVES` or `CATEGORIES`. Its hard line
    breaks become spaces; LaTeX in it stays.

    Args:
        path: The file.
        skipped: Counts papers of other categories, and those without an abstract.

    Raises:
        ZooError: A line is not such an object, with file and line; or the file cannot be read.
    """
    skipped = Counter() if skipped is None else skipped
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        data = parse_json(line, where=where, fix=_FIX)
        values = [data.get(key) if isinstance(data, dict) else None for key in ("id", "categories", "abstract")]
        for key, value in zip(("id", "categories", "abstract"), values, strict=True):
            if not isinstance(value, str):
                raise ZooError(f"not a record of arXiv: there is no text field {key!r}", where=where, fix=_FIX)
        name, categories, abstract = map(str, values)
        if not any(is_biomedical(category) for category in categories.split()):
            skipped["paper of other categories"] += 1
        elif not abstract.strip():
            skipped["paper without an abstract"] += 1
        else:
            yield Passage(f"arxiv-{name}", " ".join(abstract.split()), "arXiv")


def is_biomedical(category: str) -> bool:
    """Whether the papers of a category (`q-bio.NC`) are read."""
    return category in CATEGORIES or category.partition(".")[0] in ARCHIVES
