"""What a reader looks at: the choices that a link restores, the entries they leave, and the exports of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from columns import ALWAYS, BY_KEY, COLUMNS, DEFAULT, Column, Value
from data import Board, Reported
from entry import SIZES, Entry

VIEWS = {"overall": "Overall", "corpus": "By corpus", "type": "By entity type"}
PAGE_ROWS = 50
LONGEST_SEARCH = 200


@dataclass(frozen=True)
class View:
    """A view of the board.

    Attributes:
        view: Key of `VIEWS`.
        search: Every word must stand in name, corpus, types or licence.
        corpora, types, backbones, languages, sizes, licenses: One of these; empty: any.
        verified: Only models whose score was reproduced from the Hub.
        reported: Figures of others are shown too.
        columns: Keys of `COLUMNS`.
        sort: Key of the column that sorts.
        descending: Direction of the sort.
        page: From 1.
    """

    view: str = "corpus"
    search: str = ""
    corpora: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    verified: bool = False
    reported: bool = False
    columns: tuple[str, ...] = DEFAULT
    sort: str = "rank"
    descending: bool = False
    page: int = 1

    def sorted_by(self, key: str) -> View:
        """As after a click on a heading: the better end first, the other way at the second click."""
        column = BY_KEY.get(key)
        if column is None:
            return self
        descending = not self.descending if key == self.sort else column.numeric and not column.low_first
        return replace(self, sort=key, descending=descending, page=1)

    def to_query(self) -> str:
        """The query string of a link, with what differs from the usual view."""
        usual = View()
        pairs: list[tuple[str, str]] = []
        for item in fields(self):
            value, normal = getattr(self, item.name), getattr(usual, item.name)
            if value == normal:
                continue
            if isinstance(value, tuple):
                pairs += [(item.name, part) for part in value] or [(item.name, "")]
            elif isinstance(value, bool):
                pairs.append((item.name, "1" if value else "0"))
            else:
                pairs.append((item.name, str(value)))
        return urlencode(pairs)

    @classmethod
    def from_query(cls, query: str, board: Board) -> View:
        """Read a query string; what the board does not know is left out."""
        given = parse_qs(query.lstrip("?"), keep_blank_values=True, max_num_fields=500)

        def known(name: str, allowed: Iterable[str]) -> tuple[str, ...]:
            possible = set(allowed)
            return tuple(dict.fromkeys(value for value in given.get(name, ()) if value in possible))

        def flag(name: str) -> bool:
            return given.get(name, ["0"])[-1] == "1"

        def text(name: str, usual: str) -> str:
            return given.get(name, [usual])[-1]

        page = text("page", "1")
        view, sort = text("view", cls.view), text("sort", cls.sort)
        return cls(
            view=view if view in VIEWS else cls.view,
            search=text("search", "")[:LONGEST_SEARCH],
            corpora=known("corpora", board.corpora),
            types=known("types", board.types),
            backbones=known("backbones", board.backbones),
            languages=known("languages", board.languages),
            sizes=known("sizes", SIZES),
            licenses=known("licenses", board.licenses),
            verified=flag("verified"),
            reported=flag("reported"),
            columns=with_always(known("columns", BY_KEY)) if "columns" in given else DEFAULT,
            sort=sort if sort in BY_KEY else cls.sort,
            descending=flag("descending"),
            page=int(page) if page.isdecimal() and len(page) < 7 else 1,
        )


@dataclass(frozen=True)
class Section:
    """Entries that compare, under one heading; an empty heading: they do not all compare."""

    title: str
    note: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Page:
    """One page of a view.

    Attributes:
        sections: Entries of this page.
        entries: Entries of all pages, in order.
        first: Number of the first entry of this page, from 1.
        number: This page, from 1.
        pages: Number of pages.
    """

    sections: tuple[Section, ...]
    entries: tuple[Entry, ...]
    first: int
    number: int
    pages: int


def with_always(columns: Iterable[str]) -> tuple[str, ...]:
    """Column keys in the order of the board, with those that always stand there."""
    chosen = {*columns, *ALWAYS}
    return tuple(column.key for column in COLUMNS if column.key in chosen)


def chosen_columns(view: View, entries: Sequence[Entry]) -> list[Column]:
    """The columns of a view of entries; sorted over different sets of corpora, each row says its own."""
    own = ("corpus",) if view.view == "overall" and view.sort != "rank" else ()
    chosen = [BY_KEY[key] for key in with_always((*view.columns, *own))]
    return [c for c in chosen if not c.where_measured or any(c.value(entry) is not None for entry in entries)]


def select(board: Board, view: View) -> list[Entry]:
    """The entries that a view leaves, in its order."""
    pool = {"overall": board.overall, "type": board.per_type}.get(view.view, board.entries)
    words = view.search.lower().split()
    corpora, types, backbones = set(view.corpora), set(view.types), set(view.backbones)
    languages, sizes, licenses = set(view.languages), set(view.sizes), set(view.licenses)
    kept = [
        entry
        for entry in pool
        if (not corpora or corpora.intersection(entry.corpora))
        and (not types or types.intersection(entry.types))
        and (not backbones or entry.backbone in backbones)
        and (not languages or languages.intersection(entry.languages))
        and (not sizes or entry.size in sizes)
        and (not licenses or licenses.intersection(entry.license.split(", ")))
        and (not view.verified or entry.verified is True)
        and all(word in entry.haystack for word in words)
    ]
    if view.sort == "rank":
        return ordered_by_rank(kept, view)
    value = BY_KEY[view.sort].value
    present = [entry for entry in kept if value(entry) is not None]
    missing = [entry for entry in kept if value(entry) is None]
    return sorted(present, key=lambda entry: _sortable(value(entry)), reverse=view.descending) + missing


def ordered_by_rank(entries: Sequence[Entry], view: View) -> list[Entry]:
    """By section, and by rank within it; what has no rank stands last in its section."""
    if not view.descending:
        return list(entries)  # the board has this order
    sections: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        sections.setdefault(section_of(entry, view), []).append(entry)
    return [entry for members in sections.values() for entry in reversed(members)]


def paginate(board: Board, view: View) -> Page:
    """The page of a view; a number beyond the last gives the last."""
    entries = select(board, view)
    pages = max(1, -(-len(entries) // PAGE_ROWS))
    number = min(max(view.page, 1), pages)
    start = (number - 1) * PAGE_ROWS
    shown = entries[start : start + PAGE_ROWS]
    return Page(tuple(sections(shown, view)), tuple(entries), start + 1 if shown else 0, number, pages)


def section_of(entry: Entry, view: View) -> tuple[str, str, str]:
    """What entries must have in common to compare: type, corpora, test split."""
    return (entry.types[0] if view.view == "type" and entry.types else "", entry.corpus, entry.test)


def sections(entries: Sequence[Entry], view: View) -> list[Section]:
    """Entries under the headings within which they compare; sorted otherwise than by rank there is one, without."""
    if not entries:
        return []
    if view.sort != "rank":
        mixed = len({section_of(entry, view) for entry in entries}) > 1
        note = "Sorted over different test sets: figures of different sets do not compare." if mixed else ""
        return [Section("", note, tuple(entries))]
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(section_of(entry, view), []).append(entry)
    splits: dict[tuple[str, str], int] = {}
    for name, corpus, _ in groups:
        splits[name, corpus] = splits.get((name, corpus), 0) + 1
    made = []
    for (name, corpus, test), members in groups.items():
        title, note = corpus, ""
        if view.view == "overall":
            number = len(members[0].corpora)
            title = f"Mean over {number} corpora" if number > 1 else f"Only {corpus}"
            note = corpus if number > 1 else ""
        elif view.view == "type":
            title = f"{name} in {corpus}"
        if splits[name, corpus] > 1 and view.view != "overall":
            note = f"test split {test[:8]}"
        made.append(Section(title, note, tuple(members)))
    return made


def select_reported(board: Board, view: View) -> list[Reported]:
    """Figures of others for the corpora, types and words of a view; none unless it shows them."""
    if not view.reported:
        return []
    words = view.search.lower().split()
    measured = {corpus for entry in board.entries for corpus in entry.corpora}
    corpora = set(view.corpora) or measured
    types = {name.lower() for name in view.types}
    return [
        item
        for item in board.reported
        if item.corpus in corpora
        and (not types or types.intersection(name.lower() for name in item.types))
        and all(word in f"{item.model} {item.corpus} {' '.join(item.types)}".lower() for word in words)
    ]


def export_rows(board: Board, view: View) -> list[dict[str, Value]]:
    """All entries of a view with the columns it shows; fractions of 1, intervals in fields of their own."""
    rows, entries = [], select(board, view)
    columns = chosen_columns(view, entries)
    for entry in entries:
        row: dict[str, Value] = {}
        for column in columns:
            row[column.key] = column.value(entry)
            if column.key == "rank":
                row["rank_shared"] = entry.shared
            if column.key == "name":
                row |= {"repo_id": entry.repo_id, "corpora": " ".join(entry.corpora)}
            if column.key == "f1":
                row |= {"ci95_low": entry.low, "ci95_high": entry.high, "std": entry.std, "n_seeds": entry.n_seeds}
            if column.key == "speed":
                row["processor"] = entry.processor
        rows.append(row)
    return rows


def export_csv(board: Board, view: View) -> str:
    """What is shown as CSV; figures of others are not in it."""
    rows = export_rows(board, view)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else list(view.columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def export_json(board: Board, view: View) -> str:
    """What is shown as JSON, with the view, what ranks mean, and the figures of others apart."""
    data: dict[str, Any] = {
        "view": asdict(view),
        "ranking": board.ranking,
        "origin": board.origin,
        "units": "scores are fractions of 1",
        "rows": export_rows(board, view),
        "reported_by_others": [asdict(item) for item in select_reported(board, view)],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def counts(entries: Iterable[Entry]) -> Mapping[str, int]:
    """How many entries, corpora and backbones there are."""
    pool = list(entries)
    return {
        "models": len(pool),
        "corpora": len({corpus for entry in pool for corpus in entry.corpora}),
        "backbones": len({entry.backbone for entry in pool}),
    }


def _sortable(value: Value) -> Any:
    return value.lower() if isinstance(value, str) else value


def _harmless(value: Value) -> Value:
    """A text that a spreadsheet would take for a formula gets a quote before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
