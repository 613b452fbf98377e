"""`harness compare A B --html FILE`: the two runs as a page, with the problems that each alone got right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from harness.analysis.compare import Comparison
from harness.analysis.measure import measure_cells
from harness.analysis.settings import load
from harness.files import write_text
from harness.report.comparisons import comparison_table
from harness.report.page import Pair, render
from harness.report.plots import draw_studies
from harness.report.samples import collect, natural


def write_pair(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write the page of a comparison, with the samples of its two runs alone."""
    dirs = list(dict.fromkeys(folder for c in comparisons for folder in (c.folder_a, c.folder_b)))
    runs = {run for c in comparisons for run in (*c.runs_a, *c.runs_b)}
    loaded = load(dirs)
    cells = tuple(cell for cell in loaded.cells if runs & set(cell.run_ids))
    kept = loaded.runs[loaded.runs["run_id"].isin(runs)]
    measured = measure_cells(replace(loaded, cells=cells, runs=kept))
    title = f"{comparisons[0].name_a} against {comparisons[0].name_b}"
    pairs = [_pair(c) for c in comparisons]
    samples = collect(dirs, measured, same={c.task_b: c.task for c in comparisons if c.task_b != c.task})
    write_text(path, render(measured, draw_studies(measured), samples, title, dirs, pairs=pairs))


def _pair(c: Comparison) -> Pair:
    def links(problems: Sequence[str]) -> list[tuple[str, str]]:
        return [
            (p, f"#sample={quote(c.runs_a[0])}/{quote(p, '')}&beside={quote(c.runs_b[0])}")
            for p in sorted(problems, key=natural)
        ]

    table = comparison_table(c)
    listed = ("Only A right: ", "Only B right: ")  # they stand below as links, all of them
    table.notes = [note for note in table.notes if not note.startswith(listed)]
    gained, lost = f"Only A right ({len(c.only_a):,})", f"Only B right ({len(c.only_b):,})"
    return Pair(table, [(gained, links(c.only_a)), (lost, links(c.only_b))])
