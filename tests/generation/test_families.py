"""One test of every family of templates: generation, training text, grader, statistics and import agree on where the
thought ends, and the prompt asks for thinking, or for none, as the template wants."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.analysis.logs.importing import import_files
from harness.analysis.logs.sample_stats import compute, split
from harness.config import Budget, Chat, Sampling
from harness.errors import UserError
from harness.generation.chat_files import chat_files
from harness.generation.prompts import render_prompt
from harness.generation.rules import Vocabulary
from harness.generation.sweep import Prompt, generate
from harness.generation.templates.reading import Reading, read, resolve
from harness.generation.templates.template import Template
from harness.grading.grader import grade_row
from harness.marks import own_marks
from harness.records import Generation
from harness.studies.formats import read_for, refuse_closed
from harness.thinking import Ask, ThinkingFormat, thinking_format
from harness.training.text import training_example
from tests.families import FIXTURES as FITTED
from tests.families import Fixture, tokenizer_of
from tests.further_families import FURTHER
from tests.more_families import HELD_BACK
from tests.pools import row as pool_row
from tests.scripted import ScriptedEngine
from tests.unseen_families import UNSEEN

THOUGHT, MORE, ANSWER = "I guess \\boxed{17}. Hm", " so it is more", "The number is \\boxed{42}."
QUESTION = "\u2039question\u203a"
FIXTURES = (*FITTED, *HELD_BACK, *FURTHER, *UNSEEN)
EVERY = pytest.mark.parametrize("family", FIXTURES, ids=[family.name for family in FIXTURES])


def tokenizer(family: Fixture) -> Any:
    return tokenizer_of(family.template, family.tokens, family.eos)


def generated(
    family: Fixture, reading: Reading, budget: Budget, thoughts: Sequence[str] = (THOUGHT,), max_answer: int = 200
) -> Generation:
    """What a model that thinks `thoughts`, answers and ends its turn is made to write under `budget`."""
    made, thinking = tokenizer(family), reading.thinking
    vocabulary = Vocabulary(made)
    text, ids = render_prompt(made, QUESTION, ask=thinking.ask)
    stop, answer = vocabulary.encode(thinking.stops[0]), vocabulary.encode(ANSWER + family.ends)
    closings = [vocabulary.encode(c) for c in (thinking.thinking_end + thinking.final_answer, thinking.thinking_end)]
    joined = [vocabulary.encode("Wait".join(thoughts[: n + 1])) for n in range(len(thoughts))]

    def choose(context: Sequence[int], masked: frozenset[int]) -> int:
        tail = tuple(context[len(ids) :]) if thinking.opened_in(text) else tuple(context[len(ids) + len(start) :])
        for closing in closings:
            for done in range(len(answer) - 1, -1, -1):
                if tail[-len(closing) - done :] == (*closing, *answer[:done]) and len(tail) > len(closing) + done - 1:
                    return answer[done]
        for thought in joined:
            if tail == thought[: len(tail)] and len(tail) < len(thought):
                return thought[len(tail)]
            for done in range(len(stop)):
                if tail == (*thought, *stop[:done]):
                    return stop[done]
        raise AssertionError(vocabulary.decode(tail))

    start = vocabulary.encode(thinking.thinking_start)
    rows: list[Generation] = []
    engine: Any = ScriptedEngine(choose, made, 4000)
    sampling = Sampling(max_answer_tokens=max_answer)
    generate(engine, [Prompt("p", text, tuple(ids))], [budget], sampling, thinking, on_generation=rows.append)
    assert len(rows) == 1 and rows[0].error is None
    return rows[0]


@EVERY
def test_thinking_is_asked_for_and_the_block_is_opened_once(family: Fixture) -> None:
    reading = read(tokenizer(family))
    row = generated(family, reading, Budget())
    assert row.prompt.endswith(family.thinks)
    assert reading.opener == family.opener
    start = reading.thinking.thinking_start.strip()
    tail = row.prompt.rpartition(QUESTION)[2]
    assert tail.count(start) == 1


@EVERY
def test_natural_end_forced_end_and_wait_are_the_familys(family: Fixture) -> None:
    reading = read(tokenizer(family))
    natural = generated(family, reading, Budget())
    assert (natural.thinking, natural.thinking_finish, natural.answer_finish) == (THOUGHT, "stop", "stop")
    assert natural.closing.strip() == family.closes.strip()
    assert natural.answer.strip() == ANSWER  # and not its end of turn
    forced = generated(family, reading, Budget(9))
    assert (forced.thinking, forced.thinking_finish) == (THOUGHT[:9], "budget")
    assert forced.closing == "\n" + reading.thinking.thinking_end + reading.thinking.final_answer
    again = generated(family, reading, Budget(num_ignores=1), (THOUGHT, MORE))
    assert (again.thinking, again.num_rounds) == (THOUGHT + "Wait" + MORE, 2)


@EVERY
def test_a_prompt_without_thinking_ends_behind_a_closed_block_or_asks_for_none(family: Fixture) -> None:
    made = tokenizer(family)
    thinking = read(made).thinking
    text, _ = render_prompt(made, QUESTION, ask=thinking.plain)
    assert (text + thinking.empty).endswith(family.plain)
    assert not thinking.opened_in(text + thinking.empty)


@EVERY
def test_training_text_is_one_block_with_the_turns_end(family: Fixture) -> None:
    made = tokenizer(family)
    thinking = read(made).thinking
    row = pool_row(1, question=QUESTION, thinking=THOUGHT, attempt=ANSWER)
    text = made.decode(training_example(made, row, thinking, 4000)["input_ids"])
    before, _, after = text.partition(THOUGHT)
    assert before.rstrip().endswith(family.thinks.rstrip())
    assert after.replace("\n", "") == (family.closes + ANSWER + family.ends).replace("\n", "")
    assert after.endswith(family.ends)


SHOW_THOUGHTS = [
    family for family in FIXTURES if "reasoning_content" in family.template or ".thinking" in family.template
]


@pytest.mark.parametrize("family", SHOW_THOUGHTS, ids=[family.name for family in SHOW_THOUGHTS])
def test_training_text_is_the_templates_own_rendering_of_the_turn(family: Fixture) -> None:
    """The witness is transformers' rendering of a turn with its thought."""
    made = tokenizer(family)
    thinking = read(made).thinking
    turn: dict[str, Any] = {"role": "assistant", "content": ANSWER, "reasoning_content": THOUGHT, "thinking": THOUGHT}
    if "part.thinking" in family.template:
        turn["content"] = [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": ANSWER}]
    turns = [{"role": "user", "content": QUESTION}, turn]
    rendered = made.apply_chat_template(turns, tokenize=False, **dict(thinking.ask.arguments))
    row = pool_row(1, question=QUESTION, thinking=THOUGHT, attempt=ANSWER)
    text = made.decode(training_example(made, row, thinking, 4000)["input_ids"])
    own_end = family.ends if not rendered.rstrip().endswith(ANSWER) else ""  # GLM's template writes none
    assert text.removesuffix("" if own_end else family.ends).strip() == rendered.strip()


def response_of(family: Fixture, thinking: ThinkingFormat, prompt: str, closed: bool) -> str:
    """What the family's model writes behind `prompt`, special tokens kept, as logs have it."""
    start = "" if thinking.opened_in(prompt) else thinking.thinking_start
    gap = "\n" if thinking.thinking_start.endswith("\n") and thinking.gap is None else thinking.gap or ""
    return start + THOUGHT + (gap + thinking.thinking_end + ANSWER + family.ends if closed else " and on")


@EVERY
def test_every_reader_finds_the_thought_whoever_opened_it(family: Fixture, tmp_path: Path) -> None:
    made = tokenizer(family)
    thinking = read(made).thinking
    prompt, _ = render_prompt(made, QUESTION, ask=thinking.ask)
    closed, cut = (response_of(family, thinking, prompt, whole) for whole in (True, False))

    right = grade_row({"response": closed, "prompt": prompt, "gold": "42"})
    assert (right.status, right.extracted) == ("correct", "42")
    guessed = grade_row({"response": cut, "prompt": prompt, "gold": "17"})
    assert (guessed.status, guessed.extracted) == ("truncated", None)
    if not thinking.opened_in(prompt):
        assert grade_row({"response": cut, "gold": "17"}).status == "truncated"
    if "assistant/think" not in prompt:  # its thought is a turn like any other to those who do not see the prompt
        assert grade_row({"response": closed, "gold": "42"}).status == "correct"

    parts = split(closed, prompt)
    assert (parts.has_thinking, parts.thinking.strip(), parts.has_answer) == (True, THOUGHT, True)
    assert parts.answer.strip().removeprefix("<answer>\n").startswith(ANSWER)  # the grader reads between such tags
    parts = split(cut, prompt)
    assert (parts.has_thinking, parts.thinking.strip(), parts.answer) == (True, THOUGHT + " and on", "")

    path = tmp_path / "samples_quick.jsonl"
    lines = [
        {
            "doc_id": i,
            "doc": {"problem": "?"},
            "target": "42",
            "arguments": [[prompt, {}]],
            "resps": [[text]],
            "exact_match": float(text is closed),
        }
        for i, text in enumerate((closed, closed, cut))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    import_files([path], tmp_path / "out")
    rows = sorted(pq.read_table(tmp_path / "out" / "samples").to_pylist(), key=lambda row: str(row["problem_id"]))
    assert [row["status"] for row in rows] == ["correct", "correct", "truncated"]
    assert {row["method"] for row in rows} == {"budget_forcing"}
    for row, text in zip(rows, (closed, closed, cut), strict=True):
        kept = row["thinking"] + row["closing"] + row["answer"]
        assert text.endswith(kept)  # without the thinking start, which a native row has in its prompt
        assert text.removesuffix(kept).strip() in ("", thinking.thinking_start.strip())
    stats = compute([path]).files[0]
    assert (stats.num_without_thinking, stats.num_without_answer) == (0, 1)
    assert stats.min_thinking_tokens is not None and stats.min_thinking_tokens > 0


@EVERY
def test_what_is_asked_is_what_the_template_reads(family: Fixture) -> None:
    """No word of its texts for a switch, and no other system turn where a switch says it."""
    made = tokenizer(family)
    thinking, known = read(made).thinking, Template(made).variables
    assert known is not None
    for ask in (thinking.ask, thinking.plain):
        assert {name for name, _ in ask.arguments} <= known
    assert not thinking.ask.arguments or thinking.plain.system is None


@EVERY
def test_a_checkpoints_files_say_the_same_as_its_loaded_tokenizer(family: Fixture, tmp_path: Path) -> None:
    made = tokenizer(family)
    made.save_pretrained(tmp_path)
    assert read(chat_files(str(tmp_path))) == read(made)


@EVERY
def test_a_reading_survives_as_text(family: Fixture) -> None:
    thinking = read(tokenizer(family)).thinking
    assert thinking_format(thinking.spec) == thinking


BY_NAME = {family.name.split(" (")[0]: family for family in FIXTURES}


def test_a_format_that_does_not_fit_is_refused_or_told_of() -> None:
    opened = tokenizer(BY_NAME["opened, without a switch"])
    with pytest.raises(UserError, match=r"'s1' is not the one of .* opens the thought itself; use --thinking auto"):
        resolve("s1", opened)
    seed = tokenizer(BY_NAME["a budget of zero switches it off"])
    (note,) = [note for note in resolve("think", seed).notes if "not the one of" in note]
    assert "'<seed:think>' and '</seed:think>'; --thinking auto uses that" in note
    assert not resolve("seed", seed).notes
    named = resolve("think", tokenizer(BY_NAME["hybrid that must be told"])).thinking
    assert dict(named.ask.arguments) == {"thinking": True}  # told, also where the format has a name


def test_the_users_own_arguments_hold_and_a_closed_thought_is_refused() -> None:
    made = tokenizer(BY_NAME["hybrid that thinks"])
    chat = Chat(system="Be brief.", instruction="\n\nBox it.", arguments=(("enable_thinking", False),))
    reading = read_for("auto", made, chat)
    with pytest.raises(UserError, match=r"closes the thought under \{'enable_thinking': False\}"):
        refuse_closed(made, reading, chat)
    text, _ = render_prompt(made, "2 + 2?", ask=reading.thinking.plain)
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2 + 2?\n\nBox it.<|im_end|>")
    open_chat = Chat(instruction="!", arguments=(("enable_thinking", True),))
    again = read_for(read_for("auto", made, open_chat).thinking.spec, made, open_chat).thinking
    assert again.ask.suffix == "!" and dict(again.ask.arguments) == {"enable_thinking": True}
    refuse_closed(made, read_for("auto", made, open_chat), open_chat)


def test_marks_that_no_table_knows_are_read_from_the_prompt_or_given() -> None:
    template = (
        "{%- for m in messages %}{{- m.role + ': ' + m.content + '<|stop|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- 'bot: <|deep_thought_start|>\n' }}{%- endif %}"
    )
    made = tokenizer_of(template, ("<|stop|>", "<|deep_thought_start|>", "<|deep_thought_end|>"), "<|stop|>")
    thinking = read(made).thinking
    assert (thinking.thinking_start, thinking.stops) == ("<|deep_thought_start|>\n", ("<|deep_thought_end|>",))
    assert grade_row({"response": "<|deep_thought_start|>\\boxed{5}", "gold": "5"}).status == "truncated"
    row = {"response": "PLAN \\boxed{5} SAY I do not know.", "gold": "5"}
    assert grade_row(row).status == "correct"
    assert grade_row(row, marks=own_marks([("PLAN", "SAY")])).status == "no_answer"
    assert (
        grade_row({"response": "PLAN \\boxed{5}", "gold": "5"}, marks=own_marks([("PLAN", "SAY")])).status
        == "truncated"
    )
    assert split("PLAN x SAY y", marks=own_marks([("PLAN", "SAY")])).thinking.strip() == "x"
    with pytest.raises(UserError, match="have no end"):
        own_marks([("PLAN", " ")])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("<|think:start|>", "<|think:end|>"),
        ("<|think_begin|>", "<|think_end|>"),
        ("<|reasoning-start|>", "<|reasoning-end|>"),
        ("<think.open>", "<think.close>"),
        ("<|BEGIN_OF_REASONING|>", "<|END_OF_REASONING|>"),
        ("<open_thought>", "<close_thought>"),
        ("<|reason|>", "<|/reason|>"),
    ],
)
def test_marks_whose_names_say_begin_and_end_are_a_pair_however_they_are_spelt(start: str, end: str) -> None:
    template = (
        "{%- for m in messages %}{{- '<|go|>' + m.role + ': ' + m.content + '<|stop|>' }}{%- endfor %}"
        f"{{%- if add_generation_prompt %}}{{{{- '<|go|>bot: {start}' }}}}{{%- if quick_thinking is defined and"
        f" quick_thinking %}}{{{{- '{end}' }}}}{{%- endif %}}{{%- endif %}}"
    )
    made = tokenizer_of(template, ("<|go|>", "<|stop|>", start, end), "<|stop|>")
    thinking = read(made).thinking
    assert (thinking.thinking_start, thinking.stops) == (start, (end,))
    prompt, _ = render_prompt(made, QUESTION, ask=thinking.ask)
    assert grade_row({"response": f"\\boxed{{17}}{end}\\boxed{{42}}", "prompt": prompt, "gold": "42"}).correct
    assert grade_row({"response": f"{start}\\boxed{{17}}{end}\\boxed{{42}}", "gold": "42"}).correct
    assert grade_row({"response": f"{start}\\boxed{{17}}", "gold": "17"}).status == "truncated"
    assert grade_row(
        {"response": f"\\boxed{{17}}{end}\\boxed{{42}}", "gold": "42"}
    ).correct  # its start in a lost prompt


