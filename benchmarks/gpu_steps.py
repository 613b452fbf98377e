"""The steps of benchmarks/gpu.py. Each takes a folder of its own and returns figures as JSON types."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Settings = Mapping[str, str | None]
Found = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """What it shows, its time limit, and how it is run."""

    what: str
    seconds: float
    run: Callable[[Path, Settings], Found]


@functools.cache
def on_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def gpus() -> int:
    return int(on_gpu())


def model_of(settings: Settings) -> str:
    from harness.quickstart import TINY_MODEL

    return settings["model"] or str(TINY_MODEL)


def engine_config(model: str, **changes: Any) -> Any:
    from harness.config import EngineConfig

    context = 320 if "quickstart" in model else 2048
    config = EngineConfig(max_model_len=context, max_num_seqs=64, num_gpus=gpus(), gpu_memory_utilization=0.3)
    return replace(config, **changes)


def opened(config: Any, model: str, log: Path, **arguments: Any) -> Any:
    from harness.generation import open_engine
    from harness.generation.engines.vllm import VllmEngine

    return VllmEngine(config, model, log, **arguments) if config.name == "vllm" else open_engine(config, model, log)


def rows_of(engine: Any, count: int, budgets: Any, max_answer_tokens: int = 32) -> dict[Any, Any]:
    """The ids of every row, by prompt and budget; fails where a row did."""
    from harness.config import Sampling
    from harness.generation.rules import Vocabulary
    from harness.generation.sweep import Prompt, generate
    from harness.generation.templates.reading import resolve

    found = {}
    prompts = []
    for i in range(count):
        question = [{"role": "user", "content": f"What is {37 * i + 11} times {i + 3}, plus {i}?"}]
        text = engine.tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
        prompts.append(Prompt(str(i), text, Vocabulary(engine.tokenizer).encode(text)))

    def keep(row: Any) -> None:
        assert not row.error, row.error
        found[row.problem_id, row.budget] = (row.thinking_ids, row.closing_ids, row.answer_ids)

    thinking = resolve("auto", engine.tokenizer).thinking
    sampling = Sampling(max_answer_tokens=max_answer_tokens)
    generate(engine, prompts, budgets, sampling, thinking, on_generation=keep)
    return found


# -- 1: the same tokens ----------------------------------------------------------------------------------------------


def agree(dtype: str, folder: Path, settings: Settings, **environment: str) -> Found:
    """Greedy ids of sessions, re-submission and transformers; sessions also at a quarter of the cache and with
    asynchronous scheduling asked for (what ran then is said)."""
    from harness.config import Budget

    os.environ.update(environment)
    model, count = model_of(settings), 64 if on_gpu() else 6
    budgets = [Budget(b, n) for b in (8, 32, 128) for n in (0, 2)]
    base = engine_config(model, dtype=dtype)
    quarter = 4 * base.max_model_len // 16 // 4 * 4 if on_gpu() else base.max_model_len // 32 * 2 + 2
    ways: dict[str, tuple[Any, dict[str, Any]]] = {
        "transformers": (replace(base, name="transformers", batch_size=64), {}),
        "sessions": (base, {}),
        "sessions, quarter of the cache": (replace(base, num_gpu_blocks_override=quarter), {}),
        "sessions, asynchronous": (base, {"async_scheduling": True}),
        "resubmission": (replace(base, strategy="resubmit"), {}),
    }
    if not on_gpu():
        del ways["sessions, asynchronous"]  # the CPU backend has no such thing
    texts: dict[str, dict[Any, Any]] = {}
    found: Found = {}
    for name, (config, arguments) in ways.items():
        start = time.perf_counter()
        engine = opened(config, model, folder / f"{len(texts)}.log", **arguments)
        up = time.perf_counter()
        texts[name] = rows_of(engine, count, budgets)
        reference = texts["transformers"]
        found[name] = {
            "different": sum(texts[name][key] != reference[key] for key in reference),
            "rows": len(reference),
            "start_seconds": round(up - start, 1),
            "seconds": round(time.perf_counter() - up, 2),
            "strategy": getattr(engine, "strategy", None),
            "attention": getattr(engine, "attention", None),
        }
        engine.close()
    return found


def audited(folder: Path, settings: Settings) -> Found:
    """The command line's own way: two evaluations, `harness diff` of them, `harness audit` of each."""
    given = ["--max-problems", "20" if on_gpu() else "4", "--budgets", "32,128", "--ignores", "1"]
    common = [
        "--tasks",
        "quick_math",
        *given,
        "--set",
        "engine.max_model_len=320",
        "--set",
        f"engine.num_gpus={gpus()}",
    ]
    common += ["--set", "sampling.max_answer_tokens=24"]
    out = [str(folder / name) for name in ("session", "resubmit")]
    model = model_of({"model": None})
    found: Found = {}
    for to, strategy in zip(out, ("session", "resubmit"), strict=True):
        more = ["--set", f"engine.strategy={strategy}"]
        found[f"evaluate {strategy}"] = harness("evaluate", model, "--out", to, *common, *more)
        found[f"audit {strategy}"] = harness("audit", to, "--sample", "8")
    found["diff"] = harness("diff", *out)
    assert all(step["rc"] == 0 for step in found.values()), found
    return found


