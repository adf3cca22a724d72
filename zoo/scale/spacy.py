"""The component `zoo` of spaCy: `nlp.add_pipe("zoo", config={"models": [...]})`, found by its entry point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch

from zoo.errors import ZooError
from zoo.modeling.device import Precision

if TYPE_CHECKING:  # spaCy imports this module with the first pipeline, whether or not it has the component
    from zoo.scale.answers import Answers
    from zoo.tagging.texts import Tagged

Alignment = Literal["strict", "contract", "expand"]


class EntityTagger:
    """Finds entities in the text of a `Doc`, whatever its tokens.

    `doc.spans[spans_key]` has all entities of all models, also those inside others; its `attrs` have `scores`, exact
    `offsets` in characters and `models`, each in the order of the spans. `doc.ents` has those that do not overlap,
    longer ones first; entities of components before this one stay where none of these is.

    Args:
        models: Checkpoint folders, adapters, model folders or Hub ids; loaded with the first document.
        alignment_mode: Where an entity ends inside a token: `expand` takes all of the token, `contract` none of it,
            `strict` leaves the entity out.
        spans_key: Of `doc.spans`.
        precision: Number format, as of `Tagger.tag`.

    Raises:
        ZooError: No model is named.
    """

    def __init__(self, models: list[str], alignment_mode: Alignment, spans_key: str, precision: Precision) -> None:
        if not models:
            raise ZooError("no model is named", where="component zoo", fix='config={"models": [DIR_OR_ID]}')
        self._models, self._precision = tuple(models), precision
        self._alignment_mode, self._spans_key = alignment_mode, spans_key
        self._answers: Answers | None = None

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one document."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate documents, so many at a time in one pass through the models.

        Raises:
            ZooError: A model cannot be loaded.
        """
        from zoo.tagging.texts import Text

        self._answers = self._answers or self._load()
        for docs in minibatch(stream, batch_size):
            for doc, tagged in zip(docs, self._answers(Text("", doc.text) for doc in docs), strict=True):
                self._annotate(doc, tagged)
                yield doc

    def _load(self) -> Answers:
        from zoo.modeling.quiet import quiet_libraries
        from zoo.scale.answers import Answers, Question
        from zoo.tagging.tagger import Tagger

        quiet_libraries()
        return Answers(Question(self._models, self._precision), Tagger.load_all(self._models))

    def _annotate(self, doc: Doc, tagged: Tagged) -> None:
        spans: list[Span] = []
        scores, offsets, models = [], [], []
        for model, entities in zip(self._models, tagged.entities, strict=True):
            for entity in entities:
                span = doc.char_span(entity.start, entity.end, label=entity.type, alignment_mode=self._alignment_mode)
                if span:  # None, or nothing of it is left
                    spans.append(span)
                    scores.append(entity.score)
                    offsets.append([entity.start, entity.end])
                    models.append(model)
        doc.spans[self._spans_key] = spans
        doc.spans[self._spans_key].attrs.update(scores=scores, offsets=offsets, models=models)
        found = filter_spans(spans)
        taken = {token.i for span in found for token in span}
        doc.ents = [*found, *(span for span in doc.ents if not taken & {token.i for token in span})]


@Language.factory(  # type: ignore[untyped-decorator]
    "zoo",
    assigns=["doc.ents", "doc.spans"],
    default_config={"alignment_mode": "expand", "spans_key": "zoo", "precision": "auto"},
)
def make_entity_tagger(
    nlp: Language, name: str, models: list[str], alignment_mode: Alignment, spans_key: str, precision: Precision
) -> EntityTagger:
    """Make the component; the configuration is stored with the pipeline (`nlp.to_disk`), not the models.

    Raises:
        ZooError: No model is named.
    """
    return EntityTagger(models, alignment_mode, spans_key, precision)
