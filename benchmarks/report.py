"""A leaderboard of a million generations: time and memory, text never loaded for the figures.

    python benchmarks/report.py [--rows 1000000]

5 tasks of up to 500 problems, 4 recipes, 25 settings, 2 seeds: 1,000 runs, whose problems and samples make the rows;
each generation has a text of about 2 kB. The report runs in a process of its own. Up to 2 million rows are also read
whole with pandas, which is what a report without column scans would start with.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.records import RUN_SCHEMA, SAMPLE_SCHEMA

RECIPES = {"base": 0.3, "random": 0.5, "full": 0.6, "s1k": 0.62}
TASKS, PROBLEMS, SEEDS, ROWS_A_FILE = 5, 500, 2, 20_000
MOST_READ_WHOLE = 2_000_000
SETTINGS = [(int(2**k), 0) for k in np.linspace(8, 14, 20)] + [(None, n) for n in (0, 1, 2, 4, 6)]
TARGET_SECONDS, TARGET_GIB = 45, 0.8  # at 1,000,000 rows


def write_rows(out: Path, num_rows: int) -> int:
    """Write about `num_rows` rows as a study; returns how many."""
    rng = np.random.default_rng(0)
    (out / "samples").mkdir(parents=True)
    num_runs = TASKS * len(RECIPES) * len(SETTINGS) * SEEDS
    problems = min(PROBLEMS, round(num_rows / num_runs))
    samples = max(1, round(num_rows / num_runs / problems))
    texts = pa.array([f"step {i}: so we have {i} and then. " * 60 for i in range(500)])
    problem = np.repeat(np.arange(problems), samples)
    ids = pa.array([f"p{p}" for p in range(problems)]).take(pa.array(problem))
    places = pa.array(np.tile(np.arange(samples), problems))
    statuses, answers = pa.array(["incorrect", "correct"]), pa.array([str(x) for x in range(5)])
    difficulty = rng.random((TASKS, problems))
    tables, runs = [], []
    for index, (task, recipe, (limit, ignores), seed) in enumerate(
        product(range(TASKS), RECIPES, SETTINGS, range(SEEDS))
    ):
        n = len(problem)
        hard = difficulty[task][problem]
        tokens = np.minimum(200 + 8000 * hard + 300 * ignores, limit or 32_000)
        right = rng.random(n) < RECIPES[recipe] + 0.08 * np.log2(tokens / 2000) - 0.5 * (hard - 0.5)
        shared = {
            "run_id": f"run{index}",
            "study": "million",
            "model": "m",
            "recipe": recipe,
            "task": f"task{task}",
            "method": "budget_forcing",
            "max_thinking_tokens": limit,
            "num_ignores": ignores,
            "ignore_str": "Wait",
            "seed": seed,
            "kind": "math",
            "budget_tokens": limit or 32_000,
            "closing_tokens": 3,
            "answer_tokens": 400,
            "discarded_tokens": 0,
            "num_attempts": 1,
            "num_rounds": 1 + ignores,
            "looping": False,
        }
        columns = {
            "problem_id": ids,
            "sample_index": places,
            "correct": pa.array(right),
            # Its 2 kB are in memory once, and in the file as dictionaries, as they are of texts written out.
            "thinking": pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, 500, n), pa.int32()), texts),
            "thinking_tokens": pa.array(tokens.astype(np.int64)),
            "status": statuses.take(pa.array(right.astype(int))),
            "forced_end": pa.array(tokens == limit),
            "extracted": answers.take(pa.array(np.where(right, 0, rng.integers(1, 5, n)))),
        } | {name: pa.repeat(pa.scalar(value, SAMPLE_SCHEMA.field(name).type), n) for name, value in shared.items()}
        found = {f.name: columns.get(f.name, pa.nulls(n, f.type)) for f in SAMPLE_SCHEMA}
        tables.append(
            pa.table({k: v if k == "thinking" else v.cast(SAMPLE_SCHEMA.field(k).type) for k, v in found.items()})
        )
        more = {
            "num_problems": problems,
            "num_samples": samples,
            "status": "done",
            "commit": "",
            "engine": "none",
            "config": json.dumps({"headline": {"max_thinking_tokens": "auto", "num_ignores": 0}}),
        }
        runs.append(dict.fromkeys(RUN_SCHEMA.names) | {k: v for k, v in shared.items() if k in RUN_SCHEMA.names} | more)
        if len(tables) * n >= ROWS_A_FILE or index == num_runs - 1:
            path = out / "samples" / f"{index:05}.parquet"
            with pq.ParquetWriter(path, tables[0].schema, compression="zstd", store_schema=False) as file:
                file.write_table(pa.concat_tables(tables), row_group_size=4_000)
                file.add_key_value_metadata(SAMPLE_SCHEMA.metadata)
            tables = []
    pq.write_table(pa.Table.from_pylist(runs, schema=RUN_SCHEMA), out / "runs.parquet")
    return len(runs) * problems * samples


def timed(code: str, *arguments: str) -> tuple[float, float, float]:
    """(wall seconds, processor seconds, peak GiB) of a Python process that runs `code`."""
    started = time.perf_counter()
    # Not getrusage's maximum: at its start a process takes over its parent's, and this one has written the rows.
    peak_kib = "next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]"
    report = f"import resource as r; u = r.getrusage(r.RUSAGE_SELF); print(u.ru_utime + u.ru_stime, {peak_kib})"
    command = [sys.executable, "-c", f"{code}\n{report}", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    processor, peak = done.stdout.split()[-2:]
    return time.perf_counter() - started, float(processor), int(peak) / 2**20


REPORT = (
    "import sys; from pathlib import Path; from harness.report import leaderboard\n"
    "leaderboard.write([Path(sys.argv[1])], Path(sys.argv[2]))"
)
WHOLE = "import sys, pandas; pandas.read_parquet(sys.argv[1])"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    if rows < 2_000:
        parser.error("--rows: 1,000 runs of two problems make 2,000 rows; give as many or more")
    with tempfile.TemporaryDirectory() as folder:
        study, out = Path(folder) / "study", Path(folder) / "out"
        written = write_rows(study, rows)
        wall, processor, gib = timed(REPORT, str(study), str(out))
        page = (out / "leaderboard.html").stat().st_size / 2**20
        whole = timed(WHOLE, str(study / "samples")) if written <= MOST_READ_WHOLE else None
    print(
        f"leaderboard of {written:,} generations: {wall:.1f} s ({processor:.1f} s of processor), peak {gib:.2f} GiB, "
        f"page {page:.1f} MiB"
    )
    if whole is not None:
        seconds, processor_whole, gib_whole = whole
        print(
            f"the same rows read whole with pandas: {seconds:.1f} s ({processor_whole:.1f} s of processor), peak "
            f"{gib_whole:.2f} GiB; ratio to that: time {wall / seconds:.2f}x, processor "
            f"{processor / processor_whole:.2f}x, memory {gib / gib_whole:.2f}x"
        )
    print(
        f"of the target at a million rows: {wall / TARGET_SECONDS:.2f} of {TARGET_SECONDS} s, "
        f"{gib / TARGET_GIB:.2f} of {TARGET_GIB} GiB"
    )


if __name__ == "__main__":
    main()