def harness(*arguments: str, seconds: float = 1800) -> Found:
    """A command of the harness: its return code and its last lines."""
    call = [sys.executable, "-m", "harness", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(call, capture_output=True, text=True, timeout=seconds, env=environment, cwd=ROOT)
    lines = (done.stdout + done.stderr).strip().splitlines()
    print("\n".join(lines[-30:]), flush=True)
    return {"rc": done.returncode, "end": lines[-6:]}


# -- 2: the price of forcing -----------------------------------------------------------------------------------------


def forcing(folder: Path, settings: Settings) -> Found:
    """benchmarks/budget_forcing.py: lines of ratios for each number of requests."""
    found = {}
    for requests in (64, 256) if on_gpu() else (8,):
        call = [sys.executable, str(ROOT / "benchmarks" / "budget_forcing.py"), "--requests", str(requests)]
        call += ["--repeats", "3" if on_gpu() else "1", "--kv", "full", "--gpus", str(gpus())]
        if settings["model"]:
            call += ["--model", settings["model"], "--dtype", "bfloat16"]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        found[str(requests)] = [line.strip() for line in done.stdout.splitlines()]
    return found


def scheduling(folder: Path, settings: Settings) -> Found:
    """Plain generation with asynchronous scheduling on and off: what sessions give away by going without."""
    from benchmarks.budget_forcing import plain_generation

    model, seconds, length = model_of(settings), dict[str, list[float]](), 256 if on_gpu() else 32
    for name in ("off", "on") if on_gpu() else ("off",):
        config = engine_config(model, strategy="resubmit", dtype="bfloat16" if on_gpu() else "float32")
        engine = opened(config, model, folder / f"{name}.log", async_scheduling=name == "on")
        requests = [(engine.tokenizer(f"What is {i}?")["input_ids"], length) for i in range(64)]
        seconds[name] = []
        for _ in range(4 if on_gpu() else 2):
            start = time.perf_counter()
            plain_generation(engine, requests)
            seconds[name].append(round(time.perf_counter() - start, 3))
        engine.close()
    best = {name: min(each[1:]) for name, each in seconds.items()}
    return {"seconds": seconds, "off_to_on": round(best["off"] / best["on"], 3) if "on" in best else None}


# -- 3 and 4: ids that nobody knows, and weights ---------------------------------------------------------------------


def missing_ids(folder: Path, settings: Settings) -> Found:
    """More than 1,024 rows of the embedding that the tokenizer does not know: none may come out, nothing may die."""
    from harness.config import Budget
    from tests.tiny import make_model

    found = {}
    for padded in (900, 1100):
        model = str(make_model(folder / str(padded), padded=padded))
        engine = opened(engine_config(model, max_model_len=512), model, folder / f"{padded}.log")
        rows = rows_of(engine, 8, [Budget(64, 1)])
        unknown = sum(token >= len(engine.tokenizer) for ids in rows.values() for part in ids for token in part)
        found[str(padded)] = {"rows": len(rows), "unknown_tokens": unknown}
        engine.close()
        assert not unknown
    return found


def served(folder: Path, settings: Settings) -> Found:
    """`vllm serve` and --engine openai, by the test that compares them with the engine."""
    test = ROOT / "tests" / "generation" / "engines" / "test_vllm_server.py"
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "timeout=600", str(test)]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-2000:]
    return {"end": done.stdout.strip().splitlines()[-1]}


def swap(folder: Path, settings: Settings) -> Found:
    """Another checkpoint's weights in place against an engine start, and how far the probe is from the checkpoint's."""
    from harness.generation.engines import loading
    from harness.thinking import S1
    from tests.tiny import checkpoint, make_model, varied

    found = {}
    for tied in (False, True):
        first = make_model(folder / f"first-{tied}", tied=tied)
        others = [varied(first, folder / f"varied-{tied}-{seed}", seed) for seed in (1, 2)]
        trained = [checkpoint(folder / f"trained-{tied}-{number}", other) for number, other in enumerate(others)]
        start = time.perf_counter()
        engine = opened(engine_config(str(first), max_model_len=512), str(first), folder / f"{tied}.log")
        started = time.perf_counter() - start
        times, differences, restarted = [], [], []
        for path in (*trained, trained[0]):
            start = time.perf_counter()
            loaded = loading.load(engine, str(path), S1, {})
            times.append(round(time.perf_counter() - start, 2))
            differences.append(loaded.probe_difference)
            restarted.append(loaded.restarted)
        engine.close()
        found["tied" if tied else "untied"] = {
            "start_seconds": round(started, 2),
            "swap_seconds": times,
            "probe_difference_nats": differences,
            "restarted": restarted,
        }
    return found


