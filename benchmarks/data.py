"""A 59,029-row pool selected, decontaminated and formatted: seconds and memory of each step, beside s1's way.

    python benchmarks/data.py --data-dir DIR [--rows 59029] [--row-kb 150] [--work DIR]

The pool is made up: Table 7's sources and row counts, real traces (DIR/sft_pool, not part of the repository) repeated
to the paper's mean length (3.6K tokens), so texts tokenise and match as real ones do. Every step runs in a process of
its own; memory is that process's peak resident size, the memory-mapped pool included, and of that what is the process's
own (sampled five times a second), which no page of a file is and the system cannot take back. CPU seconds are all
threads together: what to compare on a machine that does other work too.

"s1's way" is what its notebook and scripts do, written anew: draws by numpy over Python lists, a look-up of the whole
pool's 8-grams (of lower-cased words split at white space, joined again), text by `datasets.map` with the tokenizer
called a row at a time. s1's 8-gram rule is also timed as quick as it can be made: sets of tuples, row by row.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import Empty
from typing import Any

from harness.data import decontaminate, selection
from harness.data import load as pool
from harness.data.domains import MSC
from harness.data.sources import SOURCES

Step = Callable[[Path, Path], str]
CHARACTERS = 12_600  # 3.6K tokens of mathematics
SIZE = 1000
BLOCK_SIZE = 32768
TASKS = ("math500", "aime24_nofigures")


def made_up_pool(data_dir: Path, count: int, kilobytes: int = 0) -> Iterator[dict[str, Any]]:
    """`count` rows of Table 7's sources. A third of the questions stays as it is, the rest gets new numbers.

    `kilobytes` of a row on average: test cases in its metadata, as the published pool has them, some short, some long.
    """
    rng = random.Random(0)
    real = pool.load("sft_pool", data_dir).to_list()
    names = list(SOURCES)
    weights = [SOURCES[name].table7[0] for name in names]
    for index in range(count):
        one = real[index % len(real)]
        trace = one["thinking"]
        while len(trace) < CHARACTERS * rng.uniform(0.3, 1.7):
            trace += "\nWait\n" + real[rng.randrange(len(real))]["thinking"]
        question = one["question"]
        if index % 3:
            question = "".join(rng.choice("23456789") if c in "23456789" else c for c in question)
        hard = rng.random() < 0.475
        domain = rng.choice(list(MSC.values()))
        cases = int(rng.expovariate(1 / max(1, kilobytes * 1000 - CHARACTERS))) if kilobytes else 0
        yield {
            **one,
            "id": f"r{index:05d}",
            "question": question,
            "thinking": trace,
            "domain": domain,
            "source": rng.choices(names, weights)[0],
            "thinking_tokens": len(trace) // 3,
            "reference_correct": [False, not hard],
            "benchmark_like": hard and rng.random() < 0.016,
            "metadata": json.dumps({"test_cases": f"{index} {rng.random()}\n" * (cases // 24)}),
        }


def problems(data_dir: Path) -> list[Any]:
    from harness import tasks

    return [problem for name in TASKS for problem in tasks.load(name, data_dir)]


def make_tokenizer(folder: Path, data_dir: Path) -> None:
    """A byte-level BPE of 16,000 entries trained on the traces, with Qwen's special tokens and chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=16000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(pool.load("sft_pool", data_dir)["thinking"][:], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=special[2], pad_token=special[0])
    fast.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    fast.save_pretrained(folder)


# -- ours


def load(work: Path, data_dir: Path) -> str:
    rows = pool.load(str(work / "pool.jsonl"))
    return f"{len(rows):,} rows"


def select(name: str) -> Step:
    def step(work: Path, data_dir: Path) -> str:
        rows = pool.load(str(work / "pool.jsonl"))
        chosen = selection.select(rows, name, None if name == "full" else SIZE)
        return ", ".join(f"{count:,} {stage}" for stage, count in chosen.manifest["stages"].items())

    return step


def clean(work: Path, data_dir: Path) -> str:
    rows = pool.load(str(work / "pool.jsonl"))
    drop, _ = decontaminate.decontaminate(rows.select_columns(["id", "question", "source"]), problems(data_dir))
    return f"{len(drop):,} rows match"


def format_all(work: Path, data_dir: Path) -> str:
    from harness.cli import data_steps as steps
    from harness.config import Chat

    rows = pool.load(str(work / "pool.jsonl"))
    found = steps.formatted(rows, str(work / "tokenizer"), "s1", Chat(), "plain", BLOCK_SIZE, work / "text.parquet")
    return f"{found.tokens:,} tokens, {found.cut:,} rows cut"


# -- s1's way


def their_select(work: Path, data_dir: Path) -> str:
    import numpy

    rows = pool.load(str(work / "pool.jsonl"))
    table = rows.select_columns(["id", "domain", "thinking_tokens", "reference_correct", "benchmark_like"]).to_list()
    numbered = [f"p{number}." for number in range(1, 1000)]  # its rule on left-over numbering, by substrings
    for one, question in zip(table, rows["question"], strict=True):
        one["bad"] = "[asy]" in question or "![Image]" in question or any(mark in question for mark in numbered)
    hard = [one for one in table if not one["bad"] and not any(one["reference_correct"])]
    chosen = [one for one in hard if one["benchmark_like"]][:SIZE]
    taken = {one["id"] for one in chosen}
    domains = sorted({one["domain"] for one in hard})
    while len(chosen) < SIZE:
        domain = numpy.random.choice(domains)
        left = [one for one in hard if one["domain"] == domain and one["id"] not in taken]
        if not left:
            domains.remove(domain)
            continue
        left.sort(key=lambda one: -one["thinking_tokens"])
        weights = numpy.power(2.0, -numpy.arange(len(left)))
        one = left[numpy.random.choice(len(left), p=weights / weights.sum())]
        chosen.append(one)
        taken.add(one["id"])
    return f"{len(chosen):,} selected"


