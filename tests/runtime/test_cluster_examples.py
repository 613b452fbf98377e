"""The examples of docs/cluster are what a cluster would take."""

from __future__ import annotations

import copy
import functools
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
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
    usage = re.search(r"slurm\.sh \\\n#\s+(data_ablation .*)", script.read_text())
    assert usage is not None
    plan(["ablate", *shlex.split(usage[1])])


TOOL = """#!/bin/bash
printf '%s\\n' "$(basename "$0")" "$@" >> "$TOLD"
[ "$(basename "$0")" = scontrol ] && printf 'node7\nnode8\n'
exit 0
"""


@pytest.mark.parametrize("image", ["", "/shared/s1.sif"])
def test_the_slurm_script_gives_each_node_its_cores_and_one_address(image: str, tmp_path: Path) -> None:
    """Slurm's commands are not here; what stands in for them writes down how it was called."""
    for name in ("srun", "scontrol"):
        (tmp_path / name).write_text(TOOL)
        (tmp_path / name).chmod(0o755)
    told = tmp_path / "told"
    slurm = {"SLURM_JOB_NODELIST": "node[7-8]", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "64"}
    slurm |= {"SLURM_JOB_ID": "1234567", "S1_IMAGE": image, "S1_SRUN": "--mem=0", "TOLD": str(told)}
    done = subprocess.run(
        ["bash", str(FOLDER / "slurm.sh"), "data_ablation", "--out", "/shared/a b"],
        env={**slurm, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    words = told.read_text().splitlines()
    called = words[words.index("srun") + 1 :]
    assert {"--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=64", "--mem=0"} <= set(called)
    assert (called[called.index("--mem=0") + 1] == "apptainer") == bool(image)
    ray = called[called.index("symmetric-run") :]
    assert ray[:6] == ["symmetric-run", "--address", "node7:24567", "--min-nodes", "2", "--num-cpus=64"]
    assert ray[6:] == [
        "--",
        "env",
        "RAY_ADDRESS=node7:24567",
        *["harness", "ablate", "data_ablation", "--out"],
        "/shared/a b",
    ]


def test_the_volume_and_the_secret_of_kuberay_are_the_jobs() -> None:
    claim = yaml.safe_load((FOLDER / "kuberay-storage.yaml").read_text())
    kubernetes_validate.validate(claim, "1.31", strict=True)
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    text = (FOLDER / "kuberay.yaml").read_text()
    job = yaml.safe_load(text)
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    named = [volume["persistentVolumeClaim"]["claimName"] for volume in head["volumes"] if "emptyDir" not in volume]
    assert named == [claim["metadata"]["name"]]
    (secret,) = [one["valueFrom"]["secretKeyRef"] for one in head["containers"][0]["env"] if "valueFrom" in one]
    assert f"secret generic {secret['name']} --from-literal={secret['key']}=" in text
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def part(required: str, optional: str = "", **of: object) -> dict[str, object]:
    """The schema of an object with no other fields: an API server would drop them without a word."""
    known = {name: of.get(name, {}) for name in f"{required} {optional}".split()}
    return {"type": "object", "required": required.split(), "additionalProperties": False, "properties": known}


TEXT, TEXTS = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
# What ray.io/v1 (KubeRay 1.5.1 to 1.7) has of the fields that we use: the custom resource definition of its chart,
# and the Go types that it is generated from. Pods are Kubernetes' own, and validated as such above.
HEAD = part("rayStartParams template", rayStartParams=TEXTS, template={"type": "object"})
WORKERS = part(
    "groupName minReplicas maxReplicas rayStartParams template",
    "replicas numOfHosts",
    **HEAD["properties"],  # type: ignore[arg-type]
    groupName=TEXT,
    **dict.fromkeys(("replicas", "minReplicas", "maxReplicas", "numOfHosts"), COUNT),
)
CLUSTER = part(
    "headGroupSpec",
    "workerGroupSpecs rayVersion authOptions",
    headGroupSpec=HEAD,
    workerGroupSpecs={"type": "array", "items": WORKERS},
    rayVersion=TEXT,
    authOptions=part("", "mode secretName", mode={"enum": ["disabled", "token"]}, secretName=TEXT),
)
JOB = part(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    spec=part(
        "rayClusterSpec",
        "entrypoint shutdownAfterJobFinishes ttlSecondsAfterFinished backoffLimit",
        rayClusterSpec=CLUSTER,
        entrypoint=TEXT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        backoffLimit=COUNT,
    ),
)


BROKEN = {
    "spec.ttlSecondsAfterFinish": 600,  # no such field
    "spec.backoffLimit": "2",
    "spec.rayClusterSpec.authOptions.mode": "tokens",
    "spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus": 0,  # unquoted
    "spec.rayClusterSpec.workerGroupSpecs": [{"groupName": "gpu", "replicas": 1}],
}


def holds_our_job_alone(schema: object) -> None:
    """The example is valid, and each of the broken ones is not."""
    job = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    jsonschema.validate(job, schema)
    for place, wrong in BROKEN.items():
        broken = copy.deepcopy(job)
        *folders, last = place.split(".")
        functools.reduce(dict.__getitem__, folders, broken)[last] = wrong
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_kuberay_knows_every_field_of_the_job_and_would_refuse_a_wrong_one() -> None:
    holds_our_job_alone(JOB)


def closed(schema: Any) -> Any:
    """A structural schema that refuses the fields that an API server would drop without a word."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(value) for name, value in schema.items()}
    if isinstance(found.get("properties"), dict) and not found.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def test_the_job_keeps_to_the_custom_resource_definition_of_a_cluster() -> None:
    """`kubectl get crd rayjobs.ray.io -o yaml > crd.yaml` on a cluster, or the file of KubeRay's chart."""
    file = os.environ.get("RAYJOB_CRD")
    if not file:
        pytest.skip("SKIPPED LOUDLY: RAYJOB_CRD names no file with KubeRay's definition of a RayJob; no package has it")
    (version,) = (one for one in yaml.safe_load(Path(file).read_text())["spec"]["versions"] if one["name"] == "v1")
    holds_our_job_alone(closed(version["schema"]["openAPIV3Schema"]))


def test_the_kuberay_operator_takes_the_job() -> None:
    """What it checks beyond the schema: name, time to live, the Ray that knows tokens, numbers of workers."""
    job = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    spec, cluster = job["spec"], job["spec"]["rayClusterSpec"]
    name = job["metadata"]["generateName"] + "x2b9q"  # an API server adds five letters
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name) and len(name) <= 47
    assert spec["shutdownAfterJobFinishes"] or not spec["ttlSecondsAfterFinished"]
    assert tuple(map(int, cluster["rayVersion"].split(".")[:2])) >= (2, 52)
    groups = cluster["workerGroupSpecs"]
    assert len({group["groupName"] for group in groups}) == len(groups)
    assert all(group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] for group in groups)


def test_the_two_local_nodes_start_rays_own_commands_and_the_studys() -> None:
    from ray.scripts.scripts import cli as ray_cli

    text = (FOLDER / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    known = {option for one in ray_cli.commands["start"].params for option in one.opts}
    for service in services.values():
        assert service["entrypoint"][:2] == ["ray", "start"]
        assert {word.partition("=")[0] for word in service["entrypoint"][2:]} <= known
        assert service["image"] == "s1-harness" and service["volumes"] == ["results:/results"]
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
    assert re.search(r"docker build --target (\w+) ", text)[1] in (ROOT / "Dockerfile").read_text()  # type: ignore[index]
    command = re.search(r"exec head (harness ablate .*)", text)
    assert command is not None
    plan(shlex.split(command[1]))


def test_ray_knows_the_command_that_the_slurm_script_calls() -> None:
    from ray.scripts.scripts import cli as ray_cli

    command = ray_cli.commands["symmetric-run"]
    assert {"address", "min_nodes"} <= {parameter.name for parameter in command.params}
