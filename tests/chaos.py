"""`make chaos`: something is killed every few seconds until a study is done; its rows have to equal a calm run's.

Study after study, each with the next seed, until the minutes are over.

    python -m tests.chaos [--minutes 15] [--seed 0] [--keep DIR]

A three-node Ray cluster on this machine, real vLLM, real training. At random: kill -9 of an engine actor, of vLLM's
core, of a grader, of a training worker, of the driver (started again), of a whole node (another one joins); a terminal
that goes away (SIGHUP to the driver), a second driver of the study in the same folder, which has to be refused; and
the driver's clock jumps by hours, ahead and back (libfaketime, Debian's package faketime; left out, and said, without).
Not part of `make test`: it takes minutes and depends on chance by design; the seed fixes the order of the victims.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil

from harness.files import atomic
from tests.disturbed import ENGINE, GRADER, TEXT, TRAINING_WORKER, family, named, rows, start

STUDY = """
from dataclasses import replace
from ablations.quickstart import quickstart
from harness.config import Budget, EngineConfig, Recipe


def chaos():
    study = quickstart()
    return replace(
        study, name="chaos", pool_size=160, max_problems=48, recipes=(Recipe("full", "full"), Recipe("s1k", "s1k", 16)),
        budgets=(Budget(max_thinking_tokens=24), Budget(max_thinking_tokens=96), Budget(), Budget(num_ignores=1)),
        base_budgets=(), training=replace(study.training, save_steps=20),
        engine=EngineConfig(max_model_len=320, num_cpus=1, max_num_seqs=16, stall_seconds=60.0),
    )
