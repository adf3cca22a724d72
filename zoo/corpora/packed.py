"""Corpora released as a zip or tar archive with one file a split, read by the reader of the entry's format."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from zoo.corpora.document import Document
from zoo.corpora.readers import read_split
from zoo.errors import ZooError
from zoo.registry.formats import CORPUS_FORMATS
from zoo.registry.schema import CorpusEntry, PackedSource, SplitName

_LARGEST_MEMBER_BYTES = 1024**3


def read_packed(
    source: PackedSource, entry: CorpusEntry, archive: Path, split: SplitName, repairs: Counter[str]
) -> Iterator[Document]:
    """Stream the documents of one split; the file is unpacked for as long as it is read.

    Args:
        source: Where the split lies in the archive.
        entry: The corpus: its format.
        archive: The zip or tar file, compressed or not.
        split: Which split.
        repairs: Counts what had to be repaired.

    Raises:
        ZooError: The archive is damaged or lacks the split, or a line is malformed; with member and line.
    """
    member = source.member.replace("{fold}", str(source.fold)).replace("{split}", split)
    with tempfile.TemporaryDirectory(prefix="zoo-split-") as folder:
        path = Path(folder) / f"{split}{CORPUS_FORMATS[entry.format].suffixes[0]}"
        unpack(archive, {member: path}, fix="correct `member` or `fold` in the entry")
        try:
            yield from read_split(path, entry, repairs)
        except ZooError as error:
            where = error.where and error.where.replace(str(path), f"{archive}: {member}")
            raise ZooError(error.what, where=where, fix=error.fix) from None


def unpack(archive: Path, members: Mapping[str, Path], *, fix: str) -> None:
    """Write regular files of an archive to where they are wanted.

    Args:
        archive: The zip or tar file, compressed or not.
        members: Name of a file in it -> where to.
        fix: What to do where there is no such file, for the error.

    Raises:
        ZooError: The archive is damaged, lacks a file, or one is larger than 1 GiB.
    """
    member = ""
    try:
        with zipfile.ZipFile(archive) if zipfile.is_zipfile(archive) else tarfile.open(archive, "r:*") as packed:
            for member, target in members.items():
                stream, size_bytes = _open(packed, member)
                if size_bytes > _LARGEST_MEMBER_BYTES:
                    what = f"a file of {size_bytes} bytes"
                    raise ZooError(what, where=f"{archive}: {member}", fix="unpack and cut it")
                with stream, target.open("wb") as file:
                    shutil.copyfileobj(stream, file)
    except KeyError:
        raise ZooError(f"the archive has no file {member!r}", where=archive, fix=fix) from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError, OSError) as error:
        raise ZooError(
            f"the archive is damaged: {(str(error).splitlines() or [''])[0].rstrip(':')}",
            where=archive,
            fix="remove the file, so that it is fetched again",
        ) from None


def _open(packed: zipfile.ZipFile | tarfile.TarFile, member: str) -> tuple[IO[bytes], int]:
    """A file of a zip or tar archive, and its size in bytes; KeyError where there is none."""
    if isinstance(packed, zipfile.ZipFile):
        return packed.open(member), packed.getinfo(member).file_size
    info = packed.getmember(member)
    found = packed.extractfile(info) if info.isreg() else None
    if found is None:
        raise KeyError(member)
    return found, info.size
