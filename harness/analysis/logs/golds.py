"""Gold answers and options as published logs have them: letters, numbers, labels, texts, lists, whole solutions."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.questions import LETTERS

GOLD_FIELDS = (
    "answer",
    "Answer",
    "expected_answer",
    "answerKey",
    "answer_key",
    "correct_answer",
    "Correct Answer",
    "gold",
    "gt",
    "ground_truth",
    "final_answer",
    "answer_index",
    "answer_idx",
    "label",
    "target",
    "cop",
    "solution",
)
QUESTION_FIELDS = ("problem", "question", "Question", "Problem", "input", "query", "instruction")
OPTION_COLUMNS = (
    ("option_a", "option_b"),
    ("choice1", "choice2"),
    ("choice_a", "choice_b"),
    ("opa", "opb"),
    ("A", "B"),
    ("option1", "option2"),
    ("ending0", "ending1"),
    ("answer_a", "answer_b"),
    ("sol1", "sol2"),
)
ID_FIELDS = ("unique_id", "id", "ID", "question_id", "problem_id", "sample_id", "Record ID")
TEXTUAL = ("rationale", "solution", "explanation", "cot", "reasoning")
LETTER = re.compile(r"\s*\(?([A-Z])\)?\s*[.:)]?\s*")
LETTER_AND_TEXT = re.compile(r"\s*\(?([A-Z])(?:\)|[.:]\s)\s*\S.*", re.DOTALL)
MAX_METADATA_CHARACTERS = 200


def gold_of(*candidates: Any) -> tuple[tuple[str, ...], int | None]:
    """(the accepted answers, the option's number if told as one) from the first candidate that says something."""
    for value in candidates:
        found = _flat(value)
        if found:
            one = found[0]
            index = one if len(found) == 1 and isinstance(one, int) and not isinstance(one, bool) else None
            return tuple(dict.fromkeys(_shortened(str(item)) for item in found)), index
    return (), None


def _listed(value: Any) -> Any:
    """A list of quoted strings that was written as text as that list; everything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"\s*\[\s*(['\"]).*\1\s*,?\s*\]\s*", value, re.DOTALL):
        try:
            return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            return value
    return value


def _flat(value: Any) -> list[Any]:
    """The items of a gold."""
    value = _listed(value)
    if isinstance(value, list | tuple):
        return [inner for item in value for inner in _flat(item)]
    return [] if value is None or value == "" or isinstance(value, dict) else [value]


def _shortened(text: str) -> str:
    """The answer of a gold that is a whole solution: behind GSM8K's last "####", or in its last box."""
    if "####" in text:
        return text.rpartition("####")[2].strip()
    if "\\boxed" in text:
        from harness.grading.extract.answer import last_box  # imports the grader, which most logs do not need

        if box := last_box(text):
            return box[2]
    return text


def options_of(doc: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(options in the order shown, their own labels if they have any) of a problem's fields; empty without options."""
    for name in ("choices", "options", "endings", "mc1_targets"):
        value = _listed(doc.get(name))
        if isinstance(value, Mapping):
            texts = next((value[key] for key in ("text", "texts", "choices") if isinstance(value.get(key), list)), None)
            labels = value.get("label") or value.get("labels") or ()
            if texts is None and value and all(isinstance(text, str) for text in value.values()):
                texts, labels = list(value.values()), list(value)
            if texts:
                return tuple(map(str, texts)), tuple(map(str, labels)) if isinstance(labels, list) else ()
        if isinstance(value, list) and len(value) > 1 and all(isinstance(one, str | int | float) for one in value):
            return _unlabelled([str(one) for one in value])
    for first, second in OPTION_COLUMNS:
        if isinstance(doc.get(first), str) and isinstance(doc.get(second), str):
            return tuple(_columns(doc, first)), ()
    return (), ()


def _unlabelled(options: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options without the letters that are written before each of them ("A) 3", "(B) 5")."""
    pattern = [
        re.fullmatch(rf"\s*\(?{letter}[).:]\s*(.+)", one, re.DOTALL)
        for letter, one in zip(LETTERS, options, strict=False)
    ]
    if all(pattern) and len(pattern) == len(options):
        return tuple(found[1] for found in pattern if found), ()
    return tuple(options), ()


def _columns(doc: Mapping[str, Any], first: str) -> list[str]:
    stem, last = first[:-1], first[-1]
    found = []
    for step in range(len(LETTERS)):
        value = doc.get(stem + chr(ord(last) + step))
        if not isinstance(value, str):
            break
        found.append(value)
    return found


def letter_of(
    golds: Sequence[str],
    index: int | None,
    choices: Sequence[str],
    labels: Sequence[str] = (),
    *,
    numbered: bool = True,
) -> str | None:
    """The gold of a choice question as a letter; None when it names no option.

    `numbered`: a gold of digits is the option's number rather than its text.
    """
    size = len(choices) or len(LETTERS)
    for gold in golds:
        if (label := gold.strip().lower()) in (lower := [one.lower() for one in labels]):
            return LETTERS[lower.index(label)]
        if index is not None and 0 <= index < size and choices:
            return LETTERS[index]
        if (match := LETTER.fullmatch(gold)) and LETTERS.index(match[1]) < size:
            return match[1]
        if numbered and choices and re.fullmatch(r"\d{1,2}", gold.strip()) and int(gold) < size:
            return LETTERS[int(gold)]
        texts = [_squeezed(choice) for choice in choices]
        if texts.count(_squeezed(gold)) == 1:
            return LETTERS[texts.index(_squeezed(gold))]
        if (match := LETTER_AND_TEXT.fullmatch(gold)) and choices and LETTERS.index(match[1]) < size:
            return match[1]
        # A small letter, which without options may be a variable.
        if (match := LETTER.fullmatch(gold.upper())) and choices and LETTERS.index(match[1]) < size:
            return match[1]
    return None


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()


def metadata_of(doc: Mapping[str, Any], *known: str) -> dict[str, Any]:
    """The small facts of a problem's fields (subject, level, year, source): short texts, numbers, yes or no."""
    left_out = {*GOLD_FIELDS, *QUESTION_FIELDS, *ID_FIELDS, *TEXTUAL, *known}
    found = {}
    for key, value in doc.items():
        small = isinstance(value, bool | int | float) or (
            isinstance(value, str) and 0 < len(value) <= MAX_METADATA_CHARACTERS
        )
        if (
            small
            and not {key, key.lower()} & left_out
            and not key.startswith(("option", "choice", "ending", "Incorrect"))
        ):
            found[str(key)] = value
    return found
