"""Where a training runs: what may be missing for it, and the CPU in place of GPUs that a cluster does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from harness import ray_cluster
from harness.config import Training
from harness.errors import UserError
from harness.trackers import require
from harness.training import memory

STEPS = "steps"  # below a recipe's folder: checkpoints to resume from; removed once the training is done


def check(training: Training) -> None:
    """Raise `UserError` for a training whose packages are not there, or whose folder is another on each node."""
    if training.checkpoint_dir and not Path(training.checkpoint_dir).is_absolute():
        raise UserError(
            f"training.checkpoint_dir={training.checkpoint_dir} is no absolute path; name a folder on the nodes' own "
            "disk, for example /local/checkpoints"
        )
    if training.lora_rank and find_spec("peft") is None:
        raise UserError(f"lora_rank={training.lora_rank} needs peft; pip install 's1-harness[lora]' -c constraints.txt")
    if training.report_to != "none":
        require(training.report_to, f"report_to={training.report_to}")


def on_cpu(training: Training, base_model: str, nodes: Sequence[Mapping[str, float]]) -> tuple[Training, str]:
    """`training` moved to the CPU if it asks for GPUs and no node of the Ray cluster has any, and one line on it.

    `nodes` are their resources as Ray counts them (memory in bytes). Steps, rows and batches stay the same;
    the runs' identity is that of what was asked for. Raises `UserError` when the model does not fit into any node's
    memory.
    """
    if not training.num_gpus or any(node.get("GPU") for node in nodes):
        return training, ""
    largest = max(nodes, key=lambda node: node.get("memory", 0))
    cpus = max(1, min(training.num_cpus * training.num_workers, int(largest.get("CPU", 1)) - 1))  # one for the engine
    moved = replace(training, num_workers=1, num_gpus=0, num_cpus=cpus, per_device_batch_size=1)
    shape, room = memory.shape_of(base_model), largest.get("memory", 0)
    need = memory.estimate(shape, moved).total if shape else 0.0
    asked = f"{training.num_workers * training.num_gpus} GPUs"
    if need > room:
        raise UserError(
            f"the study trains on {asked}, the Ray cluster has none, and on CPU {base_model} needs {need / 1e9:,.0f} "
            f"of {room / 1e9:,.0f} GB; add GPU nodes, or try --smoke"
        )
    return moved, f"no GPU in the Ray cluster: training on {cpus} CPU{'s' * (cpus > 1)} instead of {asked}"


def nodes() -> list[dict[str, float]]:
    """The resources of each node of the Ray cluster."""
    import ray

    ray_cluster.join()
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
