"""The prompt of an evaluation and of training, by the model's chat template."""

from __future__ import annotations

from typing import Any

from harness.errors import UserError
from harness.generation.templates.template import turns_of
from harness.thinking import Ask


def render_prompt(
    tokenizer: Any, question: str, system: str | None = None, ask: Ask | None = None
) -> tuple[str, list[int]]:
    """The prompt as text and ids: the chat template up to where the assistant speaks.

    `system` None leaves it to the template (Qwen2.5's inserts its own); `ask` says how the template is asked. Raises
    `UserError` without a chat template.
    """
    text = prompt_text(tokenizer, question, system, ask)
    return text, tokenizer(text, add_special_tokens=False)["input_ids"]


def prompt_text(tokenizer: Any, question: str, system: str | None = None, ask: Ask | None = None) -> str:
    """`render_prompt`'s text alone."""
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            f"tokenizer '{tokenizer.name_or_path}' has no chat template; use an instruct model's tokenizer, or set one"
        )
    ask = ask or Ask()
    turns = turns_of(question, ask, system)
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **dict(ask.arguments)))
