"""Scores and scaling tables for an experiment tracker: TensorBoard, MLflow, W&B or Trackio, from a results folder.

One tracker run per model. A run of the sweep is a step, at its mean thinking tokens, so that a tracker's own chart is
the scaling curve; figures over a sweep (control, scaling, performance) stand at step 0. Bounds are `NAME/low`,
`NAME/high`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from harness.errors import UserError, unknown
from harness.files import json_row
from harness.parquet import told
from harness.store import Store
from harness.trackers import PROJECT, mlflow_address, require


@dataclass
class Tracked:
    """What a tracker gets of one model: its settings, and values by step (thinking tokens)."""

    name: str
    config: dict[str, Any]
    points: dict[int, dict[str, float]] = field(default_factory=dict)

    def put(self, step: int, name: str, figure: Mapping[str, Any]) -> None:
        """A figure and its bounds, as far as they are numbers."""
        values = {name: figure["value"], f"{name}/low": figure["low"], f"{name}/high": figure["high"]}
        known = {key: value for key, value in values.items() if value is not None and math.isfinite(value)}
        self.points.setdefault(step, {}).update(known)


def track(out: Path, spec: str) -> list[str]:
    """Send the figures of `out` to a tracker.

    Args:
        out: a results folder.
        spec: TRACKER or TRACKER:WHERE, as `parsed` reads it.

    Returns:
        The names of the tracker's runs.

    Raises:
        UserError: the tracker is not known or not installed, or the folder holds no figures.
    """
    tracker, where = parsed(spec)
    tracked = figures(out)
    for one in tracked:
        SINKS[tracker](one, where or str(out / tracker))
    return [one.name for one in tracked]


def parsed(spec: str) -> tuple[str, str]:
    """The tracker and where it writes (a folder, a server's address, or a project's name). Raises `UserError`."""
    tracker, _, where = spec.partition(":")
    if tracker not in SINKS:
        raise unknown("tracker", tracker, SINKS)
    require(tracker, f"--track {tracker}")
    return tracker, where


def figures(out: Path) -> list[Tracked]:
    """What there is to send, per model. Raises `UserError` for a folder without figures."""
    path = out / "metrics.parquet"
    if not path.is_file():
        raise UserError(f"{out} holds no metrics.parquet; give the --out of ablate, evaluate or import")
    with told(path):
        rows = pq.read_table(path).to_pylist()
    runs = {run["run_id"]: run for run in Store(out).runs()}
    tokens = {row["run_id"]: row["value"] for row in rows if row["metric"] == "mean_thinking_tokens" and row["run_id"]}
    found: dict[tuple[str, str, str], Tracked] = {}
    for row in rows:
        key = row["study"], row["model"], row["recipe"]
        if key not in found:
            run = next((run for run in runs.values() if (run["study"], run["model"], run["recipe"]) == key), {})
            found[key] = Tracked(_name(*key), _config(run))
        step = round(tokens.get(row["run_id"]) or 0) if row["run_id"] else 0
        found[key].put(step, f"{row['task']}/{row['method']}/{row['metric']}", row)
    return list(found.values())


def _name(study: str, model: str, recipe: str) -> str:
    return f"{study}/{model.rsplit('/', 1)[-1] if recipe == 'base' else recipe}"


def _config(run: Mapping[str, Any]) -> dict[str, Any]:
    names = ("study", "model", "recipe", "commit", "engine", "device")
    found = json_row((run.get("versions") or "{}").encode(), encodable=True)
    versions = {} if isinstance(found, str) else found
    return {name: run.get(name) for name in names} | {f"version/{name}": text for name, text in versions.items()}


def _steps(one: Tracked) -> Iterator[tuple[int, dict[str, float]]]:
    return iter(sorted(one.points.items()))


def _tensorboard(one: Tracked, where: str) -> None:
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(Path(where) / one.name.replace("/", "--"))) as writer:
        writer.add_text("config", f"```\n{json.dumps(one.config, indent=1)}\n```")
        for step, values in _steps(one):
            for name, value in values.items():
                writer.add_scalar(name, value, step)


def _mlflow(one: Tracked, where: str) -> None:
    import mlflow

    mlflow.set_tracking_uri(mlflow_address(where))
    mlflow.set_experiment(PROJECT)
    with mlflow.start_run(run_name=one.name):
        mlflow.log_params({name: str(value) for name, value in one.config.items()})
        for step, values in _steps(one):
            mlflow.log_metrics({name.replace("@", "_at_"): value for name, value in values.items()}, step=step)


def _wandb(one: Tracked, where: str) -> None:
    import wandb

    folder, project = (where, PROJECT) if "/" in where else (None, where)
    with wandb.init(project=project, name=one.name, config=one.config, dir=folder) as run:
        for step, values in _steps(one):
            run.log(values, step=step)


def _trackio(one: Tracked, where: str) -> None:
    import trackio

    trackio.init(project=PROJECT if "/" in where else where, name=one.name, config=one.config)
    for step, values in _steps(one):
        trackio.log(values, step=step)
    trackio.finish()


SINKS: dict[str, Callable[[Tracked, str], None]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
    "trackio": _trackio,
}
TRACKERS: Sequence[str] = tuple(SINKS)
