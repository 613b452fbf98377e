"""What budget forcing costs, as ratios to the ideal side by side in one run, on real vLLM.

    python benchmarks/budget_forcing.py [--requests 64] [--repeats 3] [--kv full,60]

The ideal is plain, unforced generation of the same number of tokens per request in the same engine. Beside it: our
sessions, s1's synchronised rounds (written anew here from their description: every sample waits for the slowest of each
round, answers start after all thoughts, each round submits the whole trace again), and a sweep of 5 budgets x 4 ignores
against its longest cell and against its 20 runs. Greedy, float32, a random Qwen2 of 2.5M parameters whose chaotic
greedy walk ends its thoughts at geometrically distributed, so skewed, lengths. Every ratio is the median of paired
repeats, an ideal directly before each.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from counting_scheduler import VARIABLE, CountingScheduler  # noqa: E402

from harness.config import Budget, EngineConfig, Sampling  # noqa: E402
from harness.generation.budget import Machine  # noqa: E402
from harness.generation.engines.vllm import VllmEngine  # noqa: E402
from harness.generation.rules import Vocabulary  # noqa: E402
from harness.generation.samples import Prompt, SampleWriter  # noqa: E402
from harness.generation.sweep import generate  # noqa: E402
from harness.records import Generation  # noqa: E402
from harness.thinking import FORMATS  # noqa: E402
from tests.tiny import make_model  # noqa: E402

CONTEXT, BLOCK, ANSWER = 2048, 32, 48  # blocks of 32 are the CPU's: a GPU's are of 16, and a cut cache is cut more
THINKING = FORMATS["s1"]
SAMPLING = Sampling(max_answer_tokens=ANSWER)
SWEEP = [Budget(b, n) for b in (64, 128, 256, 512, 1024) for n in (0, 1, 2, 4)]
Ids = dict[Any, tuple[Any, ...]]


@dataclass
class Cost:
    """Wall seconds and exact counts of one run, and what it produced."""

    seconds: float
    tokens: int  # computed in forward passes, recomputed ones included
    steps: int
    preemptions: int
    sampled: int
    output: Ids


class Bench:
    """One engine and its step log."""

    def __init__(self, model: Path, log: Path, requests: int, config: EngineConfig) -> None:
        self.log = log
        os.environ[VARIABLE] = str(log)
        self.engine = VllmEngine(config, str(model), log.with_suffix(".vllm"), scheduler_cls=CountingScheduler)
        vocabulary = Vocabulary(self.engine.tokenizer)
        questions = [f"Problem {i}: what is {37 * i + 11} times {i + 3}?" for i in range(requests)]
        texts = [f"<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n" for q in questions]
        self.prompts = [Prompt(str(i), text, vocabulary.encode(text)) for i, text in enumerate(texts)]

    def measure(self, run: Callable[[], Ids]) -> Cost:
        """`run` from an empty prefix cache."""
        self.engine._wait(self.engine._llm.reset_prefix_cache())
        self.log.write_text("")
        sampled, start = self.engine.counters.sampled_tokens, time.perf_counter()
        output = run()
        seconds = time.perf_counter() - start
        steps = [tuple(map(int, line.split())) for line in self.log.read_text().splitlines()]
        return Cost(
            seconds,
            sum(s[0] for s in steps),
            len(steps),
            sum(s[2] for s in steps),
            self.engine.counters.sampled_tokens - sampled,
            output,
        )

    def ours(self, budgets: Sequence[Budget], replay: bool = True) -> Ids:
        rows: list[Generation] = []
        generate(self.engine, self.prompts, budgets, SAMPLING, THINKING, on_generation=rows.append, replay=replay)
        assert not any(row.error for row in rows), next(row.error for row in rows if row.error)
        return {
            (row.problem_id, row.budget): (row.thinking_ids, row.closing_ids, row.answer_ids, row.thinking_finish)
            for row in rows
        }

    def ideal(self, output: Ids) -> Ids:
        """As many tokens for each request, unforced: one plain request with nothing to stop it."""

        lengths = {problem: sum(map(len, ids[:3])) for (problem, _), ids in output.items()}
        start = Vocabulary(self.engine.tokenizer).encode(THINKING.thinking_start)
        plain_generation(self.engine, [(prompt.ids + start, lengths[prompt.problem_id]) for prompt in self.prompts])
        return output

    def synchronised(self, budget: Budget) -> Ids:
        """s1's rounds, with the budget counted as ours so that the outputs can be compared."""
        writer = SampleWriter(self.engine, SAMPLING, THINKING, lambda row: None)
        machines = []
        for prompt in map(writer.open, self.prompts):
            caps = (writer.tokens(budget, prompt),) * (budget.num_ignores + 1)
            machines.append((prompt, Machine(writer.rules(budget, prompt, caps))))

        async def one(prompt: Prompt, machine: Machine) -> None:
            turn = machine.turn()
            assert turn is not None
            params = plain(turn.max_tokens, tuple(sorted(turn.stop_ids)), turn.min_tokens)
            ids = [*prompt.ids, *machine.ids]
            name = f"round-{prompt.problem_id}-{time.monotonic_ns()}"
            async for output in self.engine._llm.generate(as_prompt(ids), params, name):
                self.engine.counters.sampled_tokens += len(output.outputs[0].token_ids)
                machine.feed(output.outputs[0].token_ids)

        async def everything() -> None:
            while waiting := [pair for pair in machines if pair[1].phase == "think"]:
                await asyncio.gather(*(one(*pair) for pair in waiting))
            while waiting := [pair for pair in machines if pair[1].phase == "answer"]:
                await asyncio.gather(*(one(*pair) for pair in waiting))

        self.engine._wait(everything())
        return {
            (prompt.problem_id, budget): (tuple(m.thinking), m.closing, tuple(m.answer), m.thinking_finish)
            for prompt, m in machines
        }


