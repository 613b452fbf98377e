"""Where the thought of a response ends, for every family's marks and for texts that only speak of them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.data.adapters import split_trace
from harness.data.quality import why_dropped
from harness.data.teacher import _reply
from harness.marks import answer_part, holds_delimiter, opened_by, split
from harness.thinking import FAMILIES
from tests.pools import row as pool_row

EVERY = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
THOUGHT, ANSWER = "I guess \\boxed{5}.", "The answer is \\boxed{6}."


@EVERY
def test_every_reader_of_text_finds_the_same_thought(family: Any) -> None:
    text = f"{family.start}{THOUGHT}\n{family.end}{ANSWER}"
    cut = split(text)
    assert (cut.thinking.strip(), cut.answer.strip(), cut.state, cut.name) == (THOUGHT, ANSWER, "closed", family.name)
    assert cut.preface + cut.thinking + cut.closing + cut.answer == text
    reply = _reply({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})
    assert (reply.thinking, reply.attempt) == (THOUGHT, ANSWER)
    assert split_trace(text) == (THOUGHT, ANSWER)


@EVERY
def test_a_thought_that_was_cut_has_no_answer(family: Any) -> None:
    text = f"{family.start}{THOUGHT} Wait"
    if family.name == "channel-words":
        assert split(text).state == "none"  # "analysis" alone may begin any answer
        return
    assert (split(text).state, split(text).thinking.strip()) == ("open", f"{THOUGHT} Wait")
    assert answer_part(text) == ("", True)
    assert answer_part(f"{THOUGHT} Wait", f"the prompt {family.start}") == ("", True)


@EVERY
def test_a_trace_that_holds_marks_is_not_trained_on(family: Any) -> None:
    trace = f"So {family.start} and {family.end} go on"
    assert holds_delimiter(trace) == (not family.plain_words)
    if not family.plain_words:
        assert why_dropped(pool_row(1, thinking=trace, attempt="4")) == "formatting"


@pytest.mark.parametrize(
    ("response", "prompt", "answer", "cut"),
    [
        ("It is 5.", "", "It is 5.", False),
        ("hm</think>It is 5.", "", "It is 5.", False),  # the prompt that opened it is not known
        ("hm</think>It is 5.", "Q<think>\n", "It is 5.", False),
        ("It is \\boxed{5}", "Q<think>\n", "", True),
        ("It is 5.", "Q<think>\n\n</think>\n\n", "It is 5.", False),  # closed before
        ("<think>hm</think>It is 5.", "Q<think>\n", "It is 5.", False),  # written again
        ("<think>a</think>b</think>c", "", "c", False),
        ("<think>a</think>b<think>c", "", "", True),
        ("Use the <think> tag. It is 5.", "", "Use the <think> tag. It is 5.", False),
        ("Write `<think>` first: 5", "", "Write `<think>` first: 5", False),
        ("<THINK>hm</THINK>5", "", "5", False),
        ("analysis hm assistantfinal 5", "", "5", False),
        ("### Thinking\nhm\n### Final Response\n5", "", "5", False),
        ("<deep_thought>hm</deep_thought>5", "", "5", False),  # no table knows it
        ("hm</think:open>5<｜eos｜>", "", "5", False),
        ("<|thinking_start|>\\boxed{5}", "", "", True),
        ("hm</think><answer>5</answer>", "", "<answer>5</answer>", False),  # the grader reads the tags
        ("hm</think><response>5</response><|end_of_text|>", "", "5", False),
        ("5<seed:eos>", "", "5", False),
        ("5[e~[", "", "5", False),
        ("5\n<|im_end|>\n<|im_start|>user\n6", "", "5\n", False),
        ("a < b and c <think", "", "a < b and c <think", False),
        ("5", "Answer behind [BEGIN FINAL RESPONSE].<|assistant|>", "", True),
        ("hm [BEGIN FINAL RESPONSE]5[END FINAL RESPONSE]", "", "5", False),
    ],
)
def test_an_answer_begins_where_the_last_thought_ends(response: Any, prompt: Any, answer: Any, cut: Any) -> None:
    assert answer_part(response, prompt) == (answer, cut)


def test_a_prompt_opens_a_thought_only_at_its_end() -> None:
    assert opened_by("Q<|im_start|>assistant\n<think>\n") is not None
    assert opened_by("Think between <think> and </think>.<|im_start|>assistant\n") is None
    assert opened_by("") is None


def test_a_long_response_is_read_in_time_that_grows_with_its_length() -> None:
    import time

    def seconds(text: str) -> float:
        start = time.perf_counter()
        answer_part(text)
        return time.perf_counter() - start

    for piece in ("<think>", "</think", "<|", "[", "<think> tag ", "a\n"):
        assert seconds(piece * (400_000 // len(piece))) < 2, piece
