"""Budget forcing from Python: questions in, generations out. What a study's workers ask an engine is made here, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.config import Budget, Sampling
from harness.generation.engines.base import Engine
from harness.generation.instructions import instruct
from harness.generation.prompts import render_prompt
from harness.generation.samples import Prompt
from harness.generation.sweep import generate as sweep
from harness.generation.templates.reading import resolve
from harness.records import Generation
from harness.thinking import AUTO, ThinkingFormat


def generate(
    engine: Engine,
    questions: Sequence[str],
    budgets: Sequence[Budget] = (Budget(),),
    sampling: Sampling | None = None,
    thinking: str = AUTO,
) -> list[Generation]:
    """Ask every question under every budget.

    Budgets that differ in their cap and their ignores alone share one thought, as in a study.

    Args:
        engine: an open engine (`open_engine`).
        questions: what is asked, without the chat template.
        budgets: thinking budgets, in tokens.
        sampling: how tokens are drawn; None: greedy, one sample.
        thinking: a thinking format; auto reads it from the model's chat template.

    Returns:
        Generations by question, then budget, then sample; one that failed has `error` set. `problem_id` is the
        question's position.

    Raises:
        UserError: the budgets do not go with the sampling, or the model has no chat template.
    """
    sampling = sampling or Sampling()
    style = resolve(thinking, engine.tokenizer).thinking
    found: list[Generation] = []
    for number, question in enumerate(questions):
        for prompt, its_budgets in prompts_of(engine.tokenizer, str(number), question, budgets, style):
            sweep(engine, [prompt], its_budgets, sampling, style, on_generation=found.append)
    place = {budget: number for number, budget in reversed(list(enumerate(budgets)))}
    return sorted(found, key=lambda one: (int(one.problem_id), place[one.budget], one.sample_index))


def prompts_of(
    tokenizer: Any, problem_id: str, question: str, budgets: Sequence[Budget], thinking: ThinkingFormat
) -> Iterator[tuple[Prompt, list[Budget]]]:
    """The prompts of one question, each with its budgets.

    Conditional methods write the budget into the question, a prompt without thinking is asked for otherwise, the
    others share one.
    """
    asked: dict[tuple[str, bool], list[Budget]] = {}
    for budget in budgets:
        asked.setdefault((instruct(question, budget), budget.method == "no_thinking"), []).append(budget)
    for (text_of_user, plain), its_budgets in asked.items():
        text, ids = render_prompt(tokenizer, text_of_user, ask=thinking.plain if plain else thinking.ask)
        if plain and thinking.empty:
            text, ids = text + thinking.empty, [*ids, *tokenizer.encode(thinking.empty, add_special_tokens=False)]
        yield Prompt(problem_id, text, tuple(ids), question=question), its_budgets
