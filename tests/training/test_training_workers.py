"""Training in processes of its own: two that share one model (FSDP), and workers and drivers that die by kill -9."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from test_training import ROWS, SMALL, job, losses, run, same, weights

from harness.config import Training
from harness.quickstart import TINY_MODEL
from harness.training import sft, worker
from harness.training.placement import STEPS
from harness.training.processes import Lone
from tests.disturbed import family, named

pytestmark = pytest.mark.slow
LONG = replace(SMALL, num_epochs=12, save_steps=5)
SHARDED = """
import os, sys, torch.distributed as dist
from dataclasses import replace
from pathlib import Path
port, folder = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, sys.argv[3])
import test_training as tests
import harness.training.trainer  # TRL
from harness.training import checkpoints, worker
other = os.fork()  # both have what was imported; nothing has run yet
rank = 0 if other else 1
os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
               "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
dist.init_process_group("gloo", rank=rank, world_size=2)
plain, on_gpu = worker.sft_config, worker.sft_arguments
on_cpu = {"use_cpu": True, "bf16": False, "ddp_backend": "gloo", "dataloader_pin_memory": False}
worker.sft_arguments = lambda training, steps, gpu: on_gpu(training, steps, True) | on_cpu


def sharded(training, steps, gpu):
    # accelerate shards on accelerators alone: it is told that two CPUs are such. All that follows is the real FSDP2.
    from accelerate.state import DistributedType, PartialState
    config = plain(training, steps, gpu)
    PartialState().distributed_type = DistributedType.MULTI_GPU
    return config


def checked(trainer, target, thinking):
    # The units are decoder layers that recompute their activations; this worker holds one half of each weight.
    unit = trainer.model.model.layers[0]
    layer = unit._checkpoint_wrapped_module
    weight = layer.mlp.up_proj.weight
    assert trainer.is_fsdp_enabled and type(unit).__name__ == "FSDPCheckpointWrapper", type(unit)
    assert type(layer).__name__ == "FSDPQwen2DecoderLayer", type(layer)
    assert weight.to_local().numel() * 2 == weight.numel()
    save(trainer, target, thinking)


