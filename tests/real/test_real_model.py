"""A real pretrained model from end to end: what 135 million parameters, their tokenizer and their chatter show.

`make real`: some ten minutes on two quiet cores, and 93 MB to download. Problems and traces are the published ones
where they lie beside the checkout, else a few of our own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.pools import SHARED
from tests.real import smollm2
from tests.real.plain_decoding import Plain

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
TASKS = ("math500", "aime24_nofigures")
NUM_PROBLEMS, CONTEXT, ANSWER = 3, 448, 32
BUDGETS = (24, 64)
BLOCK, NUM_ROWS = 512, 16
# Gap in nats between the two best tokens below which two engines may choose differently in float32.
NEAR_TIE = 1e-3
Rows = dict[tuple[Any, ...], dict[str, Any]]  # by recipe, task, problem, method, cap and ignores
STUDY = """
"Hypothesis: sixteen traces move a pretrained model, and its rows are those of the moved weights."
from harness.config import Budget, EngineConfig, Recipe, Sampling, Study, Training

def real():
    return Study(
        name="real", base_model={model!r}, pool={pool!r}, recipes=(Recipe("full", "full"),), tasks=("math500",),
        budgets=(Budget(24), Budget(64, num_ignores=1)), headline=Budget(24), reference_recipe="base", max_problems=2,
        sampling=Sampling(max_answer_tokens={answer}),
        training=Training(num_epochs=1, global_batch_size=16, learning_rate=1e-4, warmup_ratio=0.0, bf16=False,
                          block_size={block}, gradient_checkpointing=False, save_steps=0, num_cpus=2),
        engine=EngineConfig(max_model_len={context}, num_cpus=0),
    )
"""


@pytest.fixture(scope="session")
def model() -> Path:
    return smollm2.checkpoint()


@pytest.fixture(scope="session")
def plain(model: Path) -> Plain:
    return Plain(model)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published problems, or some of our own in their files."""
    if SHARED.is_dir():
        return SHARED
    folder = tmp_path_factory.mktemp("data")
    asked = [("What is $17 + 25$?", "42"), ("How many sides has a hexagon?", "6"), ("Compute $2^7 - 28$.", "100")]
    rows = [{"unique_id": f"own/{i}", "problem": q, "answer": a} for i, (q, a) in enumerate(asked)]
    for task in TASKS:
        (folder / f"{task}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen reasoning traces: real ones of a 3B model, or the quickstart's."""
    file = tmp_path_factory.mktemp("pool") / "traces.jsonl"
    published = SHARED / "sft_pool" / "MATH_traces_bf_1000.jsonl"
    if published.is_file():
        with published.open(encoding="utf-8") as lines:
            file.write_text("".join(next(lines) for _ in range(NUM_ROWS)), encoding="utf-8")
    else:
        from harness.data.load import save
        from harness.quickstart.problems import pool_rows

        save(pool_rows(0, NUM_ROWS), file)
    return file


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=1500,
    )


def evaluated(model: Path, data: Path, engine: str, out: Path) -> Rows:
    """`harness evaluate` with budgets, one Wait and no thinking; its rows by task, problem and setting."""
    call = harness(
        "evaluate",
        str(model),
        "--tasks",
        ",".join(TASKS),
        "--data-dir",
        str(data),
        "--engine",
        engine,
        "--max-problems",
        str(NUM_PROBLEMS),
        "--budgets",
        ",".join(map(str, BUDGETS)),
        "--ignores",
        "1",
        "--no-thinking",
        "--set",
        f"engine.max_model_len={CONTEXT}",
        "--set",
        f"sampling.max_answer_tokens={ANSWER}",
        "--out",
        str(out),
    )
    assert call.returncode == 0, call.stdout[-3000:] + call.stderr[-3000:]
    return keyed(out)


def keyed(out: Path) -> Rows:
    rows = [row for file in sorted((out / "samples").iterdir()) for row in pq.read_table(file).to_pylist()]
    assert not any(row["error"] for row in rows) and len({row["sample_key"] for row in rows}) == len(rows)
    columns = ("recipe", "task", "problem_id", "method", "max_thinking_tokens", "num_ignores")
    return {tuple(row[column] for column in columns): row for row in rows}


