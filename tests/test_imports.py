"""How often Python looks for garbage, and what it can import, in this process and in those that it spawns."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

from harness import imports

SCRIPT = """
import gc, importlib.util, multiprocessing
from harness import imports
from harness.generation.engines.vllm_process import _main_is_ours

print("the script")
with _main_is_ours():
    pool = multiprocessing.get_context("spawn").Pool(1)
print(pool.apply(gc.get_threshold), gc.get_threshold())
def missing():
    find = importlib.util.find_spec
    return pool.apply(find, ("scipy",)) is None, find("scipy") is None

print(missing())
pool.apply(imports.show)
with imports.quick():
    print(missing())
print(missing())
pool.terminate()
"""


def run_script(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script, root = folder / "script.py", Path(__file__).parents[1]
    script.write_text(code)
    return subprocess.run(
        [sys.executable, script], cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=120
    )


def test_it_is_as_often_as_before_after_an_import_that_fails() -> None:
    before = gc.get_threshold()
    imports.as_usual()
    try:
        with imports.quick():
            assert gc.get_threshold() == imports.SELDOM
            raise ImportError
    except ImportError:
        assert gc.get_threshold() == imports.USUAL
    finally:
        gc.set_threshold(*before)


def test_an_engines_process_looks_seldom_from_its_start_and_runs_nothing_of_the_callers_script(tmp_path: Path) -> None:
    done = run_script(SCRIPT, tmp_path)  # with nothing that keeps a child from running it again
    printed = done.stdout.splitlines()
    assert printed[:2] == ["the script", f"{imports.SELDOM} {imports.USUAL}"], done.stderr
    assert printed[2:] == ["(True, False)", "(False, True)", "(False, False)"]  # a module that is hidden and comes back


LEAVING = """
import multiprocessing, os, sys

class Leftover:
    def __del__(self, write=os.write):
        write(1, b"taken apart")

def work():
    from harness.generation.engines.vllm_worker import SwapsWhole
    sys.leftover = Leftover()
    SwapsWhole().after_the_start()
    print("worked")

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=work)
    worker.start()
    worker.join()
    print(worker.exitcode)
"""


def test_an_engines_process_says_all_and_leaves_what_it_imported_to_the_system(tmp_path: Path) -> None:
    done = run_script(LEAVING, tmp_path)
    assert done.stdout.split("\n") == ["worked", "0", ""], done.stderr
