"""The harness's training and a bare loop over the same rows in the same order: what benchmarks/gpu.py compares."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from harness.config import Training, to_plain
from harness.generation.templates.reading import resolve
from harness.training import memory, order, worker
from harness.training.examples import slim, tokenised

IGNORED = -100


def settings(gpus: int, rows: int) -> Training:
    return Training(
        num_epochs=1,
        block_size=2048 if gpus else 512,
        global_batch_size=16 if rows >= 16 else rows,
        per_device_batch_size=8 if gpus else 2,
        num_gpus=gpus,
        save_steps=0,
        gradient_checkpointing=False,
    )


def pool_rows(pool: str | None, count: int) -> list[dict[str, Any]]:
    from harness.data.load import load
    from harness.quickstart.problems import pool_rows

    source: Any = load(pool) if pool else list(pool_rows(0, count))
    usable = [slim({"attempt": "", **dict(row)}, "plain") for row in source if row["thinking"]]
    return usable[:count]


def figures(seconds: float, tokens: int, model: str, training: Training, loss: float) -> dict[str, Any]:
    """Tokens a second, and 6 x parameters x tokens of arithmetic a second (attention not counted)."""
    shape = memory.shape_of(model)
    assert shape is not None
    return {
        "seconds": round(seconds, 2),
        "tokens": tokens,
        "tokens_per_second": round(tokens / seconds),
        "teraflops": round(6 * shape.parameters * tokens / seconds / 1e12, 3),
        "first_loss": round(loss, 4),
        "estimated_gib": round(memory.estimate(shape, training).total / 2**30, 3),
    }


def harness_training(model: str, pool: str | None, folder: Path, gpus: int, count: int) -> dict[str, Any]:
    """`run_sft` in this process; the seconds are those between its first step and its last."""
    from transformers import TrainerCallback

    rows, training = pool_rows(pool, count), settings(gpus, count)
    clock: list[tuple[float, int]] = []

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if gpus:
                torch.cuda.synchronize()
            clock.append((time.perf_counter(), int(state.num_input_tokens_seen)))

    tools: Any = worker  # its trainer is wrapped for as long as this runs
    original = tools.sft_trainer

    def clocked(*arguments: Any) -> Any:
        trainer = original(*arguments)
        trainer.add_callback(Clock())
        return trainer

    tools.sft_trainer = clocked
    try:
        folder.mkdir(parents=True)
        job = {
            "rows": rows,
            "base_model": model,
            "training": to_plain(training),
            "thinking": "auto",
            "folder": str(folder),
            "figures_file": "figures.json",
            "identity": "speed",
        }
        worker.run_sft(job)
    finally:
        tools.sft_trainer = original
    losses = _losses(folder)
    (first, before), (last, after) = clock[0], clock[-1]
    return figures(last - first, after - before, model, training, losses[0]) | {
        "final_loss": json.loads((folder / "figures.json").read_text())["final_loss"]
    }


def _losses(folder: Path) -> list[float]:
    import pyarrow.parquet as pq

    return [float(loss) for loss in pq.read_table(folder / "losses.parquet")["loss"].to_pylist()]


def bare_loop(model: str, pool: str | None, folder: Path, gpus: int, count: int) -> dict[str, Any]:
    """The least that trains: the same rows in the same order, AdamW, autocast, clipping; no Trainer, no bookkeeping."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows, training = pool_rows(pool, count), settings(gpus, count)
    device = "cuda" if gpus else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(model)
    examples, _ = tokenised(rows, tokenizer, resolve("auto", tokenizer).thinking, training.block_size, "plain")
    lengths = [len(ids) for ids in examples["input_ids"][:]][:-1]
    sequence = order.epochs(lengths, training)
    net = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).to(device).train()
    optimizer = torch.optim.AdamW(
        net.parameters(),
        lr=training.learning_rate,
        betas=(training.adam_beta1, training.adam_beta2),
        weight_decay=training.weight_decay,
        fused=bool(gpus),
    )
    size, whole = training.per_device_batch_size, training.global_batch_size
    clock: list[tuple[float, int]] = []
    tokens, first_loss = 0, 0.0
    for start in range(0, len(sequence) - whole + 1, whole):
        batch = [examples[index] for index in sequence[start : start + whole]]
        learnt = sum(label != IGNORED for row in batch for label in row["labels"][1:])
        total = 0.0
        for part in (batch[at : at + size] for at in range(0, whole, size)):
            longest = max(len(row["input_ids"]) for row in part)
            ids = torch.zeros(len(part), longest, dtype=torch.long)
            labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
            for line, row in enumerate(part):
                length = len(row["input_ids"])
                ids[line, :length], mask[line, :length] = torch.tensor(row["input_ids"]), 1
                labels[line, :length] = torch.tensor(row["labels"])
                tokens += length
            with torch.autocast(device, dtype=torch.bfloat16, enabled=bool(gpus) and training.bf16):
                logits = net(input_ids=ids.to(device), attention_mask=mask.to(device)).logits[:, :-1]
                loss = torch.nn.functional.cross_entropy(
                    logits.float().flatten(0, 1),
                    labels[:, 1:].flatten().to(device),
                    ignore_index=IGNORED,
                    reduction="sum",
                )
            (loss / learnt).backward()
            total += float(loss.detach()) / learnt
        torch.nn.utils.clip_grad_norm_(net.parameters(), training.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        if gpus:
            torch.cuda.synchronize()
        first_loss = first_loss or total
        clock.append((time.perf_counter(), tokens))
    assert all(later > earlier for (earlier, _), (later, _) in pairwise(clock))
    (first, before), (last, after) = clock[0], clock[-1]
    return figures(last - first, after - before, model, training, first_loss)