@pytest.fixture(scope="session")
def by_vllm(model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return evaluated(model, data, "vllm", tmp_path_factory.mktemp("vllm") / "out")


@pytest.fixture(scope="session")
def by_transformers(model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return evaluated(model, data, "transformers", tmp_path_factory.mktemp("transformers") / "out")


def told(row: dict[str, Any]) -> list[int]:
    """Every id behind the prompt."""
    return [*row["thinking_ids"], *row["closing_ids"], *row["answer_ids"]]


def parting(plain: Plain, prompt: list[int], one: list[int], other: list[int]) -> tuple[int, ...]:
    """The context in which they part, where the model itself has two best tokens; empty for equal ones.

    Rows that share a thought, and one question in two tasks, part in one context: it counts once.
    """
    if one == other:
        return ()
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    best = plain.logits([*prompt, *one[:at]])[-1].topk(2).values
    assert float(best[0] - best[1]) < NEAR_TIE, f"parted at {at}: {one[at : at + 3]} against {other[at : at + 3]}"
    return (*prompt, *one[:at])


def test_both_engines_give_the_same_ids(plain: Plain, by_vllm: Rows, by_transformers: Rows) -> None:
    assert by_vllm.keys() == by_transformers.keys()
    assert len(by_vllm) == len(TASKS) * NUM_PROBLEMS * (len(BUDGETS) + 2)
    pairs = [(row, by_transformers[key]) for key, row in by_vllm.items()]
    assert all(a["prompt_ids"] == b["prompt_ids"] for a, b in pairs)
    ties = {parting(plain, a["prompt_ids"], told(a), told(b)) for a, b in pairs} - {()}
    assert len(ties) <= 2


def test_every_row_is_what_plain_decoding_makes_of_the_readme(plain: Plain, by_vllm: Rows) -> None:
    """Thought, Wait, closing and answer, written down a second time without the harness."""
    rows = [row for row in by_vllm.values() if row["method"] == "budget_forcing"]
    ties = {parting(plain, row["prompt_ids"], forced(plain, row), told(row)) for row in rows} - {()}
    assert len(ties) <= 1
    assert 0 < sum(row["forced_end"] for row in rows) < len(rows)  # chatter: some thoughts end by themselves
    assert any(row["num_rounds"] > 1 for row in rows)
    assert any(row["answer_tokens"] == 0 for row in rows)  # "Final Answer:", and the model ends its turn


def forced(plain: Plain, row: dict[str, Any]) -> list[int]:
    return plain.forced(row["question"], row["budget_tokens"], row["num_ignores"], ANSWER)


def test_the_plain_answer_is_the_one_of_generate(plain: Plain, by_vllm: Rows) -> None:
    for row in by_vllm.values():
        if row["method"] != "no_thinking":
            continue
        assert row["prompt_ids"] == plain.prompt(row["question"])
        expected = plain.answer(row["question"], len(row["answer_ids"]) + 1)
        parting(plain, row["prompt_ids"], expected[: len(row["answer_ids"])], told(row))
        assert len(row["answer_ids"]) == len(expected) or row["answer_finish"] == "length"


def test_the_chatter_is_graded_as_mathematics(by_vllm: Rows) -> None:
    """Another grader (math-verify, on the answer alone) never finds a right answer where ours finds a wrong one."""
    from math_verify import parse, verify

    for row in by_vllm.values():
        theirs = bool(row["answer"]) and verify(parse(f"${row['gold']}$"), parse(row["answer"]))
        assert row["status"] != "engine_error"
        assert row["correct"] or not theirs, (row["gold"], row["answer"][-200:], row["extracted"])


# -- sampling ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def engine(model: Path) -> Iterator[Any]:
    from harness.config import EngineConfig
    from harness.generation import open_engine

    opened = open_engine(EngineConfig(max_model_len=CONTEXT), str(model))
    yield opened
    opened.close()


def test_a_seed_is_an_answer_and_every_token_lies_in_the_nucleus(engine: Any, plain: Plain) -> None:
    from harness.config import Budget, Sampling
    from harness.generation.sweep import Prompt, generate
    from harness.thinking import S1

    prompts = [Prompt(str(i), f"q{i}", tuple(plain.prompt(f"What is {i} + {i}? Explain."))) for i in (2, 3)]

    def sampled(seed: int) -> dict[tuple[str, int], Any]:
        found: list[Any] = []
        sampling = Sampling(temperature=0.8, top_p=0.7, num_samples=3, seed=seed, max_answer_tokens=ANSWER)
        generate(engine, prompts, [Budget(24)], sampling, S1, on_generation=found.append)
        return {(row.problem_id, row.sample_index): row for row in found}

    first, again, other = sampled(1), sampled(1), sampled(2)
    assert len(first) == 6 and not any(row.error for row in first.values())
    ids = {key: (row.thinking_ids, row.answer_ids) for key, row in first.items()}
    assert ids == {key: (row.thinking_ids, row.answer_ids) for key, row in again.items()}
    assert len(set(ids.values())) >= 5  # two short thoughts of so narrow a nucleus may be one
    assert ids != {key: (row.thinking_ids, row.answer_ids) for key, row in other.items()}
    for row in first.values():
        assert_in_nucleus(plain, row, 0.8, 0.7)


def assert_in_nucleus(plain: Plain, row: Any, temperature: float, top_p: float) -> None:
    """By plain transformers: no sampled token lies behind tokens that hold `top_p` together."""
    ids = [*row.prompt_ids, *row.thinking_ids, *row.closing_ids, *row.answer_ids]
    logits = plain.logits(ids)
    begin = len(row.prompt_ids)
    places = [*range(begin + 1, begin + len(row.thinking_ids)), *range(len(ids) - len(row.answer_ids), len(ids))]
    for at in places:
        shares = (logits[at - 1] / temperature).softmax(-1)
        ahead = float(shares[shares > shares[ids[at]]].sum())
        assert ahead < top_p + 1e-3, (at, ahead)


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def study(model: Path, data: Path, pool: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("study")
    text = STUDY.format(model=str(model), pool=str(pool), answer=ANSWER, block=BLOCK, context=CONTEXT)
    (folder / "real.py").write_text(text)
    call = harness("ablate", f"{folder / 'real.py'}:real", "--data-dir", str(data), "--out", str(folder / "out"))
    assert call.returncode == 0, call.stdout[-3000:] + call.stderr[-3000:]
    return folder / "out", call.stdout


def test_the_first_loss_is_that_of_the_text_by_plain_cross_entropy(plain: Plain, study: tuple[Path, str]) -> None:
    """s1's training text put together by hand, its cross-entropy by torch; the trained model's is lower."""
    folder = study[0] / "recipes" / "full"
    rows = pq.read_table(folder / "rows.parquet").to_pylist()
    figures = json.loads((folder / "figures.json").read_text())
    assert len(rows) == NUM_ROWS
    texts = [by_hand(plain, row) for row in rows]
    count = sum(max(0, min(BLOCK, len(prompt) + len(rest)) - len(prompt)) for prompt, rest in texts)
    assert figures["num_loss_tokens"] == count and figures["num_cut"] == sum(len(p) + len(r) > BLOCK for p, r in texts)
    before, after = (mean_loss(one, texts) for one in (plain, Plain(folder / "checkpoint")))
    (step,) = pq.read_table(folder / "losses.parquet").to_pylist()
    assert step["loss"] == pytest.approx(before, rel=1e-4)
    assert after < before - 0.02


def by_hand(plain: Plain, row: dict[str, Any]) -> tuple[list[int], list[int]]:
    answer = (row["attempt"] or row["answer"]).strip()
    return plain.prompt(row["question"]), plain.ids(
        f"<|im_start|>think\n{row['thinking'].strip()}\n<|im_start|>answer\n{answer}<|im_end|>"
    )


def mean_loss(plain: Plain, texts: list[tuple[list[int], list[int]]]) -> float:
    """Nats per token behind the prompts, over all texts together."""
    import torch

    total, count = 0.0, 0
    for prompt, rest in texts:
        ids = [*prompt, *rest][:BLOCK]
        logits = plain.logits(ids)[len(prompt) - 1 : -1]
        total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[len(prompt) :]), reduction="sum"))
        count += len(ids) - len(prompt)
    return total / count


