"""REBASE: the tree follows the reward, keeps to its width, and every sampled token is in its rows' ledger."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget, Sampling
from harness.errors import UserError
from harness.generation import sweep
from harness.generation.rebase import shares
from harness.generation.reward import RewardModel, Thought, repetition_reward
from harness.generation.sweep import Prompt, generate
from harness.records import Generation
from harness.studies.evaluate import dense_budgets
from harness.thinking import FORMATS
from tests.generation.test_sweep import START, TOKENIZER, VOCABULARY, chatter, run
from tests.scripted import ScriptedEngine

SAMPLING = Sampling(temperature=1.0, num_samples=8, max_answer_tokens=5)
NEWLINE = VOCABULARY.encode("\n")[0]
A, B, END_OF_TURN = VOCABULARY.encode("ab<|im_end|>")


@pytest.mark.parametrize(
    ("rewards", "width", "expected"),
    [
        ([1.0], 8, [8]),
        ([0.5, 0.5], 5, [3, 2]),
        ([1.0, 0.0], 8, [8, 0]),
        ([0.5, 0.4, 0.3], 0, [0, 0, 0]),
        ([], 4, []),
        # e^(0.9/0.2) : e^(0.7/0.2) : e^(0.5/0.2) = 7.389 : 2.718 : 1, of 16: 10.64, 3.92, 1.44
        ([0.9, 0.7, 0.5], 16, [11, 4, 1]),
        # of 4: 2.66, 0.98, 0.36
        ([0.9, 0.7, 0.5], 4, [3, 1, 0]),
    ],
)
def test_the_width_is_shared_by_a_softmax_of_the_rewards(rewards: list[float], width: int, expected: list[int]) -> None:
    assert shares(rewards, width, 0.2) == expected


def test_a_lower_temperature_follows_the_reward_more_closely() -> None:
    assert shares([0.6, 0.5], 10, 10.0) == [5, 5] and shares([0.6, 0.5], 10, 0.01) == [10, 0]


def search(
    reward: Any, monkeypatch: pytest.MonkeyPatch, budget: Budget, sampling: Sampling = SAMPLING, **options: Any
) -> tuple[list[Generation], ScriptedEngine]:
    """Steps of one letter, a or b by the request's own seed, an end after about four steps."""

    def model(context: Sequence[int], masked: frozenset[int], rng: random.Random) -> int:
        number, text = rng.random(), VOCABULARY.decode(context).split("think", 1)[1]
        if "answer" in text:
            return END_OF_TURN
        if text.endswith(("a", "b", "a\n", "b\n")):
            return NEWLINE
        return START if text.count("\n\n") >= 4 and START not in masked else (A if number < 0.5 else B)

    engine: Any = options.get("engine") or ScriptedEngine(model, TOKENIZER, 2000, sampled=True)
    if reward is not None:
        monkeypatch.setattr(sweep, "reward_of", lambda name: reward)
    rows: list[Generation] = []
    prompts = [Prompt("0", "q", VOCABULARY.encode("q"), question="q")]
    generate(engine, prompts, [budget], sampling, FORMATS["s1"], on_generation=rows.append)
    return rows, engine


def many_as(thoughts: Sequence[Thought]) -> list[float]:
    return [thought.text.count("a") / 4 for thought in thoughts]


def test_the_search_follows_the_reward_and_answers_every_thought_of_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = search(many_as, monkeypatch, Budget(200, method="rebase"))
    assert sorted(row.sample_index for row in rows) == list(range(8))
    assert all(row.thinking_finish == "stop" and row.closing == "<|im_start|>answer" for row in rows)
    assert sum(row.thinking.count("a") for row in rows) > 0.75 * 4 * 8
    assert all(row.reward == many_as([Thought("", "", (row.thinking,))])[0] for row in rows)