def their_clean(work: Path, data_dir: Path) -> str:
    rows = pool.load(str(work / "pool.jsonl"))

    def looked_up(questions: Any) -> dict[str, set[int]]:
        table: dict[str, set[int]] = defaultdict(set)
        for number, question in enumerate(questions):
            words = question.lower().split()
            for start in range(len(words) - 7):
                table[" ".join(words[start : start + 8])].add(number)
        return table

    ours = looked_up(rows["question"])
    theirs = looked_up(problem.question for problem in problems(data_dir))
    return f"{len(set().union(*(ours[run] for run in theirs if run in ours))):,} rows match"


def their_quick_clean(work: Path, data_dir: Path) -> str:
    rows = pool.load(str(work / "pool.jsonl"))

    def ngrams(text: str) -> set[tuple[str, ...]]:
        words = text.lower().split()
        return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}

    known = set().union(*(ngrams(problem.question) for problem in problems(data_dir)))
    return f"{sum(not known.isdisjoint(ngrams(question)) for question in rows['question']):,} rows match"


def their_format(work: Path, data_dir: Path) -> str:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(work / "tokenizer")
    rows = pool.load(str(work / "pool.jsonl"))

    def text_of(row: dict[str, Any]) -> dict[str, Any]:
        answer = f"<|im_start|>think\n{row['thinking']}\n<|im_start|>answer\n{row['attempt']}"
        turns = [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": answer}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        return {"input_ids": tokenizer(text, truncation=True, max_length=BLOCK_SIZE)["input_ids"]}

    done = rows.map(text_of, remove_columns=rows.column_names, cache_file_name=str(work / "theirs.arrow"))
    return f"{len(done):,} rows"


STEPS: dict[str, tuple[Step, Step | None]] = {
    "load (JSONL to memory-mapped Arrow)": (load, None),
    "select s1k": (select("s1k"), their_select),
    "select random": (select("random"), None),
    "select diverse": (select("diverse"), None),
    "select longest": (select("longest"), None),
    "decontaminate": (clean, their_clean),
    "decontaminate, s1's rule at its quickest": (clean, their_quick_clean),
    "format": (format_all, their_format),
}


@dataclass(frozen=True)
class Measured:
    """One step in a process of its own."""

    seconds: float
    cpu_seconds: float
    peak_gib: float
    outcome: str
    own_gib: float = 0.0  # the most of it that was no file's page

    def cells(self) -> str:
        return f"{self.seconds:.1f} | {self.cpu_seconds:.1f} | {self.peak_gib:.2f} ({self.own_gib:.2f})"


def own_gib(pid: int | None) -> float:
    """Resident memory of a process that is no file's page; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    kilobytes = next((line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")), "0")
    return int(kilobytes) / 2**20


def measured(step: Step, work: Path, data_dir: Path) -> Measured:
    """Run `step` in a fork. Raises RuntimeError when it fails."""
    queue: Any = multiprocessing.Queue()

    def run() -> None:
        start = time.perf_counter()
        outcome = step(work, data_dir)
        used = resource.getrusage(resource.RUSAGE_SELF)
        queue.put(Measured(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, outcome))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    most = 0.0
    while True:
        most = max(most, own_gib(process.pid))
        try:
            found: Measured = queue.get(timeout=0.2)
            break
        except Empty:
            if not process.is_alive():
                raise RuntimeError(f"{step.__name__} ended with {process.exitcode}") from None
    process.join()
    return replace(found, own_gib=most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--rows", type=int, default=59029)
    parser.add_argument("--row-kb", type=int, default=0, help="of a row, test cases included; the published pool: 150")
    parser.add_argument("--work", type=Path, help="keep the made-up pool here for the next run")
    parser.add_argument("--step", action="append", help="only these steps")
    parser.add_argument("--ours-only", action="store_true", help="do not time s1's way")
    arguments = parser.parse_args()
    if not (arguments.data_dir / "sft_pool").is_dir():
        print(f"SKIPPED: no sft_pool below {arguments.data_dir}; its real traces make the pool. Give --data-dir.")
        return
    work = arguments.work or Path(tempfile.mkdtemp(prefix="s1-data-"))
    work.mkdir(parents=True, exist_ok=True)
    os.environ["HF_HOME"] = str(work / "cache")
    import datasets

    datasets.config.HF_DATASETS_CACHE = work / "cache"
    datasets.disable_progress_bars()
    if not (work / "pool.jsonl").exists():
        pool.save(made_up_pool(arguments.data_dir, arguments.rows, arguments.row_kb), work / "pool.jsonl")
        make_tokenizer(work / "tokenizer", arguments.data_dir)
    print(f"pool: {arguments.rows:,} rows, {(work / 'pool.jsonl').stat().st_size / 2**30:.2f} GiB of JSONL\n")
    print("| step | seconds | CPU | peak GiB (own) | s1's way: seconds | CPU | GiB | ours / theirs | outcome |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---|")
    records = []
    for name, (ours, theirs) in STEPS.items():
        if arguments.step and name not in arguments.step:
            continue
        mine = measured(ours, work, arguments.data_dir)
        other = measured(theirs, work, arguments.data_dir) if theirs and not arguments.ours_only else None
        beside = f"{other.cells()} | {mine.cpu_seconds / other.cpu_seconds:.2f}" if other else " | | | "
        print(f"| {name} | {mine.cells()} | {beside} | {mine.outcome} |", flush=True)
        records.append({"step": name, "ours": asdict(mine), "theirs": asdict(other) if other else None})
    print("\n" + json.dumps(records))


if __name__ == "__main__":
    main()
