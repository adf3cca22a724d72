"""Entities over a text: segments, agreement of two models, escaping, and the files to take away."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concepts import Shown
from layers import Layer, as_file, compare, table
from marks import colors, legend, render_text, segments, stack
from zoo.corpora.document import fragments_of
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Candidate, Link

TEXT = "Patients with asthma took\naspirin daily."
A = Layer("model a", (Entity(14, 20, "Disease", 0.9), Entity(26, 33, "Chemical", 0.4)))
B = Layer("model b", (Entity(9, 20, "Disease", 0.8), Entity(26, 33, "Drug", 0.7), Entity(34, 39, "Time", 0.6)))


def plain(markup: str) -> str:
    """The text of the page, labels left out."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<button .*?</button>", "", markup, flags=re.S)))


@st.composite
def texts_with_layers(draw: st.DrawFn) -> tuple[str, list[Layer]]:
    text = draw(st.text(min_size=1, max_size=60))
    borders = st.lists(st.integers(0, len(text)), min_size=2, max_size=6, unique=True).map(sorted)
    layers = []
    for number in range(draw(st.integers(0, 3))):
        found = set()
        for cuts, name in draw(st.lists(st.tuples(borders, st.sampled_from("XYZ")), max_size=6)):
            parts = tuple(zip(cuts[::2], cuts[1::2], strict=False))
            found.add(Entity(parts[0][0], parts[-1][1], name, 0.5, None, parts if len(parts) > 1 else ()))
        layers.append(Layer(str(number), tuple(sorted(found, key=lambda entity: entity.key))))
    return text, layers


@given(texts_with_layers())
def test_segments_cover_the_text_once_with_what_lies_over_it(case: tuple[str, list[Layer]]) -> None:
    text, layers = case
    marks = stack(layers)
    cut = segments(len(text), marks)
    assert [s.start for s in cut] == [0, *(s.end for s in cut[:-1])] and cut[-1].end == len(text)
    for segment in cut:
        over = {m.number for m in marks if m.entity.start <= segment.start and segment.end <= m.entity.end}
        assert {mark.number for mark in segment.covering} == over


@given(texts_with_layers())
def test_rows_do_not_collide_and_are_no_more_than_needed(case: tuple[str, list[Layer]]) -> None:
    text, layers = case
    marks = stack(layers)
    assert [m.number for m in marks] == list(range(sum(len(layer.entities) for layer in layers)))
    for segment in segments(len(text), marks):
        rows = [mark.row for mark in segment.covering]
        assert len(set(rows)) == len(rows) and all(mark.row < mark.rows for mark in segment.covering)
    deepest = [
        max((sum(e.start <= at < e.end for e in layer.entities) for at in range(len(text))), default=0)
        for layer in layers
    ]
    assert all(mark.rows <= sum(max(1, depth) for depth in deepest) for mark in marks)


@given(texts_with_layers())
def test_the_text_on_the_page_is_the_text(case: tuple[str, list[Layer]]) -> None:
    text, layers = case
    assert plain(render_text(text, layers, colors(layers))) == text.replace("\0", "\ufffd")


@given(texts_with_layers())
def test_the_page_tells_where_every_entity_lies(case: tuple[str, list[Layer]]) -> None:
    text, layers = case
    page = render_text(text, layers, colors(layers))
    held: dict[int, set[int]] = {}
    place = 0
    for words, numbers in _pieces(page):
        for number in numbers:
            held.setdefault(number, set()).update(range(place, place + len(words)))
        place += len(words)
    for mark in stack(layers):
        expected = {at for start, end in fragments_of(mark.entity.key) for at in range(start, end)}
        assert held[mark.number] == expected
        assert page.count(f'data-n="{mark.number}"') == 1


def _pieces(page: str) -> list[tuple[str, list[int]]]:
    """Words of the page with the numbers of the entities that they are part of."""
    pieces = re.split(r"(<mark [^>]*>.*?</mark>)", re.sub(r"<button .*?</button>", "", page, flags=re.S), flags=re.S)
    found = []
    for piece in pieces:
        own = re.match(r'<mark [^>]*data-e="([^"]*)"', piece)
        found.append((plain(piece), [int(n) for n in own[1].split()] if own else []))
    return found


def test_overlapping_layers_have_a_bar_each() -> None:
    page = render_text(TEXT, [A, B], colors([A, B]))
    both = re.search(r'<mark class="e" data-e="[^"]+" style="background:([^"]+)">asthma</mark>', page)
    assert both and both[1].count(" 4px no-repeat") == 2
    assert "1 Disease" in page and "2 Disease" in page


