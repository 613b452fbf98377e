"""Starting vLLM's processes: their environment, and where their output goes."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import imports
from harness.config import EngineConfig
from harness.environment import SAFE_PATH, environment
from harness.errors import UserError, one_line
from harness.generation.engines.vllm_worker import EXTENSION, STARTED
from harness.logs import output_to

STREAM_INTERVAL = 16  # tokens per message from the engine; only loop and stop-string detection see it
MOST_FOLDER_CHARS = 107 - 37  # of a socket's path on Linux, less what vLLM calls one: a slash and a UUID
CPU_KV_CACHE_BYTES = 1 << 30  # allocated lazily; a real model on a CPU fits 80,000 tokens of a 0.5B Qwen2.5 in it


def new_log() -> Path:
    """A file for what vLLM says, where nobody named one."""
    handle, name = tempfile.mkstemp(prefix="harness-vllm-", suffix=".log")
    os.close(handle)
    return Path(name)


async def quiet_start(
    config: EngineConfig, model: str, max_model_len: int, log_path: Path, folder: Path, arguments: Mapping[str, Any]
) -> Any:
    """An `AsyncLLM` with `model` loaded, whose processes write to `log_path` alone and have their sockets in `folder`.

    Raises:
        UserError: it cannot start; the line names the log.
    """
    with environment(_environment(config, folder)), _main_is_ours(), output_to(log_path):
        from vllm import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM

        _log_to(log_path)
        wanted: dict[str, Any] = {
            "model": model,
            "tokenizer": config.tokenizer,
            "dtype": config.dtype,
            "max_model_len": max_model_len,
            "tensor_parallel_size": config.tensor_parallel_size,
            "max_num_seqs": config.max_num_seqs,
            "gpu_memory_utilization": config.gpu_memory_utilization,
            "enable_prefix_caching": True,
            "num_gpu_blocks_override": config.num_gpu_blocks_override,
            "stream_interval": STREAM_INTERVAL,
            "disable_log_stats": True,
            "enable_log_requests": False,
            "worker_extension_cls": EXTENSION,
            **(_cpu_arguments(max_model_len) if current_platform.is_cpu() else {}),
            **({"distributed_executor_backend": "uni"} if _in_one_process(config) else {}),
            **arguments,
        }
        try:
            engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**wanted))
            await engine.collective_rpc(STARTED)
            return engine
        except Exception as error:  # the engine call: anything can fail in a worker
            reason = one_line(error, last=True)
            raise UserError(f"vLLM could not start with '{model}': {reason} (see {log_path})") from error
        finally:
            _log_to(log_path)  # again: the constructor sets vLLM's own handlers


def _cpu_arguments(max_model_len: int) -> dict[str, Any]:
    return {
        "kv_cache_memory_bytes": CPU_KV_CACHE_BYTES,
        # vLLM's own choice here is 128, and only whole blocks are shared: branches would compute 64 tokens again each.
        "block_size": 32,
        "enforce_eager": True,  # compiling takes longer than a small run
        # A seeded request whose prompt is computed in pieces kills the CPU engine (its generator cannot be rewound).
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(max_model_len, 8192),
    }


def _in_one_process(config: EngineConfig) -> bool:
    """Whether vLLM's core runs the model itself.

    That is its default on one GPU, and asked for here on a CPU, where the worker is a third process that imports torch
    and costs a message per step.
    """
    return config.num_gpus == 0 and config.tensor_parallel_size == 1


ATTENTION = re.compile(r"Using (\w+) (?:attention )?backend")


def attention_backend(log: Path, start: int) -> str | None:
    """The attention that a core chose for its dtype, as its log says behind byte `start`; None where it says nothing.

    FlashAttention takes 16 bits only: float32 gets Triton's, which is slower. A CPU has no choice and says nothing.
    """
    with log.open("rb") as file:
        file.seek(start)
        found = ATTENTION.search(file.read().decode(errors="replace"))
    return found[1] if found else None


def vllm_children(starting: bool = False) -> set[Any]:
    """The processes below this one that call themselves vLLM's; `starting`: also those that have no name yet."""
    import psutil

    marks = ("VLLM", "multiprocessing.spawn") if starting else ("VLLM",)
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(mark in " ".join(process.cmdline()) for mark in marks):
                found.add(process)
    return found


def end_children(children: set[Any]) -> None:
    """Ends what is left of `children`: a core that was killed leaves its workers behind."""
    import psutil

    for process in psutil.wait_procs(list(children), timeout=3)[1]:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _environment(config: EngineConfig, folder: Path) -> dict[str, str]:
    """What vLLM's processes find in their environment; their sockets lie in `folder`."""
    wanted = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        **SAFE_PATH,
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(max(1, config.num_cpus)),
        "TOKENIZERS_PARALLELISM": "false",
    }
    if len(str(folder)) <= MOST_FOLDER_CHARS:
        wanted["VLLM_RPC_BASE_PATH"] = str(folder)
    if config.num_gpus == 0:
        # Models run eagerly here; what else vLLM would compile, of its sampler, takes seconds of the first answer.
        wanted["TORCHDYNAMO_DISABLE"] = "1"
    if config.dtype == "float32":
        # On a GPU attention in float32 is Triton's, which multiplies in tf32 (10 bits) unless it is told not to.
        wanted["TRITON_F32_DEFAULT"] = "ieee"
    if _in_one_process(config):
        # The CPU platform reads it as "no worker process"; the core stays a process of its own. What vLLM
        # fears there is its pinning of threads to cores, which is off ("nobind"): OMP_NUM_THREADS holds for it as well.
        wanted["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    return wanted


@contextlib.contextmanager
def _main_is_ours() -> Iterator[None]:
    """Spawned processes run `harness.imports` meanwhile as their main module, so that their imports take less time.

    They need nothing of the caller's script, and one without `if __name__ == "__main__"` would start engines without
    end.
    """
    main = sys.modules["__main__"]
    spec, main.__spec__ = main.__spec__, find_spec(imports.MAIN)
    try:
        yield
    finally:
        main.__spec__ = spec


def _log_to(path: Path) -> None:
    """In this process, vLLM's logger writes to `path` and nowhere else."""
    ours = logging.getLogger("vllm")
    for handler in list(ours.handlers):
        ours.removeHandler(handler)
        handler.close()
    ours.addHandler(logging.FileHandler(path))
    ours.propagate = False
