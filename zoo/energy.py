"""Energy and emissions of a stage, measured or estimated by codecarbon."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from zoo.errors import ZooError, did_you_mean
from zoo.records import Record

if TYPE_CHECKING:
    from codecarbon import OfflineEmissionsTracker
    from codecarbon.output_methods.emissions_data import EmissionsData

WORLD = "world average"


class Energy(Record):
    """Energy of one or more stages and how it was obtained."""

    energy_wh: float = Field(ge=0)
    emissions_g: float = Field(ge=0, description="grams of CO2 equivalent")
    seconds: float = Field(ge=0)
    country: str = Field(description="ISO 3166 alpha-3, or 'world average' where none is set or it has no figures")
    method: str = Field(description="how each component's energy was obtained")
    hardware: str
    components_wh: dict[str, float] = Field(description="cpu, gpu, ram")

    @classmethod
    def total(cls, parts: Sequence[Energy]) -> Energy | None:
        """Sum of stages, trials or resumed runs, None of none; differing countries and methods are all named."""
        if not parts:
            return None

        def names(values: Iterable[str]) -> str:
            return "; ".join(dict.fromkeys(values))

        return cls(
            energy_wh=sum(p.energy_wh for p in parts),
            emissions_g=sum(p.emissions_g for p in parts),
            seconds=sum(p.seconds for p in parts),
            country=names(p.country for p in parts),
            method=names(p.method for p in parts),
            hardware=names(p.hardware for p in parts),
            components_wh={
                name: sum(p.components_wh.get(name, 0.0) for p in parts)
                for name in dict.fromkeys(name for p in parts for name in p.components_wh)
            },
        )

    def share(self, parts: int) -> Energy:
        """An equal part of it, as of a base that serves several checkpoints."""
        return self.model_copy(
            update={
                "energy_wh": self.energy_wh / parts,
                "emissions_g": self.emissions_g / parts,
                "seconds": self.seconds / parts,
                "components_wh": {name: value / parts for name, value in self.components_wh.items()},
            }
        )

    def in_country(self, country: str | None) -> Energy:
        """The same energy with the emissions of a country, where none was set when it was measured."""
        if country is None or self.country != WORLD:
            return self
        emissions_g = self.energy_wh * grams_per_wh(country) if country in known_countries() else self.emissions_g
        return self.model_copy(update={"country": figures_of(country), "emissions_g": emissions_g})


@functools.cache
def known_countries() -> dict[str, str]:
    """ISO 3166 alpha-3 code -> name, for the countries whose electricity codecarbon knows."""
    return {
        code: entry["country_name"]
        for code, entry in _table("global_energy_mix").items()
        if len(code) == 3 and code.isalpha() and code.isupper()
    }


@functools.cache
def _table(name: str) -> dict[str, Any]:
    """One of codecarbon's tables, without importing it: that takes half a second with all it brings."""
    spec = find_spec("codecarbon")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations))) / "data" / "private_infra"
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def check_country(country: str | None, *, where: str = "ZOO_COUNTRY") -> str | None:
    """Validate a country code; None stays None (world average).

    Args:
        country: The code; figures of a country that codecarbon has none for are those of the world average.
        where: Where it was given, for the error message.

    Raises:
        ZooError: Not an ISO 3166 alpha-3 code.
    """
    if country is None:
        return None
    if country not in known_countries() and not _is_country(country):
        names = {name: code for code, name in known_countries().items()}
        hint = (
            f"{names[country.title()]} is {country.title()}"
            if country.title() in names
            else did_you_mean(country.upper(), known_countries())
        )
        raise ZooError(
            f"unknown country code {country!r}",
            where=where,
            fix=f"give an ISO 3166 alpha-3 code, such as DEU or USA; {hint}",
        )
    return country


def figures_of(country: str | None) -> str:
    """What figures of emissions are those of: a country with figures of its own, else the world average."""
    if country is None or country in known_countries():
        return country or WORLD
    return f"{WORLD}, no data for {country}"


def _is_country(code: str) -> bool:
    import pycountry

    return code.isupper() and len(code) == 3 and pycountry.countries.get(alpha_3=code) is not None


def grams_per_wh(country: str | None) -> float:
    """Emissions of electricity by codecarbon's tables, in g CO2e per Wh.

    Args:
        country: ISO 3166 alpha-3 code; of None, or a country without figures, the world average.
    """
    if country is None or country not in known_countries():
        return float(_table("carbon_intensity_per_source")["world_average"]) / 1000
    return float(_table("global_energy_mix")[country]["carbon_intensity"]) / 1000


class Meter:
    """Measures the energy of a block."""

    def __init__(self, tracker: OfflineEmissionsTracker, country: str | None) -> None:
        self._tracker, self._country = tracker, country
        self._final: Energy | None = None

    @property
    def energy(self) -> Energy:
        """What the block has used so far; once it is done, what it used."""
        if self._final:
            return self._final
        self._tracker.flush()
        return self._read(self._tracker._prepare_emissions_data())

    def stop(self) -> None:
        """End the measurement."""
        self._tracker.stop()
        self._final = self._read(self._tracker.final_emissions_data)

    def _read(self, data: EmissionsData) -> Energy:
        return Energy(
            energy_wh=1000 * float(data.energy_consumed),
            emissions_g=1000 * float(data.emissions),
            seconds=float(data.duration),  # what the energy covers: looking for the hardware comes before it
            country=figures_of(self._country),
            method=_method(self._tracker),
            hardware=f"{data.cpu_count:g} x {data.cpu_model}"
            + (f", {data.gpu_count:g} x {data.gpu_model}" if data.gpu_model else ""),
            components_wh={name: 1000 * float(getattr(data, f"{name}_energy")) for name in ("cpu", "gpu", "ram")},
        )


@contextmanager
def measure(country: str | None, *, alone: bool = True) -> Iterator[Meter]:
    """Measure the energy of a block.

    Args:
        country: Validated ISO 3166 alpha-3 code, or None for the world average.
        alone: Take the energy of the whole machine; otherwise this process's share of it, for builds side by side.
    """
    os.environ.setdefault("CODECARBON_LOG_LEVEL", "critical")
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    # Without a country that it has figures for, codecarbon takes the world average of its own table.
    tracker = OfflineEmissionsTracker(
        country_iso_code=country if country in known_countries() else "",
        save_to_file=False,
        log_level="critical",
        allow_multiple_runs=True,
        measure_power_secs=5,
        tracking_mode="machine" if alone else "process",
    )
    meter = Meter(tracker, country)
    tracker.start()
    try:
        yield meter
    finally:
        meter.stop()


def _method(tracker: object) -> str:
    """Name how codecarbon obtained each component: RAPL and NVML are measurements, the rest are estimates."""
    parts = []
    for component in getattr(tracker, "_hardware", []):
        kind = type(component).__name__
        mode = str(getattr(component, "_mode", ""))
        if kind == "GPU":
            parts.append("GPU measured (NVML)")
        elif kind == "CPU":
            parts.append("CPU measured (RAPL)" if mode == "intel_rapl" else f"CPU estimated ({mode or 'constant'})")
        elif kind == "RAM":
            parts.append("RAM estimated (constant power)")
        else:
            parts.append(kind)
    return "codecarbon, " + ", ".join(dict.fromkeys(parts))
