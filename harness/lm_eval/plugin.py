r"""The harness inside lm-eval: models `s1-vllm` and `s1-hf`, which take every `--gen_kwargs` of s1's commands.sh.

    lm_eval --model s1-vllm --model_args pretrained=MODEL,dtype=float32 --include_path tasks --tasks aime24_nofigures \
        --apply_chat_template --log_samples --output_path OUT \
        --gen_kwargs max_gen_toks=32768,max_tokens_thinking=auto,thinking_n_ignore=2,thinking_n_ignore_str=Wait

A value with a comma stands in quotes (`thinking_n_ignore_str="Wait, let me check"`); a newline may stand in a value.
lm-eval finds the models by the entry points of this package; releases that do not read entry points yet (0.4.13 and
before) by `harness.lm_eval.startup`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import LM

from harness.config import Chat, Dtype, EngineConfig, EngineName, is_drawn
from harness.errors import UserError, unknown
from harness.generation import open_engine
from harness.generation.engines.base import Engine
from harness.generation.rules import Vocabulary
from harness.generation.sweep import Prompt, generate
from harness.lm_eval.response import Response
from harness.lm_eval.s1_kwargs import parse
from harness.records import Generation
from harness.studies.formats import read_for
from harness.thinking import AUTO, ThinkingFormat, check_name

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

MODEL_ARGS = (
    "pretrained",
    "tokenizer",
    "dtype",
    "tensor_parallel_size",
    "max_model_len",
    "max_num_seqs",
    "gpu_memory_utilization",
    "device",
    "batch_size",
    "max_batch_size",
    "thinking",
    "enable_thinking",
    "chat_template_args",
    "think_end_token",
    "compat",
)


class S1Model(LM):
    """A budget-forced model. `rows` keeps the generations of this process, each with its token ledger."""

    engine_name: EngineName = "vllm"

    def __init__(
        self,
        pretrained: str = "",
        tokenizer: str | None = None,
        dtype: Dtype = "float32",
        tensor_parallel_size: int = 1,
        max_model_len: int = 32768,
        max_num_seqs: int = 256,
        gpu_memory_utilization: float = 0.9,
        device: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        thinking: str = AUTO,
        enable_thinking: bool | None = None,
        chat_template_args: dict[str, Any] | str | None = None,
        think_end_token: str | int | None = None,
        compat: str = "readme",
        **other: Any,
    ) -> None:
        """Take the settings of `--model_args`; the engine starts when it is first needed.

        Args:
            pretrained: the model, a hub name or a folder.
            tokenizer: a hub name or a folder; None: the model's own.
            dtype: what the engine computes in.
            tensor_parallel_size: GPUs per engine.
            max_model_len: context in tokens.
            max_num_seqs: sequences in the engine at a time.
            gpu_memory_utilization: the share of a GPU's memory that the engine takes.
            device: None or "cuda...": the engine's choice.
            batch_size: rows of a static batch of `s1-hf`; vLLM batches by itself.
            max_batch_size: ignored; lm-eval always passes it.
            thinking: the name of a thinking format; "auto": read from the chat template.
            enable_thinking: goes to the chat template.
            chat_template_args: go to the chat template, a mapping or its JSON.
            think_end_token: a string, or a token's id. As in lm-eval's own models, tasks are then given what stands
                behind the last of it, without the thought (and all of a response that holds none); `rows` keep it.
            compat: what counts where s1's fork and README disagree: "readme" or "s1-fork".
            other: refused, naming the near match.

        Raises:
            UserError: a setting is unknown or does not fit.
        """
        super().__init__()
        for name in other:
            raise unknown("model_arg", name, MODEL_ARGS)
        if not pretrained:
            raise UserError("no model given; add --model_args pretrained=NAME_OR_FOLDER")
        rows = int(batch_size or 0) if str(batch_size).isdigit() else EngineConfig.batch_size  # "auto": ours
        self.pretrained, self.compat, self.thinking_name = pretrained, compat, thinking
        check_name(thinking)
        given = _mapping(chat_template_args)
        if enable_thinking is not None:
            given = {**given, "enable_thinking": enable_thinking}
        self.think_end_token = think_end_token
        self.chat = Chat(arguments=tuple(given.items()))
        self.prefixes: dict[str, str] = {}  # rendered prompt -> the beginning of the answer that a task gives
        self.config = EngineConfig(
            name=self.engine_name,
            tokenizer=tokenizer,
            dtype=dtype,
            max_model_len=max_model_len,
            tensor_parallel_size=tensor_parallel_size,
            max_num_seqs=max_num_seqs,
            gpu_memory_utilization=gpu_memory_utilization,
            batch_size=max(1, rows),
            # lm-eval says "cuda" where nobody has said anything
            device=None if device and device.startswith("cuda") else device,
        )
        self.rows: list[Generation] = []
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine, started when it is first asked for."""
        if self._engine is None:
            self._engine = open_engine(self.config, self.pretrained)
        return self._engine

    @cached_property
    def thinking(self) -> ThinkingFormat:
        """The format, read from the model's chat template unless one is named."""
        reading = read_for(self.thinking_name, self.engine.tokenizer, self.chat)
        for note in reading.notes:
            self._say(f"{self.pretrained}: {note}")
        return reading.thinking

    @property
    def tokenizer(self) -> Any:
        """The engine's tokenizer."""
        return self.engine.tokenizer

    @property
    def tokenizer_name(self) -> str:
        """The model's name without slashes, which lm-eval puts into its cache keys."""
        return self.pretrained.replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The template's text, which lm-eval keeps with the results."""
        return str(self.tokenizer.chat_template or "") if chat_template else ""

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The prompt of a conversation.

        The beginning of an answer that a task gives (`gen_prefix`) stands behind the prompt here, and behind the
        thinking start where the model thinks.
        """
        prefix = ""
        if not add_generation_prompt:
            *chat_history, last = chat_history
            prefix = str(last["content"])
        arguments = dict(self.thinking.ask.arguments)
        text = self.tokenizer.apply_chat_template(chat_history, tokenize=False, add_generation_prompt=True, **arguments)
        if prefix:
            self.prefixes[text + prefix] = prefix
        return str(text) + prefix

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """One response a request, thinking included as s1 logs it. Equal requests are samples of one prompt."""
        asked: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, request in enumerate(requests):
            context, kwargs = request.args
            asked[json.dumps(kwargs, sort_keys=True)][context].append(index)
        responses = [""] * len(requests)
        for settings, contexts in asked.items():
            for num_samples in sorted(set(Counter(len(places) for places in contexts.values()))):
                same = {context: places for context, places in contexts.items() if len(places) == num_samples}
                self._generate(json.loads(settings), same, num_samples, responses)
        return self._remember(requests, responses)

    def _generate(
        self, kwargs: dict[str, Any], contexts: dict[str, list[int]], num_samples: int, responses: list[str]
    ) -> None:
        settings = parse(kwargs, self.thinking, num_samples, self.compat)
        if same := not is_drawn(settings.budget, settings.sampling):  # a repeated question has one greedy text
            settings = replace(settings, sampling=replace(settings.sampling, num_samples=1))
        vocabulary = Vocabulary(self.tokenizer)
        texts = list(contexts)
        thinks = settings.budget.method != "no_thinking"
        prompts = []
        for number, text in enumerate(texts):
            shown = self._opened(text, settings.thinking) if thinks else text
            behind = bool(thinks and self.prefixes.get(text))
            prompts.append(Prompt(str(number), shown, vocabulary.encode(shown), behind))

        def keep(row: Generation) -> None:
            self.rows.append(row)
            text = texts[int(row.problem_id)]
            # s1's logs show the delimiter that begins the thought
            start = row.prompt.removeprefix(text.removesuffix(self.prefixes.get(text, "")))
            shown, places = self._shown(start + row.response), contexts[text]
            for place in places if same else [places[row.sample_index]]:
                responses[place] = Response.of(shown, row)

        generate(
            self.engine,
            prompts,
            [settings.budget],
            settings.sampling,
            settings.thinking,
            on_generation=keep,
            stop_strings=settings.stop_strings,
        )
        count = len(prompts) * settings.sampling.num_samples
        if errors := [row.error for row in self.rows[-count:] if row.error]:
            self._say(f"{len(errors)} of {count} generations failed: {errors[0]}")

    def _opened(self, text: str, thinking: ThinkingFormat) -> str:
        """`text`, an answer's beginning moved behind the thinking start."""
        prefix = self.prefixes.get(text, "")
        bare = text.removesuffix(prefix)
        if not prefix or thinking.opened_in(bare):
            return text  # the template has opened the thought: the answer's beginning stands behind it
        return bare + thinking.thinking_start + prefix

    def _shown(self, response: str) -> str:
        """What `think_end_token` leaves of a response for the task to see."""
        end = self.think_end_token
        if end is None or end == "":
            return response
        if str(end).isdigit():
            end = Vocabulary(self.tokenizer).decode([int(end)])
        return response.split(str(end))[-1].lstrip()

    def _remember(self, requests: Sequence[Instance], responses: list[str]) -> list[str]:
        """Puts responses into lm-eval's cache; not those of repeated requests, which it would give out as one."""
        repeats = Counter(json.dumps(request.args, sort_keys=True) for request in requests)
        for request, response in zip(requests, responses, strict=True):
            if repeats[json.dumps(request.args, sort_keys=True)] == 1:
                self.cache_hook.add_partial("generate_until", request.args, str(response))
        return responses

    @staticmethod
    def _say(message: str) -> None:
        import logging

        logging.getLogger("lm_eval").warning(message)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Not supported: budget forcing generates text.

        Raises:
            UserError: always.
        """
        raise UserError("budget forcing generates text and scores none; use lm-eval's own vllm or hf model")

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Not supported: budget forcing generates text.

        Raises:
            UserError: always.
        """
        raise UserError("budget forcing generates text and scores none; use lm-eval's own vllm or hf model")


class S1HFModel(S1Model):
    """The same over transformers."""

    engine_name = "transformers"


def _mapping(given: dict[str, Any] | str | None) -> dict[str, Any]:
    """`chat_template_args`, a mapping or its JSON."""
    found: Any = given or {}
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except json.JSONDecodeError:
            found = None
    if not isinstance(found, dict):
        raise UserError(f'chat_template_args={given!r} is no JSON object; give one like {{"enable_thinking": false}}')
    return found
