"""The figures as files that stand alone, and as SVG for the page."""

from __future__ import annotations

import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tests.made_up_study as made_up
from harness.analysis.measure import Measured, measure_cells
from harness.analysis.settings import load
from harness.cli import results
from harness.cli.main import cli
from harness.errors import UserError
from harness.report import leaderboard
from harness.report.canvas import COLOURS, DARK, DASHES, FIXED, MARKERS, Canvas, Drawn, Form, form_of, look
from harness.report.paper_figures import NAMES, ORIGINALS, paper_figures
from harness.report.plots import BUILDERS, draw_all, token_axis

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TASKS = ["quick_hard", "quick_easy"]


@pytest.fixture(scope="module")
def study_of_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Measured]:
    recipes = ("base", "random", "s1k")
    study = made_up.study(tmp_path_factory.mktemp("study"), num_problems=8, recipes=recipes, num_samples=2)
    return study, measure_cells(load([study]))


@pytest.fixture(scope="module")
def drawn(study_of_two: tuple[Path, Measured]) -> dict[str, Drawn]:
    found = draw_all(study_of_two[1], "made_up", TASKS)
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


def lab(colour: str, vision: str) -> Any:
    """CIELAB (D65) of a colour as it is seen."""
    srgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in to_xyz @ seen / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_series_are_told_apart_by_colour_with_any_vision_and_by_marker_and_by_dash(vision: str) -> None:
    seen = [lab(colour, vision) for colour in COLOURS]
    distances = {(a, b): np.linalg.norm(seen[a] - seen[b]) for a, b in itertools.combinations(range(len(seen)), 2)}
    assert min(distances.values()) > 20
    assert min(d for (a, b), d in distances.items() if {a, b} <= set(FIXED.values())) > 30
    assert np.linalg.norm(lab("#ffffff", "normal") - lab("#000000", "normal")) == pytest.approx(100, abs=0.01)
    dark = [lab(colour, vision) for colour in DARK]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(dark, 2)) > 15
    for looks in (COLOURS, DARK, MARKERS, DASHES):
        assert len(set(looks)) == len(looks) == 10


def test_no_two_of_ten_series_share_a_look_whatever_comes_first() -> None:
    with look(Form()):
        canvas = Canvas("x", ["one"])
        names = ["other", "another", *FIXED, "a third", "a fourth"]
        assert len({canvas.style(name) for name in names}) == 10


def test_an_eleventh_series_looks_like_no_other_one() -> None:
    with look(Form()):
        canvas = Canvas("x", ["one"])
        assert len({canvas.style(str(n)) for n in range(30)}) == 30


def test_the_page_calls_no_two_series_alike() -> None:
    with look(Form()):
        canvas = Canvas("x", ["one"])
        for name in ("a/b", "a b", "漢字", "日本"):
            canvas.point(canvas.axes[0], name, 1, 1, f"{name}\u202e")
        figure = canvas.finish("t", "c", "n")
    assert [key.id for _, key in figure.series] == ["a_b", "a_b_2", "_", "__2"]
    assert re.findall(r'data-series="([^"]*)"', figure.svg) == ["a_b", "a_b_2", "_", "__2"]
    assert "\u202e" not in figure.svg and figure.svg.count("\\u202e</title>") == 4


def test_a_long_title_is_broken_within_its_panel() -> None:
    with look(Form()):
        canvas = Canvas("x", ["a_task_with_a_name_" * 6, "second", "third"])
        canvas.title(canvas.axes[2], "the third task, with a long recipe's name behind it")
        for axes in canvas.axes:
            axes.plot([1, 2], [1, 2])
        canvas.drawing.draw_without_rendering()
        widths = [axes.get_window_extent().width for axes in canvas.axes]
        titles = [axes.get_title("left") for axes in canvas.axes]
        shown = [axes._left_title.get_window_extent() for axes in canvas.axes]
    assert titles[1] == "second" and titles[0].count("\n") > 1 and "\n" in titles[2]
    assert max(widths) < 1.05 * min(widths)
    assert shown[0].x1 < shown[1].x0 < shown[1].x1 < shown[2].x0 and shown[2].x1 <= canvas.drawing.bbox.width


