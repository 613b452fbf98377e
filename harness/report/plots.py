"""The figures of a study, drawn by matplotlib: files for print, and SVG that the page themes, filters and explains."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.equal_compute import Compute
from harness.analysis.intervals import Interval, share_interval
from harness.analysis.measure import Measured, reference_name
from harness.analysis.settings import setting_name
from harness.analysis.sweeps import Sweep
from harness.report.canvas import INK, PAGE, Canvas, Drawn, Form, look, slug
from harness.report.names import recipe_order, row_name
from harness.report.numbers import in_percent, percent_bounds
from harness.report.study_tables import studies

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NARROW = 4  # a range of tokens below this factor has too few powers of two for an axis
MOST_LABELLED = 2  # curves of a panel whose points all have their budgets beside them


def draw_all(
    measured: Measured, study: str, tasks: Sequence[str], form: Form = PAGE, only: Collection[str] = ()
) -> list[Drawn]:
    """Every figure of a study that has something to show; of those named in `only`, if any."""
    wanted = [build for name, build in BUILDERS.items() if not only or name in only]
    with look(form):
        drawn = [build(measured, study, tasks, form) for build in wanted]
    return [figure for figure in drawn if figure]


def draw_studies(measured: Measured) -> dict[str, list[Drawn]]:
    """Every figure of every study, by its name, as the page shows them."""
    return {study: draw_all(measured, study, tasks) for study, tasks in studies(measured)}


def scaling(measured: Measured, study: str, tasks: Sequence[str], form: Form = PAGE) -> Drawn | None:
    """Accuracy over mean thinking tokens, a line per recipe, 95 % bands; budgets filled, waits open (Figure 1)."""
    of_study = [s for s in measured.sweeps if s.study == study and s.task in tasks and len(s.cells) > 1]
    sweeps = [s for s in of_study if _points(measured, s.cells, "thinking_tokens")]
    shown = [task for task in tasks if any(s.task == task for s in sweeps)]
    if not shown:
        return None
    canvas = Canvas(f"scaling_{slug(study)}", shown, form)
    for task, axes in zip(shown, canvas.axes, strict=True):
        of_task = sorted((s for s in sweeps if s.task == task), key=lambda s: recipe_order(measured)(s.cells[0]))
        reference = reference_name(measured.cells.cells, [s.cells[0] for s in of_task])
        for sweep in of_task:  # budgets are written at one curve; at all of them nobody could read them
            _curve(canvas, axes, measured, sweep, len(of_task) <= MOST_LABELLED or sweep.recipe == reference)
        token_axis(axes, "mean thinking tokens")
        axes.set_ylabel("accuracy, %")
    caption = (
        "Filled: thinking capped at a budget. Open: the end ignored with a Wait. Bands: 95 % intervals over problems. "
        "Numbers: the budget, or the Waits, of the reference's points."
    )
    return canvas.finish("Sequential scaling", caption, counts(measured, study, shown))


def _points(measured: Measured, members: Sequence[int], tokens: str) -> list[tuple[int, float, Interval]]:
    """(cell, mean tokens, accuracy) of the cells that have both, for an axis that has no zero."""
    found = ((i, measured.cells.cells[i].mean(tokens), measured.figures[i]["accuracy"]) for i in members)
    return [point for point in found if point[1] > 0 and not np.isnan(point[2].mean)]


def _curve(canvas: Canvas, axes: Axes, measured: Measured, sweep: Sweep, labelled: bool) -> None:
    cells = measured.cells.cells
    name = row_name(cells[sweep.cells[0]], cells)
    label = name if sweep.method == "budget_forcing" else f"{name} {sweep.label}"
    points = _points(measured, sweep.cells, "thinking_tokens")
    line_with_band(canvas, axes, label, [(tokens, figure) for _, tokens, figure in points])
    for i, tokens, figure in points:
        told = tip_text(f"{name}, {setting_name(cells[i])}", figure, tokens)
        canvas.point(axes, label, tokens, 100 * figure.mean, told, hollow=bool(cells[i].num_ignores))
    if labelled:
        texts = [f"+{c.num_ignores}" if c.num_ignores else setting_name(c) for c in (cells[i] for i, _, _ in points)]
        places = [(tokens, 100 * figure.mean) for _, tokens, figure in points]
        canvas.notes(axes, label, places, texts)


def line_with_band(canvas: Canvas, axes: Axes, label: str, points: Sequence[tuple[float, Interval]]) -> None:
    """(tokens, accuracy) points joined, with the band of their intervals."""
    x, style = [x for x, _ in points], canvas.style(label)
    lows, highs = [100 * f.low for _, f in points], [100 * f.high for _, f in points]
    canvas.mark(axes.fill_between(x, lows, highs, color=style.colour, alpha=0.13, linewidth=0), label)
    canvas.line(axes, label, x, [100 * f.mean for _, f in points])


def tip_text(name: str, figure: Interval, tokens: float) -> str:
    """What a point says of itself."""
    within = f" {percent_bounds(figure.low, figure.high)}" if figure.low < figure.high else ""
    return f"{name}: {in_percent(figure.mean)} %{within} at {tokens:,.0f} tokens"


def pareto(measured: Measured, study: str, tasks: Sequence[str], form: Form = PAGE) -> Drawn | None:
    """Accuracy against everything that was generated: thinking, answers, rejected attempts; the frontier drawn."""
    cells = measured.cells.cells
    by_task = {t: [i for i, c in enumerate(cells) if (c.study, c.task) == (study, t)] for t in tasks}
    shown = [t for t, members in by_task.items() if len(_points(measured, members, "total_tokens")) > 1]
    if not shown:
        return None
    canvas = Canvas(f"pareto_{slug(study)}", shown, form)
    for task, axes in zip(shown, canvas.axes, strict=True):
        points = []
        members = sorted(by_task[task], key=recipe_order(measured))
        for i, tokens, figure in _points(measured, members, "total_tokens"):
            name = row_name(cells[i], cells)
            told = tip_text(f"{name}, {setting_name(cells[i])}", figure, tokens)
            canvas.point(axes, name, tokens, 100 * figure.mean, told)
            points.append((tokens, 100 * figure.mean))
        best, frontier = -1.0, []
        for tokens, value in sorted(points, key=lambda p: (p[0], -p[1])):
            if value > best:
                best = value
                frontier.append((tokens, value))
        dashed: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 3))}
        axes.step(*zip(*frontier, strict=True), where="post", label="frontier" if len(frontier) > 1 else "", **dashed)
        token_axis(axes, "mean generated tokens")
        axes.set_ylabel("accuracy, %")
    caption = "Dashed: the frontier; no setting is both cheaper and more accurate."
    return canvas.finish("Accuracy and cost", caption, counts(measured, study, shown))


def compute(measured: Measured, study: str, tasks: Sequence[str], form: Form = PAGE) -> Drawn | None:
    """Accuracy over all generated tokens, a line per method: the most accurate recipe of each task (Figures 4b, 7)."""
    best = most_accurate(measured, study, tasks)
    shown = list(best)
    if not shown:
        return None
    canvas = Canvas(f"compute_{slug(study)}", shown, form)
    for task, axes in zip(shown, canvas.axes, strict=True):
        one = best[task]
        canvas.title(axes, f"{task}, {one.recipe}")
        for curve in one.curves:
            points = list(zip(curve.tokens, (share_interval(scores) for scores in curve.scores.T), strict=True))
            line_with_band(canvas, axes, curve.method, points)
            for (tokens, figure), setting in zip(points, curve.settings, strict=True):
                told = tip_text(f"{curve.method}, {setting}", figure, tokens)
                canvas.point(axes, curve.method, tokens, 100 * figure.mean, told)
        token_axis(axes, "generated tokens per problem")
        axes.set_ylabel("accuracy, %")
    caption = "The most accurate recipe of each task. Budgets: single thoughts, capped. Bands: 95 % intervals."
    return canvas.finish("Methods at equal tokens", caption, counts(measured, study, shown))


def most_accurate(measured: Measured, study: str, tasks: Sequence[str]) -> dict[str, Compute]:
    """Of each task the most accurate recipe's methods, in the order of `tasks`."""
    best: dict[str, tuple[float, Compute]] = {}
    for one in measured.compute:
        if one.study == study and one.task in tasks:
            i = measured.headlines[one.study, one.task, one.model, one.recipe]
            accuracy = measured.figures[i]["accuracy"].mean
            if one.task not in best or accuracy > best[one.task][0]:
                best[one.task] = (accuracy, one)
    return {task: best[task][1] for task in tasks if task in best}


