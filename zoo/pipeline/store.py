"""The artefact store: one folder a finished stage, named by the fingerprint of everything that determines it.

A stage writes to a work folder that is kept when it dies, so that training can go on, and is renamed when it is done:
an artefact is there whole or not at all. A lock per fingerprint keeps two builds from doing the same stage at once.
With a remote (any fsspec path) finished artefacts are copied there, and fetched where they are missing: machines that
share no disk share their work.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import Field

from zoo.energy import Energy
from zoo.files import share_weights, write_whole
from zoo.records import Record

ARTEFACT_FILE = "artefact.json"
RESUME = "resume"
"""Subfolder of a work folder that survives a kill: snapshots, journals, energy so far."""
_ENERGY = "energy"
_RUN = "run"
_FETCH = "fetch"


class Artefact(Record):
    """What is known of a finished stage."""

    schema_version: int = 1
    kind: str
    name: str
    fingerprint: str
    key: dict[str, Any] = Field(description="everything that determines the stage")
    seconds: float = Field(description="summed over resumed runs; of a killed run, up to its last snapshot")
    energy: Energy | None
    created: str = Field(description="UTC, ISO 8601")


@dataclass(frozen=True)
class Store:
    """Artefacts below a folder, and perhaps below a remote one.

    Attributes:
        root: Local folder.
        remote: fsspec URL of the shared store; None: this folder is all there is.
    """

    root: Path
    remote: str | None = None
    _known: set[str] = field(default_factory=set, compare=False)

    def folder(self, kind: str, fingerprint: str) -> Path:
        """Where an artefact lies once it is done."""
        return self.root / kind / fingerprint[:32]

    def has(self, kind: str, fingerprint: str) -> bool:
        """Whether an artefact is done, here or in the remote store."""
        if (self.folder(kind, fingerprint) / ARTEFACT_FILE).is_file():
            return True
        if self.remote is None:
            return False
        system, path = self._remote(kind, fingerprint)
        return bool(system.exists(f"{path}/{ARTEFACT_FILE}"))

    def get(self, kind: str, fingerprint: str) -> Path:
        """The local folder of a finished artefact, fetched if only the remote store has it.

        Raises:
            FileNotFoundError: It is not done.
        """
        folder = self.folder(kind, fingerprint)
        if not (folder / ARTEFACT_FILE).is_file():
            if not self.has(kind, fingerprint):
                raise FileNotFoundError(f"no artefact {kind} {fingerprint[:12]}")
            self._fetch(kind, fingerprint, folder)
        return folder

    def read(self, kind: str, fingerprint: str) -> Artefact:
        """What is known of a finished artefact."""
        return Artefact.model_validate_json((self.get(kind, fingerprint) / ARTEFACT_FILE).read_bytes())

    def artefacts(self) -> Iterator[tuple[Path, Artefact]]:
        """All finished artefacts on this disk, oldest first."""
        found = []
        for path in self.root.glob(f"*/*/{ARTEFACT_FILE}"):
            if not path.parent.parent.name.startswith("."):
                found.append((path.parent, Artefact.model_validate_json(path.read_bytes())))
        yield from sorted(found, key=lambda item: (item[1].created, item[1].fingerprint))

    @contextmanager
    def lock(self, kind: str, fingerprint: str, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold a stage: whoever comes second waits."""
        path = self._lock_file(kind, fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if on_wait:
                on_wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def work_folder(self, kind: str, fingerprint: str) -> Path:
        """The folder a stage writes to, empty but for what a killed run left to go on from."""
        folder = self.root / ".work" / f"{kind}-{fingerprint[:32]}"
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.name != RESUME:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / RESUME).mkdir(exist_ok=True)
        return folder

    def finish(self, work: Path, kind: str, name: str, fingerprint: str, key: Mapping[str, Any]) -> Artefact:
        """Make a work folder the artefact."""
        energies = spent_energy(work)
        artefact = Artefact(
            kind=kind,
            name=name,
            fingerprint=fingerprint,
            key=dict(key),
            seconds=sum(energy.seconds for energy in energies),
            energy=Energy.total(energies),
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        write_whole(work / ARTEFACT_FILE, artefact.to_json())
        share_weights(work, work / ARTEFACT_FILE)
        if self.remote is not None:  # first: what lies here counts as done, and the other machines will look for it
            self._put(kind, fingerprint, work)
        resume = self._out_of_sight(work / RESUME)
        destination = self.folder(kind, fingerprint)
        destination.parent.mkdir(parents=True, exist_ok=True)
        work.rename(destination)
        shutil.rmtree(resume)
        return artefact

    def remove(self, folder: Path) -> None:
        """Delete a folder of the store: out of sight first, so that a half-deleted one is never taken for whole."""
        shutil.rmtree(self._out_of_sight(folder))

    def discard(self, kind: str, fingerprint: str) -> None:
        """Forget an artefact and what a killed run left of it, here and in the remote store.

        A build that makes it now is waited for.
        """
        with self.lock(kind, fingerprint):
            if self.remote is not None:
                system, path = self._remote(kind, fingerprint)
                if system.exists(f"{path}/{ARTEFACT_FILE}"):
                    system.rm(f"{path}/{ARTEFACT_FILE}")
            for folder in (self.folder(kind, fingerprint), self.root / ".work" / f"{kind}-{fingerprint[:32]}"):
                if folder.exists():
                    self.remove(folder)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Say that a build works with this store: what no checkpoint refers to yet may be needed soon."""
        run = uuid.uuid4().hex
        try:
            with self.lock(_RUN, run):
                yield
        finally:
            self._lock_file(_RUN, run).unlink(missing_ok=True)

    def is_in_use(self) -> bool:
        """Whether a build works with this store now."""
        return any(not is_free(path) for path in (self.root / ".locks").glob(f"{_RUN}-*.lock"))

    def _lock_file(self, kind: str, fingerprint: str) -> Path:
        return self.root / ".locks" / f"{kind}-{fingerprint[:32]}.lock"

    def _out_of_sight(self, folder: Path) -> Path:
        """Move a folder to where nobody looks for it."""
        doomed = self.root / ".work" / f"removed-{uuid.uuid4().hex}"
        doomed.parent.mkdir(parents=True, exist_ok=True)
        return folder.rename(doomed)

    def _remote(self, kind: str, fingerprint: str) -> tuple[Any, str]:
        import fsspec

        system, path = fsspec.core.url_to_fs(self.remote)
        return system, f"{path.rstrip('/')}/{kind}/{fingerprint[:32]}"

    def _put(self, kind: str, fingerprint: str, folder: Path) -> None:
        """Copy an artefact to the remote store; `artefact.json` goes last and makes it whole."""
        system, path = self._remote(kind, fingerprint)
        for file in sorted(folder.rglob("*"), key=lambda f: (f.name == ARTEFACT_FILE, f)):
            if file.is_file() and folder / RESUME not in file.parents:
                target = f"{path}/{file.relative_to(folder).as_posix()}"
                system.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                system.put_file(str(file), target)

    def _fetch(self, kind: str, fingerprint: str, folder: Path) -> None:
        system, path = self._remote(kind, fingerprint)
        with self.lock(_FETCH, f"{kind}-{fingerprint}"):  # not the stage's own: who runs the stage may hold that
            if (folder / ARTEFACT_FILE).is_file():
                return
            work = self.root / ".work" / self._lock_file(_FETCH, f"{kind}-{fingerprint}").stem
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            for name in system.find(path):
                target = work / str(name)[len(path) :].lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                system.get_file(name, str(target))
            folder.parent.mkdir(parents=True, exist_ok=True)
            work.rename(folder)


def is_free(lock: Path) -> bool:
    """Whether nobody holds a lock file."""
    if not lock.is_file():
        return True
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


def note_energy(work: Path, run: str, energy: Energy) -> None:
    """Write down what one run of a stage has used so far; a later note of the same run replaces it."""
    folder = work / RESUME / _ENERGY
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{run}.json", energy.model_dump_json())


def spent_energy(work: Path) -> list[Energy]:
    """What the runs of a stage have used: the killed ones and the last."""
    files = sorted((work / RESUME / _ENERGY).glob("*.json"))
    return [Energy.model_validate_json(path.read_bytes()) for path in files]


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two keys differ."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{prefix}{name}.")
        elif (name in old) != (name in new) or json.dumps(a, sort_keys=True, default=str) != json.dumps(
            b, sort_keys=True, default=str
        ):
            found.append(f"{prefix}{name}")
    return found
