"""Letters in every shape that models use; none is ever guessed."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from harness.grading import grade
from harness.grading.extract.letters import extract_letter

CORPUS = Path(__file__).parent / "corpus"
PREAMBLES = (
    "",
    "We compare the options. Option A would give too small a shift, and (B) breaks symmetry; C and D differ.\n\n",
    "Let's see. A) is wrong because of x. B) is wrong too. C) maybe. D) unclear.\n\n",
)
LINES = (CORPUS / "letter_formats.txt").read_text(encoding="utf-8").splitlines()
FORMATS = [line for line in LINES if not line.startswith("# One")]


def written(shape: str, letter: str) -> str:
    """The format with its letter, line breaks written out."""
    text = shape.replace("\\n\n", "\n")
    text = re.sub(r"\\n(?!eq|e\b)", "\n", text)
    if shape == "l":
        return letter.lower()
    if "Ｌ" in shape:
        return text.replace("Ｌ", chr(ord("Ａ") + ord(letter) - ord("A")))
    return re.sub(r"(?<![A-Za-z])L(?![A-Za-z])|(?<=选)L|(?<=は)L|L(?=입)", letter, text)


@pytest.mark.parametrize("shape", FORMATS)
def test_the_letter_is_read_in_every_shape(shape: str) -> None:
    for preamble in PREAMBLES:
        for letter in "ABCD":
            response = preamble + written(shape, letter)
            assert grade(response, letter, "choice").correct is True, response
            wrong = "ABCD"[("ABCD".index(letter) + 1) % 4]
            assert grade(response, wrong, "choice").status == "incorrect", response


def whole_responses() -> list[list[str]]:
    lines = (CORPUS / "letter_responses.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(("response", "letter"), whole_responses())
def test_the_letter_that_a_response_settles_on_is_read_among_others(response: str, letter: str) -> None:
    verdict = grade(response, letter, "choice")
    assert verdict.correct is True, verdict


@pytest.mark.parametrize(
    "response",
    [
        "I cannot determine the answer.",
        "Options: A) 1 B) 2 C) 3 D) 4",
        "Answer: E",
        "",
        "A and B are both possible.",
        "None of the above.",
        "A good approach is to compare energies.",
        "Both A and C are correct.",
        "Answer: A or B",
        "Answer: A and C",
        "A)\nB)\nC)\nD)",
        "Answer: [letter]",
        "Answer: $LETTER",
        "C is the speed of light.",
        "Option A is incorrect.",
        "(A) is not the correct answer.",
        "The correct answer is not A.",
        "B B B B B B B B",
        "The answer is a mixture of effects",
        "I am not sure.",
    ],
)
def test_no_letter_is_guessed(response: str) -> None:
    for letter in "ABCD":
        verdict = grade(response, letter, "choice")
        assert verdict.correct is False, verdict
    assert grade(response, "A", "choice").status in ("no_answer", "ambiguous")


def test_a_thought_cut_before_any_answer_is_truncated_never_a() -> None:
    for response in ("<think>The answer is B", "<|im_start|>think\nAnswer: A"):
        assert grade(response, "A", "choice").status == "truncated"


def test_the_options_own_text_counts_as_its_letter() -> None:
    choices = ("3.2 J", "\\frac{1}{2} kg", "A blue dye", "42 GeV")
    assert grade("The energy follows.\n\n42 GeV", "D", "choice", choices=choices).correct is True
    assert (
        grade("\\boxed{42 \\text{ GeV}}".replace("\\text{ GeV}", "GeV"), "D", "choice", choices=choices).correct is True
    )
    assert grade("\\boxed{C}", "C", "choice", choices=choices).correct is True
    assert grade("something else", "A", "choice", choices=choices).status == "no_answer"


def test_ten_options_have_ten_letters() -> None:
    choices = tuple(str(n) for n in range(10))
    assert grade("Answer: (J)", "J", "choice", choices=choices).correct is True
    assert grade("Answer: (J)", "J", "choice").status == "no_answer"


def test_a_gold_that_is_no_letter_leaves_the_denominator() -> None:
    assert grade("Answer: B", "blue", "choice").status == "gold_unparseable"


def stated_letters() -> list[dict[str, Any]]:
    """Responses written blind, in four styles and a dozen languages, labelled by reading before they were run."""
    return [json.loads(line) for line in (CORPUS / "stated_letters.jsonl").read_text(encoding="utf-8").splitlines()]


def test_what_a_response_says_is_read_and_what_it_does_not_say_is_not() -> None:
    wrong = []
    for row in stated_letters():
        verdict = grade(row["response"], row["letter"] or "A", "choice", choices=row.get("choices", ()))
        if verdict.extracted != row["letter"]:
            wrong.append((row, verdict))
    assert not wrong


def test_a_statement_keeps_its_letter_whatever_letter_that_is() -> None:
    """Every response that states B states the letter that stands in its place, too."""
    word = re.compile(r"(?<![A-Za-z'’])[BC](?![A-Za-z'’])")
    letters = [row for row in stated_letters() if row["letter"] == "B" and "choices" not in row]
    texts = [row["response"] for row in letters if word.search(row["response"])]
    swapped = str.maketrans("BC", "CB")
    moved = [word.sub(lambda m: m.group().translate(swapped), text) for text in texts]
    wrong = [text for text in moved if extract_letter(text).text != "C"]
    assert len(moved) > 120 and not wrong


@pytest.mark.parametrize(
    "piece", ["A ", "Answer: A. ", "option A or option B, ", "A)\n", "B is correct if ", "(c) ", "- [ ] A\n"]
)
def test_time_is_linear_in_the_response(piece: str) -> None:
    seconds = []
    for length in (40_000, 400_000):
        start = time.process_time()
        extract_letter(piece * (length // len(piece)), ("Alpha rays", "Beta rays", "Gamma rays", "Neutrons"))
        seconds.append(time.process_time() - start)
    assert seconds[1] < 2 + 20 * seconds[0]
