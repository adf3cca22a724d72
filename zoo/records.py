"""The base of all records that are written to files, and how they are read again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from zoo.errors import ZooError

if TYPE_CHECKING:
    from typing_extensions import Self


class Record(BaseModel):
    """A frozen record.

    An undeclared field is an error where a record is made, so that a typo never reaches a file. `from_json` and
    `from_file` ignore such fields, so that this version reads what a later one wrote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        """The record as a JSON file."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, content: bytes, *, what: str, where: str | Path, fix: str | None = None) -> Self:
        """Read a record from JSON.

        Args:
            content: JSON, UTF-8.
            what: What is wrong where it is no such record, for the error: `not a manifest`.
            where: File, for the error.
            fix: What to do about it, for the error.

        Raises:
            ZooError: It is not JSON, or a field is missing or has another type.
        """
        try:
            return cls.model_validate_json(content, extra="ignore")
        except ValidationError as error:
            raise ZooError(f"{what}: {first_problem(error)}", where=where, fix=fix) from None

    @classmethod
    def from_file(cls, path: Path, *, what: str, fix: str | None = None) -> Self:
        """Read a record from a file; arguments as of `from_json`.

        Raises:
            ZooError: The file cannot be read, or holds something else.
        """
        return cls.from_json(read_bytes(path, fix=fix), what=what, where=path, fix=fix)


def read_bytes(path: Path, *, fix: str | None = None) -> bytes:
    """The content of a file.

    Raises:
        ZooError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ZooError(f"cannot read the file: {error.strerror}", where=path, fix=fix) from None


def first_problem(error: ValidationError) -> str:
    """The first problem that pydantic found: `field: message`."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else first["msg"]
