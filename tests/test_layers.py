"""The layers of the package as data, checked against what the code really imports. Arrows point down; no circles."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import harness

ROOT = Path(harness.__file__).parent
# From the bottom. A module or package may import what stands on a lower line, and its own inside.
LAYERS = (
    ("console", "environment", "errors", "imports", "logs", "messages", "questions"),
    ("ray_cluster",),
    ("files", "checked", "progress", "thinking", "yaml_file"),
    ("chat_client", "digests", "parquet", "trackers", "user_code"),
    ("provenance",),
    ("marks",),
    ("config", "grading"),
    ("dataset_card", "records"),
    ("store", "quickstart", "generation"),
    ("training",),
    ("analysis", "data"),
    ("tasks",),
    ("studies",),
    ("lm_eval",),
    ("runtime",),
    ("report",),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ENTRANCES = {"__init__", "__main__"}  # of the package itself: they may name anything


def modules() -> dict[str, Path]:
    """Dotted name below `harness` -> file."""
    found = {}
    for path in ROOT.rglob("*.py"):
        relative = path.relative_to(ROOT).with_suffix("")
        if "_bundled" not in relative.parts:
            found[".".join(relative.parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(path: Path) -> set[str]:
    """The modules below `harness` that a file imports, at its top, in a function, or for its types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("harness.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "harness":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full.removeprefix("harness.") in MODULES else str(node.module))
    return {name.removeprefix("harness.") for name in found if name != "harness"}


@cache
def arrows() -> dict[str, set[str]]:
    """What each module imports; read when a test asks, which one of the processes that collect the tests does."""
    return {name: imports(path) for name, path in MODULES.items() if name not in ENTRANCES}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Some circle in a graph, as a path; empty when there is none."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for target in sorted(graph.get(name, ())):
            if found := visit(target):
                return found
        path.pop()
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name))), [])


def test_every_module_has_a_layer() -> None:
    assert {name.split(".")[0] for name in MODULES} - ENTRANCES == set(LEVEL)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - ENTRANCES))
def test_a_module_imports_lower_layers_and_its_own_package_only(name: Any) -> None:
    room = name.split(".")[0]
    wrong = [
        target
        for target in arrows()[name]
        if target.split(".")[0] != room and LEVEL[target.split(".")[0]] >= LEVEL[room]
    ]
    assert not wrong, f"{name} imports {wrong}; move what it needs down, or it up (LAYERS in this file)"


def test_there_is_no_circle_of_modules() -> None:
    assert circle(arrows()) == []


def test_the_circle_finder_finds_one() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
