"""The figures, drawn by matplotlib once: SVG and PNG files, and SVG that the page themes, filters and explains."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.equal_compute import Compute
from harness.analysis.intervals import Interval, share_interval
from harness.analysis.measure import Measured
from harness.analysis.settings import setting_name
from harness.analysis.sweeps import Sweep
from harness.report.names import recipe_order, row_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

# Told apart by people with any colour vision, on white and on black (checked by eye on both).
COLOURS = ("#e4572e", "#2f7ed8", "#17a398", "#b06fc4", "#d99a00", "#7a8794", "#c2477f", "#5a9c2f", "#8c6d4f", "#4458b8")
FIXED = {"s1k": 0, "full": 1, "diverse": 2, "longest": 3, "random": 4, "base": 5}
INK, LINE = "#22262b", "#d5d9de"  # unmistakable in the SVG, so that the page can put its own colours there
WIDE = 7.6  # inches for two panels


@dataclass(frozen=True)
class Drawn:
    """One figure: its file name, what it shows, the names that can be switched on and off, and the SVG for the page."""

    name: str
    title: str
    caption: str
    series: list[tuple[str, str]]  # (name, colour)
    svg: str
    files: dict[str, bytes]  # that stand alone, by name


class Canvas:
    """Collects what a figure needs beyond its drawing: explanations of points and colours of series."""

    def __init__(self, name: str, panels: Sequence[str]) -> None:
        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt

        columns = 3 if len(panels) == 3 else min(2, len(panels)) or 1
        rows = -(-len(panels) // columns)
        size = (5.2 if columns == 1 else WIDE, (2.7 if columns == 3 else 3.3) * rows)
        self.name, self.tips, self.series = name, [], {}  # type: str, list[str], dict[str, str]
        with plt.rc_context({"axes.edgecolor": LINE, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}):
            self.drawing: Drawing = plt.figure(figsize=size, layout="constrained")
            self.axes = [self.drawing.add_subplot(rows, columns, i + 1) for i in range(len(panels))]
        for axes, title in zip(self.axes, panels, strict=True):
            axes.set_title(title, color=INK, fontsize=10, loc="left")
            axes.grid(color=LINE, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.tick_params(labelsize=8, color=LINE)
            axes.spines[["top", "right"]].set_visible(False)
            axes.patch.set_alpha(0)
        self.drawing.patch.set_alpha(0)

    def colour(self, series: str) -> str:
        """The colour of a series; recipes keep theirs over all figures."""
        if series not in self.series:
            fixed = FIXED.get(series)
            self.series[series] = COLOURS[fixed if fixed is not None else len(self.series) % len(COLOURS)]
        return self.series[series]

    def tip(self, artist: Any, series: str, text: str) -> None:
        """Mark an artist as a point of a series that explains itself."""
        self.tips.append(text)
        artist.set_gid(f"{self.name}:{slug(series)}:{len(self.tips) - 1}")

    def mark(self, artist: Any, series: str) -> None:
        """Give `artist` the id of `series`, by which the page's script finds it in the SVG."""
        artist.set_gid(f"{self.name}:{slug(series)}:")

    def finish(self, title: str, caption: str) -> Drawn:
        """The figure: its SVG for the page, and the SVG and PNG files that stand alone."""
        import matplotlib.pyplot as plt

        buffer, svg, png = io.StringIO(), io.BytesIO(), io.BytesIO()
        with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": self.name}):
            self.drawing.savefig(buffer, format="svg", metadata={"Date": None})
            self._add_legend()  # the files stand alone; on the page the names are switches
            self.drawing.savefig(svg, format="svg", metadata={"Date": None})
            self.drawing.savefig(png, format="png", dpi=160, facecolor="white", metadata={"Software": None})
        plt.close(self.drawing)
        files = {f"{self.name}.svg": svg.getvalue(), f"{self.name}.png": png.getvalue()}
        return Drawn(self.name, title, caption, list(self.series.items()), self._for_page(buffer.getvalue()), files)

    def _add_legend(self) -> None:
        from matplotlib.lines import Line2D

        dots = [
            Line2D([], [], color=colour, marker="o", linestyle="", label=name) for name, colour in self.series.items()
        ]
        columns = 6 if len(self.axes) > 1 else 3
        self.drawing.legend(
            handles=dots, loc="outside lower center", ncols=columns, frameon=False, fontsize=8, labelcolor=INK
        )

    def _for_page(self, svg: str) -> str:
        svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace(LINE, "var(--line)")
        svg = re.sub(
            r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1), count=1
        )
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)

        def explained(match: re.Match[str]) -> str:
            series, tip = match.group(1), match.group(2)
            title = f"<title>{escape(self.tips[int(tip)])}</title>" if tip else ""
            return f'<g class="series{" tip" if tip else ""}" data-series="{series}">{title}'

        svg = re.sub(rf'<g id="{re.escape(self.name)}:([^":]*):(\d*)">', explained, svg)
        used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))  # the others would stand on the page several times
        return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)


