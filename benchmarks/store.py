"""The store and the driver at a cluster's scale: 1,000 runs of 10,000 samples, planned, stored and resumed.

    python benchmarks/store.py [--rows 100000,1000000,10000000] [--only scale|overhead]

Scale: rows of SAMPLE_SCHEMA (20 recipes x 10 tasks x 5 budgets, a thousandth of them still missing) are written in
files as a study leaves them, merged, and resumed by the code that a study runs; each size in a process of its own,
whose peak resident size is the driver's. Overhead: the scripted engine, which costs microseconds, through the whole
path of a row: draw, think, grade, row, Arrow, disk; beside it what a 32B model needs for one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.config import Budget, EngineConfig, Recipe, Sampling, Study
from harness.generation.budget import Machine, Turn
from harness.generation.engines.base import Request
from harness.quickstart import TINY_MODEL
from harness.records import SAMPLE_SCHEMA, Generation, Problem
from harness.runtime.evaluate_stage import Evaluation
from harness.store import Store
from harness.studies.runs import Run, runs_of

RECIPES, TASKS, BUDGETS, RUNS = 20, 10, 5, 1000
ROWS_A_FLUSH = 2000
THINKING_TOKENS = 400
# s1-32B, Table 1's setting: 5,000 thinking and 600 answer tokens; an H100 of a group samples 700 a second at batch.
SECONDS_32B = (5_000 + 600) / 700
STAND_IN = "the stand-in for the model"
TARGET_MILLISECONDS, TARGET_SHARE = 1.0, 0.03


def study(num_samples: int) -> Study:
    """1,000 runs, each of `num_samples` samples in all."""
    budgets = tuple(Budget(max_thinking_tokens=2**k) for k in range(9, 9 + BUDGETS))
    return Study(
        name="scale",
        base_model=TINY_MODEL,
        pool="",
        tasks=tuple(f"task{i}" for i in range(TASKS)),
        budgets=budgets,
        headline=budgets[-1],
        recipes=tuple(Recipe(f"recipe{i}", "random", 1000, seed=i) for i in range(RECIPES - 1)),
        sampling=Sampling(temperature=1.0, num_samples=num_samples),
        engine=EngineConfig(),
    )


def problems_of(count: int) -> dict[str, list[Problem]]:
    return {
        f"task{t}": [Problem(f"{i:05d}", f"task{t}", f"What is {i} + {t}?", str(i + t)) for i in range(count)]
        for t in range(TASKS)
    }


def write(store: Store, run: Run, problems: list[Problem], num_samples: int, missing: float) -> int:
    """One run's rows, as a study appends them; returns how many."""
    keys, ids, indices = [], [], []
    for problem in problems:
        for index in range(num_samples):
            keys.append(run.sample_key(problem, index))
            ids.append(problem.id)
            indices.append(index)
    kept = np.random.default_rng(int(run.run_id, 16) % 2**32).random(len(keys)) >= missing
    count = int(kept.sum())
    constants = {
        "run_id": run.run_id,
        "study": run.study,
        "model": run.model,
        "recipe": run.recipe,
        "task": run.task,
        "thinking": "Let me think. " * 8,
        "answer": "\\boxed{5}",
        "correct": True,
        "thinking_tokens": 32,
    }
    columns = {"sample_key": pa.array(keys), "problem_id": pa.array(ids), "sample_index": pa.array(indices, pa.int64())}
    columns = {name: column.filter(pa.array(kept)) for name, column in columns.items()}
    table = pa.table(
        [
            columns.get(field.name)
            if field.name in columns
            else pa.repeat(pa.scalar(constants.get(field.name), field.type), count)
            for field in SAMPLE_SCHEMA
        ],
        schema=SAMPLE_SCHEMA,
    )
    for start in range(0, count, ROWS_A_FLUSH):
        store.append(table.slice(start, ROWS_A_FLUSH))
    store.flush()
    return count


