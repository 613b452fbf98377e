"""What `--dry-run` finds out about a study's pools and disk, before anything is asked or trained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from harness.config import Study
from harness.data.features import Needs
from harness.data.load import Loaded, find, load_with_report
from harness.training import memory, order

BYTES_PER_PARAMETER = 12.2  # of a checkpoint to resume from: float32 weights, Adam's two moments
CHARACTERS_PER_TOKEN = 3  # of mathematics, for the lengths of a plan
ROWS_LOOKED_AT = 5000
NAMED_BY = "--set 'pool_columns=[\"thinking=COLUMN\"]'"  # how a study names the column that holds the traces
FINAL_BYTES_PER_PARAMETER = 4  # of the trained model, in float32


def local_pools(study: Study, data_dir: Path | None) -> dict[str, Loaded]:
    """The pools that lie on this machine, read; those of the hub are left to the run.

    Raises:
        UserError: one cannot be read, or none of its rows has a trace.
    """
    found = {}
    for recipe in study.recipes:
        pool = study.seen_by(recipe.name).pool
        if pool != "quickstart" and pool not in found and find(pool, data_dir) is not None:
            found[pool] = load_with_report(pool, data_dir, dict(study.pool_columns))
            found[pool].need_traces(pool, "training", NAMED_BY)
    return found


def pool_notes(study: Study, pools: dict[str, Loaded]) -> Iterator[str]:
    """One line for each pool that was read: its rows, and what has to be filled in for its selections."""
    for pool, loaded in pools.items():
        mine = [recipe.selection for recipe in study.recipes if study.seen_by(recipe.name).pool == pool]
        needs = [name for name, needed in asdict(Needs.of(mine)).items() if needed]
        columns = {"domain": "domain", "length": "thinking_tokens", "benchmark_like": "benchmark_like"}
        columns["difficulty"] = "reference_correct"
        missing = [
            f"{name} of {count:,}"
            for name in needs
            if (count := sum(value in (None, "") for value in loaded.dataset[columns[name]]))
        ]
        words = f"; to be filled in: {', '.join(missing)}" if missing else ""
        yield f"Pool {pool}: {loaded.summary}{words}{_too_large(study, pool, loaded)}."


def _too_large(study: Study, pool: str, loaded: Loaded) -> str:
    """The recipes that ask for more rows than the pool can have left, which then fail."""
    told = []
    for recipe in study.recipes:
        own = study.seen_by(recipe.name)
        there = loaded.num_traces if recipe.traces == "each" else loaded.num_questions
        there = min(there, own.pool_size or there)
        if own.pool == pool and (recipe.size or 0) > there:
            told.append(f"{recipe.name} ({recipe.size:,} of {there:,})")
    return f"; TOO FEW for {', '.join(told)}: ask for fewer rows, or these recipes fail" if told else ""


def batch_notes(study: Study, pools: dict[str, Loaded]) -> Iterator[str]:
    """What waits and what pads in the trainings of each pool that was read, as planned and with other settings."""
    for pool, loaded in pools.items():
        recipe = next(one for one in study.recipes if study.seen_by(one.name).pool == pool)
        planned = study.training_of(recipe)
        columns = (loaded.dataset[name] for name in ("question", "thinking", "attempt"))
        lengths = [
            min(planned.block_size, sum(map(len, texts)) // CHARACTERS_PER_TOKEN)
            for texts in islice(zip(*columns, strict=True), ROWS_LOOKED_AT)
            if texts[1]
        ]
        plain = replace(planned, num_epochs=1, group_by_length=False, padding_free=False, packing=False)
        choices = {
            "rows in random order": plain,
            "group_by_length": replace(plain, group_by_length=True),
            "padding_free": replace(plain, padding_free=True),
            "packing": replace(plain, packing=True),
        }
        told = []
        for name, training in choices.items():
            taken = order.packed_lengths(lengths, training.block_size) if training.packing else lengths
            star = "*" if training == replace(planned, num_epochs=1) else ""
            told.append(f"{name}{star} {order.waiting(taken, training):.0%} and {order.padding(taken, training):.0%}")
        yield f"Workers' time that waits, tokens that pad, by lengths of {pool} (*: planned): {'; '.join(told)}."


def disk_note(study: Study, out: Path) -> str:
    """One line: what the trainings write at most, and what is free where they write it."""
    total = 0.0
    for recipe in study.recipes:
        own = study.seen_by(recipe.name)
        shape = memory.shape_of(own.base_model)
        if shape is None:
            return f"Disk: not known; {own.base_model} has no size in its name, and no config.json is here."
        total += shape.parameters * FINAL_BYTES_PER_PARAMETER
    shapes = [memory.shape_of(study.seen_by(recipe.name).base_model) for recipe in study.recipes]
    largest = max((shape.parameters for shape in shapes if shape), default=0)
    at_once = study.training.kept_checkpoints + 1  # one is being written
    kept = at_once * largest * BYTES_PER_PARAMETER if study.training.save_steps else 0.0
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    local = f" (as much again in {study.training.checkpoint_dir}, on the nodes' own disk)"
    enough = "" if total + kept < free else "; TOO LITTLE: give --out a larger disk"
    return (
        f"Disk: {gigabytes(total)} of trained models and {gigabytes(kept)} of checkpoints to resume from"
        f"{local if study.training.checkpoint_dir and kept else ''}, of "
        f"{gigabytes(free)} free{enough}."
    )


def gigabytes(size: float) -> str:
    """A size in GB, with as many digits as it needs."""
    return f"{size / 1e9:,.0f} GB" if size >= 1e10 else f"{size / 1e9:.2g} GB"