def test_letters_that_the_font_lacks_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    form = Form(formats=("png",))
    with look(form):
        canvas = Canvas("x", ["漢字"], form)
        canvas.point(canvas.axes[0], "日本", 1, 1, "told")
        canvas.finish("t", "c", "n")
    assert [record.message for record in caplog.records] == [
        "figures: letters of some names are not in the font; give one that has them (--style, font.family)"
    ]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sweep on two tasks as a column of a paper, in every format."""
    study = made_up.study(tmp_path_factory.mktemp("study"), num_problems=8, recipes=("base", "s1k"))
    out = tmp_path_factory.mktemp("out")
    form = form_of("single", ("pdf", "svg", "png"), None)
    return {path.name: path.read_bytes() for path in leaderboard.write_figures([study], out, form, ("scaling",))}


def test_a_file_is_opaque_and_as_wide_as_a_column(printed: Any) -> None:
    import matplotlib.pyplot as plt

    assert set(printed) == {f"scaling_made_up.{kind}" for kind in ("pdf", "svg", "png", "txt")}
    pixels = plt.imread(io.BytesIO(printed["scaling_made_up.png"]), format="png")
    assert pixels.shape[1] == 990 and (pixels.shape[2] == 3 or (pixels[..., 3] == 1).all())
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", printed["scaling_made_up.pdf"])
    assert box is not None and float(box[1]) == pytest.approx(3.3 * 72)
    svg = printed["scaling_made_up.svg"].decode()
    assert 'width="237.6pt"' in svg and "fill: #ffffff" in svg.split("patch_1")[1][:300]


def test_text_stays_text_and_budgets_stand_at_the_points(printed: Any) -> None:
    svg, pdf = printed["scaling_made_up.svg"].decode(), printed["scaling_made_up.pdf"]
    for text in ("mean thinking tokens", "accuracy, %", "64", "s1k"):
        assert f">{text}</text>" in svg
    assert re.search(r">[^<]*\+1(, \+2)?</text>", svg) and re.search(r">[^<]*\+2</text>", svg)
    assert b"/Type3" not in pdf and b"/FontFile2" in pdf


def test_the_caption_says_what_how_many_and_every_point_with_its_interval(printed: Any) -> None:
    first, _, *points = printed["scaling_made_up.txt"].decode().splitlines()
    assert (
        first.startswith("Sequential scaling.") and "quick_hard: n = 8 problems" in first and "95 % intervals" in first
    )
    assert len(points) == 2 * 2 * 6 and all(re.search(r"\d % \[.*\] at [\d,]+ tokens$", point) for point in points)


def test_panels_have_one_scale_of_heights() -> None:
    with look(Form()):
        canvas = Canvas("x", ["low", "high"])
        canvas.point(canvas.axes[0], "a", 1, 5, "a")
        canvas.point(canvas.axes[1], "a", 1, 90, "a")
        canvas.finish("t", "c", "n")
    low, high = (axes.get_ylim() for axes in canvas.axes)
    assert low == high and low[0] < 5 and low[1] > 90


@pytest.mark.parametrize("width", [3.3, 6.9])
@pytest.mark.parametrize("name", ["figure_6", "figure_7"])
def test_a_text_beside_a_point_is_whole_and_is_its_points(name: str, width: float) -> None:
    """By matplotlib's own boxes: no two texts overlap, none leaves the panel, none is nearer to another's marker."""
    with look(Form(width)):
        canvas = Canvas("x", ["AIME24"], Form(width))
        axes = canvas.axes[0]
        for series, dots in itertools.groupby(ORIGINALS[name].panels()["AIME24"], key=lambda dot: dot.series):
            own = list(dots)
            for dot in own:
                canvas.point(axes, series, dot.tokens, 100 * dot.accuracy.mean, "")
            places = [(dot.tokens, 100 * dot.accuracy.mean) for dot in own]
            canvas.notes(axes, series, places, [dot.setting for dot in own])
        token_axis(axes, "tokens")
        canvas.finish("t", "c", "n")
    canvas.drawing.draw_without_rendering()  # sizes are those of the last drawing, which was a file of another density
    texts = {text: text.get_window_extent() for text in axes.texts}
    assert len(texts) >= 6
    assert not any(a.overlaps(b) for a, b in itertools.combinations(texts.values(), 2))
    panel = axes.get_window_extent().padded(0.01)
    markers = np.unique([axes.transData.transform(line.get_xydata()[0]).round(3) for line in axes.get_lines()], axis=0)
    for text, box in texts.items():
        assert panel.fully_containsx(box.x0) and panel.fully_containsx(box.x1)
        assert panel.fully_containsy(box.y0) and panel.fully_containsy(box.y1)
        away = np.hypot(
            *np.maximum(np.maximum([box.x0, box.y0] - markers, markers - [box.x1, box.y1]), 0).T  # of each marker
        )
        assert np.allclose(markers[away.argmin()], axes.transData.transform(text.xy), atol=0.01), text.get_text()


def test_points_on_one_another_share_a_text_and_a_chain_of_near_ones_does_not() -> None:
    with look(Form(3.3)):
        canvas = Canvas("x", ["one"], Form(3.3))
        canvas.axes[0].set_xlim(0, 100)
        canvas.axes[0].set_ylim(0, 100)
        canvas.notes(canvas.axes[0], "a", [(10, 50), (10.5, 50), (60, 50)], ["1", "2", "3"])
        canvas.notes(canvas.axes[0], "b", [(x, 20) for x in range(10, 50, 1)], [str(x) for x in range(40)])
        canvas.finish("t", "c", "n")
    texts = [text.get_text() for text in canvas.axes[0].texts]
    assert texts[:2] == ["1, 2", "3"]
    assert max(len(text.split(",")) for text in texts) <= 3 and len(texts) > 12


def keys(svg: str) -> dict[str, tuple[bool, bool, bool]]:
    """Of each entry of a file's legend: whether it has a line, a marker, a patch."""
    legend, found, start = svg[svg.index('<g id="legend_1">') :], dict[str, tuple[bool, bool, bool]](), 0
    for name in re.finditer(r">([^<>]+)</text>", legend):
        part, start = legend[start : name.start()], name.end()
        line = re.search(r'<path d="[^"]*" style="fill: none; stroke', part)
        found[name[1]] = (bool(line), "<use " in part, 'id="patch_' in part)
    return found


