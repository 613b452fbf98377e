"""Which strategy each release gets, and that the installed one has every part of vLLM that the engine touches."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

from harness.errors import UserError
from harness.generation.engines import vllm_process
from harness.generation.engines.vllm_releases import Plan, plan


@pytest.mark.parametrize(
    ("version", "asynchronous", "strategy", "passed"),
    [
        ("0.26.0", None, "resubmit", None),
        ("0.31.0", False, "resubmit", False),
        ("0.32.0", None, "session", False),
        ("0.32.1.dev3+gabc.cpu", None, "session", False),
        ("0.32.0", True, "resubmit", True),
        ("0.33.0", None, "session", False),
        ("0.33.0", True, "session", True),
        ("1.0", None, "session", False),
    ],
)
def test_sessions_run_where_they_are_sound(
    version: str, asynchronous: bool | None, strategy: Any, passed: bool | None
) -> None:
    found = plan(version, "session", asynchronous)
    assert (found.strategy, found.async_scheduling) == (strategy, passed)
    assert (found.reason is None) == (strategy == "session")
    assert plan(version, "resubmit", asynchronous) == Plan("resubmit", asynchronous)


def test_a_release_that_nobody_tried_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"vLLM 0\.25\.1 is older than 0\.26.*--engine transformers"):
        plan("0.25.1", "session")


def test_the_installed_vllm_has_all_that_the_engine_touches() -> None:
    """Run in an environment of its own for another release: the same file, and nothing else of ours is needed."""
    pytest.importorskip("vllm")
    from vllm import AsyncEngineArgs, SamplingParams
    from vllm.engine.protocol import StreamingInput
    from vllm.sampling_params import RequestOutputKind
    from vllm.v1.engine.async_llm import AsyncLLM

    from harness.generation.engines import vllm_mask

    asked = {
        "model",
        "tokenizer",
        "dtype",
        "max_model_len",
        "tensor_parallel_size",
        "max_num_seqs",
        "gpu_memory_utilization",
        "enable_prefix_caching",
        "num_gpu_blocks_override",
        "stream_interval",
        "disable_log_stats",
        "enable_log_requests",
        "distributed_executor_backend",
        "async_scheduling",
        "scheduler_cls",
        "worker_extension_cls",
        *vllm_process._cpu_arguments(512),
        *vllm_mask.arguments([1]),
    }
    assert asked <= {field.name for field in fields(AsyncEngineArgs)}
    params = {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "max_tokens",
        "min_tokens",
        "stop_token_ids",
        "ignore_eos",
        "detokenize",
        "output_kind",
        "logit_bias",
        "logprobs",
        "prompt_logprobs",
    }
    assert params <= set(inspect.signature(SamplingParams).parameters)
    assert {"prompt", "sampling_params"} <= set(inspect.signature(StreamingInput).parameters)
    assert RequestOutputKind.DELTA is not None
    assert inspect.isasyncgenfunction(AsyncLLM.generate)
    for method in ("collective_rpc", "reset_prefix_cache"):
        assert inspect.iscoroutinefunction(getattr(AsyncLLM, method))
    assert "timeout" in inspect.signature(AsyncLLM.shutdown).parameters and isinstance(AsyncLLM.errored, property)


@pytest.mark.parametrize("where", ["device", "state"])
def test_the_mask_works_as_either_model_runner_makes_and_calls_it(where: str) -> None:
    pytest.importorskip("vllm")
    from types import SimpleNamespace

    import torch

    from harness.generation.engines import vllm_mask

    config = SimpleNamespace(additional_config={vllm_mask.KEY: [3, 5]})
    cpu = torch.device("cpu")
    made = vllm_mask.MissingIds(config, *((cpu, False) if where == "device" else (SimpleNamespace(device=cpu),)))
    logits = torch.zeros(2, 6)
    found = made.apply(logits, *(() if where == "device" else (object(),)))
    assert found is logits and torch.isinf(found).nonzero().tolist() == [[0, 3], [0, 5], [1, 3], [1, 5]]
    assert not made.is_argmax_invariant() and vllm_mask.arguments(()) == {}
