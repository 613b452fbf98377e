"""`make fuzz`: the grader and every reader, fed what coverage-guided mutation (Atheris) makes of a small corpus.

    python -m tests.fuzz [--minutes 60] [--only TARGET] [--work DIR]

Each target runs in a process of its own; what breaks it is left in DIR/TARGET as crash-*, timeout-* or oom-*. Inputs
that reached new code are kept in tests/hostile/fuzz_corpus.jsonl, as few and short as cover the same, and every test
run feeds them again (tests/hostile/test_fuzz_corpus.py).
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from harness.files import MAX_DEPTH, json_row, nesting, write_json_lines
from harness.grading import grade, grade_answer
from harness.grading.grader import INTERNAL, KINDS
from harness.grading.verdict import STATUSES, Kind
from harness.marks import split
from tests.hostile import odd_folders as folders
from tests.hostile.trial import Ended, harness

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "tests" / "hostile" / "fuzz_corpus.jsonl"
MOST_KEPT, MOST_BYTES = 40, 600  # inputs of a target in the corpus, and bytes of each
SECONDS = 60  # of one input; a symbolic comparison may take 40
LEVELS = dict(enumerate(KINDS))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def grader(data: bytes) -> None:
    """GOLD, a line feed, RESPONSE behind a byte that says the kind: a verdict, the same when asked again."""
    kind: Kind = LEVELS[data[0] % len(KINDS)] if data else "math"
    gold, _, response = _text(data[1:]).partition("\n")
    for ask in (grade, grade_answer):
        verdict = ask(response, gold, kind, choices=("2", "x", "none") if kind == "choice" else ())
        assert verdict.status in STATUSES and INTERNAL not in verdict.reason, verdict
        json.dumps(verdict.columns)
        assert ask(response, gold, kind, choices=("2", "x", "none") if kind == "choice" else ()) == verdict


def marks(data: bytes) -> None:
    """PROMPT, a NUL, RESPONSE: the parts of a response are parts of it."""
    prompt, _, response = _text(data).partition("\0")
    found = split(response, prompt)
    assert found.answer in response, found


def lines(data: bytes) -> None:
    """A line is a row that can be written again, or a reason."""
    found = json_row(data)
    if isinstance(found, dict):
        assert nesting(found) <= MAX_DEPTH
        json.dumps(found)
    else:
        assert found and "\n" not in found


def _ended_well(ended: Ended) -> None:
    assert ended.code == 0 or ended.refused_in_one_line, ended.err[-2000:]
    assert not set(ended.out + ended.err) & {"\x1b", "\u202e", "\x07", "\u2066"}, "controls printed"


def _of_a_file(*commands: Callable[[Path, Path], tuple[object, ...]]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / "in.jsonl"
            file.write_bytes(data)
            for words in commands:
                _ended_well(harness(*words(file, Path(temporary))))

    return run


def results(data: bytes) -> None:
    """The run's configuration and the study's file of a results folder: CONFIG, a NUL, STUDY.JSON."""
    config, _, claim = data.partition(b"\0")
    with tempfile.TemporaryDirectory() as temporary:
        out = folders.good(Path(temporary) / "good")
        (out / "study.json").write_bytes(claim)
        folders.with_config(config.decode("utf-8", "replace"))(out)
        for words in (("status", out), ("compare", out, out)):
            _ended_well(harness(*words))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "grader": grader,
    "marks": marks,
    "lines": lines,
    "answers": _of_a_file(lambda file, out: ("grade", file, "--out", out / "o.jsonl")),
    "logs": _of_a_file(
        lambda file, out: ("sample-stats", file),
        lambda file, out: ("import", file, "--out", out / "results"),
    ),
    "pools": _of_a_file(lambda file, out: ("data", "filter", file, "--out", out / "o.jsonl")),
    "results": results,
}


def _rows() -> list[dict[str, str]]:
    return [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


def corpus() -> dict[str, list[bytes]]:
    """Target -> its inputs."""
    found: dict[str, list[bytes]] = {name: [] for name in TARGETS}
    for row in _rows():
        found[row["target"]].append(base64.b64decode(row["input"]))
    return found


# What is imported inside is told apart branch by branch, so that an input that reaches new code is kept. A script, not
# `python -c`: libFuzzer starts it again when it merges.
CHILD = """#!{python}
import sys, atheris
with atheris.instrument_imports(include=["harness"]):
    from tests.fuzz import TARGETS
atheris.Setup(sys.argv, TARGETS[{target!r}])
atheris.Fuzz()
"""


def _start(target: str, folder: Path, *arguments: object) -> int:
    """libFuzzer's loop in a process of its own, which it ends; its exit code is 0 where nothing broke."""
    child = folder / "child.py"
    child.write_text(CHILD.format(python=sys.executable, target=target))
    child.chmod(0o700)
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": paths, "HF_DATASETS_CACHE": str(folder / "cache")}
    with (folder / "log").open("ab") as log:
        return subprocess.run([child, *map(str, arguments)], env=environment, stdout=log, stderr=log).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="in all, shared by the targets")
    parser.add_argument("--only", choices=TARGETS)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "fuzz")
    arguments = parser.parse_args()
    if find_spec("atheris") is None:
        sys.exit("atheris is not installed; `make fuzz` installs it")
    work: Path = arguments.work.resolve()
    names = [arguments.only] if arguments.only else list(TARGETS)
    known, broken = corpus(), []
    told = [row for row in _rows() if "why" in row]  # what once broke something stays, whatever else covers it
    for name in names:
        folder = work / name
        (folder / "inputs").mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(known[name]):
            (folder / "inputs" / f"kept-{number}").write_bytes(data)
        seconds = 60 * arguments.minutes / len(names)
        options = (f"-max_total_time={seconds:.0f}", f"-timeout={SECONDS}", "-rss_limit_mb=4096", "-max_len=4096")
        code = _start(name, folder, *options, f"-artifact_prefix={folder}/", folder / "inputs")
        if code:
            broken.append(name)
        least = folder / "least"
        least.mkdir(exist_ok=True)
        _start(name, folder, "-merge=1", f"-timeout={SECONDS}", least, folder / "inputs")
        short = sorted((p.read_bytes() for p in least.iterdir()), key=len)
        assert short, f"nothing was merged, see {folder / 'log'}"
        known[name] = [data for data in short if len(data) <= MOST_BYTES][:MOST_KEPT]
        print(f"{name}: {'BROKEN, see ' + str(folder) if code else 'held'}; {len(short)} inputs cover it", flush=True)
    rows = [{"target": name, "input": base64.b64encode(data).decode()} for name in TARGETS for data in known[name]]
    write_json_lines(CORPUS, [*told, *rows])
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
