"""A small made-up study on disk, in the real schemas: what `harness ablate` would have left. Seeded, no engine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.records import RUN_SCHEMA, SAMPLE_SCHEMA

ABILITY = {"base": 0.15, "random": 0.45, "diverse": 0.5, "longest": 0.5, "s1k": 0.7, "full": 0.72}
HEADLINE = {"max_thinking_tokens": "auto", "num_ignores": 0}
WAIT_ID, FULL_STOP = 7, 13


def sample(**changes: Any) -> dict[str, Any]:
    """One row of SAMPLE_SCHEMA with plain values for what a test does not name."""
    row: dict[str, Any] = dict.fromkeys(SAMPLE_SCHEMA.names)
    row |= {
        "run_id": "run0",
        "study": "made_up",
        "model": "tiny",
        "recipe": "s1k",
        "task": "quick",
        "method": "budget_forcing",
        "num_ignores": 0,
        "seed": 0,
        "sample_index": 0,
        "problem_id": "p0",
        "question": "1 + 1 = ?",
        "gold": "2",
        "kind": "integer",
        "prompt": "user: 1 + 1 = ?",
        "thinking": "one and one.",
        "closing": "<answer>",
        "answer": "2",
        "budget_tokens": 256,
        "prompt_tokens": 5,
        "thinking_tokens": 40,
        "thinking_sampled_tokens": 40,
        "thinking_injected_tokens": 0,
        "closing_tokens": 1,
        "answer_tokens": 1,
        "discarded_tokens": 0,
        "num_rounds": 1,
        "num_attempts": 1,
        "thinking_finish": "stop",
        "answer_finish": "stop",
        "forced_end": False,
        "replayed": True,
        "looping": False,
        "status": "correct",
        "extracted": "2",
        "correct": True,
        "reason": "",
        "tier": "string",
        "thinking_ids": [1, 2, 3],
        "closing_ids": [4],
        "answer_ids": [5],
        "prompt_ids": [6],
        "forced_spans": [],
    }
    return row | changes


def run(rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The row of RUN_SCHEMA that belongs to `rows`, which are one run's."""
    shared = {name: rows[0][name] for name in RUN_SCHEMA.names if name in rows[0]}
    row: dict[str, Any] = dict.fromkeys(RUN_SCHEMA.names) | shared
    row |= {
        "num_problems": len({r["problem_id"] for r in rows}),
        "num_samples": len(rows),
        "status": "done",
        "error": None,
        "config": json.dumps({"reference_recipe": "s1k", "headline": HEADLINE}),
        "versions": "{}",
        "commit": "abc",
        "engine": "scripted",
        "device": "cpu",
        "seconds": 1.0,
        "created_at": "2026-01-01T00:00:00Z",
    }
    return row | changes


def write(
    out_dir: Path, rows: Iterable[dict[str, Any]], runs: list[dict[str, Any]] | None = None, **added: Any
) -> Path:
    """Write rows and their runs as a result folder; runs come from the rows, with `added` settings, unless given."""
    rows = list(rows)
    (out_dir / "samples").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA), out_dir / "samples" / "part-0.parquet")
    if runs is None:
        by_run: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_run.setdefault(row["run_id"], []).append(row)
        config = json.dumps({"reference_recipe": "s1k", "headline": HEADLINE} | added)
        runs = [run(group, config=config) for group in by_run.values()]
    pq.write_table(pa.Table.from_pylist(runs, schema=RUN_SCHEMA), out_dir / "runs.parquet")
    return out_dir


def study(
    out_dir: Path,
    num_problems: int = 60,
    recipes: Iterable[str] = tuple(ABILITY),
    num_samples: int = 1,
    **added: Any,
) -> Path:
    """A sweep of four budgets and two waits for each recipe on two tasks; longer thought solves harder problems.

    `added` goes to each run's configuration.
    """
    settings = [(64, 0), (128, 0), (256, 0), (None, 0), (None, 1), (None, 2)]
    rows = []
    for task, ease in (("quick_easy", 0.15), ("quick_hard", -0.1)):
        difficulty = np.random.default_rng(len(task)).random(num_problems)
        for recipe in recipes:
            for limit, ignores in settings:
                rng = np.random.default_rng([ord(c) for c in f"{task}{recipe}{limit}{ignores}"])
                run_id = f"{task}-{recipe}-{limit}-{ignores}"
                for p in range(num_problems):
                    for index in range(num_samples):
                        wanted = 60 + 400 * difficulty[p] + 60 * ignores
                        tokens = int(min(wanted, limit or 600))
                        chance = ABILITY[recipe] + ease + 0.25 * np.log2(tokens / 150) - 0.6 * (difficulty[p] - 0.5)
                        rows.append(_row(task, recipe, run_id, limit, ignores, p, index, tokens, wanted, chance, rng))
    return write(out_dir, rows, **added)


def _row(
    task: str,
    recipe: str,
    run_id: str,
    limit: int | None,
    ignores: int,
    p: int,
    index: int,
    tokens: int,
    wanted: float,
    chance: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    forced, right = bool(wanted > (limit or 600)), bool(rng.random() < chance)
    kinds = ["incorrect", "incorrect", "no_answer", "truncated"]
    status = "correct" if right else kinds[int(rng.integers(4))]
    words = [f"step {i} gives {i * (p + 3)}." for i in range(tokens // 4)]
    spans, ids = [], [FULL_STOP if i % 4 == 3 else 100 + i % 50 for i in range(tokens)]
    for k in range(ignores):
        at = len(words) * (k + 1) // (ignores + 1)
        words.insert(at, "Wait")
        ids.insert(at * 4, WAIT_ID)
        spans.append({"start": at * 4, "length": 1, "kind": "ignore"})
    said = str(p + 3) if right else (None if status in ("no_answer", "truncated") else str(int(rng.integers(3))))
    return sample(
        run_id=run_id,
        recipe=recipe,
        task=task,
        max_thinking_tokens=limit,
        num_ignores=ignores,
        ignore_str="Wait",
        problem_id=f"{task}/{p}",
        question=f"What is {p} + 3?",
        gold=str(p + 3),
        sample_index=index,
        prompt=f"<|im_start|>user\nWhat is {p} + 3?<|im_end|>\n",
        thinking="\n" + " ".join(words),
        thinking_ids=ids,
        closing="<|im_start|>answer\n" + ("Final Answer:" if forced else ""),
        answer=f" The answer is {said}",
        forced_spans=spans,
        budget_tokens=limit or 600,
        thinking_tokens=len(ids),
        answer_tokens=5,
        thinking_sampled_tokens=len(ids) - len(spans),
        thinking_injected_tokens=len(spans),
        num_rounds=1 + len(spans),
        forced_end=forced,
        thinking_finish="budget" if forced else "stop",
        status=status,
        extracted=said,
        correct=right,
        looping=bool(rng.random() < 0.02),
    )