def draw_all(measured: Measured, study: str, tasks: Sequence[str]) -> list[Drawn]:
    """Every figure of a study that has something to show."""
    drawn = [build(measured, study, tasks) for build in (scaling, pareto, compute, flips)]
    return [figure for figure in drawn if figure]


def scaling(measured: Measured, study: str, tasks: Sequence[str]) -> Drawn | None:
    """Accuracy over mean thinking tokens, a line per recipe, 95 % bands; budgets filled, waits open (Figure 1)."""
    sweeps = [s for s in measured.sweeps if s.study == study and s.task in tasks and len(s.cells) > 1]
    shown = [task for task in tasks if any(s.task == task for s in sweeps)]
    if not shown:
        return None
    canvas = Canvas(f"scaling_{slug(study)}", shown)
    for task, axes in zip(shown, canvas.axes, strict=True):
        for sweep in sorted((s for s in sweeps if s.task == task), key=lambda s: recipe_order(measured)(s.cells[0])):
            _curve(canvas, axes, measured, sweep)
        _token_axis(axes, "mean thinking tokens")
        axes.set_ylabel("accuracy, %", fontsize=9)
    caption = (
        "Filled: thinking capped at a budget. Open: the end ignored with a Wait. Bands: 95 % intervals over problems."
    )
    return canvas.finish("Sequential scaling", caption)


def _curve(canvas: Canvas, axes: Axes, measured: Measured, sweep: Sweep) -> None:
    cells = measured.cells.cells
    name = row_name(cells[sweep.cells[0]], cells)
    label = name if sweep.method == "budget_forcing" else f"{name} {sweep.label}"
    colour = canvas.colour(label)
    points = [(i, cells[i].mean("thinking_tokens"), measured.figures[i]["accuracy"]) for i in sweep.cells]
    points = [p for p in points if p[1] > 0 and not np.isnan(p[2].mean)]
    _line_with_band(canvas, axes, label, [(tokens, figure) for _, tokens, figure in points])
    for i, tokens, figure in points:
        face = "none" if cells[i].num_ignores else colour
        point = axes.plot([tokens], [100 * figure.mean], "o", color=colour, markerfacecolor=face, markersize=5)[0]
        canvas.tip(point, label, _told(f"{name}, {setting_name(cells[i])}", figure, tokens))


def _line_with_band(canvas: Canvas, axes: Axes, label: str, points: Sequence[tuple[float, Interval]]) -> None:
    """(tokens, accuracy) points joined, with the band of their intervals."""
    x, colour = [x for x, _ in points], canvas.colour(label)
    lows, highs = [100 * f.low for _, f in points], [100 * f.high for _, f in points]
    canvas.mark(axes.fill_between(x, lows, highs, color=colour, alpha=0.13, linewidth=0), label)
    canvas.mark(axes.plot(x, [100 * f.mean for _, f in points], color=colour, linewidth=1.6)[0], label)


def _told(name: str, figure: Interval, tokens: float) -> str:
    bounds = f" [{100 * figure.low:.1f}, {100 * figure.high:.1f}]" if figure.low < figure.high else ""
    return f"{name}: {100 * figure.mean:.1f} %{bounds} at {tokens:,.0f} tokens"


