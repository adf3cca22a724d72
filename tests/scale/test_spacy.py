"""The component `zoo` of spaCy, found by the entry point that the package declares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY_SENTENCES
from zoo.errors import ZooError
from zoo.tagging.tagger import Tagger

spacy = pytest.importorskip("spacy")
TEXTS = [text for text, _ in TINY_SENTENCES] * 3


@pytest.fixture(autouse=True)
def registered() -> None:
    import zoo.scale.spacy  # noqa: F401 - as the entry point does


def test_all_entities_are_spans_and_those_that_do_not_overlap_are_ents(models: list[str]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("zoo", config={"models": models})
    expected = [Tagger.load(model).tag(TEXTS) for model in models]
    docs = list(nlp.pipe(TEXTS, batch_size=4))
    for place, doc in enumerate(docs):
        wanted = [
            (model, [e.start, e.end], e.type) for model, own in zip(models, expected, strict=True) for e in own[place]
        ]
        spans = doc.spans["zoo"]
        attrs = spans.attrs
        assert list(zip(attrs["models"], attrs["offsets"], [s.label_ for s in spans], strict=True)) == wanted
        assert len(attrs["scores"]) == len(spans) and all(0 < score <= 1 for score in attrs["scores"])
        for span, (start, end) in zip(spans, attrs["offsets"], strict=True):
            assert span.start_char <= start < end <= span.end_char
        taken = [token.i for ent in doc.ents for token in ent]
        assert len(taken) == len(set(taken)) and bool(doc.ents) == bool(len(spans))
    assert sum(len(doc.ents) for doc in docs) > 10
    assert [ent.text for ent in nlp(TEXTS[0]).ents] == [ent.text for ent in docs[0].ents]


def test_an_entity_that_ends_inside_a_token_is_aligned_as_configured() -> None:
    from zoo.modeling.windows import Entity
    from zoo.scale.spacy import EntityTagger
    from zoo.tagging.texts import Tagged, Text

    found = {}
    for mode in ("expand", "contract", "strict"):
        doc = spacy.blank("en")("A beta-blocker2 was given for gout")
        doc.ents = [doc.char_span(30, 34, label="OTHER"), doc.char_span(2, 15, label="OTHER", alignment_mode="expand")]
        entities = [Entity(2, 14, "Chemical", 0.9), Entity(2, 6, "Part", 0.8)]
        component = EntityTagger(["m"], mode, "all", "auto")  # type: ignore[arg-type]
        component._annotate(doc, Tagged(Text("", doc.text), (entities,)))
        found[mode] = [(s.text, s.label_) for s in doc.spans["all"]], [(s.text, s.label_) for s in doc.ents]
    part = ("beta", "Part")
    assert found["expand"] == (
        [("beta-blocker2", "Chemical"), part], [("beta-blocker2", "Chemical"), ("gout", "OTHER")],
    )  # fmt: skip
    assert found["strict"] == ([part], [part, ("gout", "OTHER")])
    assert found["contract"][0] == [("beta-", "Chemical"), part]


def test_what_is_wrong_with_the_configuration_is_said(models: list[str]) -> None:
    with pytest.raises(Exception, match="models"):
        spacy.blank("en").add_pipe("zoo")
    with pytest.raises(Exception, match="alignment_mode"):
        spacy.blank("en").add_pipe("zoo", config={"models": models, "alignment_mode": "guess"})
    nlp = spacy.blank("en")
    nlp.add_pipe("zoo", config={"models": ["nowhere/at/all"]})
    with pytest.raises(ZooError, match="no model folder"):
        nlp("x")


def test_the_entry_point_is_enough_and_a_stored_pipeline_has_its_configuration(
    models: list[str], tmp_path: Path
) -> None:
    """In a process of its own, as a user's: no model is loaded before the first text."""
    declared = (ROOT / "pyproject.toml").read_text().partition("[project.entry-points.spacy_factories]\n")[2]
    info = tmp_path / "site" / "declared-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: declared\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[spacy_factories]\n" + declared.splitlines()[0].replace('"', ""))
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
import spacy
nlp = spacy.blank("en")
nlp.add_pipe("zoo", config={{"models": {models!r}, "spans_key": "mine"}})
assert "zoo.scale.spacy" in sys.modules and "zoo.tagging.tagger" not in sys.modules
text = {TEXTS[0]!r}
nlp.to_disk({str(tmp_path / "stored")!r})
again = spacy.load({str(tmp_path / "stored")!r})
assert again.get_pipe_meta("zoo") and again.config["components"]["zoo"]["models"] == {models!r}
first, second = nlp(text), again(text)
assert [s.text for s in first.spans["mine"]] == [s.text for s in second.spans["mine"]] != []
doc = spacy.tokens.Doc(nlp.vocab).from_bytes(second.to_bytes())
assert doc.spans["mine"].attrs["offsets"] == second.spans["mine"].attrs["offsets"]
print("ok")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "ok\n", done.stderr


def test_without_a_model_it_is_said_at_once() -> None:
    with pytest.raises(ZooError, match="no model is named"):
        spacy.blank("en").add_pipe("zoo", config={"models": []})
