"""What a result says of licences, titles and quotes follows the registry without training again."""

from __future__ import annotations

from dataclasses import replace

from tests.records import checkpoint, registry, result, result_data
from zoo.cards.current import current_result
from zoo.registry.loader import load_registry
from zoo.registry.schema import LicenseInfo


def test_a_tightened_licence_takes_the_quotes_out() -> None:
    before = result()
    found = current_result(before, registry(checkpoint(publishable=False)))
    assert found.errors is not None and found.errors.examples == [] and found.corpus_record.examples == {}
    assert (found.license, found.publishable, found.corpus_record.license) == ("NOASSERTION", False, "NOASSERTION")
    assert found.errors.classes == before.errors.classes and found.scores == before.scores  # type: ignore[union-attr]


def test_a_loosened_licence_and_a_new_title_are_taken() -> None:
    entry = checkpoint(title="Better notes", examples={"Disease": ["invented"]})
    found = current_result(result(license="NOASSERTION", publishable=False), registry(entry))
    assert (found.license, found.publishable, found.corpus_record.title) == ("MIT", True, "Better notes")
    assert found.corpus_record.examples == {"Disease": ["invented"]} and found.errors == result().errors


def test_passages_have_the_licence_that_the_registry_gives_them_now() -> None:
    known = registry(checkpoint())
    tight = LicenseInfo(spdx="CC-BY-NC-4.0", source="its page", publishable=True)
    entry = known.passage("pubmed-abstracts").model_copy(update={"id": "some_trials", "license": tight})
    found = current_result(result(), replace(known, passages={**known.passages, "some_trials": entry}))
    assert found.dapt is not None and not found.dapt.publishable and not found.publishable
    assert [source.license.spdx for source in found.dapt.sources] == ["CC0-1.0", "CC-BY-NC-4.0"]


def test_passages_without_a_record_are_not_taken_for_free() -> None:
    dapt = result_data()["dapt"]
    dapt.pop("sources")
    found = current_result(result(dapt=dapt), registry(checkpoint()))
    assert found.dapt is not None and "not recorded in the result" in found.dapt.reasons[0]


def test_what_the_registry_does_not_know_stays() -> None:
    assert current_result(result(), load_registry()) == result()