def test_the_trained_rows_are_the_trained_weights(plain: Plain, study: tuple[Path, str]) -> None:
    """After the swap; and another reader, `harness audit`, agrees row by row."""
    out, said = study
    rows = keyed(out)
    witnesses = {"base": plain, "full": Plain(out / "recipes" / "full" / "checkpoint")}
    assert {key[0] for key in rows} == set(witnesses)
    for key, row in rows.items():
        parting(witnesses[key[0]], row["prompt_ids"], forced(witnesses[key[0]], row), told(row))
    moved = [told(row) != told(rows["full", *key[1:]]) for key, row in rows.items() if key[0] == "base"]
    assert any(moved)
    assert "audited rows are their checkpoint's greedy path" in said and "faults" not in said.rpartition("audit:")[2]
    audited = harness("audit", str(out), "--sample", "4")
    assert audited.returncode == 0, audited.stdout
    assert f"audit: {len(rows)} of {len(rows)} audited rows" in audited.stdout


# -- lm-eval -----------------------------------------------------------------------------------------------------------


def test_lm_eval_gives_the_texts_and_verdicts_of_evaluate(model: Path, data: Path, by_transformers: Rows) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from harness.lm_eval.startup import register

    register()
    manager = TaskManager(include_path=str(ROOT / "tasks"), include_defaults=False, metadata={"data_dir": str(data)})
    results = simple_evaluate(
        model="s1-hf",
        model_args=f"pretrained={model},max_model_len={CONTEXT}",
        tasks=["openai_math"],
        task_manager=manager,
        gen_kwargs=f"max_gen_toks={ANSWER},max_tokens_thinking={BUDGETS[0]}",
        apply_chat_template=True,
        limit=2,
        log_samples=True,
        bootstrap_iters=0,
    )
    cell = ("budget_forcing", BUDGETS[0], 0)
    stored = {row["question"]: row for key, row in by_transformers.items() if key[1] == "math500" and key[3:] == cell}
    samples = results["samples"]["openai_math"]
    assert len(samples) == 2
    for sample in samples:
        row = stored[sample["doc"]["problem"]]
        assert sample["resps"][0][0] == f"<|im_start|>think{row['thinking']}{row['closing']}{row['answer']}"
        assert (sample["status"], bool(sample["exact_match"])) == ([row["status"]], bool(row["correct"]))
