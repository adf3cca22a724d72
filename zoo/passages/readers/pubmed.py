"""PubMed's XML: the abstracts of a baseline or update file, or of an E-utilities answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from zoo.corpora.files import open_bytes
from zoo.errors import ZooError
from zoo.passages.passage import Passage

_ROOT = "PubmedArticleSet"
_RECORDS = frozenset({"PubmedArticle", "PubmedBookArticle", "DeleteCitation"})
_TITLE = "MedlineCitation/Article/ArticleTitle"
_ABSTRACT = "MedlineCitation/Article/Abstract/AbstractText"
_FIX = f"give PubMed XML: <{_ROOT}> with <PubmedArticle> in it, as in the baseline files pubmed*n*.xml.gz"


def read_pubmed(path: Path, *, titles: bool = False, skipped: Counter[str] | None = None) -> Iterator[Passage]:
    """Stream the abstracts of a file, plain or gzip; ids are `pmid-<PMID>`.

    The parts of a structured abstract are joined by spaces, each after its label (`METHODS: ...`); inline markup such
    as `<i>` and `<sup>` is flattened to its text. Abstracts in other languages, books and deletions are left.

    Args:
        path: The file.
        titles: Put the title before the abstract; an article without an abstract is its title then.
        skipped: Counts articles without an abstract and those whose PMID came before in the file.

    Raises:
        ZooError: The file is not PubMed XML or an article has no PMID, with line or number of the article; or the file
            cannot be read.
    """
    skipped = Counter() if skipped is None else skipped
    seen: set[str] = set()
    for number, article in enumerate(_articles(path), start=1):
        pmid = (article.findtext("MedlineCitation/PMID") or "").strip()
        if not pmid:
            raise ZooError("the article has no MedlineCitation/PMID", where=f"{path}: article {number}", fix=_FIX)
        parts = (_TITLE, _ABSTRACT) if titles else (_ABSTRACT,)
        text = " ".join(filter(None, (_part(element) for part in parts for element in article.iterfind(part))))
        if pmid in seen:
            skipped["repeated PMID"] += 1
        elif not text:
            skipped["article without an abstract"] += 1
        else:
            seen.add(pmid)
            yield Passage(f"pmid-{pmid}", text, "PubMed")


def _articles(path: Path) -> Iterator[ElementTree.Element]:
    with open_bytes(path) as file:
        try:
            events = ElementTree.iterparse(file, events=("start", "end"))
            _, root = next(events)
            if root.tag != _ROOT:
                raise ZooError(f"not PubMed XML: the file begins with <{root.tag}>", where=path, fix=_FIX)
            for event, element in events:
                if event == "end" and element.tag in _RECORDS:
                    if element.tag == "PubmedArticle":
                        yield element
                    root.clear()  # else the tree of the whole file grows in memory
        except ElementTree.ParseError as error:
            raise ZooError(f"not valid XML: {error}", where=f"{path}:{error.position[0]}", fix=_FIX) from None


def _part(element: ElementTree.Element) -> str:
    text = " ".join("".join(element.itertext()).split())
    label = " ".join(element.get("Label", "").split())
    return f"{label}: {text}" if text and label and label != "UNLABELLED" else text
