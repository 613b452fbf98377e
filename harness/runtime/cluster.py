"""Joining a Ray cluster, or starting one here, and what fits into it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import ray_cluster
from harness.config import EngineConfig, Study, Training
from harness.errors import UserError
from harness.logs import output_to
from harness.progress import Progress
from harness.training.placement import nodes as node_resources
from harness.training.placement import on_cpu

NODE_SECONDS = 120  # for all nodes to say whether they see a folder; a process has to start on each


@dataclass(frozen=True)
class Demand:
    """What one engine asks of a cluster, and one training of `base_model` where there is any."""

    engine: EngineConfig
    training: Training | None = None
    base_model: str = ""
    study: str = ""  # what Ray's job is called by

    @classmethod
    def of(cls, study: Study) -> Demand:
        """The study's; without recipes nothing is trained."""
        return cls(study.engine, study.training if study.recipes else None, study.base_model, study.name)

    def placed(self) -> tuple[Training, str] | None:
        """The training where the cluster has room for it, and one line if that is not where it was asked for."""
        return None if self.training is None else on_cpu(self.training, self.base_model, node_resources())


def connect(demand: Demand, out: Path, progress: Progress) -> None:
    """Join the Ray cluster that RAY_ADDRESS or `ray start` names, or start a local one; nothing if that is done.

    Raises `UserError` when the demand can never be met, or when it trains and a node of the cluster does not see `out`.
    """
    import ray

    if ray.is_initialized():
        return
    join(out / "logs" / "ray.log", {"study": demand.study, "out": str(out.resolve())})
    check_fits(demand)
    total = ray.cluster_resources()
    if (placed := demand.placed()) and placed[1]:
        progress.say(placed[1])
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) > 1 and demand.training:
        check_shared(out, [node["NodeID"] for node in nodes])
    if not progress.quiet:
        progress.say(f"Ray: {len(nodes)} node(s), {total.get('CPU', 0):g} CPUs, {total.get('GPU', 0):g} GPUs")


def join(log: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Join a cluster, or start one here; Ray's own words go to `log`. Raises `UserError`, `InstallationError`."""
    try:
        with output_to(log):
            ray_cluster.join(metadata)
    except ConnectionError as error:
        raise UserError(
            f"{str(error).rstrip('.')}; if that cluster is gone, `ray stop` forgets it; RAY_ADDRESS=local starts one"
        ) from None


def refuse_too_large(demand: Demand) -> None:
    """Raise `UserError` for a demand that can never be met, before anything is written.

    A cluster that is named is asked, and left again. One that would be started here has the processors of this machine:
    that is known without it.
    """
    here = float(os.cpu_count() or 1)
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        check_fits(demand)
    elif ray_cluster.named():
        with tempfile.TemporaryDirectory() as folder:
            join(Path(folder) / "ray.log")
        try:
            check_fits(demand)
        finally:
            disconnect()
    else:
        _check("engine", "CPU", demand.engine.num_cpus, here, "this machine")
        if demand.engine.num_gpus:
            import torch

            _check("engine", "GPU", demand.engine.num_gpus, torch.cuda.device_count(), "this machine")
        if (training := demand.training) and not training.num_gpus:
            _check("training", "CPU", training.num_cpus * training.num_workers, here, "this machine")


def check_fits(demand: Demand) -> None:
    """Raises `UserError` when an engine or a training is more than the whole cluster has."""
    import ray

    total = ray.cluster_resources()
    for stage, wanted in needs(demand).items():
        for resource, amount in wanted.items():
            _check(stage, resource, amount, total.get(resource, 0.0), "the Ray cluster")


def _check(stage: str, resource: str, amount: int, total: float, where: str) -> None:
    if amount > total:
        raise UserError(
            f"the study's {stage} needs {amount} {resource}s, {where} has {total:g}; add nodes, lower "
            f"{stage}.num_{resource.lower()}s with --set, or try --smoke"
        )


def disconnect() -> None:
    """Leave the cluster; a local one ends."""
    if ray := sys.modules.get("ray"):
        ray.shutdown()


def needs(demand: Demand) -> dict[str, dict[str, int]]:
    """CPUs and GPUs of one engine and of one training, 0 where nothing is trained."""
    training = {"CPU": 0, "GPU": 0}
    if found := demand.placed():
        placed, _ = found
        training = {"CPU": placed.num_cpus * placed.num_workers, "GPU": placed.num_gpus * placed.num_workers}
    return {"engine": {"CPU": demand.engine.num_cpus, "GPU": demand.engine.num_gpus}, "training": training}


def fitting(demand: Demand) -> int:
    """How many trainings fit at a time beside the engines, as the cluster is now; at least one."""
    import ray

    total, wanted = ray.cluster_resources(), needs(demand)
    engines = demand.engine.num_engines
    rooms = [
        int((total.get(resource, 0) - engines * wanted["engine"][resource]) // amount)
        for resource, amount in wanted["training"].items()
        if amount
    ]
    return max(1, min(rooms, default=1))


def pending_training_needs(of: Collection[str]) -> bool:
    """Whether a training, of this study or of another, waits for resources among `of` that are there but not free.

    Each training asks for them in a placement group.
    """
    from ray.util import placement_group_table

    return any(
        group["state"] in ("PENDING", "RESCHEDULING")
        and group["stats"]["scheduling_state"] != "INFEASIBLE"
        and any(bundle.get(resource) for bundle in group["bundles"].values() for resource in of)
        for group in placement_group_table().values()
    )


def check_shared(out: Path, node_ids: list[str]) -> None:
    """Raises `UserError` naming the first node that does not see `out`: checkpoints travel through that folder."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def sees(path: str) -> tuple[bool, str]:
        import socket

        return Path(path).is_dir(), socket.gethostname()

    look = ray.remote(num_cpus=0)(sees)
    answers = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=True)).remote(
            str((out / "samples").resolve())
        )
        for node_id in node_ids
    ]
    try:
        found = ray.get(answers, timeout=NODE_SECONDS)
    except ray.exceptions.GetTimeoutError:
        raise UserError(
            f"a node of the Ray cluster did not answer within {NODE_SECONDS} s; wait until Ray has given it up, or "
            "remove it (`ray status` lists the nodes)"
        ) from None
    for seen, host in found:
        if not seen:
            raise UserError(f"--out {out} is not visible from node {host}; give a folder that all nodes share")
