"""The evaluation tasks: built in, or brought by the user as a file, a hub data set, a description or a function.

    TASKS                  the built-in tasks (`harness.tasks.catalogue`)
    read, load             a task's problems, with or without where they came from
    names                  what a user typed, as checked names of tasks

The lm-eval task files in tasks/ are thin: they name a task here, so that `harness evaluate` and `lm_eval` pose the same
problems and grade them the same way.
"""

from __future__ import annotations

from harness.tasks.catalogue import TASKS, Task, get
from harness.tasks.read import Read, check, load, name_of, names, read, read_all
from harness.tasks.rows import read_local

__all__ = ["TASKS", "Read", "Task", "check", "get", "load", "name_of", "names", "read", "read_all", "read_local"]
