"""`compat="s1-fork"` with the scripted engine: what s1's fork counts, cuts and says, to the token."""

from __future__ import annotations

from collections.abc import Sequence

from harness.config import Budget, Sampling
from harness.records import Generation
from tests.generation.test_sweep import END, LETTERS, START, VOCABULARY, chatter, run


def fork(tokens: int, num_ignores: int, lengths: Sequence[int]) -> Generation:
    """One run with the fork's arithmetic; the n-th round is `lengths[n]` letters long."""

    def model(context: Sequence[int], masked: frozenset[int]) -> int:
        thought = VOCABULARY.decode(context).split("think", 1)[1]
        if "answer" in thought:
            return END
        rounds = thought.split("Wait")
        wanted = lengths[len(rounds) - 1]
        return START if len(rounds[-1]) >= wanted and START not in masked else LETTERS[0]

    rows, _ = run([Budget(tokens, num_ignores, compat="s1-fork")], model, texts=["q"])
    return rows[0]


def test_the_fork_gives_each_round_the_whole_budget_and_cuts_afterwards() -> None:
    row = fork(10, 1, [8, 9])
    assert (len(row.thinking_ids), row.discarded_tokens) == (10, 8 + 4 + 9 - 10)
    assert row.thinking == "a" * 8 + "Wa"
    # Cut, yet its last round ended by itself: no "Final Answer:" (s1's fork, lines 382-401).
    assert (row.thinking_finish, row.closing) == ("stop", "<|im_start|>answer")


def test_the_fork_stops_ignoring_when_a_round_fills_the_budget() -> None:
    row = fork(10, 3, [3, 50, 5, 5])
    assert (row.thinking, row.num_rounds, row.discarded_tokens) == ("aaaWaitaaa", 2, 7)
    assert (row.thinking_finish, row.closing) == ("budget", "\n<|im_start|>answer\nFinal Answer:")


def test_the_fork_lets_a_thought_be_empty_unless_it_ignores() -> None:
    assert fork(10, 0, [0]).thinking == ""
    assert fork(10, 1, [0, 2]).thinking == "aWaitaa"


def test_the_forks_auto_depends_on_the_longest_prompt_of_the_batch() -> None:
    budget = Budget("auto", compat="s1-fork")
    sampling = Sampling(max_answer_tokens=600)
    rows, _ = run([budget], chatter(0), texts=["q", "q" * 50], sampling=sampling)
    delimiters = VOCABULARY.encode("<|im_start|>think<|im_start|>answer\nFinal Answer:")
    assert {row.budget_tokens for row in rows} == {600 - 50 - len(delimiters) - 100}
