"""`harness evaluate`: a model and a sweep, given by flags, as a study without recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import tasks
from harness.config import Budget, Chat, EngineConfig, Sampling, Study
from harness.errors import UserError
from harness.studies.smoke import fit_context


def sweep(budgets: str, ignores: str, ignore_str: str, every: int | None, no_thinking: bool) -> tuple[Budget, ...]:
    """The settings that `--budgets 500,auto --ignores 1,2 --ignore-str S --every K --no-thinking` ask for.

    Ignores are at auto, as in s1. Raises `UserError` naming the flag that cannot be read.
    """
    limits = parse_budgets(budgets)
    settings = [Budget(method="no_thinking")] if no_thinking else []
    settings += [Budget(max_thinking_tokens=limit) for limit in limits]
    counts = parse_counts("--ignores", ignores)
    settings += [Budget(num_ignores=count, ignore_str=ignore_str) for count in counts if count]
    if every:
        longest = max((limit for limit in limits if limit != "auto"), default=None)
        if longest is None:
            raise UserError("--every needs a number in --budgets: how far the dense curve goes")
        settings += dense_budgets(Budget(max_thinking_tokens=longest), every)
    return tuple(dict.fromkeys(settings))


def study(
    model: str,
    task_names: str,
    budgets: Sequence[Budget],
    sampling: Sampling,
    engine: EngineConfig,
    thinking: str,
    chat: Chat,
    max_problems: int | None,
    replay: bool,
) -> Study:
    """The study of one model, a folder or a hub name. The last of `budgets` is its headline."""
    folder = Path(model)
    return fit_context(
        Study(
            name=f"evaluate-{folder.name if folder.is_dir() else model.replace('/', '--')}",
            base_model=str(folder.resolve()) if folder.is_dir() else model,
            pool="",
            recipes=(),
            tasks=tasks.names(task_names),
            budgets=tuple(budgets),
            thinking=thinking,
            chat=chat,
            engine=engine,
            sampling=sampling,
            replay=replay,
            max_problems=max_problems,
            seed=sampling.seed,
            headline=budgets[-1],
            reference_recipe="base",
        )
    )


def parse_budgets(text: str) -> list[Any]:
    """`500,1000,auto` as budgets."""
    limits: list[Any] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part != "auto" and not part.isdigit():
            raise UserError(f"--budgets {text}: '{part}' is neither a number of tokens nor 'auto'")
        limits.append("auto" if part == "auto" else int(part))
    if not limits:
        raise UserError("--budgets is empty; give numbers of tokens, or auto")
    return limits


def parse_counts(flag: str, text: str) -> list[int]:
    """`0,1,2` as numbers."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if wrong := next((part for part in parts if not part.isdigit()), None):
        raise UserError(f"{flag} {text}: '{wrong}' is not a whole number")
    return [int(part) for part in parts]


def dense_budgets(longest: Budget, every: int, start: int = 0) -> tuple[Budget, ...]:
    """The budgets `start`, `start` + `every`, ... up to that of `longest`, which is always among them.

    Past a thought's own end they all stop there and share its answer, at no cost. Raises `UserError`.
    """
    last = longest.max_thinking_tokens
    if last == "auto":
        raise UserError("a dense curve needs max_thinking_tokens as a number: where it ends")
    if every <= 0 or start < 0:
        raise UserError(
            f"a dense curve takes steps of 1 token or more from 0 or more; got every={every}, start={start}"
        )
    counts = [*range(start, last, every), last]
    return tuple(replace(longest, max_thinking_tokens=count) for count in counts)
