"""Training on the shipped tiny model: the same weights for the same seed, after kill -9 too; LoRA; what GPUs need."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from harness import trackers
from harness.config import Training, run_id, to_plain
from harness.errors import UserError
from harness.files import write_json
from harness.generation.engines.model_info import read_model
from harness.quickstart import TINY_MODEL
from harness.quickstart.problems import pool_rows
from harness.studies.load import load
from harness.studies.preparation import disk_note
from harness.training import checkpoints, memory, placement, sft, worker
from tests.event_files import scalars

SMALL = Training(
    num_epochs=2,
    global_batch_size=8,
    per_device_batch_size=4,
    learning_rate=1.5e-3,
    block_size=512,
    save_steps=3,
    gradient_checkpointing=False,
)
ROWS = list(pool_rows(0, 37))  # 5 steps an epoch, the last of 5 rows: a checkpoint after step 6 lies in the second
PAPER = Training(num_workers=16, num_gpus=1, num_cpus=8)
BASE_32B = "Qwen/Qwen2.5-32B-Instruct"


def job(folder: Path, training: Training) -> dict[str, Any]:
    """What the driver hands a worker."""
    return {
        "rows": ROWS,
        "base_model": TINY_MODEL,
        "training": to_plain(training),
        "thinking": "s1",
        "folder": str(folder),
        "figures_file": sft.FIGURES_FILE,
        "identity": run_id(training),
    }


def run(folder: Path, training: Training) -> dict[str, Any]:
    """`run_sft` in this process; what it counted."""
    folder.mkdir(exist_ok=True)
    worker.run_sft(job(folder, training))
    return dict(json.loads((folder / sft.FIGURES_FILE).read_text()))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "checkpoint" / "model.safetensors"))


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def losses(folder: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "losses.parquet").to_pylist())


def test_two_trainings_of_one_seed_give_identical_weights_and_another_seed_does_not(tmp_path: Path) -> None:
    figures = [run(tmp_path / name, SMALL) for name in ("a", "b")]
    other = run(tmp_path / "c", replace(SMALL, seed=1))
    assert same(tmp_path / "a", tmp_path / "b") and figures[0] == figures[1]
    assert not same(tmp_path / "a", tmp_path / "c") and other["final_loss"] != figures[0]["final_loss"]


def test_every_step_has_its_loss_and_its_tokens(tmp_path: Path) -> None:
    figures = run(tmp_path, SMALL)
    rows = losses(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 11)) and figures["num_steps"] == 10
    assert set(rows[0]) == set(worker.LOSS_COLUMNS) and all(value is not None for row in rows for value in row.values())
    assert rows[-1]["num_tokens"] == 2 * figures["num_tokens"]  # every row once an epoch, padding not counted
    assert figures["final_loss"] == pytest.approx(sum(row["loss"] for row in rows) / 10, abs=0)
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_tensorboard_has_every_steps_figures_once_also_of_a_resumed_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    tracked = replace(SMALL, report_to="tensorboard", kept_checkpoints=2)
    run(tmp_path, tracked)
    (tmp_path / "steps" / "checkpoint-10" / "whole.json").unlink()  # as if killed then: step 10 is made again
    run(tmp_path, tracked)
    rows, place = losses(tmp_path), tmp_path / "tensorboard"
    found = {name: scalars(place, f"train/{called}") for name, called in worker.LOSS_COLUMNS.items()}
    for name in ("loss", "learning_rate", "grad_norm", "token_accuracy"):
        assert found[name] == [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in rows], name
    assert len(list(place.glob("events.*"))) == 2  # without the mark of the second start, step 10 would be there twice
    if find_spec("tensorboard"):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        reader = EventAccumulator(str(place))
        reader.Reload()
        assert [(one.step, one.value) for one in reader.Scalars("train/loss")] == found["loss"]


def test_mlflow_has_every_steps_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "study" / "recipes" / "s1k"
    folder.parent.mkdir(parents=True)
    run(folder, replace(SMALL, report_to="mlflow"))
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (found,) = client.search_runs([client.get_experiment_by_name(trackers.PROJECT).experiment_id])
    assert found.info.run_name == "study-s1k" and found.data.params["learning_rate"] == "0.0015"
    history = [(one.step, one.value) for one in client.get_metric_history(found.info.run_id, "loss")]
    assert history == [(row["step"], row["loss"]) for row in losses(folder)]


CASES = {
    "rows in random order": SMALL,
    "rows grouped by length": replace(SMALL, group_by_length=True),
    "LoRA with dropout": replace(SMALL, lora_rank=4, lora_dropout=0.1),
    "killed as an epoch ended": replace(SMALL, group_by_length=True, save_steps=5, num_epochs=3),
}


@pytest.mark.parametrize("training", CASES.values(), ids=CASES)
def test_a_resumed_training_ends_with_the_weights_and_losses_of_an_undisturbed_one(
    tmp_path: Path, training: Training
) -> None:
    undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    training = replace(training, kept_checkpoints=2)
    figures = run(undisturbed, training)
    steps = sorted(undisturbed.glob("steps/checkpoint-*"), key=lambda path: path.stat().st_mtime)
    resumed.mkdir()
    (undisturbed / "steps").rename(resumed / "steps")
    last = resumed / "steps" / steps[-1].name
    assert len(steps) == 2 and last.name == f"checkpoint-{figures['num_steps']}"
    (last / "whole.json").unlink()  # as if killed while it was written: it is passed over, and made again
    (last / "optimizer.pt").write_bytes(b"torn")
    assert run(resumed, training) == figures
    assert same(undisturbed, resumed) and losses(undisturbed) == losses(resumed)


def test_one_checkpoint_is_kept_and_goes_only_when_the_next_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, marked = list[list[str]](), write_json

    def watched(path: Path, told: Any) -> None:
        seen.append(sorted(folder.name for folder in path.parent.parent.glob("checkpoint-*")))
        if told["step"] == 9:
            raise OSError("the disk is full")
        marked(path, told)

    monkeypatch.setattr(checkpoints, "write_json", watched)
    with pytest.raises(OSError, match="full"):
        run(tmp_path, SMALL)
    assert seen == [["checkpoint-3"], ["checkpoint-3", "checkpoint-6"], ["checkpoint-6", "checkpoint-9"]]
    last = checkpoints.last_whole(tmp_path / "steps", run_id(SMALL))
    assert last is not None and last.name == "checkpoint-6"
    assert not (tmp_path / "steps" / "checkpoint-9").exists()  # torn: removed


def test_the_disk_that_a_plan_tells_is_what_models_and_checkpoints_take(tmp_path: Path) -> None:
    run(tmp_path / "one", SMALL)
    study = load("quickstart")
    study = replace(study, base_model=TINY_MODEL, recipes=study.recipes[:1], training=replace(SMALL, save_steps=3))
    told = re.search(r"(\S+) GB of trained models and (\S+) GB of checkpoints", disk_note(study, tmp_path))
    assert told is not None
    real = [
        sum(file.stat().st_size for file in (tmp_path / "one" / name).iterdir())
        for name in ("checkpoint", "steps/checkpoint-10")
    ]
    # Beside the weights lies the tokenizer, which counts for a model of half a million; and room is for two.
    assert float(told[1]) * 1e9 == pytest.approx(real[0], rel=0.1)
    assert float(told[2]) * 1e9 == pytest.approx(2 * real[1], rel=0.1)
    there = disk_note(replace(study, training=replace(study.training, checkpoint_dir="/local")), tmp_path)
    assert f"{told[2]} GB of checkpoints to resume from (as much again in /local, on the nodes' own disk)" in there


@pytest.mark.parametrize("lost", ["nothing", "the node", "the copy"])
def test_checkpoints_on_a_nodes_own_disk_resume_to_the_same_bits_with_and_without_that_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    local, stopped = tmp_path / "local", tmp_path / "stopped"
    training = replace(SMALL, checkpoint_dir=str(local))
    marked, made = write_json, list[checkpoints.Copies]()

    class Watched(checkpoints.Copies):
        def __init__(self, steps: Path) -> None:
            super().__init__(steps)
            made.append(self)

    def full(path: Path, told: Any) -> None:
        if path.name == checkpoints.MARKER and told["step"] == 9:
            raise OSError("the disk is full")
        marked(path, told)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "Copies", Watched)
        patch.setattr(checkpoints, "write_json", full)
        with pytest.raises(OSError, match="full"):
            run(stopped, training)
    made[0].wait()
    names = [[path.name for path in folder.glob("**/checkpoint-*")] for folder in (local, stopped)]
    assert sorted(names[0]) == ["checkpoint-6", "checkpoint-9"] and names[1] == ["checkpoint-6"]  # 9 is torn
    if lost == "the node":
        shutil.rmtree(local)
    elif lost == "the copy":
        (stopped / "steps" / "checkpoint-6").rename(stopped / "steps" / "copying-checkpoint-6")  # killed while copied
    undisturbed = run(tmp_path / "undisturbed", SMALL)
    found, newest = list[Path | None](), checkpoints.newest

    def noted(places: Any, identity: str) -> Path | None:
        found.append(newest(places, identity))
        return found[0]

    monkeypatch.setattr(checkpoints, "newest", noted)
    assert run(stopped, training) == undisturbed
    (went_on,) = found
    assert went_on is not None and went_on.name == "checkpoint-6"
    assert lost == "nothing" or went_on.is_relative_to(stopped if lost == "the node" else local)
    assert same(stopped, tmp_path / "undisturbed") and losses(stopped) == losses(tmp_path / "undisturbed")
    assert list(local.iterdir()) == []  # nothing stays on the node
    assert [path.name for path in (stopped / "steps").iterdir()] == ["checkpoint-10"]  # the driver removes it


def test_a_copy_that_fails_fails_the_training_and_leaves_the_one_before_it(tmp_path: Path) -> None:
    copies = checkpoints.Copies(tmp_path / "steps")
    for step in (1, 2):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model").write_text(str(step))
        copies.start(folder)
    copies.wait()
    assert [path.read_text() for path in (tmp_path / "steps").glob("*/model")] == ["2"]
    copies.start(tmp_path / "checkpoint-3")  # is not there
    with pytest.raises(OSError, match="checkpoint-3"):
        copies.wait()
    assert [path.read_text() for path in (tmp_path / "steps").glob("*/model")] == ["2"]


def test_a_folder_for_checkpoints_is_named_in_full_and_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint_dir=here is no absolute path"):
        placement.check(replace(SMALL, checkpoint_dir="here"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file cannot be written on the worker's node"):
        checkpoints.place(str(tmp_path / "file"), tmp_path, "one", 0)


def test_a_checkpoint_of_another_training_is_not_resumed(tmp_path: Path) -> None:
    run(tmp_path / "a", SMALL)
    run(tmp_path / "a", replace(SMALL, seed=1))  # finds the steps of the first
    run(tmp_path / "b", replace(SMALL, seed=1))
    assert same(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_before_two_trainings_write_one_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(file: Any, how: int) -> None:  # as NFS without its lock daemon, Lustre without flock
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(UserError, match=r"has no locks .*Lustre the mount option flock"), checkpoints.alone(tmp_path):
        raise AssertionError("went on")


def test_lora_leaves_a_plain_model_behind(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    figures = run(tmp_path, replace(SMALL, lora_rank=8, learning_rate=5e-3))
    base = AutoModelForCausalLM.from_pretrained(TINY_MODEL, dtype=torch.float32)
    tuned = AutoModelForCausalLM.from_pretrained(tmp_path / "checkpoint")
    assert tuned.dtype == torch.float32 and not list(tmp_path.glob("checkpoint/adapter*"))
    before, after = base.state_dict(), tuned.state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "_proj.weight" in name}  # every linear map, nothing else
    assert losses(tmp_path)[-1]["loss"] < losses(tmp_path)[0]["loss"] and figures["num_steps"] == 10


def test_gradient_checkpointing_changes_memory_and_not_the_weights(tmp_path: Path) -> None:
    run(tmp_path / "off", SMALL)
    run(tmp_path / "on", replace(SMALL, gradient_checkpointing=True))
    assert same(tmp_path / "off", tmp_path / "on")


def test_placement_stays_out_of_a_runs_identity_and_lora_does_not() -> None:
    moved = replace(SMALL, save_steps=7, report_to="trackio", num_gpus=1, gradient_checkpointing=True)
    assert run_id(moved) == run_id(SMALL)
    assert run_id(replace(SMALL, lora_rank=4)) != run_id(SMALL)
    assert run_id(replace(SMALL, num_workers=2)) != run_id(SMALL)  # they deal the rows out in another order


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "find_spec", lambda name: None)
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"lora_rank=4 needs peft; pip install 's1-harness\[lora\]'"):
        placement.check(replace(SMALL, lora_rank=4))
    with pytest.raises(UserError, match="report_to=wandb needs the package wandb; pip install wandb"):
        placement.check(replace(SMALL, report_to="wandb"))
    with pytest.raises(UserError, match="report_to=tensorboard needs the package tensorboardX; pip install"):
        placement.check(replace(SMALL, report_to="tensorboard"))


def test_a_training_for_gpus_moves_to_the_cpu_of_a_cluster_without_any() -> None:
    laptop = [{"CPU": 2.0, "memory": 8e9}]
    moved, words = placement.on_cpu(PAPER, TINY_MODEL, laptop)
    assert words == "no GPU in the Ray cluster: training on 1 CPU instead of 16 GPUs"
    assert (moved.num_gpus, moved.num_workers, moved.num_cpus) == (0, 1, 1)
    placement.check(moved)
    assert placement.on_cpu(PAPER, TINY_MODEL, [*laptop, {"GPU": 1.0}]) == (PAPER, "")
    assert placement.on_cpu(SMALL, TINY_MODEL, laptop) == (SMALL, "")
    with pytest.raises(UserError, match=r"has none, and on CPU Qwen/Qwen2.5-32B-Instruct needs 601 of 8 GB; add"):
        placement.on_cpu(PAPER, BASE_32B, laptop)


# -- memory


def test_a_shape_counts_the_parameters_that_the_model_has() -> None:
    from transformers import AutoModelForCausalLM

    shape = memory.shape_of(TINY_MODEL)
    assert shape and shape.parameters == AutoModelForCausalLM.from_pretrained(TINY_MODEL).num_parameters()
    published = {"0.5B": 0.494e9, "7B": 7.616e9, "14B": 14.77e9, "32B": 32.764e9, "72B": 72.706e9}  # the model cards
    for size, parameters in published.items():
        named = memory.shape_of(f"Qwen/Qwen2.5-{size}-Instruct")
        assert named and named.parameters == pytest.approx(parameters, rel=1e-3)
    assert memory.shape_of("simplescaling/s1.1-32B") == memory.shape_of(BASE_32B)
    assert memory.shape_of("some/model") is None


def test_the_paper_fits_on_16_gpus_of_80_gb_only_with_gradient_checkpointing() -> None:
    shape = memory.QWEN25[32.0]
    on, off = (memory.estimate(shape, replace(PAPER, gradient_checkpointing=value)) for value in (True, False))
    assert on.weights + on.optimizer == pytest.approx(12 * 32.76e9 / 16, rel=1e-3)
    twice = memory.estimate(shape, replace(PAPER, global_batch_size=32))  # gradients of one micro batch wait for those
    assert twice.weights + twice.gradients + twice.optimizer >= 16 * 32.76e9 / 16  # of the next
    assert on.total < 80e9 < off.total
    alone = memory.estimate(shape, replace(PAPER, num_workers=1, lora_rank=16))
    assert alone.optimizer < 2e9 and alone.weights == pytest.approx(2 * 32.76e9, rel=0.02)


@pytest.mark.parametrize("recomputed", [False, True])
def test_estimated_activations_are_what_torch_keeps_for_the_backward_pass(recomputed: bool) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(TINY_MODEL, dtype=torch.float32)
    if recomputed:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
    tokens, own = 512, {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden = model.model(torch.zeros((1, tokens), dtype=torch.long)).last_hidden_state
    assert hidden.requires_grad
    shape = memory.shape_of(TINY_MODEL)
    assert shape is not None
    one = replace(
        SMALL, block_size=tokens, per_device_batch_size=1, global_batch_size=1, gradient_checkpointing=recomputed
    )
    wanted = memory.estimate(shape, one).activations  # at the head's moment: nothing is recomputed yet, nothing passes
    assert sum(kept.values()) == pytest.approx(wanted, rel=0.03)


@pytest.mark.faults  # the test before counts what is kept, tensor by tensor; the rest is arithmetic
@pytest.mark.parametrize("setting", ["recomputed", "plain"])
def test_the_predicted_peak_is_the_real_one_within_15_percent(tmp_path: Path, setting: str) -> None:
    """In a process of its own, which makes the random model, too; benchmarks/memory.py has two more sizes."""
    from benchmarks import memory as measured

    folder = f"Path({str(tmp_path)!r})"
    call = f"m.make('small', {folder}); print(json.dumps(m.train('small', {setting!r}, {folder})))"
    seen = json.loads(measured.in_a_process(call).splitlines()[-1])
    shape = memory.shape_of(str(tmp_path))
    assert shape is not None
    wanted = memory.estimate(shape, measured.training_of("small", setting)).total
    assert wanted == pytest.approx(seen["peak"] - seen["before"], rel=0.15)


# -- FSDP: 32B on 16 GPUs


def test_the_papers_training_is_one_that_the_installed_libraries_accept(tmp_path: Path) -> None:
    from accelerate.utils import FullyShardedDataParallelPlugin
    from trl import SFTConfig

    # On this machine there is no GPU: what is asked of one is taken back, FSDP's own arguments stay.
    asked = worker.sft_arguments(PAPER, tmp_path, gpu=True)
    assert asked["bf16"] and not asked["use_cpu"]
    config = SFTConfig(**asked | {"use_cpu": True, "bf16": False, "dataloader_pin_memory": False})
    plugin = FullyShardedDataParallelPlugin(**config.fsdp_plugin_args)
    assert plugin.fsdp_version == 2 and plugin.reshard_after_forward and plugin.cpu_ram_efficient_loading
    assert plugin.activation_checkpointing and not config.gradient_checkpointing  # the Trainer refuses both at once
    assert config.gradient_accumulation_steps == 1 and config.warmup_steps == 0.05
    assert not worker.sft_config(replace(PAPER, num_workers=1), tmp_path, gpu=False).fsdp


def test_what_is_trained_on_a_base_model_ends_its_text_at_the_turn_it_was_taught(tmp_path: Path) -> None:
    """Qwen2.5's base ends a text with another token than its chat template ends a turn."""
    base, folder = tmp_path / "base", tmp_path / "run"
    shutil.copytree(TINY_MODEL, base)
    for name in ("config.json", "generation_config.json"):
        plain = json.loads((base / name).read_text())
        (base / name).write_text(json.dumps({**plain, "eos_token_id": 412}))
    settings = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "<|endoftext|>"}))
    folder.mkdir()
    worker.run_sft({**job(folder, replace(SMALL, num_epochs=1)), "base_model": str(base), "rows": ROWS[:8]})
    read = read_model(str(folder / "checkpoint"), 512)
    assert set(read.eos_ids) == {411, 412}  # <|im_end|> and <|endoftext|>
    assert read.tokenizer.convert_tokens_to_ids("<|im_end|>") == 411
