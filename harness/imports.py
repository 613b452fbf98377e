"""What makes importing heavy packages cheaper, in this process and in those that it spawns.

Python looks for circular garbage after every 700 new objects, which is a third of the time that `import vllm` takes:
what an import makes is no garbage. Afterwards it is as often as before where tensors live, whose memory a circle would
hold. And transformers and vLLM import scikit-learn and SciPy wherever they are installed, for a mode of generation, for
losses of object detection and for sound, none of which is used here.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

SELDOM = (200_000, 10, 10)  # new objects; then rounds between looks at older ones, as by default
USUAL = gc.get_threshold()
UNUSED = ("sklearn", "scipy")  # each a second or two in every process that imports transformers or vLLM
MAIN = __name__  # a spawned process that runs this module as its main one is as in `quick` from its start


def seldom() -> None:
    """Look for garbage seldom from now on in this process."""
    gc.set_threshold(*SELDOM)


def as_usual() -> None:
    """Ends `seldom`, in a spawned process too."""
    gc.set_threshold(*USUAL)


def hide() -> None:
    """Let `UNUSED`, where nothing imported it yet, look as if it were not installed."""
    for name in UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # documented: an import of it fails


def show() -> None:
    """Ends `hide`, in a spawned process too: what a model's own code asks for is there."""
    for name in UNUSED:
        if sys.modules.get(name, ...) is None:
            del sys.modules[name]


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """`seldom` in the block, and `UNUSED` looks as if it were not installed."""
    before = gc.get_threshold()
    seldom()
    hide()
    try:
        yield
    finally:
        show()
        gc.set_threshold(*before)


if __name__ == "__mp_main__":  # what multiprocessing calls it
    seldom()
    hide()
