"""The overview of a corpus as one HTML page: self-contained, offline, without scripts, for light and dark screens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.corpora.overview import CorpusOverview

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ corpus.title }}: overview</title>
<style>
:root { color-scheme: light dark; --text: #1b1b1b; --soft: #595959; --page: #fff; --line: #d0d0d0; --panel: #f5f5f5;
  --bar: #0072b2; --mark: #cfe6f5; }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --soft: #a8a8a8; --page: #16181a; --line: #44484c;
  --panel: #212427; --bar: #56b4e9; --mark: #16405c; } }
body { margin: 0 auto; max-width: 64rem; padding: 1rem 1.2rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; }
.soft { color: var(--soft); } .scroll { overflow-x: auto; }
.facts td { overflow-wrap: anywhere; }
table { border-collapse: collapse; } caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { min-width: 9rem; vertical-align: middle; }
td.bar span { display: block; height: .7rem; background: var(--bar); border-radius: 0 2px 2px 0; min-width: 1px; }
.note { border-left: 4px solid var(--line); background: var(--panel); padding: .5rem .9rem; }
.type { border-top: 1px solid var(--line); margin-top: 1.2rem; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .9rem; }
svg { display: block; width: 20rem; max-width: 100%; height: auto; }
svg rect { fill: var(--bar); } svg line { stroke: var(--line); }
svg text { fill: var(--text); font: 11px system-ui, sans-serif; text-anchor: middle; }
.frequent { font-size: .9rem; } .frequent td, .frequent th { padding-top: .1rem; padding-bottom: .1rem;
  overflow-wrap: anywhere; }
.example { margin: .5rem 0; overflow-wrap: anywhere; white-space: pre-wrap; }
mark { background: var(--mark); color: inherit; border-bottom: 2px solid var(--bar); }
summary { cursor: pointer; font-weight: 600; }
</style>
</head>
<body>
<h1>{{ corpus.title }}</h1>
<p>{{ corpus.description }}</p>
<table class="facts">
<tr><th scope="row">id</th><td>{{ corpus.id }}</td></tr>
<tr><th scope="row">licence</th><td>{{ corpus.license }} <span class="soft">({{ corpus.license_source }})</span>
{% if not corpus.publishable %}<br>A model trained on it may not be published, as far as is known.{% endif %}</td></tr>
<tr><th scope="row">source</th><td>{{ corpus.source }}{% if corpus.verified %}; every split has the registered
fingerprint{% else %}; <strong>the registry knows no fingerprint to check it against</strong>{% endif %}</td></tr>
{% if corpus.citation %}<tr><th scope="row">citation</th><td>{{ corpus.citation }}</td></tr>{% endif %}
{% if corpus.homepage %}<tr><th scope="row">home</th><td>{{ corpus.homepage }}</td></tr>{% endif %}
{% if corpus.note %}<tr><th scope="row">note</th><td>{{ corpus.note }}</td></tr>{% endif %}
{% for what, count in corpus.repairs.items() %}<tr><th scope="row">while reading</th><td>{{ what }}: {{ number(count) }}
</td></tr>{% endfor %}
</table>

<h2>Splits</h2>
<p class="soft">{% if corpus.unit == "sentence" %}One document is one sentence. {% endif %}Seen:
mentions whose text, upper and lower case aside, has the same type somewhere in train.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">split</th><th scope="col" class="n">documents</th><th scope="col" class="n">without
mentions</th><th scope="col" class="n">tokens</th><th scope="col" class="n">mentions</th>
<th scope="col" class="n">seen in train</th><th scope="col">fingerprint</th></tr></thead>
<tbody>
{% for split, item in corpus.splits.items() %}<tr><th scope="row">{{ split }}</th>
<td class="n">{{ number(item.documents) }}</td><td class="n">{{ number(item.documents_without_mentions) }}</td>
<td class="n">{{ number(item.tokens) }}</td><td class="n">{{ number(item.mentions) }}</td>
<td class="n">{% if item.seen_in_train is not none %}{{ percent(item.seen_in_train, item.mentions) }}{% endif %}</td>
<td><code title="{{ item.fingerprint }}">{{ item.fingerprint[:12] }}</code></td></tr>
{% endfor %}</tbody></table></div>

<h2>Types</h2>
<div class="scroll"><table>
<caption>Mentions of each type.</caption>
<thead><tr><th scope="col">type</th><td></td><th scope="col" class="n">all</th>
{% for split in corpus.splits %}<th scope="col" class="n">{{ split }}</th>{% endfor %}<th scope="col" class="n">distinct
texts</th></tr></thead>
<tbody>
{% for name, item in corpus.types.items() %}<tr><th scope="row">{{ name }}</th>
<td class="bar"><span style="width: {{ width(item.mentions, most) }}%"></span></td>
<td class="n">{{ number(item.mentions) }}</td>
{% for split in corpus.splits.values() %}<td class="n">{{ number(split.mentions_per_type[name]) }}</td>{% endfor %}
<td class="n">{{ number(item.forms) }}</td></tr>
{% endfor %}</tbody></table></div>

{% macro plot(columns, label) %}<svg viewBox="-8 0 336 150" role="img" aria-label="{{ label }}: {% for c in columns %}{{
c.label }}: {{ c.count }}{% if not loop.last %}, {% endif %}{% endfor %}">
<line x1="0" y1="128" x2="320" y2="128"/>
{% for c in columns %}<rect x="{{ c.x }}" y="{{ c.y }}" width="{{ c.width }}" height="{{ c.height }}"><title>{{
c.label }}: {{ number(c.count) }}</title></rect>
<text x="{{ c.middle }}" y="{{ c.y - 4 }}">{{ number(c.count) }}</text>
<text x="{{ c.middle }}" y="143">{{ c.short }}</text>
{% endfor %}</svg>{% endmacro %}
<h2>Mentions</h2>
{% if not quote %}<p class="note">This page quotes no text of the corpus: its licence ({{ corpus.license }}) does not
clearly allow it. <code>--quote</code> makes a page with text, for your own use.</p>
{% elif not corpus.publishable %}<p class="note">This page quotes the corpus, whose licence ({{ corpus.license }}) does
not clearly allow sharing: it was asked for with <code>--quote</code>, keep it to yourself.</p>{% endif %}
{% for name, item in corpus.types.items() %}
<section class="type">
<h3>{{ name }}</h3>
{% if item.mentions %}
<div class="plots">
<figure>{{ plot(columns(item.length_words), "Mentions by words") }}
<figcaption>Mentions by their length in words</figcaption></figure>
<figure>{{ plot(columns(item.frequencies), "Texts by occurrences") }}
<figcaption>Distinct texts by how often they occur</figcaption></figure>
{% if quote %}<div><table class="frequent">
<caption>Most frequent</caption><tbody>
{% for text, count in item.frequent %}<tr><td>{{ text }}</td>
<td class="bar"><span style="width: {{ width(count, item.frequent[0][1]) }}%"></span></td>
<td class="n">{{ number(count) }}</td></tr>
{% endfor %}</tbody></table></div>{% endif %}
</div>
{% if quote %}<details open><summary>In context</summary>
{% for example in item.examples %}<p class="example">{{ example.before }}<mark>{{ example.mention }}</mark>{{
example.after }} <span class="soft">({{ example.document_id }} [{{ example.start }}, {{ example.end }}))</span></p>
{% endfor %}</details>{% endif %}
{% else %}<p class="soft">No mention.</p>{% endif %}
</section>
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True)
class _Column:
    """One column of a bar chart, in the units of its 320 x 150 plot."""

    label: str
    short: str
    count: int
    x: float
    y: float
    width: float
    height: float
    middle: float


def render_page(corpus: CorpusOverview, *, quote: bool) -> str:
    """The page as HTML; all text of the corpus is escaped.

    Args:
        corpus: What to show.
        quote: Show text of the corpus: frequent mentions, and examples in context.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_TEMPLATE).render(
        corpus=corpus,
        quote=quote,
        most=max(item.mentions for item in corpus.types.values()),
        number=lambda value: f"{value:,}",
        percent=lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "",
        width=lambda value, most: f"{100 * value / most:.1f}" if most else "0",
        columns=_columns,
    )


def _columns(counts: Mapping[str, int]) -> list[_Column]:
    slot = 320 / max(1, len(counts))
    most = max([1, *counts.values()])
    columns = []
    for index, (label, count) in enumerate(counts.items()):
        height, width = 108 * count / most, min(0.75 * slot, 40)
        middle = (index + 0.5) * slot
        short = label.replace(" or more", "+").replace(" to ", "–")
        columns.append(
            _Column(
                label,
                short,
                count,
                round(middle - width / 2, 1),
                round(128 - height, 1),
                round(width, 1),
                round(height, 1),
                round(middle, 1),
            )
        )
    return columns
