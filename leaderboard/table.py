"""The board as HTML: headings that sort, sections with shared ranks, pages, and others' figures apart."""

from __future__ import annotations

from collections.abc import Sequence

from columns import Column, escape, interval, percent
from data import Board, Reported
from entry import Entry
from views import VIEWS, Page, Section, View, chosen_columns, paginate, select_reported


def render_board(board: Board, view: View) -> str:
    """The table of a view with all around it."""
    page = paginate(board, view)
    if not page.entries:
        table = (
            '<p class="empty">No model fits these filters. Take one away, or <button type="button" '
            'class="link" data-reset="1">clear all</button>.</p>'
        )
        if not board.entries:
            table = '<p class="empty">There are no results yet: build models, then run <code>zoo board</code>.</p>'
    else:
        table = _table(page, view)
    return (
        f'<div class="board" data-query="{escape(view.to_query())}">{_summary(page, view)}{table}'
        f"{_pager(page)}{_reported(select_reported(board, view), view)}"
        f'<p class="fine">{escape(board.ranking)} Figures in percent unless the heading says otherwise; '
        f"{escape(_meaning(view))}{escape(_speed(page, view))}</p></div>"
    )


def _meaning(view: View) -> str:
    return {
        "overall": "a mean is over the corpora that a backbone covers, and only backbones with the same corpora are "
        "ranked together; the interval is the mean of the corpora's intervals.",
        "corpus": "ranks count within one corpus and test split.",
        "type": "ranks count within one entity type of one corpus.",
    }[view.view]


def _speed(page: Page, view: View) -> str:
    """On which processors the times of a page were measured."""
    if not any(column.key == "speed" for column in chosen_columns(view, page.entries)):
        return ""
    names = sorted({entry.processor for section in page.sections for entry in section.entries if entry.processor})
    if len(names) < 2:
        return f" Speed was measured on {names[0]}, one document at a time." if names else ""
    return f" Speed was measured on {'; '.join(names)}: times of different processors do not compare."


def _summary(page: Page, view: View) -> str:
    total = len(page.entries)
    noun = {"overall": "backbone", "type": "score"}.get(view.view, "model") + ("" if total == 1 else "s")
    last = page.first + sum(len(section.entries) for section in page.sections) - 1
    where = f"{page.first:,} to {last:,} of " if page.pages > 1 else ""
    return f'<p class="summary" role="status">{VIEWS[view.view]}: {where}{total:,} {noun}</p>'


def _table(page: Page, view: View) -> str:
    columns = chosen_columns(view, page.entries)
    head = "".join(_heading(column, view) for column in columns)
    body = "".join(_section(section, columns) for section in page.sections)
    return (
        '<div class="tablebox" role="region" aria-label="Leaderboard table" tabindex="0"><table class="models">'
        f'<caption class="unseen">Models, {escape(VIEWS[view.view].lower())}</caption>'
        f'<thead><tr>{head}<th scope="col"><span class="unseen">Copy</span></th></tr></thead>{body}</table></div>'
    )


def _heading(column: Column, view: View) -> str:
    active = column.key == view.sort
    state = ("descending" if view.descending else "ascending") if active else "none"
    arrow = {"ascending": "▲", "descending": "▼", "none": "↕"}[state]
    kind = " num" if column.numeric else ""
    return (
        f'<th scope="col" class="c-{column.key}{kind}" aria-sort="{state}"><button type="button" '
        f'data-sort="{column.key}" '
        f'title="{escape(column.help)}">{escape(column.title)}<span class="arrow{" on" if active else ""}" '
        f'aria-hidden="true">{arrow}</span></button></th>'
    )


def _section(section: Section, columns: Sequence[Column]) -> str:
    width = len(columns) + 1
    head = ""
    if section.title:
        note = f' <span class="note">{escape(section.note)}</span>' if section.note else ""
        head = (
            f'<tr class="section"><th colspan="{width}" '
            f'scope="rowgroup"><span>{escape(section.title)}{note}</span></th></tr>'
        )
    elif section.note:
        head = f'<tr class="section"><td colspan="{width}"><span class="note">{escape(section.note)}</span></td></tr>'
    return f"<tbody>{head}{''.join(_row(entry, columns) for entry in section.entries)}</tbody>"


def _row(entry: Entry, columns: Sequence[Column]) -> str:
    lead = " lead" if entry.rank == 1 else ""
    cells = "".join(_cell(entry, column) for column in columns)
    if entry.key.startswith("mean:"):
        return f'<tr class="model{lead}">{cells}<td></td></tr>'
    name = escape(entry.name)
    copies = (
        f'<button type="button" class="copy" data-copy="{escape(entry.pipeline_line)}" '
        f'aria-label="Copy the pipeline line of {name}" title="{escape(entry.pipeline_line)}">pipeline</button>'
        f'<button type="button" class="copy" data-copy="{escape(entry.rebuild_command)}" '
        f'aria-label="Copy the command that rebuilds {name}" title="{escape(entry.rebuild_command)}">rebuild</button>'
    )
    return f'<tr class="model{lead}">{cells}<td class="copies">{copies}</td></tr>'


