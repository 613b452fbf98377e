"""What a training worker runs: TRL's `SFTTrainer` on one recipe's rows, resumed where an earlier worker was killed.

The only importer of trl. Uses Ray for nothing: `run_sft` also works in a plain process.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from harness.config import Training
from harness.files import write_json
from harness.generation.engines import probe
from harness.generation.templates.reading import resolve
from harness.thinking import ThinkingFormat
from harness.trackers import PROJECT
from harness.training import checkpoints, tracked
from harness.training.placement import STEPS

M_MMAP_THRESHOLD = -3  # of malloc.h
RETURNED_BYTES = 1 << 20  # what is as large lies in pages of its own
LOSS_COLUMNS = {  # of losses.parquet: what the Trainer calls it
    "step": "step",
    "epoch": "epoch",
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "num_tokens": "num_input_tokens_seen",  # so far, all workers together, without padding
    "token_accuracy": "mean_token_accuracy",
}


def run_sft(job: dict[str, Any]) -> None:
    """Tokenise, train, save, report. `job` is plain data, made by `harness.training.sft.train`."""
    training, folder = Training(**job["training"]), Path(job["folder"])
    rank = dist.get_rank() if dist.is_initialized() else 0
    if rank > 0:
        return _run(training, folder, job, rank)
    with checkpoints.alone(folder):
        return _run(training, folder, job, rank)


def _run(training: Training, folder: Path, job: dict[str, Any], rank: int) -> None:
    from transformers import AutoTokenizer

    from harness.training import order, packing
    from harness.training.examples import tokenised

    stay = folder / STEPS
    steps = checkpoints.place(training.checkpoint_dir, folder, job["identity"], rank)
    resumed = [checkpoints.newest({steps, stay}, job["identity"])] if rank == 0 else [None]
    if dist.is_initialized():
        dist.broadcast_object_list(resumed, src=0)
    gpu = torch.cuda.is_available() and training.num_gpus > 0
    if not gpu:
        torch.set_num_threads(training.num_cpus)
        give_memory_back()
    torch.manual_seed(training.seed)
    tokenizer = AutoTokenizer.from_pretrained(job["base_model"])
    thinking = resolve(job["thinking"], tokenizer).thinking
    variant = job.get("variant", "plain")
    examples, counts = tokenised(job["rows"], tokenizer, thinking, training.block_size, variant, training.packing)
    lengths = order.lengths_of(examples)
    rows = order.epochs(lengths, training)
    config = sft_config(training, stay, gpu)  # before the model: it says how that is loaded
    config.output_dir = str(steps)
    model = load_model(job["base_model"], training, gpu)
    if training.in_a_row:
        packing.check(model, job["base_model"], rank)
    copies = checkpoints.Copies(stay) if steps != stay else None
    callbacks = [checkpoints.Resumable(job["identity"], rank, training.kept_checkpoints, copies)]
    if rank == 0:
        callbacks += tracked.callbacks(training.report_to, folder, checkpoints.step_of(resumed[0]))
    trainer = sft_trainer(model, tokenizer, examples, rows, config, training, callbacks)
    output = trainer.train(resume_from_checkpoint=None if resumed[0] is None else str(resumed[0]))
    trained = probe_of(trainer, thinking, gpu and training.bf16)  # before adapters are merged
    save(trainer, folder / "checkpoint", thinking)
    if rank == 0:
        trained.write(folder / probe.FILE)
    if rank == 0:
        per_epoch = len(rows) // training.num_epochs
        losses = losses_of(trainer.state.log_history, per_epoch // training.global_batch_size, per_epoch - len(lengths))
        write_losses(losses, folder / "losses.parquet")
        # A file, not Ray Train's report: Ray keeps metrics only of reports that hand it a checkpoint to store.
        figures = {
            **asdict(counts),
            "waiting": order.waiting(lengths, training),
            "padding": order.padding(lengths, training),
            "num_steps": int(output.global_step),
            # Not the Trainer's own mean, which forgets the steps before a resume.
            "final_loss": sum(entry["loss"] for entry in losses) / len(losses),
        }
        write_json(folder / job["figures_file"], figures)
        if copies is not None:
            copies.wait()  # the driver's next call, which may be elsewhere, finds the last one there
            shutil.rmtree(steps)


def give_memory_back() -> None:
    """Let glibc return every freed tensor to the system: kept for later use, they made a peak up to 1.7 times as high.

    Elsewhere nothing is done.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_THRESHOLD, RETURNED_BYTES)


