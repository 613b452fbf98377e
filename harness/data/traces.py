"""Where a trace ends in what a model or a teacher wrote: thinking and answer, without the delimiters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.grading.extract.answer import last_box
from harness.marks import split, without_turn_end
from harness.thinking import FAMILIES, S1

THINK, ANSWER, ASSISTANT = S1.thinking_start, S1.thinking_end, "<|im_start|>assistant\n"
ANSWER_TAG = re.compile(r"<(answer|output|response|solution)>", re.IGNORECASE)  # of more families than one
ANSWER_ENDS = tuple(end for family in FAMILIES for end in family.answer_end)


@dataclass(frozen=True)
class Response:
    """What one response holds. `state`: none (no thought is marked), open (it is never ended: cut), closed."""

    thinking: str
    attempt: str
    state: str


def split_response(text: str) -> Response:
    """The thought and the answer of one assistant's turn, whatever family's marks it has."""
    if THINK in text or ANSWER in text:
        thinking, attempt = split_trace(text)
        return Response(thinking, attempt, "closed" if attempt else "open")
    cut = split(text)
    if cut.state == "none":
        return Response("", without_turn_end(text).strip(), "none")
    return Response(cut.thinking.strip(), _without_answer_end(without_turn_end(cut.answer).strip()), cut.state)


def _without_answer_end(answer: str) -> str:
    for end in ANSWER_ENDS:
        answer = answer.removesuffix(end).rstrip()
    if (tag := ANSWER_TAG.match(answer)) and f"</{tag[1]}" not in answer:
        return answer[tag.end() :].lstrip()
    return answer


def without_wrapper(thinking: str) -> str:
    """A trace that stands whole between one pair of marks, without them; any other as it is."""
    cut = split(thinking)
    return cut.thinking.strip() if cut.state == "closed" and not cut.answer.strip() else thinking


def split_whole(thinking: str) -> Response:
    """What a column for thoughts holds where it holds the whole response, beginning with its mark; else no attempt."""
    cut = split(thinking)
    if cut.state != "closed" or len(cut.preface.split()) > 1:
        return Response(thinking, "", "none")
    return split_response(thinking)


def split_trace(text: str) -> tuple[str, str]:
    """Thinking and answer of a chat text, in s1's format or another family's, without the delimiters.

    A model that restarted (`think` again after `answer`) keeps every part; the answer is the last section.
    """
    body = text.rpartition(ASSISTANT)[2] if text.count(ASSISTANT) == 1 else text.partition(ASSISTANT)[2] or text
    if THINK not in body and ANSWER not in body:  # another family's; HyperCLOVA's thought is a turn of its own
        for part in (body, text) if "assistant/think\n" in text else (body,):
            if (cut := split(part)).state != "none":
                return cut.thinking.strip(), _without_answer_end(without_turn_end(cut.answer).strip())
    thinking, _, attempt = body.rpartition(ANSWER)
    if not thinking or THINK in attempt:
        thinking, attempt = body, ""
    clean = re.sub(r"<\|im_start\|>(?:think|answer|assistant)?|<\|im_end\|>", "", thinking)
    return clean.strip(), re.sub(r"<\|im_(?:start|end)\|>", "", attempt).strip()


def last_result(thinking: str) -> str:
    r"""The last \boxed{...} of a trace, in the words of an answer section; nothing if it states none."""
    found = last_box(thinking)
    return f"Final Answer: $\\boxed{{{found[2]}}}$" if found else ""
