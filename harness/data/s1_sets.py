"""The sets that s1 published, as pool rows: s1K, s1K-1.1, their `_tokenized` forms, and the 59K ablation set.

Sources: simplescaling/s1K, s1K-1.1, s1K_tokenized, s1K-1.1_tokenized and data_ablation_full59K (arXiv 2501.19393).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from harness.data import sources
from harness.data.schema import BadRowError, Row, optional_text, row, text_of
from harness.data.traces import ASSISTANT, THINK, split_response
from harness.grading.extract.answer import last_box

# Sources whose `solution` is the answer and nothing else.
WHOLE_SOLUTION = ("AIME", "JEEBench", "TheoremQA", "xword", "AGIEval", "SciEval", "s1-teasers", "GPQA")
STATED = re.compile(r"Answer:\s*\(?([A-J])\)?\.?\s*\Z")  # how a solution of GPQA ends
OWN_TEXT = "text"  # metadata: the set's own training text, as it is trained (`harness.training.text`)
LETTERS = re.compile(r"\(?([A-J]{1,4})\)?\.?\Z")
CHOICES = ("GPQA", "JEEBench", "AGIEval")


def question_hash(question: str) -> str:
    """s1's own `question_hash`, so that what is published under it joins."""
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()


def gold_of(source: str, solution: str) -> tuple[str, bool]:
    r"""(the gold answer that s1 reads out of `solution`, whether it is an option's letter).

    It is a \boxed{}, or for some sources the whole solution; "" where a proof or a program has none.
    """
    if boxed := last_box(solution):
        return boxed[2], False
    if not source.startswith(WHOLE_SOLUTION):
        return "", False
    stated = STATED.search(solution)
    answer = stated[1] if stated else solution.strip()
    letters = LETTERS.match(answer) if source.startswith(CHOICES) else None
    return (letters[1], True) if letters else (answer, False)


def from_s1(record: Mapping[str, Any], name: str, index: int) -> Row:
    """s1K, s1K-1.1 (its DeepSeek r1 traces, as s1.1 trained on) and the 59K ablation set."""
    question = text_of(record, "question")
    trace, attempt = record.get("deepseek_thinking_trajectory"), record.get("deepseek_attempt")
    grade = record.get("deepseek_grade")
    if trace is None:
        trace = record.get("gemini_thinking_trajectory") or joined(record.get("thinking_trajectories"))
        attempt, grade = record.get("gemini_attempt") or record.get("attempt"), record.get("gemini_grade")
    references = [record.get(key) for key in ("isqwen7bcorrect", "isqwen32bcorrect")]
    kept = {key: record[key] for key in ("metadata", "cot_type") if record.get(key) is not None}
    if grade is not None:
        kept["attempt_correct"] = str(grade).strip().lower() == "yes"
    length = record.get("gemini_length", record.get("genmini_length"))
    source_type = optional_text(record, "source_type")
    source = sources.name_of(source_type)
    if source_type != source:
        kept["source_type"] = source_type
    answer, is_choice = gold_of(source, optional_text(record, "solution"))
    if is_choice:
        kept["kind"] = "choice"
    text = record.get("text")
    if isinstance(text, str) and text.count(ASSISTANT) == 1:
        kept[OWN_TEXT] = text
    return row(
        {
            "id": question_hash(question),
            "question": question,
            "solution": record.get("solution"),
            "answer": answer,
            "source": source,
            "domain": record.get("domain"),
            "thinking": trace,
            "attempt": attempt,
            "metadata": kept,
            "thinking_tokens": length,
            "reference_correct": references if any(isinstance(value, bool) for value in references) else None,
        }
    )


def joined(parts: Any) -> str:
    """s1 keeps a trace as a list of parts, which may have become text on the way."""
    if isinstance(parts, str):
        try:
            parts = json.loads(parts)
        except (ValueError, RecursionError):
            return str(parts)
    return "\n".join(part for part in parts if isinstance(part, str)) if isinstance(parts, list) else ""


# How a whole chat was written as text: what opens the user's turn, what ends it, what opens the assistant's.
CHATS = (
    ("<|im_start|>user\n", "<|im_end|>", ASSISTANT),
    ("<|start_header_id|>user<|end_header_id|>", "<|eot_id|>", "<|start_header_id|>assistant<|end_header_id|>"),
    ("<｜User｜>", "", "<｜Assistant｜>"),
    ("<|user|>", "<|end|>", "<|assistant|>"),
    ("<start_of_turn>user\n", "<end_of_turn>", "<start_of_turn>model\n"),
    ("[INST]", "", "[/INST]"),
    ("### Instruction:", "", "### Response:"),
    ("Human:", "", "\nAssistant:"),
    ("User:", "", "\nAssistant:"),
    ("Question:", "", "\nAnswer:"),
)


TOKENS = 5  # of these are special tokens, which no question's own words hold


def question_in(prompt: str) -> str:
    """The last question of a prompt that is the text of a chat; any other prompt as it is."""
    for user, end, assistant in CHATS[:TOKENS]:
        if user in prompt:
            question = prompt.rpartition(user)[2].partition(assistant)[0]
            return (question.partition(end)[0] if end else question).strip()
    return prompt


def from_text(record: Mapping[str, Any], name: str, index: int) -> Row:
    """A whole chat as `text` (the `_tokenized` forms, TRL's text column): the last question is read out of it."""
    text = text_of(record, "text")
    for user, end, assistant in CHATS:
        before, found, response = text.rpartition(assistant)
        if not found or user not in before:
            continue
        question = before.rpartition(user)[2]
        question = question.rpartition(end)[0] if end and end in question else question
        own = text.count(ASSISTANT) == 1 and THINK in text
        question = question if own else question.strip()
        found_in = split_response(text if own else response)
        new = {"id": question_hash(question), "question": question, "metadata": {OWN_TEXT: text} if own else {}}
        return row({**new, "thinking": found_in.thinking, "attempt": found_in.attempt})
    raise BadRowError(
        "'text' holds no '<|im_start|>user' turn, nor another chat's; give the question and the trace as columns"
    )
