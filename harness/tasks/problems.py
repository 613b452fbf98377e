"""A task's rows as problems: which columns hold what, how answers compare, the prompt, and the options' order.

What the user does not say is decided from all rows together, never row by row, so that one task has one kind. A row
that is no problem is an error with its place: a benchmark without one of its problems is another benchmark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.analysis.logs.golds import (
    GOLD_FIELDS,
    ID_FIELDS,
    QUESTION_FIELDS,
    gold_of,
    letter_of,
    metadata_of,
    options_of,
)
from harness.analysis.logs.record_logs import field
from harness.config import TaskReading
from harness.errors import UserError, unknown
from harness.grading.choices import format_choices, shuffled_choices
from harness.questions import LETTERS, Kind
from harness.records import Problem
from harness.tasks.rows import Row

MAPPED = ("question", "gold", "id", "choices")
QUESTIONS = (*QUESTION_FIELDS, "prompt", "query", "text")
WRONG = tuple(f"Incorrect Answer {number}" for number in range(1, 10))  # GPQA's columns
SLOT = re.compile(r"\{\{\s*(.+?)\s*\}\}")
INTEGER = re.compile(r"[-+]?\d{1,3}(,\d{3})+|[-+]?\d+")
WORDS = re.compile(r"[^\W\d_][^\W\d_'’.-]+(?:[\s,'’.&-]+[^\W_]+)*[.!]?")


@dataclass(frozen=True)
class _Found:
    """What a row says, before the task's kind is known."""

    where: str
    row: Mapping[str, Any]
    question: str
    golds: tuple[str, ...]
    index: int | None
    choices: tuple[str, ...]
    labels: tuple[str, ...]
    letter: str = ""  # of the gold, where the columns say it


def problems_of(
    task: str,
    rows: Sequence[Row],
    reading: TaskReading,
    seed: int = 0,
    context: str = "",
    metadata: Mapping[str, str] | None = None,
) -> list[Problem]:
    """The problems of a task, in the rows' order.

    Args:
        task: Its name.
        rows: What was read, with its places.
        reading: What the user, or the catalogue, says about the rows.
        seed: Of the options' order, where that is shuffled.
        context: A column whose text stands before the question, where it has one.
        metadata: The row's column -> its name in the problem's metadata; None: all small facts of the row.

    Returns:
        One problem per row, ids unique.

    Raises:
        UserError: a row lacks a column, or its gold is none of its options, or no integer.
    """
    columns = columns_of(task, rows, reading)
    found = [_found(where, row, columns, context) for where, row in rows]
    kind = reading.kind or guessed_kind(found)
    ids = _ids(found, columns)
    letters = _letters(found) if kind == "choice" else [""] * len(found)
    if kind == "integer":
        _check_integers(found)
    result = []
    for one, identity, letter in zip(found, ids, letters, strict=True):
        facts = _picked(one.row, metadata) if metadata is not None else _facts(one, columns)
        gold = "\n".join(one.golds) if kind == "text" else one.golds[0]
        problem = Problem(identity, task, one.question, gold, kind, (), facts)
        if kind == "choice":
            problem = _choice(problem, one, letter, reading.shuffle, seed)
        result.append(replace(problem, question=_prompt(problem, one, reading.template)))
    return result


def columns_of(task: str, rows: Sequence[Row], reading: TaskReading) -> dict[str, str]:
    """Our name -> the rows' column, as told or else guessed. Raises `UserError` for one that is not there."""
    told = dict(reading.columns)
    if wrong := next((name for name in told if name not in MAPPED), None):
        raise unknown("name in --map", wrong, MAPPED)
    where, first = rows[0]
    present = {name for _, row in rows for name, value in row.items() if value not in (None, "", [])}
    for name, candidates in (("question", QUESTIONS), ("gold", GOLD_FIELDS)):
        if name not in told:
            guess = next((one for one in candidates if one in present and one not in told.values()), None)
            if guess is None:
                raise UserError(
                    f"task {task}: {where}: no column for the {name}; it has {', '.join(map(str, first))}; name it "
                    f"with --map {name}=COLUMN"
                )
            told[name] = guess
    return told


