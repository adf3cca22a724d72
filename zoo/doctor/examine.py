"""All checks, one after the other; none of them ends the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from zoo.doctor.check import Check, problem
from zoo.doctor.homes import check_homes
from zoo.doctor.hub import check_hub
from zoo.doctor.libraries import check_extras, check_libraries, extras, requirements
from zoo.doctor.machine import (
    available_memory_bytes,
    check_folder,
    check_gpu,
    check_memory,
    check_threads,
    check_torch,
    usable_cores,
)
from zoo.doctor.project import check_builds, check_country, check_registry, check_store
from zoo.errors import ZooError
from zoo.settings import Settings

_BROKEN = (ImportError, OSError, RuntimeError, ValueError, AttributeError)
"""What a half-installed library or an odd machine raises."""


def examine(settings: Settings, *, suite: str | None = None, hub_seconds: float = 5.0) -> list[Check]:
    """Look at everything that a build needs; changes nothing and never raises.

    Args:
        settings: What is to be used.
        suite: Whose homes are asked; None: those of the user's own registry, or quickstart.
        hub_seconds: How long to wait for the Hub, and for a home; without effect offline.
    """
    asked = requirements()
    checks: list[tuple[str, Callable[[], Check | list[Check]]]] = [
        ("libraries", lambda: check_libraries(asked)),
        ("extras", lambda: check_extras(asked, extras())),
        ("torch", check_torch),
        ("GPU", check_gpu),
        ("threads", lambda: check_threads(usable_cores(), os.environ.get("OMP_NUM_THREADS"))),
        ("memory", lambda: check_memory(available_memory_bytes())),
        ("output", lambda: check_folder("output", settings.out, "choose another with --out or ZOO_OUT")),
        ("builds", lambda: check_builds(settings.out)),
        ("cache", lambda: _cache("cache", settings.cache, "choose another with ZOO_CACHE", settings)),
        ("Hub cache", lambda: _cache("Hub cache", _hub_cache(), "choose another with HF_HOME", settings)),
        ("store", lambda: check_store(settings.store) if settings.store else []),
        ("registry", lambda: check_registry(settings)),
        ("country", lambda: check_country(settings.country)),
        ("Hub", lambda: check_hub(settings, seconds=hub_seconds)),
        ("homes", lambda: check_homes(settings, suite, seconds=hub_seconds)),
    ]
    return [item for name, check in checks for item in _made(name, check)]


def _made(name: str, check: Callable[[], Check | list[Check]]) -> list[Check]:
    try:
        found = check()
    except (ZooError, *_BROKEN) as error:
        return [problem(name, error)]
    return found if isinstance(found, list) else [found]


def _cache(name: str, folder: Path, fix: str, settings: Settings) -> Check:
    """Offline a cache is only read, as where many machines share one."""
    return check_folder(name, folder, fix, read_only=settings.offline)


def _hub_cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)
