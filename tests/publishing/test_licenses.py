"""The licence of an adapter follows from its backbone's and its corpus's."""

from __future__ import annotations

import pytest

from zoo.publishing.licenses import judge
from zoo.registry.loader import load_registry
from zoo.registry.schema import Backbone, CorpusEntry, LicenseInfo


def licence(spdx: str, publishable: bool = True) -> LicenseInfo:
    return LicenseInfo(spdx=spdx, source=f"where {spdx} was read", publishable=publishable)


def pair(backbone: LicenseInfo, corpus: LicenseInfo) -> tuple[Backbone, CorpusEntry]:
    registry = load_registry()
    return (
        registry.backbone("pubmedbert-base").model_copy(update={"license": backbone}),
        registry.corpus("ncbi-disease").model_copy(update={"license": corpus}),
    )


@pytest.mark.parametrize(
    ("backbone", "corpus", "spdx", "words"),
    [
        ("MIT", "CC0-1.0", "MIT", []),
        ("Apache-2.0", "CC-BY-4.0", "Apache-2.0", ["attribution", "ncbi-disease", "CC-BY-4.0"]),
        ("MIT", "CC-BY-SA-3.0", "CC-BY-SA-3.0", ["share-alike", "ncbi-disease", "CC-BY-SA-3.0"]),
        ("Apache-2.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0", ["share-alike"]),
    ],
)
def test_publishable(backbone: str, corpus: str, spdx: str, words: list[str]) -> None:
    verdict = judge(*pair(licence(backbone), licence(corpus)))
    assert verdict.publishable and verdict.spdx == spdx
    assert bool(verdict.reasons) == bool(words)
    assert all(word in " ".join(verdict.reasons) for word in words)


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
    verdict = judge(*pair(backbone, corpus))
    assert not verdict.publishable and verdict.spdx == "NOASSERTION"
    assert len(verdict.reasons) == len(named)
    for reason, name in zip(verdict.reasons, named, strict=True):
        assert reason.startswith(name) and "was read" in reason


def test_verdicts_on_the_packaged_registry() -> None:
    registry = load_registry()
    assert judge(registry.backbone("minilm-l6"), registry.corpus("sample-gene")).spdx == "Apache-2.0"
    assert not judge(registry.backbone("minilm-l6"), registry.corpus("gellus")).publishable
    assert not judge(registry.backbone("bioelectra-base"), registry.corpus("sample-gene")).publishable
