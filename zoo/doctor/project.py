"""What is to be built: settings, registry, data, country."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.doctor.check import Check, problem
from zoo.errors import ZooError
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.registry.loader import Registry


def load_settings(folder: Path | None = None) -> tuple[Settings, Check]:
    """The settings, as far as they can be read, and what was found.

    Args:
        folder: Where to look for `zoo.toml`, upwards; None: the current folder.
    """
    try:
        settings = Settings.load(folder=folder)
    except ZooError as error:
        try:
            settings = Settings.load(with_file=False)
        except ZooError:
            settings = Settings()
        return settings, problem("settings", error)
    if settings.file is None:
        return settings, Check("settings", "ok", "no zoo.toml here or above: environment and defaults")
    return settings, Check("settings", "ok", str(settings.file))


def check_registry(settings: Settings) -> list[Check]:
    """Whether every entry is well-formed, and which of the data is on this machine.

    Raises:
        ZooError: An entry is malformed.
    """
    from zoo.registry.loader import load_registry

    found = load_registry(settings.registry)
    parts = (("backbones", found.backbones), ("corpora", found.corpora), ("suites", found.suites))
    finding = ", ".join(f"{len(items)} {name}" for name, items in parts)
    finding += f"; with your own in {settings.registry}" if settings.registry else ""
    return [Check("registry", "ok", finding), check_corpora(found, settings), *_check_copies(settings)]


def check_corpora(registry: Registry, settings: Settings) -> Check:
    """Which corpora are on this machine, and whether all splits of the local copies are there."""
    from zoo.corpora.load import find_split_file
    from zoo.corpora.sources import availability

    local = settings.corpora
    if local is not None and not local.is_dir():
        return Check("corpora", "problem", f"the folder {local} does not exist", "correct ZOO_CORPORA")
    places = {
        name: availability(entry, registry.folders, local, cache=settings.cache)
        for name, entry in registry.corpora.items()
    }
    if local is not None:
        found = [registry.corpora[name] for name, place in places.items() if place == "local copy"]
        copies = [entry for entry in found if not entry.members]
        missing = [
            f"{entry.id}/{split}"
            for entry in copies
            for split in entry.split_names
            if find_split_file(local / entry.id, split, entry) is None
        ]
        if missing:
            finding = f"{local} lacks {', '.join(missing)}"
            return Check("corpora", "warning", finding, "add the files: <corpus>/{train,dev,test}.tsv[.gz]")
        if not copies:
            fix = "its folders are named after corpora: zoo corpora list"
            return Check("corpora", "warning", f"{local} holds no corpus of the registry", fix)
    counts = ", ".join(f"{count} {place}" for place, count in Counter(places.values()).items())
    return Check("corpora", "ok", counts)


def check_builds(out: Path) -> list[Check]:
    """Whether the adapters of the output folder find the bases they stand on; no check where nothing was built.

    One that names a folder which is gone, while its base is elsewhere in the output folder, was moved: the next build
    repairs it, and so does whatever loads it.
    """
    from zoo.modeling.adapters import find_base, head_folders, named_base

    moved, lost = [], []
    adapters = sorted(out.glob("checkpoints/[!.]*/[!.]*/adapter"))
    for adapter in adapters:
        name = f"{adapter.parts[-3]}/{adapter.parts[-2]}"
        try:
            if any(find_base(head, repair=False) != named_base(head) for head in head_folders(adapter)):
                moved.append(name)
        except ZooError:
            lost.append(name)
    if lost:
        finding = f"{len(lost)} of {len(adapters)} adapters lack their base: {', '.join(lost[:3])}"
        return [Check("builds", "problem", finding, "build them again, or copy bases/ and artefacts/ too")]
    if moved:
        finding = f"{len(moved)} of {len(adapters)} adapters name a base by where it was before the folder was moved"
        return [Check("builds", "warning", finding, "run the same zoo build again: it does nothing but repair them")]
    return [Check("builds", "ok", f"{len(adapters)} adapters, each with its base")] if adapters else []


def check_store(url: str) -> Check:
    """Whether the library that reaches a shared artefact store is installed; the store itself is not asked.

    Raises:
        ImportError: It is not.
        ValueError: No library knows such addresses.
    """
    from fsspec.core import url_to_fs

    url_to_fs(url)
    return Check("store", "ok", url)


def _check_copies(settings: Settings) -> list[Check]:
    """The other folders with local copies, where they are set."""
    folders = {"originals": settings.originals, "passages": settings.passages, "ontologies": settings.ontologies}
    return [
        Check(name, "ok", str(folder))
        if folder.is_dir()
        else Check(name, "problem", f"the folder {folder} does not exist", f"correct ZOO_{name.upper()}")
        for name, folder in folders.items()
        if folder is not None
    ]


def check_country(country: str | None) -> Check:
    """Whether figures of emissions have a country."""
    from zoo.energy import WORLD, known_countries
    from zoo.energy import check_country as check

    if country is None or check(country) is None:
        return Check(
            "country",
            "warning",
            f"not set: emissions are those of the {WORLD}",
            "set country in zoo.toml, or ZOO_COUNTRY=DEU; publishing asks for it",
        )
    if country not in known_countries():
        finding = f"no data for this country ({country}): emissions are those of the {WORLD}"
        return Check("country", "warning", finding, "nothing is to be done; cards say so")
    return Check("country", "ok", f"{country} ({known_countries()[country]})")