# -- 5 to 7: training, and studies -----------------------------------------------------------------------------------


def training(folder: Path, settings: Settings) -> Found:
    """The harness's training against a bare loop over the same tokens in the same order; peak memory."""
    import torch

    from benchmarks.gpu_training import bare_loop, harness_training

    model = model_of(settings)
    found: Found = {}
    for name, run in (("harness", harness_training), ("bare loop", bare_loop)):
        if on_gpu():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        found[name] = run(model, settings["pool"], folder / name.replace(" ", "-"), gpus(), 1000 if on_gpu() else 64)
        found[name]["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 3) if on_gpu() else None
    assert found["harness"]["tokens"] == found["bare loop"]["tokens"]
    first = [run["first_loss"] for run in found.values()]  # before any step: the same rows, masks and weights
    assert abs(first[0] - first[1]) <= (0.01 if on_gpu() else 0.001), first
    found["seconds_to_bare"] = round(found["harness"]["seconds"] / found["bare loop"]["seconds"], 3)
    return found


def ablate(folder: Path, settings: Settings) -> Found:
    """The quickstart, engine and trainings taking turns on the one GPU; the engine's share of generating."""
    out = folder / "out"
    set_gpus = ["--set", f"engine.num_gpus={gpus()}", "--set", f"training.num_gpus={gpus()}"]
    found = harness("ablate", "quickstart", "--out", str(out), *set_gpus, *([] if on_gpu() else ["--smoke"]))
    share = re.search(r"generating (\d+)% of its time", "\n".join(found["end"]))
    assert found["rc"] == 0, found
    board = (out / "LEADERBOARD.md").read_text().splitlines()[:40]
    return {**found, "generating_percent": int(share[1]) if share else None, "board": board}


STUDY = '''"""1,000 real rows a recipe, chosen in five ways, on a real model.

Hypothesis: at this size length and format are what is learnt: longest thinks longest, and no subset beats full.
"""
from harness.config import Budget, EngineConfig, Recipe, Sampling, Study, Training

def study() -> Study:
    sizes = {{"random": 1000, "diverse": 1000, "longest": 1000, "s1k": 1000, "full": None}}
    return Study(
        name="real", hypothesis=__doc__, base_model={model!r}, pool={pool!r}, tasks=("math500",),
        max_problems={problems},
        recipes=tuple(Recipe(name, name, size) for name, size in sizes.items()),
        budgets=tuple(Budget(b) for b in (128, 256, 512, 1024)) + (Budget(1024, 1), Budget(1024, 2)),
        headline=Budget(1024),
        sampling=Sampling(max_answer_tokens=256),
        training=Training(num_epochs=3, block_size=2048, num_gpus=1, per_device_batch_size=8),
        engine=EngineConfig(max_model_len=4096, num_gpus=1, dtype="bfloat16", gpu_memory_utilization=0.5),
    )
'''


def study(folder: Path, settings: Settings) -> Found:
    """A real model, a real pool, real problems: its board. Reduced: the shipped study on the shipped model."""
    out = folder / "out"
    if not (on_gpu() and settings["model"] and settings["pool"] and settings["data_dir"]):
        found = harness("ablate", "quickstart", "--out", str(out), "--smoke")
    else:
        file = folder / "real_study.py"
        file.write_text(STUDY.format(model=settings["model"], pool=settings["pool"], problems=200))
        found = harness("ablate", f"{file}:study", "--out", str(out), "--data-dir", str(settings["data_dir"]))
    assert found["rc"] == 0, found
    return {**found, "board": (out / "LEADERBOARD.md").read_text().splitlines()}


STEPS = {
    "agree_float32": Step("float32: the same ids by every way", 420, functools.partial(agree, "float32")),
    "agree_float32_tf32": Step(
        "float32 as Triton multiplies it by default",
        420,
        functools.partial(agree, "float32", TRITON_F32_DEFAULT="tf32"),
    ),
    "agree_bfloat16": Step("bfloat16: how many ids differ", 420, functools.partial(agree, "bfloat16")),
    "audited": Step("two strategies, harness diff and harness audit", 600, audited),
    "forcing": Step("forcing against plain generation of as many tokens", 900, forcing),
    "scheduling": Step("asynchronous scheduling off against on", 300, scheduling),
    "missing_ids": Step("more than 1,024 ids that the tokenizer does not know", 240, missing_ids),
    "served": Step("the same behind vllm serve", 600, served),
    "swap": Step("weights swapped in place against a start", 420, swap),
    "training": Step("training against a bare loop", 600, training),
    "ablate": Step("engine and trainings in turn", 900, ablate),
    "study": Step("a real study", 3600, study),
}
