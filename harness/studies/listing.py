"""The studies that there are, read without running a file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.errors import one_line
from harness.studies.load import UNREADABLE, parsed, study_files


def found_studies() -> Iterator[tuple[str, str, str]]:
    """Each study's name as `harness ablate` takes it, the first paragraph of its docstring, and its hypothesis.

    The hypothesis is the paragraph that begins so, of the function or of its file; empty where the first paragraph
    tells it or where there is none. No file is run.
    """
    for stem, path in sorted(study_files().items()):
        try:
            module = parsed(path)
        except UNREADABLE as error:
            yield stem, f"{path} cannot be read: {one_line(error)}", ""
            continue
        for statement in module.body:
            if isinstance(statement, ast.FunctionDef) and _is_study(statement):
                name = stem if statement.name == stem else f"{stem}:{statement.name}"
                own, file = _paragraphs(statement), _paragraphs(module)
                first = next(iter(own or file), "")
                told = "hypothesis" in first.lower()
                yield name, first, "" if told else next((one for one in own + file if one.startswith("Hypothesis")), "")


def _paragraphs(node: ast.FunctionDef | ast.Module) -> list[str]:
    """Those of a docstring, each in a line."""
    return [" ".join(one.split()) for one in (ast.get_docstring(node) or "").split("\n\n") if one.strip()]


def _is_study(function: ast.FunctionDef) -> bool:
    returned = ast.unparse(function.returns) if function.returns else ""
    return (
        not function.name.startswith("_") and not function.args.args and returned.split(".")[-1].strip("'\"") == "Study"
    )
