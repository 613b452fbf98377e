"""harness.data.lint and near: what is wrong with rows, and what --fix makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.data import lint
from harness.data.endings import stops_mid_sentence
from harness.data.near import near_duplicates, shingles
from harness.data.repetition import counts_on, repeats
from harness.errors import UserError
from tests.pools import row, shared
from tests.tiny import byte_tokenizer

GOOD = {"question": "What is 1 + 1?", "thinking": "One and one make 2.", "attempt": "Final Answer: 2", "answer": "2"}
SENTENCE = "Wait, let me check that again and see whether it holds. "
PLAIN = "Let us count the ways in which the tiles can be laid, one case at a time. "
# kind -> (changes to a good row, what is left after mending: None for dropped)
CASES: dict[str, list[tuple[dict[str, Any], dict[str, str] | None]]] = {
    "no thinking": [({"thinking": " \n"}, None)],
    "nested thinking": [
        ({"thinking": "<think>\nOne and one make 2.\n</think>"}, {"thinking": "One and one make 2."}),
        (
            {"thinking": "<think>One.</think> So 2. <think>Again?</think>"},
            {"thinking": "One. So 2. Again?"},
        ),
        ({"attempt": "<think>more</think> 2"}, {"thinking": "One and one make 2.\n\nmore", "attempt": "2"}),
    ],
    "unclosed thinking": [
        ({"thinking": "<think> One and one make 2."}, {"thinking": "One and one make 2."}),
        ({"thinking": "One and one make 2.</think>"}, {"thinking": "One and one make 2."}),
        ({"thinking": "One and <think> one make 2."}, {"thinking": "One and  one make 2."}),
        ({"thinking": "One<think> and one make 2."}, {"thinking": "One and one make 2."}),
    ],
    "foreign delimiter or special token": [
        ({"attempt": "2<|eot_id|>"}, {"attempt": "2"}),
        ({"attempt": "2<｜end▁of▁sentence｜>"}, {"attempt": "2"}),
        ({"attempt": "<|begin_of_solution|>2<|end_of_solution|>"}, {"attempt": "2"}),
        ({"thinking": "<|channel|>analysis<|message|>One and one make 2."}, {"thinking": "One and one make 2."}),
        ({"question": "What is 1 + 1?<|im_end|>"}, None),
        ({"attempt": "Final Answer: 2 <pad><pad>"}, {"attempt": "Final Answer: 2"}),
        ({"attempt": "Final Answer: 2 [PAD]"}, {"attempt": "Final Answer: 2"}),
        ({"thinking": "<tool_call>add</tool_call> One and one make 2."}, {"thinking": "add One and one make 2."}),
    ],
    "loop": [
        ({"thinking": SENTENCE * 60 + "So 2."}, None),
        ({"thinking": PLAIN + "no " * 300 + "2"}, None),
        ({"thinking": "\n".join([PLAIN * 3 + str(n % 9) for n in range(300)]) + " 2"}, None),
        ({"thinking": PLAIN + (" ".join(f"word{n}" for n in range(100)) + "\n\n") * 8 + "2"}, None),  # a paragraph
        ({"question": "一加一是多少？", "thinking": "所以答案是 2。" * 200}, None),  # no spaces
        ({"thinking": PLAIN * 3 + "1 + 1 = 1." + "9" * 3000 + " 2"}, None),
        ({"thinking": PLAIN + " ".join(f"Wait, let me check {n}." for n in range(17, 60)) + " So 2."}, None),
        ({"thinking": "\n\n".join(f"Step {n}:\nCheck {2 * n + 1}, no." for n in range(40)) + "\nSo 2."}, None),
        ({"thinking": "".join(f"再检查一下 {n}。" for n in range(40)) + "所以 2。", "question": "一加一？"}, None),
        ({"thinking": PLAIN + "\n".join(f"Is {n * n % 997} prime? {PLAIN}" for n in range(70)) + " 2."}, None),
    ],
    "ends mid-sentence": [
        ({"thinking": one}, {"thinking": one})
        for one in (
            "One and one make 2. Let us check that with the",
            "One and one make 2.\n\nWait",
            "One and one make 2, which is \\(1 + 1",
            "The sum is $2 = \\frac{1",
            "One and one make 2:\n\n1 + 1 =",
            "One and one make 2.\nWe can say the same of any two numbers.\nNow think of other numbers that add up",
        )
    ],
    "cut trace": [
        ({"metadata": json.dumps({"finish": "length"})}, None),
        ({"attempt": "The answer is \\boxed{2", "answer": ""}, None),
    ],
    "empty answer": [({"attempt": " ", "answer": ""}, None)],
    "answer contradicts the gold": [
        ({"answer": "3"}, None),
        ({"metadata": json.dumps({"attempt_correct": False})}, None),
    ],
    "answer not in the trace": [({"thinking": "I know it."}, {"thinking": "I know it."})],
    "prompt leak": [
        ({"thinking": "This matches the reference solution, so 2."}, None),
        ({"thinking": "Looking at the provided solution, they get 2."}, None),
        ({"attempt": "As an AI language model, I say 2."}, None),
        ({"attempt": "2\nHuman: and 2 + 2?"}, None),
    ],
    "other language than the question": [
        ({"thinking": "一加一等于二，所以答案是 2。"}, None),
        (
            {
                "question": "What is the sum of 1 and 1, and why is it so?",
                "thinking": "Sumamos los dos números y es 2. El primero es 1 y el segundo es 1, por eso es 2. "
                "Entonces los dos son 2, y en la suma es 2, como es el caso. Entonces es 2.",
            },
            None,
        ),
    ],
}
EVERY = [(kind, *case) for kind, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("kind", "changes", "left"), EVERY)
def test_each_defect_is_found_and_mended_without_losing_a_word_or_dropped(kind: Any, changes: Any, left: Any) -> None:
    bad = row(1, **{**GOOD, **changes})
    fixed: list[dict[str, Any]] = []
    report = lint.lint([row(2, **{**GOOD, "question": "Why 2?"}), bad], fixed=fixed)
    assert report.found[kind].rows == 1 and report.found[kind].examples == ["r0001"]
    assert report.found[kind].tokens > 0
    mended = next((one for one in fixed if one["id"] == "r0001"), None)
    assert (mended is None) == (left is None), mended
    if mended is not None:
        assert {name: mended[name] for name in left} == left
        again = lint.defects(mended)
        assert [one for one in again if one not in lint.WARNINGS] == []


def test_every_kind_has_a_case() -> None:
    assert set(CASES) == set(lint.CHECKS)


def test_good_rows_are_clean() -> None:
    good = [
        row(1, **GOOD),
        row(2, thinking="The `<think>` tags are HTML. <b>2</b> < 3 and \\[ x \\], so 4.", attempt="4"),
        row(
            5,
            question="Was ist die Summe von 5 und 5, und wie ist das?",
            attempt="10",
            thinking="Die Summe ist das, was wir suchen. " * 2 + "Wir zählen also: 5 und 5 ist 10, das ist der Rest.",
        ),
        row(
            6,
            question="What is the sum of $\\alpha + \\beta$ in the set of $\\{6, 6\\}$?",
            attempt="12",
            thinking="Let α + β = γ. The set of them is {6, 6}, so that we have 12, and this is it.",
        ),
        row(3, question="Сколько будет 3 + 3?", thinking="Три и три это 6.", attempt="6"),
        row(
            4, thinking="\n\n".join(f"Step {n}: add {n} to get {n * n + 1}." for n in range(80)) + " So 8.", attempt="8"
        ),
    ]
    assert lint.lint(good).found == {} and lint.lint(good).clean == 6


LEGITIMATE = [
    "\n".join(f"If n = {n}, then n^2 + 1 = {n * n + 1}." for n in range(1, 57)),
    "\n".join(f"- \\({n} \\div 50 = {n / 50:.3f}\\) (so, {n} is not a divisor)" for n in range(26, 50)),
    "\n".join(f"If A = {n}, then B can be 0 to {30 - n}." for n in range(30)),
    "\n".join(f"\\(N({n}) = 1\\)" for n in range(60)),  # a table of numbers
    " ".join(f"{n}, {n + 1}, {n + 2};" for n in range(100)),
]


@pytest.mark.parametrize("trace", LEGITIMATE)
def test_cases_in_a_row_are_no_loop(trace: str) -> None:
    assert not counts_on(f"{PLAIN}\n{trace}\nSo 2.")


ENDS = [
    "So the answer is 2",
    "Thus \\[ x = 2 \\]",
    "Thus $x = 2$",
    "So it costs $5",
    "The answer is A",
    "**Paris**",
    "- the second",
    "| a | b |",
    "```\nreturn of the\n```",
    "```\nfor i in the",
    "so that\n\\\\[2pt] x",
    "The ion is Na+",
    "所以答案是二",
    "no stops are in this text\nnot one of its lines has them\nand so it ends as all of them do here",
]


@pytest.mark.parametrize("end", ENDS)
def test_what_an_author_may_end_with_is_no_cut(end: str) -> None:
    assert not stops_mid_sentence("We look at both of the numbers.\n\n" * (end[:2] != "no") + end)


def test_few_of_the_public_traces_are_told_to_loop_by_numbers_or_to_stop_mid_sentence() -> None:
    """Each of those told was looked at: 2 that never end, and 33 that were cut or end in a "Wait" put behind them."""
    from harness.data import load as pool

    traces = [row["thinking"] for row in pool.load("sft_pool", shared("sft_pool").parent)]
    assert sum(map(stops_mid_sentence, traces)) == 33
    new = [trace for trace in traces if counts_on(trace) and not repeats(trace)]
    assert len(traces) == 2554 and len(new) == 2 and all(len(trace) > 15_000 for trace in new)


def test_duplicates_are_dropped_and_near_ones_are_warned_of() -> None:
    long = " ".join(f"word{n}" for n in range(200))
    rows = [
        row(1, thinking=long + " 2", question="Q", attempt="2"),
        row(2, thinking=long + " 2", question="Q", attempt="2", answer="2"),
        row(3, thinking=long.replace("word7 ", "other ") + " 2", question="Q", attempt="2", answer="2"),
    ]
    fixed: list[dict[str, Any]] = []
    report = lint.lint(rows, fixed=fixed)
    assert (report.found[lint.DUPLICATE].rows, report.found[lint.NEAR].examples) == (1, ["r0003"])
    assert [one["id"] for one in fixed] == ["r0001", "r0003"]


def test_near_duplicates_are_those_of_a_comparison_of_every_pair() -> None:
    texts = []
    for group in range(30):
        words = [f"g{group}w{n}" for n in range(120)]
        for change in (0, 1, 3, 40):
            texts.append((f"{group}/{change}", " ".join(words[:-change] + ["x"] * change if change else words)))
    found = {row_id for row_id, _ in near_duplicates(texts)}
    expected, kept = set(), list[set[int]]()
    for row_id, text in texts:
        mine = shingles(text)
        if any(len(mine & other) >= 0.8 * len(mine | other) for other in kept):
            expected.add(row_id)
        else:
            kept.append(mine)
    assert found == expected and 30 < len(found) < 90


def test_strict_stops_at_errors_and_not_at_warnings() -> None:
    warned = lint.lint([row(1, **{**GOOD, "thinking": "I know it."})])
    lint.check(warned, "x")
    with pytest.raises(UserError, match="lint of recipe a: 1 empty answer"):
        lint.check(lint.lint([row(1, **{**GOOD, "attempt": "", "answer": ""})]), "recipe a")


def test_the_command_prints_counts_examples_and_tokens_and_writes_what_is_left(tmp_path: Path) -> None:
    rows = [row(1, **GOOD), row(2, **{**GOOD, "attempt": "2<|eot_id|>"}), row(3, **{**GOOD, "thinking": ""})]
    rows.append(row(4, **{**GOOD, "question": "why " * 300}))
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(json.dumps(one) + "\n" for one in rows))
    byte_tokenizer().save_pretrained(tmp_path / "tokenizer")
    arguments = ["data", "lint", str(pool), "--tokenizer", str(tmp_path / "tokenizer"), "--block-size", "600"]
    told = CliRunner().invoke(cli, [*arguments, "--fix", "--out", str(tmp_path / "left.jsonl")], catch_exceptions=False)
    assert "| foreign delimiter or special token | 1 |" in told.output and "r0002" in told.output
    assert "| no loss at the block size | 1 |" in told.output
    assert "1 rows mended, 2 dropped; 2 rows" in told.output
    left = [json.loads(line)["id"] for line in (tmp_path / "left.jsonl").read_text().splitlines()]
    assert left == ["r0001", "r0002"]
    with pytest.raises(UserError, match="give both or neither"):
        CliRunner().invoke(cli, [*arguments, "--fix"], catch_exceptions=False)
