"""The s1 paper's Figures 1, 4, 6, 7 and its data funnel from its published values, beside the same from our Parquet.

The paper prints few of these values: most are the dots of its vector drawings, and those of Figure 4 are read off its
bitmap (results/paper/figures.csv says which). Its intervals are ours: it prints none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np

from harness.analysis.intervals import Interval, share_interval
from harness.analysis.measure import Measured, reference_name
from harness.analysis.settings import setting_name
from harness.files import read_json
from harness.report.canvas import INK, PAGE, Canvas, Drawn, Form, look, slug
from harness.report.names import recipe_order, row_name
from harness.report.paper import TITLES, read
from harness.report.plots import counts, line_with_band, most_accurate, tip_text, token_axis

MOST_LABELLED = 3  # series of a panel whose points all have their settings beside them
FUNNEL = "funnel"
WAITS = re.compile(r"^auto\+(\d+) Wait$")  # beside a point there is room for "+2"


@dataclass(frozen=True)
class Dot:
    """A point of a series: mean tokens per problem, and accuracy."""

    series: str
    tokens: float
    accuracy: Interval
    setting: str


Panels = dict[str, list[Dot]]  # by title


@dataclass(frozen=True)
class Original:
    """One figure of the paper: its panels, and those of the same kind from a study."""

    title: str
    caption: str
    unit: str
    panels: Callable[[], Panels]
    ours: Callable[[Measured, str, Sequence[str]], Panels]


def paper_figures(
    form: Form = PAGE,
    only: Collection[str] = (),
    measured: Measured | None = None,
    studies: Mapping[str, Sequence[str]] | None = None,
    dirs: Sequence[Path] = (),
) -> list[Drawn]:
    """The paper's figures.

    Args:
        form: width, formats, style.
        only: names in `NAMES`; none: all of them.
        measured: the figures of our studies, drawn beside the paper's; None: the paper's alone.
        studies: name -> tasks of those that are drawn, a figure each.
        dirs: the results folders, for what their selections kept of their pools.
    """
    wanted = [name for name in NAMES if not only or name in only]
    with look(form):
        drawn = [
            _curves(name, ORIGINALS[name], form, measured, study, tasks)
            for name in wanted
            if name in ORIGINALS
            for study, tasks in (studies or {"": ()}).items()
        ]
        return drawn + ([_funnel(form, dirs)] if FUNNEL in wanted else [])


def _curves(name: str, of: Original, form: Form, measured: Measured | None, study: str, tasks: Sequence[str]) -> Drawn:
    """One figure: the paper's panels, and ours."""
    theirs, ours = of.panels(), of.ours(measured, study, tasks) if measured else {}
    pairs = zip_longest(
        ((f"paper: {title}", dots) for title, dots in theirs.items()),
        ((f"ours: {title}", dots) for title, dots in ours.items()),
    )
    panels = dict(one for pair in pairs for one in pair if one)  # the paper's on the left, ours beside them
    canvas = Canvas(f"paper_{name}" + (f"_{slug(study)}" if study else ""), list(panels), form)
    for dots, axes in zip(panels.values(), canvas.axes, strict=True):
        names = list(dict.fromkeys(dot.series for dot in dots))
        for series in names:
            own = sorted((dot for dot in dots if dot.series == series), key=lambda dot: dot.tokens)
            line_with_band(canvas, axes, series, [(dot.tokens, dot.accuracy) for dot in own])
            for dot in own:
                told = tip_text(f"{series}, {dot.setting}".rstrip(", "), dot.accuracy, dot.tokens)
                canvas.point(axes, series, dot.tokens, 100 * dot.accuracy.mean, told)
            if len(names) <= MOST_LABELLED and all(dot.setting for dot in own):
                places = [(dot.tokens, 100 * dot.accuracy.mean) for dot in own]
                canvas.notes(axes, series, places, [WAITS.sub(r"+\1", dot.setting) for dot in own])
        token_axis(axes, of.unit)
        axes.set_ylabel("accuracy, %")
    beside = "" if measured is None else f" Ours: study {study}." if ours else f" Study {study} has no such runs."
    numbers = ", ".join(f"{title}: n = {dots[0].accuracy.num_problems} problems" for title, dots in theirs.items())
    numbers += f"; {counts(measured, study, tasks)}" if measured and ours else ""
    return canvas.finish(of.title, f"{of.caption}{beside}", numbers)


def _rows(figure: str, task: str) -> list[Dot]:
    """The paper's points in one panel."""
    rows = [row for row in read("figures") if (row["figure"], row["task"]) == (figure, task)]
    return [_dot(row["series"], row["tokens"], row, row["setting"]) for row in rows]


def _sweep(method: str, series: str) -> list[Dot]:
    """The points of Figures 1 and 6 on AIME24, of which Table 3 is rebuilt too."""
    rows = [row for row in read("sweeps_aime24") if row["method"] == method]
    return [_dot(series, row["thinking_tokens"], row, row["limit_tokens"]) for row in rows]


def _dot(series: str, tokens: str, row: Mapping[str, str], setting: str) -> Dot:
    scores = np.arange(int(row["num_problems"])) < int(row["num_correct"])
    return Dot(series, float(tokens), share_interval(scores.astype(float)), setting)


def _figure_1() -> Panels:
    return {
        TITLES["math500"]: _rows("1", "math500"),
        TITLES["aime24"]: _sweep("BF", "s1-32B"),
        TITLES["gpqa_diamond"]: _rows("1", "gpqa_diamond"),
    }


