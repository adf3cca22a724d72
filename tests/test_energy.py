"""Energy and emissions: the country is checked, and a figure is there whatever happens in the block."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.energy import WORLD, Energy, check_country, grams_per_wh, known_countries, measure
from zoo.errors import ZooError
from zoo.pipeline.store import Store, note_energy, spent_energy


def work() -> int:
    """Busy for some tenths of a second: codecarbon drops what comes within 50 ms of its last sample."""
    return sum(value * value for value in range(6_000_000))


@pytest.mark.parametrize("code", ["DEU", "USA", "FRA", "JPN"])
def test_alpha_3_codes_are_taken_as_they_are(code: str) -> None:
    assert check_country(code) == code


@pytest.mark.parametrize("code", ["LIE", "MCO", "VAT"])
def test_a_country_without_data_has_the_figures_of_the_world_average(code: str) -> None:
    assert check_country(code) == code and code not in known_countries()
    with measure(code) as meter:
        work()
    assert meter.energy.country == f"world average, no data for {code}" and meter.energy.emissions_g > 0
    later = used(10.0, WORLD)
    assert later.in_country(code).emissions_g == later.emissions_g
    assert later.in_country(code).country == f"world average, no data for {code}"


def test_emissions_of_a_watt_hour_are_those_that_codecarbon_takes() -> None:
    from codecarbon.core.emissions import Emissions
    from codecarbon.core.units import Energy as Kilowatthours
    from codecarbon.external.geography import GeoMetadata
    from codecarbon.input import DataSource

    for code, name in known_countries().items():
        theirs = Emissions(DataSource()).get_country_emissions(
            Kilowatthours.from_energy(kWh=1.0), GeoMetadata(country_iso_code=code, country_name=name)
        )
        assert grams_per_wh(code) == pytest.approx(float(theirs)), code
    assert grams_per_wh(None) == grams_per_wh("LIE") == pytest.approx(0.475)


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


def used(energy_wh: float, country: str = "DEU", **more: object) -> Energy:
    data = {
        "energy_wh": energy_wh,
        "emissions_g": energy_wh / 2,
        "seconds": 10 * energy_wh,
        "country": country,
        "method": "codecarbon, CPU measured (RAPL)",
        "hardware": "8 x CPU",
        "components_wh": {"cpu": 0.75 * energy_wh, "ram": 0.25 * energy_wh},
    }
    return Energy.model_validate({**data, **more})


def test_a_sum_adds_figures_and_names_what_differs_once() -> None:
    gpu = used(4.0, "FRA", hardware="8 x CPU, 1 x GPU", components_wh={"cpu": 1.0, "gpu": 3.0})
    total = Energy.total([used(1.0), gpu, used(2.0)])
    assert total is not None
    assert (total.energy_wh, total.emissions_g, total.seconds) == (7.0, 3.5, 70.0)
    assert (total.country, total.hardware) == ("DEU; FRA", "8 x CPU; 8 x CPU, 1 x GPU")
    assert total.method == "codecarbon, CPU measured (RAPL)"
    assert total.components_wh == {"cpu": 0.75 + 1.0 + 1.5, "ram": 0.25 + 0.5, "gpu": 3.0}
    assert Energy.total([used(1.0)]) == used(1.0)
    assert Energy.total([]) is None


def test_shares_add_up_to_the_whole() -> None:
    whole = used(7.0)
    share = whole.share(4)
    assert share.energy_wh == 1.75 and share.country == "DEU"
    again = Energy.total([share] * 4)
    assert again == whole, "quarters are exact"
    assert whole.share(1) == whole


def test_runs_that_were_killed_count_in_the_sum(tmp_path: Path) -> None:
    """The last note of each run is its figure: a resumed stage costs what all of its runs have used."""
    store = Store(tmp_path)
    for run, notes in (("killed", (1.0, 2.0)), ("killed-at-once", ()), ("last", (0.5, 4.0, 4.5))):
        work = store.work_folder("train", "f" * 64)
        for energy_wh in notes:
            note_energy(work, run, used(energy_wh))
    assert sorted(energy.energy_wh for energy in spent_energy(work)) == [2.0, 4.5]
    artefact = store.finish(work, "train", "tiny-bert/tiny", "f" * 64, {})
    assert artefact.energy == Energy.total([used(2.0), used(4.5)]) and artefact.seconds == 65.0
    assert store.read("train", "f" * 64) == artefact
    assert not spent_energy(store.work_folder("train", "f" * 64)), "the next of that name begins at nothing"


def test_a_country_given_later_counts_only_where_none_was_given() -> None:
    unset = used(10.0, WORLD)
    assert unset.in_country(None) == unset and used(10.0, "FRA").in_country("DEU") == used(10.0, "FRA")
    poland, sweden = unset.in_country("POL"), unset.in_country("SWE")
    assert (poland.country, poland.energy_wh) == ("POL", 10.0)
    assert poland.emissions_g > 5 * sweden.emissions_g > 0
