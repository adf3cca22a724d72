"""Energy and emissions of a stage, measured or estimated by codecarbon."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from zoo.errors import ZooError, did_you_mean

WORLD = "world average"


class Energy(BaseModel):
    """Energy of one or more stages and how it was obtained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy_wh: float = Field(ge=0)
    emissions_g: float = Field(ge=0, description="grams of CO2 equivalent")
    seconds: float = Field(ge=0)
    country: str = Field(description="ISO 3166 alpha-3, or 'world average' where ZOO_COUNTRY is unset")
    method: str = Field(description="how each component's energy was obtained")
    hardware: str
    components_wh: dict[str, float] = Field(description="cpu, gpu, ram")


@functools.cache
def known_countries() -> dict[str, str]:
    """ISO 3166 alpha-3 code -> name, for the countries whose electricity codecarbon knows."""
    data = json.loads((files("codecarbon") / "data" / "private_infra" / "global_energy_mix.json").read_text())
    return {
        code: entry["country_name"]
        for code, entry in data.items()
        if len(code) == 3 and code.isalpha() and code.isupper()
    }


def check_country(country: str | None) -> str | None:
    """Validate a country code; None stays None (world average).

    Raises:
        ZooError: Not an ISO 3166 alpha-3 code that codecarbon has figures for (it would fall back without a word).
    """
    if country is None:
        return None
    if country not in known_countries():
        names = {name: code for code, name in known_countries().items()}
        hint = (
            f"{names[country.title()]} is {country.title()}"
            if country.title() in names
            else did_you_mean(country.upper(), known_countries())
        )
        raise ZooError(
            f"unknown country code {country!r}",
            where="ZOO_COUNTRY",
            fix=f"give an ISO 3166 alpha-3 code, such as DEU or USA; {hint}",
        )
    return country


class Meter:
    """Holds the energy of the block it measured, once the block is done."""

    energy: Energy


@contextmanager
def measure(country: str | None) -> Iterator[Meter]:
    """Measure the energy of a block; `meter.energy` is set at its end, also when it raises.

    Args:
        country: Validated ISO 3166 alpha-3 code, or None for the world average.
    """
    os.environ.setdefault("CODECARBON_LOG_LEVEL", "critical")
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    # Without a country codecarbon takes the world average of its own table, with an error in a log nobody reads.
    tracker = OfflineEmissionsTracker(
        country_iso_code=country or "",
        save_to_file=False,
        log_level="critical",
        allow_multiple_runs=True,
        measure_power_secs=5,
    )
    meter = Meter()
    tracker.start()
    try:
        yield meter
    finally:
        kilograms = tracker.stop() or 0.0
        data = tracker.final_emissions_data
        components = {name: 1000 * float(getattr(data, f"{name}_energy")) for name in ("cpu", "gpu", "ram")}
        meter.energy = Energy(
            energy_wh=1000 * float(data.energy_consumed),
            emissions_g=1000 * float(kilograms),
            seconds=float(data.duration),  # what the energy covers: looking for the hardware comes before it
            country=country or WORLD,
            method=_method(tracker),
            hardware=f"{data.cpu_count:g} x {data.cpu_model}"
            + (f", {data.gpu_count:g} x {data.gpu_model}" if data.gpu_model else ""),
            components_wh=components,
        )


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
