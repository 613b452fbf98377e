"""A record of any set as pool rows: published sets by their columns, every other by `harness.data.shapes`.

What a set does not say stays empty. Sources: s1's sets (`harness.data.s1_sets`), GAIR/LIMO (817 rows), and the traces
of "Self-Taught Reasoning with Budget Forcing" (sft_pool).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.data import domains
from harness.data.s1_sets import from_s1, from_text
from harness.data.schema import SCHEMA, BadRowError, Row, metadata_of, row, text_of
from harness.data.shapes import TARGETS, Adapted, about, from_shape, mapped, question_id
from harness.data.traces import last_result, split_response, split_trace


def from_pool(record: Mapping[str, Any], name: str, index: int) -> Row:
    """Our own whole schema, as every step writes it; columns that are not ours go to metadata.

    A thought that stands marked in the attempt, beside no trace, is the trace.
    """
    extra = {key: value for key, value in record.items() if key not in SCHEMA.names}
    if extra:
        record = {key: value for key, value in record.items() if key in SCHEMA.names}
        record["metadata"] = {**metadata_of(row(record)), **extra, **about(extra)}
    new = row(record)
    if not new["thinking"].strip() and (found := split_response(new["attempt"])).state == "closed":
        new |= {"thinking": found.thinking, "attempt": found.attempt}
    return new if new["id"] else {**new, "id": question_id(new["question"], new["thinking"])}


def from_sft_pool(record: Mapping[str, Any], name: str, index: int) -> Row:
    """A whole chat text in s1's format, mostly without the answer section: the last stated result is the answer."""
    thinking, attempt = split_trace(text_of(record, "model_response"))
    if not attempt:
        attempt = last_result(thinking)
    correct = record.get("is_correct")
    kept = {key: record[key] for key in ("index", "steps", "is_correct", "truncated") if key in record}
    question = text_of(record, "problem")
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


def from_limo(record: Mapping[str, Any], name: str, index: int) -> Row:
    """LIMO's `solution` is the whole chain of thought and its answer in one."""
    question, solution = text_of(record, "question"), text_of(record, "solution")
    answer = str(record.get("answer", ""))
    return row(
        {
            "id": question_id(question),
            "question": question,
            "answer": answer,
            "source": "LIMO",
            "thinking": solution,
            "attempt": last_result(solution) or f"Final Answer: {answer}",
        }
    )


Adapter = Callable[[Mapping[str, Any], str, int], Row]
# The first whose columns are all there is taken.
ADAPTERS: dict[frozenset[str], Adapter] = {
    frozenset({"problem", "model_response", "ground_truth"}): from_sft_pool,
    frozenset({"question", "deepseek_thinking_trajectory"}): from_s1,
    frozenset({"question", "gemini_thinking_trajectory"}): from_s1,
    frozenset({"question", "thinking_trajectories"}): from_s1,
    frozenset({"question", "cot_type", "source_type"}): from_s1,
    frozenset(SCHEMA.names): from_pool,
    frozenset({"text"}): from_text,
}
LIMO = {"question", "solution", "answer"}


def adapt(record: Mapping[str, Any], name: str, index: int, told: Mapping[str, str] | None = None) -> Adapted:
    """One record of any set as pool rows.

    Args:
        record: columns and values.
        name: of the set; with `index` it makes an id where there is none.
        index: of the record in its file.
        told: pool column -> the record's, from `--map`; then no published set is looked for.

    Raises:
        BadRowError: the record is of no known shape, or a value is of the wrong type.
    """
    if told:
        return from_shape(mapped(record, told), name, told)
    keys = set(record)
    for columns, adapter in ADAPTERS.items():
        if columns <= keys and (adapter is not from_text or not keys & _OTHER_SHAPES):
            return Adapted([adapter(record, name, index)])
    if keys == LIMO and name.lower().endswith("limo"):
        return Adapted([from_limo(record, name, index)])  # its columns do not say that `solution` is a trace
    return from_shape(record, name, {})


_OTHER_SHAPES = {"question", "problem", "prompt", "instruction", "messages", "conversations", "query"}


def check_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    """`mapping` (pool column -> the pool's) as it is. Raises `UserError` for a target that there is not."""
    from harness.errors import unknown

    for target in mapping:
        if target not in TARGETS:
            raise unknown("column in --map", target, TARGETS)
    return dict(mapping)


__all__ = ["Adapted", "BadRowError", "adapt", "check_mapping", "question_id", "split_trace"]