def _cell(entry: Entry, column: Column) -> str:
    text = escape(column.text(entry))
    kind = f"c-{column.key}{' num' if column.numeric else ''}"
    if column.key == "name":
        return f'<th scope="row" class="{kind}">{_name(entry)}</th>'
    if column.key == "f1":
        return f'<td class="{kind}">{_score(entry)}</td>'
    if column.key == "verified":
        mark = "✓ " if entry.verified else ""
        return f'<td class="{kind} v-{text.replace(" ", "-")}">{mark}{text}</td>'
    if column.key == "rank":
        title = ' title="Shared: not separable at 95 % from the first of this rank"' if entry.shared else ""
        return f'<td class="{kind}"{title}><span class="rank">{text}</span></td>'
    if column.key == "speed" and entry.processor:
        return f'<td class="{kind}" title="{escape(entry.processor)}">{text}</td>'
    return f'<td class="{kind}">{text}</td>'


def _name(entry: Entry) -> str:
    name = escape(entry.name)
    card = ""
    if entry.card_url:
        card = (
            f'<a class="card" href="{escape(entry.card_url)}" target="_blank" rel="noopener noreferrer" '
            f'aria-label="Model card of {name} on the Hub" title="Model card on the Hub">card</a>'
        )
    if entry.key.startswith("mean:"):
        return f"<span>{name}</span>{card}"
    key = escape(entry.key.partition("#")[0])
    return f'<button type="button" class="link" data-model="{key}">{name}</button>{card}'


def _score(entry: Entry) -> str:
    own = "" if entry.first_f1 is None else f"; this adapter {percent(entry.first_f1)}"
    seeds = "" if entry.std is None else f"± {percent(entry.std)} ({entry.n_seeds} seeds{own})"
    spread = f'<span class="std">{seeds}</span>' if seeds else ""
    bar = ""
    if entry.low is not None and entry.high is not None:
        left, width = 100 * entry.low, 100 * max(entry.high - entry.low, 0.002)
        bar = (
            f'<span class="ci">{interval(entry)}</span><span class="bar" aria-hidden="true">'
            f'<i style="left:{left:.1f}%;width:{width:.1f}%"></i><b style="left:{100 * entry.f1:.1f}%"></b></span>'
        )
    return f"<strong>{percent(entry.f1)}</strong>{spread}{bar}"


def _pager(page: Page) -> str:
    if page.pages < 2:
        return ""

    def button(number: int, text: str, label: str, enabled: bool) -> str:
        state = "" if enabled else " disabled"
        return f'<button type="button" data-page="{number}" aria-label="{label}"{state}>{text}</button>'

    number, last = page.number, page.pages
    return (
        '<nav class="pager" aria-label="Pages of the board">'
        + button(1, "« First", "First page", number > 1)
        + button(number - 1, "‹ Previous", "Previous page", number > 1)
        + f"<span>Page {number} of {last}</span>"
        + button(number + 1, "Next ›", "Next page", number < last)
        + button(last, "Last »", "Last page", number < last)
        + "</nav>"
    )


def _reported(items: Sequence[Reported], view: View) -> str:
    if not view.reported:
        return ""
    if not items:
        return (
            '<section class="reported"><h3>Reported by others</h3><p>No reported figure fits these '
            "filters.</p></section>"
        )
    rows = "".join(
        f'<tr><th scope="row">{escape(item.model)}</th><td>{escape(item.corpus)}</td>'
        f"<td>{escape(', '.join(item.types))}</td>"
        f'<td class="num">{percent(item.f1)}</td><td class="num">{percent(item.precision)}</td>'
        f'<td class="num">{percent(item.recall)}</td><td>{_source(item.source)}</td><td>{escape(item.caveat)}</td></tr>'
        for item in sorted(items, key=lambda item: (item.corpus, -item.f1, item.model))
    )
    return (
        '<section class="reported" aria-label="Reported by others"><h3>Reported by others: not measured here, not '
        "ranked</h3>"
        "<p>Splits, scoring and training data of these figures differ or are not disclosed. They do not compare with "
        "the figures above, nor with each other.</p>"
        '<div class="tablebox" role="region" aria-label="Reported figures" tabindex="0"><table><thead><tr>'
        + "".join(
            f'<th scope="col"{kind}>{title}</th>'
            for title, kind in (
                ("Model", ""),
                ("Corpus", ""),
                ("Types", ""),
                ("F1", ' class="num"'),
                ("P", ' class="num"'),
                ("R", ' class="num"'),
                ("Source", ""),
                ("Protocol", ""),
            )
        )
        + f"</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _source(text: str) -> str:
    """A source; one that is a web address becomes a link."""
    if not text.startswith("https://"):
        return escape(text)
    address, _, rest = text.partition(" ")
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{escape(address)}</a> {escape(rest)}'
