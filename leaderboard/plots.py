"""Plotly figures of the board. Colours are safe for colour-blind readers and never the only mark of a difference."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from columns import percent
from data import Reported
from entry import Entry

if TYPE_CHECKING:
    import plotly.graph_objects as go

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A900", "#8C8C8C")
"""Okabe and Ito's colours, the yellow darker and the black grey, so that both themes show them."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
HEAT = [[0, "#fff3cf"], [0.5, "#a8cfdf"], [1, "#4f9bcf"]]
"""Light from end to end: dark figures can be read on all of it, at 5:1 and more."""
GREY = "#7a7f87"
MOST_ROWS = 60
X_AXES: dict[str, tuple[str, str]] = {
    "Parameters": ("parameters", "parameters that a pipeline loads"),
    "Trained parameters": ("trained_parameters", "trained parameters"),
    "Adapter size": ("adapter_bytes", "adapter, bytes"),
    "Speed": ("ms_per_1000_words", "milliseconds to tag 1,000 words on a CPU"),
    "Energy": ("energy_wh", "watt-hours of search, training and scoring"),
}


def cost(entries: Sequence[Entry], axis: str) -> go.Figure:
    """F1 against what it costs, one symbol per backbone, with the Pareto front (nothing is better and cheaper)."""
    import plotly.graph_objects as go

    name, title = X_AXES[axis]
    points = [(value, entry) for entry in entries if (value := getattr(entry, name)) is not None and value > 0]
    if not points:
        return empty(f"{axis} is not measured for these models")
    heading, processors = title, sorted({entry.processor for _, entry in points if entry.processor})
    if name == "ms_per_1000_words" and processors:
        heading += f"<br>{processors[0] if len(processors) == 1 else 'different processors: these do not compare'}"
    figure = go.Figure()
    groups: defaultdict[str, list[tuple[float, Entry]]] = defaultdict(list)
    for value, entry in points:
        groups[entry.backbone].append((value, entry))
    for index, (backbone, members) in enumerate(sorted(groups.items())):
        figure.add_scatter(
            x=[value for value, _ in members],
            y=[100 * entry.f1 for _, entry in members],
            error_y=_error([entry for _, entry in members], "y"),
            mode="markers",
            name=backbone,
            text=[entry.name for _, entry in members],
            hovertemplate="%{text}<br>F1 %{y:.1f}<br>" + title + " %{x:.4s}<extra></extra>",
            marker={
                "size": 11,
                "color": PALETTE[index % len(PALETTE)],
                "symbol": SYMBOLS[index // len(PALETTE) % len(SYMBOLS)] if len(groups) > 8 else SYMBOLS[index],
            },
            showlegend=len(groups) <= 20,
        )
    front = pareto(points)
    figure.add_scatter(
        x=[value for value, _ in front],
        y=[100 * entry.f1 for _, entry in front],
        mode="lines+markers",
        name="Pareto front",
        line={"color": GREY, "dash": "dash", "shape": "hv"},
        marker={"symbol": "circle-open", "size": 17, "color": GREY},
        hoverinfo="skip",
    )
    figure.update_xaxes(type="log", title=heading, exponentformat="SI", dtick=1 if _decades(points) > 1 else "D2")
    figure.update_yaxes(title="F1, percent")
    return _styled(figure, 460)


def pareto(points: Sequence[tuple[float, Entry]]) -> list[tuple[float, Entry]]:
    """The points that no other beats in both cost (lower) and F1 (higher), cheapest first."""
    front: list[tuple[float, Entry]] = []
    for value, entry in sorted(points, key=lambda point: (point[0], -point[1].f1)):
        if not front or entry.f1 > front[-1][1].f1:
            front.append((value, entry))
    return front


def intervals(entries: Sequence[Entry], reported: Sequence[Reported] = ()) -> go.Figure:
    """F1 with its 95 % interval, best on top; filled: not separable from the best; open diamonds: figures of others."""
    import plotly.graph_objects as go

    shown = sorted(entries, key=lambda entry: -entry.f1)[:MOST_ROWS]
    if not shown:
        return empty("no model was measured on this corpus")
    figure = go.Figure()
    for title, members, symbol, color in (
        ("shares rank 1", [e for e in shown if e.rank == 1], "circle", PALETTE[0]),
        ("other ranks", [e for e in shown if e.rank != 1], "circle-open", PALETTE[5]),
    ):
        if members:
            figure.add_scatter(
                x=[100 * entry.f1 for entry in members],
                y=[entry.name for entry in members],
                error_x=_error(members, "x"),
                mode="markers",
                name=title,
                text=[f"{percent(e.low)} to {percent(e.high)}" for e in members],
                hovertemplate="%{y}<br>F1 %{x:.1f}, 95 % interval %{text}<extra></extra>",
                marker={"size": 10, "color": color, "symbol": symbol, "line": {"width": 2, "color": color}},
            )
    others = [item for item in reported if item.corpus in {corpus for entry in shown for corpus in entry.corpora}]
    if others:
        figure.add_scatter(
            x=[100 * item.f1 for item in others],
            y=["reported by others"] * len(others),
            mode="markers",
            name="reported, not measured here",
            text=[item.model for item in others],
            hovertemplate="%{text}<br>reported F1 %{x:.1f}<extra></extra>",
            marker={"size": 10, "symbol": "diamond-open", "color": GREY, "line": {"width": 2}},
        )
    order = [entry.name for entry in shown] + (["reported by others"] if others else [])
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], automargin=True)
    figure.update_xaxes(title="F1, percent")
    return _styled(figure, 190 + 26 * len(order))