def _found(where: str, row: Mapping[str, Any], columns: Mapping[str, str], context: str) -> _Found:
    question, gold = (field(row, columns[name]) for name in ("question", "gold"))
    golds, index = gold_of(gold.item() if hasattr(gold, "item") else gold)
    if isinstance(gold, float) and gold.is_integer():
        golds = (str(int(gold)),)
    for name, empty in ((columns["question"], question in (None, "")), (columns["gold"], not golds)):
        if empty:
            raise UserError(f"{where}: no '{name}'; it has {', '.join(map(str, row))}")
    text = clean(question if isinstance(question, str) else _last_turn(question, where, columns["question"]))
    if context and row.get(context):
        text = f"{clean(str(row[context]))}\n\n{text}"
    if not text:
        raise UserError(f"{where}: '{columns['question']}' is empty")
    choices, labels = _options(row, columns, where)
    if not choices and all(row.get(name) for name in WRONG[:2]):  # the right option has a column of its own
        choices = tuple(clean(str(row[name])) for name in (columns["gold"], *WRONG) if row.get(name))
        return _Found(where, row, text, choices[:1], None, choices, (), "A")
    return _Found(where, row, text, tuple(one.strip() for one in golds), index, tuple(map(clean, choices)), labels)


def _last_turn(question: Any, where: str, column: str) -> str:
    from harness.analysis.logs.logged import chat_prompt

    if isinstance(question, list) and question:
        return chat_prompt(question)[1]
    if isinstance(question, int | float):
        return str(question)
    raise UserError(f"{where}: '{column}' holds no text")