def flips(measured: Measured, study: str, tasks: Sequence[str], form: Form = PAGE) -> Drawn | None:
    """What each Wait turned: wrong to right above the line, right to wrong below."""
    cells = measured.cells.cells
    bars: dict[str, list[int]] = {}
    for i, cell in enumerate(cells):
        if cell.study == study and cell.task in tasks and "flips_wrong_to_right" in measured.figures[i]:
            bars.setdefault(cell.task, []).append(i)
    if not bars:
        return None
    shown = [task for task in tasks if task in bars]
    canvas = Canvas(f"flips_{slug(study)}", shown, form)
    for task, axes in zip(shown, canvas.axes, strict=True):
        members = sorted(bars[task], key=lambda i: (recipe_order(measured)(i), cells[i].num_ignores))
        labels = []
        for x, i in enumerate(members):
            name, figures = row_name(cells[i], cells), measured.figures[i]
            for kind, sign in (("wrong_to_right", 1), ("right_to_wrong", -1)):
                figure = figures[f"flips_{kind}"]
                words = kind.replace("_", " ")
                told = f"{name}, {setting_name(cells[i])}: {100 * figure.mean:.1f} % {words} ({figure.note})"
                canvas.bar(axes, name, x, 100 * sign * figure.mean, told, alpha=1 if sign > 0 else 0.45)
            labels.append(str(cells[i].num_ignores))
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlabel("the n-th Wait")
        axes.set_ylabel("problems, %")
    caption = "Up: wrong answers turned right. Down, paler: right ones turned wrong."
    return canvas.finish("What each Wait turns", caption, counts(measured, study, shown))


def counts(measured: Measured, study: str, tasks: Sequence[str]) -> str:
    """How many problems a figure rests on, for its caption."""
    of_task = {
        task: [c.num_problems for c in measured.cells.cells if (c.study, c.task) == (study, task)] for task in tasks
    }
    return ", ".join(f"{task}: n = {max(counts):,} problems" for task, counts in of_task.items())


def token_axis(axes: Axes, label: str) -> None:
    """A logarithmic axis of tokens."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    inches = axes.get_window_extent().width / axes.figure.dpi
    fitting = min(8, max(2, int(inches / (0.055 * len(f"{high:,.0f}") + 0.12))))
    wide = high > NARROW * low
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=fitting) if wide else MaxNLocator(min(5, fitting)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)


Builder = Callable[..., Drawn | None]
BUILDERS: dict[str, Builder] = {"scaling": scaling, "pareto": pareto, "compute": compute, "flips": flips}
