"""How a study was made: what a reader needs to cite it, to run it again, and to judge whether its rows are real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis.measure import Measured
from harness.files import json_row
from harness.records import run_config
from harness.store import AUDIT_NAME

NOT_SAID = "not stored with these rows"
PAPER = """@article{muennighoff2025s1,
  title = {s1: Simple test-time scaling},
  author = {Muennighoff, Niklas and Yang, Zitong and Shi, Weijia and Li, Xiang Lisa and Fei-Fei, Li and
            Hajishirzi, Hannaneh and Zettlemoyer, Luke and Liang, Percy and Cand{\\`e}s, Emmanuel and
            Hashimoto, Tatsunori},
  year = {2025},
  url = {https://arxiv.org/abs/2501.19393}
}"""


def made(measured: Measured, study: str, dirs: Sequence[Path]) -> list[tuple[str, str]]:
    """(what, its text) of a study: the command, versions, commits, dates, devices, and the audit's line."""
    runs = [row for row in measured.cells.runs.to_dict("records") if str(row["study"]) == study]
    commands = [run_config(row["config"])[0].get("command") for row in runs]
    dates = sorted({str(row["created_at"])[:10] for row in runs if _known(row["created_at"])})
    found = {
        "command": _each(commands),
        "commit": _each([row["commit"] for row in runs]),
        "date": " to ".join(dict.fromkeys([*dates[:1], *dates[-1:]])),
        "engine": _each([row["engine"] for row in runs]),
        "device": _each([row["device"] for row in runs]),
        "versions": _each([_versions(row["versions"]) for row in runs]),
        "audit": _each([audit_line(folder).removeprefix("audit: ") for folder in dirs]),
    }
    return [(name, text or NOT_SAID) for name, text in found.items()]


def audit_line(folder: Path) -> str:
    """The last audit of a results folder in a line; empty where none is stored."""
    found = stored(Path(folder) / AUDIT_NAME)
    if not isinstance(found.get("summary"), str):
        return ""
    return f"{found['summary']} ({str(found.get('created_at'))[:10]})"


def stored(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a results folder; empty where there is none that can be read."""
    found = json_row(path.read_bytes()) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def bibtex(measured: Measured) -> str:
    """The harness at the commits that made the rows, and the paper of its reference method."""
    runs = measured.cells.runs.to_dict("records")
    commits = sorted({str(row["commit"]) for row in runs if _known(row["commit"])})
    years = sorted({str(row["created_at"])[:4] for row in runs if _known(row["created_at"])})
    note = f",\n  note = {{commit {', '.join(commits)}}}" if commits else ""
    year = f",\n  year = {{{years[-1]}}}" if years else ""
    title = "{s1-harness: budget-forced evaluation and SFT ablations for test-time scaling}"
    harness = f"@software{{s1_harness,\n  title = {title},\n  author = {{{{The s1-harness authors}}}}{year}{note}\n}}"
    return f"{harness}\n\n{PAPER}"


def _known(value: object) -> bool:
    return value is not None and value == value and str(value) != ""


def _each(values: Sequence[Any]) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values if _known(value)))


def _versions(text: object) -> str:
    found = json_row(str(text).encode("utf-8", "replace"))
    return ", ".join(f"{name} {version}" for name, version in found.items()) if isinstance(found, dict) else ""
