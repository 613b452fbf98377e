"""Loops are found at every scale, at the same place in any pieces, and not in what correct answers look like."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from harness.generation.budget import Machine
from harness.generation.loops import NGRAM, THRESHOLD, WINDOWS, is_looping, loops_at, repetition
from tests.generation.test_budget import RULES, run, scripted
from tests.test_tasks import DATA


def by_counting(ids: Sequence[int]) -> bool:
    """The definition, window by window."""
    return any(
        repetition(ids[length - window : length]) >= THRESHOLD
        for window in WINDOWS
        for length in range(window, len(ids) + 1)
        if length % (window // 4) == 0
    )


def distinct(count: int, rng: random.Random) -> list[int]:
    return [rng.randrange(150_000) for _ in range(count)]


@pytest.mark.parametrize("cycle", [1, 4, 22, 60, 64, 100, 250, 512, 1000])
def test_a_cycle_of_up_to_a_thousand_tokens_is_found(cycle: int) -> None:
    rng = random.Random(cycle)
    start, once = distinct(333, rng), distinct(cycle, rng)
    looping = start + once * (5000 // cycle)
    assert is_looping(looping) and is_looping(tuple(looping))
    assert not is_looping(start + once * 2 + distinct(3000, rng))


def test_it_is_what_counting_says() -> None:
    verdicts = []
    for seed in range(150):
        rng = random.Random(seed)
        ids = distinct(rng.randrange(400), rng)
        cycle = distinct(rng.choice([3, 20, 25, 60, 70, 250, 270]), rng)
        for _ in range(rng.randrange(14)):  # now and then with another word in it
            ids += [token if rng.random() > 0.002 else 1 for token in cycle]
        ids += distinct(rng.randrange(200), rng)
        verdicts.append(by_counting(ids))
        assert is_looping(ids) == verdicts[-1], seed
        assert any(loops_at(ids, length) for length in range(len(ids) + 1)) == verdicts[-1], seed
    assert 20 < sum(verdicts) < 130


def test_a_short_thought_loops_too_and_one_that_is_shorter_than_any_window_does_not() -> None:
    assert is_looping([5, 6, 7, 11] * 24) and not is_looping([5, 6, 7, 11] * 23)
    assert repetition([1, 2, 3]) == 0.0 and repetition([1] * NGRAM * 2) > THRESHOLD


def test_a_thought_is_stopped_at_the_same_place_in_any_pieces() -> None:
    rules = replace(RULES, caps=(2000,), stop_on_loop=True)
    loop = [5, 6, 7, 11] * 400
    stops = {len(run(Machine(rules), scripted(*loop), pieces).thinking) for pieces in (1, 3, 16, 500)}
    assert stops == {96}
    assert is_looping(run(Machine(replace(rules, stop_on_loop=False)), scripted(*loop)).thinking)


# -- real outputs --------------------------------------------------------------------------------------------------

PIECES = re.compile(r" ?[A-Za-z]+|\d|[^\w\s]+|\s+")  # about what a tokenizer of a large model makes of a text


def outputs() -> Iterator[tuple[str, list[int], bool]]:
    """File, ids and whether it was scored correct, of each real output."""
    if not DATA.exists():
        pytest.skip(f"no real outputs at {DATA}")
    ids: dict[str, int] = {}
    for path in sorted([*DATA.glob("outputs/*.jsonl"), *DATA.glob("samples/s1-32B*.jsonl")]):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            texts = [row["resps"][0][0]] if "resps" in row else row["code"]
            scores = [row["exact_match"]] if "resps" in row else row["score"]
            for text, score in zip(texts, scores, strict=True):
                yield path.stem, [ids.setdefault(piece, len(ids)) for piece in PIECES.findall(text)], bool(score)


def test_real_traces_that_ran_into_the_context_are_loops_and_correct_answers_are_not() -> None:
    found, wrong, correct = [], [], 0
    for name, ids, scored in outputs():
        looping = is_looping(ids)
        correct += scored
        if name.startswith("s1-32B") and looping:
            found.append(len(ids))
        if scored and looping:
            wrong.append((name, len(ids)))
    assert len(found) == 5  # those that it cut at its context's end
    assert correct > 1300 and len(wrong) <= 1, wrong
