"""What a model of ours hands lm-eval: the text, with what the text alone does not tell its grader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.grading import grade
from harness.grading.verdict import Kind, Verdict
from harness.records import Generation


class Response(str):
    """A response, with the part of it behind the thought, and whether it is whole (False: cut by its cap).

    lm-eval passes it through its filters as it is; its cache and its logs hold the text alone.
    """

    answer_part: str
    final: bool

    @classmethod
    def of(cls, text: str, row: Generation) -> Response:
        """`text`, which is the response of `row` or what a task is to see of it."""
        made = cls(text)
        made.answer_part, made.final = row.answer_part, row.answer_finish != "length"
        return made


def verdict(response: str, doc: Mapping[str, Any]) -> Verdict:
    """The grader's verdict on a response of any model, of one of ours as `harness evaluate` gives it."""
    kind: Kind = doc["kind"]
    text, final = (response.answer_part, response.final) if isinstance(response, Response) else (response, True)
    return grade(text, doc["answer"], kind, choices=doc["choices"], final=final, question=doc.get("problem", ""))
