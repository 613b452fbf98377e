"""The examples of docs/cluster are what a cluster would take."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import kubernetes_validate
import yaml
from click.testing import CliRunner

from harness.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "cluster"
RAY = re.search(r"^ray==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def plan(command: list[str]) -> None:
    """The harness command of an example plans its study."""
    arguments = command[command.index("ablate") :]
    result = CliRunner().invoke(cli, [*arguments, "--dry-run"])
    assert result.exit_code == 0, result.output


def test_the_kuberay_pods_pass_kubernetes_own_schema() -> None:
    job = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **group["template"]}
        kubernetes_validate.validate(pod, "1.31", strict=True)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_the_kuberay_job_names_our_ray_and_a_study_that_plans() -> None:
    job = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert RAY is not None and job["spec"]["rayClusterSpec"]["rayVersion"] == RAY[1]
    plan(shlex.split(job["spec"]["entrypoint"]))


def test_the_slurm_script_parses_and_its_usage_plans_a_study() -> None:
    script = FOLDER / "slurm.sh"
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    usage = re.search(r"slurm\.sh (data_ablation .*)", script.read_text())
    assert usage is not None
    plan(["ablate", *shlex.split(usage[1])])


def test_ray_knows_the_command_that_the_slurm_script_calls() -> None:
    from ray.scripts.scripts import cli as ray_cli

    command = ray_cli.commands["symmetric-run"]
    assert {"address", "min_nodes"} <= {parameter.name for parameter in command.params}
