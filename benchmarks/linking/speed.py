r"""How long linking takes, and how large an index is: real vocabularies, and made-up ones of up to 3 million names.

    ZOO_CORPORA=DIR ZOO_ONTOLOGIES=DIR python benchmarks/linking/speed.py [--names 100000 300000 1000000 3000000]

Each index is built in a process of its own, which measures seconds, peak memory and bytes on disk; another opens it and
links: of MeSH the chemical mentions of BC5CDR's test split, document by document as `zoo tag --link` does; of a made-up
vocabulary 500 of its names, each with one letter changed, so that every one of them is searched for. Names are made of
syllables, two to five words each, drawn by Zipf's law; a seed decides them. Results:
`benchmarks/results/linking_speed.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files import write_whole

RESULTS = Path(__file__).parents[1] / "results"
SIZES = (100_000, 300_000, 1_000_000, 3_000_000)
QUERIES = 500
NAMES_PER_CONCEPT = 8
VOCABULARY = 200_000
_SYLLABLES = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "al", "in", "os", "er", "ium")]


def made_up_names(count: int) -> Iterator[str]:
    """So many names."""
    shape, generator = random.Random(0), np.random.default_rng(0)
    words = sorted({"".join(shape.choices(_SYLLABLES, k=shape.randrange(1, 5))) for _ in range(VOCABULARY)})
    words.sort(key=len)
    shares = np.cumsum(1.0 / np.arange(1, len(words) + 1))
    for _ in range(count):
        drawn = np.searchsorted(shares / shares[-1], generator.random(shape.randint(2, 5)))
        yield " ".join(words[place] for place in drawn.clip(max=len(words) - 1))


def build(folder: Path, names: int) -> dict[str, Any]:
    """Build an index: of MeSH where `names` is 0."""
    import resource

    from zoo.linking.index import Index
    from zoo.ontologies.concept import Concept, Synonym

    if names:
        every = list(made_up_names(names))
        concepts = [
            Concept(f"X:{at}", every[at], tuple(map(Synonym, every[at + 1 : at + NAMES_PER_CONCEPT])))
            for at in range(0, names, NAMES_PER_CONCEPT)
        ]
    else:
        concepts = list(_mesh().concepts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    info = Index.build(concepts, folder, ontology="mesh" if not names else "made-up", version="1")
    return {
        "names": info.names,
        "concepts": info.concepts,
        "build_seconds": time.perf_counter() - started,
        "build_cpu_seconds": time.process_time() - cpu,
        "build_extra_bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before),
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
    }


def use(folder: Path, names: int) -> dict[str, Any]:
    """Open an index, and link with it."""
    import resource

    from zoo.linking.index import Index
    from zoo.linking.linker import Linker

    started = time.perf_counter()
    index = Index.open(folder)
    index.exact("aspirin")
    opened = time.perf_counter() - started
    linker = Linker.lexical({"*": index})
    linker.link_names(["warm up"])
    if names:
        every = list(made_up_names(names))[:: names // QUERIES][:QUERIES]
        queries = [f"{name[:3]}q{name[4:]}" for name in every]
        started, cpu = time.perf_counter(), time.process_time()
        links = linker.link_names(queries)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        right = sum(
            any(name.concept_id in link.concept_ids for name in index.exact(original))
            for link, original in zip(links, every, strict=True)
        )
        found = {"mentions": len(queries), "searched": len(queries), "right": right / len(queries)}
    else:
        found, seconds, cpu = _link_corpus(linker)
    return {
        "open_seconds": opened,
        **found,
        "ms_per_mention": 1000 * seconds / found["mentions"],
        "cpu_ms_per_mention": 1000 * cpu / found["mentions"],
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def trained(folder: Path, _: int) -> dict[str, Any]:
    """A trained linker with an encoder: BC5CDR's chemicals and diseases."""
    import resource

    from zoo.linking.indexes import open_index
    from zoo.linking.linker import Linker, read_linker
    from zoo.modeling.adapters import find_base
    from zoo.registry.loader import load_registry
    from zoo.settings import Settings
    from zoo.tagging.models import Base

    settings = Settings.load()
    registry = load_registry(settings.registry)
    indexes = {
        name: open_index(name, registry, settings).index for name in set(read_linker(folder).ontologies.values())
    }
    base = Base.load(Path(find_base(folder / "adapter")))  # the tagger's, in memory already
    started = time.perf_counter()
    linker = Linker.load(folder, indexes, base=base)
    opened = time.perf_counter() - started
    linker.link_names(["warm up"], "Disease")
    found, seconds, cpu = _link_corpus(linker, types=("Chemical", "Disease"))
    places = [*(index.folder for index in indexes.values()), folder]
    return {
        "names": sum(index.info.names for index in indexes.values()),
        "open_seconds": opened,
        **found,
        "ms_per_mention": 1000 * seconds / found["mentions"],
        "cpu_ms_per_mention": 1000 * cpu / found["mentions"],
        "bytes": sum(path.stat().st_size for place in places for path in place.rglob("*") if path.is_file()),
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def _link_corpus(linker: Any, types: Sequence[str] = ("Chemical",)) -> tuple[dict[str, Any], float, float]:
    from zoo.corpora.load import open_corpus
    from zoo.modeling.windows import Entity
    from zoo.registry.loader import load_registry
    from zoo.settings import Settings

    settings = Settings.load()
    registry = load_registry(settings.registry)
    documents = open_corpus(registry.corpus("bc5cdr-abstracts"), registry, settings).splits["test"]
    mentions = [[Entity(*span.key, 1.0) for span in d.spans if span.type in types] for d in documents]
    started, cpu = time.perf_counter(), time.process_time()
    linked = [
        entity
        for document, found in zip(documents, mentions, strict=True)
        for entity in linker.link([document.text], [found])[0]
    ]
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    looked_up = ("exact", "trained", "composite")
    searched = sum(bool(e.link.candidates) and e.link.candidates[0].step not in looked_up for e in linked)
    return {"mentions": len(linked), "searched": searched}, seconds, cpu


def _mesh() -> Any:
    from zoo.ontologies.load import open_ontology
    from zoo.registry.loader import load_registry
    from zoo.settings import Settings

    settings = Settings.load()
    registry = load_registry(settings.registry)
    return open_ontology(registry.ontology("mesh"), registry, settings)


def main() -> None:
    """Measure each size, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--linker", type=Path, help="folder of a linker trained on bc5cdr-abstracts: measured too")
    parser.add_argument("--one", nargs=3, metavar=("WHAT", "FOLDER", "NAMES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        what, folder, names = arguments.one
        sys.stdout.write(json.dumps({"build": build, "use": use, "trained": trained}[what](Path(folder), int(names))))
        return
    rows = []
    for names in (0, *arguments.names):
        with tempfile.TemporaryDirectory() as work:
            row = {"vocabulary": "made-up" if names else "MeSH 2024, descriptors"}
            for what in ("build", "use"):
                done = subprocess.run(
                    [sys.executable, __file__, "--one", what, f"{work}/index", str(names)],
                    capture_output=True,
                    text=True,
                    check=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
                row |= json.loads(done.stdout)
        sys.stderr.write(f"{row}\n")
        rows.append(row)
        _report(rows)
    if arguments.linker:
        done = subprocess.run(
            [sys.executable, __file__, "--one", "trained", str(arguments.linker), "0"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        rows.append({"vocabulary": "MEDIC 2012 and MeSH 2024, with an encoder", **json.loads(done.stdout)})
    _report(rows)


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, one thread"


def _report(rows: list[dict[str, Any]]) -> None:
    write_whole(RESULTS / "linking_speed.json", json.dumps({"machine": _machine(), "rows": rows}, indent=1) + "\n")
    lines = [
        "# Linking: speed and size",
        "",
        f"Made by `python benchmarks/linking/speed.py` (its docstring says how) on {_machine()}. A mention of a",
        "made-up vocabulary is always searched for; of BC5CDR's chemicals most are found by name. Opening includes a",
        "first look-up. Right: the made-up names that were linked to their own concept.",
        "",
        "| vocabulary | names | built in s | CPU s | MB on disk | extra MB while built | opened in ms | mentions "
        "| searched | right | ms a mention | CPU ms | peak MB |",
        "|" + "---|" * 13,
    ]
    lines += [
        f"| {row['vocabulary']} | {row['names']:,} | {_number(row, 'build_seconds')} "
        f"| {_number(row, 'build_cpu_seconds')} | {row['bytes'] / 1e6:.0f} "
        f"| {_number(row, 'build_extra_bytes', 1e-6, 0)} | {1000 * row['open_seconds']:.1f} "
        f"| {row['mentions']:,} | {row['searched']:,} | {_percent(row.get('right'))} "
        f"| {row['ms_per_mention']:.2f} | {row['cpu_ms_per_mention']:.2f} "
        f"| {row['peak_bytes'] / 1e6:.0f} |"
        for row in rows
    ]
    write_whole(RESULTS / "linking_speed.md", "\n".join([*lines, ""]))


def _number(row: dict[str, Any], name: str, scale: float = 1.0, digits: int = 1) -> str:
    return f"{scale * row[name]:.{digits}f}" if name in row else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