def _options(row: Mapping[str, Any], columns: Mapping[str, str], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The options as told by `choices=COLUMN`, or `choices=COLUMN+COLUMN+...`, or as their usual columns hold them."""
    if "choices" not in columns:
        return options_of(row)
    names = columns["choices"].split("+")
    if len(names) > 1:
        if missing := next((name for name in names if field(row, name) in (None, "")), None):
            raise UserError(f"{where}: no '{missing}', which --map names as an option")
        return tuple(str(field(row, name)) for name in names), ()
    found = options_of({"choices": field(row, names[0])})
    if not found[0]:
        raise UserError(f"{where}: '{names[0]}' holds no list of options")
    return found


def guessed_kind(found: Sequence[_Found]) -> Kind:
    """How the answers of a task compare, by all its rows."""
    if all(one.choices and _may_name_an_option(one) for one in found):
        return "choice"
    firsts = [one.golds[0] for one in found]
    if all(INTEGER.fullmatch(gold) for gold in firsts):
        return "integer"
    return "text" if all(WORDS.fullmatch(gold) for gold in firsts) else "math"


def _may_name_an_option(one: _Found) -> bool:
    gold = one.golds[0]
    place = gold.isdecimal() and int(gold) <= len(one.choices)
    return bool(place or one.letter or _letter(one, True) or _letter(one, False))


def _letter(one: _Found, numbered: bool) -> str | None:
    if not numbered:
        return letter_of(one.golds, None, one.choices, one.labels, numbered=False)
    return letter_of(one.golds, one.index, one.choices, one.labels)


def _letters(found: Sequence[_Found]) -> list[str]:
    """Each row's gold as a letter.

    A gold of digits is the text of an option where that holds in every row, else the option's place: from 0, or from 1
    where no row says 0 and one says the number of its options.
    """
    for one in found:
        if not one.choices:
            raise UserError(f"{one.where}: no options; name their column with --map choices=COLUMN, or COLUMN+COLUMN")
        if len(one.choices) > len(LETTERS):
            raise UserError(f"{one.where}: {len(one.choices)} options, at most {len(LETTERS)} have a letter")
    as_text = all(one.golds[0] in one.choices for one in found)
    places = [int(one.golds[0]) for one in found if one.golds[0].isdecimal()]
    sizes = [len(one.choices) for one in found if one.golds[0].isdecimal()]
    labelled = any(one.golds[0] in one.labels for one in found)
    from_one = not as_text and not labelled and 0 not in places and any(map(int.__eq__, places, sizes))
    letters = []
    for one in found:
        gold = one.golds[0]
        letter: str | None
        if one.letter:
            letter = one.letter
        elif from_one and gold.isdecimal():
            letter = LETTERS[int(gold) - 1] if int(gold) <= len(one.choices) else None
        elif as_text and one.choices.count(gold) == 1:
            letter = LETTERS[one.choices.index(gold)]
        else:
            letter = _letter(one, not as_text)
        if letter is None or LETTERS.index(letter) >= len(one.choices):
            raise UserError(f"{one.where}: the gold '{gold[:60]}' is none of the {len(one.choices)} options")
        letters.append(letter)
    return letters


def _choice(problem: Problem, one: _Found, letter: str, shuffle: bool, seed: int) -> Problem:
    if not shuffle:
        return replace(problem, gold=letter, choices=one.choices)
    if _shows(one.question, one.choices):
        raise UserError(f"{one.where}: the question has its options written out; they cannot be shuffled")
    place = LETTERS.index(letter)
    others = (*one.choices[:place], *one.choices[place + 1 :])
    options, gold = shuffled_choices(problem.id, one.choices[place], others, seed)
    return replace(problem, gold=gold, choices=options)


def _prompt(problem: Problem, one: _Found, template: str) -> str:
    """The question as the model sees it: by the template, or the question with its options where it shows none."""
    shown = bool(problem.choices) and _shows(one.question, one.choices)
    if not template:
        return one.question if shown or not problem.choices else format_choices(one.question, problem.choices)
    written = [f"{letter}) {text}" for letter, text in zip(LETTERS, problem.choices, strict=False)]
    values = {"question": one.question, "choices": "\n".join(written)}
    slots = SLOT.findall(template)
    if problem.choices and not shown and "choices" not in slots:
        raise UserError("the template shows no {{choices}}, which the question does not hold; put it in")

    def value(match: re.Match[str]) -> str:
        name = match[1]
        found = values[name] if name in values else field(one.row, name)
        if found is None:
            raise UserError(
                f"{one.where}: no '{name}' for the template; {unknown('column', name, (*values, *one.row))}"
            )
        return str(found)

    return SLOT.sub(value, template)


def _shows(question: str, choices: Sequence[str]) -> bool:
    """Whether a question has its options written out, each behind its letter."""
    return all(
        re.search(rf"(?<![A-Za-z0-9]){letter}[).:\]]\W*{re.escape(text)}", question)
        for letter, text in zip(LETTERS, choices, strict=False)
    )


def _ids(found: Sequence[_Found], columns: Mapping[str, str]) -> list[str]:
    """Each row's id: of the column told, or the first usual one in which no two rows agree, else the row's number."""
    if told := columns.get("id"):
        ids = [field(one.row, told) for one in found]
        for one, identity in zip(found, ids, strict=True):
            if identity in (None, ""):
                raise UserError(f"{one.where}: no '{told}', which --map names as the id")
        count = Counter(map(str, ids))
        if twice := next((one for one, identity in zip(found, ids, strict=True) if count[str(identity)] > 1), None):
            raise UserError(f"{twice.where}: the id '{field(twice.row, told)}' stands in {told} more than once")
        return [str(identity) for identity in ids]
    for name in ID_FIELDS:
        ids = [one.row.get(name) for one in found]
        if all(identity not in (None, "") for identity in ids) and len(set(map(str, ids))) == len(ids):
            return [str(identity) for identity in ids]
    return [str(number) for number in range(len(found))]


def _check_integers(found: Sequence[_Found]) -> None:
    for one in found:
        if not INTEGER.fullmatch(one.golds[0]):
            raise UserError(f"{one.where}: the gold '{one.golds[0][:60]}' is no integer; give --kind math, or mend it")


def _facts(one: _Found, columns: Mapping[str, str]) -> dict[str, Any]:
    """The small facts of a row that are none of the columns that hold the problem itself."""
    named = [part.split(".")[0] for name in columns.values() for part in name.split("+")]
    found = metadata_of(one.row, *named)
    return {name: value for name, value in found.items() if str(value) not in one.choices}


def _picked(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = {ours: row[theirs] for theirs, ours in names.items() if row.get(theirs) is not None}
    return {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in found.items()}


def clean(text: str) -> str:
    r"""A question as the model should see it.

    AIME24's figures release holds a backspace (0x08) where \b was meant, and several releases use U+00A0 or U+3000 as
    spaces.
    """
    return text.replace("\x08", "\\b").replace("\u00a0", " ").replace("\u3000", " ").strip()
