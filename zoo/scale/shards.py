"""Documents in shards: how an input is cut, and the folder that holds a file for each.

A shard is written under another name and then renamed, so that it is there whole or not at all; whoever does it twice
writes the same. `manifest.json` says what the answers depend on, and at the end how many there are.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fsspec.core import url_to_fs
from pydantic import Field

from zoo import __version__
from zoo.errors import ZooError
from zoo.records import Record
from zoo.scale.answers import Answers
from zoo.tagging.inputs import Fields, InputFile, read_files
from zoo.tagging.outputs.format import FileFormat
from zoo.tagging.outputs.output import FORMATS, Output, load_format
from zoo.tagging.texts import Text

MANIFEST = "manifest.json"
_GROUP_BYTES = 16 << 20
"""Files are read together, in one task, until they have so many: not a task for each of a million notes."""


class Manifest(Record):
    """What a folder of shards holds."""

    schema_version: int = 1
    zoo_version: str = __version__
    given: dict[str, Any]
    """What the answers depend on: models by their weights, options, input."""
    documents: int | None = None
    """None: the run is not finished."""
    shards: int | None = None
    skipped: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class Shard:
    """Documents that are written into one file.

    Attributes:
        name: Of the file, without suffix; the order of names is that of the documents.
        texts: The documents.
    """

    name: str
    texts: Sequence[Text]


@dataclass(frozen=True)
class Cutting:
    """How an input is cut into shards.

    Attributes:
        fields: Where JSON lines, CSV and Parquet have id and text.
        most_documents: Of a shard.
    """

    fields: Fields
    most_documents: int

    def shards(self, number: int, files: Sequence[InputFile], skipped: Counter[str]) -> Iterator[Shard]:
        """The shards of a group of files.

        Args:
            number: Of the group.
            files: The group.
            skipped: Counts records without a text.

        Raises:
            ZooError: A file is malformed.
        """
        texts, place = read_files(files, fields=self.fields, skipped=skipped), 0
        while together := list(islice(texts, self.most_documents)):
            yield Shard(f"part-{number:06d}-{place:06d}", together)
            place += 1


def grouped(files: Iterable[InputFile]) -> tuple[list[list[InputFile]], str]:
    """Files that are read together, and a hash of all names, sizes and times of change (or what their home has).

    Raises:
        ZooError: A file is not there.
    """
    groups: list[list[InputFile]] = [[]]
    size, digest = 0, hashlib.sha256()
    for file in files:
        try:
            if file.is_url:
                system, path = url_to_fs(file.place)
                bytes_, version = int(system.info(path)["size"] or 0), system.ukey(path)
            else:
                found = Path(file.place).stat()
                bytes_, version = found.st_size, str(found.st_mtime_ns)
        except OSError as error:
            raise ZooError(f"cannot read it: {error}", where=file.place) from None
        if groups[-1] and size + bytes_ > _GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += bytes_
        digest.update(json.dumps([file.name, bytes_, version]).encode())
    return groups, digest.hexdigest()


@dataclass(frozen=True)
class Folder:
    """A folder of shards, on a disk that all workers see or at a URL that fsspec writes to.

    Attributes:
        url: Of the folder.
        suffix: Of the shards: their format.
    """

    url: str
    suffix: str

    @classmethod
    def of(cls, place: str) -> Folder:
        """The folder of `--out`: its shards have the format that its name ends with, or are JSON lines.

        Raises:
            ZooError: No format is called so.
        """
        name = place.rstrip("/").rpartition("/")[2]
        suffix = next((known for known in FORMATS if known and name.endswith(known)), "")
        if not suffix and "." in name.strip("."):
            known = ", ".join(filter(None, FORMATS))
            raise ZooError(
                f"no format is called so: {name!r}", where="--out", fix=f"end the folder's name with {known}"
            )
        system, path = url_to_fs(place)
        return cls(system.unstrip_protocol(path), suffix or ".jsonl")

    @property
    def assertions(self) -> bool:
        """Whether the format can hold them."""
        format = load_format(self.suffix)
        return isinstance(format, FileFormat) and format.assertions

    def begin(self, given: dict[str, Any]) -> Manifest:
        """Say in the folder what its answers depend on, or find that it says so already.

        Raises:
            ZooError: It holds something else.
        """
        system, path = url_to_fs(self.url)
        system.makedirs(path, exist_ok=True)
        place = f"{path}/{MANIFEST}"
        given = {"format": self.suffix, **given}
        if system.exists(place):
            fix = "name another folder with --out, or remove this one"
            found = Manifest.from_json(system.cat_file(place), what="no manifest of zoo tag", where=place, fix=fix)
            for key, value in given.items():
                if found.given.get(key) != value:
                    raise ZooError(
                        f"the folder has answers of another run, with {key} {_shown(found.given.get(key))}; "
                        f"now it is {_shown(value)}",
                        where=place,
                        fix=fix,
                    )
            return found
        if system.ls(path):
            raise ZooError("the folder is not empty", where=path, fix="name another with --out")
        manifest = Manifest(given=given)
        self._put(MANIFEST, manifest.to_json().encode())
        return manifest

    def names(self) -> set[str]:
        """Names of the shards that are there."""
        system, path = url_to_fs(self.url)
        system.invalidate_cache()
        found = (Path(name).name for name in system.ls(path, detail=False))
        return {name.removesuffix(self.suffix) for name in found if name.startswith("part-")}

    def tag(self, shard: Shard, answers: Answers) -> int:
        """Answer a shard, and write it.

        Returns:
            The number of discontinuous mentions that the format could not hold as such.

        Raises:
            ZooError: It cannot be written.
        """
        with TemporaryDirectory() as folder:
            output = Output(Path(folder) / f"{shard.name}{self.suffix}", answers.run, "")
            with output.writing():
                for tagged in answers(shard.texts):
                    output.add(tagged)
            self._put(output.path.name, output.path.read_bytes())
        return output.made_whole

    def end(self, manifest: Manifest, documents: int, names: set[str], skipped: Counter[str]) -> None:
        """Say that all is there.

        Raises:
            ZooError: It is not.
        """
        if missing := names - self.names():
            raise ZooError(
                f"{len(missing):,} shards were written where this machine does not see them",
                where=self.url,
                fix="name a folder that all nodes share, or a URL such as s3://bucket/folder",
            )
        found = {"documents": documents, "shards": len(names), "skipped": dict(skipped)}
        self._put(MANIFEST, manifest.model_copy(update=found).to_json().encode())

    def _put(self, name: str, content: bytes) -> None:
        system, path = url_to_fs(self.url)
        temporary = f"{path}/.{name}.{uuid.uuid4().hex}"
        try:
            system.pipe_file(temporary, content)
            system.mv(temporary, f"{path}/{name}")
        except OSError as error:
            raise ZooError(f"cannot write it: {error}", where=f"{path}/{name}") from None


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 100 else f"{text[:100]} ..."


def packed(shard: Shard) -> str:
    """A shard as JSON."""
    return json.dumps([shard.name, [asdict(text) for text in shard.texts]])


def unpacked(shard: str) -> Shard:
    """A shard from JSON."""
    name, texts = json.loads(shard)
    return Shard(name, [Text(**text) for text in texts])
