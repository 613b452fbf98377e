"""What makes importing heavy packages cheaper, in this process and in those that it spawns.

Python looks for circular garbage after every 700 new objects, which is a third of the time that `import vllm` takes:
what an import makes is no garbage. Afterwards it is as often as before where tensors live, whose memory a circle would
hold. And transformers imports scikit-learn wherever it is installed, for a mode of generation that nothing here uses.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

SELDOM = (200_000, 10, 10)  # new objects; then rounds between looks at older ones, as by default
USUAL = gc.get_threshold()
UNUSED = "sklearn"  # one to two seconds in each process that imports transformers
MAIN = __name__  # a spawned process that runs this module as its main one is as in `quick` from its start


def seldom() -> None:
    """Look for garbage seldom from now on in this process."""
    gc.set_threshold(*SELDOM)


def as_usual() -> None:
    """Ends `seldom`, in a spawned process too."""
    gc.set_threshold(*USUAL)


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """`seldom` in the block, and `UNUSED` looks as if it were not installed."""
    before = gc.get_threshold()
    seldom()
    _hide()
    try:
        yield
    finally:
        if sys.modules.get(UNUSED, ...) is None:
            del sys.modules[UNUSED]
        gc.set_threshold(*before)


def _hide() -> None:
    sys.modules.setdefault(UNUSED, None)  # type: ignore[arg-type]  # documented: an import of it fails


if __name__ == "__mp_main__":  # what multiprocessing calls it
    seldom()
    _hide()
