"""REBASE with the scripted engine: the tree follows the reward, keeps to its width, and every thought is answered."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from harness.config import Budget, Sampling
from harness.errors import UserError
from harness.generation.rebase import rebase, repetition_reward, shares
from harness.generation.sweep import Prompt
from harness.records import Generation
from harness.studies.evaluate import dense_budgets
from harness.thinking import FORMATS
from tests.generation.test_sweep import START, TOKENIZER, VOCABULARY, chatter, run
from tests.scripted import ScriptedEngine


@pytest.mark.parametrize(
    ("rewards", "width", "expected"),
    [([1.0], 8, [8]), ([0.5, 0.5], 5, [3, 2]), ([1.0, 0.0], 8, [8, 0]), ([0.5, 0.4, 0.3], 0, [0, 0, 0]), ([], 4, [])],
)
def test_the_width_is_shared_by_a_softmax_of_the_rewards(rewards: list[float], width: int, expected: list[int]) -> None:
    assert shares(rewards, width) == expected


def search(reward: Any, sampling: Sampling, budget: Budget) -> tuple[list[tuple[Generation, float]], ScriptedEngine]:
    """Steps of one letter, a or b at random, an end after about four steps."""
    rng = random.Random(0)
    letters = VOCABULARY.encode("ab")
    newline = VOCABULARY.encode("\n")[0]

    def model(context: Sequence[int], masked: frozenset[int]) -> int:
        text = VOCABULARY.decode(context).split("think", 1)[1]
        if "answer" in text:
            return VOCABULARY.encode("<|im_end|>")[0]
        if text.endswith(("a", "b", "a\n", "b\n")):
            return newline
        return START if text.count("\n\n") >= 4 and START not in masked else rng.choice(letters)

    engine: Any = ScriptedEngine(model, TOKENIZER, 2000)
    rows: list[tuple[Generation, float]] = []
    rebase(
        engine,
        [Prompt("0", "q", VOCABULARY.encode("q"))],
        budget,
        sampling,
        FORMATS["s1"],
        on_generation=lambda row, value: rows.append((row, value)),
        reward=reward,
    )
    return rows, engine


def test_the_search_follows_the_reward_and_answers_every_thought_of_its_width() -> None:
    sampling = Sampling(temperature=1.0, num_samples=8, max_answer_tokens=5)

    def many_as(prompt: str, thought: str) -> float:
        return thought.count("a") / 4

    rows, engine = search(many_as, sampling, Budget(200))
    assert sorted(row.sample_index for row, _ in rows) == list(range(8))
    assert all(row.thinking_finish == "stop" and row.closing == "<|im_start|>answer" for row, _ in rows)
    assert sum(row.thinking.count("a") for row, _ in rows) > 0.75 * 4 * 8
    assert all(value == many_as("", row.thinking) for row, value in rows)
    assert engine.counters.sampled_tokens < 2 * sum(len(row.thinking_ids) + 2 for row, _ in rows)


def test_the_budget_ends_a_thought_of_the_tree_too() -> None:
    rows, _ = search(repetition_reward, Sampling(temperature=1.0, num_samples=3, max_answer_tokens=5), Budget(5))
    assert all(len(row.thinking_ids) == 5 and row.forced_end for row, _ in rows) and len(rows) == 3


def test_a_loop_earns_nothing_and_settings_that_cannot_work_are_refused() -> None:
    assert repetition_reward("", "one two three four five") == 1.0
    assert repetition_reward("", "wait " * 50) < 0.1
    with pytest.raises(UserError, match="temperature 0"):
        search(repetition_reward, Sampling(num_samples=2), Budget(5))
    with pytest.raises(UserError, match="num_ignores=0"):
        search(repetition_reward, Sampling(temperature=1.0), Budget(5, 1))


def test_a_dense_curve_is_one_thought_with_an_answer_every_k_tokens() -> None:
    budgets = dense_budgets(Budget(100, 1), every=10)
    assert [budget.max_thinking_tokens for budget in budgets] == list(range(0, 101, 10))
    rows, engine = run(budgets, chatter(0.0), texts=["q"])
    assert [len(row.thinking_ids) for row in sorted(rows, key=lambda row: row.budget_tokens)] == list(range(0, 101, 10))
    assert engine.counters.sampled_tokens == 100 + 11 * 20
    with pytest.raises(UserError, match="as a number"):
        dense_budgets(Budget("auto"), every=10)
    with pytest.raises(UserError, match="steps of 1 token"):
        dense_budgets(Budget(100), every=0)
