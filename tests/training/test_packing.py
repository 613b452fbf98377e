"""Rows in one sequence train as rows apart: each step's loss and gradient, and the weights at the end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_training import SMALL, job, losses, weights

from harness.config import Training, run_id
from harness.errors import UserError
from harness.quickstart import TINY_MODEL
from harness.quickstart.problems import pool_rows
from harness.training import order, packing, sft, worker
from harness.training.examples import tokenised
from harness.training.text import IGNORED

# Rows of many lengths, some no multiple of anything, more than one epoch, a last batch that is not full.
POOL = [{**row, "thinking": str(row["thinking"])[: 30 + 17 * n]} for n, row in enumerate(pool_rows(3, 21))]
SETTINGS = {
    "padding-free": replace(SMALL, padding_free=True),
    "padding-free, mean over rows": replace(SMALL, padding_free=True, loss_mean="row"),
    "packed": replace(SMALL, packing=True, block_size=300, global_batch_size=2, per_device_batch_size=1),
    "packed, mean over rows, two at a time": replace(
        SMALL, packing=True, block_size=300, global_batch_size=2, per_device_batch_size=2, loss_mean="row"
    ),
    "packed and grouped, recomputed": replace(
        SMALL,
        packing=True,
        block_size=300,
        global_batch_size=2,
        per_device_batch_size=1,
        group_by_length=True,
        gradient_checkpointing=True,
    ),
}


def examples_of(training: Training) -> Any:
    from transformers import AutoTokenizer

    from harness.generation.templates.reading import resolve

    tokenizer = AutoTokenizer.from_pretrained(TINY_MODEL)
    thinking = resolve("s1", tokenizer).thinking
    return tokenised(POOL, tokenizer, thinking, training.block_size, "plain", training.packing)[0]


def rows_apart(example: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """The rows of a sequence: ids and labels."""
    found, start = [], 0
    for length in example.get("seq_lengths") or [len(example["input_ids"])]:
        found.append((example["input_ids"][start : start + length], example["labels"][start : start + length]))
        start += length
    return found


def bare_loop(training: Training, rates: list[float]) -> tuple[list[float], list[float], dict[str, torch.Tensor]]:
    """Losses, gradient norms and weights of AdamW on each row by itself: no padding, no packing, no TRL."""
    from transformers import AutoModelForCausalLM

    examples = examples_of(training)
    model = AutoModelForCausalLM.from_pretrained(TINY_MODEL, dtype=torch.float32).train()
    kept = [p for name, p in model.named_parameters() if "norm" in name or name.endswith("bias")]
    decayed = [p for name, p in model.named_parameters() if not ("norm" in name or name.endswith("bias"))]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": training.weight_decay}, {"params": kept, "weight_decay": 0.0}],
        betas=(training.adam_beta1, training.adam_beta2),
    )
    sequence, size = order.epochs(order.lengths_of(examples), training), training.global_batch_size
    found, norms = [], []
    for step, start in enumerate(range(0, len(sequence), size)):
        chosen = [number for number in sequence[start : start + size] if number != order.FILLER]
        rows = [row for number in chosen for row in rows_apart(examples[number])]
        counts = [sum(label != IGNORED for label in labels[1:]) for _, labels in rows]
        total = torch.zeros(())
        for (ids, labels), count in zip(rows, counts, strict=True):
            logits = model(torch.tensor([ids])).logits[0, :-1]
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), reduction="sum")
            total = total + (loss / sum(counts) if training.loss_mean == "token" else loss / count / len(rows))
        total.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), training.max_grad_norm)))
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(total.detach()))
    return found, norms, model.state_dict()


@pytest.mark.parametrize("training", SETTINGS.values(), ids=SETTINGS)
def test_every_step_has_the_loss_and_the_gradient_of_its_rows_apart(tmp_path: Path, training: Training) -> None:
    worker.run_sft({**job(tmp_path, training), "rows": POOL})
    seen = losses(tmp_path)
    found, norms, model = bare_loop(training, [row["learning_rate"] for row in seen])
    assert [row["loss"] for row in seen] == pytest.approx(found, abs=5e-6)
    assert [row["grad_norm"] for row in seen] == pytest.approx(norms, rel=2e-5)
    for name, weight in weights(tmp_path).items():
        assert torch.allclose(weight, model[name], atol=5e-5), name
    figures = json.loads((tmp_path / sft.FIGURES_FILE).read_text())
    assert figures["padding"] == 0.0 and figures["num_rows"] == len(POOL)
    assert seen[-1]["num_tokens"] == training.num_epochs * figures["num_tokens"]


def test_packed_sequences_hold_every_row_once_and_no_more_than_the_block() -> None:
    training = SETTINGS["packed"]
    apart, together = examples_of(replace(training, packing=False)), examples_of(training)
    rows = [row for example in together for row in rows_apart(example)]
    assert sorted(map(str, rows)) == sorted(str((one["input_ids"], one["labels"])) for one in apart)
    assert len(together) < len(apart) / 2 and max(map(len, together["input_ids"][:])) <= 300
    assert together[-1]["labels"] == [IGNORED] and together[-1]["seq_lengths"] == [1]  # what fills up a batch
    assert max(map(len, together["seq_lengths"][:])) > 2


def test_the_plans_sequences_are_as_long_as_those_of_trl() -> None:
    apart, together = (
        order.lengths_of(examples_of(replace(SETTINGS["packed"], packing=pack))) for pack in (False, True)
    )
    assert sorted(order.packed_lengths(apart, 300)) == sorted(together)


def test_a_padded_training_of_the_same_rows_has_the_same_losses(tmp_path: Path) -> None:
    for name, training in (("padded", SMALL), ("free", replace(SMALL, padding_free=True))):
        (tmp_path / name).mkdir()
        worker.run_sft({**job(tmp_path / name, training), "rows": POOL})
    one, other = losses(tmp_path / "padded"), losses(tmp_path / "free")
    assert [row["loss"] for row in one] == pytest.approx([row["loss"] for row in other], abs=5e-6)
    assert [row["num_tokens"] for row in one] == [row["num_tokens"] for row in other]
    assert [row["token_accuracy"] for row in one] == pytest.approx([row["token_accuracy"] for row in other])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_rows_of_one_sequence_are_apart_in_either_attention(attention: str) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(TINY_MODEL, dtype=torch.float32, attn_implementation=attention)
    packing.check(model, "tiny", 0)
    aware = model.forward
    model.forward = lambda **given: aware(**{**given, "position_ids": None})
    with pytest.raises(UserError, match="the rows of one sequence are not kept apart"):
        packing.check(model, "tiny", 0)


def test_a_model_whose_state_runs_on_from_row_to_row_is_refused() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    config = MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=1, state_size=4, initializer_range=0.5)
    with pytest.raises(UserError, match=r"mamba: in this model .*leave padding_free and packing off"):
        packing.check(MambaForCausalLM(config), "mamba", 0)


def test_both_settings_are_part_of_a_runs_identity() -> None:
    assert len({run_id(one) for one in (SMALL, replace(SMALL, padding_free=True), replace(SMALL, packing=True))}) == 3


def test_waiting_and_padding_of_each_setting() -> None:
    lengths = [(n * n * 7919) % 5000 + 200 for n in range(1000)]
    many = Training(num_workers=4, num_gpus=1, per_device_batch_size=4)
    assert order.padding(lengths, replace(many, per_device_batch_size=1)) == 0  # one row at a time: only waiting
    padded, free = (replace(many, padding_free=value) for value in (False, True))
    assert order.padding(lengths, padded) > 0.2 and order.padding(lengths, free) == 0
    assert order.waiting(lengths, free) < order.waiting(lengths, padded)
    assert order.waiting(
        [100, 300], replace(many, global_batch_size=2, num_workers=2, per_device_batch_size=1)
    ) == pytest.approx(1 / 3)
