"""A random Qwen2 of about a million parameters with a byte tokenizer and Qwen's special tokens, made on the fly."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def byte_tokenizer() -> Any:
    """259 ids: the bytes in order of their byte-level letters, then Qwen's three special tokens."""
    return bpe_tokenizer([])


def bpe_tokenizer(merges: Sequence[tuple[str, str]]) -> Any:
    """The byte tokenizer with one more id for each of `merges` (pairs of byte-level letters), in their order."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_model(
    folder: Path, *, seed: int = 0, hidden: int = 128, layers: int = 2, padded: int = 13, tied: bool = False
) -> Path:
    """Saves the model and its tokenizer to `folder`. Its embedding has `padded` rows the tokenizer does not know, and
    the end tokens are made likely enough that greedy thoughts of tens of tokens end by themselves."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = byte_tokenizer()
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer) + padded,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=max(1, hidden // 64),
        max_position_embeddings=2048,
        tie_word_embeddings=tied,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.3,
    )
    model = Qwen2ForCausalLM(config).to(torch.float32)
    # What checkpoints recommend must not reach the sampling (Qwen2.5 ships a repetition penalty).
    model.generation_config.repetition_penalty = 1.3
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def checkpoint(folder: Path, model: Path) -> Path:
    """A copy of `model` in folder/checkpoint with the probe that its trainer would have left beside it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.generation.engines import probe
    from harness.thinking import S1

    target = folder / "checkpoint"
    shutil.copytree(model, target)
    loaded = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32)
    asked = probe.sequences(AutoTokenizer.from_pretrained(target), S1)
    answers = probe.top_logprobs(loaded, [forced.ids for forced in asked])
    probe.taken(asked, answers, "float32").write(folder / probe.FILE)
    return target


def varied(model: Path, folder: Path, seed: int) -> Path:
    """`model` with every weight moved by a tenth: a fine-tuned one, as far as its weights go."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.mul_(1 + 0.1 * torch.randn_like(parameter))
    loaded.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder
