"""From strings to ids: what a budget, a thinking format and a tokenizer mean for one prompt."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any
from weakref import WeakKeyDictionary

from harness.config import Budget, Sampling
from harness.errors import UserError
from harness.generation.budget import Rules
from harness.generation.text_ends import TextEnds
from harness.thinking import ThinkingFormat

logger = logging.getLogger(__name__)
SOFT_END = re.compile(r"(?:\n|[.!?\u2026\u3002\uff01\uff1f][\"')\]\u201d]*)[ \t]*$")
NUMBER_POINT = re.compile(r"\d\.$")
SOFT_WINDOW = 8  # tokens of a thought's end that are looked at for it
PART = "\ufffd"  # what a token decodes to that holds a part of a character
MIN_ANSWER_TOKENS = 100  # what a numeric budget always leaves to the answer (s1 leaves its `auto` as much)


# Decoding a vocabulary of 150,000 takes seconds: once a tokenizer.
_token_texts: WeakKeyDictionary[Any, dict[int, str]] = WeakKeyDictionary()


class PromptTooLongError(Exception):
    """This prompt leaves no room in the model's context: an error of one row, not of the run."""


class Vocabulary:
    """A tokenizer seen through the few questions that budget forcing asks of it."""

    def __init__(self, tokenizer: Any, eos_ids: Sequence[int] = ()) -> None:
        self.tokenizer = tokenizer
        own = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        self.eos_ids = tuple(dict.fromkeys([*own, *eos_ids]))

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids of `text` tokenised alone, special tokens recognised, nothing added."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False)) if text else ()

    def decode(self, ids: Sequence[int]) -> str:
        """The exact text of `ids`: special tokens kept, no clean-up of spaces."""
        if not ids:
            return ""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text)

    def ends(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Where each of `ids` ends in their text, in characters; tokens that share a character end behind it."""
        texts = [self.token_texts.get(i, PART) for i in ids]
        found: list[int] = []
        position = 0
        for partial, run in groupby(range(len(ids)), key=lambda n: PART in texts[n]):
            places = list(run)
            if partial:
                position += len(self.decode([ids[n] for n in places]))
                found += [position] * len(places)
            else:
                found += accumulate((len(texts[n]) for n in places), initial=position)
                del found[-len(places) - 1]
                position = found[-1]
        if position == len(self.decode(ids)):
            return tuple(found)
        return tuple(len(self.decode(ids[: n + 1])) for n in range(len(ids)))  # a token's text depends on the others

    def bias_ids(self, biases: Sequence[tuple[int | str, float]]) -> tuple[tuple[int, float], ...]:
        """`biases` by token id. Raises `UserError` for a text that is not one token, and an id that is none."""
        known = set(self.tokenizer.get_vocab().values()) if biases else set()
        found = []
        for key, bias in biases:
            ids = self.encode(key) if isinstance(key, str) else (key,)
            if len(ids) != 1:
                raise UserError(f"logit_bias {key!r}: the tokenizer makes {len(ids)} tokens of it; give token ids")
            if ids[0] not in known:
                raise UserError(f"logit_bias {key}: the tokenizer has no such id; its largest is {max(known)}")
            found.append((ids[0], bias))
        return tuple(found)

    @property
    def token_texts(self) -> dict[int, str]:
        """The text of each id decoded alone."""
        if self.tokenizer not in _token_texts:
            ids = sorted(set(self.tokenizer.get_vocab().values()))
            texts = self.tokenizer.batch_decode([[i] for i in ids], clean_up_tokenization_spaces=False)
            _token_texts[self.tokenizer] = dict(zip(ids, texts, strict=True))
        return _token_texts[self.tokenizer]

    @cached_property
    def newline_tokens(self) -> frozenset[int]:
        r"""Ids whose text ends in a newline: also `.\n` and `\n\n`, which a comparison with tok("\n") would miss."""
        return frozenset(i for i, text in self.token_texts.items() if text.endswith("\n"))

    @cached_property
    def soft_tokens(self) -> frozenset[int]:
        """Ids that the end of a line or sentence can have as its last."""
        return frozenset(i for i, text in self.token_texts.items() if SOFT_END.search(text))

    def at_soft_end(self, ids: Sequence[int]) -> bool:
        """Whether the text of `ids` ends with a line or a sentence; the point of a number ("3.") ends none."""
        text = self.decode(ids[-SOFT_WINDOW:])
        return bool(SOFT_END.search(text)) and not NUMBER_POINT.search(text)

    @cached_property
    def added_tokens(self) -> frozenset[int]:
        """Ids of the tokens that text is cut at before it is tokenised (`<|im_start|>`): they have one spelling."""
        return frozenset(self.tokenizer.get_added_vocab().values())

    def missing_ids(self, num_embeddings: int) -> tuple[int, ...]:
        """Ids the model can emit but the tokenizer does not know (Qwen2.5 pads 151,665 to 152,064); to be masked."""
        known = set(self.tokenizer.get_vocab().values())
        return tuple(i for i in range(num_embeddings) if i not in known)


@dataclass(frozen=True)
class Delimiters:
    """A thinking format in ids, for one vocabulary."""

    start: tuple[int, ...]
    natural: tuple[int, ...]
    forced: tuple[int, ...]
    newline: tuple[int, ...]
    ends: tuple[tuple[int, ...], ...]
    text_ends: TextEnds | None
    answer_ends: frozenset[int]
    answer_stop_strings: tuple[str, ...]  # answer stops that are no token of their own: found in the text

    @classmethod
    def of(cls, vocabulary: Vocabulary, thinking: ThinkingFormat) -> Delimiters:
        """The delimiters of `thinking` as token ids of `vocabulary`."""
        stops = {stop: vocabulary.encode(stop) for stop in thinking.stops if stop}
        # A stop with a token of its own is that token (and what follows it). Plain text has many tokenisations: the
        # model that means "</think>" may write ".</", "think", ">\n". It is found in the text, however it is written.
        plain = tuple(stop for stop, ids in stops.items() if not vocabulary.added_tokens.intersection(ids))
        ends = dict.fromkeys(ids for stop, ids in stops.items() if stop not in plain or len(ids) == 1)
        for stop in plain:
            if len(stops[stop]) > 3:
                logger.warning(
                    "the tokenizer has no token for %r (it takes %d), and a model that was not trained on it will"
                    " hardly write it; is '%s' this model's thinking format?",
                    stop,
                    len(stops[stop]),
                    thinking.name,
                )
        answer_stops = {stop: vocabulary.encode(stop) for stop in thinking.answer_stops}
        answer_ends = {ids[0] for ids in answer_stops.values() if len(ids) == 1}
        return cls(
            start=vocabulary.encode(thinking.thinking_start),
            natural=vocabulary.encode(thinking.thinking_end),
            # Together, as the model saw them in training: joint and piecewise tokens can differ
            forced=vocabulary.encode(thinking.thinking_end + thinking.final_answer),
            newline=vocabulary.encode("\n"),
            ends=(*ends, *((i,) for i in vocabulary.eos_ids if (i,) not in ends)),
            text_ends=TextEnds.of(plain, vocabulary.decode, vocabulary.token_texts) if plain else None,
            answer_ends=frozenset(answer_ends | set(vocabulary.eos_ids)),
            answer_stop_strings=tuple(
                stop for stop, ids in answer_stops.items() if len(ids) > 1 or ids[0] not in vocabulary.added_tokens
            ),
        )


def budget_tokens(
    budget: Budget, sampling: Sampling, delimiters: Delimiters, prompt_tokens: int, max_model_len: int
) -> int:
    """The thinking budget in force for a prompt of `prompt_tokens` (thinking_start included), "auto" resolved.

    "auto" is the context minus this prompt, the closing tokens and the whole answer's room; a number is cut to what
    leaves `MIN_ANSWER_TOKENS`. Raises `PromptTooLongError` when nothing is left.
    """
    closing = len(delimiters.newline) + max(len(delimiters.forced), len(delimiters.natural))
    free = max_model_len - prompt_tokens - closing
    wanted = budget.max_thinking_tokens
    kept = sampling.answer_room if wanted == "auto" else min(MIN_ANSWER_TOKENS, sampling.max_answer_tokens)
    limit = free - kept - budget.grace_tokens
    if limit < 0 or (limit == 0 and wanted != 0):
        raise PromptTooLongError(
            f"the prompt has {prompt_tokens} tokens; with {closing} for the delimiters and {kept} for the answer it"
            f" leaves no room to think in the context of {max_model_len}"
        )
    return limit if wanted == "auto" else min(wanted, limit)


def make_rules(
    budget: Budget,
    sampling: Sampling,
    vocabulary: Vocabulary,
    delimiters: Delimiters,
    *,
    caps: tuple[int, ...],
    prompt_ids: Sequence[int],
    max_model_len: int,
    answer_stop: Callable[[Sequence[int]], bool] | None = None,
) -> Rules:
    """The machine's rules for one prompt. `caps`: the budget in force in each thinking round."""
    return Rules(
        caps=caps,
        ignores=ignore_ids(budget, vocabulary, delimiters),
        ends=delimiters.ends,
        text_ends=delimiters.text_ends,
        natural_closing=delimiters.natural,
        forced_closing=delimiters.forced,
        newline=delimiters.newline,
        answer_ends=delimiters.answer_ends,
        max_answer_tokens=sampling.max_answer_tokens,
        room=max_model_len - len(prompt_ids),
        newline_tokens=vocabulary.newline_tokens,
        after_newline=bool(prompt_ids) and prompt_ids[-1] in vocabulary.newline_tokens,
        min_thinking_tokens=budget.min_thinking_tokens,
        stop_on_loop=budget.stop_on_loop,
        answer_stop=answer_stop,
        grace=budget.grace_tokens,
        soft_end=vocabulary.at_soft_end,
        soft_tokens=vocabulary.soft_tokens if budget.grace_tokens else frozenset(),
        wrap_up=safe_ids("wrap_up_str", budget.wrap_up_str, vocabulary, delimiters),
        wrap_up_at=budget.wrap_up_tokens,
    )


def ignore_ids(budget: Budget, vocabulary: Vocabulary, delimiters: Delimiters) -> tuple[tuple[int, ...], ...]:
    """The ignore strings in ids, each tokenised alone as s1 does; raises `UserError` if one would end the thought."""
    if budget.num_ignores == 0 or budget.ignore_str is None:
        return ()
    strings = (budget.ignore_str,) if isinstance(budget.ignore_str, str) else budget.ignore_str
    ignores = tuple(safe_ids("the ignore string", string, vocabulary, delimiters) for string in strings)
    return ignores if any(ignores) else ()


def safe_ids(what: str, string: str, vocabulary: Vocabulary, delimiters: Delimiters) -> tuple[int, ...]:
    """The ids of a `string` that is put into a thought. Raises `UserError` if it would end that."""
    ids = vocabulary.encode(string)
    found = [end for end in (delimiters.text_ends.strings if delimiters.text_ends else ()) if end in string]
    for end in delimiters.ends:
        if any(ids[i : i + len(end)] == end for i in range(len(ids) - len(end) + 1)):
            found.append(vocabulary.decode(end))
    if found:
        raise UserError(f"{what} {string!r} contains {found[0]!r}, which ends the thought; use another string")
    return ids


def derive_seed(*parts: object) -> int:
    """A seed in 0 .. 2**31 - 1 that depends on every part, the same on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
