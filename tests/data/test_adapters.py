"""harness.data.adapters: published sets become pool rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.data import adapters
from harness.data.s1_sets import question_hash
from harness.data.schema import BadRowError, Row
from harness.data.traces import split_trace
from tests.pools import shared

CHAT = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"
S1_TEXT = CHAT + "<|im_start|>think\nTwo and two.\n<|im_start|>answer\nAnswer: 4<|im_end|>\n"


def adapt(record: dict[str, Any], name: str, index: int, **told: str) -> Row:
    """The one row of a record."""
    (row,) = adapters.adapt(record, name, index, told).rows
    return row


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (S1_TEXT, ("Two and two.", "Answer: 4")),
        (CHAT + "<|im_start|>think\nTwo.\n\\boxed{4}", ("Two.\n\\boxed{4}", "")),
        (CHAT + "<|im_start|>think\nTwo.\n<|im_start|>\n", ("Two.", "")),
        # it answered, went back to thinking, and answered again: the last answer counts
        (
            CHAT + "<|im_start|>think\nA\n<|im_start|>answer\n3\nWait\n<|im_start|>think\nB\n<|im_start|>answer\n4",
            ("A\n\n3\nWait\n\nB", "4"),
        ),
        (CHAT + "<|im_start|>think\nA\n<|im_start|>answer\n3\nWait\n<|im_start|>think\nB", ("A\n\n3\nWait\n\nB", "")),
    ],
)
def test_a_chat_text_is_split_into_thinking_and_answer(text: str, expected: tuple[str, str]) -> None:
    assert split_trace(text) == expected


def test_s1k_1_1_gives_the_deepseek_trace_and_its_grade() -> None:
    row = adapt(
        {
            "question": "Q",
            "solution": "S",
            "cot_type": "math",
            "source_type": "qfq/openaimath/Algebra",
            "metadata": "{'level': 5}",
            "gemini_thinking_trajectory": "g",
            "gemini_attempt": "ga",
            "gemini_grade": "No",
            "deepseek_thinking_trajectory": "d",
            "deepseek_attempt": "da",
            "deepseek_grade": "Yes",
        },
        "s1K-1.1",
        0,
    )
    assert (row["thinking"], row["attempt"], row["source"]) == ("d", "da", "MATH")
    metadata = json.loads(row["metadata"])
    assert metadata["attempt_correct"] is True
    assert metadata["source_type"] == "qfq/openaimath/Algebra"
    assert metadata["metadata"] == "{'level': 5}"


def test_s1k_joins_its_trajectory_parts_and_keeps_the_reference_grades() -> None:
    row = adapt(
        {
            "question": "Q",
            "solution": "S",
            "source_type": "Idavidrein/gpqa",
            "thinking_trajectories": ["a", "b"],
            "attempt": "x",
            "isqwen7bcorrect": False,
            "isqwen32bcorrect": True,
            "text": S1_TEXT,
        },
        "59K",
        0,
    )
    assert (row["thinking"], row["attempt"], row["source"]) == ("a\nb", "x", "GPQA")
    assert row["reference_correct"] == [False, True]


def test_a_tokenized_set_of_text_alone_is_read_back() -> None:
    row = adapt({"text": S1_TEXT}, "s1K_tokenized", 0)
    assert (row["question"], row["thinking"], row["attempt"]) == ("What is 2+2?", "Two and two.", "Answer: 4")


def test_limo_holds_trace_and_answer_in_its_solution() -> None:
    record = {"question": "Q", "solution": "Long thought.\n\\boxed{\\frac{1}{2}}.", "answer": "1/2"}
    row = adapt(record, "GAIR/LIMO", 0)
    assert row["thinking"] == record["solution"]
    assert row["attempt"] == "Final Answer: $\\boxed{\\frac{1}{2}}$"
    plain = adapt(record, "mine", 0)  # the same columns in a set of the user's: a solution is a solution
    assert (plain["thinking"], plain["solution"]) == ("", record["solution"])


def test_a_record_of_no_known_shape_says_what_it_has() -> None:
    with pytest.raises(BadRowError, match="no known shape: columns colour, size"):
        adapt({"colour": "p", "size": "t"}, "x", 0)
    with pytest.raises(BadRowError, match=r"no '<\|im_start\|>user' turn"):
        adapt({"text": "hello"}, "x", 0)


@pytest.mark.parametrize(
    ("source_type", "solution", "answer", "is_choice"),
    [
        ("qq8933/AIME_1983_2024", "25", "25", False),
        ("Idavidrein/gpqa", "The field vanishes.\n\nAnswer: C", "C", True),
        ("daman1209arora/jeebench/phy", "AB", "AB", True),
        ("daman1209arora/jeebench/math", "3.50", "3.50", False),
        ("TIGER-Lab/TheoremQA/float", "0.25", "0.25", False),
        ("0xharib/xword1", "NILE", "NILE", False),
        ("baber/agieval/lsat_ar", "(D)", "D", True),
        ("baber/agieval/math_agieval", "12", "12", False),
        ("OpenDFM/SciEval/biology", "water", "water", False),
        ("simplescaling/s1-teasers", "3/4", "3/4", False),
        ("qfq/openaimath/Algebra", r"So $\boxed{7}$.", "7", False),
        ("AI-MO/NuminaMath-CoT/aops_forum", "A long proof.", "", False),
    ],
)  # source: the rules by which s1's filter notebook reads the answer of each source
def test_the_gold_of_an_s1_row_is_read_from_where_its_source_puts_it(
    source_type: str, solution: str, answer: str, is_choice: bool
) -> None:
    record = {
        "question": "Q",
        "solution": solution,
        "source_type": source_type,
        "cot_type": "math",
        "thinking_trajectories": ["t"],
        "attempt": "a",
    }
    row = adapt(record, "59K", 0)
    assert row["answer"] == answer
    assert (json.loads(row["metadata"]).get("kind") == "choice") is is_choice
    assert row["id"] == question_hash("Q")  # s1's own hash, so that what it published joins


def test_no_real_trace_keeps_a_delimiter_and_nearly_all_state_a_result() -> None:
    folder = shared("sft_pool")
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").split("\n")
        adapted = [adapt(json.loads(line), path.stem, i) for i, line in enumerate(lines) if line]
        assert not any("<|im_" in row["thinking"] + row["attempt"] for row in adapted)
        assert all(row["question"] and row["answer"] for row in adapted)
        assert sum(not row["attempt"] for row in adapted) <= 0.01 * len(adapted)
