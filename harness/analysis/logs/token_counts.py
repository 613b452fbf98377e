"""Token counts of many texts: a fast tokenizer by name or path, each distinct piece of text once.

Logs repeat themselves: the same text is counted as a thought, in a response and behind a prompt, and a looping response
says one line a thousand times. Byte-level tokenizers first cut a text by a regular expression and then merge bytes
within each piece, so a text may be cut behind its line ends, a line before the space of a word, and an ASCII word by
that same expression, and every count stays as it is: what is tokenised is each distinct piece, a few thousand in a
million characters. Whether a tokenizer cuts like that is read from it and tested on the first texts; where it does not
(GPT-2 parts two line ends by what follows them) whole texts are counted.
"""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.errors import UserError, one_line

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Qwen's tokenizer on s1-32B's AIME24 log: 840,394 characters in 323,820 tokens.
CHARACTERS_PER_TOKEN = 2.6
APPROXIMATION = f"approximation: {CHARACTERS_PER_TOKEN} characters a token (no tokenizer could be loaded)"
LINE = re.compile(r"[^\n]*\n+|[^\n]+")  # a line with all line ends behind it
# Of several spaces the last belongs to the word behind it; those before a line end belong to the line end.
WORD = re.compile(r" *\n+| +(?= [^ \n])| ?[^ \n]+\n*| +")
TESTED_CHARACTERS = 4_000
HARD = (
    "a.\n\nB\n 1)\n\n- c\n",
    "x \n\n\n$y$ \n z",
    "I'm 'S 12 345, x=(-1) \n",
    " ",
    "",
    "é 漢 字\n<|im_start|> a",
    "a\n   - b  c\n\n    d",
    "  \n  a \n\n  ",
    "x.  \nb  \n\n  \n y ",
    "(a)  \n$$   \n",
    "a\tb \t c\r\n\x0b!\n",
    "aB'LL (x).\n\n2.5e-3__init__()//\n",
    "".join(map(chr, range(32, 127))),
)
# A byte without a printable character is written as another character in a byte-level vocabulary.
BYTE_LETTERS = {byte: 256 + byte for byte in range(33)} | {127: 289}

MAX_NAME = 200  # characters of a tokenizer's name or path


class Memo(dict[str, int]):
    """The counts of texts; one that is missing is counted once and kept."""

    def __init__(self, count: Callable[[str], int]) -> None:
        super().__init__()
        self.count = count

    def __missing__(self, text: str) -> int:
        found = self[text] = self.count(text)
        return found


