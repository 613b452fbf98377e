"""Budget forcing against an OpenAI-compatible server (`vllm serve`): the same machine, one completion a turn.

Prompts go out and answers come back as token ids, never as text: text does not survive the way there and back (an id
may decode to nothing, two may merge). That takes vLLM's `return_token_ids`, `stop_token_ids` and `min_tokens`; a server
that returns no ids is refused with one line. Its prefix cache makes the turns cheap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from harness.chat_client import OUT_OF_FORM, CallFailedError
from harness.config import EngineConfig
from harness.errors import UserError
from harness.generation.budget import Turn
from harness.generation.engines.base import Counters, Request
from harness.generation.engines.connection import connect, version_of
from harness.generation.engines.model_info import read_model
from harness.generation.engines.parameters import biases, decoding
from harness.generation.engines.probe import FILE
from harness.generation.rules import Vocabulary

MOST_BIASES = 300  # of one call: what OpenAI's API allows, and servers after it
TIMEOUT_SECONDS = 3600.0
CHUNK = 256  # tokens of one completion where a thought can end in its text
MOST_TOKENS = 4096  # of one completion: a long thought comes in pieces, or the watch on tokens would take it for a hang


def sampled(answer: dict[str, Any]) -> tuple[list[int] | None, list[float], str]:
    """What a completion brought: token ids (None: the server gives none), their log-probabilities, and why it ended.

    Raises:
        ValueError: the answer is out of form.
    """
    try:
        choice = dict(answer["choices"][0])
        ids, logprobs = choice.get("token_ids"), dict(choice.get("logprobs") or {}).get("token_logprobs") or ()
        if any(type(token) is not int or token < 0 for token in ids or ()):
            raise TypeError("token_ids holds what is none")
        return None if ids is None else list(ids), [float(one) for one in logprobs], str(choice.get("finish_reason"))
    except OUT_OF_FORM as error:
        raise ValueError(f"the server's answer is out of form ({error})") from error


class ServerEngine:
    """`Engine` over HTTP. `model` (hub name or folder) is what the rows are filed under, and gives the tokenizer.

    The server must list it, by that name or by `config.served_name`: rows of another model are never filed under it.
    """

    name = "openai"
    can_restart = False
    dtype = "unknown"

    def __init__(self, config: EngineConfig, model: str) -> None:
        self.config, self.model, self.counters = config, model, Counters()
        served = connect(config, model, self.counters.notes.append, timeout_seconds=TIMEOUT_SECONDS)
        self._client, self.shown_url = served.client, served.client.shown_url
        self.served_model: str | None = served.served_model
        longest = min(config.max_model_len, served.max_model_len or config.max_model_len)
        info = read_model(model, longest)
        self.tokenizer, self.eos_ids, self.max_model_len = info.tokenizer, info.eos_ids, info.max_model_len
        self.version = version_of(served)
        self._unknown = Vocabulary(info.tokenizer).missing_ids(info.num_embeddings)
        self._outside = frozenset(self._unknown)

    def run(self, requests: Iterable[Request]) -> None:
        """See `Engine.run`; `max_num_seqs` requests are on their way at a time."""
        waiting, flying = deque[Request](), dict[Future[None], Request]()
        fresh = iter(requests)
        with ThreadPoolExecutor(self.config.max_num_seqs, thread_name_prefix="server") as pool:
            try:
                while True:
                    while len(flying) < self.config.max_num_seqs:
                        request = waiting.popleft() if waiting else next(fresh, None)
                        if request is None:
                            break
                        flying[pool.submit(self._serve, request)] = request
                    if not flying:
                        return
                    for future in wait(flying, return_when=FIRST_COMPLETED).done:
                        request = flying.pop(future)
                        future.result()
                        self.counters.finished += 1
                        waiting.extend(request.on_done(request))
            except (KeyboardInterrupt, SystemExit):
                self._client.cancel()  # else the pool would wait for every call on its way
                raise

    def _serve(self, request: Request) -> None:
        barred = list[int]()  # ids outside the vocabulary that the server has sampled here
        try:
            while not request.error and (turn := request.machine.turn()) is not None:
                request.submissions += 1
                self._complete(request, turn, barred)
        except (CallFailedError, ValueError, LookupError) as error:  # the engine call, or an answer out of form
            request.error = f"{type(error).__name__}: {error}"

    def _complete(self, request: Request, turn: Turn, barred: list[int]) -> None:
        # The server cannot see what only the text shows: it is asked for a little at a time then, not for the budget.
        most = min(turn.max_tokens, CHUNK if request.machine.rules.reads_text else MOST_TOKENS)
        if request.sampling.presence_penalty or request.sampling.frequency_penalty:
            most = turn.max_tokens  # the server counts what it has sampled in one completion
        context = [*request.prompt_ids, *request.machine.ids]
        body = {
            "model": self.served_model,
            "prompt": context,
            "max_tokens": most,
            "min_tokens": min(turn.min_tokens, most),
            "stop_token_ids": sorted(turn.stop_ids),
            "ignore_eos": True,
            **decoding(request, turn),
            "logit_bias": self._biases(request, barred) or None,
            "return_token_ids": True,
            "skip_special_tokens": False,
        }
        ids, logprobs, reason = sampled(self._call("/completions", body))
        if ids is None:
            request.error = f"the server at {self.shown_url} returns no token ids; use a vLLM server (return_token_ids)"
            return
        self.counters.submissions += 1
        self.counters.appended_tokens += len(context)
        self.counters.sampled_tokens += len(ids)
        before = request.machine.sampled_tokens
        known = next((at for at, token in enumerate(ids) if token in self._outside), len(ids))
        request.machine.feed(ids[:known], logprobs)
        if known < len(ids) and ids[known] not in barred:
            barred.append(ids[known])  # and go on from there without it: the others' odds are what they were
        elif request.machine.sampled_tokens == before:
            request.error = f"the server sampled nothing (finish_reason {reason})"

    def _biases(self, request: Request, barred: Sequence[int]) -> dict[str, float]:
        """The user's, and -100 for ids that the tokenizer does not know, as many as a call may have.

        Those that the server has sampled for this request come first.
        """
        given = biases(request, ())
        room = MOST_BIASES - len(given)
        masked = dict.fromkeys((*reversed(barred), *self._unknown))
        return {str(token): bias for token, bias in (given | dict.fromkeys([*masked][:room], -100.0)).items()}

    def _call(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        return self._client.call(path, body, dict).value

    def top_logprobs(self, sequences: Sequence[Sequence[int]], num_top: int) -> list[list[dict[int, float]]]:
        """See `Engine.top_logprobs`, by vLLM's `prompt_logprobs`. Raises `UserError` when the server gives none."""
        answers = []
        for ids in sequences:
            body = {
                "model": self.served_model,
                "prompt": list(ids),
                "max_tokens": 1,
                "temperature": 0.0,
                "prompt_logprobs": num_top,
            }
            try:
                positions = self._call("/completions", body)["choices"][0]["prompt_logprobs"][1:]
                answers.append([{int(i): float(entry["logprob"]) for i, entry in top.items()} for top in positions])
            except (CallFailedError, *OUT_OF_FORM) as error:
                raise UserError(
                    f"the server at {self.shown_url} gives no prompt_logprobs ({error}), so that nothing shows which "
                    f"weights it has; use a vLLM server, or move {FILE} away from the checkpoint to take its word"
                ) from error
        return answers

    def load_weights(self, path: str | Path, *, in_place: bool = True) -> str | None:
        """Not to be had."""
        raise UserError("the weights of a server cannot be replaced from here; start it with the other checkpoint")

    def restart(self) -> None:
        """Not to be had."""
        raise UserError("a server cannot be started again from here")

    def close(self) -> None:
        """Give back the connections; the server goes on."""
        self._client.close()
