"""OUT/lm_eval/samples_{task}_{run}.jsonl: every run once more in lm-eval's own log format.

So that what reads lm-eval's logs today (lm-eval's viewers, s1's scripts, `harness sample-stats`) reads ours.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from harness.files import write_json_lines
from harness.store import Store

COLUMNS = [
    "run_id",
    "task",
    "problem_id",
    "sample_index",
    "question",
    "gold",
    "prompt",
    "thinking",
    "closing",
    "answer",
    "extracted",
    "correct",
    "status",
    "method",
    "budget_tokens",
    "num_ignores",
    "ignore_str",
    "model",
    "recipe",
    "thinking_tokens",
    "answer_tokens",
]


def digest(text: str) -> str:
    """lm-eval's hash of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def line(rows: list[dict[str, Any]], doc_id: int) -> dict[str, Any]:
    """One line for all samples of a problem, the keys and their meaning as in lm-eval 0.4.13."""
    first = rows[0]
    doc = {"id": first["problem_id"], "problem": first["question"], "answer": first["gold"]}
    arguments = {
        "method": first["method"],
        "max_tokens_thinking": first["budget_tokens"],
        "thinking_n_ignore": first["num_ignores"],
        "thinking_n_ignore_str": first["ignore_str"],
    }
    responses = [row["thinking"] + row["closing"] + row["answer"] for row in rows]
    return {
        "doc_id": doc_id,
        "doc": doc,
        "target": first["gold"],
        "arguments": {"gen_args_0": {"arg_0": first["prompt"], "arg_1": arguments}},
        "resps": [responses],
        "filtered_resps": responses,
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": digest(json.dumps(doc, sort_keys=True)),
        "prompt_hash": digest(first["prompt"]),
        "target_hash": digest(first["gold"]),
        "exact_match": float(bool(first["correct"])),
        "exact_matches": [float(bool(row["correct"])) for row in rows],
        "extracted_answers": [row["extracted"] or "" for row in rows],
        "status": [row["status"] for row in rows],
        "thinking_tokens": [row["thinking_tokens"] for row in rows],
        "answer_tokens": [row["answer_tokens"] for row in rows],
        "model": first["model"],
        "recipe": first["recipe"],
    }


def write_logs(store: Store) -> list[Path]:
    """Write one file per run that has none yet or has grown; returns the files written.

    Holds one task's samples of one recipe at a time.
    """
    folder = store.out / "lm_eval"
    written = []
    counted = store.read_samples(["recipe", "task", "run_id"]).group_by(["recipe", "task", "run_id"])
    lacking: dict[tuple[str, str], list[str]] = {}
    for entry in counted.aggregate([([], "count_all")]).to_pylist():
        path = _file(folder, entry["task"], entry["run_id"])
        if not path.is_file() or sum(1 for _ in path.open(encoding="utf-8")) != entry["count_all"]:
            lacking.setdefault((entry["recipe"], entry["task"]), []).append(entry["run_id"])
    for (recipe, task), run_ids in lacking.items():
        mine = (pc.field("recipe") == recipe) & (pc.field("task") == task) & pc.field("run_id").isin(run_ids)
        table = store.read_samples(COLUMNS, mine)
        for run_id in run_ids:
            rows = table.filter(pc.field("run_id") == run_id)
            path = _file(folder, task, run_id)
            _write(path, rows.sort_by([("problem_id", "ascending"), ("sample_index", "ascending")]).to_pylist())
            written.append(path)
    return written


def _file(folder: Path, task: str, run_id: str) -> Path:
    return folder / f"samples_{task}_{run_id}.jsonl"


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    problems: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        problems.setdefault(row["problem_id"], []).append(row)
    write_json_lines(path, (line(samples, doc_id) for doc_id, samples in enumerate(problems.values())))
