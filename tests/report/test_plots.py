"""The figures as files that stand alone, and as SVG for the page."""

from __future__ import annotations

from typing import Any

import pytest

import tests.made_up_study as made_up
from harness.analysis.measure import measure_cells
from harness.analysis.settings import load
from harness.report.plots import Drawn, draw_all

TASKS = ["quick_hard", "quick_easy"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    recipes = ("base", "random", "s1k")
    study = made_up.study(tmp_path_factory.mktemp("study"), num_problems=8, recipes=recipes, num_samples=2)
    found = draw_all(measure_cells(load([study])), "made_up", TASKS)
    return {figure.name.removesuffix("_made_up"): figure for figure in found}


@pytest.mark.parametrize("name", ["scaling", "pareto", "compute", "flips"])
def test_a_file_names_its_series_and_the_page_leaves_that_to_its_switches(drawn: Any, name: Any) -> None:
    text = drawn[name].files[f"{name}_made_up.svg"].decode()
    names = [series for series, _ in drawn[name].series]
    assert len(names) >= 2
    for series in names:
        assert f">{series}</text>" in text
        assert f">{series}</text>" not in drawn[name].svg


@pytest.mark.parametrize("name", ["scaling", "pareto", "compute", "flips"])
def test_panels_stand_in_the_order_of_the_tasks(drawn: Any, name: Any) -> None:
    text = drawn[name].files[f"{name}_made_up.svg"].decode()
    assert text.index(f">{TASKS[0]}") < text.index(f">{TASKS[1]}")


def test_points_of_every_curve_tell_their_figure_with_its_interval(drawn: Any) -> None:
    for name in ("scaling", "pareto", "compute"):
        tips = drawn[name].svg.split("<title>")[1:]
        assert tips and all(" % [" in tip and " tokens</title>" in tip for tip in tips), name
