"""A node that the network cuts off while a study uses it, for real: a wire into a network namespace is cut."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from test_faults import num_files, rows, start, undisturbed  # noqa: F401

from tests.disturbed import ENGINE, ends_well, family, named, until

pytestmark = pytest.mark.slow
SPACE = "s1-faults"
HOST, INSIDE = "10.213.77.1", "10.213.77.2"  # the two ends of a wire between this machine and the namespace


def can_cut_off_a_node() -> bool:
    """Network namespaces need root and iproute2."""
    made = shutil.which("ip") and subprocess.run(["ip", "netns", "add", "s1-try"], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "delete", "s1-try"], check=True)
    return bool(made)


@pytest.fixture
def wire() -> Iterator[str]:
    """A network namespace at the end of a wire; gives the wire's name on this side."""
    if not can_cut_off_a_node():
        pytest.skip("a node cannot be cut off here: network namespaces need root and iproute2")
    here, there = "s1-here", "s1-there"
    commands = (
        f"ip netns add {SPACE}",
        f"ip link add {here} type veth peer name {there} netns {SPACE}",
        f"ip addr add {HOST}/24 dev {here}",
        f"ip link set {here} up",
        f"ip netns exec {SPACE} ip addr add {INSIDE}/24 dev {there}",
        f"ip netns exec {SPACE} ip link set {there} up",
        f"ip netns exec {SPACE} ip link set lo up",
    )
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield here
    finally:
        subprocess.run(["ip", "netns", "delete", SPACE], check=False)  # takes the wire with it


@pytest.mark.faults
def test_a_node_cut_off_from_the_network_is_given_up_while_its_engine_still_runs(
    undisturbed: Any,  # noqa: F811
    tmp_path: Path,
    wire: Any,
) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    # Sockets' paths are limited, and the cluster's address stays in here.
    short = tempfile.mkdtemp(prefix="s1-", dir="/tmp")
    # Ray gives a silent node up after half a minute; here after about six seconds.
    environment = {
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "2000",
        "RAY_health_check_failure_threshold": "3",
        "RAY_health_check_initial_delay_ms": "0",
        "RAY_TMPDIR": short,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    nodes = (
        [ray, "start", "--head", f"--node-ip-address={HOST}", "--port=6391", "--num-cpus=0"],
        [
            "ip",
            "netns",
            "exec",
            SPACE,
            ray,
            "start",
            f"--node-ip-address={INSIDE}",
            f"--address={HOST}:6391",
            "--num-cpus=1",
        ],
        [ray, "start", f"--node-ip-address={HOST}", f"--address={HOST}:6391", "--num-cpus=1"],
    )
    running: list[subprocess.Popen[bytes]] = []

    def join(node: list[str]) -> None:
        with (tmp_path / f"node-{len(running)}.log").open("wb") as log:
            running.append(
                subprocess.Popen(
                    [*node, "--block", "--disable-usage-stats"], env=os.environ | environment, stdout=log, stderr=log
                )
            )

    try:
        join(nodes[0])
        until(lambda: "Ray runtime started" in (tmp_path / "node-0.log").read_text(), what="the head")
        join(nodes[1])
        until(lambda: "Ray runtime started" in (tmp_path / "node-1.log").read_text(), what="the node")
        process = start(tmp_path, RAY_ADDRESS=f"{HOST}:6391", **environment)
        running.append(process)
        until(lambda: num_files(tmp_path), what="the first rows")
        (engine,) = named(ENGINE, family(running[1].pid))
        subprocess.run(["ip", "link", "set", wire, "down"], check=True)
        time.sleep(3)
        assert engine.is_running() and process.poll() is None
        join(nodes[2])
        log = ends_well(process, tmp_path)
        assert "an engine failed" in log
        pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)
    finally:
        for node in running:  # the study's driver among them
            for child in (*family(node.pid), node):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            node.wait()
        shutil.rmtree(short, ignore_errors=True)