def test_a_word_that_a_template_does_not_know_is_no_way_to_ask_for_less() -> None:
    """Effort by three words, most of it unless one of the other two is said: the default stays."""
    reading = read(tokenizer(BY_NAME["no end of turn, opened always, an effort with a capital"]))
    assert (reading.thinking.ask, reading.thinking.plain) == (Ask(), Ask())


def test_a_template_that_cannot_be_read_says_so() -> None:
    broken = tokenizer_of("{{ raise_exception('no such role') }}", ("<|stop|>",), "<|stop|>")
    with pytest.raises(UserError, match="cannot render a question"):
        read(broken)
    bare = tokenizer_of("{%- for m in messages %}{{- m.content }}{%- endfor %}", ("<|stop|>",), "<|stop|>")
    reading = read(bare)
    assert reading.thinking.name == "think" and reading.thinking.end_of_turn == "<|stop|>"
    assert any("no thinking format can be read" in note for note in reading.notes)
    assert any("ends no turn" in note for note in reading.notes)


def test_a_template_is_asked_as_transformers_would_ask_it() -> None:
    made = tokenizer(BY_NAME["hybrid that must be told"])
    template = Template(made)
    thinking = read(made).thinking
    turns = [{"role": "user", "content": QUESTION}]
    assert template.prompt(thinking.ask) == made.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True, thinking=True
    )
    assert re.search(r"<think>$", str(template.prompt(thinking.ask)))
