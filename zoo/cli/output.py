"""What commands print: tables for people, JSON for programs, progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.corpora.retry import Progress


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, 160 columns where there is none."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if terminal else 160)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; cells are plain text, never markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def print_line(text: str = "", *, wrap: bool = True) -> None:
    """Print plain text.

    Args:
        text: The text, never markup.
        wrap: Break it at the width of the terminal; without, paths and commands can be copied whole.
    """
    from rich.text import Text

    console().print(Text(text), soft_wrap=not wrap)


def print_step(text: str) -> None:
    """Say on standard error what is being done now."""
    from rich.text import Text

    console(stderr=True).print(Text(f"{text} ...", style="dim"))


def print_json(data: object) -> None:
    """Print indented JSON."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def percent(value: float) -> str:
    """A fraction of 1 in percent, with two decimals and no sign."""
    return f"{100 * value:.2f}"


def interval(low: float, high: float) -> str:
    """Two fractions of 1 as an interval in percent."""
    return f"[{percent(low)}, {percent(high)}]"


def score_cells(f1: float, precision: float, recall: float, ci95: tuple[float, float] | None = None) -> list[str]:
    """Cells `F1, 95% interval, P, R` of a table, from fractions of 1; the interval is empty where there is none."""
    return [percent(f1), interval(*ci95) if ci95 else "", percent(precision), percent(recall)]


def type_names(types: Sequence[str], most: int) -> str:
    """The first so many types of a corpus, and how many more there are."""
    return ", ".join(types[:most]) + (f" and {len(types) - most} more" if len(types) > most else "")


@contextmanager
def download_bars() -> Iterator[Progress | None]:
    """What downloads report to: one bar a file on standard error; None where that is no terminal."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=screen, transient=True) as bars:

        def step(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield step


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file whole.

    Raises:
        ZooError: It cannot be written.
    """
    from zoo.files import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise ZooError(f"cannot write the file: {error.strerror or error}", where=path) from None
