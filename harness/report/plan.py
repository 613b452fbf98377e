"""What `--dry-run` and `status` print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config import Study
from harness.errors import one_line
from harness.progress import clock
from harness.report.tables import Column, Table
from harness.report.terminal import rendered
from harness.studies.cost import (
    DOLLARS_PER_GPU_HOUR,
    MEAN_ANSWER_TOKENS,
    MEAN_ROW_TOKENS,
    MEAN_THINKING_TOKENS,
    TOKENS_PER_GPU_SECOND,
    TOKENS_PER_IGNORE,
    dry_run,
)
from harness.studies.status import Status

if TYPE_CHECKING:
    from rich.console import Group


def planned_table(
    study: Study,
    num_problems: dict[str, int],
    pools: Mapping[str, int] | None = None,
    notes: Iterable[str] = (),
    called: str = "base",
) -> Group:
    """`--dry-run` for a terminal: every call, training and run, the sums, and what was assumed.

    `pools`: rows of the pools that were read; `notes`: what else was found out about the study's inputs;
    `called`: the base model's name.
    """
    from rich.console import Group

    columns = [*map(Column, ("stage", "recipe", "task", "setting"))]
    columns += [Column(name, numeric=True) for name in ("samples", "tokens", "GPU hours", "cost")]
    table = Table("plan", f"{study.name}: planned runs", columns)
    lines = list(dry_run(study, num_problems, pools))
    for line in lines:
        count = f"{line.num_generations:,}" if line.num_generations else ""
        name = called if line.recipe == "base" else line.recipe
        table.add(line.what, name, line.task, line.setting, count, f"{line.tokens:,}", *money(line.gpu_hours))
    hours = sum(line.gpu_hours for line in lines)
    runs = sum(line.what == "evaluate" for line in lines)
    table.add(
        "sum",
        f"{len(study.recipes)} trainings",
        "",
        f"{runs} runs",
        f"{sum(x.num_generations for x in lines):,}",
        f"{sum(x.tokens for x in lines):,}",
        *money(hours),
    )
    table.notes += [
        f"Base model {study.base_model}; engine {study.engine.name}; pool {study.pool or 'none'}.",
        f"Assumed: {MEAN_THINKING_TOKENS:,} thinking tokens where no budget cuts earlier, +{TOKENS_PER_IGNORE} per "
        f"Wait, at most {MEAN_ANSWER_TOKENS} answer tokens, {MEAN_ROW_TOKENS:,} tokens per training row; "
        f"{TOKENS_PER_GPU_SECOND} tokens/s and ${DOLLARS_PER_GPU_HOUR:.2f} an hour for each GPU; training as in the "
        "paper (7 H100 hours for s1K).",
    ]
    if study.engine.chats:
        table.notes.append(
            "Chat completions: one call per sample, text and counts as the server gives them; no token ids, no audit. "
            f"Added to each call: {study.engine.extra_body or 'nothing'}."
        )
    elif study.replay:
        table.notes.append(
            "Replay: the runs of one model and task share their longest thought (--set replay=false: each apart)."
        )
    table.notes += list(notes)
    return Group(rendered(table), *memory_table(study))


def memory_table(study: Study) -> list[Group | str]:
    """What one worker needs to train, by `harness.training.memory`; nothing for a study that trains nothing."""
    from harness.training import memory

    training = study.training
    if not study.recipes:
        return []
    device = "GPU" if training.num_gpus else "worker"
    lines = memory.lines(study.base_model, training)
    if not lines:
        return [f"Memory per {device}: not known; the name {study.base_model} has no size, and no config.json is here."]
    what = f"LoRA of rank {training.lora_rank}" if training.lora_rank else "all weights"
    where = f"{training.num_workers} workers" if training.num_workers > 1 else "one worker"
    rows = f"{training.per_device_batch_size} x {training.block_size:,} tokens"
    names = ("weights", "gradients", "optimizer", "working copies", "activations", "sum")
    columns = [Column("gradient checkpointing (*: planned)"), *(Column(name, numeric=True) for name in names)]
    table = Table("memory", f"Memory per {device} to train, in GB ({what}, {where}, {rows})", columns)
    for line in lines:
        table.add(*line)
    return [rendered(table)]


def money(hours: float) -> tuple[str, str]:
    """GPU hours and dollars; empty where no GPU is asked for."""
    return (f"{hours:,.1f}", f"${hours * DOLLARS_PER_GPU_HOUR:,.0f}") if hours else ("", "")


def status_table(found: Status, out: Path) -> Group:
    """The status for a terminal."""
    from rich.console import Group

    columns = [*map(Column, ("model", "training")), *(Column(name, True) for name in ("runs", "failed", "samples", ""))]
    table = Table("status", "", columns)
    for model in found.models:
        share = model.samples_done / model.samples_planned if model.samples_planned else 1.0
        table.add(
            model.recipe,
            model.training,
            f"{model.runs_done}/{model.runs_planned}",
            str(model.runs_failed or ""),
            f"{model.samples_done:,}/{model.samples_planned:,}",
            f"{share:.0%}",
        )
    last = "no row yet" if found.seconds_since_row is None else f"last row {clock(found.seconds_since_row)} ago"
    words = f"{found.study}: {found.state}, {last}"
    if found.rate:
        words += f", {found.rate:.1f} samples/s, {clock(found.samples_left / found.rate)} left at that rate"
    if found.state == "stopped":
        words += f"; the same command with --out {out} goes on"
    lines: list[Any] = [words, rendered(table)]
    lines += [f"failed: {run_id}: {one_line(why) if why else '?'}" for run_id, why in list(found.errors.items())[:10]]
    return Group(*lines)
