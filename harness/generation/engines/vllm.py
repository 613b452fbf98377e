"""vLLM in one pass: each request is one streaming-input session, a public API (`vllm_releases` says since when).

The engine drops the stop token, keeps the session's keys and values and computes only the appended tokens: a forced
generation costs what an unforced one of the same length costs. Where a session cannot go on (its context must be cut
back) or `strategy="resubmit"` asks for it, the request is submitted anew with its ids and the prefix cache helps.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import itertools
import logging
import queue
import threading
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from harness.config import EngineConfig
from harness.errors import UserError
from harness.generation.budget import Turn
from harness.generation.engines import vllm_deaths, vllm_releases
from harness.generation.engines.base import Counters, Request, continuation
from harness.generation.engines.guard import Guard
from harness.generation.engines.model_info import read_model, swap_refusal
from harness.generation.engines.parameters import biases, decoding
from harness.generation.engines.vllm_process import attention_backend, end_children, new_log, quiet_start, vllm_children
from harness.generation.engines.vllm_worker import RELOAD
from harness.generation.rules import Vocabulary

logger = logging.getLogger(__name__)
T = TypeVar("T")
SLACK = 8  # requests submitted beyond max_num_seqs, so that a freed slot is filled in the same step
SHUTDOWN_SECONDS = 30.0  # vLLM's own 5 are too few on a busy machine: it then kills the core and orphans the workers
STUCK_SECONDS = 30.0  # without a token from any request, after which a waiting session gives up its keys and values
CACHE_TRIES = 50  # at emptying the prefix cache, which vLLM refuses while a session is not yet freed
CACHE_WAIT_SECONDS = 0.1


class VllmEngine:
    """`Engine` over vLLM's AsyncLLM, which lives on an event loop in a thread of its own."""

    name = "vllm"
    can_restart = True
    served_model: str | None = None

    def __init__(self, config: EngineConfig, model: str, log_path: Path | None = None, **arguments: Any) -> None:
        """`arguments` go to vLLM's AsyncEngineArgs as they are, over those that `config` makes."""
        import vllm

        self.version = str(vllm.__version__)
        self.config, self.log_path = config, log_path or new_log()
        plan = vllm_releases.plan(self.version, config.strategy, arguments.get("async_scheduling"))
        if plan.reason:
            logger.warning(
                "%s: thoughts are submitted anew after an ignored end (slower, the same tokens)", plan.reason
            )
        self.strategy = self._planned = plan.strategy
        self.arguments = {**arguments, "async_scheduling": plan.async_scheduling}
        self._read(model)
        self.counters = Counters()
        self._names = itertools.count()
        self._submitted: dict[int, asyncio.Task[None]] = {}  # by the request's id()
        self._resumed: dict[int, Request] = {}  # sessions that wait for the first token of their next turn, in order
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vllm-engine", daemon=True)
        self._thread.start()
        self._llm: Any = None
        self._guard = Guard()
        try:
            self._start()
        except UserError:
            self._guard.close()
            raise
        atexit.register(self.close)

    def _read(self, model: str) -> None:
        """All that is not weights, from `model`'s files."""
        info = read_model(model, self.config.max_model_len, self.config.tokenizer)
        self.model, self._model_config = model, info.config
        self.tokenizer, self.eos_ids, self.max_model_len = info.tokenizer, info.eos_ids, info.max_model_len
        self._missing = Vocabulary(info.tokenizer).missing_ids(info.num_embeddings)

    # -- life --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        from harness.generation.engines import vllm_mask  # which imports vLLM

        before = vllm_children(starting=True)
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        arguments = {**vllm_mask.arguments(self._missing), **self.arguments}
        start = quiet_start(self.config, self.model, self.max_model_len, self.log_path, self._guard.folder, arguments)
        with self._guard.watching(lambda: vllm_children(starting=True) - before):
            self._llm = self._wait(start)
        self._children = vllm_children() - before
        self.attention = attention_backend(self.log_path, self._log_start)
        self.dtype = str(self._llm.model_config.dtype).removeprefix("torch.")

    def _stop(self) -> None:
        llm, self._llm = self._llm, None
        if llm is not None:
            self._wait(_shutdown(llm))
            end_children(self._children)

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def load_weights(self, path: str | Path, *, in_place: bool = True) -> str | None:
        """See `Engine.load_weights`: `reload_weights` where `swap_refusal` has nothing against it.

        The prefix cache is empty after it.
        """
        before, missing = self._model_config, self._missing
        self._read(str(path))
        refusal: str | None = "no swap was asked for"
        if in_place:
            refusal = swap_refusal(before, self._model_config, dtype=self.config.dtype)
            if refusal is None and self._missing != missing:
                refusal = "its tokenizer knows other ids"  # the mask of the others was set at the start
            if refusal is None:
                try:
                    refusal = self._wait(self._reload(str(path)))
                except Exception as error:  # noqa: BLE001  the engine call: any failure in a worker arrives here
                    refusal = f"vLLM could not swap them ({error})"
        if refusal is not None:
            self.restart()
        return refusal

    async def _reload(self, path: str) -> str | None:
        """Swaps the weights. Returns what is wrong after it: tokens cached under the old ones."""
        await self._llm.collective_rpc(RELOAD, kwargs={"weights_path": path})
        for _ in range(CACHE_TRIES):
            if await self._llm.reset_prefix_cache():
                return None
            await asyncio.sleep(CACHE_WAIT_SECONDS)
        return "the prefix cache could not be emptied"

    def restart(self) -> None:
        """See `Engine.restart`."""
        self._stop()
        self._start()

    def close(self) -> None:
        """See `Engine.close`."""
        atexit.unregister(self.close)
        if self._loop.is_closed():
            return
        self._stop()
        self._guard.close()
        gc.collect()  # AsyncLLM is part of cycles, and its __del__ must not wait for the interpreter's end
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self, requests: Iterable[Request]) -> None:
        """See `Engine.run`; at most `max_num_seqs` (and a few) requests are in the engine.

        What `on_done` returns goes first, so that a branch finds its trunk in the prefix cache.
        """
        waiting, finished = iter(requests), queue.SimpleQueue[Request]()
        first: deque[Request] = deque()
        flying: dict[int, tuple[Request, Any]] = {}
        deaths = vllm_deaths.Deaths(self.config.max_num_seqs + SLACK)
        self.strategy, exhausted, hopeless = self._planned, False, ""
        try:
            while True:
                while len(flying) < deaths.limit and not (exhausted and not first):
                    request = first.popleft() if first else next(waiting, None)
                    if request is None:
                        exhausted = True
                        continue
                    if hopeless and not request.machine.done:
                        request.error = request.error or hopeless
                    if request.machine.done or request.error:
                        first.extendleft(reversed(list(request.on_done(request))))
                        continue
                    task = asyncio.run_coroutine_threadsafe(self._serve(request, finished), self._loop)
                    flying[id(request)] = (request, task)
                if not flying:
                    return
                request = self._next(finished)
                if self._died(request):
                    lost = [other for other, _ in flying.values()]
                    for _, task in flying.values():
                        task.cancel()
                    flying.clear()
                    finished = queue.SimpleQueue()
                    hopeless = self._revive(lost, deaths)
                    first.extendleft(reversed(lost))
                    continue
                del flying[id(request)]
                deaths.finished()
                self.counters.finished += 1
                first.extendleft(reversed(list(request.on_done(request))))
        finally:
            for _, task in flying.values():
                task.cancel()

    def _next(self, finished: queue.SimpleQueue[Request]) -> Request:
        """The next request that is over. Meanwhile, sessions that block each other are parted.

        A session between two turns keeps its blocks of the KV cache. Where several fill it, each may wait for one block
        more that none gives up, and nothing runs that vLLM could preempt.
        """
        while True:
            before = self.counters.sampled_tokens
            try:
                return finished.get(timeout=STUCK_SECONDS)
            except queue.Empty:
                if self.counters.sampled_tokens == before and len(self._resumed) > 1:
                    self._loop.call_soon_threadsafe(self._part)

    def _part(self) -> None:
        """Ends the session that came last; its request is submitted anew. In the engine's thread."""
        if self._resumed:
            key, _ = self._resumed.popitem()
            logger.warning("sessions wait for each other's part of the KV cache: one of them is submitted anew")
            self._submitted[key].cancel()

    def _died(self, request: Request) -> bool:
        return request.error is not None and (self._llm is None or bool(self._llm.errored))

    def _revive(self, lost: list[Request], deaths: vllm_deaths.Deaths) -> str:
        """Starts a dead engine again; `lost` go on as `Request.resume` says.

        Returns why not, where it is beyond help.
        """
        cause = vllm_deaths.cause(self.log_path, self._log_start)
        logger.warning("the vLLM engine died (%s); see %s", cause, self.log_path)
        self._resumed.clear()
        if not deaths.died(cause, lost):
            return (
                f"the engine died {deaths.in_a_row} times without finishing a request, the last time of this: {cause}"
            )
        if cause != vllm_deaths.OUTSIDE and self.strategy == "session":
            logger.warning("from here on greedy thoughts are submitted anew after an ignored end, without sessions")
            self.strategy = "resubmit"
        for request in lost:
            request.resume()
        self.restart()
        return ""

    async def _serve(self, request: Request, finished: queue.SimpleQueue[Request]) -> None:
        """Runs `request` to its end; whatever happens is recorded on it, and it is put into `finished`."""
        key = id(request)
        try:
            while request.machine.turn() is not None:
                request.submissions += 1
                self.counters.submissions += 1
                self._submitted[key] = task = asyncio.ensure_future(self._submission(request))
                try:
                    await task
                except asyncio.CancelledError:
                    current = asyncio.current_task()
                    if current is None or current.cancelling():
                        raise  # not parted: the run is over
                    request.resume()
        except Exception as error:  # noqa: BLE001  the engine call: an error belongs to this row alone
            request.error = f"{type(error).__name__}: {error}"
        finally:
            self._submitted.pop(key, None)
            self._resumed.pop(key, None)
            finished.put(request)

    async def _submission(self, request: Request) -> None:
        """Submits `request` with all its ids and samples until it is done or has to be submitted anew."""
        machine = request.machine
        turn = machine.turn()
        assert turn is not None
        append: list[int] = [*request.prompt_ids, *machine.ids]
        held: list[int] = []
        sampled: list[int] = []
        turns: asyncio.Queue[tuple[list[int], Any]] = asyncio.Queue()
        params = self._params(request, turn, len(append))
        prompt: Any = _tokens(append)
        # A sampled row in a session has other random numbers than one that is submitted anew: it stays in one.
        session = self.strategy == "session" or (request.sampled and self._planned == "session")
        if session:
            turns.put_nowait((append, params))
            prompt = _inputs(turns)
        self.counters.appended_tokens += len(append)
        outputs = self._llm.generate(prompt, params, f"{next(self._names)}")
        try:
            async for output in outputs:
                completion = output.outputs[0]
                self._resumed.pop(id(request), None)
                self.counters.sampled_tokens += len(completion.token_ids)
                sampled.extend(completion.token_ids)
                going_on = machine.feed(completion.token_ids, _sampled_logprobs(completion))
                if completion.finish_reason is None:
                    if not going_on:
                        return  # a loop or a stop string: leave this turn, go on in a new submission
                    continue
                if completion.finish_reason not in ("stop", "length"):
                    raise RuntimeError(f"vLLM ended the request with '{completion.finish_reason}'")
                held += [*append, *sampled[:-1]]
                turn = machine.turn()
                # vLLM gives log-probabilities in a session that has asked for them from its beginning.
                goes_on = turn is not None and session and not request.wants_logprobs(turn)
                extension = continuation(held, [*request.prompt_ids, *machine.ids]) if goes_on else None
                if turn is None or extension is None:
                    return
                append, sampled = extension, []
                self.counters.appended_tokens += len(append)
                self._resumed[id(request)] = request
                turns.put_nowait((append, self._params(request, turn, len(held) + len(append))))
        finally:
            await outputs.aclose()  # frees the session's blocks, which stay in the prefix cache

    def top_logprobs(self, sequences: Sequence[Sequence[int]], num_top: int) -> list[list[dict[int, float]]]:
        """See `Engine.top_logprobs`. vLLM computes prompts whose log-probabilities are asked for without its cache."""
        return [self._wait(self._top_logprobs(list(ids), num_top)) for ids in sequences]

    async def _top_logprobs(self, ids: list[int], num_top: int) -> list[dict[int, float]]:
        from vllm import SamplingParams

        params = SamplingParams(
            temperature=0.0, max_tokens=1, ignore_eos=True, detokenize=False, logprobs=num_top, prompt_logprobs=num_top
        )
        last: Any = None
        async for output in self._llm.generate(_tokens(ids), params, f"{next(self._names)}"):
            last = output
        positions = [*last.prompt_logprobs[1:], last.outputs[0].logprobs[0]]
        return [{int(token): value.logprob for token, value in position.items()} for position in positions]

    def _params(self, request: Request, turn: Turn, context: int) -> Any:
        """The parameters of one turn, as vLLM takes them.

        Raises:
            ValueError: the turn could outgrow the context. vLLM does not check the length of a session, and the whole
                engine would die of it (https://github.com/vllm-project/vllm/issues/42489).
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        if context + turn.max_tokens > self.max_model_len:
            raise ValueError(f"{context} + {turn.max_tokens} tokens exceed the context of {self.max_model_len}")
        return SamplingParams(
            **decoding(request, turn),
            max_tokens=turn.max_tokens,
            min_tokens=turn.min_tokens,
            stop_token_ids=sorted(turn.stop_ids),
            ignore_eos=True,  # the ends of text are among stop_ids
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
            logit_bias=biases(request, ()) or None,
        )


def _sampled_logprobs(completion: Any) -> list[float]:
    """The log-probabilities of its tokens, from the raw logits; empty where they were not asked for."""
    return [at[i].logprob for i, at in zip(completion.token_ids, completion.logprobs or (), strict=False)]


async def _inputs(turns: asyncio.Queue[tuple[list[int], Any]]) -> AsyncGenerator[Any, None]:
    """A session's input stream: one chunk a turn, only ever sent after the previous turn's end was seen."""
    from vllm.engine.protocol import StreamingInput

    while True:
        ids, params = await turns.get()
        yield StreamingInput(prompt=_tokens(ids), sampling_params=params)


def _tokens(ids: list[int]) -> Any:
    return {"type": "token", "prompt_token_ids": ids}


async def _shutdown(llm: Any) -> None:
    llm.shutdown(timeout=SHUTDOWN_SECONDS)
