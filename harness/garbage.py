"""How often Python looks for circular garbage: seldom while heavy packages are imported.

By default it looks after every 700 new objects, which is a third of the time that `import vllm` takes: what an import
makes is no garbage. Afterwards it is as often as before where tensors live, whose memory a circle would hold.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

SELDOM = (200_000, 10, 10)  # new objects; then rounds between looks at older ones, as by default
USUAL = gc.get_threshold()
MAIN = __name__  # a spawned process that runs this module as its main one looks seldom from its start


def seldom() -> None:
    """From now on in this process."""
    gc.set_threshold(*SELDOM)


def as_usual() -> None:
    """Ends `seldom`, in a spawned process too."""
    gc.set_threshold(*USUAL)


@contextlib.contextmanager
def while_importing() -> Iterator[None]:
    """`seldom` in the block."""
    before = gc.get_threshold()
    seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)


if __name__ == "__mp_main__":  # what multiprocessing calls it
    seldom()
