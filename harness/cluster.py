"""Joining a Ray cluster, or starting one here."""

from __future__ import annotations

import logging
from pathlib import Path

from harness.config import Study
from harness.errors import UserError
from harness.logs import output_to
from harness.progress import Progress


def connect(study: Study, progress: Progress, log: Path) -> int:
    """Join the Ray cluster that RAY_ADDRESS or `ray start` names, or start a local one.

    Returns how many trainings fit at a time beside the engine. Raises `UserError` when the study can never fit.
    """
    import ray

    with output_to(log):
        ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False, ignore_reinit_error=True)
    total = ray.cluster_resources()
    engine = {"CPU": study.engine.num_cpus, "GPU": study.engine.num_gpus}
    workers = study.training.num_workers if study.recipes else 0
    training = {"CPU": study.training.num_cpus * workers, "GPU": study.training.num_gpus * workers}
    for stage, wanted in (("engine", engine), ("training", training)):
        for resource, amount in wanted.items():
            if amount > total.get(resource, 0):
                raise UserError(
                    f"the study's {stage} needs {amount} {resource}s, the Ray cluster has "
                    f"{total.get(resource, 0):g}; add nodes, lower {stage}.num_{resource.lower()}s with --set, or "
                    "try --smoke"
                )
    nodes = sum(node["Alive"] for node in ray.nodes())
    progress.say(f"Ray: {nodes} node(s), {total.get('CPU', 0):g} CPUs, {total.get('GPU', 0):g} GPUs")
    fits = [
        int((total.get(resource, 0) - engine[resource]) // amount) for resource, amount in training.items() if amount
    ]
    return max(1, min(fits, default=1))
