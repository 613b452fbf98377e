"""Small byte-pair tokenizers, trained on the spot, that cut text as the models' own do."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

# How Qwen2.5 and Llama 3 cut text before their byte-pair merges (their tokenizer.json).
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
WORDS = "the answer is so we have\n\n a step one two wait \\boxed{12} $x^2$ therefore.\n" * 20


def train(folder: Path, pattern: str | None = QWEN, added: tuple[AddedToken, ...] = ()) -> str:
    """Save a tokenizer of `pattern` (None: GPT-2's own) into `folder`, which is returned."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    if pattern is None:
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        bpe.pre_tokenizer = pre_tokenizers.Sequence([cut, byte_level])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator([WORDS], trainer)
    bpe.add_tokens(list(added))
    bpe.save(str(folder / "tokenizer.json"))
    return str(folder)
