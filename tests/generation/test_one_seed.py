"""A sampled answer does not depend on what else was asked for: rows of a folder that lost some, was extended or killed
are those of an undisturbed run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config import Budget, Sampling
from harness.generation.budget import Machine
from harness.generation.engines.base import Request
from harness.generation.sweep import Prompt, generate
from harness.records import Generation
from harness.thinking import FORMATS
from tests.generation.test_sweep import END, LETTERS, START, TOKENIZER, VOCABULARY, by_cell, run
from tests.scripted import ScriptedEngine

SAMPLING = Sampling(temperature=1.0, max_answer_tokens=6, num_samples=2)
BUDGETS = (
    *(Budget(b, n) for b in (0, 5, 20, 60, "auto") for n in (0, 1, 3)),
    Budget(40, 1, min_thinking_tokens=10),
    Budget(40, 2, ignore_str=("Wait", "Hmm")),
    Budget(300, stop_on_loop=True),
    *(Budget(b, method="rejection_sampling", max_attempts=4) for b in (4, 12)),
    Budget(method="no_thinking"),
)


def draws(context: Sequence[int], masked: frozenset[int], rng: random.Random) -> int:
    """Ends now and then, else a letter: by the generator alone, one number per token as an engine draws it."""
    number = rng.random()
    ends = sorted({START, END} - masked)
    return ends[0] if number < 0.06 and ends else LETTERS[int(number * 1e6) % len(LETTERS)]


def all_rows(budgets: Sequence[Budget]) -> dict[object, Generation]:
    rows, _ = run(budgets, draws, sampling=SAMPLING, sampled=True, context=400)
    return by_cell(rows)


UNDISTURBED = all_rows(BUDGETS)


def test_the_trunk_and_a_branch_give_the_same_answer() -> None:
    alone = {key: row for budget in BUDGETS for key, row in all_rows([budget]).items()}
    assert alone == UNDISTURBED
    assert {row.thinking_finish for row in alone.values()} == {"budget", "stop", "rejected", "none"}
    assert len({row.answer_ids for row in alone.values()}) > 30


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(BUDGETS), min_size=1))
def test_rows_that_were_lost_come_back_as_they_were(lost: set[Budget]) -> None:
    again = all_rows([budget for budget in BUDGETS if budget in lost])
    assert again == {key: row for key, row in UNDISTURBED.items() if row.budget in lost}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [1, 2, 7, 20, 40])
def test_a_kill_between_trunk_and_branch_changes_no_row(after: int) -> None:
    kept: list[Generation] = []

    def keep(row: Generation) -> None:
        if len(kept) == after:
            raise Killed
        kept.append(row)

    engine = ScriptedEngine(draws, TOKENIZER, 400, sampled=True)
    prompts = [Prompt(str(i), text, VOCABULARY.encode(text)) for i, text in enumerate(("q", "a longer question"))]
    with pytest.raises(Killed):
        generate(engine, prompts, BUDGETS, SAMPLING, FORMATS["s1"], on_generation=keep)  # type: ignore[arg-type]
    found = by_cell(kept)
    assert len(found) == after
    for number, prompt in enumerate(prompts):
        for sample in range(SAMPLING.num_samples):
            missing = [b for b in BUDGETS if (str(number), b, sample) not in found]
            if not missing:
                continue
            rows: list[Generation] = []
            generate(engine, [prompt], missing, SAMPLING, FORMATS["s1"], on_generation=rows.append)  # type: ignore[arg-type]
            found |= {key: row for key, row in by_cell(rows).items() if key[2] == sample}
    assert found == UNDISTURBED


def test_a_sampled_request_begins_again_in_another_engine_and_a_greedy_one_goes_on() -> None:
    from tests.generation.test_budget import RULES

    def after_three(sampling: Sampling) -> Request:
        request = Request((1,), Machine(RULES), sampling, 7, lambda done: ())
        request.submissions = 1
        request.machine.feed(LETTERS[:3])
        request.resume()
        return request

    sampled, greedy = after_three(SAMPLING), after_three(replace(SAMPLING, temperature=0.0))
    assert (sampled.machine.thinking, sampled.submissions, sampled.machine.sampled_tokens) == ([], 0, 0)
    assert (greedy.machine.thinking, greedy.submissions) == (list(LETTERS[:3]), 1)
