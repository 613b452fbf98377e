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
    before = dict(os.environ)
    os.environ.update({name: os.environ.get(name, value) for name, value in wanted.items()})
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():  # a library's own as well: vLLM sets an allocator in LD_PRELOAD
            del os.environ[name]
        os.environ.update(before)
