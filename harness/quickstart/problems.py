"""Synthetic reasoning problems with thinking traces in s1's format.

Three kinds mirror the three benchmarks: an integer below 1000 (AIME24), a short LaTeX answer (MATH500), a letter A-D
(GPQA Diamond). Each is a chain of labelled steps that has to be followed one by one:

    Start at 417. Steps: a+8 b+5 c-9 d+1 e-2. Where does it end?
    ->  Start 417. a+8=425 b+5=430 c-9=421 d+1=422
        So 422.
        Wait e-2=420
        So 420.

What is built in, on purpose, because it is what s1 describes in real traces:
- a chain needs about six thinking tokens per step, so a small budget cuts long chains off;
- the teacher states a result every `STAGE` steps, and often gives up at a stage although steps are left
  (`CONTINUE`): a model trained on it ends its thinking too early, and "Wait" is what its longer traces continue with;
- a part of the pool is damaged (`DAMAGED`): wrong figures, and a mark that s1's quality filter knows;
- most rows are short chains of one domain, as most of the 59K pool is NuminaMath.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from harness.grading.choices import format_choices
from harness.grading.verdict import Kind
from harness.records import Problem

STAGE = 4  # steps between two stated results
CONTINUE = (0.95, 0.25, 0.25, 0.25)  # chance that the teacher goes on after its 1st, 2nd, ... stage with steps left
DOUBLE_CHECK = 0.3  # chance of a closing "Wait, ok." on a finished chain
DAMAGED = 0.12
LABELS = "abcdefghijklmnop"
LETTERS = "ABCD"
# domain -> (kind, source, share of the pool, fewest steps, most steps)
DOMAINS: dict[str, tuple[Kind, str, float, int, int]] = {
    "Sums": ("integer", "quick-sums", 0.60, 1, 6),
    "Long sums": ("integer", "quick-olympiad", 0.10, 7, 16),
    "Fractions": ("math", "quick-fractions", 0.17, 1, 10),
    "Clocks": ("choice", "quick-clocks", 0.13, 2, 12),
}
# task -> (kind, fewest steps, most steps)
TASKS: dict[str, tuple[Kind, int, int]] = {
    "quick_aime": ("integer", 3, 14),
    "quick_math": ("math", 2, 12),
    "quick_gpqa": ("choice", 2, 12),
}


@dataclass(frozen=True)
class Chain:
    """A problem before it is put into words. `values[i]` is the value after `i` steps; `values[0]` is the start."""

    kind: Kind
    labels: str
    steps: tuple[int, ...]
    values: tuple[int, ...]
    denominator: int = 1  # math only
    options: tuple[int, ...] = ()  # choice only: what A, B, C and D stand for

    @property
    def question(self) -> str:
        """The problem's question, in words."""
        steps = " ".join(f"{label}{step:+d}" for label, step in zip(self.labels, self.steps, strict=True))
        start = self.values[0]
        if self.kind == "integer":
            return f"Start at {start}. Steps: {steps}. Where does it end?"
        if self.kind == "math":
            return f"The numerator is {start}, the denominator {self.denominator}. Steps: {steps}. Which fraction?"
        stem = f"A clock of ten hours shows {start}. Steps: {steps}. Which hour?"
        return format_choices(stem, [str(option) for option in self.options])

    @property
    def gold(self) -> str:
        r"""The gold answer; fractions in lowest terms, so that the grader has to see \frac{14}{7} = 2."""
        if self.kind == "math":
            value = Fraction(self.values[-1], self.denominator)
            whole = value.denominator == 1
            return str(value.numerator) if whole else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        return self.answer(self.values[-1])

    def answer(self, value: int) -> str:
        """The final answer as the traces state it, were `value` the last one."""
        if self.kind == "math":
            return f"\\frac{{{value}}}{{{self.denominator}}}"
        if self.kind == "choice":
            return LETTERS[self.options.index(value)] if value in self.options else "none"
        return str(value)

    def conclusion(self, value: int) -> str:
        """How a trace ends with `value`: a multiple choice question goes through its options one by one."""
        text = f"So {value}."
        for letter, option in zip(LETTERS, self.options, strict=False):
            text += f"\n{letter}) {option}"
            if option == value:
                return text + ", yes."
        return text + ", none." if self.options else text

    def step(self, index: int) -> str:
        """The `index`-th step of a trace, worked out."""
        return f" {self.labels[index]}{self.steps[index]:+d}={self.values[index + 1]}"