def pareto(measured: Measured, study: str, tasks: Sequence[str]) -> Drawn | None:
    """Accuracy against everything that was generated: thinking, answers, rejected attempts; the frontier drawn."""
    cells = measured.cells.cells
    by_task = {t: [i for i, c in enumerate(cells) if (c.study, c.task) == (study, t)] for t in tasks}
    shown = [t for t, members in by_task.items() if sum(cells[i].mean("total_tokens") > 0 for i in members) > 1]
    if not shown:
        return None
    canvas = Canvas(f"pareto_{slug(study)}", shown)
    for task, axes in zip(shown, canvas.axes, strict=True):
        points = []
        for i in sorted(by_task[task], key=recipe_order(measured)):
            figure, tokens = measured.figures[i]["accuracy"], cells[i].mean("total_tokens")
            if tokens > 0 and not np.isnan(figure.mean):
                name = row_name(cells[i], cells)
                point = axes.plot([tokens], [100 * figure.mean], "o", color=canvas.colour(name), markersize=4.5)[0]
                canvas.tip(point, name, _told(f"{name}, {setting_name(cells[i])}", figure, tokens))
                points.append((tokens, 100 * figure.mean))
        best, frontier = -1.0, []
        for tokens, value in sorted(points, key=lambda p: (p[0], -p[1])):
            if value > best:
                best = value
                frontier.append((tokens, value))
        axes.step(*zip(*frontier, strict=True), where="post", color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        _token_axis(axes, "mean generated tokens")
        axes.set_ylabel("accuracy, %", fontsize=9)
    return canvas.finish("Accuracy and cost", "Dashed: the frontier; no setting is both cheaper and more accurate.")


def compute(measured: Measured, study: str, tasks: Sequence[str]) -> Drawn | None:
    """Accuracy over all generated tokens, a line per method: the most accurate recipe of each task (Figures 4b, 7)."""
    best: dict[str, tuple[float, Compute]] = {}
    for one in measured.compute:
        if one.study == study and one.task in tasks:
            i = measured.headlines[one.study, one.task, one.model, one.recipe]
            accuracy = measured.figures[i]["accuracy"].mean
            if one.task not in best or accuracy > best[one.task][0]:
                best[one.task] = (accuracy, one)
    shown = [task for task in tasks if task in best]
    if not shown:
        return None
    canvas = Canvas(f"compute_{slug(study)}", shown)
    for task, axes in zip(shown, canvas.axes, strict=True):
        one = best[task][1]
        axes.set_title(f"{task}, {one.recipe}", color=INK, fontsize=10, loc="left")
        for curve in one.curves:
            points = list(zip(curve.tokens, (share_interval(scores) for scores in curve.scores.T), strict=True))
            _line_with_band(canvas, axes, curve.method, points)
            for (tokens, figure), setting in zip(points, curve.settings, strict=True):
                dot = axes.plot([tokens], [100 * figure.mean], "o", color=canvas.colour(curve.method), markersize=4)[0]
                canvas.tip(dot, curve.method, _told(f"{curve.method}, {setting}", figure, tokens))
        _token_axis(axes, "generated tokens per problem")
        axes.set_ylabel("accuracy, %", fontsize=9)
    caption = "The most accurate recipe of each task. Budgets: single thoughts, capped. Bands: 95 % intervals."
    return canvas.finish("Methods at equal tokens", caption)


def flips(measured: Measured, study: str, tasks: Sequence[str]) -> Drawn | None:
    """What each Wait turned: wrong to right above the line, right to wrong below."""
    cells = measured.cells.cells
    bars: dict[str, list[int]] = {}
    for i, cell in enumerate(cells):
        if cell.study == study and cell.task in tasks and "flips_wrong_to_right" in measured.figures[i]:
            bars.setdefault(cell.task, []).append(i)
    if not bars:
        return None
    shown = [task for task in tasks if task in bars]
    canvas = Canvas(f"flips_{slug(study)}", shown)
    for task, axes in zip(shown, canvas.axes, strict=True):
        members = sorted(bars[task], key=lambda i: (recipe_order(measured)(i), cells[i].num_ignores))
        labels = []
        for x, i in enumerate(members):
            name, figures = row_name(cells[i], cells), measured.figures[i]
            for kind, sign in (("wrong_to_right", 1), ("right_to_wrong", -1)):
                figure = figures[f"flips_{kind}"]
                bar = axes.bar(
                    [x], [100 * sign * figure.mean], color=canvas.colour(name), alpha=0.95 if sign > 0 else 0.45
                )[0]
                words = kind.replace("_", " ")
                canvas.tip(
                    bar, name, f"{name}, {setting_name(cells[i])}: {100 * figure.mean:.1f} % {words} ({figure.note})"
                )
            labels.append(str(cells[i].num_ignores))
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xticks(range(len(labels)), labels, fontsize=7)
        axes.set_xlabel("the n-th Wait", fontsize=9)
        axes.set_ylabel("problems, %", fontsize=9)
    return canvas.finish(
        "What each Wait turns", "Up: wrong answers turned right. Down, paler: right ones turned wrong."
    )


def _token_axis(axes: Axes, label: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label, fontsize=9)


def slug(name: str) -> str:
    """`name` as a part of an SVG id: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "_"