def test_every_token_of_the_tree_is_in_its_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own count is the witness; each thought and each answer also ends in one token that is dropped."""
    rows, engine = search(many_as, monkeypatch, Budget(200, method="rebase"))
    paid = sum(len(row.thinking_ids) - row.shared_tokens + len(row.answer_ids) + row.discarded_tokens for row in rows)
    assert paid + 2 * len(rows) == engine.counters.sampled_tokens
    assert sum(row.shared_tokens for row in rows) > 0 and rows[0].shared_tokens == 0
    assert rows[0].discarded_tokens > 0 and not any(row.discarded_tokens for row in rows[1:])


def test_a_tree_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Width 4. First depth: a, a, b, b with rewards 1, 1, 0, 0 at temperature 0.2: shares 2, 2, 0, 0."""
    sampled: Counter[str] = Counter()
    thoughts = iter("aabb" + "abab" + "x" * 99)

    def model(context: Sequence[int], masked: frozenset[int], rng: random.Random) -> int:
        text = VOCABULARY.decode(context).split("think", 1)[1]
        if "answer" in text:
            return END_OF_TURN
        if text and not text.endswith("\n\n"):
            return NEWLINE
        if text.count("\n\n") == 2:
            return START
        letter = next(thoughts)
        sampled[text + letter] += 1
        return VOCABULARY.encode(letter)[0]

    def last_a(judged: Sequence[Thought]) -> list[float]:
        return [float("a" in thought.steps[-1]) for thought in judged]

    engine = ScriptedEngine(model, TOKENIZER, 2000, sampled=True)
    budget, sampling = Budget(200, method="rebase"), replace(SAMPLING, num_samples=4)
    rows, _ = search(last_a, monkeypatch, budget, sampling, engine=engine)
    assert sampled == {"a": 2, "b": 2, "a\n\na": 2, "a\n\nb": 2}
    # Second depth: from each of the two a's an a and a b; rewards 1, 0, 1, 0: the a's are continued twice each, and
    # each continuation ends at once: its last step is the same as its parent's, with nothing sampled in it.
    assert [row.thinking for row in rows] == ["a\n\na\n\n"] * 4
    assert [row.shared_tokens for row in rows] == [0, 6, 0, 6]
    assert rows[0].discarded_tokens == 4 * 3  # b and b of the first depth, b and b of the second
    assert engine.counters.sampled_tokens == 8 * 3 + 4 + 4  # eight steps, four ends of thoughts, four of answers


def test_rows_do_not_depend_on_the_order_in_which_an_engine_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Backwards(ScriptedEngine):
        def run(self, requests: Any) -> None:
            waiting = list(requests)
            while waiting:
                request = waiting.pop()
                request.submissions += 1
                self._serve(request)
                waiting += request.on_done(request)

    rows, engine = search(many_as, monkeypatch, Budget(200, method="rebase"))
    backwards = Backwards(engine.next_token, TOKENIZER, 2000, sampled=True)
    again, _ = search(many_as, monkeypatch, Budget(200, method="rebase"), engine=backwards)
    assert again == rows


def test_one_failed_request_fails_the_whole_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(ScriptedEngine):
        def _serve(self, request: Any) -> None:
            if self.counters.submissions == 12:
                request.error = "out of memory"
            else:
                super()._serve(request)

    _, engine = search(many_as, monkeypatch, Budget(200, method="rebase"))
    failing = Failing(engine.next_token, TOKENIZER, 2000, sampled=True)
    rows, _ = search(many_as, monkeypatch, Budget(200, method="rebase"), engine=failing)
    assert [row.error for row in rows] == ["out of memory"] * 8


def test_the_budget_ends_a_thought_of_the_tree_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = replace(SAMPLING, num_samples=3)
    rows, _ = search(repetition_reward, monkeypatch, Budget(5, method="rebase"), sampling)
    assert all(len(row.thinking_ids) == 5 and row.forced_end for row in rows) and len(rows) == 3
    rows, _ = search(None, monkeypatch, Budget(0, method="rebase"), sampling)
    assert [(row.thinking_ids, row.error) for row in rows] == [((), None)] * 3
    rows, _ = search(None, monkeypatch, Budget(method="rebase"), replace(sampling, max_answer_tokens=1999))
    assert len(rows) == 3 and all("no room to think" in (row.error or "") for row in rows)


