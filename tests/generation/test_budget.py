"""The budget-forcing machine against an oracle written from the rules, one token at a time, on random streams."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config import Budget, Sampling
from harness.errors import UserError
from harness.generation.budget import Machine, Rules, stop_of
from harness.generation.rules import (
    Delimiters,
    PromptTooLongError,
    Vocabulary,
    budget_tokens,
    derive_seed,
    ignore_ids,
)
from harness.generation.sweep import Cell, trunk_caps
from harness.generation.text_ends import TextEnds
from harness.thinking import FORMATS, custom_format
from tests.tiny import bpe_tokenizer, byte_tokenizer

END, EOS, NEWLINE, WAIT, CLOSE, FINAL = 1, 2, 10, (20, 21), (30,), (31, 32)
RULES = Rules(
    caps=(8,),
    ends=((END,), (EOS,)),
    natural_closing=CLOSE,
    forced_closing=FINAL,
    newline=(NEWLINE,),
    answer_ends=frozenset({EOS}),
    max_answer_tokens=6,
    room=1000,
    ignores=(WAIT,),
    newline_tokens=frozenset({NEWLINE, 11}),
)
Model = Callable[[Sequence[int], frozenset[int]], int]
TEXTS = {5: "so", 6: "</", 7: "think", NEWLINE: ">\n", 11: ".</", 20: "Wa", 21: "it"}
TEXT_ENDS = TextEnds.of(("</think>",), lambda ids: "".join(TEXTS.get(i, "") for i in ids), TEXTS)


def random_model(seed: int, p_end: float = 0.2) -> Model:
    """A deterministic next-token function of the whole context: any other token chosen, everything after differs."""

    def choose(context: Sequence[int], masked: frozenset[int]) -> int:
        rng = random.Random(derive_seed(seed, *context))
        if rng.random() < p_end and (ends := sorted({END, EOS} - masked)):
            return rng.choice(ends)
        return rng.choice([i for i in (5, 6, 7, NEWLINE, 11, 20) if i not in masked])

    return choose


def run(machine: Machine, model: Model, pieces: int = 1) -> Machine:
    """Drives `machine` as an engine does, handing tokens over in pieces."""
    while (turn := machine.turn()) is not None:
        assert turn.max_tokens > 0 and turn.min_tokens <= turn.max_tokens
        context, sampled = list(machine.ids), []
        for index in range(turn.max_tokens):
            sampled.append(model(context, turn.stop_ids if index < turn.min_tokens else frozenset()))
            context.append(sampled[-1])
            if sampled[-1] in turn.stop_ids:
                break
        for start in range(0, len(sampled), pieces):
            if not machine.feed(sampled[start : start + pieces]):
                break
    return machine


def oracle(model: Model, budget: int, num_ignores: int, rules: Rules) -> tuple[list[int], list[int], list[int]]:
    """thinking, closing, answer: the rules read off the page, with no turns and no state but these."""
    thinking: list[int] = []
    ignored, fresh = 0, True
    while True:
        if len(thinking) == budget:
            ends_in_newline = bool(thinking) and thinking[-1] in (NEWLINE, 11)
            closing = [*FINAL] if ends_in_newline else [NEWLINE, *FINAL]
            break
        token = model(thinking, frozenset({END, EOS}) if fresh else frozenset())
        fresh = False
        if token not in (END, EOS):
            thinking.append(token)
            continue
        wait = rules.ignores[ignored % len(rules.ignores)] if rules.ignores else ()
        if ignored < num_ignores and len(thinking) + len(wait) < budget:
            thinking += wait
            ignored, fresh = ignored + 1, True
        else:
            closing = [*CLOSE]
            break
    answer: list[int] = []
    while len(answer) < rules.max_answer_tokens:
        token = model(thinking + closing + answer, frozenset())
        if token == EOS:
            break
        answer.append(token)
    return thinking, closing, answer


settings_of_a_run = {
    "seed": st.integers(0, 10_000),
    "budget": st.integers(0, 40),
    "num_ignores": st.integers(0, 5),
    "ignores": st.sampled_from([(WAIT,), ((20,), (7, 6, 5)), (), ((5, 6, 7, 20, 21),)]),
    "pieces": st.integers(1, 7),
}


@settings(max_examples=400, deadline=None)
@given(**settings_of_a_run)
def test_the_machine_does_what_the_rules_say(
    seed: int, budget: int, num_ignores: int, ignores: tuple[tuple[int, ...], ...], pieces: int
) -> None:
    rules = replace(RULES, caps=(budget,) * (num_ignores + 1), ignores=ignores)
    model = random_model(seed)
    machine = run(Machine(rules), model, pieces)
    thinking, closing, answer = oracle(model, budget, num_ignores, rules)
    assert (machine.thinking, list(machine.closing), machine.answer) == (thinking, closing, answer)


@settings(max_examples=300, deadline=None)
@given(**settings_of_a_run)
def test_the_budget_holds_the_forced_text_is_exact_and_the_ledger_adds_up(
    seed: int, budget: int, num_ignores: int, ignores: tuple[tuple[int, ...], ...], pieces: int
) -> None:
    rules = replace(RULES, caps=(budget,) * (num_ignores + 1), ignores=ignores)
    machine = run(Machine(rules), random_model(seed), pieces)
    assert len(machine.thinking) <= budget
    assert len(machine.ends) == machine.round + (machine.thinking_finish == "stop")
    for index, span in enumerate(machine.spans):
        assert tuple(machine.thinking[span.start : span.start + span.length]) == rules.ignore(index)
    injected = sum(span.length for span in machine.spans)
    stop_tokens = len(machine.ends) + (machine.answer_finish == "stop")
    assert machine.sampled_tokens == len(machine.thinking) - injected + len(machine.answer) + stop_tokens
    if machine.forced_end:
        assert len(machine.thinking) == budget
        assert machine.closing[-len(FINAL) :] == FINAL
    else:
        assert machine.closing == CLOSE


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    grid=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), min_size=1, max_size=8),
    base=st.sampled_from([RULES, replace(RULES, ends=((END, 7), (EOS,))), replace(RULES, text_ends=TEXT_ENDS)]),
)
def test_a_trunk_tells_where_every_smaller_setting_stops(seed: int, grid: list[tuple[int, int]], base: Rules) -> None:
    cells = [Cell(Budget(b, n), b) for b, n in grid]
    trunk = run(Machine(replace(base, caps=trunk_caps(cells))), random_model(seed))
    for budget, num_ignores in grid:
        alone = run(Machine(replace(base, caps=(budget,) * (num_ignores + 1))), random_model(seed))
        stop = stop_of(trunk, budget, num_ignores)
        assert list(stop.thinking) == alone.thinking
        assert (stop.finish, stop.round) == (alone.thinking_finish, alone.round)
        assert base.closing(stop.thinking, stop.finish != "stop") == alone.closing


def scripted(*tokens: int) -> Model:
    """A model that says `tokens` in order whatever it sees, then END for ever (5 where that is masked)."""
    rest = list(tokens)

    def choose(context: Sequence[int], masked: frozenset[int]) -> int:
        token = rest.pop(0) if rest else END
        return 5 if token in masked else token

    return choose


def test_a_natural_end_exactly_at_the_budget_is_a_forced_end() -> None:
    machine = run(Machine(replace(RULES, caps=(3, 3))), scripted(5, 6, 7))
    assert (machine.thinking, machine.thinking_finish, machine.closing) == ([5, 6, 7], "budget", (NEWLINE, *FINAL))


def test_a_natural_end_one_token_before_the_budget_stays_natural() -> None:
    machine = run(Machine(replace(RULES, caps=(4,))), scripted(5, 6, 7, END))
    assert (machine.thinking, machine.thinking_finish, machine.closing) == ([5, 6, 7], "stop", CLOSE)


@pytest.mark.parametrize(("cap", "rounds"), [(5, 1), (6, 2)])
def test_an_end_is_ignored_only_if_the_ignore_string_and_one_more_token_fit(cap: int, rounds: int) -> None:
    machine = run(Machine(replace(RULES, caps=(cap, cap))), scripted(5, 6, 7, END))
    assert machine.round + 1 == rounds
    assert machine.thinking == ([5, 6, 7] if rounds == 1 else [5, 6, 7, *WAIT, 5])


def test_no_newline_is_added_after_any_token_that_ends_in_one() -> None:
    assert run(Machine(replace(RULES, caps=(2,))), scripted(5, NEWLINE)).closing == FINAL
    assert run(Machine(replace(RULES, caps=(2,))), scripted(5, 11)).closing == FINAL
    assert run(Machine(replace(RULES, caps=(2,))), scripted(NEWLINE, 5)).closing == (NEWLINE, *FINAL)


@pytest.mark.parametrize(("after_newline", "closing"), [(False, (NEWLINE, *FINAL)), (True, FINAL)])
def test_a_budget_of_zero_closes_an_empty_thought_at_once(after_newline: bool, closing: tuple[int, ...]) -> None:
    machine = Machine(replace(RULES, caps=(0,), after_newline=after_newline))
    assert (machine.thinking, machine.closing, machine.phase) == ([], closing, "answer")


def test_the_first_token_of_a_round_cannot_end_it_and_min_thinking_holds_ends_back() -> None:
    assert run(Machine(replace(RULES, caps=(9,))), scripted(END, END)).thinking == [5]
    long = run(Machine(replace(RULES, caps=(9,), min_thinking_tokens=4)), scripted(END, END, END, END, END))
    assert (long.thinking, long.thinking_finish) == ([5, 5, 5, 5], "stop")


def test_suppressing_without_a_string_goes_on_at_the_same_place() -> None:
    machine = run(Machine(replace(RULES, caps=(9, 9, 9), ignores=())), scripted(6, END, 7, END, END, END))
    assert (machine.thinking, machine.round, machine.spans) == ([6, 7, 5], 2, [])


def test_an_end_of_several_tokens_is_dropped_whole_and_its_last_token_alone_is_no_end() -> None:
    rules = replace(RULES, ends=((9, 40), (EOS,)), caps=(20, 20))
    machine = run(Machine(rules), scripted(5, 40, 9, 41, 9, 40, 6, EOS))
    assert machine.thinking == [5, 40, 9, 41, *WAIT, 6]
    assert machine.spans[0].start == 4


def fed(machine: Machine, *tokens: int) -> Machine:
    """`machine` after `tokens`, one by one, as far as it takes them for thinking."""
    for token in tokens:
        if machine.phase == "think":
            machine.feed([token])
    return machine


def test_an_end_in_plain_text_is_found_however_it_is_tokenised_and_dropped_whole() -> None:
    rules = replace(RULES, caps=(20, 20), text_ends=TEXT_ENDS)
    machine = fed(Machine(rules), 5, 6, 7, 5, 11, 7, NEWLINE, 5, 6, 7, NEWLINE)
    assert machine.thinking == [5, 6, 7, 5, *WAIT, 5]  # "so</thinkso" is no end; ".</" + "think" + ">\n" is one
    assert [end.sequence for end in machine.ends] == [(11, 7, NEWLINE), (6, 7, NEWLINE)]
    assert (machine.thinking_finish, machine.closing) == ("stop", CLOSE)


@pytest.mark.parametrize(("least", "thinking"), [(0, [5]), (2, [5, 6, 7, NEWLINE, 5])])
def test_an_end_in_plain_text_keeps_the_minimum_though_it_cannot_be_masked(least: int, thinking: list[int]) -> None:
    rules = replace(RULES, caps=(20,), text_ends=TEXT_ENDS, min_thinking_tokens=least)
    machine = fed(Machine(rules), 5, 6, 7, NEWLINE, 5, 6, 7, NEWLINE)
    assert machine.thinking == thinking


def test_an_ignore_string_cannot_be_part_of_an_end_in_plain_text() -> None:
    rules = replace(RULES, caps=(20, 20), text_ends=TEXT_ENDS, ignores=((5, 6),))
    assert fed(Machine(rules), 5, EOS, 7, NEWLINE).thinking == [5, 5, 6, 7, NEWLINE]


def test_the_answer_is_cut_by_its_own_cap_and_by_the_context() -> None:
    machine = run(Machine(replace(RULES, caps=(0,), max_answer_tokens=4)), scripted(5, 5, 5, 5, 5))
    assert (machine.answer, machine.answer_finish) == ([5] * 4, "length")
    machine = run(Machine(replace(RULES, caps=(0,), room=5)), scripted(5, 5, 5))
    assert (machine.answer, machine.answer_finish) == ([5, 5], "length")
    assert Machine(replace(RULES, caps=(0,), room=3)).answer_finish == "length"


# -- strings to ids ----------------------------------------------------------------------------------------------------

VOCABULARY = Vocabulary(byte_tokenizer())
S1 = Delimiters.of(VOCABULARY, FORMATS["s1"])


def test_the_newline_rule_is_a_table_over_the_whole_vocabulary() -> None:
    assert VOCABULARY.newline_tokens == frozenset(VOCABULARY.encode("\n"))


def test_the_forced_closing_is_tokenised_together_and_end_of_text_always_ends() -> None:
    assert VOCABULARY.decode(S1.forced) == "<|im_start|>answer\nFinal Answer:"
    assert VOCABULARY.decode(S1.natural) == "<|im_start|>answer"
    assert {VOCABULARY.decode(end) for end in S1.ends} == {"<|im_start|>", "<|im_end|>"}
    more = Delimiters.of(Vocabulary(byte_tokenizer(), eos_ids=(0,)), FORMATS["s1"])
    assert (0,) in more.ends and 0 in more.answer_ends


CLOSING = 1 + len("answer\nFinal Answer:") + 1  # in the byte tokenizer: a newline, <|im_start|>, and the letters


@pytest.mark.parametrize(
    ("budget", "prompt", "tokens"),
    [
        (Budget(500), 100, 500),
        (Budget("auto"), 100, 2000 - 100 - CLOSING - 200),
        (Budget(5000), 100, 2000 - 100 - CLOSING - 100),  # a number leaves the answer 100 tokens
        (Budget(0), 2000 - CLOSING - 100, 0),
    ],
)
def test_the_budget_in_force_depends_on_this_prompt_alone(budget: Budget, prompt: int, tokens: int) -> None:
    assert budget_tokens(budget, Sampling(max_answer_tokens=200), S1, prompt, max_model_len=2000) == tokens


@pytest.mark.parametrize("prompt", [1990, 3000])
def test_a_prompt_without_room_is_an_error_of_its_own(prompt: int) -> None:
    with pytest.raises(PromptTooLongError, match="leaves no room"):
        budget_tokens(Budget("auto"), Sampling(max_answer_tokens=200), S1, prompt, 2000)


def test_an_ignore_string_that_would_end_the_thought_is_refused() -> None:
    with pytest.raises(UserError, match="ends the thought"):
        ignore_ids(Budget(100, 1, ignore_str="Wait<|im_end|>"), VOCABULARY, S1)
    assert ignore_ids(Budget(100, 2, ignore_str=("Wait", "Hmm")), VOCABULARY, S1) == (
        VOCABULARY.encode("Wait"),
        VOCABULARY.encode("Hmm"),
    )
    assert ignore_ids(Budget(100, 2, ignore_str=None), VOCABULARY, S1) == ()


def test_stops_of_plain_text_are_found_in_the_text_and_special_ones_by_their_ids() -> None:
    """In Qwen2.5's vocabulary, too, `.</` is one token: an end in plain text has no ids of its own."""
    merged = Vocabulary(bpe_tokenizer([(".", "<"), (".<", "/"), ("<", "/"), (">", "Ċ"), ("Ċ", "Ċ")]))
    ends = Delimiters.of(merged, FORMATS["think"])
    assert ends.ends == ((merged.encode("<|im_end|>")),) and ends.text_ends is not None
    for text, length in [("</think>", 7), ("2.</think>\n", 7), ("</think", 0), ("</think>x", 0)]:
        ids = merged.encode(text)
        assert (ids[-1] in ends.text_ends.last_tokens and ends.text_ends.length(ids)) == length
    assert merged.decode(merged.encode("2.</think>\n")[-7:]) == ".</think>\n"
    assert Delimiters.of(VOCABULARY, FORMATS["s1-steps"]).text_ends is None
    blank = Delimiters.of(merged, custom_format("", "A:", "", ("\n\n", "")))
    assert (merged.encode("\n\n"),) == blank.ends[:1] and blank.text_ends is not None
    with pytest.raises(UserError, match="ends the thought"):
        ignore_ids(Budget(100, 1, ignore_str="So:\n\nWait"), merged, blank)


def test_ids_that_the_tokenizer_does_not_know_are_named() -> None:
    known = len(VOCABULARY.tokenizer)
    assert VOCABULARY.missing_ids(known + 3) == (known, known + 1, known + 2)
