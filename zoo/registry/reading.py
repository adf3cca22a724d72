"""YAML files, checked against a schema: one clear message for the first thing that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from zoo.errors import ZooError, did_you_mean

_Model = TypeVar("_Model", bound=BaseModel)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader, in C where PyYAML has it: a command reads some forty files before it does anything."""


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - any YAML document
    """Read one YAML file.

    Raises:
        ZooError: Not readable or not YAML, with file and line.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ZooError(f"not valid YAML: {error.problem}", where=f"{path}:{line}", fix="correct the line") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ZooError(f"cannot read the file: {error}", where=path) from None


def check(model: type[_Model], data: Any, *, where: str | Path) -> _Model:  # noqa: ANN401
    """Validate `data`; the first problem becomes one clear message with field, finding and what is allowed."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A misspelt field is also a missing one: name the misspelling.
        first = min(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
        path = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            what, fix = (
                f"unknown field {path!r}",
                did_you_mean(str(first["loc"][-1]), _fields_at(model, first["loc"][:-1])),
            )
        elif first["type"] == "missing":
            what, fix = f"the field {path!r} is missing", "add it"
        else:
            what, fix = f"{path or 'the document'}: {first['msg']}; found {first['input']!r}"[:400], None
        more = error.error_count() - 1
        raise ZooError(
            what + (f" (and {more} more)" if more else ""), where=f"{where}: {path}" if path else where, fix=fix
        ) from None


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the (nested) model at `location`."""
    current: Any = model
    for part in location:
        fields = getattr(current, "model_fields", {})
        if part not in fields:
            continue
        annotation = fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        current = next((item for item in options if hasattr(item, "model_fields")), current)
    return list(getattr(current, "model_fields", {}))