NESTED = Layer(
    "m",
    (
        Entity(0, 17, "Cell", 0.7, None, ((0, 1), (8, 17))),
        Entity(6, 13, "Cell", 0.9),
        Entity(6, 7, "Gene", 0.8),
    ),
)


def test_rows_and_a_gap_are_drawn() -> None:
    text = "T and B cells old"
    page = render_text(text, [NESTED], colors([NESTED]))
    assert [(m.row, m.rows) for m in stack([NESTED])] == [(0, 3), (1, 3), (2, 3)]
    assert '<span class="e"' in page and "repeating-linear-gradient" in page and "--rows:3" in page
    assert 'aria-label="Cell · 2 parts: T … cells old · score 0.700 · m"' in page
    assert page.count('tabindex="0" aria-label="Gene') == 1 and page.count('tabindex="-1"') == 2
    assert "Dashes join" in legend([NESTED], colors([NESTED])) and "T …" in table(text, [NESTED])
    assert "<p" not in legend([A], colors([A])) and "--rows:1" in render_text(TEXT, [A], colors([A]))


def test_nested_and_discontinuous_agreement() -> None:
    outer, inner = Entity(0, 10, "X", 0.9), Entity(0, 4, "X", 0.9)
    assert compare(Layer("a", (inner, outer)), Layer("b", (outer,)))[0] == ["only", "both"]
    parts = Entity(0, 10, "X", 0.9, None, ((0, 2), (8, 10)))
    assert compare(Layer("a", (parts,)), Layer("b", (outer,)))[0] == ["borders"]
    assert compare(Layer("a", (parts,)), Layer("b", (Entity(3, 7, "X", 0.9),)))[0] == ["only"]


def test_agreement() -> None:
    assert compare(A, B) == (["borders", "type"], ["borders", "type", "only"])
    assert compare(A, A) == (["both", "both"], ["both", "both"])
    assert compare(A, Layer("none", ())) == (["only", "only"], [])
    page = render_text(TEXT, [A], colors([A]), compare(A, B)[0])
    assert 'class="e a-borders"' in page and "other type" in page


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "${alert(1)} {{x}} `", "&lt;"]
)
def test_hostile_text_and_types_stay_text(text: str) -> None:
    layer = Layer(text, (Entity(0, len(text), text, 0.5),))
    for page in (render_text(text, [layer], colors([layer])), table(text, [layer])):
        assert "<script" not in page and "<img" not in page and "${" not in page and "{{" not in page


def test_the_threshold_keeps_what_reaches_it() -> None:
    assert [e.type for e in A.above(0.4).entities] == ["Disease", "Chemical"]
    assert [e.type for e in A.above(0.41).entities] == ["Disease"]


def test_files_hold_every_entity_with_its_offsets() -> None:
    data = json.loads(as_file(TEXT, [A, B], ".json"))
    assert data["text"] == TEXT and len(data["entities"]) == 5
    assert all(TEXT[e["start"] : e["end"]] == e["text"] for e in data["entities"])
    rows = list(csv.DictReader(io.StringIO(as_file(TEXT, [A, B], ".csv"), newline="")))
    assert [(r["start"], r["end"], r["type"], r["text"], r["model"]) for r in rows[:2]] == [
        ("14", "20", "Disease", "asthma", "model a"),
        ("26", "33", "Chemical", "aspirin", "model a"),
    ]


def test_brat_is_read_by_a_reader_of_brat() -> None:
    from bioc import brat

    text = "a pain in the\nlower\n\nback and 👩 asthma"
    layer = Layer("m", (Entity(2, 25, "Sign or Symptom", 0.9), Entity(32, 38, "Disease", 0.5)))
    assert text[32:38] == "asthma"
    document = brat.load_ann(io.StringIO(as_file(text, [layer], ".ann")))
    first, second = sorted(document.entities, key=lambda e: e.id)
    assert first.type == "Sign_or_Symptom" and sorted((s.begin, s.end) for s in first.locations) == [
        (2, 13),
        (14, 19),
        (21, 25),
    ]
    assert first.text == "pain in the lower back"
    assert second.text == "asthma" and [(s.begin, s.end) for s in second.locations] == [(32, 38)]


def test_a_long_list_is_cut_on_the_page_only() -> None:
    layer = Layer("m", tuple(Entity(n, n + 1, "X", 0.5) for n in range(600)))
    page = table("x" * 600, [layer])
    assert page.count("<tr>") == 501 and "first 500 of 600" in page
    assert len(json.loads(as_file("x" * 600, [layer], ".json"))["entities"]) == 600