def types(entries: Sequence[Entry]) -> go.Figure:
    """Heat map of F1 by model and entity type; the figure stands in each cell."""
    import plotly.graph_objects as go

    names = list(dict.fromkeys(name for entry in entries for name in entry.types))
    scored = []
    for entry in sorted(entries, key=lambda entry: -entry.f1):
        scores = entry.details.get("result", {}).get("scores", {}).get("test", {}).get("per_type", {})
        if scores:
            scored.append((entry.name, [scores[name]["f1"] if name in scores else None for name in names]))
    if not scored:
        return empty("no scores by entity type")
    scored = scored[: MOST_ROWS // 2][::-1]
    values = [[None if value is None else 100 * value for value in row] for _, row in scored]
    figure = go.Figure(_heat(values, names, [name for name, _ in scored], "F1 %{z:.1f}"))
    return _styled(figure, 200 + 30 * len(scored))


def cross(matrix: Mapping[str, Any]) -> go.Figure:
    """F1 of every model on every corpus that shares types with it; a frame marks the corpus it was trained on."""
    import plotly.graph_objects as go

    cells = {(cell["model"], cell["corpus"]): cell for cell in matrix.get("cells", ())}
    if not cells:
        return empty("no cross-corpus scores yet: zoo cross MODEL... --corpora A,B --out DIR")
    models, corpora = list(matrix["models"])[::-1], list(matrix["corpora"])
    rows, columns = list(matrix.get("rows", matrix["models"]))[::-1], list(matrix.get("columns", corpora))
    values: list[list[float | None]] = []
    texts: list[list[str]] = []
    notes: list[list[str]] = []
    for model in models:
        row = [cells.get((model, corpus), {}) for corpus in corpora]
        values.append([100 * cell["score"]["micro_f1"] if cell.get("score") else None for cell in row])
        stars = ["*" if cell.get("status") == "reduced" else "" for cell in row]
        texts.append(["" if v is None else f"{v:.1f}{star}" for v, star in zip(values[-1], stars, strict=True)])
        notes.append(["<br>".join(textwrap.wrap(cell.get("note") or "", 50)) for cell in row])
    figure = go.Figure(_heat(values, columns, rows, "F1 %{z:.1f}<br>%{customdata}"))
    figure.update_traces(text=texts, texttemplate="%{text}", customdata=notes)
    figure.update_xaxes(
        title={"text": "framed: trained on it<br>*: types in common alone<br>empty: none", "font": {"size": 12}}
    )
    for y, model in enumerate(models):
        for x, corpus in enumerate(corpora):
            if cells.get((model, corpus), {}).get("in_domain"):
                figure.add_shape(
                    type="rect",
                    x0=x - 0.48,
                    x1=x + 0.48,
                    y0=y - 0.48,
                    y1=y + 0.48,
                    line={"color": "#D55E00", "width": 3},
                )
    return _styled(figure, 220 + 34 * len(models))


def contributions(ablation: Mapping[str, Any], entries: Sequence[Entry]) -> go.Figure:
    """Test F1 of {no DAPT, DAPT} x {LoRA, full}, and of the search, by corpus; else what searches gained on dev."""
    import plotly.graph_objects as go

    runs: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in ablation.get("runs", {}).values():
        runs[f"{run['arm']}, {run['method']}"][run["checkpoint_id"]].append(run["test_micro_f1"])
    if runs:
        figure = go.Figure()
        arms = sorted(
            runs.items(), key=lambda item: (item[0].startswith("search"), item[0].startswith("DAPT"), item[0])
        )
        for index, (arm, scores) in enumerate(arms):
            figure.add_bar(
                x=list(scores),
                y=[100 * fmean(values) for values in scores.values()],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [100 * (max(values) - fmean(values)) for values in scores.values()],
                    "arrayminus": [100 * (fmean(values) - min(values)) for values in scores.values()],
                    "color": GREY,
                },
                name=arm,
                marker={
                    "color": PALETTE[index % 8],
                    "pattern": {"shape": ("", "/", "x", ".", "\\", "+", "|", "-")[index % 8]},
                },
                hovertemplate="%{x}<br>F1 %{y:.1f}<extra>" + arm + "</extra>",
            )
        figure.update_yaxes(title="test F1, percent; whiskers: seeds")
        return _styled(figure, 500).update_layout(margin_t=130)  # room for a legend in lines of one entry
    gains = []
    for entry in entries:
        tune = entry.details.get("result", {}).get("tune") or {}
        if tune.get("recipe_dev_micro_f1") is not None:
            taken, own = tune["best_dev_micro_f1"], tune["recipe_dev_micro_f1"]
            means = {each["trial"]: each["mean"] for each in tune.get("confirmed") or ()}  # of what was taken first
            if 0 in means:
                taken, own = next(iter(means.values())), means[0]
            gains.append((entry.name, 100 * (taken - own)))
    if not gains:
        return empty("not measured yet: benchmarks/ablation.py compares DAPT, LoRA and search")
    if not any(gain for _, gain in gains):
        return empty("the search found nothing that is better on dev than the recipe")
    figure = go.Figure()
    figure.add_bar(
        x=[gain for _, gain in gains], y=[name for name, _ in gains], orientation="h",
        marker={"color": PALETTE[0]}, name="search", hovertemplate="%{y}<br>%{x:+.1f} points<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="what the search brings on dev, points of F1")
    return _styled(figure, 190 + 26 * len(gains))


def training_curve(epochs: Sequence[Mapping[str, Any]], best: int) -> go.Figure:
    """Loss and dev F1 by epoch; a line marks the epoch that was taken."""
    import plotly.graph_objects as go

    if not epochs:
        return empty("no training curve")
    figure = go.Figure()
    numbers = [epoch["epoch"] for epoch in epochs]
    figure.add_scatter(
        x=numbers, y=[100 * epoch["dev_micro_f1"] for epoch in epochs], name="dev F1, percent",
        mode="lines+markers", line={"color": PALETTE[0]}, marker={"symbol": "circle", "size": 9},
    )  # fmt: skip
    figure.add_scatter(
        x=numbers, y=[epoch["loss"] for epoch in epochs], name="training loss", yaxis="y2",
        mode="lines+markers", line={"color": PALETTE[5], "dash": "dot"}, marker={"symbol": "square", "size": 8},
    )  # fmt: skip
    figure.add_vline(x=best, line={"color": GREY, "dash": "dash"}, annotation_text="taken", annotation_position="top")
    figure.update_xaxes(title="epoch", dtick=max(1, len(numbers) // 10))
    figure.update_yaxes(title="dev F1, percent")
    figure.update_layout(
        yaxis2={"title": "loss", "overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False}
    )
    return _styled(figure, 360)


def carbon(stages: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Grams of CO2 equivalent of each stage."""
    import plotly.graph_objects as go

    if not stages:
        return empty("no energy by stage")
    names = list(stages)[::-1]
    figure = go.Figure()
    figure.add_bar(
        x=[stages[name]["emissions_g"] for name in names], y=names, orientation="h", marker={"color": PALETTE[2]},
        text=[f"{stages[name]['emissions_g']:.3g} g" for name in names], textposition="auto",
        customdata=[[stages[name]["energy_wh"]] for name in names],
        hovertemplate="%{y}<br>%{x:.3g} g CO2e, %{customdata[0]:.3g} Wh<extra></extra>", name="CO2e",
    )  # fmt: skip
    figure.update_xaxes(title="g CO2e")
    return _styled(figure, 190 + 34 * len(names))


def empty(message: str) -> go.Figure:
    """A figure that says why there is none."""
    import plotly.graph_objects as go

    figure = go.Figure()
    text = "<br>".join(textwrap.wrap(message, 34))  # fits 390 pixels
    figure.add_annotation(text=text, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font={"size": 15})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return _styled(figure, 200)


def _heat(values: Sequence[Sequence[float | None]], x: Sequence[str], y: Sequence[str], hover: str) -> Any:
    import plotly.graph_objects as go

    return go.Heatmap(
        z=values,
        x=list(x),
        y=list(y),
        colorscale=HEAT,
        texttemplate="%{z:.1f}",
        textfont={"color": "#111"},
        hovertemplate="%{y}<br>%{x}<br>" + hover + "<extra></extra>",
        hoverongaps=False,
        xgap=2,
        ygap=2,
        zmin=max(0, min((v for row in values for v in row if v is not None), default=0) - 5),
        zmax=max((v for row in values for v in row if v), default=100),
        colorbar={"title": "F1", "thickness": 12},
    )


def _error(entries: Sequence[Entry], axis: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * ((e.high if e.high is not None else e.f1) - e.f1) for e in entries],
        "arrayminus": [100 * (e.f1 - (e.low if e.low is not None else e.f1)) for e in entries],
        "thickness": 1.5,
        "width": 4 if axis == "x" else 3,
    }


def _decades(points: Sequence[tuple[float, Entry]]) -> float:
    import math

    values = [value for value, _ in points]
    return math.log10(max(values) / min(values))


def _styled(figure: go.Figure, height: int) -> go.Figure:
    """The look of all figures; the page's style sheet sets the colours of texts and lines by theme."""
    figure.update_layout(
        template="none",
        height=min(height + 30, 1800),
        autosize=True,
        margin={"l": 60, "r": 20, "t": 76, "b": 54},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": GREY},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        hoverlabel={"font": {"family": "system-ui, sans-serif"}},
    )
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False, automargin=True)
    return figure
