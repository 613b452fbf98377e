"""The grader: response and gold in, `Verdict` out. Cheapest tier first, every call within its limits."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from harness.errors import unknown
from harness.grading.compare.agreement import UndecidedError
from harness.grading.compare.equality import comparison
from harness.grading.compare.symbolic import SymbolicTimeoutError, WorkerStartError, same
from harness.grading.compare.texts import exact_text
from harness.grading.compare.words import opposed
from harness.grading.conventions import LENIENT, STRICT
from harness.grading.extract.answer import Extraction, extract_answer, stands_in
from harness.grading.extract.letters import extract_letter
from harness.grading.extract.number_locale import localised
from harness.grading.grammar.clean import clean
from harness.grading.grammar.nodes import Node
from harness.grading.grammar.parser import has_operator
from harness.grading.limits import MAX_ANSWER_CHARS, MAX_CACHED_VERDICTS, TooBigError
from harness.grading.readings import readings
from harness.grading.verdict import Kind, Status, Verdict
from harness.marks import Marks, answer_part

KINDS = get_args(Kind)


def grade(
    response: str,
    gold: str | int | float,
    kind: Kind = "math",
    *,
    choices: Sequence[str] = (),
    strict: bool = False,
    final: bool = True,
    question: str = "",
    prompt: str = "",
) -> Verdict:
    """Grade a whole response (thinking, delimiters, answer). Never raises on any text.

    Args:
        response: What a model wrote.
        gold: The answer, for `kind="choice"` the letter; a number counts as its text. For `kind="text"` each line is an
            accepted answer.
        kind: "math", "integer", "choice" or "text".
        choices: The options in the order shown.
        strict: Whether every convention of `conventions` is off.
        final: False where the generation was cut by its length cap.
        question: The problem's text. An expression of it that is only restated is no answer.
        prompt: The prompt. Where it opened the thought, a response that never ends it is a cut thought.

    Returns:
        The verdict: a status, what was extracted, the reason and the tier that decided.

    Raises:
        UserError: for an unknown kind.
        WorkerStartError: where sympy's worker cannot be started; that is the installation's fault.
    """
    _check_kind(kind)
    return _safely(lambda: _grade(response, str(gold), kind, choices, strict, final, question, prompt))


def grade_answer(
    answer: str,
    gold: str | int | float,
    kind: Kind = "math",
    *,
    choices: Sequence[str] = (),
    strict: bool = False,
    question: str = "",
) -> Verdict:
    """Grade an answer that is extracted already. Arguments as in `grade`."""
    _check_kind(kind)
    if kind == "choice":
        return _safely(lambda: _letter_verdict(extract_letter(answer, choices, same=_same_answer), str(gold)))
    if kind == "text":
        return _safely(lambda: exact_text(answer, str(gold)))
    return _safely(lambda: _unless_restated(CACHE(answer, str(gold), strict), answer, str(gold), question))


def grade_row(row: Mapping[str, Any], strict: bool = False, marks: Sequence[Marks] = ()) -> Verdict:
    """Grade a row `{gold, response | answer, kind?, choices?, final?, question?, prompt?}`; numbers count as text.

    Where `prompt` ends inside a thought, a response that never ends it has no answer. `marks`: thinking delimiters to
    look for before the known ones (`harness.marks.own_marks`).
    """
    kind: Kind = row.get("kind") or "math"
    choices, gold, question = tuple(row.get("choices") or ()), str(row["gold"]), str(row.get("question") or "")
    if row.get("response") is not None:
        final, prompt, response = bool(row.get("final", True)), str(row.get("prompt") or ""), str(row["response"])
        if marks:
            response, cut = answer_part(response, prompt, marks)
            final, prompt = final and not cut, ""
        return grade(
            response, gold, kind, choices=choices, strict=strict, final=final, question=question, prompt=prompt
        )
    return grade_answer(str(row["answer"]), gold, kind, choices=choices, strict=strict, question=question)


def grade_many(rows: Iterable[Mapping[str, Any]], workers: int = 1, strict: bool = False) -> list[Verdict]:
    """Grade rows as `grade_row` does, in order. `workers` threads share the symbolic workers and the verdict cache."""
    if workers <= 1:
        return [grade_row(row, strict) for row in rows]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda row: grade_row(row, strict), rows))


def _grade(
    response: str,
    gold: str,
    kind: Kind,
    choices: Sequence[str],
    strict: bool,
    final: bool,
    question: str,
    prompt: str,
) -> Verdict:
    if kind == "choice":
        found = extract_letter(response, choices, final=final, prompt=prompt, same=_same_answer)
        return _letter_verdict(found, gold)
    found = extract_answer(response, final=final, question=question, prompt=prompt)
    if found.text is None:
        return _nothing(found)
    if kind == "text":
        return exact_text(found.text, gold)
    return _unless_restated(CACHE(localised(found.text, response), gold, strict), found.text, gold, question)


def _unless_restated(verdict: Verdict, answer: str, gold: str, question: str) -> Verdict:
    """The verdict, or a refusal where the answer is the question's own expression and the gold is written otherwise."""
    if verdict.status != "correct" or not question or not stands_in(answer, question):
        return verdict
    if _squeezed(clean(answer)) == _squeezed(clean(gold)):
        return verdict
    return Verdict("incorrect", verdict.extracted, "an expression of the question, not worked out", "extract")


