"""What may be published follows from the licences of backbone, corpus and passages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.cards.license_table import license_page, license_rows
from zoo.cards.licenses import LicenseVerdict, check_publication, judge, license_terms, license_url, may_quote
from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import Backbone, CorpusEntry, LicenseInfo

TABLE = Path(__file__).parents[2] / "model_cards" / "licenses.md"


def licence(spdx: str, publishable: bool = True, note: str = "") -> LicenseInfo:
    return LicenseInfo(spdx=spdx, source=f"where {spdx} was read", publishable=publishable, note=note)


def pair(backbone: LicenseInfo, corpus: LicenseInfo) -> tuple[Backbone, CorpusEntry]:
    registry = load_registry()
    return (
        registry.backbone("pubmedbert-base").model_copy(update={"license": backbone}),
        registry.corpus("ncbi-disease").model_copy(update={"license": corpus}),
    )


def passages(info: LicenseInfo) -> PassageEntry:
    return load_registry().passage("pubmed-abstracts").model_copy(update={"license": info})


def verdict(backbone: str = "MIT", corpus: str = "CC0-1.0", *mixture: LicenseInfo) -> LicenseVerdict:
    return judge(*pair(licence(backbone), licence(corpus)), [passages(info) for info in mixture])


@pytest.mark.parametrize(
    ("backbone", "corpus", "spdx", "notes"),
    [
        ("MIT", "CC0-1.0", "MIT", ()),
        ("Apache-2.0", "CC-BY-4.0", "Apache-2.0", ()),
        ("MIT", "CC-BY-SA-3.0", "CC-BY-SA-3.0", ("share-alike: corpus ncbi-disease is CC-BY-SA-3.0",)),
        ("GPL-3.0-only", "CC-BY-4.0", "GPL-3.0-only", ("share-alike: backbone pubmedbert-base is GPL-3.0-only",)),
        ("MIT OR CC-BY-NC-4.0", "CC-BY-4.0", "MIT OR CC-BY-NC-4.0", ()),
        ("Apache-2.0 WITH LLVM-exception", "CC0-1.0", "Apache-2.0 WITH LLVM-exception", ()),
    ],
)
def test_publishable(backbone: str, corpus: str, spdx: str, notes: tuple[str, ...]) -> None:
    found = verdict(backbone, corpus)
    assert (found.audience, found.spdx, found.reasons, found.notes) == ("public", spdx, (), notes)
    assert found.publishable and found.private_allowed


@pytest.mark.parametrize(
    ("backbone", "corpus", "why"),
    [
        ("MIT", "NOASSERTION", "no licence is known"),
        ("MIT", "no such licence", "no licence is known"),
        ("MIT", "<b>|", "no licence is known"),
        ("", "CC0-1.0", "no licence is known"),
        ("MIT", "CC-BY-NC-4.0", "non-commercial"),
        ("CC-BY-NC-SA-4.0", "MIT", "non-commercial"),
        ("MIT", "PolyForm-Noncommercial-1.0.0", "non-commercial"),
        ("MIT", "CC-BY-ND-4.0", "derived from it may not be shared"),
        ("MIT", "MIT AND CC-BY-NC-4.0", "non-commercial"),
        ("GPL-3.0-only", "CC-BY-SA-4.0", "exclude each other: GPL-3.0-only, CC-BY-SA-4.0"),
    ],
)
def test_privately_only_although_the_entry_says_publishable(backbone: str, corpus: str, why: str) -> None:
    found = verdict(backbone, corpus)
    assert found.audience == "private" and not found.publishable and found.private_allowed
    assert found.spdx == "NOASSERTION"
    assert any(why in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("backbone", "corpus", "named"),
    [
        (licence("NOASSERTION", False), licence("CC0-1.0"), ["backbone pubmedbert-base"]),
        (licence("MIT"), licence("CC-BY-SA-3.0", False), ["corpus ncbi-disease"]),
        (licence("A", False), licence("B", False), ["backbone pubmedbert-base", "corpus ncbi-disease"]),
    ],
)
def test_one_part_that_may_not_be_published_forbids_the_whole(
    backbone: LicenseInfo, corpus: LicenseInfo, named: list[str]
) -> None:
    found = judge(*pair(backbone, corpus))
    assert found.audience == "private" and found.spdx == "NOASSERTION"
    assert len(found.reasons) == len(named)
    for reason, name in zip(found.reasons, named, strict=True):
        assert reason.startswith(name) and "was read" in reason


@pytest.mark.parametrize("publishable", [True, False])
def test_credentialed_text_stays_on_the_machine(publishable: bool) -> None:
    info = licence("LicenseRef-PhysioNet-Credentialed-1.5.0", publishable, "a note")
    found = verdict("MIT", "CC-BY-NC-4.0", info)
    assert found.audience == "nobody" and not found.private_allowed
    assert "credentialed users" in found.reasons[-1] and "non-commercial" in found.reasons[0]


def test_weights_of_passages_without_one_licence_are_the_registrys_decision() -> None:
    assert verdict("MIT", "CC0-1.0", licence("NOASSERTION", True, "why this may be.")).notes == (
        "passages pubmed-abstracts: why this may be",
    )
    assert verdict("MIT", "CC0-1.0", licence("NOASSERTION", True, "why")).publishable
    assert verdict("MIT", "CC0-1.0", licence("NOASSERTION", True)).audience == "private"
    assert verdict("MIT", "CC0-1.0", licence("NOASSERTION", False, "why not")).audience == "private"
    assert verdict("MIT", "CC0-1.0", licence("CC-BY-NC-4.0", True, "why")).audience == "private"


def test_share_alike_of_one_family_takes_the_newest() -> None:
    found = verdict("MIT", "CC-BY-SA-3.0", licence("CC-BY-SA-4.0"))
    assert found.publishable and found.spdx == "CC-BY-SA-4.0" and len(found.notes) == 2


def test_whom_to_name() -> None:
    found = verdict("MIT", "CC-BY-4.0", licence("CC0-1.0"), licence("LicenseRef-US-Government-Works"))
    backbone, corpus = found.attribution
    assert "PubMedBERT" in backbone and backbone.endswith(": MIT, https://spdx.org/licenses/MIT.html")
    assert "Doğan" in corpus and "ncbi.nlm.nih.gov" in corpus and "CC-BY-4.0" in corpus


def test_a_base_has_no_corpus() -> None:
    backbone, _ = pair(licence("MIT"), licence("MIT"))
    assert judge(backbone).spdx == "MIT"
    assert judge(backbone, None, [passages(licence("CC-BY-ND-4.0"))]).audience == "private"


@pytest.mark.parametrize(
    ("spdx", "terms"),
    [
        ("MIT", set()),
        ("CC0-1.0", {"public-domain"}),
        ("CC-BY-NC-SA-4.0", {"non-commercial", "share-alike"}),
        ("CC-BY-NC-ND-4.0", {"non-commercial", "no-derivatives"}),
        ("NASA-1.3", set()),
        ("(MIT OR GPL-2.0-only)", set()),
        ("(MIT AND GPL-2.0-only)", {"share-alike"}),
        ("NOASSERTION", {"unknown"}),
        ("LicenseRef-research-only", {"non-commercial"}),
        ("LicenseRef-i2b2-DUA", {"credentialed"}),
    ],
)
def test_terms(spdx: str, terms: set[str]) -> None:
    assert license_terms(spdx) == terms


@pytest.mark.parametrize(
    ("spdx", "url"),
    [
        ("mit", "https://spdx.org/licenses/MIT.html"),
        ("MIT OR Apache-2.0", None),
        ("NOASSERTION", None),
        ("LicenseRef-X", None),
    ],
)
def test_license_url(spdx: str, url: str | None) -> None:
    assert license_url(spdx) == url


def test_what_may_be_quoted() -> None:
    assert may_quote(licence("CC-BY-4.0")) and may_quote(licence("CC-BY-SA-3.0"))
    for info in (licence("CC-BY-4.0", False), licence("NOASSERTION", True, "why"), licence("CC-BY-NC-4.0")):
        assert not may_quote(info)


@pytest.mark.parametrize(
    ("found", "private", "fix"),
    [
        (LicenseVerdict("NOASSERTION", "private", ("corpus x: why",)), False, "--private pushes it"),
        (LicenseVerdict("NOASSERTION", "nobody", ("corpus x: why",)), False, "keep it on this machine"),
        (LicenseVerdict("NOASSERTION", "nobody", ("corpus x: why",)), True, "keep it on this machine"),
    ],
)
def test_the_gate_refuses_with_the_reason(found: LicenseVerdict, private: bool, fix: str) -> None:
    with pytest.raises(ZooError, match="a/b may not be pushed: corpus x: why") as caught:
        check_publication("a/b", found, private=private)
    assert caught.value.fix and caught.value.fix.startswith(fix)


def test_the_gate_lets_through() -> None:
    check_publication("a/b", LicenseVerdict("MIT", "public"), private=False)
    check_publication("a/b", LicenseVerdict("MIT", "public"), private=True)
    check_publication("a/b", LicenseVerdict("NOASSERTION", "private", ("why",)), private=True)


def test_verdicts_on_the_packaged_registry() -> None:
    registry = load_registry()

    def found(checkpoint_id: str, **settings: Any) -> dict[str, Any]:
        checkpoint = registry.checkpoint(checkpoint_id, {name.replace("_", "."): v for name, v in settings.items()})
        return license_rows([checkpoint], registry)[0]

    assert found("minilm-l6/sample-gene")["license"] == "Apache-2.0"
    assert found("minilm-l6/gellus")["publishable"] == "private"
    assert found("bioelectra-base/sample-gene")["publishable"] == "private"
    mixture = ["pubmed-abstracts", "arxiv-abstracts", "clinicaltrials-gov"]
    assert found("pubmedbert-base/ncbi-disease", dapt_passages=mixture)["publishable"] == "public"
    mimic = found("pubmedbert-base/ncbi-disease", dapt_passages=[*mixture, "mimic-iii-notes"])
    assert mimic["publishable"] == "nobody" and "mimic-iii-notes" in mimic["reasons"][0]


def test_the_table_of_the_suite_is_up_to_date() -> None:
    """If this fails: zoo licenses --suite openmed --markdown > model_cards/licenses.md."""
    registry = load_registry()
    page = license_page("openmed", registry.suite_checkpoints("openmed"), registry)
    assert page == TABLE.read_text(encoding="utf-8")
    assert page.count("\n| ") == 36 + 1 and "of 36 checkpoints." in page
