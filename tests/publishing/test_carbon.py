"""Energy and emissions: the country is checked, and a figure is there whatever happens in the block."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.publishing.carbon import WORLD, Energy, check_country, known_countries, measure


def work() -> int:
    """Busy for some tenths of a second: codecarbon drops what comes within 50 ms of its last sample."""
    return sum(value * value for value in range(6_000_000))


@pytest.mark.parametrize("code", ["DEU", "USA", "FRA", "JPN"])
def test_alpha_3_codes_are_taken_as_they_are(code: str) -> None:
    assert check_country(code) == code


def test_unset_stays_unset() -> None:
    assert check_country(None) is None


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("deu", "DEU"),
        ("DE", "DEU"),
        ("Germany", "DEU is Germany"),
        ("germany", "DEU is Germany"),
        ("FRANCE", "FRA is France"),
        ("DUE", "DEU"),
        ("XXX", "DEU or USA"),
        ("", "DEU or USA"),
        ("_define", "DEU or USA"),
        (" DEU", "DEU"),
    ],
)
def test_anything_else_is_refused_with_a_hint(wrong: str, hint: str) -> None:
    with pytest.raises(ZooError) as caught:
        check_country(wrong)
    assert repr(wrong) in caught.value.what
    assert caught.value.where == "ZOO_COUNTRY"
    assert caught.value.fix is not None and "ISO 3166 alpha-3" in caught.value.fix and hint in caught.value.fix


def test_known_countries_are_codes_with_names() -> None:
    known = known_countries()
    assert known["DEU"] == "Germany" and len(known) > 100
    assert all(len(code) == 3 and code.isupper() for code in known)


@pytest.fixture(scope="module")
def world() -> Energy:
    with measure(None) as meter:
        work()
    return meter.energy


def test_a_busy_loop_costs_energy(world: Energy) -> None:
    assert world.energy_wh > 0 and world.emissions_g > 0 and world.seconds > 0


def test_components_add_up_in_watt_hours(world: Energy) -> None:
    assert set(world.components_wh) == {"cpu", "gpu", "ram"}
    assert sum(world.components_wh.values()) == pytest.approx(world.energy_wh, rel=1e-6)
    # A machine draws between 1 W and 100 kW: catches kWh or joules in place of Wh.
    assert 1 < world.energy_wh / (world.seconds / 3600) < 1e5


def test_grams_are_grams(world: Energy) -> None:
    """No electricity mix is below 5 or above 1,500 g CO2e per kWh."""
    assert 5 < world.emissions_g / (world.energy_wh / 1000) < 1500


def test_method_and_hardware_are_named(world: Energy) -> None:
    assert world.method.startswith("codecarbon, ") and "CPU" in world.method
    assert world.hardware


def test_an_unset_country_is_called_the_world_average(world: Energy) -> None:
    assert world.country == WORLD == "world average"


def test_the_country_decides_the_emissions() -> None:
    intensity = {}
    for code in ("SWE", "POL"):
        with measure(code) as meter:
            work()
        assert meter.energy.country == code
        intensity[code] = meter.energy.emissions_g / meter.energy.energy_wh
    assert intensity["POL"] > 5 * intensity["SWE"]


def test_the_energy_is_set_also_when_the_block_raises() -> None:
    with pytest.raises(RuntimeError, match="broken"), measure("DEU") as meter:
        work()
        raise RuntimeError("broken")
    assert meter.energy.energy_wh > 0 and meter.energy.country == "DEU"


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with measure(None):
        work()
    assert list(tmp_path.iterdir()) == []