"""
# What is killed: its process's name, where it has one, and what the study loses by it.
VICTIMS = {
    "engine actor": (ENGINE, "engine"),
    "vLLM core": ("VLLM::EngineCore", "engine"),
    "driver": ("", "engine"),
    "terminal": ("", "engine"),
    "second driver": ("", "grading"),
    "clock": ("", "clock"),
    "node": ("", "engine"),
    "training worker": (TRAINING_WORKER, "training"),
    "grader": (GRADER, "grading"),
}
# Seconds, drawn at random, until the next of what costs the same. The shorter ones hit an engine while it starts (half
# a minute, more when a training runs), the longer ones let it make rows.
REST = {"engine": (5.0, 110.0), "training": (10.0, 40.0), "grading": (2.0, 2.0), "clock": (20.0, 60.0)}
MOST_GIVEN_UP = 3  # drivers that end with a failed recipe
QUIET_SECONDS = 4.0  # between two kills
LOOKED_FOR_SECONDS = {"grader": 5.0}  # it lives for a fraction of a second
CLOCK = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
JUMPS_HOURS = (-30.0, 30.0)
HANGUP_SECONDS = 30.0  # for a driver to end: 4 by itself, more on a machine as busy as this
LOCKED_SECONDS = 120.0  # for a second driver to be refused: mostly its imports


class Chaos:
    """The cluster, the driver, and what may be killed when."""

    def __init__(self, folder: Path, seed: int) -> None:
        from ray.cluster_utils import Cluster

        self.folder, self.random = folder, random.Random(seed)
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        self.nodes = [self.cluster.add_node(num_cpus=2) for _ in range(2)]
        self.driver = self._start()
        self.free_at = dict.fromkeys(REST, time.monotonic() + 20)
        self.kills: list[str] = []
        self.given_up = 0

    def _start(self) -> subprocess.Popen[bytes]:
        clock = {}
        if CLOCK is not None:
            self._set_clock(0.0)
            clock = {
                "LD_PRELOAD": str(CLOCK),
                "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",
            }
        return start(self.folder, STUDY, "chaos", RAY_ADDRESS=self.cluster.address, **clock)

    def _set_clock(self, hours: float) -> None:
        with atomic(self.folder / "clock") as file:
            file.write(f"{hours:+.3f}h\n".encode())

    def strike(self) -> None:
        """Kill one of the things that may be killed now, if any is there."""
        now = time.monotonic()
        ready = [name for name, (_, cost) in VICTIMS.items() if now >= self.free_at[cost]]
        self.random.shuffle(ready)
        for name in ready:
            if self._kill(name):
                cost = VICTIMS[name][1]
                self.free_at[cost] = time.monotonic() + self.random.uniform(*REST[cost])
                self.kills.append(name)
                print(f"  killed: {name}", flush=True)
                return

    def _kill(self, name: str) -> bool:
        if name == "node":
            lost = self.nodes.pop(0)
            self.cluster.remove_node(lost, allow_graceful=False)
            self.nodes.append(self.cluster.add_node(num_cpus=2))
            return True
        if name in ("driver", "terminal"):
            self.driver.send_signal(signal.SIGKILL if name == "driver" else signal.SIGHUP)
            self.driver.wait(timeout=HANGUP_SECONDS)
            self.driver = self._start()
            return True
        if name == "second driver":
            return self._second_driver()
        if name == "clock":
            if CLOCK is not None:
                self._set_clock(self.random.uniform(*JUMPS_HOURS))
            return CLOCK is not None
        until = time.monotonic() + LOOKED_FOR_SECONDS.get(name, 0.0)
        while True:
            if victims := named(VICTIMS[name][0], family(os.getpid())):  # our nodes' and our driver's, nobody else's
                with contextlib.suppress(psutil.Error):
                    self.random.choice(victims).kill()
                    return True
            if time.monotonic() >= until:
                return False

    def _second_driver(self) -> bool:
        """Whether the first one holds the folder yet; then another one is refused at once."""
        if not (self.folder / "out" / ".lock").exists():
            return False
        second = self._start()
        code = second.wait(timeout=LOCKED_SECONDS)
        assert code == 2 or self.driver.poll() is not None, f"a second driver in the same folder ended with {code}"
        return True

    def run(self, until: float) -> int:
        """Kill until the study is done, at most until that time (`time.monotonic`). Returns a driver's exit code.

        What was killed more often than it is started again is a failed recipe, exit code 1; as the driver says then,
        the same command tries it again.
        """
        while True:
            while self.driver.poll() is None:
                time.sleep(QUIET_SECONDS)
                if time.monotonic() < until and self.driver.poll() is None:
                    self.strike()
            if self.driver.returncode != 1 or self.given_up == MOST_GIVEN_UP:
                return self.driver.returncode
            self.given_up += 1
            print("  given up by the driver: the same command again", flush=True)
            self.driver = self._start()

    def end(self) -> None:
        self.driver.kill()
        self.driver.wait()
        self.cluster.shutdown()


def current(found: pd.DataFrame) -> pd.DataFrame:
    """The rows that readers see: a failed generation that was made again is left out, as `Store.compact` does."""
    good = found["error"].isna()
    return found[good | ~found["sample_key"].isin(found["sample_key"][good])].reset_index(drop=True)


def undisturbed(folder: Path) -> pd.DataFrame | None:
    """The rows of a calm run; None where it failed, which it has printed."""
    driver = start(folder, STUDY, "chaos", RAY_ADDRESS="local")
    try:
        failed = driver.wait()
    finally:
        driver.kill()
    if failed:
        print((folder / "log").read_text()[-2000:])
    return None if failed else current(rows(folder))[TEXT]


def disturbed(folder: Path, seed: int, until: float, calm: pd.DataFrame) -> Counter[str] | None:
    """What was killed during a study that ended with the rows of `calm`; None where it did not, which is printed."""
    chaos = Chaos(folder, seed)
    try:
        code = chaos.run(until)
    finally:
        chaos.end()
    if code:
        print(f"exit {code} after {', '.join(chaos.kills)}\n{(folder / 'log').read_text()[-2000:]}")
        return None
    found = current(rows(folder))[TEXT]
    print(f"  rows: {len(calm)} undisturbed, {len(found)} disturbed, {found['sample_key'].nunique()} distinct")
    return Counter(chaos.kills) if calm.equals(found) else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=15.0, help="of killing; after that the last study ends in peace"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first study's kills")
    parser.add_argument("--keep", type=Path, help="work here and keep it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.keep or Path(temporary)
        (work / "calm").mkdir(parents=True, exist_ok=True)
        if CLOCK is None:
            print("LEFT OUT: clock jumps; they need libfaketime (apt-get install faketime)", flush=True)
        print("the undisturbed run", flush=True)
        calm = undisturbed(work / "calm")
        if calm is None:
            return 1
        kills, studies = Counter[str](), 0
        until = time.monotonic() + 60 * arguments.minutes
        while not studies or time.monotonic() < until:
            seed = arguments.seed + studies
            print(f"a disturbed run, seed {seed}", flush=True)
            folder = work / f"seed-{seed}"
            folder.mkdir()
            killed = disturbed(folder, seed, until, calm)
            if killed is None:
                print("THE ROWS DIFFER, or there are none")
                return 1
            kills, studies = kills + killed, studies + 1
        print(f"{studies} studies, {kills.total()} kills: " + ", ".join(f"{name} {kills[name]}" for name in VICTIMS))
        print("the rows are the same, one by one")
        return 0


if __name__ == "__main__":
    sys.exit(main())