def sft_trainer(
    model: Any,
    tokenizer: Any,
    examples: Any,
    rows: Sequence[int],
    config: Any,
    training: Training,
    callbacks: Sequence[Any],
) -> Any:
    """TRL's trainer on `examples` (`harness.training.examples`), whose labels it keeps, in the order of `rows`."""
    from harness.training.trainer import trainer_class

    return trainer_class(rows, training)(
        model=model,
        args=config,
        train_dataset=examples,
        processing_class=tokenizer,
        peft_config=lora_config(training),
        callbacks=list(callbacks),
    )


def load_model(base_model: str, training: Training, gpu: bool) -> Any:
    """The model to train.

    What is trained is held in float32, as s1 does, and only computed with in bfloat16: in bfloat16 a step of 1e-5 is
    lost on most weights. A base that LoRA leaves alone may be bfloat16 throughout.
    """
    from transformers import AutoModelForCausalLM

    frozen = training.lora_rank > 0
    return AutoModelForCausalLM.from_pretrained(
        base_model, dtype=torch.bfloat16 if frozen and gpu and training.bf16 else torch.float32
    )


def lora_config(training: Training) -> Any:
    """The configuration of peft: adapters on every linear layer but the output; None where all weights are trained."""
    if not training.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=training.lora_rank,
        lora_alpha=training.lora_alpha,
        lora_dropout=training.lora_dropout,
        target_modules="all-linear",
    )


def probe_of(trainer: Any, thinking: ThinkingFormat, bf16: bool) -> probe.Probe:
    """What the trained model, as it is in memory, answers to the probe. Called on every rank: shards are gathered."""
    asked = probe.sequences(trainer.processing_class, thinking)
    answers = probe.top_logprobs(trainer.model, [forced.ids for forced in asked])
    return probe.taken(asked, answers, "bfloat16" if bf16 else "float32")


def save(trainer: Any, target: Path, thinking: ThinkingFormat) -> None:
    """Write a plain model to `target`: shards gathered, adapters merged, so that engines read it as they read the base.

    What it was taught to end a turn by is an end of text, for any engine. Called on every rank; rank 0 writes.
    """
    model = trainer.model
    model.config.use_cache = True  # evaluation must not inherit training's choices
    end_texts_at_the_turn(model, trainer.processing_class, thinking)
    state = None
    if trainer.is_fsdp_enabled:
        state = trainer.accelerator.get_state_dict(model)
        for tied in getattr(model, "all_tied_weights_keys", {}):
            state.pop(tied, None)  # gathered, it no longer shares memory with its twin and would be written twice
    if not trainer.is_world_process_zero():
        return
    if hasattr(model, "merge_and_unload"):
        # In float32 and in main memory: the sum of base and adapter is not rounded, and no GPU must hold it.
        model = model.to(device="cpu", dtype=torch.float32).merge_and_unload()
    shutil.rmtree(target, ignore_errors=True)  # an earlier model's shards may have other names
    trainer.accelerator.unwrap_model(model).save_pretrained(target, state_dict=state)
    trainer.processing_class.save_pretrained(target)


def end_texts_at_the_turn(model: Any, tokenizer: Any, thinking: ThinkingFormat) -> None:
    """Put the token that ends a turn among the model's ends of text.

    A base model's is another (Qwen2.5's is `<|endoftext|>`, its template's `<|im_end|>`): an engine would run over the
    end that it was trained to write.
    """
    added, ending = tokenizer.get_added_vocab(), thinking.end_of_turn or ""
    places = [(ending.index(token), token) for token in added if token in ending]
    if not places:
        return
    for config in (model.config, model.generation_config):
        known = config.eos_token_id
        ids = [known] if isinstance(known, int) else list(known or ())
        if added[min(places)[1]] not in ids:
            config.eos_token_id = [*ids, added[min(places)[1]]]


def sft_config(training: Training, folder: Path, gpu: bool) -> Any:
    """TRL's configuration for `training`."""
    from trl import SFTConfig

    arguments = sft_arguments(training, folder, gpu)
    if arguments.get("fsdp"):
        os.environ["ACCELERATE_USE_FSDP"] = "true"  # what `accelerate launch` sets; from_pretrained looks for it
    return SFTConfig(**arguments)


def sft_arguments(training: Training, folder: Path, gpu: bool) -> dict[str, Any]:
    """`SFTConfig`'s arguments: s1's optimiser, its schedule, and what a CPU needs switched off.

    Several GPUs share one model (FSDP); several CPUs, and LoRA's small adapters, are kept equal by gradients (DDP).
    """
    devices = training.num_workers
    sharded = gpu and devices > 1 and not training.lora_rank
    return {
        "output_dir": str(folder),
        "num_train_epochs": 1,  # harness.training.order has all epochs behind each other
        "per_device_train_batch_size": training.per_device_batch_size,
        "gradient_accumulation_steps": training.global_batch_size // (training.per_device_batch_size * devices),
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": training.lr_scheduler,
        "warmup_steps": training.warmup_ratio,  # a float below 1 is a share of all steps
        "adam_beta1": training.adam_beta1,
        "adam_beta2": training.adam_beta2,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "max_length": None,  # harness.training.examples has cut, and counted, already
        "padding_free": training.in_a_row,  # of packed rows too: harness.training.packing has packed them
        "bf16": gpu and training.bf16,
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "gradient_checkpointing": training.gradient_checkpointing,
        "ddp_backend": None if gpu or devices == 1 else "gloo",
        "seed": training.seed,
        "data_seed": training.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # a loss that is not a number must show
        "include_num_input_tokens_seen": "non_padding",
        "save_strategy": "steps" if training.save_steps else "no",
        "save_steps": training.save_steps or 1,
        "save_total_limit": None,  # harness.training.checkpoints removes old ones, after a new one is whole
        "report_to": [training.report_to] if training.report_to in tracked.OWN else [],
        "project": PROJECT,
        "run_name": tracked.run_name(folder.parent),
        "disable_tqdm": True,
        **(fsdp(training) if sharded else {}),
    }


def fsdp(training: Training) -> dict[str, Any]:
    """`SFTConfig`'s arguments that shard weights, gradients and optimizer over all workers (FSDP2 of torch).

    The units are the model's own decoder layers (Qwen2DecoderLayer: its `_no_split_modules`), as in s1's
    train/fsdp_config_qwen.json. Only one worker per node reads the weights; checkpoints to resume from stay sharded.
    """
    return {
        "gradient_checkpointing": False,  # FSDP recomputes activations itself; the Trainer refuses both at once
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "reshard_after_forward": True,
            "activation_checkpointing": training.gradient_checkpointing,
            "cpu_ram_efficient_loading": True,
            "state_dict_type": "SHARDED_STATE_DICT",
        },
    }


def losses_of(
    log_history: Sequence[Mapping[str, Any]], steps_per_epoch: int, fillers_per_epoch: int
) -> list[dict[str, Any]]:
    """One entry per step, with the keys of `LOSS_COLUMNS`; the Trainer's closing summary is left out.

    The Trainer sees one long epoch, and one token in each row that only fills up an epoch's last batch.
    """
    losses = []
    for entry in log_history:
        if "loss" in entry:
            step = entry["step"]
            fillers = step // steps_per_epoch * fillers_per_epoch
            own = {"epoch": step / steps_per_epoch, "num_tokens": entry["num_input_tokens_seen"] - fillers}
            losses.append({column: own.get(column, entry.get(name)) for column, name in LOSS_COLUMNS.items()})
    return losses


def write_losses(losses: Sequence[Mapping[str, Any]], path: Path) -> None:
    """What each step was, as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = {"step", "num_tokens"}
    schema = pa.schema([(name, pa.int64() if name in whole else pa.float64()) for name in LOSS_COLUMNS])
    pq.write_table(pa.Table.from_pylist([dict(entry) for entry in losses], schema), path)