class TokenCounter:
    """Counts tokens with one tokenizer, or by the stated approximation when it is None."""

    def __init__(self, tokenizer: Tokenizer | None, name: str) -> None:
        self.tokenizer, self.name = tokenizer, name
        self.approximate = tokenizer is None
        self.by_line: bool | None = None  # whether texts may be cut into lines and words; None: not yet tested
        self.cut_word: re.Pattern[str] | None = None  # how the tokenizer itself cuts an ASCII word
        self._added: re.Pattern[str] | None = None  # tokens that are found in a text before it is cut
        self._merge = tokenizer.model.tokenize if tokenizer else list
        self._lines, self._words, self._pieces = Memo(self._line), Memo(self._word), Memo(self._piece)

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, without special tokens added around it."""
        if self.tokenizer is None:
            return [math.ceil(len(text) / CHARACTERS_PER_TOKEN) for text in texts]
        if self.by_line is None:
            self._test(texts)
        known = self._lines
        if not self.by_line:
            new = sorted(set(texts).difference(known))  # the same batches in every process
            known.update(zip(new, self._encode(new), strict=True))
            return [known[text] for text in texts]
        get = known.__getitem__
        return [sum(map(get, LINE.findall(text))) if "\n" in text else get(text) for text in texts]

    def _line(self, line: str) -> int:
        """One line with the line ends behind it; kept also without them, where only the last word differs."""
        bare, words = line.rstrip("\n"), self._words
        if not bare.isprintable() or (self._added and self._added.search(line)):  # a tab, an odd space, ...
            return self._encode([line])[0]
        found = WORD.findall(line) if "  " in bare else line.replace(" ", "\0 ").split("\0")
        total = sum(map(words.__getitem__, found))
        if found and bare != line:
            self._lines[bare] = total - words[found[-1]] + words[found[-1].rstrip("\n")]
        return total

    def _word(self, word: str) -> int:
        if self.cut_word and word.isascii():
            return sum(map(self._pieces.__getitem__, self.cut_word.findall(word)))
        return self._encode([word])[0]

    def _piece(self, piece: str) -> int:
        return len(self._merge(piece.translate(BYTE_LETTERS)))

    def _encode(self, texts: Sequence[str]) -> list[int]:
        assert self.tokenizer is not None
        return [len(encoding) for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def _test(self, texts: Sequence[str]) -> None:
        """Take the finest cut that leaves the counts of some texts, whole and by line, and of hard ones as they are."""
        assert self.tokenizer is not None
        self.by_line = False
        added = list(self.tokenizer.get_added_tokens_decoder().values())
        if any(token.lstrip or token.rstrip or token.single_word or "\n" in token.content for token in added):
            return  # such a token takes the white space around it, wherever a text is cut
        self._added = re.compile("|".join(re.escape(token.content) for token in added)) if added else None
        sample, size = [*HARD, *(f"a {token.content}\n\n{token.content}b" for token in added[:4])], 0
        for text in sorted(texts, key=len, reverse=True):
            if size < TESTED_CHARACTERS:
                sample.append(text[:TESTED_CHARACTERS])
                size += len(sample[-1])
        sample += [line for text in sample for line in text.split("\n")]
        whole = self._encode(sample)
        for cut_word in dict.fromkeys((ascii_cut(self.tokenizer), None)):
            trial = TokenCounter(self.tokenizer, self.name)
            trial.by_line, trial.cut_word, trial._added = True, cut_word, self._added
            if trial.count(sample) == whole:
                self.by_line, self.cut_word = True, cut_word
                return


def ascii_cut(tokenizer: Tokenizer) -> re.Pattern[str] | None:
    """The expression by which a byte-level tokenizer cuts text before its merges, for ASCII; None for another kind."""
    if type(tokenizer.model).__name__ != "BPE" or tokenizer.model.dropout or tokenizer.pre_tokenizer is None:
        return None
    if tokenizer.normalizer is not None and type(tokenizer.normalizer).__name__ != "NFC":  # NFC leaves ASCII alone
        return None
    state = json.loads(bytes(tokenizer.pre_tokenizer.__getstate__()))
    steps = state.get("pretokenizers", [state])
    if [step["type"] for step in steps] != ["Split", "ByteLevel"]:
        return None
    split, byte_level = steps
    plain = split["behavior"] == "Isolated" and not split["invert"]
    if not plain or byte_level["use_regex"] or byte_level["add_prefix_space"]:
        return None
    pattern = split["pattern"].get("Regex", "")
    in_class = re.compile(r"\[[^\]]*\]")  # \p{L} within brackets is a part of them
    pattern = in_class.sub(lambda m: m[0].replace(r"\p{L}", "a-zA-Z").replace(r"\p{N}", "0-9"), pattern)
    pattern = pattern.replace(r"\p{L}", "[a-zA-Z]").replace(r"\p{N}", "[0-9]")
    if not pattern or r"\p" in pattern:
        return None
    try:
        found = re.compile(pattern, re.ASCII)
    except re.error:  # written for another engine
        return None
    return None if found.groups else found


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
        if not required:
            return TokenCounter(None, APPROXIMATION)
        raise UserError(f"{path} is not a fast tokenizer's tokenizer.json: {one_line(error)}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenCounter(tokenizer, name)


def find_file(name: str) -> tuple[Path | None, str]:
    """(tokenizer.json, "") of a file, a folder, the hub's cache or the hub; (None, the reason) when there is none."""
    if len(name) > MAX_NAME or not name.isprintable():  # a log's own word for its model may be anything
        return None, "no such name"
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
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, "tokenizer.json")
        if isinstance(cached, str):
            return Path(cached), ""
        socket.getaddrinfo(urlsplit(ENDPOINT).hostname, None)  # without it the hub's client retries for half a minute
        return Path(hf_hub_download(name, "tokenizer.json", etag_timeout=5)), ""
    except HFValidationError:
        return None, "no such file or folder, and not a name on the hub"
    except Exception as error:  # noqa: BLE001  the hub call: which HTTP library's errors come out differs by release
        return None, f"not here, and the hub gives no answer ({one_line(error, most=120)})"