save = worker.save
worker.sft_config, worker.save = sharded, checked
training = replace(tests.SMALL, num_workers=2, gradient_checkpointing=True, kept_checkpoints=2)
training = replace(training, checkpoint_dir=sys.argv[4])
newest = checkpoints.newest
checkpoints.newest = lambda *asked: print("resumed:", found := newest(*asked)) or found
worker.run_sft(tests.job(folder, training))
dist.destroy_process_group()
if other:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
"""


def run_sharded(folder: Path, checkpoint_dir: str = "") -> str:
    """Two processes that train on shards; the name of the checkpoint that they went on from."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = subprocess.run(
        [sys.executable, "-c", SHARDED, str(port), str(folder), str(Path(__file__).parent), checkpoint_dir],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    assert call.returncode == 0, call.stdout[-3000:]
    found = [line for line in call.stdout.splitlines() if line.startswith("resumed: ")]
    return found[-1].rpartition("/")[2] if found else ""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two workers that share one model trained, in "two"."""
    folder = tmp_path_factory.mktemp("shared")
    run_sharded(folder / "two")
    return folder


def test_two_workers_that_share_one_model_train_what_one_worker_trains(shared: Path, tmp_path: Path) -> None:
    figures = run(tmp_path / "one", SMALL)
    one, two = weights(tmp_path / "one"), weights(shared / "two")
    configs = [
        json.loads((folder / "checkpoint" / "config.json").read_text()) for folder in (tmp_path / "one", shared / "two")
    ]
    assert one.keys() == two.keys() and configs[0] == configs[1]
    assert [row["loss"] for row in losses(shared / "two")] == pytest.approx(
        [row["loss"] for row in losses(tmp_path / "one")], rel=1e-5
    )
    assert losses(shared / "two")[-1]["num_tokens"] == 2 * figures["num_tokens"]
    assert list(shared.glob("two/steps/checkpoint-10/pytorch_model_fsdp_0/*.distcp"))


@pytest.mark.faults  # two processes more; one worker's resumption is in test_training.py
def test_two_workers_that_share_one_model_resume_from_their_shards(shared: Path) -> None:
    two, before = weights(shared / "two"), losses(shared / "two")
    (shared / "two" / "steps" / "checkpoint-10" / "whole.json").unlink()
    local = shared / "local"
    assert run_sharded(shared / "two", str(local)) == "checkpoint-9"  # two workers that see one disk of their own
    assert losses(shared / "two") == before and list(local.iterdir()) == []
    assert list(shared.glob("two/steps/checkpoint-10/pytorch_model_fsdp_0/*.distcp"))  # the copy
    assert all(torch.equal(two[name], value) for name, value in weights(shared / "two").items())


# -- kill -9

DRIVER = """
import sys, json
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_training_workers as tests
from harness.training.sft import train
trained = train(tests.ROWS, tests.TINY_MODEL, tests.LONG, "s1", Path(sys.argv[1]), "killed")
"""


def wait_for(found: Any, process: subprocess.Popen[bytes] | None = None) -> Any:
    for _ in range(4800):
        if result := found():
            return result
        assert process is None or process.poll() is None, "the driver ended too soon"
        time.sleep(0.05)
    raise AssertionError("nothing came in four minutes")


def newest_step(folder: Path) -> int:
    return max((int(path.parent.name.split("-")[1]) for path in folder.glob("steps/*/whole.json")), default=0)


def training_worker(folder: Path) -> psutil.Process | None:
    """The process that writes the log of the training in `folder`."""
    for process in psutil.process_iter(["name"]):
        if "RayTrainWorker" in (process.info["name"] or "") or "ray::" in (process.info["name"] or ""):
            try:
                if any(str(folder) in file.path for file in process.open_files()):
                    return process
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
    return None


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster without GPUs."""
    import ray

    yield ray.init(num_cpus=3, num_gpus=0, include_dashboard=False, log_to_driver=False).address_info["gcs_address"]
    ray.shutdown()


@pytest.mark.faults  # what it is moved to is asked in test_training.py, and every study of the suite trains there
def test_a_training_for_gpus_trains_on_a_cluster_without_any(cluster: str, tmp_path: Path) -> None:
    asked = replace(SMALL, num_epochs=1, num_gpus=1, num_workers=2)
    trained = sft.train(ROWS, TINY_MODEL, asked, "s1", tmp_path / "gpus", "gpus")
    assert trained.num_steps == 5 and (tmp_path / "gpus" / "checkpoint" / "model.safetensors").is_file()


def test_harness_train_trains_a_pool_of_foreign_columns_through_ray_once(cluster: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from harness.cli.main import cli

    foreign = [{"ask": row["question"], "trace": row["thinking"], "end": row["attempt"]} for row in ROWS[:10]]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(one) + "\n" for one in foreign))
    settings: dict[str, Any] = {
        "num_epochs": 1,
        "global_batch_size": 4,
        "per_device_batch_size": 4,
        "learning_rate": 1e-3,
        "block_size": 512,
        "gradient_checkpointing": False,
        "padding_free": True,
    }
    arguments = ["train", str(tmp_path / "pool.jsonl"), "--model", TINY_MODEL, "--out", str(tmp_path / "ray")]
    for told in ("question=ask", "thinking=trace", "attempt=end"):
        arguments += ["--map", told]
    for name, value in settings.items():
        arguments += ["--set", f"{name}={json.dumps(value)}"]
    call = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert call.exit_code == 0 and "10 rows, 3 steps, loss " in call.output, call.output
    record = json.loads((tmp_path / "ray" / sft.DONE_FILE).read_text())["trained"]
    assert (record["num_rows"], record["num_steps"], record["padding"]) == (10, 3, 0.0)
    before = (tmp_path / "ray" / "checkpoint" / "model.safetensors").stat().st_mtime_ns
    again = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert "10 rows, 3 steps" in again.output
    assert (tmp_path / "ray" / "checkpoint" / "model.safetensors").stat().st_mtime_ns == before
    (tmp_path / "here").mkdir()
    training = replace(Training(), **settings)  # the same rows, trained in this process
    worker.run_sft({**job(tmp_path / "here", training), "rows": ROWS[:10], "thinking": "auto"})
    assert same(tmp_path / "ray", tmp_path / "here")