MESH = Link(
    ("MESH:D001249",),
    0.98,
    (Candidate("MESH:D001249", "asthma", 0.98, "exact"), Candidate("X:1", "<i>", 0.1, "n")),
    "mesh",
)
UNSURE = Link((), 0.2, (Candidate("X:1", "<i>", 0.2, "ngrams"),), "mesh")
SHOWN = {
    ("mesh", "MESH:D001249"): Shown("Asthma", "<script>alert(1)</script>", "https://example.org/D001249"),
    ("mesh", "X:1"): Shown("${x}", "", "javascript:alert(1)"),
}
LINKED = Layer(
    "m", (Entity(14, 20, "Disease", 0.9, MESH), Entity(26, 33, "Drug", 0.4, UNSURE), Entity(34, 39, "Time", 0.3)), SHOWN
)


def test_linked_entities_have_cards_and_others_are_as_they_were() -> None:
    page = render_text(TEXT, [LINKED], colors([LINKED]))
    assert page.count('<button type="button" class="lab"') == 3
    assert re.findall(r'data-n="(\d)" data-card="(\d)"', page) == [("0", "0"), ("1", "1")]
    sure, unsure = re.findall(r'<div class="concept" data-concept="\d".*?</div>', page)
    assert "<strong>Asthma</strong>" in sure and 'href="https://example.org/D001249"' in sure
    assert "No concept" in unsure and "0.200, ngrams" in unsure
    assert not any(bad in page for bad in ("<script", "<i>", "javascript:", "${"))
    bare = [replace(entity, link=None) for entity in LINKED.entities]
    plain_page = render_text(TEXT, [Layer("m", tuple(bare))], colors([LINKED]))
    assert "card" not in plain_page and plain_page.count("<button") == 3


def test_the_same_concept_has_one_card() -> None:
    layer = Layer("m", tuple(Entity(n, n + 1, "X", 0.5, MESH) for n in range(9)), SHOWN)
    page = render_text("x" * 9, [layer], colors([layer]))
    assert page.count('data-card="0"') == 9 and page.count("data-concept=") == 1


def test_table_and_files_name_concepts() -> None:
    page = table(TEXT, [LINKED])
    assert '<th scope="col">Concept</th>' in page and "Asthma <a href=" in page and "<td>none</td>" in page
    assert "Concept" not in table(TEXT, [A])
    first = json.loads(as_file(TEXT, [LINKED], ".json"))["entities"][0]
    assert first["concept"] == "Asthma" and first["concept_ids"] == ["MESH:D001249"]
    assert "N1\tReference T1 MESH:D001249\tAsthma" in as_file(TEXT, [LINKED], ".ann")
    assert "concept_ids" in as_file(TEXT, [LINKED], ".csv") and "concept_ids" not in as_file(TEXT, [A], ".csv")


def test_models_that_differ_in_links_alone_lie_over_one_another() -> None:
    other = Layer("n", tuple(replace(entity, link=None) for entity in LINKED.entities))
    assert table(TEXT, [LINKED, other]).count("<tr>") == 7
    assert len(segments(len(TEXT), stack([LINKED, other]))) == len(segments(len(TEXT), stack([LINKED])))
    assert compare(LINKED, other)[0] == ["both"] * 3


def test_what_the_text_says_is_drawn_labelled_and_told() -> None:
    from demo import LANGUAGES
    from zoo.context.rules import languages

    assert sorted(filter(None, LANGUAGES.values())) == languages()
    text = "Family history: no gout, possible asthma."
    layer = Layer("m", (Entity(19, 23, "Disease", 0.9), Entity(34, 40, "Disease", 0.9))).asserted(text, "en")
    page = render_text(text, [layer], colors([layer]))
    assert re.search(r'<mark class="e negated"[^>]*>gout</mark>', page)
    assert re.search(r'<mark class="e possible"[^>]*>asthma</mark>', page)
    assert "Disease · negated, someone else" in page and "section family history" in page
    assert '<span class="negated">negated</span> 1' in legend([layer], colors([layer]))
    assert "<td>negated, someone else; in family history</td>" in table(text, [layer])
    assert "A1\tNegated T1" in as_file(text, [layer], ".ann") and "negation" in as_file(text, [layer], ".csv")
    plain = Layer("m", (Entity(19, 23, "Disease", 0.9),))
    assert "Context" not in table(text, [plain]) and "negation" not in as_file(text, [plain], ".csv")