def plain_generation(engine: VllmEngine, requests: Sequence[tuple[Sequence[int], int]]) -> None:
    """For each prompt that many tokens, with nothing to stop or force them: the ideal."""

    async def one(index: int, ids: Sequence[int], length: int) -> None:
        name = f"ideal-{index}-{time.monotonic_ns()}"
        async for _ in engine._llm.generate(as_prompt(list(ids)), plain(length, stop=()), name):
            pass

    async def everything() -> None:
        await asyncio.gather(*(one(index, *request) for index, request in enumerate(requests)))

    engine._wait(everything())


def as_prompt(ids: list[int]) -> Any:
    return {"type": "token", "prompt_token_ids": ids}


def plain(max_tokens: int, stop: tuple[int, ...], min_tokens: int = 0) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=0.0,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        stop_token_ids=list(stop),
        ignore_eos=True,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )


def need_in_blocks(output: Ids, prompt_tokens: int) -> int:
    """The most KV blocks the ideal run holds at one time: all requests begin together and leave as they finish."""
    lengths = sorted(sum(map(len, ids[:3])) for ids in output.values())
    blocks = (
        sum(math.ceil((prompt_tokens + step) / BLOCK) for length in lengths if length >= step)
        for step in range(1, lengths[-1] + 1, BLOCK)
    )
    return max(blocks)


def different(left: Ids, right: Ids) -> int:
    return sum(left[key] != right[key] for key in left.keys() & right.keys()) + len(left.keys() ^ right.keys())


def median(costs: Sequence[Cost], others: Sequence[Cost], what: str) -> float:
    """The median over paired repeats of the ratio of `what`: steps, too, vary with how soon the host answers."""
    return float(statistics.median(getattr(c, what) / getattr(o, what) for c, o in zip(costs, others, strict=True)))


def line(name: str, ratios: Sequence[tuple[str, float | str]]) -> None:
    text = "  ".join(f"{key} {value if isinstance(value, str) else format(value, '.2f')}" for key, value in ratios)
    print(f"  {name:34s}{text}", flush=True)


def compare(bench: Bench, repeats: int) -> Ids:
    """The three comparisons on one engine; returns the outputs of the longest cell."""
    longest: Ids = {}
    for num_ignores in (1, 4):
        budget = Budget(512, num_ignores)
        output = bench.ours([budget])  # warm, and how long the ideal's requests are
        ours, ideal, rounds = [], [], []
        for _ in range(repeats):
            ideal.append(bench.measure(lambda: bench.ideal(output)))  # noqa: B023
            ours.append(bench.measure(lambda: bench.ours([budget])))  # noqa: B023
            rounds.append(bench.measure(lambda: bench.synchronised(budget)))  # noqa: B023
        longest = ours[-1].output
        print(f" budget 512, {num_ignores} ignores: {ideal[-1].tokens:,} tokens, {ideal[-1].steps:,} steps")
        for name, costs in (("sessions", ours), ("s1's synchronised rounds", rounds)):
            line(
                name,
                [
                    ("forward tokens", median(costs, ideal, "tokens")),
                    ("steps", median(costs, ideal, "steps")),
                    ("wall", median(costs, ideal, "seconds")),
                    ("preemptions", str(costs[-1].preemptions)),
                    ("different outputs", str(sum(different(cost.output, longest) for cost in costs))),
                ],
            )
    budget = SWEEP[-1]
    sweeps, cells = [], []
    for _ in range(repeats):
        cells.append(bench.measure(lambda: bench.ours([budget])))
        sweeps.append(bench.measure(lambda: bench.ours(SWEEP)))
    apart = bench.measure(lambda: bench.ours(SWEEP, replay=False))
    print(" sweep of 5 budgets x 4 ignores")
    line(
        "against its longest cell",
        [
            ("wall", median(sweeps, cells, "seconds")),
            ("steps", median(sweeps, cells, "steps")),
            ("forward tokens", median(sweeps, cells, "tokens")),
        ],
    )
    line(
        "20 runs against the sweep",
        [
            ("generated tokens", apart.sampled / sweeps[-1].sampled),
            ("forward tokens", apart.tokens / sweeps[-1].tokens),
            ("wall", apart.seconds / sweeps[-1].seconds),
            ("different outputs", f"{different(apart.output, sweeps[-1].output)} of {len(apart.output)}"),
        ],
    )
    return longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", type=Path, help="instead of a random one of 2.5M parameters")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--kv", default="full,60", help="KV cache: full, and per cent of need")
    arguments = parser.parse_args()
    config = EngineConfig(
        max_model_len=CONTEXT,
        max_num_seqs=256,
        dtype=arguments.dtype,
        num_gpus=arguments.gpus,
        gpu_memory_utilization=0.5,
    )
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or make_model(Path(folder) / "model", hidden=192, layers=4, padded=0)
        longest: Ids = {}
        for setting in arguments.kv.split(","):
            blocks = None
            if setting != "full":
                blocks = max(CONTEXT // BLOCK + 1, need_in_blocks(longest, 80) * int(setting) // 100)
            print(f"KV cache: {'ample' if blocks is None else f'{setting}% of need, {blocks} blocks'}", flush=True)
            here = replace(config, num_gpu_blocks_override=blocks)
            bench = Bench(model, Path(folder) / f"steps-{setting}", arguments.requests, here)
            longest = compare(bench, arguments.repeats)
            bench.engine.close()


if __name__ == "__main__":
    main()
