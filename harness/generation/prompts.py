"""The prompt of an evaluation and of training, by the model's chat template."""

from __future__ import annotations

from typing import Any

from harness.errors import UserError


def messages(question: str, system: str | None = None) -> list[dict[str, str]]:
    """The conversation before the answer."""
    turns = [{"role": "user", "content": question}]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


def render_prompt(tokenizer: Any, question: str, system: str | None = None) -> tuple[str, list[int]]:
    """The prompt as text and ids: the chat template up to where the assistant speaks.

    `system` None leaves it to the template (Qwen2.5's inserts its own). Raises `UserError` without a chat template.
    """
    text = prompt_text(tokenizer, question, system)
    return text, tokenizer(text, add_special_tokens=False)["input_ids"]


def prompt_text(tokenizer: Any, question: str, system: str | None = None) -> str:
    """`render_prompt`'s text alone."""
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            f"tokenizer '{tokenizer.name_or_path}' has no chat template; use an instruct model's tokenizer, or set one"
        )
    return str(tokenizer.apply_chat_template(messages(question, system), tokenize=False, add_generation_prompt=True))
