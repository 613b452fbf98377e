"""`harness status OUT`: where a running or dead study stands, from its files alone."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from harness.checked import from_plain
from harness.config import Study
from harness.errors import UserError
from harness.parquet import told
from harness.records import short
from harness.store import Store, open_lock, read_claim
from harness.studies.runs import budgets_of, model_of

RECENT_SECONDS = 300.0  # the time that the rate is taken from


@dataclass(frozen=True)
class ModelStatus:
    """One model of a study. Samples that ended in an engine error are not done."""

    recipe: str  # "base", or the name of one of several base models
    training: str  # waiting | selected | training | trained; empty for the base
    runs_done: int
    runs_failed: int
    runs_planned: int
    samples_done: int
    samples_planned: int


@dataclass(frozen=True)
class Status:
    """A study. `state`: running | complete | stopped. `rate`: recent samples per second, while it runs."""

    study: str
    state: str
    models: list[ModelStatus]
    seconds_since_row: float | None
    rate: float
    errors: dict[str, str]  # run_id -> why it failed

    @property
    def samples_left(self) -> int:
        """Generations of all models that are planned and not yet stored."""
        return sum(model.samples_planned - model.samples_done for model in self.models)


def status(out: Path) -> Status:
    """The state of the study in `out`. Raises `UserError` for a folder that holds none."""
    claim = read_claim(out)
    if not claim:
        raise UserError(f"{out} holds no study (no study.json); give the --out of ablate or evaluate")
    if missing := {"name", "study", "num_problems"} - claim.keys():
        raise UserError(f"{out}/study.json has no {', '.join(sorted(missing))}; give the --out of ablate or evaluate")
    study, problems = from_plain(Study, claim["study"], f"{out}/study.json: "), claim["num_problems"]
    if not all(isinstance(count, int) for count in problems.values()):
        raise UserError(f"{out}/study.json: num_problems holds no counts; give the --out of ablate or evaluate")
    store = Store(out)
    listed = claim.get("runs") or None
    runs = [run for run in store.runs() if listed is None or run["run_id"] in listed]
    done = {(row["model"], row["recipe"], row["task"]): row["count"] for row in store.count_samples(listed)}
    models = []
    bases = claim.get("models") or [study.base_model]
    names = {(model, "base"): short(model, bases) if len(bases) > 1 else "base" for model in bases}
    names |= {(model_of(study, recipe.name), recipe.name): recipe.name for recipe in study.recipes}
    for (model, recipe), name in names.items():
        budgets = len(budgets_of(study, recipe))
        mine = [run["status"] for run in runs if (run["model"], run["recipe"]) == (model, recipe)]
        models.append(
            ModelStatus(
                name,
                "" if recipe == "base" else _training(out / "recipes" / recipe),
                mine.count("done"),
                mine.count("failed"),
                budgets * len(problems),
                sum(done.get((model, recipe, task), 0) for task in problems),
                budgets * sum(problems.values()) * study.sampling.num_samples,
            )
        )
    times = {path: path.stat().st_mtime for path in store.samples.glob("*.parquet")}
    whole = all(model.samples_done >= model.samples_planned for model in models)
    state = "running" if _is_locked(out) else "complete" if whole else "stopped"
    recent = {path: at for path, at in times.items() if time.time() - at < RECENT_SECONDS}
    span = time.time() - min(recent.values()) if recent else 0.0
    rows = sum(_num_rows(path) for path in recent)
    return Status(
        claim["name"],
        state,
        models,
        max(0.0, time.time() - max(times.values())) if times else None,  # a clock that was set back: now
        rows / span if state == "running" and span > 1 else 0.0,
        {run["run_id"]: run["error"] or "" for run in runs if run["status"] == "failed"},
    )


def _training(folder: Path) -> str:
    for name, state in (("training.json", "trained"), ("train.log", "training"), ("manifest.json", "selected")):
        if (folder / name).is_file():
            return state
    return "waiting"


def _is_locked(out: Path) -> bool:
    """Whether a writer holds the folder's lock now."""
    try:
        with open_lock(out, os.O_RDONLY) as file:  # shared: a reader's glance does not shut out another reader's
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock, or none that can be looked at
        return False
    return False


def _num_rows(path: Path) -> int:
    with told(path):
        return int(pq.read_metadata(path).num_rows)
