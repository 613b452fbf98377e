"""Options of a multiple choice question: their order, their prompt, and what position does to the score.

The order is a function of (problem id, seed) and of nothing else: option texts are sorted by
sha256("{seed}|{problem id}|{text}"), so every machine and every run sits the same exam (s1's task shuffled without a
seed). Ties, that is equal texts, keep their given order.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import UserError, unknown

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# How a question and its options are written. `{question}`, then one `option` a line, then `tail`.
PRESETS: dict[str, dict[str, str]] = {
    # s1's eval: the OpenAI simple-evals layout without its instruction.
    "s1": {"head": "{question}\n\n", "option": "{letter}) {text}", "tail": ""},
    # openai/simple-evals: the instruction comes first and asks for one line "Answer: $LETTER".
    "simple-evals": {
        "head": "Answer the following multiple choice question. The last line of your response should be of the "
        "following format: 'Answer: $LETTER' (without quotes) where LETTER is one of {letters}. Think step by step "
        "before answering.\n\n{question}\n\n",
        "option": "{letter}) {text}",
        "tail": "",
    },
    # lm-eval's gpqa tasks.
    "lm-eval": {
        "head": "What is the correct answer to this question:{question}\nChoices:\n",
        "option": "({letter}) {text}",
        "tail": "\nAnswer:",
    },
}


def shuffled_choices(
    problem_id: str, correct: str, incorrect: Sequence[str], seed: int = 0
) -> tuple[tuple[str, ...], str]:
    """(options in the order shown, letter of the correct one) of the exam `seed`."""
    if not problem_id:
        raise UserError("a multiple choice question needs an id: its option order is derived from it")
    if len(incorrect) + 1 > len(LETTERS):
        raise UserError(f"{problem_id}: {len(incorrect) + 1} options, at most {len(LETTERS)} have a letter")
    options = (correct, *incorrect)
    keys = [hashlib.sha256(f"{seed}|{problem_id}|{text}".encode("utf-8", "surrogatepass")).digest() for text in options]
    order = sorted(range(len(options)), key=lambda k: (keys[k], k))
    return tuple(options[k] for k in order), LETTERS[order.index(0)]


def format_choices(question: str, options: Sequence[str], preset: str = "s1") -> str:
    """The prompt text of a question with its options, e.g. `{Q}\\n\\nA) ...\\nB) ...` for s1."""
    if preset not in PRESETS:
        raise unknown("prompt preset", preset, PRESETS)
    layout = PRESETS[preset]
    letters = LETTERS[: len(options)]
    lines = [layout["option"].format(letter=a, text=text) for a, text in zip(letters, options, strict=True)]
    head = layout["head"].replace("{letters}", letters).replace("{question}", question)
    return head + "\n".join(lines) + layout["tail"]


@dataclass(frozen=True)
class Position:
    """One letter: how often it was right, how often it was chosen, and the accuracy where it was right."""

    letter: str
    num_gold: int
    num_chosen: int
    accuracy: float  # NaN where it never was the gold


@dataclass(frozen=True)
class PositionBias:
    """Choices against golds by position. `p_value`: chi-square, that the chosen letters follow the golds' shares."""

    positions: tuple[Position, ...]
    num_rows: int
    num_without_letter: int
    recall_spread: float  # standard deviation of the accuracy over letters; 0 without any bias
    p_value: float
    default_letter_gain: float  # accuracy that rows without a letter would get if "A" were guessed (s1's fork does)

    def lines(self) -> list[str]:
        """The report as Markdown lines."""
        head = ["| letter | gold | chosen | accuracy |", "|---|---|---|---|"]
        rows = [f"| {p.letter} | {p.num_gold} | {p.num_chosen} | {p.accuracy:.3f} |" for p in self.positions]
        tail = (
            f"{self.num_rows} rows, {self.num_without_letter} without a letter; spread of accuracy over letters "
            f"{self.recall_spread:.3f}; p = {self.p_value:.3g} that choices follow the golds; guessing A for rows "
            f"without a letter would add {100 * self.default_letter_gain:.1f} points"
        )
        return [*head, *rows, "", tail]


def position_bias(rows: Iterable[Mapping[str, Any]], num_choices: int = 4) -> PositionBias:
    """Report over rows with `gold` (a letter) and `extracted` (a letter or None), as stored with every sample."""
    letters = LETTERS[:num_choices]
    gold = dict.fromkeys(letters, 0)
    chosen = dict.fromkeys(letters, 0)
    right = dict.fromkeys(letters, 0)
    total = missing = missing_a = 0
    for row in rows:
        wanted, got = str(row["gold"]).strip("() ").upper(), row.get("extracted")
        if wanted not in gold:
            raise UserError(f"position bias: the gold {row['gold']!r} is not one of {letters}")
        total += 1
        gold[wanted] += 1
        if got in chosen:
            chosen[got] += 1
            right[wanted] += got == wanted
        else:
            missing += 1
            missing_a += wanted == "A"
    positions = tuple(Position(a, gold[a], chosen[a], right[a] / gold[a] if gold[a] else math.nan) for a in letters)
    known = [p.accuracy for p in positions if p.num_gold]
    mean = sum(known) / len(known) if known else 0.0
    spread = math.sqrt(sum((x - mean) ** 2 for x in known) / len(known)) if known else 0.0
    return PositionBias(positions, total, missing, spread, _p_value(gold, chosen), missing_a / total if total else 0.0)


def _p_value(gold: Mapping[str, int], chosen: Mapping[str, int]) -> float:
    """Chi-square test of the chosen letters against the golds' shares; 1 where nothing was chosen."""
    num_gold, num_chosen = sum(gold.values()), sum(chosen.values())
    used = [a for a in gold if gold[a]]
    if not num_chosen or len(used) < 2:
        return 1.0
    from scipy.stats import chi2

    expected = {a: gold[a] * num_chosen / num_gold for a in used}
    statistic = sum((chosen[a] - expected[a]) ** 2 / expected[a] for a in used)
    return float(chi2.sf(statistic, len(used) - 1))
