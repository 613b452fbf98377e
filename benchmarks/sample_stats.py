"""Sample statistics against s1's way of counting them: tokenising every line, thought, answer and response again.

    python benchmarks/sample_stats.py [--peer compute_sample_stats.py] [--log samples.jsonl] [--tokenizer FOLDER]
    python benchmarks/sample_stats.py --logs 10 [--responses 30]

`--peer` runs s1's own script on the same log with the same tokenizer (its hard-coded name is answered with ours and its
debugger is passed over). Without it the same steps are restated here. The log is s1-32B's on AIME24 when it is here,
else a made-up one; the tokenizer is a byte-pair one of Qwen's kind, trained on the spot, when none is given.
`--logs N` compares whole commands on N made-up logs, each in one run: s1's steps in a process that loads the tokenizer
once, and `harness sample-stats`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import pdb
import random
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "samples" / "s1-32B_aime24_nofigures_samples.jsonl"
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
REPEATS = 5
TARGET = 20


def make_log(path: Path, seed: int = 0, responses: int = 30) -> Path:
    """Thirty responses of about 28,000 characters, five of which loop, as s1-32B's do."""
    rng = random.Random(seed)
    words = [
        f"{a}{b}"
        for a in ("so", "the", "we", "sum", "let", "then", "get")
        for b in ("", "s", "ing", " x", " 12", " = ")
    ]
    with path.open("w") as file:
        for i in range(responses):
            lines = [" ".join(rng.choices(words, k=rng.randint(2, 20))) + ".\n" * rng.randint(1, 2) for _ in range(350)]
            if i % 6 == 0:
                lines = lines[:40] * 25
            text = "<|im_start|>think\n" + "\n".join(lines) + "\n<|im_start|>answer\nAnswer: \\boxed{7}"
            arguments = {"gen_args_0": {"arg_0": "question " * 60, "arg_1": {}}}
            record = {"doc_id": i, "doc": {"id": i}, "target": "7", "arguments": arguments, "resps": [[text]]}
            file.write(json.dumps(record | {"filtered_resps": [text], "exact_match": 1}) + "\n")
    return path


def train_tokenizer(log: Path, folder: Path) -> str:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    cut = pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=12_000,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator([json.loads(line)["resps"][0][0] for line in log.open()], trainer)
    bpe.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return str(folder)


def step_by_step(log: Path, tokenizer: Any) -> dict[str, float]:
    """The work of s1's script, restated: five passes over every text, one call of the tokenizer for each piece."""

    def count(text: str) -> int:
        return len(tokenizer.tokenize(text))

    thoughts, answers, totals, steps, long = [], [], [], [], 0
    for line in log.open():
        record = json.loads(line)
        text = record["filtered_resps"][0]
        pieces = text.split("<|im_start|>answer")
        lines = pieces[0].split("\n")[1:-1]
        steps += [count(one) for one in lines]
        thoughts.append(count("\n".join(lines)))
        answers.append(count(pieces[-1].split("\n", 1)[-1]) if len(pieces) > 1 else 0)
        totals.append(count(text))
        long += count(record["arguments"]["gen_args_0"]["arg_0"] + text) > 32760
    n = len(thoughts)
    return {"thinking": sum(thoughts) / n, "answer": sum(answers) / n, "total": sum(totals) / n, "long": long}


def peer_run(script: Path, log: Path, tokenizer: Any) -> str:
    """What s1's script prints on `log`; its tokenizer's name and its debugger are replaced."""
    import transformers

    class Loader:
        @staticmethod
        def from_pretrained(name: str) -> Any:
            return tokenizer

    kept = transformers.AutoTokenizer, pdb.set_trace, sys.argv
    printed = io.StringIO()
    try:
        transformers.AutoTokenizer, pdb.set_trace = Loader, lambda **_: None
        sys.argv = [str(script), str(log)]
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        transformers.AutoTokenizer, pdb.set_trace, sys.argv = kept
    return printed.getvalue()


def best(work: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    """(processor seconds of this process and its threads, result): the least of a few runs, on a shared machine."""
    took = []
    for _ in range(repeats):
        started = time.process_time()
        result = work()
        took.append(time.process_time() - started)
    return min(took), result


THEIR_COMMAND = """
import sys
from pathlib import Path
from transformers import AutoTokenizer
sys.path.insert(0, sys.argv[1])
import sample_stats
tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
for log in sys.argv[3:]:
    print(sample_stats.step_by_step(Path(log), tokenizer))
"""


def as_command(*arguments: str, runs: int = 2) -> float:
    """Processor seconds of a Python process that does the whole of it, imports and loading included; the least."""
    took = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took)


def commands(logs: list[Path], tokenizer: str, runs: int = 2) -> str:
    """Both commands on the same logs, side by side."""
    names = [str(log) for log in logs]
    theirs = as_command("-c", THEIR_COMMAND, str(Path(__file__).parent), tokenizer, *names, runs=runs)
    counted = ("sample-stats", *names, "--tokenizer", tokenizer)
    ours, as_s1 = (as_command("-m", "harness", *counted, *more, runs=runs) for more in ((), ("--compat", "s1")))
    return (
        f"as a command on {len(logs)} log(s): theirs {theirs:.2f} s, ours {ours:.2f} s ({theirs / ours:.1f}x), as s1 "
        f"counts {as_s1:.2f} s ({theirs / as_s1:.1f}x)   (target {TARGET}x)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--peer", "--log", "--tokenizer"):
        parser.add_argument(flag, type=Path)
    parser.add_argument("--logs", type=int, default=0, help="whole commands alone, on this many made-up logs")
    parser.add_argument("--responses", type=int, default=30, help="of each of these logs")
    given = parser.parse_args()
    if given.logs:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            logs = [make_log(folder / f"samples_{k}.jsonl", k, given.responses) for k in range(given.logs)]
            print(commands(logs, str(given.tokenizer or train_tokenizer(logs[0], folder)), runs=1))
        return
    from transformers import AutoTokenizer

    from harness.analysis.logs.sample_stats import compute

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        log = given.log or (PUBLISHED if PUBLISHED.exists() else make_log(folder / "samples_made_up.jsonl"))
        name = str(given.tokenizer) if given.tokenizer else train_tokenizer(log, folder)
        tokenizer = AutoTokenizer.from_pretrained(name)
        rows = []
        restated, expected = best(lambda: step_by_step(log, tokenizer), 2)
        rows.append(("s1's steps, restated", restated))
        if given.peer:
            seconds, printed = best(lambda: peer_run(given.peer, log, tokenizer), 2)
            rows.append(("s1's script", seconds))
            print(printed.split("sorted total")[0], end="")
            print("\n".join(line for line in printed.splitlines() if line.startswith("avg total")))
        baseline = rows[-1][1]
        for label, compat in (("ours, as s1 counts", "s1"), ("ours, exact", None)):
            seconds, stats = best(partial(compute, [log], name, compat=compat))
            rows.append((label, seconds))
            if compat:
                file = stats.files[0]
                found = (
                    file.mean_thinking_tokens,
                    file.mean_answer_tokens,
                    file.mean_total_tokens,
                    file.num_too_many_tokens,
                )
                assert found == tuple(expected.values()), (found, expected)
        whole = commands([log], name)
    print(f"{log.name}; processor seconds, tokenizer loaded in ours and not in theirs")
    for label, seconds in rows:
        print(f"{label:24} {seconds:7.3f} s   {baseline / seconds:6.1f}x")
    print(whole)


if __name__ == "__main__":
    main()
