"""Soft ends: a wrap-up before the cap, grace behind it, another forced sentence, against a plain loop over text."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config import Budget, Sampling
from harness.errors import UserError
from harness.generation.rules import Vocabulary, derive_seed
from harness.records import setting
from tests.generation.test_sweep import END, START, VOCABULARY, by_cell, run
from tests.tiny import bpe_tokenizer

LETTERS = VOCABULARY.encode("ab .\n3")


def model_of(salt: int, p_end: float) -> Any:
    def choose(context: Sequence[int], masked: frozenset[int]) -> int:
        rng = random.Random(derive_seed(salt, *context))
        if rng.random() < p_end and (ends := sorted({START, END} - masked)):
            return rng.choice(ends)
        return rng.choice(LETTERS)

    return choose


def by_hand(prompt: str, choose: Any, budget: Budget) -> tuple[str, bool]:
    """The thought under `budget`, character by character (a byte is a token here), and whether it was cut."""
    cap, hint, ignores = int(budget.max_thinking_tokens), budget.wrap_up_str, budget.num_ignores
    place = cap - max(budget.wrap_up_tokens, len(hint))
    thought, fresh, hinted = "", True, not hint
    while True:
        if not hinted and len(thought) >= place:
            hinted = True
            if len(thought) + len(hint) <= cap:
                thought += hint
        if len(thought) >= cap:
            over = len(thought) - cap
            ends_softly = re.search(r"(\n|[.])[ \t]*$", thought[-8:]) and not re.search(r"\d\.$", thought)
            if over >= budget.grace_tokens or ends_softly:
                return thought, True
        context = VOCABULARY.encode(prompt + "<|im_start|>think") + VOCABULARY.encode(thought)
        token = choose(context, frozenset({START, END}) if fresh else frozenset())
        fresh = False
        if token not in (START, END):
            thought += VOCABULARY.decode([token])
            continue
        if ignores and len(thought) + len("Wait") < cap:
            thought, ignores, fresh = thought + "Wait", ignores - 1, True
            continue
        return thought, False


@settings(max_examples=150, deadline=None)
@given(
    salt=st.integers(0, 10_000),
    p_end=st.sampled_from([0.0, 0.05, 0.2]),
    cap=st.integers(1, 40),
    ignores=st.integers(0, 2),
    grace=st.integers(0, 12),
    hint=st.sampled_from(["", "So: ", "\nNow."]),
    at=st.integers(0, 30),
)
def test_a_thought_ends_as_a_plain_loop_ends_it(
    salt: int, p_end: float, cap: int, ignores: int, grace: int, hint: str, at: int
) -> None:
    budget = Budget(cap, ignores, grace_tokens=grace, wrap_up_str=hint, wrap_up_tokens=min(at, cap) if hint else 0)
    choose = model_of(salt, p_end)
    (row,), _ = run([budget], choose, texts=["q"])
    thought, cut = by_hand("q", choose, budget)
    assert (row.thinking, row.forced_end) == (thought, cut)
    assert row.injected_tokens == sum(len(text) * row.thinking.count(text) for text in ("Wait", hint) if text)
    assert len(row.thinking_ids) <= cap + grace


def test_a_sweep_with_soft_ends_equals_its_runs_apart() -> None:
    budgets = [Budget(b, 1, grace_tokens=9, wrap_up_str="So: ", wrap_up_tokens=8) for b in (12, 30, 60)]
    together, _ = run([*budgets, Budget(60, 1)], model_of(1, 0.03))
    apart, _ = run([*budgets, Budget(60, 1)], model_of(1, 0.03), replay=False)
    assert by_cell(together) == by_cell(apart)
    assert any(span.kind == "wrap_up" for row in together for span in row.forced_spans)


def test_the_forced_sentence_is_a_setting() -> None:
    rows, _ = run([Budget(10, final_answer=" Answer in one word: "), Budget(10)], model_of(1, 0.0), texts=["q"])
    said = {row.budget.final_answer: row.closing.lstrip("\n") for row in rows}
    assert said == {
        " Answer in one word: ": "<|im_start|>answer Answer in one word: ",
        None: "<|im_start|>answer\nFinal Answer:",
    }


def test_grace_and_wrap_up_leave_room_in_the_context() -> None:
    budget = Budget(grace_tokens=50, wrap_up_str="So: ", wrap_up_tokens=30)
    (row,), _ = run([budget], model_of(1, 0.0), texts=["q"], context=300)
    assert row.error is None and len(row.answer_ids) == 20
    assert len(row.prompt_ids) + len(row.thinking_ids) + len(row.closing_ids) + 20 <= 300


def test_the_ends_of_sentences_are_found_behind_quotes_and_not_in_numbers() -> None:
    vocabulary = Vocabulary(bpe_tokenizer([(".", '"'), ("\u010a", "\u010a")]))
    ends = [
        text
        for text in ('so."', "so.", "so!", "line\n\n", "3.", "3.1", "e", "so. ", "\u3002")
        if vocabulary.at_soft_end(vocabulary.encode(text))
    ]
    assert ends == ['so."', "so.", "so!", "line\n\n", "so. ", "\u3002"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wrap_up_tokens": 5}, "needs wrap_up_str"),
        ({"grace_tokens": 5, "method": "rejection_sampling"}, "not with rejection_sampling"),
        ({"final_answer": "x", "compat": "s1-fork"}, "not with s1-fork"),
    ],
)
def test_what_cannot_be_softened_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Budget(9, **settings)


def test_a_wrap_up_that_would_end_the_thought_is_refused() -> None:
    with pytest.raises(UserError, match=r"wrap_up_str '<\|im_start\|>' contains"):
        run([Budget(9, wrap_up_str="<|im_start|>")], sampling=Sampling(max_answer_tokens=5))


def test_a_soft_setting_is_called_by_what_it_does() -> None:
    budget = Budget(500, grace_tokens=50, wrap_up_str="So: ", wrap_up_tokens=100, final_answer="\nAnswer:")
    assert setting(budget) == "500, grace 50, wraps up at -100, says 'Answer:'"