INTERNAL = "the grader failed"  # opens the reason of a verdict that should have been another; tests look for it


def _safely(judge: Callable[[], Verdict]) -> Verdict:
    """The verdict, whatever the text does to the parser: an error of ours is told on the row, not raised."""
    try:
        return judge()
    except WorkerStartError:  # the installation is at fault, not the answer
        raise
    except Exception as error:  # noqa: BLE001  the answer parse: the error is recorded on the row
        return Verdict("answer_unparseable", None, f"{INTERNAL}: {type(error).__name__}: {error}"[:200], "limit")


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise unknown("kind of answer", kind, KINDS)


def _nothing(found: Extraction) -> Verdict:
    status: Status = "ambiguous" if found.ambiguous else "truncated" if found.truncated else "no_answer"
    return Verdict(status, None, found.how, "extract")


def _same_answer(answer: str, other: str) -> bool:
    return CACHE(answer, other, False).status == "correct"


def _letter_verdict(found: Extraction, gold: str) -> Verdict:
    wanted = extract_letter(gold, num_choices=26).text
    if wanted is None:
        return Verdict("gold_unparseable", found.text, f"the gold {gold[:40]!r} is no letter", "choice")
    if found.text is None:
        return _nothing(found)
    same = found.text == wanted
    return Verdict(
        "correct" if same else "incorrect", found.text, f"{found.how}: {found.text}, gold {wanted}", "choice"
    )


class _Cache:
    """Verdicts by content: (answer, gold, strict). A timeout is not kept, since another day it may not be one."""

    def __init__(self) -> None:
        self.verdicts: dict[tuple[str, str, bool], Verdict] = {}

    def __call__(self, answer: str, gold: str, strict: bool) -> Verdict:
        key = (answer, gold, strict)
        verdict = self.verdicts.get(key)
        if verdict is None:
            verdict = _decide(answer, gold, strict)
            if verdict.status != "answer_timeout":
                if len(self.verdicts) >= MAX_CACHED_VERDICTS:
                    self.verdicts.clear()
                self.verdicts[key] = verdict
        return verdict


CACHE = _Cache()


def _oversized(answer: str, gold: str) -> Verdict:
    """Texts beyond MAX_ANSWER_CHARS are compared as they stand and never parsed."""
    if answer == gold:
        return Verdict("correct", answer[:200], "the same text", "string")
    if len(gold) > MAX_ANSWER_CHARS:
        return Verdict(
            "gold_unparseable", answer[:200], f"the gold has more than {MAX_ANSWER_CHARS} characters", "limit"
        )
    return Verdict("answer_unparseable", answer[:200], f"more than {MAX_ANSWER_CHARS} characters", "limit")


def _decide(answer: str, gold: str, strict: bool) -> Verdict:
    answer, gold = answer.strip(), gold.strip()
    if not answer:
        return Verdict("no_answer", None, "the answer is empty", "extract")
    if max(len(answer), len(gold)) > MAX_ANSWER_CHARS:
        return _oversized(answer, gold)
    text, wanted = clean(answer), clean(gold)
    if not text:
        return Verdict("no_answer", None, "the answer is empty", "extract")
    if not wanted:
        return Verdict("gold_unparseable", answer, "the gold is empty", "limit")
    if text == wanted:
        return Verdict("correct", answer, "the same text", "string")
    if " " in text and " " in wanted and opposed(text, wanted):
        return Verdict("incorrect", answer, "opposite words", "text")
    policy = STRICT if strict else LENIENT
    golds, gold_error = readings(wanted, policy)
    answers, answer_error = readings(text, policy)
    if not (golds and answers) and _squeezed(text) == _squeezed(wanted):
        return Verdict("correct", answer, "the same text, spaces apart", "string")
    if not golds:
        return Verdict("gold_unparseable", answer, f"gold: {gold_error}", "limit")
    if not answers:
        return Verdict("answer_unparseable", answer, answer_error, "limit")
    trouble = undecided = ""
    for symbolic in (None, _symbolic):  # sympy is asked where no pair of readings is equal without it
        compared = comparison(policy, symbolic)
        undecided = ""
        for a, b in itertools.product(answers, golds):
            try:
                if compared.equal(a, b):
                    return Verdict("correct", answer, f"equal ({compared.tier})", compared.tier)
            except UndecidedError as error:
                undecided = str(error)
            except TooBigError as error:
                trouble = str(error)
            except SymbolicTimeoutError as error:
                return Verdict("answer_timeout", answer, str(error), "symbolic")
        if not undecided:
            break
    if trouble:
        return Verdict("answer_unparseable", answer, trouble, "limit")
    if undecided:
        return Verdict("undecided", answer, undecided, compared.tier)
    return Verdict("incorrect", answer, f"not equal ({compared.tier})", compared.tier)


def _squeezed(text: str) -> str:
    """`text` without spaces, for what has no reading; spaces between digits stay."""
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)|\\[,;:!]|\\(?:left|right)(?![a-z])", "", text)


def _symbolic(a: Node, b: Node) -> bool:
    """The word of sympy on two trees, where one of them holds what only sympy can work out."""
    if not (has_operator(a) or has_operator(b)):
        raise UndecidedError("no value at any probe point")
    equal = same(a, b)
    if equal is None:
        raise UndecidedError("sympy cannot tell")
    return equal
