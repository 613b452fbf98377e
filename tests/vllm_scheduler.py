"""vLLM's own scheduler without a model: two sessions, one KV cache, and tokens that the test makes up.

Runs with every release from 0.26 on, without a GPU and without vLLM's compiled parts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

STOP, FILLER = 250, 7
BLOCK = 16


class Sessions:
    """The scheduler with `num_blocks` KV blocks of 16 tokens; `in_flight` steps are on their way at a time."""

    def __init__(self, model: Path, num_blocks: int, *, asynchronous: bool) -> None:
        import torch
        from vllm.engine.arg_utils import EngineArgs
        from vllm.utils.hashing import sha256
        from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
        from vllm.v1.core.sched.async_scheduler import AsyncScheduler
        from vllm.v1.core.sched.scheduler import Scheduler
        from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
        from vllm.v1.structured_output import StructuredOutputManager

        init_none_hash(sha256)
        self._hasher = get_request_block_hasher(BLOCK, sha256)
        config = EngineArgs(
            model=str(model), max_model_len=512, max_num_seqs=8, block_size=32, max_num_batched_tokens=1024
        ).create_engine_config()
        config.scheduler_config.async_scheduling = asynchronous
        config.cache_config.block_size, config.cache_config.num_gpu_blocks = BLOCK, num_blocks
        spec = FullAttentionSpec(block_size=BLOCK, num_kv_heads=1, head_size=1, dtype=torch.float32)
        cache = KVCacheConfig(
            num_blocks=num_blocks, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)]
        )
        self.scheduler: Any = (AsyncScheduler if asynchronous else Scheduler)(
            vllm_config=config,
            kv_cache_config=cache,
            structured_output_manager=StructuredOutputManager(config),
            block_size=BLOCK,
            log_stats=False,
        )
        self.most_in_flight = 2 if asynchronous else 1
        self._flying: list[Any] = []

    def send(self, name: str, ids: list[int], max_tokens: int = 200) -> None:
        """A session's first turn, or its next."""
        from vllm import SamplingParams
        from vllm.v1.request import Request

        params = SamplingParams(max_tokens=max_tokens, stop_token_ids=[STOP], ignore_eos=True)
        params.update_from_generation_config({}, None)
        self.scheduler.add_request(
            Request(
                request_id=name,
                prompt_token_ids=list(ids),
                sampling_params=params,
                pooling_params=None,
                arrival_time=0.0,
                block_hasher=self._hasher,
                resumable=True,
            )
        )

    def end(self, name: str) -> None:
        """Ends a session that is not over: its blocks are free again."""
        from vllm.v1.request import RequestStatus

        if name in self.scheduler.requests:
            self.scheduler.finish_requests(name, RequestStatus.FINISHED_ABORTED)

    def step(self, sampled: Callable[[str], int]) -> bool:
        """Schedules a step and, where as many as may be are on their way, takes in the oldest one's tokens.

        False: there was nothing to do.
        """
        from vllm.v1.outputs import ModelRunnerOutput

        planned = self.scheduler.schedule()
        if planned.total_num_scheduled_tokens:
            # A prompt of which only a part fits into the step gives no token.
            whole = {n for n in planned.num_scheduled_tokens if not self.scheduler.requests[n].is_prefill_chunk}
            self._flying.append((planned, whole))
        if not self._flying:
            return False  # whether or not somebody waits
        if len(self._flying) < self.most_in_flight and planned.total_num_scheduled_tokens:
            return True
        done, whole = self._flying.pop(0)
        names = list(done.num_scheduled_tokens)
        wanted: dict[str, Any] = {
            "req_ids": names,
            "req_id_to_index": {name: index for index, name in enumerate(names)},
            "sampled_token_ids": [[sampled(name)] if name in whole else [] for name in names],
            "logprobs": None,
            "prompt_logprobs_dict": {},
            "pooler_output": [None] * len(names),
        }
        known = inspect.signature(ModelRunnerOutput).parameters
        self.scheduler.update_from_output(
            done, ModelRunnerOutput(**{key: value for key, value in wanted.items() if key in known})
        )
        return True

    def status(self, name: str) -> str:
        return str(self.scheduler.requests[name].status.name)

    def context(self, name: str) -> list[int]:
        """The tokens that the session has, sampled ones included."""
        return list(self.scheduler.requests[name]._all_token_ids)
