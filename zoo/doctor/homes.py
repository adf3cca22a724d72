"""The homes of a suite: whether the hosts of its corpora, passages, ontologies and backbones answer, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zoo.doctor.check import Check, State
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.corpora.retry import FetchOptions
    from zoo.registry.loader import Checkpoint, Registry

_THROTTLED = frozenset({429, 503})
_REFUSED = frozenset({401, 403, 407, 451})


@dataclass(frozen=True)
class _Home:
    """A host, as it is asked: behind a mirror, that one.

    Attributes:
        address: What is asked for, a file of the suite.
        told: The same in words.
        of: Ids of what lies there.
        needed: Whether builds fail without it: something is not on this machine, and this is its first source.
    """

    address: str
    told: str
    of: tuple[str, ...]
    needed: bool


def check_homes(settings: Settings, suite: str | None, *, seconds: float) -> list[Check]:
    """Ask every host of a suite for the first byte of one file, all at once.

    Args:
        settings: Registry, local copies, mirrors.
        suite: Its name; None: the suites of the user's own registry, or quickstart.
        seconds: How long a host may take.

    Raises:
        ZooError: There is no such suite, or an entry of the registry is malformed.
    """
    from zoo.corpora.retry import FetchOptions
    from zoo.registry.loader import load_registry

    found, packaged = load_registry(settings.registry), load_registry()
    own = [name for name, item in found.suites.items() if packaged.suites.get(name) != item]
    names = [suite] if suite else own or ["quickstart"]
    checkpoints = {item.id: item for name in names for item in found.suite_checkpoints(name)}
    homes = _homes(list(checkpoints.values()), found, settings, FetchOptions.of(settings))
    what = f"suite {', '.join(names)}"
    if not homes:
        return [Check("homes", "ok", f"{what}: nothing of it lies elsewhere")]
    if settings.offline:
        return [Check("homes", "ok", f"{what}: {len(homes)} hosts, not asked: offline (HF_HUB_OFFLINE or ZOO_OFFLINE)")]
    with ThreadPoolExecutor(len(homes)) as pool:
        return list(pool.map(lambda home: _ask(home, seconds), homes))


def _homes(
    checkpoints: Sequence[Checkpoint], registry: Registry, settings: Settings, options: FetchOptions
) -> list[_Home]:
    """One home a host, with the first file that was found there; one that is needed comes first."""
    by_host: dict[str, list[tuple[str, str, bool]]] = {}
    for item, url, needed in _files(checkpoints, registry, settings):
        by_host.setdefault(urlsplit(options.address(url)).netloc, []).append((item, url, needed))
    homes = []
    for found in by_host.values():
        url = max(found, key=lambda file: file[2])[1]
        of = tuple(dict.fromkeys(item for item, _, _ in found))
        homes.append(_Home(options.address(url), options.told(url), of, any(needed for *_, needed in found)))
    return homes


def _files(
    checkpoints: Sequence[Checkpoint], registry: Registry, settings: Settings
) -> Iterator[tuple[str, str, bool]]:
    """Id, address, and whether builds fail without it, of every file of a suite that lies elsewhere."""
    from huggingface_hub import try_to_load_from_cache

    from zoo.corpora.retry import HUB
    from zoo.corpora.sources import availability
    from zoo.ontologies.sources import availability as where_ontology
    from zoo.passages.load import find_passages

    for corpus in {part.id: part for item in checkpoints for part in item.corpus.parts}.values():
        here = availability(corpus, registry.folders, settings.corpora, cache=settings.cache) != "to fetch"
        for number, source in enumerate((*corpus.sources, corpus.originals)):
            files = _addresses(source.model_dump()) if source else ()
            yield from ((corpus.id, url, not here and number == 0) for url in files)
    for name in dict.fromkeys(name for item in checkpoints for name in item.recipe.dapt.passages):
        passages = registry.passage(name)
        here = find_passages(passages, registry.folders[f"passages/{name}"], settings.passages) is not None
        yield from ((name, url, not here) for url in _addresses(passages.model_dump(include={"sources"})))
    for name in dict.fromkeys(name for item in checkpoints for name in item.ontologies.values()):
        ontology = registry.ontology(name)
        folder = registry.folders[f"ontologies/{name}"]
        here = where_ontology(ontology, folder, settings.ontologies, cache=settings.cache) != "to fetch"
        for number, home in enumerate(ontology.sources):
            yield from ((name, url, not here and number == 0) for url in _addresses(home.model_dump()))
    for backbone in {item.backbone.id: item.backbone for item in checkpoints}.values():
        if backbone.hub_id and not backbone.package and not backbone.path:
            here = isinstance(try_to_load_from_cache(backbone.hub_id, "config.json", revision=backbone.revision), str)
            yield backbone.id, f"{HUB}{backbone.hub_id}/resolve/{backbone.revision or 'main'}/config.json", not here


def _addresses(value: Any) -> Iterator[str]:  # noqa: ANN401 - a dumped entry
    """Addresses in a part of an entry, whatever the field is called; files of a Hub data set too."""
    from zoo.corpora.retry import HUB

    if isinstance(value, Mapping):
        if value.get("kind") == "hub":
            name = next(iter(value["files"].values()), "README.md")
            yield f"{HUB}datasets/{value['dataset']}/resolve/{value['revision']}/{name}"
        for item in value.values():
            yield from _addresses(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _addresses(item)
    elif isinstance(value, str) and value.startswith(("https://", "http://")):
        yield value


def _ask(home: _Home, seconds: float) -> Check:
    """Ask for one byte; what is behind a redirect is asked too."""
    import httpx2

    from zoo.corpora.client import open_client
    from zoo.corpora.retry import FetchOptions

    of = f"{len(home.of)} of the suite: {', '.join(home.of[:4])}{', ...' if len(home.of) > 4 else ''}"
    name, host = "home", urlsplit(home.address).hostname
    bad: State = "problem" if home.needed else "warning"
    proxies = "look at the network, at mirrors in zoo.toml, HF_ENDPOINT and HTTPS_PROXY"
    try:
        client = open_client(FetchOptions(timeout_seconds=seconds))
        with client, client.stream("GET", home.address, headers={"Range": "bytes=0-0"}) as response:
            code, wait = response.status_code, response.headers.get("Retry-After")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        return Check(name, bad, f"{host} is out of reach ({reason}): {home.told}; {of}", proxies)
    if code in (200, 206, 416):
        mirrored = "" if home.told == home.address else f", {home.told}"
        return Check(name, "ok", f"{host} is reachable{mirrored}; {of}")
    said = f"HTTP {code}: {home.told}; {of}"
    if code in _THROTTLED:
        later = f"try again after {wait} seconds" if wait else "try again later"
        return Check(name, "warning", f"{host} throttles, {said}", later)
    if code in _REFUSED:
        return Check(name, bad, f"{host} refuses, {said}", proxies)
    return Check(name, bad, f"{host} answers, but not with the file, {said}", "correct the entry, or the mirror")
