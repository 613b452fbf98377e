"""One recipe's fine-tuning: TRL's `SFTTrainer` in the workers of a Ray Train `TorchTrainer`.

s1's training text is tokenised by `harness.data.chat`, which also makes the labels: the loss is on thinking and
answer only. TRL keeps given labels, so nothing of the mask depends on TRL's collators, which have moved before
(reference/trl.md). The only importer of trl.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import Training, to_plain
from harness.errors import UserError
from harness.logs import last_lines, output_to

DONE_FILE = "training.json"  # written last: its presence says that the checkpoint is whole
FIGURES_FILE = "figures.json"  # what the worker counted


class TrainingFailed(RuntimeError):  # noqa: N818 - reads better in a report than TrainingFailedError, which Ray has
    """A recipe's training failed; the message ends with the last lines of its log and the log's path."""


@dataclass(frozen=True)
class Trained:
    """What a finished training left behind. Token counts are of the recipe's own rows, once (not times epochs)."""

    checkpoint: str
    num_rows: int
    num_cut: int  # rows longer than block_size, cut at it
    num_tokens: int
    num_loss_tokens: int
    num_steps: int
    final_loss: float
    seconds: float


def finished(folder: Path, identity: str) -> Trained | None:
    """The result of an earlier call in `folder`, if it was for the same `identity` and ran to its end."""
    path = folder / DONE_FILE
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    return Trained(**found["trained"]) if found["identity"] == identity else None


def train(
    rows: Sequence[Mapping[str, Any]],
    base_model: str,
    training: Training,
    thinking: str,
    folder: Path,
    identity: str,
) -> Trained:
    """Fine-tune `base_model` on `rows` (pool schema) and write the checkpoint to `folder`/checkpoint.

    Runs on Ray: one worker per `training.num_workers`. Raises `TrainingFailed` with the end of the log.
    """
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer

    if done := finished(folder, identity):
        return done
    if not rows:
        raise UserError(f"recipe in {folder} has no rows to train on; give its selection a larger pool")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "train.log"
    job = {
        "rows": [dict(row) for row in rows],
        "base_model": base_model,
        "training": to_plain(training),
        "thinking": thinking,
        "folder": str(folder.resolve()),
        "log": str(log.resolve()),
    }
    start = time.monotonic()
    trainer = TorchTrainer(
        train_worker,
        train_loop_config=job,
        torch_config=TorchConfig(backend="nccl" if training.num_gpus else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=training.num_workers,
            use_gpu=training.num_gpus > 0,
            resources_per_worker={"CPU": training.num_cpus, "GPU": training.num_gpus},
        ),
        run_config=ray.train.RunConfig(name=folder.name, storage_path=str((folder / "ray").resolve())),
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TrainingFailed(f"training failed: {reason}\n{last_lines(log)}\n(whole log: {log})") from error
    figures = json.loads((folder / FIGURES_FILE).read_text())
    checkpoint = str((folder / "checkpoint").resolve())
    trained = Trained(checkpoint=checkpoint, seconds=round(time.monotonic() - start, 2), **figures)
    partial = folder / (DONE_FILE + ".partial")
    partial.write_text(json.dumps({"identity": identity, "trained": to_plain(trained)}, indent=1))
    partial.replace(folder / DONE_FILE)
    return trained


def train_worker(job: dict[str, Any]) -> None:
    """What each Ray Train worker runs; its output goes to the recipe's log."""
    with output_to(Path(job["log"])):
        run_sft(job)


def run_sft(job: dict[str, Any]) -> None:
    """Tokenise, train, save, report. `job` is plain data, made by `train`."""
    import ray.train
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTTrainer

    from harness.data.chat import training_example
    from harness.thinking import FORMATS

    training = Training(**job["training"])
    gpu = torch.cuda.is_available() and training.num_gpus > 0
    if not gpu:
        torch.set_num_threads(training.num_cpus)
    torch.manual_seed(training.seed)
    tokenizer = AutoTokenizer.from_pretrained(job["base_model"])
    examples = [training_example(tokenizer, row, FORMATS[job["thinking"]], training.block_size) for row in job["rows"]]
    dataset = Dataset.from_list([{"input_ids": e["input_ids"], "labels": e["labels"]} for e in examples])
    # A bfloat16 base would otherwise be trained in bfloat16: on a CPU that is slow and loses small updates.
    dtype = torch.bfloat16 if gpu and training.bf16 else torch.float32
    model = AutoModelForCausalLM.from_pretrained(job["base_model"], dtype=dtype)
    config = sft_config(training, Path(job["folder"]) / "steps", gpu)
    trainer = SFTTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer)
    output = trainer.train()
    target = Path(job["folder"]) / "checkpoint"
    # Evaluation must not inherit training's choices: engines read the checkpoint as they read the base.
    model.config.use_cache = True
    trainer.save_model(str(target))
    if ray.train.get_context().get_world_rank() == 0:
        tokenizer.save_pretrained(target)
        losses = [(int(entry["step"]), entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
        write_losses(losses, Path(job["folder"]) / "losses.parquet")
        # A file, not Ray Train's report: Ray keeps metrics only of reports that hand it a checkpoint to store.
        figures = {
            "num_rows": len(examples),
            "num_cut": sum(e["cut"] for e in examples),
            "num_tokens": sum(len(e["input_ids"]) for e in examples),
            "num_loss_tokens": sum(label != -100 for e in examples for label in e["labels"]),
            "num_steps": int(output.global_step),
            "final_loss": float(output.training_loss),
        }
        (Path(job["folder"]) / FIGURES_FILE).write_text(json.dumps(figures))


def sft_config(training: Training, folder: Path, gpu: bool) -> Any:
    """TRL's configuration for `training`: s1's optimiser, its schedule, and what a CPU needs switched off."""
    from trl import SFTConfig

    devices = training.num_workers
    steps, rest = divmod(training.global_batch_size, training.per_device_batch_size * devices)
    if rest or not steps:
        raise UserError(
            f"global_batch_size={training.global_batch_size} is not a multiple of per_device_batch_size="
            f"{training.per_device_batch_size} times num_workers={devices}; change one of them"
        )
    sharded: dict[str, Any] = {}
    if gpu and devices > 1:
        sharded = {"fsdp": "full_shard auto_wrap", "fsdp_config": {"activation_checkpointing": False}}
    return SFTConfig(
        output_dir=str(folder),
        num_train_epochs=training.num_epochs,
        per_device_train_batch_size=training.per_device_batch_size,
        gradient_accumulation_steps=steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler,
        warmup_steps=training.warmup_ratio,  # a float below 1 is a share of all steps
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        max_length=None,  # harness.data.chat has cut, and counted, already
        train_sampling_strategy="group_by_length" if training.group_by_length else "random",
        bf16=gpu and training.bf16,
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
        gradient_checkpointing=gpu and training.gradient_checkpointing,
        ddp_backend=None if gpu or devices == 1 else "gloo",
        seed=training.seed,
        data_seed=training.seed,
        logging_steps=10,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataset_num_proc=None,
        **sharded,
    )


def write_losses(losses: Sequence[tuple[int, float]], path: Path) -> None:
    """The training loss by step, as Parquet with columns step, loss."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    steps, values = [step for step, _ in losses], [float(loss) for _, loss in losses]
    pq.write_table(pa.table({"step": pa.array(steps, pa.int64()), "loss": pa.array(values, pa.float64())}), path)
