"""`harness.generate`: a call from Python makes the rows of the sweep that studies run, in the order that was asked."""

from __future__ import annotations

from typing import Any

from harness import Budget, Sampling, generate
from harness.generation.prompts import render_prompt
from harness.generation.samples import Prompt
from harness.generation.sweep import generate as sweep
from harness.generation.templates.reading import resolve
from harness.records import Generation
from tests.generation.test_sweep import TOKENIZER, chatter
from tests.scripted import ScriptedEngine

BUDGETS = [Budget(40), Budget(method="no_thinking"), Budget(9), Budget(num_ignores=2)]
QUESTIONS = ["1 + 1", "a longer question"]


def engine() -> Any:
    return ScriptedEngine(chatter(), TOKENIZER, 4000)


def test_rows_come_by_question_then_budget_and_are_the_sweeps() -> None:
    rows = generate(engine(), QUESTIONS, BUDGETS)
    assert [(row.problem_id, row.budget) for row in rows] == [(str(q), b) for q in (0, 1) for b in BUDGETS]
    style = resolve("auto", TOKENIZER).thinking
    for number, question in enumerate(QUESTIONS):
        for budget in BUDGETS:
            plain = budget.method == "no_thinking"
            text, ids = render_prompt(TOKENIZER, question, ask=style.plain if plain else style.ask)
            if plain and style.empty:
                text, ids = text + style.empty, [*ids, *TOKENIZER.encode(style.empty, add_special_tokens=False)]
            alone: list[Generation] = []
            prompt = Prompt(str(number), text, tuple(ids))
            sweep(engine(), [prompt], [budget], Sampling(), style, on_generation=alone.append)
            (found,) = [row for row in rows if (row.problem_id, row.budget) == (str(number), budget)]
            assert (found.prompt_ids, found.thinking_ids, found.closing_ids, found.answer_ids) == (
                alone[0].prompt_ids,
                alone[0].thinking_ids,
                alone[0].closing_ids,
                alone[0].answer_ids,
            )
            assert found.error is None and (plain or len(found.thinking_ids) <= found.budget_tokens)


def test_samples_of_a_budget_come_in_order() -> None:
    rows = generate(engine(), ["q"], [Budget(9), Budget(5)], Sampling(num_samples=3, temperature=1.0))
    assert [(row.budget.max_thinking_tokens, row.sample_index) for row in rows] == [
        (limit, sample) for limit in (9, 5) for sample in range(3)
    ]
