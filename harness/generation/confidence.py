"""How sure the model was of its answer: the log-probabilities of the tokens that the extracted answer consists of."""

from __future__ import annotations

import re

from harness.records import Generation


def logprob_columns(generation: Generation, extracted: str | None) -> dict[str, float | None]:
    """Mean and least log-probability, in nats, of the extracted answer's tokens; None where they are not known."""
    known = extracted_logprobs(generation, extracted) if extracted else ()
    return {
        "answer_logprob_mean": sum(known) / len(known) if known else None,
        "answer_logprob_min": min(known, default=None),
    }


def extracted_logprobs(generation: Generation, extracted: str) -> tuple[float, ...]:
    """The log-probabilities, in nats, of the tokens of `extracted` where it stands last in the answer.

    Empty where they are not known, and where the answer does not say `extracted` literally.
    """
    if not generation.answer_logprobs:
        return ()
    places = list(re.finditer(_standing_alone(extracted), generation.answer, re.IGNORECASE))
    if not places:
        return ()
    found = places[-1]
    starts = (0, *generation.answer_ends[:-1])
    return tuple(
        logprob
        for logprob, start, end in zip(generation.answer_logprobs, starts, generation.answer_ends, strict=True)
        if start < found.end() and end > found.start()
    )


def _standing_alone(text: str) -> str:
    """A pattern for `text` that is no part of a longer word or number."""
    before = r"(?<![A-Za-z0-9])" if text[:1].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if text[-1:].isalnum() else ""
    return before + re.escape(text) + after
