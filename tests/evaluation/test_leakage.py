"""Duplicates between splits and corpora, test text in passages: counts that are known, and brute force."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.corpora.document import Document
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.retry import FetchOptions
from zoo.corpora.similarity import bands, near_duplicates, normalise, sentences, shingle_sets, words
from zoo.errors import ZooError
from zoo.evaluation.leakage import LeakageReport, Overlap, check_corpora, leaked_test_documents
from zoo.passages.contamination import check_passages
from zoo.passages.load import read_passage_files
from zoo.passages.passage import Passage
from zoo.registry.loader import load_registry
from zoo.registry.schema import CorpusEntry, LicenseInfo

SAME = "Aspirin lowers the risk of a second heart attack in men over fifty years of age ."
NEARLY = "Aspirin lowers the risk of a second heart attack in men over fifty years of life ."
OTHER = "The zebrafish embryos were fixed overnight and stained for alkaline phosphatase activity ."
TINY = st.lists(st.sampled_from("abc"), max_size=12)


def corpus(
    name: str, *, train: Sequence[str], test: Sequence[str], dev: Sequence[str] = (), unit: str = "sentence"
) -> Corpus:
    entry = CorpusEntry(
        id=name,
        title=name,
        description="",
        format="jsonl",
        unit=unit,
        types={"Disease": "Disease"},
        license=LicenseInfo(spdx="CC0-1.0", source="tests", publishable=True),
    )
    texts = {"train": train, "dev": dev, "test": test}
    splits = {split: tuple(Document(f"{split}-{i}", t) for i, t in enumerate(items)) for split, items in texts.items()}
    return Corpus(entry=entry, splits=splits, source="tests", fingerprints={})


def between(overlaps: Sequence[Overlap], reference: str, split: str, level: str = "sentence") -> Overlap:
    (found,) = [o for o in overlaps if (o.reference_split, o.split, o.level) == (reference, split, level)]
    return found


@pytest.fixture(scope="module")
def real(shared_data: Path) -> dict[str, Corpus]:
    """The smaller ones: sentences and documents, one type and several."""
    registry = load_registry()
    return {
        folder.name: load_corpus(
            registry.corpus(folder.name),
            registry_folder=registry.folders[f"corpora/{folder.name}"],
            local=shared_data / "corpora",
            options=FetchOptions(offline=True),
        )
        for folder in sorted((shared_data / "corpora").iterdir())
        if folder.name in ("bc5cdr-disease", "bionlp2013-cg", "cll", "linnaeus", "ncbi-disease", "species-800")
    }


def test_normal_form_and_words() -> None:
    assert normalise("E\u0301tat\u00a0de cho\u00adc") == "état de choc" and words("Cafe\u0301") == words("café")
    assert normalise("  TNF \t- Alpha\n") == "tnf - alpha"
    assert words("TNF-α (p53_x), 1.5%") == ["tnf", "α", "p53", "x", "1", "5"]


def test_sentences_of_a_document_end_at_lines_and_full_stops() -> None:
    text = "Plan: rest. No fever!\r\n\r\n  BP 120/80, temp 37.5 today"
    entry = load_registry().corpus("craft")
    assert entry.unit == "document"
    assert sentences(Document("a", text), entry) == ["Plan: rest.", "No fever!", "BP 120/80, temp 37.5 today"]
    assert sentences(Document("a", text), entry.model_copy(update={"unit": "sentence"})) == [text]
    russian = entry.model_copy(update={"language": "ru"})
    assert sentences(Document("a", "Через 2 нед. прошло. Боли нет."), russian) == ["Через 2 нед. прошло.", "Боли нет."]


def shingles(text: Sequence[str], size: int = 3) -> set[tuple[str, ...]]:
    if len(text) < size:
        return {tuple(text)} if text else set()
    return {tuple(text[i : i + size]) for i in range(len(text) - size + 1)}


def jaccard(a: Sequence[str], b: Sequence[str]) -> float:
    union = shingles(a) | shingles(b)
    return len(shingles(a) & shingles(b)) / len(union) if union else 0.0


@given(st.lists(TINY, max_size=6))
def test_similarity_is_that_of_the_shingle_sets(texts: list[list[str]]) -> None:
    sets = shingle_sets(texts)
    for i, j in itertools.product(range(len(texts)), repeat=2):
        assert sets.jaccard(i, j) == pytest.approx(jaccard(texts[i], texts[j]))


@settings(deadline=None, max_examples=40)
@given(st.lists(TINY, min_size=2, max_size=12), st.sampled_from([0.5, 0.8, 1.0]))
def test_near_duplicates_are_those_of_brute_force(texts: list[list[str]], threshold: float) -> None:
    half = len(texts) // 2
    reference, compared = range(half + 1), range(half, len(texts))
    found = near_duplicates(texts, reference, compared, threshold)
    expected = {(j, i) for i in reference for j in compared if i != j and jaccard(texts[i], texts[j]) >= threshold}
    assert {(j, i) for j, others in found.items() for i in others} == expected
    assert all(value == pytest.approx(jaccard(texts[i], texts[j])) for j, o in found.items() for i, value in o.items())


def test_bands_keep_the_promise_at_the_threshold() -> None:
    for threshold in (0.5, 0.65, 0.8, 0.95):
        assert (1 - threshold**3) ** bands(threshold) <= 1e-6
        assert (1 - threshold**3) ** (bands(threshold) - 1) > 1e-6 or bands(threshold) == 2


@pytest.mark.parametrize("threshold", [0.0, 0.49, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(ZooError, match=r"0\.5 to 1"):
        check_corpora([corpus("a", train=[SAME], test=[SAME])], threshold=threshold)


def test_exact_near_and_verbatim_are_counted_apart() -> None:
    data = corpus(
        "a",
        train=[SAME, "Methods :", "methods :", OTHER],
        dev=["METHODS :"],
        test=[OTHER[:40], SAME, NEARLY, "Methods :", "METHODS  :", "METHODS", ". . ."],
    )
    within, across = check_corpora([data])
    found = between(within, "train", "test")
    assert (found.texts, found.verbatim_distinct, found.exact, found.near, found.longer) == (7, 2, 3, 2, 2)
    assert found.leaked_documents == (1, 2, 3, 4, 5)
    assert (found.leaked, found.leaked_share) == (5, pytest.approx(5 / 7))
    assert found.examples[0].text == SAME and found.examples[0].similarity == 1
    near = next(e for e in found.examples if e.document == 2)
    assert near.reference_text == SAME and near.similarity == pytest.approx(jaccard(words(SAME), words(NEARLY)))
    assert between(within, "train", "dev").exact == 1 and between(within, "train", "dev").verbatim_distinct == 0
    assert between(within, "dev", "test").exact == 2
    assert across == ()
    assert leaked_test_documents(data) == found


def test_an_example_shows_the_nearest_text_of_the_reference() -> None:
    text = [f"word{i}" for i in range(40)]
    far, near, other = [" ".join([*text[:-n], *"xyz"[:n]]) for n in (3, 1, 2)]
    data = corpus("a", train=[far, near, other], test=[" ".join(text)])
    (example,) = leaked_test_documents(data).examples
    assert example.reference_text == near[:240] and example.similarity == pytest.approx(37 / 39)


def test_at_a_threshold_of_one_only_other_punctuation_is_near() -> None:
    data = corpus("a", train=[SAME], test=[NEARLY, SAME.replace(" .", "!")])
    (found,) = [o for o in check_corpora([data], threshold=1.0)[0] if (o.reference_split, o.split) == ("train", "test")]
    assert (found.exact, found.near, found.leaked_documents) == (0, 1, (1,))


def test_documents_are_compared_whole_and_by_sentence() -> None:
    note = f"{SAME}\nNo known allergies."
    data = corpus("a", train=[note], test=[f"{OTHER}\n{SAME}", note.upper(), OTHER], unit="document")
    within, _ = check_corpora([data])
    assert between(within, "train", "test", "document").leaked_documents == (1,)
    by_sentence = between(within, "train", "test", "sentence")
    assert (by_sentence.leaked_documents, by_sentence.texts, by_sentence.exact) == ((0, 1), 5, 3)
    assert leaked_test_documents(data).leaked_documents == (1,)


def test_train_is_compared_with_the_test_split_of_every_other_corpus() -> None:
    first = corpus("first", train=[SAME], test=[OTHER])
    second = corpus("second", train=[OTHER], test=["Nothing here .", NEARLY])
    third = corpus("third", train=["Quite another text ."], test=[SAME + " " + OTHER], unit="document")
    _, across = check_corpora([first, second, third])
    leaks = {(o.reference_corpus, o.corpus): (o.exact, o.near, o.leaked_documents) for o in across if o.leaked}
    assert leaks == {
        ("first", "second"): (0, 1, (1,)),
        ("second", "first"): (1, 0, (0,)),
        ("first", "third"): (1, 0, (0,)),
        ("second", "third"): (1, 0, (0,)),
    }
    assert {o.level for o in across} == {"sentence"}
    within, across = check_corpora([first, second, third], names=["second"])
    assert {o.corpus for o in within} == {"second"} and {o.reference_corpus for o in across} == {"second"}


def test_the_result_does_not_depend_on_chance_or_order() -> None:
    corpora = [corpus("a", train=[SAME, OTHER], test=[NEARLY]), corpus("b", train=[NEARLY], test=[OTHER, SAME])]
    reports = []
    for order in (corpora, corpora[::-1], corpora):
        within, across = check_corpora(order)
        key = [sorted(o.model_dump_json() for o in part) for part in (within, across)]
        reports.append(key)
        report = LeakageReport(threshold=0.8, within=within, across=across)
        assert LeakageReport.model_validate_json(report.model_dump_json()) == report
    assert reports[0] == reports[1] == reports[2]


RUN = "one two three four five six seven eight nine ten eleven twelve thirteen"


@pytest.mark.parametrize(
    ("test", "passage", "runs", "whole"),
    [
        (f"start {RUN} end", f"Before, {RUN.upper()}; after.", 1, 0),
        (f"start {RUN} end", f"Before, {RUN.replace('nine', 'NINE -')}.", 1, 0),
        (f"start {RUN} end", f"Before {RUN.removesuffix(' thirteen')} after", 0, 0),
        (f"{RUN} end", f"Before {RUN} end after", 1, 1),
        (f"{RUN} end", f"Before {RUN}", 1, 0),
        ("acute renal failure was seen .", "In all, acute renal failure was seen (3%).", 0, 1),
        ("renal failure was seen .", "In all, renal failure was seen (3%).", 0, 0),
        ("acute renal failure was seen .", "In all, acute renal failure was not seen.", 0, 0),
        ("acute renal failure was seen .", "was seen", 0, 0),
        (". . .", ". . . . .", 0, 0),
    ],
)
def test_runs_and_whole_sentences_in_a_passage(test: str, passage: str, runs: int, whole: int) -> None:
    data = corpus("a", train=[], test=["Nothing of it stands there at all .", test])
    (found,) = check_passages("p", [Passage("x", "Some other text."), Passage("y", passage)], [data])
    assert (found.run_documents, found.sentence_documents, found.passages_read, found.documents) == (runs, whole, 2, 2)
    assert found.leaked_documents == ((1,) if runs or whole else ())
    assert found.passages_hit == len(found.examples) == (1 if runs or whole else 0)
    if found.examples:
        assert found.examples[0].passage_id == "y" and found.examples[0].words in " ".join(words(passage))


def test_no_run_goes_over_the_end_of_a_passage_or_document() -> None:
    head, tail = RUN[: RUN.index(" six")], RUN[RUN.index("six") :]
    data = corpus("a", train=[], test=[f"start {head}", f"{tail} end", f"start {RUN} end"])
    (found,) = check_passages("p", [Passage("x", f"start {head}"), Passage("y", f"{tail} end")], [data])
    assert (found.run_documents, found.sentence_documents, found.leaked_documents) == (0, 2, (0, 1))


def test_a_sentence_of_a_longer_document_counts_and_runs_cross_sentences() -> None:
    half, rest = RUN[: RUN.index(" six")], RUN[RUN.index("six") :]
    data = corpus("a", train=[], test=[f"Seen before. {half}. {rest}. Unseen."], unit="document")
    (found,) = check_passages("p", [Passage("x", f"We saw {half} only")], [data])
    assert (found.run_documents, found.sentence_documents) == (0, 1)
    (found,) = check_passages("p", [Passage("x", RUN)], [data])
    assert (found.run_documents, found.sentence_documents) == (1, 1)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from("ab"), max_size=18), min_size=1, max_size=4),
    st.lists(st.lists(st.sampled_from("abx"), max_size=24), max_size=3),
)
def test_passages_are_searched_as_by_brute_force(tests: list[list[str]], passages: list[list[str]]) -> None:
    def holds(passage: list[str], part: list[str]) -> bool:
        return any(passage[i : i + len(part)] == part for i in range(len(passage) - len(part) + 1))

    data = corpus("a", train=[], test=[" ".join(t) for t in tests])
    (found,) = check_passages("p", [Passage(str(i), " ".join(p)) for i, p in enumerate(passages)], [data])
    runs = {d for d, t in enumerate(tests) for i in range(len(t) - 12) for p in passages if holds(p, t[i : i + 13])}
    whole = {d for d, t in enumerate(tests) if len(t) >= 5 and any(holds(p, t) for p in passages)}
    assert (found.run_documents, found.sentence_documents) == (len(runs), len(whole))
    assert found.leaked_documents == tuple(sorted(runs | whole))


def test_many_passages_are_streamed_with_their_own_ids() -> None:
    data = corpus("a", train=[], test=[f"start {RUN} end"])
    passages = (Passage(f"p{i}", RUN if i % 2000 == 321 else f"text number {i}") for i in range(5000))
    (found,) = check_passages("p", passages, [data])
    assert (found.passages_read, found.passages_hit) == (5000, 3)
    assert [example.passage_id for example in found.examples] == ["p321", "p2321", "p4321"]


def test_shared_sentences_are_those_that_the_sources_count(real: dict[str, Corpus], shared_data: Path) -> None:
    """SOURCE.md counts different sentences, character for character."""
    counted = {}
    for name in real:
        match = re.search(
            r"shared between splits: (\{.*\})", (shared_data / "corpora" / name / "SOURCE.md").read_text()
        )
        assert match, name
        counted[name] = ast.literal_eval(match[1])
    within = [item for one in real.values() for item in check_corpora([one])[0]]
    found: dict[str, dict[str, int]] = {name: {} for name in real}
    for item in within:
        found[item.corpus][f"{item.reference_split}&{item.split}"] = item.verbatim_distinct
        assert item.exact + item.near == len(item.leaked_documents) == item.leaked
    assert found == counted
    assert found["linnaeus"]["train&test"] == 144 and found["ncbi-disease"]["train&dev"] == 5


def test_real_passages_are_clear_of_the_test_sets(real: dict[str, Corpus], shared_data: Path) -> None:
    overlaps = check_passages("real", read_passage_files(shared_data / "passages"), list(real.values()))
    assert [(o.corpus, o.leaked_documents, o.passages_read) for o in overlaps] == [(n, (), 14813) for n in real]


def test_real_train_text_is_found_in_passages(real: dict[str, Corpus]) -> None:
    """The same check finds what is there: test sentences put into passages."""
    data = real["ncbi-disease"]
    chosen = [i for i, d in enumerate(data.splits["test"]) if len(words(d.text)) >= 5][:50]
    passages = [Passage(str(i), "Before it. " + data.splits["test"][i].text) for i in chosen]
    (found,) = check_passages("planted", passages, [data])
    assert set(chosen) <= set(found.leaked_documents) and found.passages_hit == 50
    assert found.sentence_documents >= 50


@pytest.fixture
def registry_folder(tmp_path: Path) -> Path:
    """Two corpora of a user; a test sentence of one stands in train of the other."""
    folder = tmp_path / "registry"
    (folder / "corpora").mkdir(parents=True)
    texts = {"mine": (SAME, OTHER), "yours": (OTHER + " It was blue .", SAME)}
    for name, (train, test) in texts.items():
        (folder / name).mkdir()
        for split, text in (("train", train), ("dev", "Nothing else ."), ("test", test)):
            line = json.dumps({"id": "1", "text": text, "spans": []})
            (folder / name / f"{split}.jsonl").write_text(line + "\n")
        (folder / "corpora" / f"{name}.yaml").write_text(
            f"id: {name}\ntitle: {name}\ndescription: ''\nformat: jsonl\nunit: sentence\ntypes: {{Disease: Disease}}\n"
            "license: {spdx: CC0-1.0, source: tests, publishable: true}\n"
            f"sources: [{{kind: bundled, path: {name}}}]\n"
        )
    return folder


def test_the_command_prints_what_leaks(zoo: Callable[..., Any], registry_folder: Path) -> None:
    passages = registry_folder / "raw.txt"
    passages.write_text(f"Clean.\n\nHere {OTHER}\n")
    arguments = ["corpora", "check", "mine", "--passages", passages, "--registry", registry_folder]
    report = json.loads(zoo(*arguments, "--json").stdout)
    (leak,) = [item for item in report["across"] if item["leaked_documents"]]
    assert (leak["reference_corpus"], leak["corpus"], leak["exact"]) == ("mine", "yours", 1)
    assert [item["corpus"] for item in report["within"]] == ["mine"] * 3
    (held,) = report["passages"]
    assert (held["passages"], held["passages_read"], held["sentence_documents"]) == ("raw.txt", 2, 1)
    LeakageReport.model_validate(report)
    shown = zoo(*arguments).stdout
    assert "raw.txt: 2 passages are clear of 0 of 1 test splits" in shown and "mine train  yours test" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "0.2"], "the threshold 0.2 is not a similarity"),
        (["--passages", "sample-pasages"], "did you mean sample-passages?"),
        (["yuors"], "did you mean yours?"),
    ],
)
def test_the_command_refuses_in_one_message(
    zoo: Callable[..., Any], registry_folder: Path, arguments: list[str], message: str
) -> None:
    done = zoo("corpora", "check", *arguments, "--registry", registry_folder, check=2)
    assert message in done.stderr and "Traceback" not in done.stderr and not done.stdout
