import pytest

from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.spdx import check_license, license_choices


@pytest.mark.parametrize(
    ("expression", "choices"),
    [
        ("MIT", (("MIT",),)),
        ("cc-by-4.0", (("CC-BY-4.0",),)),
        ("MIT OR Apache-2.0", (("MIT",), ("Apache-2.0",))),
        ("MIT OR (CC-BY-4.0 AND Apache-2.0)", (("MIT",), ("CC-BY-4.0", "Apache-2.0"))),
        ("(MIT OR CC0-1.0) AND CC-BY-4.0", (("MIT", "CC-BY-4.0"), ("CC0-1.0", "CC-BY-4.0"))),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", (("GPL-2.0-or-later",),)),
        ("LicenseRef-PhysioNet-Credentialed-1.5.0", (("LicenseRef-PhysioNet-Credentialed-1.5.0",),)),
        ("NOASSERTION", (("NOASSERTION",),)),
        ("CC-BY", ()),
        ("MIT AND", ()),
        ("ask the author", ()),
        ("", ()),
    ],
)
def test_the_ways_to_comply_with_an_expression(expression: str, choices: tuple[tuple[str, ...], ...]) -> None:
    assert license_choices(expression) == choices


def test_every_packaged_entry_has_a_licence_that_spdx_knows() -> None:
    registry = load_registry()
    entries = [*registry.backbones.values(), *registry.corpora.values(), *registry.passages.values()]
    assert len(entries) > 20
    assert [entry.id for entry in entries if not license_choices(entry.license.spdx)] == []


class TestOfAUser:
    def test_spelt_as_spdx_does(self) -> None:
        assert check_license("mit or cc-by-4.0", where="--license") == "MIT OR CC-BY-4.0"

    @pytest.mark.parametrize(
        ("given", "words"),
        [("CC-BY", "CC-BY-4.0"), ("CC BY 4.0", "CC-BY-4.0"), ("my terms", "LicenseRef-NAME"), ("", "NOASSERTION")],
    )
    def test_refused_with_the_nearest_ids(self, given: str, words: str) -> None:
        with pytest.raises(ZooError, match="is no SPDX licence id") as caught:
            check_license(given, where="--license")
        assert words in str(caught.value)

    def test_malformed(self) -> None:
        with pytest.raises(ZooError, match="no SPDX expression"):
            check_license("MIT AND", where="--license")
