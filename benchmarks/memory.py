"""The memory that `harness.training.memory` predicts for a training on a CPU, beside the real peak, in pairs.

    python benchmarks/memory.py [--sizes small,medium,large] [--phases]

Models of the Qwen2 kind with random weights and the quickstart's tokenizer; every training runs in a process of its own
(four rows that fill the block, one at a time, two steps or one step of two), whose peak resident size less what it had
before the model was loaded is what is compared. --phases prints where the peak came.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.config import Training, to_plain
from harness.quickstart import TINY_MODEL
from harness.training import memory

SIZES = {  # hidden, layers, heads, key and value heads, intermediate, vocabulary, block
    "tiny": (64, 2, 2, 1, 128, 512, 64),
    "small": (256, 8, 8, 4, 1024, 4096, 2048),
    "medium": (512, 12, 8, 2, 2048, 16384, 1024),
    "large": (768, 16, 12, 4, 3072, 49152, 512),
}
PLAIN = Training(
    num_epochs=1, save_steps=0, bf16=False, learning_rate=1e-4, gradient_checkpointing=False, global_batch_size=1
)
SETTINGS = {
    "plain": PLAIN,
    "recomputed": replace(PLAIN, gradient_checkpointing=True),
    "accumulated": replace(PLAIN, global_batch_size=2),
}


def training_of(size: str, setting: str) -> Training:
    return replace(SETTINGS[setting], block_size=SIZES[size][-1])


def make(size: str, folder: Path) -> None:
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    hidden, layers, heads, kv_heads, intermediate, vocabulary, block = SIZES[size]
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=intermediate,
        max_position_embeddings=block,
    )
    Qwen2ForCausalLM(config).to(torch.float32).save_pretrained(folder)
    AutoTokenizer.from_pretrained(TINY_MODEL).save_pretrained(folder)


def resident(line: str) -> int:
    """Bytes of `line` in this process's status: VmRSS now, VmHWM at most (getrusage's is the parent's, too)."""
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) * 1024


def train(size: str, setting: str, folder: Path) -> dict[str, Any]:
    """One training in this process: bytes before the model and at the peak, and the largest of each phase."""
    from harness.training import worker

    training, block = training_of(size, setting), SIZES[size][-1]
    ids = [(7 * n) % 400 for n in range(block)]
    two_steps = range(2 * training.global_batch_size)  # the first makes the optimizer's state
    rows = [{"id": str(n), "input_ids": ids, "labels": ids, "cut": False} for n in two_steps]
    phase, peaks, done, before = "imports", dict[str, int](), False, 0
    tools: Any = worker

    def named(name: str, function: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal phase, before
            phase = name
            before = before or resident("VmRSS")
            result = function(*arguments, **more)
            phase = "train"
            return result

        return call

    def watch() -> None:
        while not done:
            peaks[phase] = max(peaks.get(phase, 0), resident("VmRSS"))
            time.sleep(0.002)

    for name in ("load_model", "probe_of", "save"):
        setattr(tools, name, named(name, getattr(tools, name)))
    # What a worker has imported before it loads a model is no part of the model.
    for module in ("transformers", "trl.trainer.utils", "harness.training.trainer"):
        importlib.import_module(module)
    thread = threading.Thread(target=watch)
    thread.start()
    target = folder / "run"
    target.mkdir()
    worker.run_sft(
        {
            "rows": rows,
            "base_model": str(folder),
            "training": to_plain(training),
            "thinking": "s1",
            "folder": str(target),
            "figures_file": "figures.json",
            "identity": "memory",
        }
    )
    done = True
    thread.join()
    return {
        "before": before,
        "peak": resident("VmHWM"),
        "phases": {name: most - before for name, most in peaks.items()},
    }


def in_a_process(call: str) -> str:
    """What a Python process prints that makes `call` on this module, m."""
    code = f"import json; from pathlib import Path; import benchmarks.memory as m; {call}"
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if found.returncode:
        raise RuntimeError(found.stderr[-2000:])
    return found.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--settings", default=",".join(SETTINGS))
    parser.add_argument("--phases", action="store_true", help="print the largest size of each phase")
    arguments = parser.parse_args()
    print("| model | training | predicted MB | real MB | predicted / real |\n|---|---|---:|---:|---:|")
    for size in arguments.sizes.split(","):
        for setting in arguments.settings.split(","):
            with tempfile.TemporaryDirectory() as made:
                in_a_process(f"m.make({size!r}, Path({made!r}))")
                call = f"print(json.dumps(m.train({size!r}, {setting!r}, Path({made!r}))))"
                seen = json.loads(in_a_process(call).splitlines()[-1])
                shape = memory.shape_of(made)
                assert shape is not None
                wanted = memory.estimate(shape, training_of(size, setting)).total
            real = seen["peak"] - seen["before"]
            print(f"| {size} | {setting} | {wanted / 1e6:,.0f} | {real / 1e6:,.0f} | {wanted / real:.2f} |", flush=True)
            if arguments.phases:
                print("   ", {name: round(value / 1e6) for name, value in seen["phases"].items()}, flush=True)


if __name__ == "__main__":
    main()
