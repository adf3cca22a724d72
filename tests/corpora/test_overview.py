"""Statistics of a corpus against counts by hand, and its page: complete, escaped, quoting only where it may."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from zoo.corpora.document import Document, Span, fingerprint
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.overview import CONTEXT_CHARACTERS, overview
from zoo.corpora.overview_page import render_page
from zoo.registry.loader import PACKAGED, load_registry
from zoo.registry.schema import CorpusEntry, LicenseInfo, SplitInfo

HOSTILE = "<script>alert('x')</script> & \"quoted\""


def document(name: str, text: str, *mentions: tuple[str, str]) -> Document:
    spans = []
    for mention, kind in mentions:
        start = text.index(mention)
        spans.append(Span(start, start + len(mention), kind))
    return Document(name, text, tuple(sorted(spans)))


@pytest.fixture
def corpus() -> Corpus:
    entry = CorpusEntry(
        id="demo",
        title=f"Demo {HOSTILE}",
        description="Made in this test.",
        format="jsonl",
        unit="document",
        types={"Disease": "Disease", "Chemical": "Chemical", "Gene": "Gene"},
        license=LicenseInfo(spdx="CC0-1.0", source="this test", publishable=True),
        splits={"train": SplitInfo(documents=3)},
        note=HOSTILE,
    )
    splits = {
        "train": (
            document("t1", "Type 2  diabetes and asthma.", ("Type 2  diabetes", "Disease"), ("asthma", "Disease")),
            document("t2", f"Asthma {HOSTILE} aspirin.", ("Asthma", "Disease"), ("aspirin", "Chemical")),
            document("t3", "Nothing here."),
        ),
        "dev": (document("d1", "ASTHMA.", ("ASTHMA", "Disease")), document("d2", "ASPIRIN", ("ASPIRIN", "Disease"))),
        "test": (document("e1", "type 2 Diabetes", ("type 2 Diabetes", "Disease")),),
    }
    prints = {split: fingerprint(documents) for split, documents in splits.items()}
    return Corpus(entry, splits, "local folder", prints)  # type: ignore[arg-type]


def test_counts_of_splits(corpus: Corpus) -> None:
    view = overview(corpus)
    train, dev, test = (view.splits[split] for split in ("train", "dev", "test"))
    assert (train.documents, train.documents_without_mentions, train.mentions) == (3, 1, 4)
    assert train.mentions_per_type == {"Disease": 3, "Chemical": 1, "Gene": 0}
    assert train.tokens == 5 + 5 + 2
    assert (train.seen_in_train, dev.seen_in_train, test.seen_in_train) == (None, 1, 1)
    assert not view.verified
    assert test.fingerprint == corpus.fingerprints["test"]


def test_nested_and_discontinuous_mentions_are_counted_and_shown(corpus: Corpus) -> None:
    parts = ((0, 1), (8, 13))
    spans = (Span(0, 13, "Gene", (), parts), Span(6, 7, "Gene"), Span(6, 13, "Gene"))
    splits = {**corpus.splits, "test": (Document("e", "T and B cells", spans),)}
    view = overview(replace(corpus, splits=splits))
    assert view.splits["test"].lie == {"inside another": 1, "across another": 2, "discontinuous": 1}
    assert not view.splits["train"].lie and "mentions inside another" not in render_page(overview(corpus), quote=True)
    shown = " ".join(render_page(view, quote=True).split())
    assert "test: 1 mentions inside another, 2 mentions across another, 1 mentions discontinuous." in shown
    assert dict(view.types["Gene"].frequent) == {"T cells": 1, "B": 1, "B cells": 1}


def test_counts_of_types(corpus: Corpus) -> None:
    disease, gene = overview(corpus).types["Disease"], overview(corpus).types["Gene"]
    assert (disease.mentions, disease.forms) == (6, 3)
    assert disease.length_words == {"1": 4, "2": 0, "3": 2}
    assert disease.frequencies == {"1": 1, "2": 1, "3 to 5": 1, "6 to 10": 0, "11 to 50": 0, "51 or more": 0}
    assert disease.frequent[0] == ("asthma", 3)
    assert (gene.mentions, gene.forms, gene.length_words, gene.frequent, gene.examples) == (0, 0, {}, [], [])


def test_sums_agree_on_a_real_corpus() -> None:
    entry = load_registry().corpus("sample-disease")
    loaded = load_corpus(entry, registry_folder=PACKAGED)
    view = overview(loaded)
    for kind in view.types.values():
        assert sum(kind.length_words.values()) == kind.mentions
        assert sum(kind.frequencies.values()) == kind.forms
    assert sum(kind.mentions for kind in view.types.values()) == sum(item.mentions for item in view.splits.values())
    assert view.verified and view.splits["train"].tokens == entry.splits["train"].tokens
    for example in view.types["Disease"].examples:
        text = next(d.text for d in loaded.splits["train"] if d.id == example.document_id)
        assert text[example.start : example.end] == example.mention
        assert f"{example.before}{example.mention}{example.after}".strip("…") in text
        assert max(len(example.before), len(example.after)) <= CONTEXT_CHARACTERS + 1


def test_examples_are_spread_over_train(corpus: Corpus) -> None:
    many = tuple(document(f"t{i}", f"{i} asthma", ("asthma", "Disease")) for i in range(100))
    large = Corpus(corpus.entry, {**corpus.splits, "train": many}, "x", corpus.fingerprints)
    examples = overview(large, examples=4).types["Disease"].examples
    assert [example.document_id for example in examples] == ["t0", "t25", "t50", "t75"]
    assert overview(large, examples=4) == overview(large, examples=4)


def test_long_mentions_share_a_column(corpus: Corpus) -> None:
    long = document("l", "a b c d e f g h i j k l m", ("a b c d e f g h i j k l m", "Disease"))
    large = Corpus(corpus.entry, {**corpus.splits, "test": (long,)}, "x", corpus.fingerprints)
    lengths = overview(large).types["Disease"].length_words
    assert list(lengths)[-1] == "10 or more" and lengths["10 or more"] == 1 and len(lengths) == 10


class Page(HTMLParser):
    """Checks that tags nest, and gathers what the page would load or run."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def test_page_is_whole_offline_and_escaped(corpus: Corpus) -> None:
    html = render_page(overview(corpus), quote=True)
    page = parsed(html)
    assert page.links == [] and "script" not in page.tags and "@import" not in html and "url(" not in html
    assert page.text.count(HOSTILE) == 5  # title, heading, note, and two in context
    assert "prefers-color-scheme: dark" in html and html.startswith("<!doctype html>")
    for words in ("CC0-1.0", "Made in this test.", "local folder", "no fingerprint", *corpus.entry.types):
        assert words in page.text
    assert page.tags.count("svg") == 2 * 2  # two plots for each type with mentions
    assert page.tags.count("mark") == 3 + 1


def test_plots_hold_the_counts(corpus: Corpus) -> None:
    html = render_page(overview(corpus), quote=True)
    assert 'aria-label="Mentions by words: 1: 4, 2: 0, 3: 2"' in html
    heights = [float(found) for found in re.findall(r'<rect [^>]*height="([\d.]+)"', html)][:3]
    assert heights == [108.0, 0.0, 54.0]


def test_page_quotes_only_where_asked(corpus: Corpus) -> None:
    page = parsed(render_page(overview(corpus), quote=False))
    assert "asthma" not in page.text.lower() and "mark" not in page.tags
    assert "--quote" in page.text and page.tags.count("svg") == 4


def test_every_packaged_sample_has_a_page(tmp_path: Path) -> None:
    for entry in load_registry().corpora.values():
        if entry.id.startswith("sample-"):
            view = overview(load_corpus(entry, registry_folder=PACKAGED))
            assert entry.title in parsed(render_page(view, quote=True)).text
