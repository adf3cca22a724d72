"""A result as the registry has it now: titles, licences and quotes change no measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.cards.licenses import judge_result, may_quote, passage_obstacles
from zoo.cards.rebuild import rebuild_command
from zoo.evaluation.result import DaptSummary, PassageRecord, Result
from zoo.registry.schema import LicenseInfo
from zoo.registry.spdx import UNKNOWN

if TYPE_CHECKING:
    from zoo.registry.loader import Registry

_NOT_RECORDED = LicenseInfo(spdx=UNKNOWN, source="not recorded in the result", publishable=False)


def current_result(result: Result, registry: Registry) -> Result:
    """The result with titles and licences of the registry, and text of the corpus only where its licence lets it stand.

    Whoever shows or publishes a result takes this one: a licence that was tightened takes the quotes out without
    training again. One whose backbone or corpus the registry does not know stays as it is.

    Args:
        result: As it was measured.
        registry: The registry as it stands.
    """
    backbone, corpus = registry.backbones.get(result.backbone), registry.corpora.get(result.corpus)
    if backbone is None or corpus is None:
        return result
    quotable, record, errors = may_quote(corpus.license), result.corpus_record, result.errors
    examples = {name: list(texts) for name, texts in corpus.examples.items()} or (record.examples if quotable else {})
    changed = result.model_copy(
        update={
            "corpus_record": record.model_copy(
                update={
                    "title": corpus.title,
                    "languages": list(corpus.languages),
                    "license": corpus.license.spdx,
                    "examples": examples,
                }
            ),
            "errors": errors if errors is None or quotable else errors.model_copy(update={"examples": []}),
            "dapt": _current_passages(result.dapt, registry) if result.dapt else None,
        }
    )
    verdict = judge_result(changed, backbone, corpus)
    licence = {"license": verdict.spdx, "publishable": verdict.publishable}
    return changed.model_copy(update={**licence, "rebuild_command": rebuild_command(changed, registry)})


def _current_passages(dapt: DaptSummary, registry: Registry) -> DaptSummary:
    recorded = dapt.sources or [  # built before they were recorded
        PassageRecord(id=name, title=name, license=_NOT_RECORDED) for name in dapt.passages
    ]
    sources = []
    for source in recorded:
        entry = registry.passages.get(source.id)
        now = {name: getattr(entry, name) for name in ("title", "homepage", "license")} if entry else {}
        sources.append(source.model_copy(update=now))
    obstacles = passage_obstacles(sources)
    return dapt.model_copy(update={"sources": sources, "publishable": not obstacles, "reasons": obstacles})
