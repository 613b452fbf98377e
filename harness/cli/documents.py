"""`--json`: what a command found as one JSON document on standard output, and nothing else there.

Numbers that are not known are null. docs/command_line.md lists the keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.console import visible

if TYPE_CHECKING:
    from harness.analysis.compare import Comparison
    from harness.analysis.intervals import Interval
    from harness.config import Study
    from harness.runtime.audit import RunAudit
    from harness.runtime.pipeline import Outcome
    from harness.studies.status import Status

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def put(document: Any) -> None:
    """Print a document; everything that a terminal could obey is escaped."""
    click.echo(json.dumps(_plain(document), indent=1, allow_nan=False))


def _plain(value: Any) -> Any:
    """`value` with plain numbers, lists for tuples, and null for what is no number."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def interval(found: Interval) -> dict[str, Any]:
    """An estimate and its 95 % interval."""
    return {"value": found.mean, "low": found.low, "high": found.high, "note": found.note}


def status(found: Status) -> dict[str, Any]:
    """`harness status --json`."""
    return asdict(found) | {"samples_left": found.samples_left}


def comparisons(found: Sequence[Comparison]) -> dict[str, Any]:
    """`harness compare --json`."""
    return {"comparisons": [_comparison(one) for one in found]}


def _comparison(c: Comparison) -> dict[str, Any]:
    def side(name: str, accuracy: Interval, tokens: float, number: int, alone: list[str]) -> dict[str, Any]:
        return {
            "name": name,
            "accuracy": interval(accuracy),
            "thinking_tokens": tokens,
            "num_problems": number,
            "only_right": alone,
        }

    return {
        "task": c.task,
        "a": side(c.name_a, c.accuracy_a, c.tokens_a, c.num_a, c.only_a),
        "b": side(c.name_b, c.accuracy_b, c.tokens_b, c.num_b, c.only_b),
        "num_paired": c.num_paired,
        "difference": interval(c.gap),
        "p_value": c.p_value,
        "test": c.test,
        "detectable_difference": c.detectable,
        "equivalence": {
            "margin": c.equivalence.margin,
            "interval_90": interval(c.equivalence.interval),
            "no_worse": c.equivalence.no_worse,
            "no_better": c.equivalence.no_better,
        },
        "posterior": {
            "better": c.posterior.better,
            "no_worse": c.posterior.no_worse,
            "difference": interval(c.posterior.interval),
        },
        "num_same_text": c.num_same_text,
        "first_differing_token": c.first_difference,
        "note": c.note,
    }


def audits(found: Sequence[RunAudit], out: Path, seed: int) -> dict[str, Any]:
    """`harness audit --json`."""
    from harness.runtime.audit import summary

    return {
        "out": out,
        "seed": seed,
        "holds": not any(run.faults for run in found),
        "summary": summary(found),
        "runs": [_audited(run) for run in found],
    }


def _audited(run: RunAudit) -> dict[str, Any]:
    from harness.checked import from_plain
    from harness.config import Budget
    from harness.records import setting

    compared = run.not_audited is None and run.worst is not None
    return {
        "run_id": run.run_id,
        "recipe": run.recipe,
        "task": run.task,
        "setting": setting(from_plain(Budget, run.config["budget"], f"run {run.run_id}: budget: ")),
        "num_rows": len(run.rows),
        "num_greedy": run.num_greedy if compared else None,
        "num_near_ties": run.num_near_ties if compared else None,
        "worst_gap_nats": run.worst.gap if compared and run.worst else None,
        "num_missing": run.num_missing,
        "not_compared": run.not_audited,
        "faults": run.faults,
    }


def plan(
    study: Study, num_problems: dict[str, int], pools: Mapping[str, int], notes: Iterable[str], called: str
) -> dict[str, Any]:
    """`--dry-run --json`, of one base model."""
    from harness.studies.cost import dry_run

    lines = [asdict(line) for line in dry_run(study, num_problems, pools)]
    for line in lines:
        line["recipe"] = called if line["recipe"] == "base" else line["recipe"]
    return {
        "study": study.name,
        "base_model": study.base_model,
        "engine": study.engine.name,
        "lines": lines,
        "tokens": sum(line["tokens"] for line in lines),
        "gpu_hours": sum(line["gpu_hours"] for line in lines),
        "notes": list(notes),
    }


def outcome(ended: Outcome, study: str, out: Path, audited: Sequence[RunAudit] | None) -> dict[str, Any]:
    """`harness evaluate --json` and `harness ablate --json`: the rows of runs.parquet and metrics.parquet, too."""
    import pyarrow.parquet as pq

    from harness.runtime.audit import summary
    from harness.store import Store

    metrics = out / "metrics.parquet"
    return {
        "study": study,
        "out": out.resolve(),
        "num_runs": ended.num_runs,
        "num_runs_kept": ended.num_kept,
        "num_new_samples": ended.num_samples,
        "seconds": ended.seconds,
        "failures": {name: visible(why) for name, why in ended.failures.items()},
        "runs": [
            run | {name: json.loads(run[name] or "{}") for name in ("config", "versions")} for run in Store(out).runs()
        ],
        "metrics": pq.read_table(metrics).to_pylist() if ended.measured is not None else [],
        "audit": None
        if audited is None
        else {"summary": summary(audited), "faults": [fault for run in audited for fault in run.faults]},
    }