def scale(rows: int, out: Path) -> dict[str, float]:
    """Write, merge and resume about `rows` rows; seconds of each, and the peak of this process in GiB."""
    a_run = rows // RUNS
    num_samples = max(1, a_run // 1000)
    problems = problems_of(a_run // num_samples)
    chosen = study(num_samples)
    engine = {"name": "vllm", "version": "1", "dtype": "float32"}
    names = ["base", *(recipe.name for recipe in chosen.recipes)]
    start, written = time.perf_counter(), 0
    with Store(out) as store:
        for name in names:
            for run in runs_of(chosen, name, name, problems, engine):
                written += write(store, run, problems[run.task], num_samples, missing=0.001)
        store.compact()
    write_seconds = time.perf_counter() - start
    files = len(list((out / "samples").glob("*.parquet")))
    by_key = {f"{task}/{problem.id}": problem for task, items in problems.items() for problem in items}
    start, missing, work = time.perf_counter(), 0, 0
    with Store(out) as store:
        for name in names:
            evaluation = Evaluation(chosen, runs_of(chosen, name, name, problems, engine), by_key, store)
            missing += len(evaluation.missing)
            work += len(evaluation.work())
    resume_seconds = time.perf_counter() - start
    assert missing + written == RUNS * a_run, (missing, written)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "rows": written,
        "write": write_seconds,
        "files": files,
        "resume": resume_seconds,
        "missing": missing,
        "work": work,
        "peak": peak,
    }


def talker(thinking: int, answer: str) -> Any:
    """A scripted engine that thinks `thinking` tokens, ends its thought and gives `answer`."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from harness.generation.engines.vllm_process import STREAM_INTERVAL
    from tests.scripted import ScriptedEngine
    from tests.tiny import byte_tokenizer

    tokenizer = byte_tokenizer()
    marker = tokenizer("answer")["input_ids"]
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    told, letter = [*tokenizer(answer)["input_ids"], end], tokenizer("a")["input_ids"][0]
    thought, rest = 0, iter(())

    def next_token(context: Sequence[int], masked: frozenset[int]) -> int:
        nonlocal thought, rest
        if context[-len(marker) :] == marker:
            rest, thought = iter(told), 0
        if (token := next(rest, None)) is not None:
            return token
        thought += 1
        return int(letter if thought <= thinking else end)

    return ScriptedEngine(next_token, tokenizer, 32768, (end,), interval=STREAM_INTERVAL)


class Taker:
    """A machine that takes so many tokens as they come: what running it costs is the scripted engine's own loop."""

    ids: tuple[int, ...] = ()

    def __init__(self, left: int) -> None:
        self.left = left

    def turn(self) -> Turn | None:
        return Turn(self.left, 0, frozenset(), None) if self.left else None

    def feed(self, ids: Sequence[int]) -> bool:
        self.left -= len(ids)
        return True


def alone(engine: Any, prompt_ids: tuple[int, ...], tokens: int, rows: int) -> float:
    """Seconds a sample of the scripted engine alone."""
    taken = [Request(prompt_ids, cast(Machine, Taker(tokens)), Sampling(), 0, lambda _: ()) for _ in range(rows)]
    start = time.process_time()
    engine.run(taken)
    return (time.process_time() - start) / rows


def cost(rows: int) -> dict[str, float]:
    """Seconds a sample of everything but the model, by part; the scripted engine, which stands in for it, is apart.

    Processor time: it is all work of this process, and a shared machine does not change it much.
    """
    import queue

    from harness.generation import sweep
    from harness.runtime.workers import EngineWorker, Work, grade_batch
    from harness.thinking import FORMATS

    engine = talker(THINKING_TOKENS, "\\boxed{7}")
    chosen = study(1)
    problems = {f"task0/{i}": Problem(str(i), "task0", f"What is {i} + 1?", "7") for i in range(rows // BUDGETS)}
    runs = {(run.task, run.budget): run for run in runs_of(chosen, "base", "m", {t: [] for t in chosen.tasks}, {})}
    keys = {
        (run.run_id, name, 0): run.sample_key(problem, 0)
        for run in runs.values()
        if run.task == "task0"
        for name, problem in problems.items()
    }
    work = [Work(problem, 0, chosen.budgets) for problem in problems.values()]
    start = time.process_time()
    finished: queue.Queue[Generation] = queue.Queue()
    writer = sweep.SampleWriter(engine, Sampling(), FORMATS["s1"], finished.put)
    worker = EngineWorker.__new__(EngineWorker)
    worker.engine = engine
    engine.run(
        request
        for item in work
        for prompt, budgets in worker._prompts(item, FORMATS["s1"])
        for request in sweep.requests(writer, prompt, budgets, 0, replay=False)
    )
    generated = time.process_time()
    generations = [finished.get_nowait() for _ in range(finished.qsize())]
    table = grade_batch(generations, problems, runs, keys)
    graded = time.process_time()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        for first in range(0, table.num_rows, 256):
            store.append(table.slice(first, 256))
    stored = time.process_time()
    count, one = table.num_rows, generations[0]
    stand_in = alone(engine, one.prompt_ids, len(one.thinking_ids) + 1 + len(one.answer_ids), count)
    assert count == len(keys) and pc.all(table["correct"]).as_py()
    return {
        "methods": (generated - start) / count - stand_in,
        "grade and rows": (graded - generated) / count,
        "store": (stored - graded) / count,
        STAND_IN: stand_in,
    }


def overhead(rows: int = 600) -> None:
    """Print `cost`, once everything is imported."""
    cost(BUDGETS)
    parts = cost(rows)
    print(
        f"\noverhead, {rows:,} samples of {THINKING_TOKENS} thinking tokens: "
        + ", ".join(f"{name} {1000 * seconds:.3f} ms" for name, seconds in parts.items())
    )
    total = sum(seconds for name, seconds in parts.items() if name != STAND_IN)
    share = total / SECONDS_32B
    print(
        f"without {STAND_IN} {1000 * total:.3f} ms a sample (target {TARGET_MILLISECONDS} ms), {share:.2%} of the "
        f"{SECONDS_32B:.1f} s that a 32B model needs for one on one H100 (target {TARGET_SHARE:.0%})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="100000,1000000,10000000")
    parser.add_argument("--only", choices=("scale", "overhead"))
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(scale(arguments.one, Path(folder))))
        return
    if arguments.only != "overhead":
        print(f"{RUNS:,} runs\n\n| rows | write, rows/s | files | resume: seconds | rows/s | peak GiB |")
        print("|---:|---:|---:|---:|---:|---:|")
        for rows in map(int, arguments.rows.split(",")):
            call = [sys.executable, __file__, "--one", str(rows)]
            found = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
            count, write_rate, resume_rate = (
                found["rows"],
                found["rows"] / found["write"],
                found["rows"] / found["resume"],
            )
            print(
                f"| {count:,} | {write_rate:,.0f} | {found['files']} | {found['resume']:.1f} | {resume_rate:,.0f} | "
                f"{found['peak']:.2f} |",
                flush=True,
            )
    if arguments.only != "scale":
        overhead()


if __name__ == "__main__":
    main()
