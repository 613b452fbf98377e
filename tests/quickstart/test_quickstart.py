"""The quickstart's problems, pool and base model are what their documentation says."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from harness.quickstart import TINY_MODEL
from harness.quickstart.pretrain import documents, train_tokenizer
from harness.quickstart.problems import DOMAINS, TASKS, draw_chain, pool_rows, task_problems, trace


def test_the_pool_is_the_same_for_the_same_seed() -> None:
    assert list(pool_rows(5, 50)) == list(pool_rows(5, 50))
    assert list(pool_rows(5, 50)) != list(pool_rows(6, 50))


def test_the_pool_has_the_shares_that_it_promises() -> None:
    rows: list[dict[str, Any]] = list(pool_rows(0, 3689))
    counts = Counter(row["domain"] for row in rows)
    for name, (_, _, share, _, _) in DOMAINS.items():
        assert counts[name] / len(rows) == pytest.approx(share, abs=0.03)
    damaged = sum("![figure]" in row["thinking"] for row in rows) / len(rows)
    assert damaged == pytest.approx(0.12, abs=0.02)


@pytest.mark.parametrize("kind", ["integer", "math", "choice"])
def test_a_trace_that_finishes_ends_with_the_gold_answer(kind: Any) -> None:
    rng = random.Random(1)
    for _ in range(200):
        chain = draw_chain(rng, kind, rng.randint(1, 12))
        text, value = trace(chain, rng)
        assert f"So {value}." in text
        if value == chain.values[-1] and kind != "math":
            assert chain.answer(value) == chain.gold


def test_no_evaluation_problem_is_a_pool_question() -> None:
    questions = {row["question"] for row in pool_rows(0, 3689)}
    shared = [p.id for task in TASKS for p in task_problems(task, 0, 72) if p.question in questions]
    assert shared == []


def test_every_loader_reads_the_shipped_tokenizer_alike() -> None:
    """transformers 5 replaces a qwen2 checkpoint's pre-tokenizer by Qwen's; training and evaluation must agree."""
    transformers = pytest.importorskip("transformers")
    shipped, trained = transformers.AutoTokenizer.from_pretrained(TINY_MODEL), train_tokenizer(0)
    stream = documents(9)
    for _ in range(300):
        text = "".join(next(stream))
        assert shipped(text)["input_ids"] == trained(text)["input_ids"]
    assert shipped.convert_ids_to_tokens(shipped(" a+8=3")["input_ids"]) == ["Ġa", "+8", "=", "3"]


@pytest.mark.slow
def test_the_base_does_the_steps_but_cannot_answer_at_once() -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(TINY_MODEL)
    model = AutoModelForCausalLM.from_pretrained(TINY_MODEL, dtype=torch.float32).eval()
    problems = task_problems("quick_aime", 7, 24)
    ends = [tokenizer.eos_token_id, tokenizer.pad_token_id]

    def answers(prompt: str, room: int) -> int:
        right = 0
        for problem in problems:
            ids = tokenizer(prompt.format(problem.question), return_tensors="pt")["input_ids"]
            made = model.generate(ids, max_new_tokens=room, do_sample=False, eos_token_id=ends)
            text = tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
            right += text.split()[-1].strip(".") == problem.gold
        return right

    assert answers("{}\nWork. ", 200) >= 23
    assert answers("<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", 12) <= 6
