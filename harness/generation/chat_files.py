"""A checkpoint's chat template and special tokens from its files, without loading its tokenizer.

The driver of a study asks a template a few dozen questions before anything starts. transformers' own renderer answers
them; its tokenizers take seconds to import and load, and are not needed for text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError, one_line

FILES = (
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.json",
    "generation_config.json",
)


class ChatFiles:
    """What of a tokenizer `harness.generation.templates` needs, under transformers' own names."""

    def __init__(self, name: str, template: str, tokens: Mapping[str, str], added: Mapping[str, int]) -> None:
        self.name_or_path, self.chat_template = name, template
        self.tokens, self.added = dict(tokens), dict(added)

    @property
    def eos_token(self) -> str | None:
        """The tokenizer's end of text; None where it names none."""
        return self.tokens.get("eos_token")

    def get_chat_template(self) -> str:
        """The chat template's source, in Jinja."""
        return self.chat_template

    def get_added_vocab(self) -> dict[str, int]:
        """Added tokens and their ids, as a transformers tokenizer gives them."""
        return self.added

    def apply_chat_template(
        self, turns: Sequence[Any], *, tokenize: bool, add_generation_prompt: bool, **arguments: Any
    ) -> str:
        """The text of `turns`; tokens are never made here."""
        from transformers.utils.chat_template_utils import render_jinja_template

        assert not tokenize
        rendered, _ = render_jinja_template(
            conversations=[list(turns)],
            chat_template=self.chat_template,
            add_generation_prompt=add_generation_prompt,
            **{**self.tokens, **arguments},
        )
        return str(rendered[0])


def generation_config(model: str) -> dict[str, Any]:
    """The generation_config.json of `model`, a folder or a hub name, as it is written; empty where there is none."""
    path = _file(model, "generation_config.json")
    if path is None and not Path(model).is_dir():
        from transformers.utils import cached_file

        try:
            found = cached_file(model, "generation_config.json", _raise_exceptions_for_missing_entries=False)
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read the generation_config.json of '{model}': {one_line(error)}") from error
        path = Path(found) if found else None
    return _json(path)


def chat_files(model: str) -> Any:
    """The chat template of `model`, a folder or a hub name.

    Returns:
        `ChatFiles`, or the loaded tokenizer where the files alone do not tell (a template in a class of its own).

    Raises:
        UserError: There is no such model, or it has no tokenizer.
    """
    found = {name: path for name in FILES if (path := _file(model, name)) is not None}
    config = _json(found.get("tokenizer_config.json"))
    if Path(model).is_dir() and not found.keys() & {"tokenizer_config.json", "tokenizer.json"}:
        raise UserError(f"the model folder {model} has no tokenizer (tokenizer_config.json, tokenizer.json)")
    template = _template(found, config)
    if template is None:
        return _tokenizer(model)
    named = {
        key: value.get("content") if isinstance(value, dict) else value
        for key, value in config.items()
        if key.endswith("_token") and isinstance(value, str | dict)
    }
    added = {str(one["content"]): int(i) for i, one in (config.get("added_tokens_decoder") or {}).items()}
    added |= {
        str(one["content"]): int(one["id"]) for one in _json(found.get("tokenizer.json")).get("added_tokens") or ()
    }
    tokens = {key: str(value) for key, value in named.items() if value}
    if "eos_token" not in tokens:
        ids = _json(found.get("generation_config.json")).get("eos_token_id")
        wanted = ids if isinstance(ids, list) else [ids]
        if text := next((text for text, i in added.items() if i in wanted), None):
            tokens["eos_token"] = text
    return ChatFiles(model, template, tokens, added)


def _template(found: Mapping[str, Path], config: Mapping[str, Any]) -> str | None:
    if path := found.get("chat_template.jinja"):
        return path.read_text(encoding="utf-8")
    own = config.get("chat_template") or _json(found.get("chat_template.json")).get("chat_template")
    if isinstance(own, list):  # named templates
        own = next((one["template"] for one in own if one.get("name") == "default"), None)
    return own if isinstance(own, str) else None


def _json(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; the model's download is broken") from None
    return plain if isinstance(plain, dict) else {}


def _file(model: str, name: str) -> Path | None:
    """`name` in a folder, in the hub's cache, or from the hub; None where there is none."""
    if Path(model).is_dir():
        path = Path(model) / name
        return path if path.is_file() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, name)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


def _tokenizer(model: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        reason = one_line(error)
        raise UserError(f"cannot load the tokenizer of '{model}': {reason}") from error
