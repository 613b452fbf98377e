"""The same machine inside `transformers`: a logits processor that holds one machine a row of a batch.

Slower than vLLM, but it runs wherever torch does, and it is the second opinion that the engines are tested against.
Batches are `generate`'s static ones, left before their slowest row is done (`is_idle`). transformers' own continuous
batching was not taken: without flash attention every token attends, masked, to the keys of the whole batch, and a
processor of one's own enters it by private attributes that change from release to release (seen in 5.19).
"""

from __future__ import annotations

import logging
import random
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config import EngineConfig, Sampling
from harness.errors import UserError, one_line
from harness.generation.budget import Turn
from harness.generation.engines.base import Counters, Request, continuation
from harness.generation.engines.model_info import read_model
from harness.generation.engines.probe import top_logprobs
from harness.generation.rules import Vocabulary

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)
PREFILL_SPEED = 8  # tokens of a context that are computed in the time of one row's step, at the least


class TransformersEngine:
    """`Engine` over `model.generate`, `batch_size` rows at a time."""

    name = "transformers"
    can_restart = True
    served_model: str | None = None

    def __init__(self, config: EngineConfig, model: str) -> None:
        import torch
        import transformers

        self.version = str(transformers.__version__)
        self.config = config
        self.device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise UserError(f"device={self.device}, but torch sees no CUDA device; use device=cpu or leave it out")
        self.counters = Counters()
        self._open(model)

    def _open(self, path: str) -> None:
        import torch
        import transformers
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        info = read_model(path, self.config.max_model_len, self.config.tokenizer)
        self.model, self.tokenizer, self.eos_ids, self.max_model_len = (
            path,
            info.tokenizer,
            info.eos_ids,
            info.max_model_len,
        )
        missing = Vocabulary(info.tokenizer).missing_ids(info.num_embeddings)
        self._masked = torch.tensor(missing, dtype=torch.long).to(self.device)
        self._torch_model: Any = None  # before the next one: two do not fit everywhere
        dtype = "auto" if self.config.dtype == "auto" else getattr(torch, self.config.dtype)
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
        except (OSError, ValueError, SafetensorError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"cannot load the model '{path}': {reason}") from error
        # generate() would fill in what the checkpoint recommends (Qwen2.5: repetition_penalty 1.05): silently.
        model.generation_config = transformers.GenerationConfig()
        self._torch_model = model.to(self.device).eval()
        self.dtype = str(model.dtype).removeprefix("torch.")

    def load_weights(self, path: str | Path, *, in_place: bool = True) -> str | None:
        """See `Engine.load_weights`: the model is always loaded afresh, which costs no more than copying weights."""
        self._open(str(path))
        return None

    def restart(self) -> None:
        """See `Engine.restart`."""
        self._open(self.model)

    def top_logprobs(self, sequences: Sequence[Sequence[int]], num_top: int) -> list[list[dict[int, float]]]:
        """See `Engine.top_logprobs`."""
        return top_logprobs(self._torch_model, sequences, num_top)

    def close(self) -> None:
        """Lets go of the model."""
        self._torch_model = None

    def run(self, requests: Iterable[Request]) -> None:
        """See `Engine.run`. What a batch leaves unfinished goes on in the next one, beside those that wait."""
        fresh, waiting = iter(requests), deque[Request]()
        rows: list[_Row] = []
        limit = self.config.batch_size
        while True:
            while len(rows) < limit:
                request = waiting.popleft() if waiting else next(fresh, None)
                if request is None:
                    break
                if request.machine.turn() is None or request.error:
                    waiting.extendleft(reversed(list(request.on_done(request))))
                else:
                    rows.append(self._submit(request))
            batch, rows = rows[:limit], rows[limit:]
            if not batch:
                return
            try:
                self._generate(batch)
            except RuntimeError as error:  # the engine call: out of memory, a bad shape
                limit = self._shrink(batch, error)
            going_on: list[_Row] = []
            following: list[Request] = []
            for row in batch:
                request = row.request
                if request.machine.done or request.error:
                    self.counters.finished += 1
                    following.extend(request.on_done(request))
                else:
                    going_on.append(self._submit(request) if row.over else row)
            rows = going_on + rows
            waiting.extendleft(reversed(following))

    def _submit(self, request: Request) -> _Row:
        request.submissions += 1
        self.counters.submissions += 1
        return _Row(request)

    def _shrink(self, batch: list[_Row], error: RuntimeError) -> int:
        """How many rows to try next after `error`: a row fails only if it fails alone."""
        import torch

        if len(batch) == 1:
            batch[0].request.error = f"{type(error).__name__}: {error}"
            return self.config.batch_size
        logger.warning("a batch of %d rows failed (%s): trying half as many", len(batch), one_line(error))
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        return len(batch) // 2

    def _generate(self, rows: list[_Row]) -> None:
        """Samples for `rows` until each is over, or too many are."""
        import torch
        import transformers

        longest = max(len(row.emitted) for row in rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, longest - len(row.emitted) :] = torch.tensor(row.emitted)
            mask[i, longest - len(row.emitted) :] = 1
        self.counters.appended_tokens += sum(len(row.emitted) for row in rows)
        engine, idle_steps = self, 0

        class Steer(transformers.LogitsProcessor):
            def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
                return engine._steer(rows, scores)

        class Idle(transformers.StoppingCriteria):
            def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
                nonlocal idle_steps
                idle_steps += sum(row.over for row in rows)
                return torch.full((len(rows),), is_idle(rows, idle_steps), dtype=torch.bool, device=input_ids.device)

        with torch.inference_mode():
            self._torch_model.generate(
                input_ids=ids.to(self.device),
                attention_mask=mask.to(self.device),
                logits_processor=transformers.LogitsProcessorList([Steer()]),
                stopping_criteria=transformers.StoppingCriteriaList([Idle()]),
                generation_config=transformers.GenerationConfig(
                    do_sample=False,
                    max_new_tokens=self.max_model_len,
                    pad_token_id=0,
                    eos_token_id=None,  # the machines know what ends a row
                ),
            )

    def _steer(self, rows: list[_Row], scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows, vocabulary) that leave each row one choice: its forced token, or the one it sampled."""
        import torch

        weights: list[float | None] = [None] * len(
            rows
        )  # log of the raw logits' sum, where log-probabilities are asked
        for i, row in enumerate(rows):
            if row.request.sampling.answer_logprobs and not row.over:
                weights[i] = float(scores[i].float().logsumexp(dim=-1))
        if len(self._masked):
            scores[:, self._masked] = -torch.inf
        best: list[int] = scores.argmax(dim=-1).tolist()
        before = sum(row.request.machine.sampled_tokens for row in rows)
        chosen = [row.advance(scores[i], best[i], weights[i]) for i, row in enumerate(rows)]
        self.counters.sampled_tokens += sum(row.request.machine.sampled_tokens for row in rows) - before
        steered = torch.full_like(scores, -torch.inf)
        steered[torch.arange(len(rows)), torch.tensor(chosen, device=scores.device)] = 0.0
        return steered


def shifts(sampling: Sampling) -> bool:
    """Whether `sampling` moves logits, so that greedy decoding can take another token than the most likely one."""
    penalties = (sampling.presence_penalty, sampling.frequency_penalty, sampling.repetition_penalty - 1)
    return any(penalties) or bool(sampling.logit_bias)


def shift(scores: torch.Tensor, sampling: Sampling, seen: Collection[int], counts: Mapping[int, int]) -> None:
    """Move `scores` (vocabulary,) in place by biases and penalties, in vLLM's order.

    Args:
        scores: logits of the next token.
        sampling: what moves them.
        seen: ids that the model sees: prompt, thought, answer.
        counts: how often each id was sampled in this turn.
    """
    import torch

    for token, bias in sampling.logit_bias:
        scores[int(token)] += bias
    if sampling.repetition_penalty != 1:
        ids = list(seen)
        values = scores[ids]
        scores[ids] = torch.where(
            values > 0, values / sampling.repetition_penalty, values * sampling.repetition_penalty
        )
    if counts and (sampling.frequency_penalty or sampling.presence_penalty):
        ids = list(counts)
        times = torch.tensor([float(counts[i]) for i in ids], device=scores.device)
        scores[ids] -= sampling.frequency_penalty * times + sampling.presence_penalty


def likely(scores: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
    """The probabilities that min_p and top_k leave, the largest first, and the ids that they belong to."""
    import torch

    values, order = torch.softmax(scores, dim=-1).sort(descending=True)
    if sampling.min_p:
        values = values[values >= sampling.min_p * values[0]]
    if sampling.top_k:
        values = values[: sampling.top_k]
    return values / values.sum(), order[: len(values)]


def is_idle(rows: Sequence[_Row], idle_steps: int) -> bool:
    """Whether to leave a batch: its rows that are over have cost as much as the others' contexts cost in a new one.

    `idle_steps`: row steps computed so far for rows that were over.
    """
    return idle_steps * PREFILL_SPEED >= sum(len(row.emitted) for row in rows if not row.over)


class _Row:
    """One row of a batch: its machine, the tokens it has emitted so far (its prompt included), and those to force."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.emitted = [*request.prompt_ids, *request.machine.ids]
        self.forced: deque[int] = deque()
        self.over = False
        self.random = random.Random(request.turn_seed())
        turn = request.machine.turn()
        assert turn is not None
        self._begin(turn)

    def _begin(self, turn: Turn) -> None:
        self.turn, self.num_sampled = turn, 0
        self.counts: Counter[int] = Counter()

    def advance(self, scores: torch.Tensor, best: int, weight: float | None) -> int:
        """The row's next token, given its `scores` (vocabulary,) and their argmax. 0 once the row is over.

        `weight`: the logarithm of the sum of exp(scores), all ids included, where log-probabilities are asked for.
        """
        while not self.over and not self.forced:
            self._sample(scores, best, weight)
        if self.over:
            return 0
        self.emitted.append(self.forced.popleft())
        return self.emitted[-1]

    def _sample(self, scores: torch.Tensor, best: int, weight: float | None) -> None:
        """Samples one token into the machine; what is to be emitted for it goes to `forced`."""
        machine = self.request.machine
        token = self._choose(scores, best)
        self.num_sampled += 1
        self.counts[token] += 1
        known = weight is not None and self.request.wants_logprobs(self.turn)
        going_on = machine.feed([token], [float(scores[token]) - (weight or 0.0)] if known else ())
        if going_on and token not in self.turn.stop_ids and self.num_sampled < self.turn.max_tokens:
            self.forced.append(token)
            return
        turn = machine.turn()
        if turn is None:
            self.over = True
            return
        self._begin(turn)
        wanted = [*self.request.prompt_ids, *machine.ids]
        if wanted != self.emitted:  # equal: an end was suppressed and nothing injected; choose again, it masked
            extension = continuation(self.emitted, wanted)
            if extension is None:
                self.over = True  # tokens have to be taken back: a static batch cannot, a new submission can
            else:
                self.forced.extend(extension)

    def _choose(self, scores: torch.Tensor, best: int) -> int:
        """One token by the turn's rules. The row's own generator: a result does not depend on the batch around it."""
        import torch

        sampling, temperature = self.request.sampling, self.request.temperature(self.turn)
        masked = self.turn.stop_ids if self.num_sampled < self.turn.min_tokens else frozenset()
        if temperature == 0 and best not in masked and not shifts(sampling):
            return best
        scores = scores.float().clone()
        if masked:
            scores[list(masked)] = -torch.inf
        if shifts(sampling):
            shift(scores, sampling, set(self.emitted), self.counts)
        if temperature == 0:
            return int(scores.argmax())
        values, order = likely(scores / temperature, sampling)
        total = values.cumsum(dim=-1)
        # top-p keeps the smallest set that reaches top_p: all tokens before which less than top_p stands
        kept = int((total - values < self.request.top_p(self.turn)).sum())
        position = int((total[:kept] < self.random.random() * float(total[kept - 1])).sum())
        return int(order[min(position, kept - 1)])
