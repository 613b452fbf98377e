"""The studies that there are, read without running a file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.errors import one_line
from harness.studies.load import UNREADABLE, parsed, study_files


def found_studies() -> Iterator[tuple[str, str]]:
    """Each study's name as `harness ablate` takes it, and the first paragraph of its docstring; no file is run."""
    for stem, path in sorted(study_files().items()):
        try:
            module = parsed(path)
        except UNREADABLE as error:
            yield stem, f"{path} cannot be read: {one_line(error)}"
            continue
        for statement in module.body:
            if isinstance(statement, ast.FunctionDef) and _is_study(statement):
                text = ast.get_docstring(statement) or ast.get_docstring(module) or ""
                name = stem if statement.name == stem else f"{stem}:{statement.name}"
                yield name, " ".join(text.split("\n\n")[0].split())


def _is_study(function: ast.FunctionDef) -> bool:
    returned = ast.unparse(function.returns) if function.returns else ""
    return (
        not function.name.startswith("_") and not function.args.args and returned.split(".")[-1].strip("'\"") == "Study"
    )
