"""Published training sets, recognised by their columns and brought to the pool's schema.

`adapt(record, ...)` looks at the keys of one record. What a set does not say stays empty.
Sources: simplescaling/s1K, s1K-1.1, s1K_tokenized and data_ablation_full59K (arXiv 2501.19393), GAIR/LIMO (817 rows),
and the traces of "Self-Taught Reasoning with Budget Forcing" (sft_pool).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.data import domains, sources
from harness.data.schema import SCHEMA, BadRowError, Row, metadata_of, row
from harness.grading.extract.answer import last_box
from harness.marks import split, without_turn_end
from harness.thinking import S1

THINK, ANSWER, ASSISTANT = S1.thinking_start, S1.thinking_end, "<|im_start|>assistant\n"


def question_id(question: str, salt: str = "") -> str:
    """An id for a source that has none: 16 hex digits from the question (and `salt`: the trace, the set's name)."""
    return hashlib.sha256(f"{salt}\0{question}".encode()).hexdigest()[:16]


def from_pool(record: Mapping[str, Any], name: str, index: int) -> Row:
    """Our own schema; a missing id is derived from question and trace, columns that are not ours go to metadata."""
    extra = {key: value for key, value in record.items() if key not in SCHEMA.names}
    if extra:
        record = {key: value for key, value in record.items() if key in SCHEMA.names}
        record["metadata"] = {**metadata_of(row(record)), **extra}
    new = row(record)
    return new if new["id"] else {**new, "id": question_id(new["question"], new["thinking"])}


def from_sft_pool(record: Mapping[str, Any], name: str, index: int) -> Row:
    """A whole chat text in s1's format, mostly without the answer section: the last stated result is the answer."""
    thinking, attempt = split_trace(_text(record, "model_response"))
    if not attempt:
        attempt = _last_result(thinking)
    correct = record.get("is_correct")
    kept = {key: record[key] for key in ("index", "steps", "is_correct", "truncated") if key in record}
    question = _text(record, "problem")
    return row(
        {
            "id": f"{name}/{record.get('index', index)}",
            "question": question,
            "answer": record.get("ground_truth"),
            "source": "MATH",
            "domain": domains.by_keywords(question),
            "thinking": thinking,
            "attempt": attempt,
            "metadata": {**kept, "domain_by": "keywords", "reference_model": "the trace's own"},
            "reference_answers": [attempt],
            "reference_correct": [correct] if isinstance(correct, bool) else None,
        }
    )


def split_trace(text: str) -> tuple[str, str]:
    """Thinking and answer of a chat text, in s1's format or another family's, without the delimiters.

    A model that restarted (`think` again after `answer`) keeps every part; the answer is the last section.
    """
    body = text.rpartition(ASSISTANT)[2] if text.count(ASSISTANT) == 1 else text.partition(ASSISTANT)[2] or text
    if THINK not in body and ANSWER not in body and (cut := split(body)).state != "none":  # another family's
        return cut.thinking.strip(), without_turn_end(cut.answer).strip()
    thinking, _, attempt = body.rpartition(ANSWER)
    if not thinking or THINK in attempt:
        thinking, attempt = body, ""
    clean = re.sub(r"<\|im_start\|>(?:think|answer|assistant)?|<\|im_end\|>", "", thinking)
    return clean.strip(), re.sub(r"<\|im_(?:start|end)\|>", "", attempt).strip()


def _last_result(thinking: str) -> str:
    r"""The last \boxed{...} of a trace, in the words of an answer section; nothing if it states none."""
    found = last_box(thinking)
    return f"Final Answer: $\\boxed{{{found[2]}}}$" if found else ""


def from_s1(record: Mapping[str, Any], name: str, index: int) -> Row:
    """s1K, s1K-1.1 (its DeepSeek r1 traces, as s1.1 trained on) and the 59K ablation set."""
    question = _text(record, "question")
    trace, attempt = record.get("deepseek_thinking_trajectory"), record.get("deepseek_attempt")
    grade = record.get("deepseek_grade")
    if trace is None:
        trace = record.get("gemini_thinking_trajectory") or _joined(record.get("thinking_trajectories"))
        attempt, grade = record.get("gemini_attempt") or record.get("attempt"), record.get("gemini_grade")
    boxed = last_box(_optional_text(record, "solution"))
    references = [record.get(key) for key in ("isqwen7bcorrect", "isqwen32bcorrect")]
    kept = {key: record[key] for key in ("metadata", "cot_type") if record.get(key) is not None}
    if grade is not None:
        kept["attempt_correct"] = str(grade).strip().lower() == "yes"
    length = record.get("gemini_length", record.get("genmini_length"))
    source_type = _optional_text(record, "source_type")
    source = sources.name_of(source_type)
    if source_type != source:
        kept["source_type"] = source_type
    return row(
        {
            "id": question_id(question),
            "question": question,
            "solution": record.get("solution"),
            "answer": boxed[2] if boxed else None,
            "source": source,
            "domain": record.get("domain"),
            "thinking": trace,
            "attempt": attempt,
            "metadata": kept,
            "thinking_tokens": length,
            "reference_correct": references if any(isinstance(value, bool) for value in references) else None,
        }
    )


def from_text(record: Mapping[str, Any], name: str, index: int) -> Row:
    """The `_tokenized` forms when only `text` is left: the question is read out of the chat text."""
    text = _text(record, "text")
    user = re.search(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", text, re.DOTALL)
    if user is None:
        raise BadRowError("'text' holds no '<|im_start|>user' turn")
    thinking, attempt = split_trace(text)
    question = user.group(1).strip()
    return row({"id": question_id(question), "question": question, "thinking": thinking, "attempt": attempt})


def from_limo(record: Mapping[str, Any], name: str, index: int) -> Row:
    """LIMO's `solution` is the whole chain of thought and its answer in one."""
    question, solution = _text(record, "question"), _text(record, "solution")
    answer = str(record.get("answer", ""))
    return row(
        {
            "id": question_id(question),
            "question": question,
            "answer": answer,
            "source": "LIMO",
            "thinking": solution,
            "attempt": _last_result(solution) or f"Final Answer: {answer}",
        }
    )


Adapter = Callable[[Mapping[str, Any], str, int], Row]
# The first whose columns are all there is taken.
ADAPTERS: dict[frozenset[str], Adapter] = {
    frozenset({"problem", "model_response"}): from_sft_pool,
    frozenset({"question", "deepseek_thinking_trajectory"}): from_s1,
    frozenset({"question", "gemini_thinking_trajectory"}): from_s1,
    frozenset({"question", "thinking_trajectories"}): from_s1,
    frozenset({"question", "source_type"}): from_s1,
    frozenset({"question", "thinking"}): from_pool,
    frozenset({"text"}): from_text,
}


def adapt(record: Mapping[str, Any], name: str, index: int) -> Row:
    """One record of any known set as a pool row. `name` (the set's) and `index` make an id where there is none.

    Raises `BadRowError` for a record of no known shape.
    """
    keys = set(record)
    for columns, adapter in ADAPTERS.items():
        if columns <= keys:
            return adapter(record, name, index)
    if keys == {"question", "solution", "answer"} and name.lower().endswith("limo"):
        return from_limo(record, name, index)  # the one set whose columns do not say that `solution` is a trace
    if "question" in keys:
        return from_pool(record, name, index)
    raise BadRowError(
        f"no known shape: columns {', '.join(sorted(keys)) or '(none)'}; a pool row has at least 'question', and "
        "'thinking' to train on"
    )


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise BadRowError(f"'{key}' is {type(value).__name__}, not text")
    return value


def _optional_text(record: Mapping[str, Any], key: str) -> str:
    return "" if record.get(key) is None else _text(record, key)


def _joined(parts: Any) -> str:
    """s1 keeps a trace as a list of parts."""
    if isinstance(parts, str):
        try:
            parts = json.loads(parts)
        except (ValueError, RecursionError):
            return str(parts)
    return "\n".join(part for part in parts if isinstance(part, str)) if isinstance(parts, list) else ""