def _figure_4() -> Panels:
    """Budget forcing again, as far as the drawing shows it, with six Waits; and a vote of the base model."""
    shown = [dot for dot in _sweep("BF", "s1-32B") if dot.tokens >= 1000]
    shown[-2:] = [replace(dot, setting=waits) for dot, waits in zip(shown[-2:], ("+2", "+4"), strict=True)]
    forced = [dot for dot in _rows("1", "gpqa_diamond") if dot.tokens >= 1000]
    return {"AIME24, sequential": shown + _rows("4a", "aime24"), "GPQA, parallel": forced + _rows("4b", "gpqa_diamond")}


def _sweeps_of(method: str) -> Callable[[Measured, str, Sequence[str]], Panels]:
    """Of each task the reference's sweep of a method, or else the first recipe's that has one."""

    def found(measured: Measured, study: str, tasks: Sequence[str]) -> Panels:
        cells, panels = measured.cells.cells, {}
        for task in tasks:
            sweeps = [s for s in measured.sweeps if (s.study, s.task, s.method) == (study, task, method)]
            sweeps = sorted((s for s in sweeps if len(s.cells) > 1), key=lambda s: recipe_order(measured)(s.cells[0]))
            if sweeps:
                reference = reference_name(cells, [s.cells[0] for s in sweeps])
                chosen = next((s for s in sweeps if s.recipe == reference), sweeps[0])
                panels[task] = [
                    Dot(row_name(cells[i], cells), tokens, measured.figures[i]["accuracy"], setting_name(cells[i]))
                    for i in chosen.cells
                    if (tokens := cells[i].mean("thinking_tokens")) > 0
                ]
        return {task: dots for task, dots in panels.items() if dots}

    return found


def _at_equal_tokens(measured: Measured, study: str, tasks: Sequence[str]) -> Panels:
    """Of each task the methods of its most accurate recipe."""
    return {
        f"{task}, {one.recipe}": [
            Dot(curve.method, float(tokens), share_interval(scores), setting)
            for curve in one.curves
            for tokens, scores, setting in zip(curve.tokens, curve.scores.T, curve.settings, strict=True)
        ]
        for task, one in most_accurate(measured, study, tasks).items()
    }


DOTS = "The paper's points (arXiv 2501.19393): the dots of its vector drawing."
ORIGINALS = {
    "figure_1": Original(
        "Figure 1: accuracy by thinking tokens",
        f"{DOTS} Budget forcing; at the points the limit.",
        "mean thinking tokens",
        _figure_1,
        _sweeps_of("budget_forcing"),
    ),
    "figure_4": Original(
        "Figure 4: sequential and parallel scaling",
        "The paper's points (arXiv 2501.19393): Figure 1's, of which the last two ignored the end two and four times "
        "(+2, +4); and, read off a bitmap, six times (+6) and the vote, whose first point lies where one sample would "
        "(the caption says two). Totals are divided by 198 questions.",
        "tokens per problem, all samples together",
        _figure_4,
        _at_equal_tokens,
    ),
    "figure_6": Original(
        "Figure 6: rejection sampling",
        f"{DOTS} At the points the limit, which took 655, 97, 8, 3, 2 and 1 tries per sample.",
        "mean thinking tokens",
        lambda: {TITLES["aime24"]: _sweep("RS", "rejection")},
        _sweeps_of("rejection_sampling"),
    ),
    "figure_7": Original(
        "Figure 7: parallel methods beside a sequential one",
        f"{DOTS} Sequential: prompted for up to so many steps; others: 1 and 16 samples. REBASE's reward model is not "
        "counted.",
        "tokens per problem, all samples together",
        lambda: {TITLES["aime24"]: _rows("7", "aime24")},
        _at_equal_tokens,
    ),
}
NAMES = (*ORIGINALS, FUNNEL)


def _funnel(form: Form, dirs: Sequence[Path]) -> Drawn:
    """What each step of s1's selection left of the pool: the paper's, its authors' notebook's, and ours."""
    steps = read("data_funnel")
    kept = {"paper": [int(row["rows"]) for row in steps], "notebook": [int(row["notebook_rows"]) for row in steps]}
    kept |= {f"ours: {name}": rows for name, rows in _selections(dirs, steps)}
    canvas = Canvas("paper_data_funnel", list(kept), form)
    for (name, rows), axes in zip(kept.items(), canvas.axes, strict=True):
        for x, (step, number) in enumerate(zip(steps, rows, strict=True)):
            share = 100 * number / rows[0]
            canvas.bar(axes, name, x, share, f"{name}, {step['stage']}: {number:,} rows, {share:.1f} % of the pool")
            text = axes.annotate(f"{number:,}", (x, share), ha="center", va="bottom", fontsize=5.5, color=INK)
            canvas.mark(text, name)
        axes.set_xticks(range(len(steps)), [step["stage"] for step in steps], rotation=25, ha="right")
        axes.set_ylabel("rows left, % of the pool")
    caption = (
        "Paper (arXiv 2501.19393, section 2), and its authors' filter notebook; before the draw by domain the paper "
        "takes 384 rows, the notebook 393, from sets of known quality."
    )
    pools = ", ".join(f"{name} {rows[0]:,} rows" for name, rows in kept.items())
    return canvas.finish("Data funnel", caption, f"Pools: {pools}", method="")


def _selections(dirs: Sequence[Path], steps: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, list[int]]]:
    """Each folder's first recipe that went through these steps, and the rows that they left."""
    for folder in dirs:
        for path in sorted(folder.glob("recipes/*/manifest.json")):
            stages = read_json(path, "give the --out of ablate").get("stages", {})
            if all(step["in_manifest"] in stages for step in steps):
                yield f"{folder.name} {path.parent.name}", [stages[step["in_manifest"]] for step in steps]
                break
