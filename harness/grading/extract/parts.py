"""Which part of a response is its answer: what follows the thought, by the table of thinking formats."""

from __future__ import annotations

from harness import marks
from harness.grading.limits import MAX_RESPONSE_CHARS


def answer_part(response: str, prompt: str = "") -> tuple[str, bool]:
    """(what follows the thought, whether the thought is still open). Without any delimiter, the whole response.

    `prompt` is looked at for one thing: where it opened the thought and `response` never ends it, the response is a
    thought that was cut.
    """
    return marks.answer_part(response[-MAX_RESPONSE_CHARS:], prompt)
