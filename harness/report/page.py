"""The one HTML page: tables, figures and samples in a single file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.analysis.claims import findings, hypothesis_of
from harness.analysis.measure import Measured, distinguishable, reference_name
from harness.analysis.noise import noise_of
from harness.analysis.settings import setting_name
from harness.console import visible
from harness.records import short
from harness.report import study_tables as builders
from harness.report.canvas import Drawn, Key, sheet, slug, switch
from harness.report.claim_tables import LEGEND as CLAIMS_LEGEND
from harness.report.claim_tables import STYLES, evidence_table, verdict_line
from harness.report.made import bibtex, made
from harness.report.names import recipe_order, row_name
from harness.report.noise_tables import noise_tables
from harness.report.numbers import in_percent, percent_bounds
from harness.report.recipe_tables import LEGEND, power_line
from harness.report.samples import Browser, packed
from harness.report.study_cells import compared_with
from harness.report.styles import Styles
from harness.report.tables import MISSING, Column, Table, number

TEMPLATES = Path(__file__).parent / "templates"
WANTED_DIFFERENCE = 0.02  # what the noise tables say the price of: two points

SCRIPTS = ("page.js", "tables.js", "maths.js", "samples.js")  # in this order, each in an element of its own
FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)  # the page loads no file, so no font
STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True)
class Pair:
    """One task of a comparison: its table, and (title, [(problem, link)]) of what each run alone got right."""

    table: Table
    lists: list[tuple[str, list[tuple[str, str]]]]


def _shown(value: object) -> object:
    """What a reader sees of a text from data; our own style, scripts and figures are marked as safe."""
    return visible(value) if type(value) is str else value


def policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """The page's Content-Security-Policy: our own scripts and style sheets by their hashes, and nothing else.

    No element may hold a style of its own: what places bars and colours figures is a class (`Styles`).
    """
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hashes(texts: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def render(
    measured: Measured,
    figures: dict[str, list[Drawn]],
    browser: Browser,
    title: str,
    dirs: Sequence[Path] = (),
    downloads: Mapping[str, bytes] | None = None,
    pairs: Sequence[Pair] = (),
) -> str:
    """The page as text.

    Args:
        measured: the figures of everything on it.
        figures: study -> its drawings.
        browser: the samples.
        title: of the page.
        dirs: the results folders, for what their audits said.
        downloads: name -> content of files that a reader may take from the page.
        pairs: the comparison of two runs by task, which then stands first.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        finalize=_shown,
    )
    css, theme, *scripts = (read(name) for name in ("page.css", "theme.js", *SCRIPTS))
    css += sheet()
    maths_css, maths = FONT.sub("", read("temml/Temml-Local.css")), read("temml/temml.min.js")
    drawn = {style for found in figures.values() for figure in found for style in STYLE.findall(figure.svg)}
    styles = Styles()
    ids = Ids()
    studies = [
        _study(measured, study, tasks, figures.get(study, []), styles, ids, dirs, of_pair=bool(pairs))
        for study, tasks in builders.studies(measured)
    ]
    return environment.get_template("page.html.j2").render(
        title=title,
        css=css,
        scripts=[maths, *scripts],
        theme=theme,
        maths_css=maths_css,
        sheet=styles.sheet,
        policy=policy([theme, maths, *scripts], [css, maths_css, styles.sheet, *sorted(drawn)]),
        studies=studies,
        legend=LEGEND,
        browser=browser,
        downloads={name: packed(content) for name, content in (downloads or {}).items()},
        bibtex=bibtex(measured),
        pairs=[replace(pair, table=_with_id(pair.table, ids)) for pair in pairs],
        runs=runs_table(measured),
        notes=measured.cells.notes,
    )


def read(name: str) -> str:
    """One of the page's own files."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


class Ids:
    """Element ids of one page: letters, digits and underscores, no two alike."""

    def __init__(self) -> None:
        self._taken: set[str] = {"samples", "runs", "pair"}

    def new(self, name: str) -> str:
        """An id as near to `name` as may be."""
        plain = slug(name)
        tried = (plain if n == 1 else f"{plain}_{n}" for n in itertools.count(1))
        found = next(one for one in tried if one not in self._taken)
        self._taken.add(found)
        return found


def _study(
    measured: Measured,
    study: str,
    tasks: Sequence[str],
    figures: Sequence[Drawn],
    styles: Styles,
    ids: Ids,
    dirs: Sequence[Path],
    *,
    of_pair: bool,
) -> dict[str, Any]:
    """`of_pair`: two of its runs alone are here; a clause that they cannot answer stands on the whole study's page."""
    cells = [cell for cell in measured.cells.cells if cell.study == study]
    tables = builders.questions(measured, study, tasks)
    noise = noise_of(cells)
    tables += noise_tables(noise, WANTED_DIFFERENCE, 1) if noise else []
    found = [one for one in findings(measured, study) if one.is_answered or not of_pair]
    figure_ids = [ids.new(drawn.name) for drawn in figures]
    return {
        "name": study,
        "slug": ids.new(study),
        "findings": [
            {
                "text": one.claim.text,
                "verdict": one.verdict,
                "style": STYLES.get(one.verdict, ""),
                "line": verdict_line(one),
                "table": _with_id(evidence_table(one, study, at), ids),
            }
            for at, one in enumerate(found, 1)
        ],
        "legend": CLAIMS_LEGEND,
        "made": made(measured, study, dirs),
        "tasks": tasks,
        "hypothesis": hypothesis_of(measured, study) if found or not of_pair else "",
        "board_id": ids.new(f"board_{study}"),
        "board": (rows := board(measured, study, tasks, styles)),
        "rivals": any(place.get("style") for row in rows for place in row["cells"]),
        "power": [f"{task}: {power_line(measured, _headlines(measured, study, task))}" for task in tasks],
        "figures": [
            vars(drawn)
            | {
                "id": figure_id,
                "svg": styles.moved(drawn.svg),
                "chips": [_chip(name, key, styles) for name, key in drawn.series],
            }
            for drawn, figure_id in zip(figures, figure_ids, strict=True)
        ],
        "tables": [_with_id(table, ids) for table in tables],
    }


