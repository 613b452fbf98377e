"""The environment that child processes are started in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

SAFE_PATH = {"PYTHONSAFEPATH": "1"}  # what lies in the working folder is not code, for no Python that is started


@contextlib.contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Processes started in the block get `wanted`; what the user has set stays, and after it all is as before.

    Args:
        wanted: environment variable -> its value where the user has none.
    """
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: os.environ.get(name, value) for name, value in wanted.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
