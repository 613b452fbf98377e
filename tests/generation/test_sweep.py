"""Sweeps with the scripted engine: what each method costs, discards and records, to the token."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config import Budget, Sampling
from harness.errors import UserError
from harness.generation.rules import Vocabulary, derive_seed
from harness.generation.sweep import Prompt, generate
from harness.records import Generation, Problem
from harness.runtime.scoring import score
from harness.thinking import FORMATS, custom_format, thinking_format
from tests.scripted import ScriptedEngine
from tests.tiny import byte_tokenizer

TOKENIZER = byte_tokenizer()
VOCABULARY = Vocabulary(TOKENIZER)
START, END = VOCABULARY.encode("<|im_start|><|im_end|>")
LETTERS = VOCABULARY.encode("abcdefgh \n")
Model = Callable[[Sequence[int], frozenset[int]], int]


def chatter(p_end: float = 0.05, salt: int = 0) -> Model:
    """A deterministic model that babbles and ends its thoughts and answers now and then."""

    def choose(context: Sequence[int], masked: frozenset[int]) -> int:
        rng = random.Random(derive_seed(salt, *context))
        if rng.random() < p_end and (ends := sorted({START, END} - masked)):
            return rng.choice(ends)
        return rng.choice(LETTERS)

    return choose


def run(
    budgets: Sequence[Budget],
    model: Callable[..., int] | None = None,
    *,
    texts: Sequence[str] = ("q", "a longer question"),
    sampling: Sampling | None = None,
    context: int = 2000,
    thinking: Any = FORMATS["s1"],
    sampled: bool = False,
    interval: int = 1,
    **options: Any,
) -> tuple[list[Generation], ScriptedEngine]:
    engine: Any = ScriptedEngine(model or chatter(), TOKENIZER, context, sampled=sampled, interval=interval)
    prompts = [Prompt(str(i), text, VOCABULARY.encode(text)) for i, text in enumerate(texts)]
    rows: list[Generation] = []
    generate(
        engine,
        prompts,
        budgets,
        sampling or Sampling(max_answer_tokens=20),
        thinking,
        on_generation=rows.append,
        **options,
    )
    assert len(rows) == len(texts) * len(budgets) * (sampling.num_samples if sampling else 1)
    return rows, engine


def by_cell(rows: Sequence[Generation]) -> dict[Any, Generation]:
    return {(row.problem_id, row.budget, row.sample_index): replace(row, replayed=False) for row in rows}


GRID = [Budget(b, n) for b in (64, 128, 256, 512, 1024) for n in (0, 1, 2, 4)]


@settings(max_examples=60, deadline=None)
@given(
    salt=st.integers(0, 10_000),
    p_end=st.sampled_from([0.0, 0.02, 0.2]),
    budget=st.integers(0, 60),
    num_ignores=st.integers(0, 4),
    strings=st.sampled_from([None, "Wait", ("Wait", "Hmm\n"), ""]),
)
def test_a_row_keeps_its_budget_decodes_to_its_text_and_accounts_for_every_token(
    salt: int, p_end: float, budget: int, num_ignores: int, strings: Any
) -> None:
    asked = Budget(budget, num_ignores, ignore_str=strings)
    rows, engine = run([asked], chatter(p_end, salt), texts=["q"])
    row = rows[0]
    for ids, text in [(row.thinking_ids, row.thinking), (row.closing_ids, row.closing), (row.answer_ids, row.answer)]:
        assert VOCABULARY.decode(ids) == text
    assert len(row.thinking_ids) <= row.budget_tokens == budget
    newline = "" if row.thinking.endswith("\n") else "\n"
    assert row.closing == f"{newline}<|im_start|>answer\nFinal Answer:" if row.forced_end else "<|im_start|>answer"
    said = [VOCABULARY.decode(row.thinking_ids[x.start : x.start + x.length]) for x in row.forced_spans]
    rotation = (strings,) if isinstance(strings, str) else strings or ()
    assert said == [rotation[i % len(rotation)] for i in range(row.num_rounds - 1) if any(rotation)]
    ends = row.num_rounds - 1 + (row.thinking_finish == "stop") + (row.answer_finish == "stop")
    sampled = len(row.thinking_ids) - row.injected_tokens + len(row.answer_ids) + ends
    assert sampled == engine.counters.sampled_tokens


def test_twenty_cells_cost_hardly_more_than_the_longest() -> None:
    texts = [f"question {i}" for i in range(8)]
    together, engine = run(GRID, chatter(0.01), texts=texts)
    apart, many = run(GRID, chatter(0.01), texts=texts, replay=False)
    assert by_cell(together) == by_cell(apart)
    _, longest = run([Budget(1024, 4)], chatter(0.01), texts=texts)
    assert many.counters.sampled_tokens > 5 * engine.counters.sampled_tokens
    assert engine.counters.sampled_tokens < 1.6 * longest.counters.sampled_tokens


@pytest.mark.parametrize("interval", [2, 7, 16, 1000])
def test_the_pieces_that_an_engine_hands_over_change_no_row(interval: int) -> None:
    budgets = [
        *GRID,
        Budget(300, 2, stop_on_loop=True),
        Budget(150, 1, min_thinking_tokens=40),
        Budget(90, 2, compat="s1-fork"),
        Budget(90, wrap_up_str=" soon done ", wrap_up_tokens=30, grace_tokens=12),
        Budget(20, wrap_up_str="a wrap-up that is longer than all of its budget", wrap_up_tokens=20),
        Budget(120, grace_tokens=50),
    ]
    for thinking in (FORMATS["s1"], FORMATS["think"]):
        one, _ = run(budgets, chatter(0.03), thinking=thinking)
        pieces, _ = run(budgets, chatter(0.03), thinking=thinking, interval=interval)
        assert by_cell(pieces) == by_cell(one)


def test_strings_in_rotation_and_other_settings_do_not_share_a_trunk() -> None:
    budgets = [
        Budget(200, 2, ignore_str=("Wait", "Hmm")),
        Budget(200, 2, ignore_str=None),
        Budget(100, 1, min_thinking_tokens=50),
        Budget("auto", 1),
        *GRID[:6],
    ]
    together, _ = run(budgets)
    apart, _ = run(budgets, replay=False)
    assert by_cell(together) == by_cell(apart)
    rotating = next(row for row in together if row.budget == budgets[0] and row.num_rounds == 3)
    waits = [rotating.thinking_ids[span.start : span.start + span.length] for span in rotating.forced_spans]
    assert waits == [VOCABULARY.encode("Wait"), VOCABULARY.encode("Hmm")]
    for row in together:
        if row.budget == budgets[2] and row.thinking_finish == "stop":
            assert len(row.thinking_ids) >= 50


def test_auto_leaves_the_answers_room_and_ignores_the_other_prompts() -> None:
    alone, _ = run([Budget("auto")], chatter(0), texts=["q"])
    beside, _ = run([Budget("auto")], chatter(0), texts=["q", "q" * 900])
    assert alone[0] == beside[0]
    assert beside[0].budget_tokens - beside[1].budget_tokens == 899
    for row in beside:
        used = len(row.prompt_ids) + len(row.thinking_ids) + len(row.closing_ids) + len(row.answer_ids)
        assert 2000 - 1 <= used <= 2000
        assert (row.thinking_finish, row.forced_end, len(row.answer_ids)) == ("budget", True, 20)


def test_a_prompt_that_does_not_fit_fails_alone() -> None:
    rows, _ = run([Budget(10), Budget("auto"), Budget(10, method="no_thinking")], texts=["q", "q" * 3000])
    assert [row.error is None for row in rows if row.problem_id == "0"] == [True] * 3
    for row in rows:
        if row.problem_id == "1":
            assert "leaves no room" in (row.error or "") and row.thinking_finish == "error"


def test_without_thinking_there_is_no_delimiter_and_the_room_of_both() -> None:
    rows, _ = run([Budget(30, method="no_thinking")], chatter(0))
    for row in rows:
        assert (row.thinking, row.closing, row.num_rounds, row.thinking_finish) == ("", "", 0, "none")
        assert row.prompt in ("q", "a longer question")
        assert len(row.answer_ids) == 30 + 20


def test_a_start_that_the_template_has_already_written_is_not_written_twice() -> None:
    rows, _ = run([Budget(8)], texts=["q<|im_start|>think"])
    assert rows[0].prompt == "q<|im_start|>think"


def test_a_stop_token_in_the_prompt_stops_nothing() -> None:
    rows, _ = run([Budget(8)], chatter(0), texts=["<|im_start|>user\nq<|im_end|>"])
    assert len(rows[0].thinking_ids) == 8


def test_stop_strings_end_the_answer_and_are_cut_off() -> None:
    said = (*VOCABULARY.encode("thought"), START, *VOCABULARY.encode("4\n\nQuestion: and then?"))
    prompt = VOCABULARY.encode("q<|im_start|>think")
    closing = VOCABULARY.encode("<|im_start|>answer")

    def model(context: Sequence[int], masked: frozenset[int]) -> int:
        rest = list(context[len(prompt) :])
        done = len(rest) - len(closing) + 1 if START in rest else len(rest)
        return said[done]

    rows, _ = run([Budget(50)], model, texts=["q"], stop_strings=["Question:"])
    assert (rows[0].answer, rows[0].answer_finish) == ("4\n\n", "stop")
    assert VOCABULARY.decode(rows[0].answer_ids) == "4\n\nQuestion:"
    long_stop = replace(FORMATS["s1"], answer_stops=("Question:",))  # a stop that is no single token
    rows, _ = run([Budget(50)], model, texts=["q"], thinking=long_stop, stop_strings=[""])
    assert (rows[0].answer, rows[0].answer_finish) == ("4\n\n", "stop")


@pytest.mark.parametrize("name", ["think", "gpt-oss", "s1-steps"])
def test_every_format_replays_exactly_though_its_ends_are_several_tokens(name: str) -> None:
    ends = VOCABULARY.encode(FORMATS[name].stops[0])

    def model(context: Sequence[int], masked: frozenset[int]) -> int:
        for length in range(len(ends) - 1, 0, -1):  # an end once begun is mostly finished
            if tuple(context[-length:]) == ends[:length] and derive_seed(*context[-40:]) % 8:
                return ends[length]
        choice = chatter(0.02)(context, masked)
        return ends[0] if choice == START and ends[0] not in masked else choice

    grid = [Budget(b, n) for b in (5, 17, 60, 200) for n in (0, 1, 3)]
    together, _ = run(grid, model, thinking=FORMATS[name])
    apart, _ = run(grid, model, thinking=FORMATS[name], replay=False)
    assert by_cell(together) == by_cell(apart)
    assert any(row.thinking_finish == "stop" for row in together) and any(row.forced_spans for row in together)
    assert not any(FORMATS[name].stops[0] in row.thinking for row in together)


@pytest.mark.parametrize(("name", "end"), [("s1-steps", "<|im_start|>0"), ("think", "</think>")])
def test_a_budget_that_cuts_an_end_in_its_middle_has_no_span_of_a_round_behind_it(name: str, end: str) -> None:
    """The trunk ignores that end and goes on: its ignore string begins where the cut thought still has end tokens."""
    thought = VOCABULARY.encode(f"ab{end}cd{end}e")
    longest = len(VOCABULARY.encode(f"ab{end}Wait, let me checkcd{end}"))

    def model(context: Sequence[int], masked: frozenset[int]) -> int:
        text = VOCABULARY.decode(context).replace("Wait, let me check", end)
        said = len(VOCABULARY.encode(text.split(FORMATS[name].thinking_start, 1)[1]))
        return thought[said] if said < len(thought) else LETTERS[0]

    grid = [Budget(b, n, ignore_str="Wait, let me check") for b in range(longest + 3) for n in (0, 1, 2)]
    together, apart = (run(grid, model, texts=["q"], replay=on, thinking=FORMATS[name])[0] for on in (True, False))
    assert by_cell(together) == by_cell(apart)
    cut = 0
    for row in together:
        assert row.injected_tokens <= len(row.thinking_ids) and len(row.forced_spans) == max(0, row.num_rounds - 1)
        for span in row.forced_spans:
            assert VOCABULARY.decode(row.thinking_ids[span.start : span.start + span.length]) == "Wait, let me check"
        cut += row.thinking_finish == "budget" and row.num_rounds == 1 and len(row.thinking_ids) > 2
    assert cut >= 3


def test_a_format_of_your_own_takes_four_strings() -> None:
    own = custom_format("[think]", "[answer]", " So:", "\n\n")
    rows, _ = run([Budget(9)], chatter(0), thinking=own)
    assert rows[0].prompt.endswith("[think]") and rows[0].closing.endswith("[answer] So:")
    assert thinking_format('["[think]", "[answer]", " So:", "\\n\\n"]') == own


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('["a", "b", "c"]', "needs four strings"),
        ('["a", "b", "c", 4]', "needs four strings"),
        ("[a", "no JSON list"),
        ('["a", "", "c", "d"]', "has no thinking_end"),
        ("thnk", "did you mean 'think'"),
    ],
)
def test_a_thinking_format_that_is_none_is_refused(text: str, match: str) -> None:
    with pytest.raises(UserError, match=match):
        thinking_format(text)


# -- rejection sampling ------------------------------------------------------------------------------------------------


def thoughts_of(lengths: Sequence[int]) -> Model:
    """A model whose n-th thought is `lengths[n]` letters long; it tells thoughts apart by counting their beginnings."""
    begun = -1

    def model(context: Sequence[int], masked: frozenset[int]) -> int:
        nonlocal begun
        tail = VOCABULARY.decode(context)
        thought = tail.split("think", 1)[1]
        if "answer" in thought:
            return END
        begun += not thought
        return START if len(thought) == lengths[begun] else LETTERS[0]

    return model


def test_a_stop_string_ends_the_answer_and_not_the_thought() -> None:
    stopped = Sampling(max_answer_tokens=60, stop=("b",))
    rows, _ = run([Budget(40), Budget(method="no_thinking")], chatter(0), sampling=stopped)
    for row in rows:
        assert "b" not in row.answer and VOCABULARY.decode(row.answer_ids).count("b") == 1
    assert any("b" in row.thinking for row in rows)


SAMPLED = Sampling(temperature=1.0, max_answer_tokens=20)


def test_the_first_attempt_that_fits_is_taken_and_the_rejected_tokens_are_counted() -> None:
    budget = Budget(10, method="rejection_sampling")
    rows, _ = run([budget], thoughts_of([30, 12, 10, 3]), texts=["q"], sampling=SAMPLED)
    row = rows[0]
    assert (row.num_attempts, row.discarded_tokens, len(row.thinking_ids)) == (3, 11 + 11, 10)
    assert (row.thinking_finish, row.closing) == ("stop", "<|im_start|>answer")


def test_one_series_of_attempts_serves_every_length_as_it_would_alone() -> None:
    lengths = [30, 12, 7, 3]
    budgets = [Budget(n, method="rejection_sampling") for n in (5, 10, 20)]
    together, _ = run(budgets, thoughts_of(lengths), texts=["q"], sampling=SAMPLED)
    found = {row.budget.max_thinking_tokens: (row.num_attempts, row.discarded_tokens) for row in together}
    assert found == {5: (4, 6 + 6 + 6), 10: (3, 11 + 11), 20: (2, 21)}
    for budget in budgets:
        alone, _ = run([budget], thoughts_of(lengths), texts=["q"], sampling=SAMPLED)
        assert (alone[0].num_attempts, alone[0].discarded_tokens) == found[budget.max_thinking_tokens]


def test_attempts_of_many_prompts_never_cross() -> None:
    def model(context: Sequence[int], masked: frozenset[int]) -> int:
        rng = random.Random(derive_seed(*context[:1], rng_state[0]))
        rng_state[0] += 1
        return START if rng.random() < 0.1 and START not in masked else context[0]

    rng_state = [0]
    budgets = [Budget(n, method="rejection_sampling", max_attempts=200) for n in (3, 9)]
    rows, _ = run(budgets, model, texts=list("abcdefgh"), sampling=SAMPLED)
    assert max(row.num_attempts for row in rows) > 2
    for row in rows:
        assert row.error is None and set(row.thinking) == {row.prompt[0]} and len(row.thinking) <= row.budget_tokens


def test_attempts_that_are_used_up_are_a_finished_row_whose_every_token_counts() -> None:
    budget = Budget(4, method="rejection_sampling", max_attempts=5)
    rows, engine = run([budget], chatter(0), texts=["q"], sampling=SAMPLED)
    row = rows[0]
    assert (row.error, row.thinking_finish, row.response, row.num_rounds) == (None, "rejected", "", 0)
    assert row.discarded_tokens == engine.counters.sampled_tokens == 25 and row.num_attempts == 5
    verdict = score(Problem("0", "t", "q", "7"), row)
    assert verdict.correct is False and verdict.reason == "none of 5 attempts fits 4 thinking tokens"


@pytest.mark.parametrize(
    ("budget", "sampling", "match"),
    [
        (Budget(4, method="rejection_sampling"), Sampling(), "temperature 0"),
        (Budget("auto", method="rejection_sampling"), SAMPLED, "as a number"),
        (Budget(4, 1, method="rejection_sampling"), SAMPLED, "num_ignores=0"),
    ],
)
def test_rejection_that_cannot_work_is_refused(budget: Budget, sampling: Sampling, match: str) -> None:
    with pytest.raises(UserError, match=match):
        run([budget], sampling=sampling)
