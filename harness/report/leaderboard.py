"""`harness leaderboard`: from result folders to Markdown, CSV, figures and one HTML page; and the terminal's tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.claims import findings
from harness.analysis.estimates import COUNT_NAMES
from harness.analysis.measure import Measured, is_headline, measure_cells
from harness.analysis.settings import KEY, load
from harness.console import visible
from harness.errors import UserError, unknown
from harness.files import write_together
from harness.report import study_tables as builders
from harness.report.budget_tables import method_table, sweep_table
from harness.report.canvas import Form
from harness.report.claim_tables import claims_table
from harness.report.numbers import bounds
from harness.report.page import render
from harness.report.plots import draw_all, draw_studies
from harness.report.recipe_tables import recipe_table
from harness.report.samples import collect
from harness.report.tables import Entry, Table, escaped, markdown, moved, piece, said_once
from harness.report.terminal import below, rendered

if TYPE_CHECKING:
    from rich.console import Group

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of one
CSV_FIGURES = ("accuracy", "difference_to_reference", "mean_thinking_tokens", "mean_answer_tokens", "mean_total_tokens")


def write(
    dirs: Sequence[Path], out: Path, title: str = "s1-harness leaderboard", measured: Measured | None = None
) -> list[Path]:
    """Write LEADERBOARD.md, leaderboard.csv, leaderboard.html and figures/ from result folders; returns the paths.

    `measured` are the folders' figures where they are known already. Raises UserError when a folder holds no samples.
    """
    measured = measured or measure_dirs(dirs)
    figures = draw_studies(measured)
    drawn = {name: data for found in figures.values() for figure in found for name, data in figure.files.items()}
    downloads = {name: data for name, data in drawn.items() if name.endswith(".svg")}
    contents: dict[Path, bytes | str] = {
        out / "LEADERBOARD.md": as_markdown(measured),
        out / "leaderboard.csv": (table := as_csv(measured)),
        out / "leaderboard.html": render(
            measured, figures, collect(dirs, measured), title, dirs, downloads | {"leaderboard.csv": table.encode()}
        ),
        **{out / "figures" / name: data for name, data in drawn.items()},
    }
    write_together(contents)
    return list(contents)


def write_figures(
    dirs: Sequence[Path], out: Path, form: Form, only: Collection[str] = (), study: str = "", paper: bool = False
) -> list[Path]:
    """Write the figures of result folders in a form for print; returns the paths.

    Args:
        dirs: result folders; may be none with `paper`.
        out: folder of the files.
        form: width, formats, style.
        only: names of figures, such as scaling; none: all of them.
        study: of that study alone; "": of every study.
        paper: the paper's figures, with what the folders have of the same kind beside them.

    Raises:
        UserError: nothing to draw.
    """
    measured = measure_dirs(dirs) if dirs else None
    known = dict(builders.studies(measured)) if measured else {}
    if study and study not in known:
        raise unknown("study", study, known)
    found = {name: tasks for name, tasks in known.items() if study in ("", name)}
    if paper:
        from harness.report.paper_figures import paper_figures

        drawn = paper_figures(form, only, measured, found, dirs)
    else:
        assert measured is not None, "folders, or the paper"
        drawn = [figure for name, tasks in found.items() for figure in draw_all(measured, name, tasks, form, only)]
    if not drawn:
        raise UserError(f"{', '.join(map(str, dirs))}: nothing to draw; a curve needs two budgets of one recipe")
    contents = {out / name: data for figure in drawn for name, data in figure.files.items()}
    write_together(dict(contents))
    return list(contents)


def measure_dirs(dirs: Sequence[Path]) -> Measured:
    """All figures of result folders; give them to `write` and `terminal` to compute them once."""
    return measure_cells(load([Path(d) for d in dirs]))


def terminal(dirs: Sequence[Path], measured: Measured | None = None) -> Group:
    """The leaderboard for a terminal of 100 columns, as a rich renderable."""
    from rich.console import Group

    measured = measured or measure_dirs(dirs)
    parts: list[object] = []
    for study, tasks in builders.studies(measured):
        asked = (recipe_table, sweep_table, method_table)
        found = {
            build: {task: table for task in tasks if (table := build(measured, study, task)).rows} for build in asked
        }
        whole = Table("", "", [])  # what its tables say, once
        for task in tasks:
            for of_task in found.values():
                for part in narrowed(of_task[task]) if task in of_task else ():
                    parts.append(rendered(replace(part, rows=moved(part, whole), caption="", footnotes=[], notes=[])))
        whole.notes = [note for of_task in found.values() for note in said_once(of_task)]
        parts.append(below(whole))
    parts += [f"note: {note}" for note in measured.cells.notes]
    return Group(*parts)  # type: ignore[arg-type]


def narrowed(table: Table, most: int = 6) -> list[Table]:
    """A table that is too wide for a terminal in pieces; others as they are.

    Sweeps: at most `most` recipes, bounds in whole percent. Methods: slopes per 1,000 tokens by themselves.
    """
    if table.id.startswith("methods_"):
        per_1k = [c for c, column in enumerate(table.columns) if "1,000" in column.help or "1K" in column.name]
        return [
            piece(table, [c for c in range(len(table.columns)) if c not in per_1k]),
            piece(table, [0, 1, *per_1k]),
        ]
    if not table.id.startswith("sweep_"):
        return [table]
    pieces = []
    for start in range(1, len(table.columns), most):
        keep = [0, *range(start, min(start + most, len(table.columns)))]
        part = piece(table, keep)
        part.rows = [[_rounded(entry) for entry in row] for row in part.rows]
        pieces.append(part)
    return pieces


def _rounded(entry: Entry) -> Entry:
    bounded = entry.low < entry.high
    return replace(entry, detail=bounds(entry.low, entry.high, 0), footnotes=()) if bounded else entry


def as_markdown(measured: Measured) -> str:
    """LEADERBOARD.md: of each study the verdicts, then one table per question with its tasks; then the warnings."""
    parts = ["# Leaderboard", ""]
    for study, tasks in builders.studies(measured):
        parts += [f"## {escaped(study)}", ""]
        found = findings(measured, study)
        parts += [markdown(claims_table(found, study))] if found else []
        parts += [markdown(table) for table in builders.questions(measured, study, tasks, builders.WRITTEN)]
    parts += [f"- {escaped(note)}" for note in measured.cells.notes]
    return "\n".join(parts).rstrip() + "\n"


def as_csv(measured: Measured) -> str:
    """leaderboard.csv: one row a setting: what ran, its figures with bounds, and the counts beside its accuracy."""
    header = [*KEY, "headline", "num_problems", "num_generations"]
    for name in CSV_FIGURES:
        header += [name, f"{name}_low", f"{name}_high"]
    header += ["p_holm_to_reference", *COUNT_NAMES]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(header)
    for cell, figures in zip(measured.cells.cells, measured.figures, strict=True):
        row: list[object] = [_guarded(getattr(cell, name)) for name in KEY]
        row += [is_headline(cell), cell.num_problems, cell.num_generations]
        for name in CSV_FIGURES:
            figure = figures.get(name)
            row += [_csv(v) for v in (figure.mean, figure.low, figure.high)] if figure else ["", "", ""]
        p = figures.get("p_holm_to_reference")
        row += [_csv(p.mean) if p else "", *(_whole(figures[name].mean) for name in COUNT_NAMES)]
        rows.writerow(row)
    return text.getvalue()


def _whole(value: float) -> int | str:
    """A count; empty where an imported log does not tell it."""
    return int(value) if value == value else ""


def _guarded(value: object) -> object:
    """A text from data as a spreadsheet shows it: it is no formula, and holds nothing invisible."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _csv(value: float) -> object:
    return "" if value != value else round(value, 6) + 0  # never "-0.0"
