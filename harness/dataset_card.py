"""README.md of a results folder: what is in it, and which file is which part for `datasets.load_dataset(OUT)`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.files import write_text

NAME = "README.md"
MADE = "<!-- written by s1-harness -->"
PARTS = {
    "samples": ("samples/*.parquet", "one row per generation"),
    "runs": ("runs.parquet", "one row per run, with its whole configuration"),
    "metrics": ("metrics.parquet", "every figure with its interval, in long form"),
}


def write_card(out: Path) -> None:
    """Write OUT/README.md for the parts that are there; a README.md of somebody else is left as it is."""
    present = {name: part for name, part in PARTS.items() if any(out.glob(part[0]))}
    path = out / NAME
    old = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
    if "samples" not in present or (old is not None and MADE not in old):
        return
    text = card(present)
    if text != old:
        write_text(path, text)


def card(present: Mapping[str, tuple[str, str]], of: str = "", about: str = "") -> str:
    """The card: YAML that names the data files of each part, and a line of English for each.

    Args:
        present: the name of a part to its files and what they hold.
        of: the names of the studies.
        about: what they are, in Markdown.
    """
    configs = "".join(
        f"- config_name: {name}\n  data_files: {files}\n" + ("  default: true\n" if name == "samples" else "")
        for name, (files, _) in present.items()
    )
    lines = "\n".join(f"- `{name}` ({files}): {what}." for name, (files, what) in present.items())
    named = f"pretty_name: {json.dumps(of)}\n" if of else ""  # JSON is YAML
    title = f"Results of {of}" if of else "Results of an evaluation"
    about = f"{about}\n## Files\n\n" if about else ""
    others = "".join(f', `load_dataset(FOLDER, "{name}")`' for name in present if name != "samples")
    return (
        f"---\n{named}configs:\n{configs}---\n\n{MADE}\n\n# {title}\n\n{about}{lines}\n\n"
        f"Read it with `datasets.load_dataset(FOLDER)` (the samples){others}, pandas or DuckDB. "
        'The columns are described in the documentation of s1-harness, page "Results".\n'
    )
