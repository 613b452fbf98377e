"""What is the transformers engine's own: batches that do not wait for their slowest row, and memory that runs out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget, EngineConfig, Sampling
from harness.errors import UserError
from harness.generation import open_engine
from harness.generation.engines.transformers import TransformersEngine, likely, shift
from harness.generation.rules import Vocabulary
from harness.generation.sweep import Prompt, generate
from harness.records import Generation
from harness.thinking import FORMATS
from tests.tiny import make_model

BUDGETS = [Budget(b, n) for b in (4, 8, 300) for n in (0, 2)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    model = make_model(tmp_path_factory.mktemp("model"), hidden=64, layers=1)
    return TransformersEngine(EngineConfig(name="transformers", max_model_len=512, batch_size=8), str(model))


def run(engine: Any, temperature: float = 0.0) -> tuple[list[Generation], int]:
    """The rows of six prompts, and the row steps that were computed for them."""
    vocabulary, steps = Vocabulary(engine.tokenizer), 0
    found: list[Any] = []
    prompts = [Prompt(str(i), f"question {i}", vocabulary.encode(f"question {i}")) for i in range(6)]
    steer = engine._steer

    def counting(rows: Any, scores: Any) -> Any:
        nonlocal steps
        steps += len(rows)
        return steer(rows, scores)

    engine._steer = counting
    try:
        generate(
            engine,
            prompts,
            BUDGETS,
            Sampling(temperature=temperature, max_answer_tokens=8),
            FORMATS["s1"],
            on_generation=found.append,
            replay=False,
        )
    finally:
        del engine._steer
    return sorted(found, key=lambda row: (row.problem_id, str(row.budget))), steps


def one_by_one(engine: Any, monkeypatch: pytest.MonkeyPatch, temperature: float = 0.0) -> tuple[list[Generation], int]:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "config", EngineConfig(name="transformers", max_model_len=512, batch_size=1))
        return run(engine, temperature)


def test_a_batch_is_left_before_its_slowest_row_and_no_token_changes(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, needed = one_by_one(engine, monkeypatch)
    together, computed = run(engine)
    assert together == alone
    with monkeypatch.context() as patch:
        patch.setattr("harness.generation.engines.transformers.is_idle", lambda rows, _: all(row.over for row in rows))
        waiting, waited = run(engine)
    assert waiting == alone
    assert needed <= computed < 1.5 * needed < waited


def test_a_row_keeps_its_random_numbers_when_it_goes_on_in_another_batch(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every row: the last bits of a score depend on the batch, and a draw may fall between two of them."""
    alone, _ = one_by_one(engine, monkeypatch, temperature=1.0)
    together, _ = run(engine, temperature=1.0)
    long = [a == b for a, b in zip(alone, together, strict=True) if len(a.thinking_ids) > 30]
    assert len(long) > 5 and sum(long) > len(long) / 2


@pytest.mark.parametrize("seed", range(5))
def test_logits_are_moved_and_cut_as_transformers_own_processors_do_it(seed: int) -> None:
    import torch
    from transformers import (
        MinPLogitsWarper,
        RepetitionPenaltyLogitsProcessor,
        SequenceBiasLogitsProcessor,
        TopKLogitsWarper,
    )

    torch.manual_seed(seed)
    scores, seen = 3 * torch.randn(1, 200), torch.randint(0, 200, (1, 30))
    for sampling, witness in (
        (Sampling(repetition_penalty=1.3), RepetitionPenaltyLogitsProcessor(1.3)),
        (Sampling(logit_bias=((5, 2.5), (9, -3.0))), SequenceBiasLogitsProcessor([[[5], 2.5], [[9], -3.0]])),
    ):
        moved = scores[0].clone()
        shift(moved, sampling, seen[0].tolist(), {})
        assert torch.equal(moved, witness(seen, scores.clone())[0])
    counts = {3: 4, 8: 1}
    moved = scores[0].clone()
    shift(moved, Sampling(presence_penalty=0.5, frequency_penalty=0.25), [], counts)
    by_hand = scores[0].clone()
    by_hand[3] -= 4 * 0.25 + 0.5  # as the API's documentation defines them
    by_hand[8] -= 0.25 + 0.5
    assert torch.equal(moved, by_hand)
    for sampling, witnesses in (
        (Sampling(top_k=7), [TopKLogitsWarper(7)]),
        (Sampling(min_p=0.1), [MinPLogitsWarper(0.1)]),
        (Sampling(top_k=4, min_p=0.05), [MinPLogitsWarper(0.05), TopKLogitsWarper(4)]),
    ):
        warped: Any = scores.clone()
        for one in witnesses:
            warped = one(seen, warped)
        expected = warped[0].softmax(-1)
        values, order = likely(scores[0], sampling)
        found = torch.zeros(200).index_put((order,), values)
        assert torch.allclose(found, expected, atol=1e-6) and len(values) == int((expected > 0).sum())


def test_a_batch_too_large_for_the_memory_is_halved_and_only_a_row_that_fails_alone_is_lost(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    expected, _ = run(engine)
    forward, lost = engine._torch_model.forward, expected[-1].prompt_ids

    def short_of_memory(*args: Any, **kwargs: Any) -> Any:
        ids = kwargs["input_ids"]
        if len(ids) > 3 or any(row[-len(lost) :] == list(lost) for row in ids.tolist()):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(*args, **kwargs)

    monkeypatch.setattr(engine._torch_model, "forward", short_of_memory)
    found, _ = run(engine)
    for row, wanted in zip(found, expected, strict=True):
        if row.prompt_ids == lost:
            assert row.error is not None and "out of memory" in row.error
        else:
            assert row == wanted


def test_an_unknown_engine_and_a_missing_model_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'vllm'"):
        open_engine(EngineConfig(name="vlm"), "x")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no CUDA device"):
        open_engine(EngineConfig(name="transformers", device="cuda"), str(make_model(tmp_path / "m", hidden=32)))
    with pytest.raises(UserError, match="cannot load the model"):
        open_engine(EngineConfig(name="transformers"), str(tmp_path))
