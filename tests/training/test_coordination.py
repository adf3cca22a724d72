"""What is learned of discontinuous mentions, and that a trained model finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.training.conftest import TYPES, Tiny, label_space, recipe, sentences
from zoo.corpora.document import Document, Span
from zoo.files import write_whole
from zoo.modeling.adapters import DISCONTINUOUS_FILE
from zoo.modeling.heads import heads_of
from zoo.modeling.lora import each_head, round_adapter, save_adapter
from zoo.modeling.windows import Entity
from zoo.tagging.stream import tag_stream
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text
from zoo.training.coordination import learn_splitter


def with_gaps(documents: Sequence[Document]) -> list[Document]:
    """The documents, each with a discontinuous disease from its first mention to its last; and some that have none."""
    text = "Asthma was no reason for aspirin ."
    traps = [Document(f"trap-{n}", text, (Span(0, 6, "Disease"), Span(25, 32, "Chemical"))) for n in range(6)]
    broken = []
    for document in documents:
        spans = sorted(document.spans)
        if len(spans) > 1:
            parts = ((spans[0].start, spans[0].end), (spans[-1].start, spans[-1].end))
            spans.append(Span(spans[0].start, spans[-1].end, "Disease", (), parts))
        broken.append(replace(document, spans=tuple(sorted(spans))))
    return broken + traps


def cells(text: str, *, broken: bool = True) -> Document:
    """`X and Y cells` with its mention in one piece, and the other if it is annotated."""
    end = text.index("cells") + 5
    middle = text.index(" and ") + 5
    spans = [Span(middle, end, "Cell")]
    if broken:
        first = text.index(" ", 2) + 1
        spans.append(Span(first, end, "Cell", (), ((first, middle - 5), (end - 5, end))))
    return Document(text, text, tuple(sorted(spans)))


KINDS = ("T", "B", "mast", "glial", "rod")


def corpus(*, broken: bool) -> list[Document]:
    pairs = [(one, other) for one in KINDS for other in KINDS if one != other]
    return [
        cells(f"The {one} and {other} cells {word}", broken=broken) for word in ("die", "live") for one, other in pairs
    ]


def test_a_type_that_pays_is_learned_with_what_speaks_against_a_candidate() -> None:
    traps = []
    for number in range(20):
        kind, other = KINDS[number % 5], KINDS[(number + 1) % 5]
        text = f"{kind} mice have {other} cells"
        traps.append(Document(text + str(number), text, (Span(text.index(other), len(text), "Cell"),)))
    traps.append(Document("a name too long for the file", f"{'x' * 400} cells", (Span(0, 406, "Cell"),)))
    splitter, scores = learn_splitter([*corpus(broken=True), *traps], ["Gene", "Cell"])
    assert scores.keys() == {"Cell"} and scores["Cell"].kept and scores["Cell"].mentions == 40
    assert scores["Cell"].right >= 36 and scores["Cell"].wrong == 0
    assert splitter.types["Cell"].names == tuple(sorted(f"{kind.lower()} cell" for kind in KINDS))
    for text, whole, expected in (
        ("New glial and B cells", 14, [((4, 9), (16, 21))]),
        ("T mice have mast cells", 12, []),
    ):
        found = splitter.find(text, [Entity(whole, len(text), "Cell", 0.9)])
        assert [entity.fragments for entity in found if entity.fragments] == expected


def test_a_type_that_does_not_pay_is_left_out_and_said_so() -> None:
    mixed = [*corpus(broken=True)[:20], *(replace(d, id=d.id + "2") for d in corpus(broken=False))]
    splitter, scores = learn_splitter(mixed, ["Cell"])
    assert scores["Cell"].mentions == 20 and not scores["Cell"].kept and not splitter.types
    assert learn_splitter(corpus(broken=True)[:19], ["Cell"]) == (splitter, {})  # too few
    alone = [cells(f"The {n}x and {n}y cells die") for n in range(20)]  # no name of one is in another
    assert not learn_splitter(alone, ["Cell"])[1]["Cell"].kept
    trap = Document("trap", "T mice have B cells", (Span(12, 19, "Cell"),))
    assert not learn_splitter([trap, *corpus(broken=True)], ["Cell"])[1]["Cell"].kept  # four folds have none to avoid


def test_what_is_learned_does_not_depend_on_the_process() -> None:
    first, second = (learn_splitter(with_gaps(sentences(6)), TYPES)[0].to_json() for _ in range(2))
    assert first == second and '"Disease"' in first


def test_a_trained_model_finds_discontinuous_mentions(tiny: Tiny, tmp_path: Path) -> None:
    heads, gold = heads_of("flat", TYPES), with_gaps(sentences(1))
    model, log = tiny.train(recipe(epochs=80, patience=80), train=with_gaps(sentences(2)), dev=gold, heads=heads)
    assert log.best_dev_micro_f1 > 0.75
    round_adapter(model)
    next(iter(each_head(model, label_space(), heads)))
    save_adapter(model, tmp_path, str(tiny.base))
    texts = [document.text for document in gold]
    plain = Tagger.load(tmp_path).tag(texts)
    splitter, _ = learn_splitter(with_gaps(sentences(6)), TYPES)
    write_whole(tmp_path / DISCONTINUOUS_FILE, splitter.to_json())
    tagger = Tagger.load(tmp_path)
    found = tagger.tag(texts)
    assert [[entity for entity in each if not entity.fragments] for each in found] == plain
    broken = [{span.key for span in document.spans if span.fragments} for document in gold]
    assert [{entity.key for entity in each if entity.fragments} for each in found] == broken and any(broken)
    streamed = [tagged.entities[0] for tagged in tag_stream([tagger], [Text(str(n), t) for n, t in enumerate(texts)])]
    assert [[entity.key for entity in each] for each in streamed] == [[entity.key for entity in each] for each in found]
