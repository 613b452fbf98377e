"""Which tasks lm-eval has: read off the lines of its YAML files, in half a second of processor time.

lm-eval's own index parses all of its 14,000 files and takes 15 seconds; importing it takes another second or two.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from harness.errors import UserError, near

# A key at the start of a line with one name for its value: lists, as groups have them under `task`, are no names.
NAMED = re.compile(
    rb"""^["']?(task|group|tag)["']?[ \t]*:[ \t]*["']?([^\s"'#\[\]{}]+)["']?[ \t]*(?:\#.*)?\r?$""", re.MULTILINE
)
LISTED = re.compile(rb"^tag:[ \t]*\r?\n((?:[ \t]*-[^\n]*\n?)+)", re.MULTILINE)  # several tags


@dataclass(frozen=True)
class Names:
    """What lm-eval's files define. `tasks`: name -> its file; `groups`: names that stand for several tasks."""

    tasks: Mapping[str, Path] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()


@lru_cache(maxsize=1)
def lm_eval_names() -> Names:
    """The names of the installed lm-eval; none where it is not installed."""
    package = find_spec("lm_eval")
    if package is None or not package.submodule_search_locations:
        return Names()
    folder = os.path.join(package.submodule_search_locations[0], "tasks")
    files = sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    tasks, groups = dict[str, Path](), set[str]()
    for path in files:  # in lm-eval's order: of two files with one name it takes the first
        if path.endswith(".yaml"):
            with open(path, "rb") as file:
                text = file.read()
            for key, name in NAMED.findall(text):
                if key == b"task":
                    tasks.setdefault(name.decode(errors="replace"), Path(path))
                else:
                    groups.add(name.decode(errors="replace"))
            for listed in LISTED.findall(text):
                groups |= {line.strip("- \t\r\"'") for line in listed.decode(errors="replace").splitlines()}
    return Names(tasks, frozenset(groups - tasks.keys()))


def file_of(name: str) -> Path:
    """The YAML file of a task of lm-eval's.

    Raises:
        UserError: lm-eval is not installed, has no such task, or the name stands for several tasks.
    """
    known = lm_eval_names()
    if not known.tasks:
        raise UserError(f"task lm-eval:{name} needs lm-eval; pip install 'lm-eval>=0.4.13'")
    if name in known.tasks:
        return known.tasks[name]
    if name in known.groups:
        members = sorted(one for one in known.tasks if one.startswith(f"{name}_"))[:4]
        such = f" ({', '.join(members)}, ...)" if members else ""
        raise UserError(f"lm-eval:{name} is a group of tasks; give one or more of them{such}")
    match = near(name, (*known.tasks, *known.groups))
    hint = f"did you mean '{match}'?" if match else "`lm_eval ls tasks` lists them"
    raise UserError(f"lm-eval knows no task '{name}'; {hint}")