def test_a_legend_shows_what_is_drawn_as_it_is_drawn(study_of_two: Any, drawn: Any) -> None:
    recipes = ["base", "random", "s1k"]
    shown = {name: keys(drawn[name].files[f"{name}_made_up.svg"].decode()) for name in BUILDERS}
    assert shown["scaling"] == dict.fromkeys(recipes, (True, True, False))
    assert shown["pareto"] == dict.fromkeys(recipes, (False, True, False)) | {"frontier": (True, False, False)}
    assert shown["flips"] == dict.fromkeys(shown["flips"], (False, False, True))
    (funnel,) = paper_figures(Form(formats=("svg",)), ("funnel",))  # each panel is a series and named so
    assert "legend_1" not in funnel.files["paper_data_funnel.svg"].decode()


def test_a_series_of_one_point_has_no_line_in_the_legend() -> None:
    with look(Form()):
        canvas = Canvas("x", ["one"], Form(formats=("svg",)))
        for series, places in {"alone": [1, 1], "two": [1, 2]}.items():
            canvas.line(canvas.axes[0], series, places, places)
            canvas.point(canvas.axes[0], series, 1, 1, "told")
        figure = canvas.finish("t", "c", "n")
    assert keys(figure.files["x.svg"].decode()) == {"alone": (False, True, False), "two": (True, True, False)}
    assert [(name, key.line) for name, key in figure.series] == [("alone", False), ("two", True)]


def test_a_legend_holds_any_names_within_the_figure_and_leaves_it_room() -> None:
    form = form_of("single", ("svg",), None)
    names = ["a name of many words, " * 6, "x" * 200, "$\\frac$", "costs $5 or $6", *map(str, range(6))]
    with look(form):
        canvas = Canvas("x", ["one"], form)
        for at, name in enumerate(names):
            canvas.line(canvas.axes[0], name, [1, 2], [at, at + 1])
        before = canvas.axes[0].get_window_extent().height
        figure = canvas.finish("t", "c", "n")
    svg = figure.files["x.svg"].decode()
    (legend,) = canvas.drawing.legends
    assert legend.get_window_extent().width <= canvas.drawing.bbox.width
    assert ">$\\frac$</text>" in svg and ">costs $5 or $6</text>" in svg and f">{'x' * 200}" not in svg
    assert canvas.axes[0].get_window_extent().height > 0.6 * before


def test_a_column_of_panels_is_no_taller_than_a_page(study_of_two: Any) -> None:
    tasks = {"made_up": TASKS}
    (figure,) = paper_figures(form_of("single", ("svg",), None), ("figure_1",), study_of_two[1], tasks)
    svg = figure.files["paper_figure_1_made_up.svg"].decode()
    height = re.search(r'height="([\d.]+)pt"', svg)
    assert height is not None and float(height[1]) / 72 <= 9 and svg.count(">mean thinking tokens<") == 1


def test_a_style_file_sets_fonts_and_a_wrong_one_is_one_line(tmp_path: Path) -> None:
    style = tmp_path / "paper.mplstyle"
    style.write_text("axes.labelsize: 13\n")
    form = form_of("5", (), style)
    with look(form):
        canvas = Canvas("x", ["one"], form)
        label = canvas.axes[0].set_ylabel("y")
        assert label.get_fontsize() == 13 and canvas.drawing.get_figwidth() == 5
    for text, message in (
        ("# mine\nfont.size: 8\naxes.labelsize: [\n", "paper.mplstyle, line 3: .*labelsize"),
        ("font.size: 8\naxes.labelsiz: 9\n", r"paper.mplstyle, line 2: .*Bad key axes.labelsiz\)"),
        ("\nfont.size 8\n", "paper.mplstyle, line 2: .*Missing colon"),
        ("font.size: 8\ntext.usetex: True\n", "paper.mplstyle: text.usetex: .*font.family"),
        ("font.size: 8\nfont.size: 9\n", "paper.mplstyle: not a matplotlib style file .Duplicate key"),
    ):
        style.write_text(text)
        with pytest.raises(UserError, match=message):
            form_of("single", (), style)
    style.write_bytes(b"font.size: \xff")
    with pytest.raises(UserError, match="not a matplotlib style file"):
        form_of("single", (), style)
    for width in ("wide", "0", "nan", "100"):
        with pytest.raises(UserError, match="--width"):
            form_of(width, (), None)


