"""A working folder of everyday file names that are modules' too: whoever imports one of them is found out."""

from __future__ import annotations

from pathlib import Path

NAMES = (
    "ast",
    "calendar",
    "code",
    "copy",
    "datasets",
    "decimal",
    "fractions",
    "inspect",
    "json",
    "logging",
    "math",
    "numbers",
    "numpy",
    "pandas",
    "queue",
    "random",
    "ray",
    "re",
    "secrets",
    "select",
    "signal",
    "statistics",
    "string",
    "sympy",
    "tokenize",
    "tokenizers",
    "torch",
    "types",
    "typing",
    "utils",
    "vllm",
)
MARK = "ran"


def fill(folder: Path) -> Path:
    """Makes `folder` with a file NAME.py for each of `NAMES`, and a package `harness`."""
    (folder / "harness").mkdir(parents=True)
    for path in (*(folder / f"{name}.py" for name in NAMES), folder / "harness" / "__init__.py"):
        path.write_text(
            f"with open({str(folder / MARK)!r}, 'a') as file: file.write({path.name!r} + '\\n')\nraise SystemExit(3)\n"
        )
    return folder


def what_ran(folder: Path) -> list[str]:
    """The files of `folder` that somebody has run."""
    mark = folder / MARK
    return mark.read_text().splitlines() if mark.exists() else []