def _chip(name: str, key: Key, styles: Styles) -> dict[str, str]:
    """The switch of a series, which shows it as it is drawn."""
    marker, line = switch(key)
    return {
        "name": name,
        "series": key.id,
        "marker": styles.name(marker),
        "line": styles.name(line) if line else "",
    }


def _with_id(table: Table, ids: Ids) -> Table:
    return replace(table, id=ids.new(table.id))


def _headlines(measured: Measured, study: str, task: str) -> list[int]:
    return [i for key, i in measured.headlines.items() if key[:2] == (study, task)]


def board(measured: Measured, study: str, tasks: Sequence[str], styles: Styles) -> list[dict[str, Any]]:
    """The leaderboard itself: a row a recipe, a column a task, at the headline setting."""
    cells, rows = measured.cells.cells, {}  # type: Any, dict[str, dict[str, int]]
    for (s, task, _, _), i in sorted(measured.headlines.items(), key=lambda item: recipe_order(measured)(item[1])):
        if s == study:
            rows.setdefault(row_name(cells[i], cells), {})[task] = i
    rivals = {task: sum(task in found for found in rows.values()) > 1 for task in tasks}
    return [
        {"name": name, "cells": [_place(measured, found.get(task), rivals[task], styles) for task in tasks]}
        for name, found in rows.items()
    ]


def _place(measured: Measured, i: int | None, rivals: bool, styles: Styles) -> dict[str, Any]:
    """One place of the board: the accuracy in percent, its interval, its mark, and the difference below."""
    if i is None or math.isnan(measured.figures[i]["accuracy"].mean):
        return {"value": None}
    figures, cell = measured.figures[i], measured.cells.cells[i]
    accuracy, gap = figures["accuracy"], figures.get("difference_to_reference")
    lead = figures.get("difference_to_best")
    style = "best" if lead is None or lead.mean >= 0 else "" if distinguishable(figures) else "tied"
    style = style if rivals else ""
    members = _headlines(measured, cell.study, cell.task)
    told = rivals and compared_with(measured, members) == "reference"
    delta = "reference" if told and cell.recipe == reference_name(measured.cells.cells, members) else ""
    if gap and gap.mean == gap.mean:
        delta = f"{in_percent(gap.mean, signed=True)} to {gap.reference}"
        delta += f" {percent_bounds(gap.low, gap.high, signed=True)}" if gap.low < gap.high else ""
    bounded = accuracy.low < accuracy.high
    return {
        "value": 100 * accuracy.mean,
        "style": style,
        "at": styles.name(f"left:{100 * accuracy.mean:.1f}%"),
        "band": styles.name(f"left:{100 * accuracy.low:.1f}%;width:{100 * (accuracy.high - accuracy.low):.1f}%")
        if accuracy.low == accuracy.low
        else "",
        "text": in_percent(accuracy.mean),
        "delta": delta,
        "detail": percent_bounds(accuracy.low, accuracy.high) if bounded else "",
    }


def runs_table(measured: Measured) -> Table:
    """What ran: one row a run, so that a figure can be traced to a configuration."""
    table = Table(
        "runs_table",
        "Runs",
        [
            *(Column(name) for name in ("run", "study", "model", "recipe", "task", "setting")),
            Column("seed", True),
            Column("problems", True),
            Column("samples", True, "generations of each problem"),
            Column("engine"),
            Column("device"),
            Column("seconds", True),
            Column("commit"),
            Column("status"),
        ],
    )
    cell_of = {run: cell for cell in measured.cells.cells for run in cell.run_ids}
    for row in measured.cells.runs.to_dict("records"):
        cell = cell_of.get(row["run_id"])
        setting = setting_name(cell) if cell else MISSING
        table.add(
            str(row["run_id"]),
            _text(row["study"]),
            short(_text(row["model"])),
            _text(row["recipe"]),
            _text(row["task"]),
            setting,
            *(number(_float(row[name]), 0) for name in ("seed", "num_problems", "num_samples")),
            *(_text(row[name]) for name in ("engine", "device")),
            number(_float(row["seconds"])),
            _text(row["commit"])[:10],
            _text(row["status"]),
        )
    return table


def _text(value: object) -> str:
    return MISSING if value is None or value != value else str(value)


def _float(value: object) -> float:
    return math.nan if value is None else float(str(value))