def told(figure: Drawn) -> list[str]:
    return figure.files[f"{figure.name}.txt"].decode().splitlines()[2:]


def test_the_papers_figures_are_its_numbers() -> None:
    figures = {figure.name: told(figure) for figure in paper_figures(Form(formats=()))}
    assert set(figures) == {f"paper_{name}" for name in ("figure_1", "figure_4", "figure_6", "figure_7", "data_funnel")}
    first = figures["paper_figure_1"]
    assert len(first) == 5 + 7 + 5
    assert first[4].startswith("s1-32B: 93.2 % [")  # MATH500, 466 of 500
    assert first[11].startswith("s1-32B, 32768: 56.7 % [") and first[11].endswith("at 7,320 tokens")
    assert first[16].startswith("s1-32B: 59.6 % [")  # GPQA: Table 1 prints it too
    assert figures["paper_figure_4"][6].startswith("s1-32B, +6: 56.7 % [")  # it flattens out at six Waits
    assert sum("majority of Qwen" in line for line in figures["paper_figure_4"]) == 6
    rejection = figures["paper_figure_6"]
    assert len(rejection) == 6 and rejection[0].startswith("rejection, 3500: 40.0 % [")
    seventh = [line.split(" [")[0] for line in figures["paper_figure_7"]]
    assert {"REBASE, 16: 56.7 %", "majority, 16: 53.3 %", "sequential, 512 steps: 33.3 %"} <= set(seventh)
    funnel = [line.split(": ")[1].split(" rows")[0] for line in figures["paper_data_funnel"]]
    assert funnel[:5] == ["59,029", "54,116", "51,581", "24,496", "1,000"]  # section 2


def test_ours_stand_beside_the_papers(study_of_two: tuple[Path, Any]) -> None:
    folder, measured = study_of_two
    stages = {"pool": 40, "without API errors": 40, "well formatted": 31, "not solved by a reference model": 12}
    (folder / "recipes" / "s1k").mkdir(parents=True)
    (folder / "recipes" / "s1k" / "manifest.json").write_text(json.dumps({"stages": {**stages, "selected": 5}}))
    only = ("figure_1", "figure_6", "funnel")
    drawn = paper_figures(Form(formats=()), only, measured, {"made_up": TASKS}, [folder])
    first, sixth, funnel = drawn
    ours = [line for line in told(first) if not line.startswith("s1-32B")]
    rows = pd.read_parquet(folder / "samples")
    of_reference = rows[(rows.recipe == "s1k") & rows.task.isin(TASKS)]
    runs = of_reference.groupby("run_id").agg(tokens=("thinking_tokens", "mean"), right=("correct", "mean"))
    expected = sorted(f"{100 * right:.1f} % at {tokens:,.0f} tokens" for tokens, right in runs.itertuples(index=False))
    assert sorted(re.sub(r"^s1k, .*?: | \[.*?\]", "", line) for line in ours) == expected
    assert (
        first.svg.index(">paper: MATH500<") < first.svg.index(">ours: quick_hard<") < first.svg.index(">paper: AIME24<")
    )
    assert sixth.caption.endswith("Study made_up has no such runs.") and len(told(sixth)) == 6
    assert told(funnel)[-5:][3].endswith("s1k, solved by neither model: 12 rows, 30.0 % of the pool")


def test_a_figure_of_the_paper_is_asked_for_with_it(tmp_path: Path) -> None:
    assert tuple(BUILDERS) == results.STUDY_FIGURES and results.PAPER_FIGURES == NAMES
    for given, message in (
        (["--paper", "--only", "scaling"], "--only scaling with --paper: give figure_1, "),
        ([str(tmp_path), "--only", "funnel"], "--only funnel without --paper: give scaling, "),
        ([], "give result folders, or --paper, or both"),
    ):
        done = CliRunner().invoke(cli, ["figure", *given, "--out", str(tmp_path / "out")])
        assert isinstance(done.exception, UserError) and message in str(done.exception)
    assert not (tmp_path / "out").exists()
