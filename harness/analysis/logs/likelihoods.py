"""Multiple choice by likelihood in lm-eval's logs: the option with the highest log-probability is the answer.

Nothing was generated: such a row has the option's letter as its answer, no thought, and no token counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.analysis.logs.golds import options_of
from harness.questions import LETTERS


def pairs_of(record: Mapping[str, Any]) -> list[float] | None:
    """The log-probability of each option; None where the responses are no (log-probability, is it greedy) pairs."""
    responses = record.get("resps") or record.get("filtered_resps")
    if not isinstance(responses, list) or len(responses) < 2:
        return None
    found = []
    for one in map(_innermost, responses):
        if not isinstance(one, list) or len(one) != 2:
            return None
        try:
            found.append(float(one[0]))
        except (TypeError, ValueError):
            return None
    return found


def options_in(record: Mapping[str, Any]) -> tuple[str, list[str]]:
    """(the prompt, what was scored behind it) of a record's requests; no options where these are no continuations.

    Requests without a prompt are lm-eval's for mutual information, behind those of the options.
    """
    arguments = record.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
    if not isinstance(requests, list):
        return "", []
    pairs = [list(one.values()) if isinstance(one, Mapping) else one for one in requests]
    if not all(isinstance(one, list) and len(one) == 2 and all(isinstance(x, str) for x in one) for one in pairs):
        return "", []
    prompt = pairs[0][0] if pairs else ""
    return prompt, [text for context, text in pairs if context == prompt]


def chosen(record: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]] | None:
    """(the prompt, the letter of the likeliest option, the options); None for a record that is no such choice.

    Of options that are bare letters the texts are the problem's own, where it lists as many.
    """
    scores = pairs_of(record)
    prompt, options = options_in(record)
    if scores is None or not 2 <= len(options) <= min(len(scores), len(LETTERS)):
        return None
    best = max(range(len(options)), key=lambda place: scores[place])
    texts = tuple(option.strip() for option in options)
    doc = record.get("doc")
    own = options_of(doc)[0] if isinstance(doc, Mapping) else ()
    bare = all(text.strip("().") == letter for text, letter in zip(texts, LETTERS, strict=False))
    return prompt, LETTERS[best], own if bare and len(own) == len(texts) else texts


def _innermost(value: Any) -> Any:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value
