"""From mentions to concepts."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.linking.candidates import Evidence, Lexicon
from zoo.linking.composites import split_composite
from zoo.linking.index import Index
from zoo.linking.linker import LINKER_FILE, Linker, LinkerInfo, Steps, read_linker
from zoo.linking.ranking import LEXICAL, Ranking, fit_ranking
from zoo.linking.trained_names import TrainedNames, count_names, read_names, write_names
from zoo.modeling.windows import Entity
from zoo.ontologies.concept import Concept, Synonym
from zoo.ontologies.link import Link

CONCEPTS = [
    Concept("X:1", "breast cancer", (Synonym("carcinoma of the breast"),)),
    Concept("X:2", "ovarian cancer"),
    Concept("X:3", "Wilson disease", (Synonym("hepatolenticular degeneration"),)),
    Concept("X:4", "myotonic dystrophy"),
    Concept("X:5", "myopathy"),
    Concept("X:6", "wd", (Synonym("warm disease"),)),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("index")
    Index.build(CONCEPTS, folder, ontology="x", version="1")
    return Index.open(folder)


def linked(linker: Linker, text: str, *mentions: str) -> list[Link]:
    entities = [Entity(text.index(m), text.index(m) + len(m), "Disease", 0.9) for m in mentions]
    (found,) = linker.link([text], [entities])
    assert [(e.start, e.end, e.type, e.score) for e in found] == [(e.start, e.end, e.type, e.score) for e in entities]
    return [entity.link for entity in found if entity.link]


def test_steps_of_a_linker_without_training(index: Index) -> None:
    linker = Linker.lexical({"Disease": index})
    exact, alike, looks = linker.link_names(["Breast Cancer", "breast, cancers", "breast cancerous"], "Disease")
    assert [each.concept_ids for each in (exact, alike, looks)] == [("X:1",)] * 3
    assert [each.candidates[0].step for each in (exact, alike, looks)] == ["exact", "alike", "ngrams"]
    assert exact.score > alike.score > looks.score > 0
    assert exact.ontology == "x"


def test_of_a_discontinuous_mention_its_parts_are_linked(index: Index) -> None:
    text, parts = "breast and ovarian cancer", ((0, 6), (19, 25))
    found = [Entity(0, 25, "Disease", 0.9, None, parts), Entity(11, 25, "Disease", 0.9), Entity(0, 25, "Disease", 0.9)]
    ((broken, nested, whole),) = Linker.lexical({"Disease": index}).link([text], [found])
    assert broken.link and broken.link.concept_ids == ("X:1",) and broken.fragments == parts
    assert nested.link and nested.link.concept_ids == ("X:2",)
    assert whole.link and whole.link.candidates[0].step != "exact"


def test_abbreviations_are_those_of_the_document(index: Index) -> None:
    linker = Linker.lexical({"Disease": index})
    text = "Wilson disease (WD) is rare. WD is inherited."
    assert [link.concept_ids for link in linked(linker, text, "Wilson disease", "WD")] == [("X:3",), ("X:3",)]
    assert linked(linker, "WD is inherited.", "WD")[0].concept_ids == ("X:6",)
    without = Linker(
        {"Disease": Lexicon("Disease", index, TrainedNames({}))}, {"Disease": LEXICAL}, steps=Steps(abbreviations=False)
    )
    assert linked(without, text, "WD")[0].concept_ids == ("X:6",)


def test_composite_mentions_have_a_concept_for_each_part(index: Index) -> None:
    linker = Linker.lexical({"Disease": index})
    (link,) = linked(linker, "A family with breast and ovarian cancer.", "breast and ovarian cancer")
    assert link.concept_ids == ("X:1", "X:2")
    assert [candidate.step for candidate in link.candidates[:2]] == ["composite", "composite"]
    assert linker.link_names(["wine and cheese"], "Disease")[0].concept_ids != ("X:1", "X:2")


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("breast and ovarian cancer", ["breast cancer", "ovarian cancer"]),
        ("breast/ovarian cancer", ["breast cancer", "ovarian cancer"]),
        ("deficiency of C6 and C7", ["deficiency of C6", "deficiency of C7"]),
        ("fever, rash and pain", ["fever", "rash", "pain"]),
    ],
)
def test_composites_are_read(name: str, reading: list[str]) -> None:
    assert reading in split_composite(name)


def test_what_is_no_list_is_not_split() -> None:
    assert split_composite("hand-foot syndrome") == []
    assert split_composite("android") == []


def test_names_seen_in_training(index: Index, tmp_path: Path) -> None:
    mentions = [("muscle wasting", ("X:4",)), ("muscle wasting", ("X:4",)), ("muscle wasting", ("X:5",))]
    mentions += [("BC and OC", ("X:1", "X:2")), ("nothing", ())]
    write_names(tmp_path / "names.jsonl", {"Disease": count_names(mentions)})
    names = read_names(tmp_path / "names.jsonl")["Disease"]
    assert names.exact("Muscle Wasting") == Counter({("X:4",): 2, ("X:5",): 1})
    assert names.concepts == Counter({"X:4": 2, "X:5": 1, "X:1": 1, "X:2": 1})
    weights = {"exact": 5.0, "trained": 5.0, "ngrams": 5.0}
    linker = Linker({"Disease": Lexicon("Disease", index, names)}, {"Disease": Ranking(weights=weights, none=2.0)})
    seen, both, unlike = linker.link_names(["muscle wasting", "BC and OC", "qqq"], "Disease")
    assert seen.concept_ids == ("X:4",)
    assert both.concept_ids == ("X:1", "X:2")
    assert unlike.concept_ids == ()
    assert unlike.candidates == ()
    (tmp_path / "names.jsonl").write_text('{"type": "Disease"}\n')
    with pytest.raises(ZooError, match="names of a linker"):
        read_names(tmp_path / "names.jsonl")


def test_an_ambiguous_name_means_what_its_document_is_about(tmp_path: Path) -> None:
    concepts = [Concept("X:1", "cold"), Concept("X:2", "low temperature", (Synonym("cold"),)), Concept("X:3", "frost")]
    Index.build([*concepts, Concept("X:4", "low heat", (Synonym("low temp"),))], tmp_path, ontology="x", version="1")
    index = Index.open(tmp_path)
    ranking = Ranking(weights={"exact": 9.0, "preferred": 1.0, "in_document": 3.0}, none=0.0)
    linker = Linker({"*": Lexicon("*", index, TrainedNames({}))}, {"*": ranking})
    assert linked(linker, "cold", "cold")[0].concept_ids == ("X:1",)
    links = linked(linker, "A low temperature. The cold was bitter.", "low temperature", "cold")
    assert [link.concept_ids for link in links] == [("X:2",), ("X:2",)]


def test_below_the_threshold_there_is_no_link_but_candidates(index: Index) -> None:
    ranking = LEXICAL.model_copy(update={"threshold": 0.999})
    linker = Linker({"Disease": Lexicon("Disease", index, TrainedNames({}))}, {"Disease": ranking})
    (link,) = linker.link_names(["breast canker"], "Disease")
    assert link.concept_ids == ()
    assert link.candidates[0].concept_id == "X:1"
    assert link.score == link.candidates[0].score < 0.999


def test_types_without_an_ontology_stay_as_they_are(index: Index) -> None:
    linker = Linker.lexical({"Disease": index})
    entity = Entity(0, 4, "Gene", 0.9)
    assert linker.link(["wd12 gene"], [[entity]]) == [[entity]]
    with pytest.raises(ZooError, match="no ontology for 'Gene'"):
        linker.link_names(["p53"], "Gene")
    assert linker.link([], []) == []


def test_a_fitted_ranking_prefers_what_was_right_and_is_calibrated() -> None:
    generator = np.random.default_rng(0)
    examples = []
    for _ in range(2000):
        cosines = generator.random(4)
        utilities = np.append(6 * cosines, 4.0)
        chosen = generator.choice(5, p=np.exp(utilities) / np.exp(utilities).sum())
        candidates = [Evidence(f"X:{n}", values={"ngrams": float(c)}) for n, c in enumerate(cosines)]
        examples.append((candidates, [n == chosen for n in range(4)]))
    ranking = fit_ranking(examples)
    for cosines in (0.1, 0.5, 0.9), (0.8, 0.7, 0.2):
        terms = np.exp([*(6 * c for c in cosines), 4.0])
        given = ranking.probabilities([Evidence(f"X:{n}", values={"ngrams": c}) for n, c in enumerate(cosines)])
        assert given == pytest.approx(terms[:-1] / terms.sum(), abs=0.05)
    assert Ranking.model_validate_json(ranking.to_json()) == ranking
    answers = [(max(ranking.probabilities(c)), c, right) for c, right in examples]
    sure = [(p, right[int(np.argmax(ranking.probabilities(c)))]) for p, c, right in answers if p > 0.5]
    assert np.mean([right for _, right in sure]) == pytest.approx(np.mean([p for p, _ in sure]), abs=0.05)
    assert ranking.probabilities([]) == []


def test_the_same_mention_of_a_long_document_is_decided_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = []
    whole = Linker._decide

    def counted(self: Linker, mention: object, *ranked: object) -> Link:
        decided.append(mention)
        return whole(self, mention, *ranked)  # type: ignore[arg-type]

    monkeypatch.setattr(Linker, "_decide", counted)
    text = "breast cancer, myopathy. " * 500
    places = [m.span() for m in re.finditer("breast cancer|myopathy", text)]
    (found,) = Linker.lexical({"*": index}).link([text], [[Entity(*place, "Disease", 0.9) for place in places]])
    assert [entity.concept_ids for entity in found] == [("X:1",), ("X:5",)] * 500 and len(decided) == 2


def test_threads_may_outgrow_what_is_remembered(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.linking.linker._MOST_REMEMBERED", 3)
    linker = Linker.lexical({"*": index})
    names = [f"{name} {number}" for number in range(40) for name in ("breast cancer", "myopathy")]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: linker.link_names([name, "myopathy"]), names))
    assert all(each[1].concept_ids == ("X:5",) for each in answers)


def test_a_linker_of_another_format_is_refused(index: Index, tmp_path: Path) -> None:
    info = LinkerInfo(ontologies={"Disease": "x"}, rankings={"Disease": LEXICAL})
    (tmp_path / LINKER_FILE).write_text(info.to_json())
    (tmp_path / "names.jsonl").write_text("")
    assert Linker.load(tmp_path, {"x": index}).link_names(["myopathy"], "Disease")[0].concept_ids == ("X:5",)
    with pytest.raises(ZooError, match="the linker needs x"):
        Linker.load(tmp_path, {})
    (tmp_path / LINKER_FILE).write_text(info.model_copy(update={"format_version": 2}).to_json())
    with pytest.raises(ZooError, match="format 2, not 1"):
        read_linker(tmp_path)
    (tmp_path / LINKER_FILE).write_text("{}")
    with pytest.raises(ZooError, match="not a linker"):
        read_linker(tmp_path)
