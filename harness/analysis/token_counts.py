"""Token counts of many texts: a fast tokenizer by name or path, in batches, each distinct piece of text once.

Logs repeat themselves: the same text is counted as a thought, in a response and behind a prompt, and a looping response
says one line a thousand times. Byte-level tokenizers first cut a text behind its line ends and before the space of a
word; cutting there ourselves leaves every count as it is, so that only distinct words must be tokenised. Whether a
tokenizer cuts like that is tested on the first texts; else whole texts are counted.
"""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.errors import UserError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Qwen's tokenizer on s1-32B's AIME24 log: 840,394 characters in 323,820 tokens.
CHARACTERS_PER_TOKEN = 2.6
APPROXIMATION = f"approximation: {CHARACTERS_PER_TOKEN} characters a token (no tokenizer could be loaded)"
# How far a text may be cut without a count changing, from the finest: (name, where a line ends).
# Qwen and Llama 3 cut behind every line end; GPT-2 keeps a line end with the white space behind it.
CUTS = {
    "words": re.compile(r"[^\n]*\n+|[^\n]+"),
    "words, white space joined": re.compile(r"[^\n]*(?:\n(?!\S)[^\n]*)*\n?"),
    "whole": None,
}
# Of several spaces the last belongs to the word behind it; those before a line end belong to the line end.
WORD = re.compile(r" *\n+| +(?= [^ \n])| ?[^ \n]+\n*| +")
ODD_SPACE = re.compile(r"[^\S \n]")  # tabs, carriage returns, ...: such a line is not cut into words
TESTED_CHARACTERS = 10_000
HARD = ("a.\n\nB\n 1)\n\n- c\n", "x \n\n\n$y$ \n z", "I'm 'S 12 345, x=(-1) \n", " ", "", "é 漢 字\n<|im_start|> a",
        "a\n   - b  c\n\n    d", "  \n  a \n\n  ",
        "x.  \nb  \n\n  \n y ", "(a)  \n$$   \n")  # fmt: skip


class TokenCounter:
    """Counts tokens with one tokenizer, or by the stated approximation when it is None."""

    def __init__(self, tokenizer: Tokenizer | None, name: str) -> None:
        self.tokenizer, self.name = tokenizer, name
        self.approximate = tokenizer is None
        self.cut = ""  # a name in CUTS, once it is tested
        self._known: dict[str, int] = {}

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, without special tokens added around it."""
        if self.tokenizer is None:
            return [math.ceil(len(text) / CHARACTERS_PER_TOKEN) for text in texts]
        self.cut = self.cut or self._tested(texts)
        line = CUTS[self.cut]
        pieces = [line.findall(text) if line and "\n" in text else (text,) for text in texts]
        new = set().union(*pieces).difference(self._known)
        if line:
            new = self._by_words(new)
        self._learn(new)
        known = self._known.__getitem__
        return [sum(map(known, parts)) for parts in pieces]

    def _by_words(self, lines: set[str]) -> set[str]:
        """Count lines, with and without their line end, by their words; returns the lines that cannot be cut."""
        odd = {line for line in lines if ODD_SPACE.search(line)}
        words = {line: WORD.findall(line) for line in lines - odd}
        bare = {line: found[-1].rstrip("\n") for line, found in words.items() if found}
        self._learn(set().union(*words.values(), bare.values()).difference(self._known))
        known = self._known
        for line, found in words.items():
            total = known[line] = sum(map(known.__getitem__, found))
            if found:  # the same line as the last of its paragraph or on its own: only the last word differs
                known[line.rstrip("\n")] = total - known[found[-1]] + known[bare[line]]
        return odd

    def _learn(self, texts: set[str]) -> None:
        order = sorted(texts)  # the same batches in every process
        self._known.update(zip(order, self._encode(order), strict=True))

    def _encode(self, texts: Sequence[str]) -> list[int]:
        assert self.tokenizer is not None
        return [len(encoding) for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def _tested(self, texts: Sequence[str]) -> str:
        """The finest cut that leaves the counts of some texts, whole and by line, and of hard ones as they are."""
        sample, size = list(HARD), 0
        for text in sorted(texts, key=len, reverse=True):
            if size < TESTED_CHARACTERS:
                sample.append(text[:TESTED_CHARACTERS])
                size += len(sample[-1])
        sample += [line for text in sample for line in text.split("\n")]
        whole = self._encode(sample)
        for cut in CUTS:
            trial = TokenCounter(self.tokenizer, self.name)
            trial.cut = cut
            if trial.count(sample) == whole:
                return cut
        return "whole"


def load_counter(name: str | None, *, required: bool = False) -> TokenCounter:
    """A counter for a tokenizer given as tokenizer.json, as a folder, or by its hub name.

    Raises UserError for one that was asked for (`required`) and cannot be loaded; otherwise the approximation is used.
    """
    if not name:
        return TokenCounter(None, APPROXIMATION)
    path, reason = find_file(name)
    if path is None:
        if required:
            raise UserError(
                f"cannot load the tokenizer '{name}': {reason}; give a folder or tokenizer.json that is here"
            )
        return TokenCounter(None, APPROXIMATION)
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is not a fast tokenizer's tokenizer.json: {str(error)[:160]}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenCounter(tokenizer, name)


def find_file(name: str) -> tuple[Path | None, str]:
    """(tokenizer.json, "") of a file, a folder, the hub's cache or the hub; (None, the reason) when there is none."""
    path = Path(name)
    if path.is_dir():
        found = path / "tokenizer.json"
        return (found, "") if found.is_file() else (None, "the folder has no tokenizer.json")
    if path.is_file():
        return path, ""
    if "/" not in name:
        return None, "no such file or folder"
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        cached = try_to_load_from_cache(name, "tokenizer.json")
        if isinstance(cached, str):
            return Path(cached), ""
        socket.getaddrinfo(urlsplit(ENDPOINT).hostname, None)  # without it the hub's client retries for half a minute
        return Path(hf_hub_download(name, "tokenizer.json", etag_timeout=5)), ""
    except HFValidationError:
        return None, "no such file or folder, and not a name on the hub"
    except (OSError, HfHubHTTPError) as error:
        return None, f"not here, and the hub gives no answer ({str(error).strip().splitlines()[0][:120]})"
