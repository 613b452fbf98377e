"""Scores in an experiment tracker, read back by the tracker's own parts."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.analysis.measure import measure_cells, to_table
from harness.analysis.settings import load
from harness.cli.main import cli
from harness.errors import UserError
from harness.report import tracking
from harness.store import Store
from harness.trackers import PACKAGES, PROJECT
from tests import made_up_study
from tests.event_files import events

ACCURACY = "quick_easy/budget_forcing/accuracy"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made_up_study.study(tmp_path_factory.mktemp("study"), num_problems=20, recipes=("s1k", "random"))
    with Store(folder) as store:
        store.put_metrics(to_table(measure_cells(load([folder]))))
    return folder


def expected(out: Path, recipe: str = "s1k") -> list[tuple[int, float]]:
    """Mean thinking tokens and accuracy of each run, from the samples by pandas."""
    rows = pd.read_parquet(out / "samples")
    rows = rows[(rows.recipe == recipe) & (rows.task == "quick_easy")]
    runs = rows.groupby("run_id").agg(tokens=("thinking_tokens", "mean"), accuracy=("correct", "mean"))
    return sorted((round(tokens), accuracy) for tokens, accuracy in runs.itertuples(index=False))


def test_tensorboard_has_the_scaling_curve_with_its_bounds(out: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["track", str(out), f"tensorboard:{tmp_path}"])
    assert done.exit_code == 0 and done.output.split() == ["made_up/s1k", "made_up/random"], done.output
    values: dict[str, list[Any]] = {}
    for event in events(tmp_path / "made_up--s1k"):
        for value in event.summary.value:
            values.setdefault(value.tag, []).append((event.step, value.simple_value))
    assert values[ACCURACY] == [(step, pytest.approx(value)) for step, value in expected(out)]
    for (_, low), (_, value), (_, high) in zip(
        values[f"{ACCURACY}/low"], values[ACCURACY], values[f"{ACCURACY}/high"], strict=True
    ):
        assert low <= value <= high
    metrics = pd.read_parquet(out / "metrics.parquet")
    slope = metrics[
        (metrics.recipe == "s1k") & (metrics.task == "quick_easy") & (metrics.metric == "scaling_per_doubling")
    ]
    assert values["quick_easy/budget_forcing/scaling_per_doubling"] == [(0, pytest.approx(slope["value"].iloc[0]))]


def test_tensorboards_own_reader_reads_it(out: Path, tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tracking.track(out, f"tensorboard:{tmp_path}")
    accumulator = reader.EventAccumulator(str(tmp_path / "made_up--s1k"))
    accumulator.Reload()
    found = [(one.step, one.value) for one in accumulator.Scalars(ACCURACY)]
    assert found == [(step, pytest.approx(value)) for step, value in expected(out)]


def test_mlflow_has_the_scaling_curve_and_what_made_it(out: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    tracking.track(out, f"mlflow:{tmp_path / 'ml'}")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'ml.db'}")
    experiment = client.get_experiment_by_name(PROJECT)
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    found = client.get_metric_history(runs["made_up/s1k"].info.run_id, ACCURACY)
    assert [(one.step, one.value) for one in found] == [(step, pytest.approx(v)) for step, v in expected(out)]
    assert runs["made_up/s1k"].data.params["commit"] == "abc"


@pytest.mark.parametrize("tracker", ["wandb", "trackio"])
def test_the_others_take_it_offline(tracker: str, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(tracker)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    tracking.track(out, f"{tracker}:{tmp_path}/where")
    assert any(name.endswith((".wandb", ".db")) for _, _, names in os.walk(tmp_path) for name in names)


def test_an_unknown_or_missing_tracker_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'tensorboard'"):
        tracking.parsed("tensorbord:x")
    missing = [name for name, package in PACKAGES.items() if find_spec(package) is None]
    asked = f"--track {missing[0]} needs the package" if missing else "did you mean 'mlflow'"
    spec = missing[0] if missing else "mlflo"
    done = CliRunner().invoke(cli, ["ablate", "quickstart", "--track", spec, "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, UserError) and re.search(asked, str(done.exception))
    assert not (tmp_path / "out").exists()


def test_a_folder_without_figures_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no metrics"):
        tracking.figures(tmp_path)
