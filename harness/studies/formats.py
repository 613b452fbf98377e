"""The thinking format of a study, read from its model before anything starts."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.config import Budget, Chat, Sampling, Study
from harness.errors import UserError, near
from harness.generation.chat import UNTOLD
from harness.generation.chat_files import chat_files
from harness.generation.rules import Vocabulary
from harness.generation.templates.delimiters import UNSHOWN
from harness.generation.templates.reading import RESOLVED, Reading, resolve
from harness.generation.templates.template import GIVEN, Template, shape, turns_of
from harness.thinking import AUTO, Ask, ThinkingFormat, thinking_format

logger = logging.getLogger(__name__)


def resolved(study: Study) -> Study:
    """`study` with its thinking format spelled out: what its workers use, and what its runs are known by.

    Says in one line what could not be read.

    Raises:
        UserError: The model has no chat template, the format does not fit it, or the study's own template arguments
            close the thought of a run that is to think.
    """
    spelled = _spelled(study, study.thinking, (*study.budgets, *study.base_budgets))
    recipes = []
    for recipe in study.recipes:
        own = study.seen_by(recipe.name)
        if recipe.base_model or recipe.thinking:
            recipe = replace(recipe, thinking=_spelled(own, own.thinking, own.budgets))
        recipes.append(recipe)
    return replace(study, thinking=spelled, recipes=tuple(recipes), sampling=_with_ids(study))


def _spelled(study: Study, thinking: str, budgets: Iterable[Budget]) -> str:
    if study.engine.chats:
        return _of_server(study, thinking).spec
    tokenizer = chat_files(study.engine.tokenizer or study.base_model)
    check_arguments(tokenizer, study.chat)
    reading = read_for(thinking, tokenizer, study.chat)
    for note in reading.notes:
        logger.warning("%s: %s", study.base_model, note)
    if any(budget.method != "no_thinking" for budget in budgets):
        refuse_closed(tokenizer, reading, study.chat)
    return reading.thinking.spec


def _of_server(study: Study, thinking: str) -> ThinkingFormat:
    """What is known of a served model's thoughts: as the user says, else as its template does where that is here."""
    if thinking.lstrip().startswith("{"):
        return thinking_format(thinking)  # spelled before
    if thinking == AUTO and Path(study.base_model).is_dir():
        reading = read_for(AUTO, chat_files(study.engine.tokenizer or study.base_model), study.chat)
        if reading.source not in UNSHOWN:
            return reading.thinking
    given = UNTOLD if thinking == AUTO else thinking_format(thinking)
    return replace(given, ask=_with(Ask(), study.chat))


def _with_ids(study: Study) -> Sampling:
    """The study's sampling with the texts of its `logit_bias` as token ids, in its identity, too."""
    biases = study.sampling.logit_bias
    if not biases:
        return study.sampling
    from harness.generation.engines.model_info import read_model

    info = read_model(study.base_model, study.engine.max_model_len, study.engine.tokenizer)
    return replace(study.sampling, logit_bias=Vocabulary(info.tokenizer).bias_ids(biases))


def read_for(name: str, tokenizer: Any, chat: Chat) -> Reading:
    """The format called `name` for `tokenizer`, asked for with what `chat` says. Raises `UserError`."""
    reading = resolve(name, tokenizer, dict(chat.arguments), chat.system)
    if reading.source == RESOLVED:
        return reading
    thinking = reading.thinking
    asked = replace(thinking, ask=_with(thinking.ask, chat), plain=_with(thinking.plain, chat))
    return replace(reading, thinking=asked)


def check_arguments(tokenizer: Any, chat: Chat) -> None:
    """Raise `UserError` for an argument that the chat template never reads: it would change nothing."""
    template = Template(tokenizer)
    known = template.variables
    for name, _ in chat.arguments:
        if known is not None and name not in known:
            own = known - GIVEN
            hint = f"did you mean '{match}'?" if (match := near(name, own)) else ""
            hint = hint or (f"it reads {', '.join(sorted(own))}" if own else "it reads no argument")
            raise UserError(f"the chat template of '{tokenizer.name_or_path}' never reads '{name}'; {hint}")


def _with(ask: Ask, chat: Chat) -> Ask:
    said = [text for text in (chat.system, ask.system) if text]
    return Ask(
        arguments=tuple({**dict(ask.arguments), **dict(chat.arguments)}.items()),
        system="\n".join(said) if said else chat.system,
        suffix=chat.instruction + ask.suffix,
    )


def refuse_closed(tokenizer: Any, reading: Reading, chat: Chat) -> None:
    """Raise `UserError` where the prompt of a run that is to think ends behind a closed thought."""
    ask = reading.thinking.ask
    text = tokenizer.apply_chat_template(
        turns_of("?", ask), tokenize=False, add_generation_prompt=True, **dict(ask.arguments)
    )
    if shape(text) == "closed":
        raise UserError(
            f"the chat template of '{tokenizer.name_or_path}' closes the thought under {dict(chat.arguments)}; leave "
            "that out, or ask for no thinking alone (--method no_thinking)"
        )


def style_of(study: Study) -> str:
    """The name of a study's format, resolved or not."""
    return study.thinking if study.thinking == "auto" else thinking_format(study.thinking).name
