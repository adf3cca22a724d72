"""Error analysis as one HTML page: self-contained, offline, readable without colour and without scripts."""

from __future__ import annotations

from typing import Any

from zoo.corpora.document import Key, fragments_of
from zoo.evaluation.errors import MEANINGS, Context, ErrorReport, Mistake

EXAMPLES_PER_KIND = 100
_MOST_LAYERS = 3
"""Lines of spans that overlap on so many more share the last place."""

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Errors of {{ model }} on {{ corpus }}</title>
<style>
:root { color-scheme: light dark; --text: #1b1b1b; --soft: #595959; --page: #fff; --line: #d0d0d0; --panel: #f5f5f5;
  --gold: #0072b2; --predicted: #b84a00; --tint: #fde3c8; }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --soft: #a8a8a8; --page: #16181a; --line: #44484c;
  --panel: #212427; --gold: #56b4e9; --predicted: #f0a030; --tint: #4a3413; } }
body { margin: 0 auto; max-width: 62rem; padding: 1rem 1.2rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.soft { color: var(--soft); } .scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note { border-left: 4px solid var(--line); background: var(--panel); padding: .5rem .9rem; }
.legend > span { margin-right: 1.2rem; white-space: nowrap; }
details { border-top: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; font-weight: 600; }
#filter { position: sticky; top: 0; background: var(--page); padding: .5rem 0; border-bottom: 1px solid var(--line);
  z-index: 1; }
#filter label { margin-right: 1rem; white-space: nowrap; }
.example { margin: .9rem 0; } .example p { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.example .head { font-size: .85rem; color: var(--soft); }
.context { line-height: 2; }
.g { border-bottom: 3px solid var(--gold); padding-bottom: 1px; }
.p { border-top: 2px dashed var(--predicted); background: var(--tint); padding-top: 1px; }
.it { font-weight: 700; }
.deep { line-height: 2.6; }
.g1 { padding-bottom: 6px; } .g2 { padding-bottom: 11px; } .g3 { padding-bottom: 16px; }
.p1 { padding-top: 5px; } .p2 { padding-top: 9px; } .p3 { padding-top: 13px; }
</style>
</head>
<body>
<h1>Errors of {{ model }} on {{ corpus }}</h1>
<p class="soft">{{ split }} split, {{ report.documents | length }} documents, {{ gold }} gold mentions,
{{ predicted }} predicted. Strict F1 {{ percent(report.counts.f1) }}, precision {{ percent(report.counts.precision) }},
recall {{ percent(report.counts.recall) }}: a prediction counts when start, end and type all agree with gold.</p>
{% if not quote %}
<p class="note">This page quotes no text of the corpus: its licence ({{ license }}) does not clearly allow it. Documents
and character offsets [start, end) are given instead. <code>--quote</code> makes a page with text, for your own use.</p>
{% else %}
<p class="note">Text of the corpus is quoted under its licence: {{ license }}{% if not publishable %} (this licence does
not clearly allow sharing: the page was asked for with <code>--quote</code>, keep it to yourself){% endif %}.</p>
{% endif %}

<h2>Classes</h2>
<p class="soft">Every false positive (FP) and every false negative (FN) stands in one class; a mention found with wrong
borders is both.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">class</th><th scope="col">meaning</th><th scope="col" class="n">FP</th>
<th scope="col" class="n">FN</th>{% if quote %}<th scope="col">most frequent strings</th>{% endif %}</tr></thead>
<tbody>
{% for kind in kinds %}<tr><th scope="row">{{ kind }}</th><td>{{ meanings[kind] }}</td>
<td class="n">{{ report.by_kind[kind].fp }}</td><td class="n">{{ report.by_kind[kind].fn }}</td>
{% if quote %}<td>{% for text, n in report.frequent(kind, 8) %}{{ text }} <span class="soft">{{ n }}</span>{% if not
loop.last %}, {% endif %}{% endfor %}</td>{% endif %}</tr>
{% endfor %}<tr><th scope="row">all</th><td></td><td class="n">{{ report.counts.fp }}</td>
<td class="n">{{ report.counts.fn }}</td>{% if quote %}<td></td>{% endif %}</tr>
</tbody></table></div>

<h2>Types</h2>
<p class="soft">FP / FN of each class. A false positive stands under the predicted type, a false negative under the gold
type.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">type</th><th scope="col" class="n">gold</th><th scope="col" class="n">F1</th>
<th scope="col" class="n">P</th><th scope="col" class="n">R</th>
{% for kind in kinds %}<th scope="col" class="n">{{ kind }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name, counts in report.per_type.items() %}<tr><th scope="row">{{ name }}</th>
<td class="n">{{ counts.tp + counts.fn }}</td><td class="n">{{ percent(counts.f1) }}</td>
<td class="n">{{ percent(counts.precision) }}</td><td class="n">{{ percent(counts.recall) }}</td>
{% for kind in kinds %}<td class="n">{{ report.by_type[name][kind].fp }} / {{ report.by_type[name][kind].fn }}</td>
{% endfor %}</tr>
{% endfor %}</tbody></table></div>

<h2>Examples</h2>
{% if quote %}<p class="legend"><span><span class="g">gold</span>: solid line below</span>
<span><span class="p">predicted</span>: dashed line above, tinted</span>
<span><span class="g p">both</span>: where they agree</span>
<span><span class="it">bold</span>: the place in question</span>{% if "nested" in kinds %}
<span><span class="g g1"><span class="g">nested</span> gold</span>: the longer, the farther from the text</span>{% endif
%}</p>{% endif %}
<form id="filter" hidden>
{% for kind in kinds %}<label><input type="checkbox" name="kind" value="{{ kind }}" checked> {{ kind }}</label>
{% endfor %}
{% if report.per_type | length > 1 %}<label>type <select name="type"><option value="">all</option>
{% for name in report.per_type %}<option>{{ name }}</option>{% endfor %}</select></label>{% endif %}
</form>
{% for kind in kinds %}{% set places = report.places(kind) | length %}{% if places %}
<details data-kind="{{ kind }}" open>
<summary>{{ kind }}: {{ places }} place{{ "s" if places != 1 }}{% if places > limit %}, {{ limit }} shown, evenly
spaced over the corpus{% endif %}</summary>
{% for mistake in report.examples(kind, limit) %}
<div class="example" data-types="{{ types_of(mistake) | tojson | forceescape }}">
<p class="head">{{ report.documents[mistake.document].id }}: {{ side(mistake.predicted) }} {{ span(mistake.key) }}{% if
mistake.counterpart %}, {{ side(not mistake.predicted) }} {{ span(mistake.counterpart) }}{% endif %}{#
#}{% for key in report.beside(mistake) %}{{ "," if
not loop.first else "; shares characters with " ~ side(mistake.predicted) }} {{ span(key) }}{% endfor %}</p>
{% if quote %}{% set context = report.context(mistake) %}
<p dir="auto" class="context{{ " deep" if deep(context) }}">{% if context.cut_before %}…{% endif %}{#
#}{% for piece in pieces(mistake, context) %}{% if piece.css %}{#
#}{% for css in piece.around %}<span class="{{ css }}">{% endfor %}{#
#}<span class="{{ piece.css }}" title="{{ piece.title }}">{#
#}{{ piece.text }}</span>{% for _ in piece.around %}</span>{% endfor %}{#
#}{% else %}{{ piece.text }}{% endif %}{% endfor %}{#
#}{% if context.cut_after %}…{% endif %}</p>
{% endif %}
</div>
{% endfor %}
</details>
{% endif %}{% endfor %}
<script>
// Without scripts the page shows everything; with them the filter appears.
const filter = document.getElementById("filter");
filter.hidden = false;
filter.addEventListener("change", () => {
  const data = new FormData(filter), kinds = data.getAll("kind"), type = data.get("type");
  for (const part of document.querySelectorAll("details[data-kind]")) {
    part.hidden = !kinds.includes(part.dataset.kind);
    for (const example of part.querySelectorAll(".example"))
      example.hidden = Boolean(type) && !JSON.parse(example.dataset.types).includes(type);
  }
});
</script>
</body>
</html>
"""


def render_page(
    report: ErrorReport,
    *,
    model: str,
    corpus: str,
    split: str,
    license_spdx: str,
    publishable: bool,
    quote: bool,
    examples_per_kind: int = EXAMPLES_PER_KIND,
) -> str:
    """The page as HTML; all text of the corpus is escaped.

    Args:
        report: What `analyse` found.
        model: Name of the model; no path of this machine, for pages get shared.
        corpus: Title of the corpus.
        split: Name of the split.
        license_spdx: Licence of the corpus.
        publishable: Whether that licence allows sharing.
        quote: Show text of the corpus; otherwise document ids and offsets alone.
        examples_per_kind: Most examples shown of each class.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_TEMPLATE).render(
        report=report,
        model=model,
        corpus=corpus,
        split=split,
        license=license_spdx,
        publishable=publishable,
        quote=quote,
        limit=examples_per_kind,
        gold=report.counts.tp + report.counts.fn,
        predicted=report.counts.tp + report.counts.fp,
        kinds=report.kinds,
        meanings=MEANINGS,
        percent=lambda value: f"{100 * value:.2f}",
        side=lambda predicted: "predicted" if predicted else "gold",
        span=_span,
        deep=lambda context: any({*s.gold_layers, *s.predicted_layers} - {0} for s in context.segments),
        types_of=_types,
        pieces=_pieces,
    )


def _span(key: Key) -> str:
    return f"{key[2]} " + " and ".join(f"[{start}, {end})" for start, end in fragments_of(key))


def _types(mistake: Mistake) -> list[str]:
    return sorted({key[2] for key in (mistake.key, mistake.counterpart) if key})


def _pieces(mistake: Mistake, context: Context) -> list[dict[str, Any]]:
    """Segments with their CSS classes; the mistake's borders are borders of segments, so bold fits exactly.

    The lines of longer spans lie around that of the shortest: classes of elements, the outermost first.
    """
    spans = [part for key in (mistake.key, mistake.counterpart) if key for part in fragments_of(key)]
    pieces: list[dict[str, Any]] = []
    position = context.start
    for segment in context.segments:
        lines = [
            [name + (f" {name}{min(layer, _MOST_LAYERS)}" if layer else "") for layer in layers]
            for name, layers in (("g", segment.gold_layers), ("p", segment.predicted_layers))
        ]
        css = [side[0] for side in lines if side]
        around = [line for side in lines for line in side[:0:-1]]
        if any(start <= position < end for start, end in spans):
            css.append("it")
        sides = [("gold", segment.gold), ("predicted", segment.predicted)]
        title = "; ".join(f"{name} {', '.join(types)}" for name, types in sides if types)
        pieces.append({"text": segment.text, "css": " ".join(css), "title": title, "around": around})
        position += len(segment.text)
    return pieces
