"""A corpus that joins others: what it takes over from them, and what cannot be joined."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.registry.test_loader import message, overlay
from zoo.cards.licenses import judge
from zoo.registry.loader import Registry, load_registry

ENGLISH = {
    **{"id": "english", "title": "English", "description": "x", "format": "conll", "unit": "sentence"},
    "types": {"Disease": "Disease"},
    "license": {"spdx": "MIT", "source": "this test", "publishable": True},
}
NAMES = {"english": "en", "spanish": "es", "swiss": "de-CH"}


def corpus(name: str, **changes: str) -> str:
    fields = {
        "id": name,
        "title": name.title(),
        "description": "Made in this test.",
        "format": "conll",
        "unit": "sentence",
        "language": NAMES.get(name, "en"),
        "types": "{Disease: Disease, Drug: Chemical}",
        "license": "{spdx: CC-BY-4.0, source: this test, publishable: true}",
        **changes,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def joined(*members: str, more: str = "", types: str = "{Disease: Disease, Chemical: Chemical}") -> str:
    source = f"{{kind: joined, corpora: [{', '.join(members)}]}}"
    return f"id: all\ntitle: All\ndescription: All of them.\ntypes: {types}\nsources: [{source}]\n{more}"


def files(**changes: str) -> dict[str, str]:
    entries = {"english": corpus("english"), "spanish": corpus("spanish"), "all": joined("english", "spanish")}
    return {f"corpora/{name}.yaml": text for name, text in {**entries, **changes}.items()}


def registry(folder: Path, **changes: str) -> Registry:
    return load_registry(overlay(folder, files(**changes)))


def test_it_takes_over_languages_unit_and_overlaps(tmp_path: Path) -> None:
    entry = registry(tmp_path, english=corpus("english", overlaps="longest")).corpus("all")
    assert (entry.languages, entry.language, entry.unit, entry.overlaps) == (("en", "es"), "mul", "sentence", "longest")
    assert entry.license.spdx == "CC-BY-4.0" and entry.license.publishable
    assert [part.id for part in entry.parts] == ["english", "spanish"]
    own = registry(tmp_path).corpus("spanish")
    assert (own.parts, own.languages, own.joined) == ((own,), ("es",), None)


@pytest.mark.parametrize(
    ("spdx", "publishable", "together", "audience"),
    [
        ("CC0-1.0", "true", "CC-BY-4.0 AND CC0-1.0", "public"),
        ("CC-BY-SA-4.0 OR MIT", "true", "CC-BY-4.0 AND (CC-BY-SA-4.0 OR MIT)", "public"),
        ("CC-BY-NC-4.0", "true", "CC-BY-4.0 AND CC-BY-NC-4.0", "private"),
        ("CC-BY-4.0", "false", "CC-BY-4.0", "private"),
        ("NOASSERTION", "false", "NOASSERTION", "private"),
        ("LicenseRef-PhysioNet-Credentialed-Health-Data-1.5.0", "false", None, "nobody"),
    ],
)
def test_one_member_that_forbids_it_forbids_the_whole(
    spdx: str, publishable: str, together: str | None, audience: str, tmp_path: Path
) -> None:
    licence = f'{{spdx: "{spdx}", source: here, publishable: {publishable}}}'
    found = registry(tmp_path, spanish=corpus("spanish", license=licence))
    entry = found.corpus("all")
    verdict = judge(found.backbone("pubmedbert-base"), entry)
    assert together in (None, entry.license.spdx)
    assert verdict.audience == audience and entry.license.publishable is (publishable == "true")
    assert all("spanish" in reason for reason in verdict.reasons)
    assert {line.partition(",")[0].partition(":")[0] for line in verdict.attribution} >= {"English"}


def test_an_overlay_that_replaces_a_member_changes_the_joined_one(tmp_path: Path) -> None:
    more = {"corpora/all.yaml": joined("ncbi-disease", "bc5cdr-disease", types="{Disease: Disease}")}
    before = load_registry(overlay(tmp_path / "one", more)).corpus("all")
    swiss = {**more, "corpora/ncbi-disease.yaml": corpus("ncbi-disease", language="de-CH", types="{Disease: Disease}")}
    assert before.languages == ("en",)
    assert load_registry(overlay(tmp_path / "two", swiss)).corpus("all").languages == ("de-CH", "en")


def test_types_are_renamed_and_left_out(tmp_path: Path) -> None:
    changes = {
        "spanish": corpus("spanish", types="{Enfermedad: Cancer, Proteina: Protein}"),
        "all": joined("english", "spanish", types="{Disease: Disease, Cancer: Disease}")
        + "left_out: [Chemical, Protein]\n",
    }
    assert registry(tmp_path, **changes).corpus("all").entity_types == ("Disease",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"all": joined("english", "spanisch")}, "unknown corpus 'spanisch'"),
        ({"all": joined("english", "english")}, "english stands twice"),
        ({"all": joined("english")}, "at least 2 items"),
        ({"all": joined("english", "spanish", more="license: {spdx: MIT}\n")}, "license follows from its members"),
        ({"spanish": corpus("spanish", unit="document")}, "a document of english is a sentence, one of spanish"),
        ({"spanish": corpus("spanish", types="{Disease: Disease}")}, "spanish annotates no Chemical"),
        ({"all": joined("english", "spanish", types="{Disease: Disease}")}, "neither in types nor in left_out"),
        ({"spanish": corpus("spanish", for_evaluation_only="true")}, "spanish has a test split alone"),
        ({"more": joined("all", "english").replace("id: all", "id: more")}, "all is a joined corpus itself"),
        (
            {"all": joined("english", "spanish").replace("sources: [", "sources: [{kind: bundled, path: x}, ")},
            "no other",
        ),
        ({"all": joined("english", "spanish").replace("]}", "], temperature: 0}")}, "temperature"),
        ({"spanish": corpus("spanish", members=f"[{json.dumps(ENGLISH)}]")}, "follow from a joined source"),
    ],
)
def test_what_cannot_be_joined_is_said(changes: dict[str, str], said: str, tmp_path: Path) -> None:
    text = message(tmp_path, files(**changes))
    assert said in text and ".yaml" in text