def draw_chain(rng: random.Random, kind: Kind, num_steps: int, first_label: int = 0) -> Chain:
    """A chain of `num_steps` steps of 1..9 up or down that stays in the kind's range (100-999, 10-99, modulo 10)."""
    low, high = {"integer": (100, 999), "math": (10, 99), "choice": (0, 9)}[kind]
    values, steps = [rng.randint(low, high)], []
    for _ in range(num_steps):
        step = rng.choice((1, -1)) * rng.randint(1, 9)
        if kind == "choice":
            values.append((values[-1] + step) % 10)
        else:
            if not low <= values[-1] + step <= high:
                step = -step
            values.append(values[-1] + step)
        steps.append(step)
    options: tuple[int, ...] = ()
    if kind == "choice":
        wrong = rng.sample([value for value in range(10) if value != values[-1]], 3)
        options = tuple(rng.sample([values[-1], *wrong], 4))
    labels = LABELS[first_label : first_label + num_steps]
    denominator = rng.randint(3, 9) if kind == "math" else 1
    return Chain(kind, labels, tuple(steps), tuple(values), denominator, options)


def trace(chain: Chain, rng: random.Random) -> tuple[str, int]:
    """A teacher's thinking trace, and the value it ends with: the right one, or an early one where it gave up."""
    text, done = f"Start {chain.values[0]}.", 0
    num_steps = len(chain.steps)
    for stage in range(num_steps):
        for index in range(done, min(done + STAGE, num_steps)):
            text += chain.step(index)
        done = min(done + STAGE, num_steps)
        if done == num_steps or rng.random() >= CONTINUE[min(stage, len(CONTINUE) - 1)]:
            break
        text += f"\nSo {chain.values[done]}.\nWait"
    text += f"\n{chain.conclusion(chain.values[done])}"
    if done == num_steps and rng.random() < DOUBLE_CHECK:
        text += f"\nWait, ok.\n{chain.conclusion(chain.values[done])}"
    return text, chain.values[done]


def damage(text: str, rng: random.Random) -> str:
    """`text` with a third of its digits replaced and the mark of a missing figure, as scraped traces have them."""
    digits = [rng.choice("0123456789") if char.isdigit() and rng.random() < 0.33 else char for char in text]
    return "".join(digits) + "\n![figure](image.png)"


def pool_rows(seed: int, size: int) -> Iterator[dict[str, object]]:
    """`size` rows in the pool schema of `harness.data.load`, the same for the same seed on every machine."""
    rng = random.Random(f"quickstart pool {seed}")
    names = list(DOMAINS)
    for index in range(size):
        domain = rng.choices(names, [DOMAINS[name][2] for name in names])[0]
        kind, source, _, fewest, most = DOMAINS[domain]
        chain = draw_chain(rng, kind, rng.randint(fewest, most))
        thinking, value = trace(chain, rng)
        if rng.random() < DAMAGED:
            thinking = damage(thinking, rng)
        yield {
            "id": f"quick-{seed}-{index:05d}",
            "question": chain.question,
            "solution": "",
            "answer": chain.gold,
            "source": source,
            "domain": domain,
            "thinking": thinking,
            "attempt": f"Final Answer: {chain.answer(value)}",
            "metadata": {"kind": kind, "num_steps": len(chain.steps), "complete": value == chain.values[-1]},
        }


def task_problems(task: str, seed: int, size: int) -> list[Problem]:
    """`size` evaluation problems of `task`, none of them a pool row of any seed's first question (drawn apart)."""
    kind, fewest, most = TASKS[task]
    rng = random.Random(f"quickstart {task} {seed}")
    problems = []
    for index in range(size):
        chain = draw_chain(rng, kind, fewest + index % (most - fewest + 1))
        choices = tuple(str(option) for option in chain.options)
        problems.append(
            Problem(
                id=f"{task}-{seed}-{index:04d}",
                task=task,
                question=chain.question,
                gold=chain.gold,
                kind=kind,
                choices=choices,
                metadata={"num_steps": len(chain.steps)},
            )
        )
    return problems