def test_a_loop_earns_nothing_and_settings_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    five, waits = (Thought("", "", (text,)) for text in ("one two three four five", "wait " * 50))
    assert repetition_reward([five, waits])[0] == 1.0 and repetition_reward([five, waits])[1] < 0.1
    with pytest.raises(UserError, match="temperature 0"):
        search(None, monkeypatch, Budget(5, method="rebase"), Sampling(num_samples=2))
    with pytest.raises(UserError, match="num_ignores=0"):
        search(None, monkeypatch, Budget(5, 1, method="rebase"))


@pytest.fixture(scope="module")
def reward_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A classifier with one logit, one with two classes, and a process reward model as TRL's PRMTrainer saves it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForSequenceClassification, Qwen2ForTokenClassification

    torch.manual_seed(0)
    small: dict[str, Any] = {
        "vocab_size": len(TOKENIZER),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "pad_token_id": TOKENIZER.pad_token_id,
    }
    found = {}
    for name, kind, labels in (
        ("one", Qwen2ForSequenceClassification, 1),
        ("two", Qwen2ForSequenceClassification, 2),
        ("steps", Qwen2ForTokenClassification, 2),
    ):
        found[name] = tmp_path_factory.mktemp("rewards") / name
        kind(Qwen2Config(**small, num_labels=labels)).save_pretrained(found[name])
        TOKENIZER.save_pretrained(found[name])
    return found


def test_a_reward_models_scores_are_transformers_own(reward_models: dict[str, Path]) -> None:
    """Its pipelines are the witness for the classifiers; a process reward model scores the last token of the step."""
    import torch
    from transformers import AutoModelForTokenClassification, pipeline

    thoughts = [Thought("1+1?", "", ("two\n\n",)), Thought("1+1?", "", ("two\n\n", "or three?\n\n"))]
    for name in ("one", "two"):
        folder = str(reward_models[name])
        reward = RewardModel(folder, "cpu")
        texts = [reward.text(thought) for thought in thoughts]
        assert texts[0].endswith("<|im_start|>assistant\ntwo\n\n<|im_end|>\n")
        theirs: Any = pipeline("text-classification", model=folder, device="cpu")
        scores = [theirs(text, top_k=None, add_special_tokens=False) for text in texts]
        good = [{one["label"]: one["score"] for one in found}[f"LABEL_{int(name == 'two')}"] for found in scores]
        assert reward(thoughts) == pytest.approx(good, abs=1e-5)
    reward = RewardModel(str(reward_models["steps"]), "cpu")
    model = AutoModelForTokenClassification.from_pretrained(reward_models["steps"]).eval()
    for thought, score in zip(thoughts, reward(thoughts), strict=True):
        text = f"<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n{thought.text}"
        with torch.no_grad():
            table = model(torch.tensor([TOKENIZER.encode(text, add_special_tokens=False)])).logits[0]
        assert score == pytest.approx(float(table[-1].softmax(-1)[1]), abs=1e-5)


def test_a_model_that_judges_nothing_is_one_line(tmp_path: Path) -> None:
    from tests.tiny import make_model

    with pytest.raises(UserError, match=r"Qwen2ForCausalLM.*ForSequenceClassification"):
        RewardModel(str(make_model(tmp_path, hidden=32, layers=1)))
    with pytest.raises(UserError, match="cannot be loaded"):
        RewardModel(str(tmp_path / "none"))


def test_a_dense_curve_is_one_thought_with_an_answer_every_k_tokens() -> None:
    budgets = dense_budgets(Budget(100, 1), every=10)
    assert [budget.max_thinking_tokens for budget in budgets] == list(range(0, 101, 10))
    rows, engine = run(budgets, chatter(0.0), texts=["q"])
    assert [len(row.thinking_ids) for row in sorted(rows, key=lambda row: row.budget_tokens)] == list(range(0, 101, 10))
    assert engine.counters.sampled_tokens == 100 + 11 * 20
    with pytest.raises(UserError, match="as a number"):
        dense_budgets(Budget("auto"), every=10)
    with pytest.raises(UserError, match="steps of 1 token"):
        dense_budgets(Budget(100), every=0)
