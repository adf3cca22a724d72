"""The page is well-formed, stands alone, escapes what it quotes, and quotes only what it may."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from zoo.corpora.document import Document, Span
from zoo.evaluation.errors import analyse
from zoo.evaluation.errors_page import render_page
from zoo.modeling.windows import Entity

EVIL = 'Zyx <script>alert("1")</script> & "quotes"\nin zyxitis now'
START = EVIL.index("zyxitis")


class Checker(HTMLParser):
    """Checks nesting, and collects what a reader would see and what a browser would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.marked: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [str(values[name]) for name in ("src", "href", "action") if name in values]
        if tag not in ("meta", "input", "link", "br"):
            self.open.append(tag)
        if tag == "span" and "title" in values:
            self.marked.append((str(values["class"]), str(values["title"])))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.seen.append(data)


def render(quote: bool = True, publishable: bool = True, **options: Any) -> str:
    documents = [
        Document("doc-1", EVIL, (Span(START, START + 7, "Disease"),)),
        Document("doc-2", "clear", ()),
        *(Document(f"more-{i}", "gout", (Span(0, 4, "Disease"),)) for i in range(5)),
    ]
    found = [[Entity(START - 3, START + 7, "Disease", 0.9), Entity(0, 3, "Chemical", 0.5)], [], *([] for _ in range(5))]
    return render_page(
        analyse(documents, found),
        model="org/<model>",
        corpus="A & B",
        split="test",
        license_spdx="CC-BY-4.0",
        publishable=publishable,
        quote=quote,
        **options,
    )


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    checker = Checker(render())
    assert checker.open == []
    assert checker.links == []
    assert "url(" not in render()
    assert "http" not in render()


def test_text_is_escaped_and_shown_as_it_is() -> None:
    page = render()
    assert '<script>alert("1")' not in page
    text = "".join(Checker(page).seen)
    assert EVIL.split("\n")[0] in text
    assert "Errors of org/<model> on A & B" in text


def test_gold_and_predicted_are_marked_apart_and_named() -> None:
    marked = Checker(render()).marked
    assert ("p it", "predicted Disease") in marked
    assert ("g p it", "gold Disease; predicted Disease") in marked
    assert ("p it", "predicted Chemical") in marked


def test_nested_marks_lie_around_each_other() -> None:
    """The longer mention's line is farther from the text; flat pages have one line a side."""
    text, parts = "human IL-2 gene, T and B cells", ((17, 18), (25, 30))
    spans = (Span(0, 15, "DNA"), Span(6, 10, "Protein"), Span(17, 30, "Cell", (), parts), Span(23, 30, "Cell"))
    found = [Entity(0, 15, "DNA", 0.9), Entity(23, 30, "Cell", 0.9)]
    names = {"model": "m", "corpus": "c", "split": "test", "license_spdx": "CC0-1.0", "publishable": True}
    page = render_page(analyse([Document("d", text, spans)], [found]), **names, quote=True)  # type: ignore[arg-type]
    assert Checker(page).open == []
    inner = '<span class="g g1"><span class="g p it" title="gold DNA, Protein; predicted DNA">IL-2</span></span>'
    assert inner in page and '<span class="g g1 p it" title="gold DNA; predicted DNA">human </span>' in page
    assert "nested: 2 places" in page and "gold Cell [17, 18) and [25, 30), predicted Cell [23, 30)" in page
    assert "; shares characters with gold DNA [0, 15)" in page and "context deep" in page
    assert "nested" not in "".join(Checker(render()).seen) and "context deep" not in render()


def test_counts_and_limits_are_shown() -> None:
    text = " ".join("".join(Checker(render(examples_per_kind=2)).seen).split())
    assert "missed: 5 places, 2 shown" in text
    assert "boundary: 1 place" in text
    assert text.count("more-") == 2


def test_without_leave_no_text_of_the_corpus_is_on_the_page() -> None:
    page = render(quote=False, publishable=False)
    assert "zyx" not in page.lower()
    assert "gout" not in page
    text = " ".join("".join(Checker(page).seen).split())
    assert "This page quotes no text of the corpus: its licence (CC-BY-4.0) does not clearly allow it" in text
    assert f"gold Disease [{START}, {START + 7})" in text


def test_quoting_against_the_licence_says_so() -> None:
    assert "keep it to yourself" in render(quote=True, publishable=False)
    assert "keep it to yourself" not in render(quote=True, publishable=True)