def test_a_kept_process_trains_the_next_recipe_as_a_fresh_one_would(cluster: str, tmp_path: Path) -> None:
    import ray

    first, second = replace(SMALL, num_epochs=1, padding_free=True), replace(SMALL, num_epochs=1, learning_rate=1e-3)
    process = Lone(first)
    try:
        sft.train(ROWS, TINY_MODEL, first, "s1", tmp_path / "first", "first", actor=process.actor)
        at_first = ray.get(process.actor.__ray_call__.remote(lambda _: os.getpid()))
        sft.train(ROWS, TINY_MODEL, second, "s1", tmp_path / "second", "second", actor=process.actor)
        assert ray.get(process.actor.__ray_call__.remote(lambda _: os.getpid())) == at_first
    finally:
        process.end()
    run(tmp_path / "fresh", second)
    assert same(tmp_path / "second", tmp_path / "fresh") and not same(tmp_path / "first", tmp_path / "second")


@pytest.mark.faults  # two more processes and Ray Train's helpers
def test_a_group_of_two_workers_that_loses_one_trains_what_one_worker_trains(cluster: str, tmp_path: Path) -> None:
    training = replace(LONG, num_workers=2, per_device_batch_size=1)
    done: list[sft.Trained] = []
    thread = threading.Thread(target=lambda: done.append(sft.train(ROWS, TINY_MODEL, training, "s1", tmp_path, "two")))
    thread.start()
    wait_for(lambda: newest_step(tmp_path) >= 5)
    named("ray::RayTrainWorker", family(os.getpid()))[0].kill()
    thread.join()
    run(tmp_path / "one", replace(LONG, per_device_batch_size=1))
    assert [row["loss"] for row in losses(tmp_path)] == pytest.approx(
        [row["loss"] for row in losses(tmp_path / "one")], rel=1e-4
    )
    assert done[0].num_steps == 60


@pytest.mark.faults
def test_a_training_killed_with_its_worker_and_then_with_its_driver_ends_as_if_undisturbed(
    cluster: str, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    environment = os.environ | {"RAY_ADDRESS": cluster}
    arguments = [sys.executable, "-c", DRIVER, str(folder), str(Path(__file__).parent)]
    driver = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: newest_step(folder) >= 5, driver)
        first = wait_for(lambda: training_worker(folder), driver)
        first.send_signal(signal.SIGKILL)
        killed_at = newest_step(folder)
        wait_for(lambda: newest_step(folder) > killed_at + 5, driver)  # another worker went on
    finally:
        driver.kill()
        driver.wait()
    assert newest_step(folder) < 60 and not (folder / sft.DONE_FILE).exists()
    trained = sft.train(ROWS, TINY_MODEL, LONG, "s1", folder, "killed")
    undisturbed = run(tmp_path / "undisturbed", LONG)  # in this process
    assert (trained.final_loss, trained.num_steps) == (undisturbed["final_loss"], 60)
    assert same(folder, tmp_path / "undisturbed")
    assert losses(folder) == losses(tmp_path / "undisturbed")
    assert [row["step"] for row in losses(folder)] == list(range(1, 61))
    assert not (folder / STEPS).exists()
    assert sft.train(ROWS, TINY_MODEL, LONG, "s1", folder, "killed") == trained  # finished: not done again
