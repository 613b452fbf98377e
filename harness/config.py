"""Frozen, inert configuration. A study is a value; the identities of its runs are derived from it, nobody types them.

Each field says where it is declared what it means for a run's identity (`harness.checked.Part`): `Text` and `Seed` are
hashed, `Source` is hashed by the content that it names, `Placement` and `Label` are not hashed. Values are checked when
a setting is made: types, ranges, choices, and what has to agree.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from harness.chat_client import masked_url
from harness.checked import (
    AboveZero,
    Flag,
    Fraction,
    Label,
    Name,
    Natural,
    NonNegative,
    Part,
    Placement,
    Positive,
    Seed,
    SeedNumber,
    Share,
    ShortSeed,
    Source,
    Text,
    checked,
    from_plain,
    is_checked,
    parts,
)
from harness.errors import UserError, unknown
from harness.files import json_row
from harness.questions import Kind
from harness.thinking import check_name

Auto = Literal["auto"]
Method = Literal[
    "no_thinking",  # the chat prompt alone: what an instruction model answers without a thinking prefix
    "budget_forcing",  # cap at max_thinking_tokens, and/or ignore the end of thinking num_ignores times
    "rejection_sampling",  # sample until the thought fits max_thinking_tokens
    "token_conditional",  # tell the budget in the prompt, in tokens
    "step_conditional",  # tell the budget in the prompt, in steps
    "class_conditional",  # tell "short" or "long" in the prompt
    "completion_cap",  # one chat call, its whole reply (thought and answer) capped at max_thinking_tokens by the server
    "rebase",  # tree search over the steps of a thought, led by a reward; num_samples is its width
]
EngineName = Literal["vllm", "transformers", "openai"]
Scheduler = Literal[
    "linear",
    "cosine",
    "cosine_with_restarts",
    "cosine_with_min_lr",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
    "warmup_stable_decay",
]
Dtype = Literal["float32", "bfloat16", "float16", "auto"]
Penalty = Annotated[float, Field(strict=True, ge=-2, le=2)]
CAPPED: tuple[Method, ...] = ("budget_forcing", "token_conditional", "step_conditional", "class_conditional")
VARIANTS = ("plain", "s1", "tokens", "steps", "class")  # of the training text: harness.training.variants
SELECTIONS = ("random", "diverse", "longest", "s1k", "full", "quality", "reward", "limo", "kcenter")
HIGHEST_TEMPERATURE = 10.0  # logits differ by tens of nats: divided by more, the vocabulary outweighs them
TRACES = ("each", "one", "best", "all")  # of a question with several: harness.data.selection


def _check_temperature(name: str, value: float | None) -> None:
    """Raise `UserError` for a temperature that is none."""
    if value is not None and value > HIGHEST_TEMPERATURE:
        raise UserError(
            f"{name}={value:g}: above {HIGHEST_TEMPERATURE:g} every token of the vocabulary is about as likely as the "
            f"best, and a text is noise; give {HIGHEST_TEMPERATURE:g} or less"
        )


def _positive(text: str | None) -> bool:
    """Whether `text` is a whole number above 0, in plain digits."""
    return text is not None and text.isascii() and text.isdigit() and int(text) > 0


@checked
class Budget:
    """How one run controls thinking. Lengths are in tokens of the model's own tokenizer.

    `max_thinking_tokens` counts all rounds together, sampled and injected tokens; "auto" is what the model's context
    leaves after *this* prompt, the delimiters and the answer's room.
    """

    max_thinking_tokens: Text[Natural | Auto] = "auto"
    num_ignores: Text[Natural] = 0
    ignore_str: Text[str | tuple[str, ...] | None] = "Wait"  # a tuple: one per round, in rotation; None: only suppress
    min_thinking_tokens: Text[Natural] = 0
    method: Text[Method] = "budget_forcing"
    instructed: Text[str | None] = None  # token/step: the number told; class: "short" or "long"
    force: Text[Flag] = True  # False: the conditional methods without budget forcing
    round_temperatures: Text[tuple[NonNegative, ...]] = ()  # after the n-th ignore; empty: the run's own
    max_attempts: Text[Positive] = 64  # rejection sampling only
    stop_on_loop: Text[Flag] = False
    # Soft ends, of a thought that the budget cuts
    grace_tokens: Text[Natural] = 0  # beyond the budget, to the next end of a line or sentence
    wrap_up_str: Text[str] = ""  # put into the thought, within the budget, before it is cut
    wrap_up_tokens: Text[Natural] = 0  # so many tokens before the cap; 0: directly before it
    final_answer: Text[str | None] = None  # what a forced end says behind thinking_end; None: the thinking format's own
    reward: Source[Name] = "repetition"  # rebase only: a reward model (folder or hub name), or the built-in one
    reward_temperature: Text[AboveZero] = 0.2  # rebase only: of the softmax over rewards (Wu et al., section 3.2)
    compat: Text[Literal["readme", "s1-fork"]] = "readme"

    def __post_init__(self) -> None:
        told = self.instructed
        if self.method in ("token_conditional", "step_conditional") and not _positive(told):
            raise UserError(f"{self.method} needs instructed=N, the number told the model; got {told}")
        for value in self.round_temperatures:
            _check_temperature("round_temperatures", value)
        limit = self.max_thinking_tokens
        if limit != "auto" and self.wrap_up_tokens > limit:
            raise UserError(
                f"wrap_up_tokens={self.wrap_up_tokens} is more than max_thinking_tokens={limit}: the text would come "
                "before the thought; lower it"
            )
        if self.wrap_up_tokens and not self.wrap_up_str:
            raise UserError(f"wrap_up_tokens={self.wrap_up_tokens} needs wrap_up_str, the text that is put there")
        if self.soft and (self.compat == "s1-fork" or self.method not in CAPPED):
            raise UserError(
                "grace_tokens, wrap_up_str and final_answer soften the end that a budget forces: they go with "
                f"{', '.join(CAPPED)}, not with {'s1-fork' if self.compat == 's1-fork' else self.method}"
            )
        if self.method == "class_conditional" and told not in ("short", "long"):
            raise unknown("class of thinking (instructed)", str(told), ("short", "long"))

    @property
    def soft(self) -> bool:
        """Whether anything about a forced end is another than s1's."""
        return bool(self.grace_tokens or self.wrap_up_str or self.final_answer is not None)

    @property
    def reward_model(self) -> str | None:
        """The model that leads a tree search; None for the built-in reward, and where there is no search."""
        return self.reward if self.method == "rebase" and self.reward != "repetition" else None

    @property
    def effective(self) -> Budget:
        """The same setting without the values that have no effect in it: equal settings are equal then."""
        same: dict[str, Any] = {}
        if not self.num_ignores:
            same |= {"ignore_str": "Wait", "round_temperatures": ()}
        if self.method != "rejection_sampling":
            same |= {"max_attempts": 64}
        if self.method != "rebase":
            same |= {"reward": "repetition", "reward_temperature": 0.2}
        if self.method == "no_thinking":
            same |= {"max_thinking_tokens": "auto", "num_ignores": 0, "ignore_str": "Wait", "min_thinking_tokens": 0}
        return replace(self, **same)


def _pairs(value: Any) -> Any:
    """A mapping as pairs; texts of the form NAME=VALUE as pairs, too (`--set` gives them)."""
    if isinstance(value, Mapping):
        return tuple(value.items())
    if isinstance(value, tuple | list):
        return tuple(tuple(one.split("=", 1)) if isinstance(one, str) and "=" in one else one for one in value)
    return value


def _json(value: Any) -> Any:
    """A mapping as its JSON, which is checked to be an object."""
    text = json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
    if not isinstance(text, str) or not text.strip():
        return text
    found = json_row(text.encode("utf-8", "surrogatepass"), encodable=True)
    if isinstance(found, str):
        raise UserError(f"{text[:80]} is no JSON object ({found})")
    return json.dumps(found, sort_keys=True)


Plain = bool | int | float | str | None
Headers = Annotated[tuple[tuple[Name, Name], ...], BeforeValidator(_pairs)]
JsonObject = Annotated[str, BeforeValidator(_json)]

# Token ids, or texts that are one token, to what is added to their logits; as many as servers take.
Biases = Annotated[
    tuple[tuple[Natural | Name, Annotated[float, Field(ge=-100, le=100)]], ...],
    BeforeValidator(_pairs),
    Field(max_length=300),
]


@checked
class Sampling:
    """Decoding. Temperature 0 is greedy, the paper's setting (section 4.1).

    What the card of a model recommends can be said with these fields, or read by `harness.studies.card`.
    """

    temperature: Text[NonNegative] = 0.0
    top_p: Text[Share] = 1.0
    top_k: Text[Natural] = 0  # 0: all tokens
    min_p: Text[Fraction] = 0.0  # of the most likely token's probability
    presence_penalty: Text[Penalty] = 0.0  # once for each token sampled before, in the thought or in the answer
    frequency_penalty: Text[Penalty] = 0.0  # as often as it was sampled
    repetition_penalty: Text[AboveZero] = 1.0  # over prompt, thought and answer
    logit_bias: Text[Biases] = ()
    stop: Text[tuple[Name, ...]] = ()  # strings that end an answer, and are cut off it; a thought goes on over them
    num_samples: Text[Positive] = 1  # generations per problem: for pass@k, maj@k
    max_answer_tokens: Text[Positive] = 1024
    seed: Seed[SeedNumber] = 0
    thinking_temperature: Text[NonNegative | None] = None  # in thinking only; None: `temperature`
    thinking_top_p: Text[Share | None] = None
    answer_room_tokens: Text[Natural | None] = None  # what "auto" leaves for the answer; None: max_answer_tokens
    answer_logprobs: Text[Flag] = (
        False  # log-probabilities of the extracted answer's tokens, where an engine gives them
    )

    def __post_init__(self) -> None:
        for name in ("temperature", "thinking_temperature"):
            _check_temperature(name, getattr(self, name))

    @property
    def answer_room(self) -> int:
        """Tokens that "auto" leaves for the answer."""
        return self.max_answer_tokens if self.answer_room_tokens is None else self.answer_room_tokens


def is_drawn(budget: Budget, sampling: Sampling) -> bool:
    """Whether two samples of one run can differ: a part of them is sampled at a temperature."""
    thinks = budget.method != "no_thinking"
    later = budget.round_temperatures if budget.num_ignores else ()
    return any((sampling.temperature, *((sampling.thinking_temperature or 0.0, *later) if thinks else ())))


def check_draws(budget: Budget, sampling: Sampling) -> None:
    """Raise `UserError` where several samples would all be one greedy text."""
    if sampling.num_samples > 1 and not is_drawn(budget, sampling):
        raise UserError(
            f"num_samples={sampling.num_samples} at temperature 0 is one text {sampling.num_samples} times; set a "
            "temperature above 0, or num_samples=1"
        )


@checked
class EngineConfig:
    """Which engine generates and how it is loaded."""

    name: Source[EngineName] = "vllm"  # identity: the engine that really answered
    tokenizer: Source[Name | None] = None  # None: the model's own
    dtype: Source[Dtype] = "float32"  # s1 evaluates in float32 (App. B)
    max_model_len: Text[Positive] = 32768
    tensor_parallel_size: Placement[Positive] = 1
    max_num_seqs: Placement[Positive] = 256
    gpu_memory_utilization: Placement[Share] = 0.9
    num_cpus: Placement[Natural] = 1
    num_gpus: Placement[Natural] = 0  # of one engine: at least tensor_parallel_size
    num_engines: Placement[Positive] = 1  # data parallel: engines of one kind that draw from one list of work
    stall_seconds: Placement[AboveZero] = 600.0  # an engine or a grader silent for so long is replaced
    start_seconds: Placement[AboveZero] = 3600.0  # an engine not up so long after Ray gave it its place is replaced
    base_url: Placement[Name | None] = None  # openai only
    served_name: Placement[Name | None] = (
        None  # openai only: the server's name for the model; None: as it is called here
    )
    api_key_env: Placement[Name] = "OPENAI_API_KEY"  # openai only: the environment variable that holds the key
    header_env: Placement[Headers] = ()  # openai only: header -> the environment variable that holds its value
    # openai only: /v1/completions with token ids, or /v1/chat/completions. Identity: the engine's name is another then
    api: Source[Literal["completions", "chat"]] = "completions"
    extra_body: Text[JsonObject] = ""  # openai only: fields for the JSON of every call; null takes one out of it
    strategy: Placement[Literal["session", "resubmit"]] = "session"  # vllm: how a thought goes on after an ignored end
    batch_size: Placement[Positive] = 16  # transformers: rows of one static batch
    device: Placement[Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")] | None] = None  # None: cuda if there is one
    num_gpu_blocks_override: Placement[Positive | None] = None  # vllm: cut the KV cache

    def __post_init__(self) -> None:
        if self.num_gpus and self.tensor_parallel_size > self.num_gpus:
            raise UserError(
                f"tensor_parallel_size={self.tensor_parallel_size} needs as many GPUs, num_gpus={self.num_gpus}; "
                "raise num_gpus or lower tensor_parallel_size"
            )
        if self.name == "openai" and self.base_url is None:
            raise UserError("the engine openai needs base_url, the server's address (--base-url http://HOST:PORT/v1)")

    @property
    def chats(self) -> bool:
        """Whether each sample is one chat call, of which only the text and some counts come back."""
        return self.name == "openai" and self.api == "chat"

    @property
    def silent_seconds(self) -> float:
        """Seconds without a token after which an engine is given up.

        Of a chat call nothing is heard before it ends; it is ended after `stall_seconds`, and tried again.
        """
        return math.inf if self.chats else self.stall_seconds


@checked
class Chat:
    """What the chat template is given beside the question, in evaluation and in training text."""

    system: Text[str | None] = None  # the system turn; None: the template's own
    instruction: Text[str] = ""  # behind the question, as written: "\n\nPut your answer in \\boxed{}."
    # To `apply_chat_template`, as a mapping or as pairs: enable_thinking, reasoning_effort, ...
    arguments: Text[Annotated[tuple[tuple[str, Plain], ...], BeforeValidator(_pairs)]] = ()


@checked
class Features:
    """What is filled in of a pool before its rows are selected: only what a recipe's selection needs and rows lack."""

    domains: Source[Name | None] = "keywords"  # or the metadata key that holds a domain; None: as the pool has them
    references: Source[tuple[Name, ...]] = ()  # models whose direct answers show the difficulty; (): the base
    tokenizer: Source[Name | None] = "base"  # of the traces' lengths: the base model's, another, or None: characters
    decontaminate: Source[tuple[Name, ...]] = ()  # tasks: rows that share an 8-gram with one of their problems go
    min_share: Source[Fraction] = 0.0  # ... or this share of a problem's 8-grams

    @property
    def asks_base(self) -> bool:
        """Whether the base model itself answers the pool."""
        return not self.references


@checked
class Recipe:
    """What to train on, and how: a subset of a pool; and what differs from the study's own settings.

    `size` None means the selection's own (all of it, for `full`). `training` holds fields of `Training`, as a mapping
    or as pairs; fields that are None or empty are the study's.
    """

    name: Text[Name]
    selection: Text[Name]  # one of SELECTIONS, or file.py:function
    size: Text[Positive | None] = None
    seed: Seed[SeedNumber] = 0
    pool: Source[Name | None] = None  # identity: the rows that were selected
    traces: Text[Literal["each", "one", "best", "all"]] = "each"  # of a question with several
    options: Text[Annotated[tuple[tuple[str, Plain], ...], BeforeValidator(_pairs)]] = ()  # of the selection
    variant: Text[Literal["plain", "s1", "tokens", "steps", "class"]] = "plain"  # of the training text
    base_model: Source[Name | None] = None
    thinking: Source[Name | None] = None
    training: Text[Annotated[tuple[tuple[str, Plain], ...], BeforeValidator(_pairs)]] = ()
    budgets: Text[tuple[Budget, ...]] = ()  # the sweep of this model

    def __post_init__(self) -> None:
        if self.selection not in SELECTIONS and not self.selection.partition(":")[0].endswith(".py"):
            raise unknown("selection", self.selection, SELECTIONS)
        if self.thinking is not None:
            check_name(self.thinking)


@checked
class Training:
    """SFT hyperparameters; the defaults are the paper's (section 4.1 and App. D)."""

    num_epochs: Text[Positive] = 5
    global_batch_size: Text[Positive] = 16
    learning_rate: Text[AboveZero] = 1e-5
    lr_scheduler: Text[Scheduler] = "cosine"
    warmup_ratio: Text[Fraction] = 0.05
    adam_beta1: Text[Fraction] = 0.9
    adam_beta2: Text[Fraction] = 0.95
    weight_decay: Text[NonNegative] = 1e-4
    max_grad_norm: Text[NonNegative] = 1.0
    bf16: Text[Flag] = True
    block_size: Text[Positive] = 32768
    group_by_length: Text[Flag] = False
    padding_free: Text[Flag] = False  # rows of a micro batch stand behind each other, each seeing itself alone
    packing: Text[Flag] = False  # the same in sequences of up to block_size; global_batch_size counts sequences
    # What a step's loss is the mean of: all tokens of the global batch, or its rows' own means. s1's was the rows' (16
    # workers with one row each), in which a short trace's tokens weigh more; over tokens no row's length does.
    loss_mean: Text[Literal["token", "row"]] = "token"
    seed: Seed[ShortSeed] = 0
    lora_rank: Text[Natural] = 0  # 0: all weights are trained; else adapters of this rank, merged into the checkpoint
    lora_alpha: Text[Positive] = 32
    lora_dropout: Text[Fraction] = 0.0
    # Each step sees the same rows on any number of workers; dropout and the order of sums are each worker's own.
    num_workers: Text[Positive] = 1  # more than one on GPUs: weights, gradients and optimizer are sharded (FSDP)
    per_device_batch_size: Placement[Positive] = 1
    num_cpus: Placement[Positive] = 1  # of one worker
    num_gpus: Placement[Natural] = 0  # of one worker
    gradient_checkpointing: Placement[Flag] = True
    save_steps: Placement[Natural] = 100  # optimizer steps between two checkpoints to resume from; 0: none
    kept_checkpoints: Placement[Positive] = 1  # the newest ones; while one is written, those before it are still there
    # A folder on each node's own disk: checkpoints are written there, the newest is copied to the training's folder.
    checkpoint_dir: Placement[str] = ""
    report_to: Placement[Literal["none", "tensorboard", "mlflow", "wandb", "trackio"]] = "none"

    @property
    def in_a_row(self) -> bool:
        """Whether several rows stand in one sequence."""
        return self.padding_free or self.packing

    def __post_init__(self) -> None:
        at_once = self.per_device_batch_size * self.num_workers
        if self.global_batch_size % at_once:
            raise UserError(
                f"global_batch_size={self.global_batch_size} is not a multiple of per_device_batch_size="
                f"{self.per_device_batch_size} times num_workers={self.num_workers}; change one of them"
            )


@checked
class TaskReading:
    """How the rows of tasks from outside are read: files and hub data sets. The built-in tasks say it themselves.

    What is not said is guessed from all rows (`harness.tasks.problems`).
    """

    columns: Source[Annotated[tuple[tuple[Name, Name], ...], BeforeValidator(_pairs)]] = ()  # ours=theirs
    kind: Source[Kind | None] = None  # how answers compare
    template: Source[str] = ""  # the prompt, with {{question}}, {{choices}} and the rows' columns; empty: the question
    shuffle: Source[Flag] = False  # options in an order by problem and seed; False: as written


@checked
class Claim:
    """One clause of a study's hypothesis, in terms that the report can hold against the rows.

    Attributes:
        text: the clause, as a reader sees it.
        recipes: what it is about.
        than: accuracy: the recipes that each of `recipes` is held against, at the headline setting.
        measure: accuracy; slope: points per doubling of thinking tokens; wait: an ignored end against none.
        expected: more, less, or the same within the margin of `harness compare`.
    """

    text: Label[Name]
    recipes: Label[Annotated[tuple[Name, ...], Field(min_length=1)]]
    than: Label[tuple[Name, ...]] = ()
    measure: Label[Literal["accuracy", "slope", "wait"]] = "accuracy"
    expected: Label[Literal["more", "less", "same"]] = "more"

    def __post_init__(self) -> None:
        if (self.measure == "accuracy") != bool(self.than):
            raise UserError(
                f"claim {self.text!r}: `than` names what an accuracy is held against, and goes with no other"
            )


@checked
class Study:
    """An ablation: one base model, some recipes, some tasks, a sweep. Results of one study share one folder."""

    name: Text[Name]
    base_model: Source[Name]  # a hub name or a local folder
    pool: Source[str]  # "quickstart", or a file, a folder or a hub dataset of any shape that harness.data reads
    recipes: Source[tuple[Recipe, ...]]
    tasks: Source[Annotated[tuple[Name, ...], Field(min_length=1)]]  # names, files, hub:..., lm-eval:...
    budgets: Source[Annotated[tuple[Budget, ...], Field(min_length=1)]]
    base_budgets: Source[tuple[Budget, ...]] = ()  # the sweep of the untrained base; empty: the same
    reference_recipe: Label[Name] = "s1k"  # paired differences are taken to this recipe
    headline: Label[Budget] = Budget()  # the setting of the recipe table
    # "auto": read from the model's chat template; or a thinking format's name, or its strings as JSON
    thinking: Source[Name] = "auto"
    chat: Text[Chat] = Chat()
    sampling: Text[Sampling] = Sampling()
    training: Source[Training] = Training()
    engine: Text[EngineConfig] = EngineConfig()
    replay: Text[Flag] = True  # think once to the largest setting, branch the answers
    reading: Source[TaskReading] = TaskReading()  # of the tasks from outside
    max_problems: Source[Positive | None] = None
    pool_size: Source[Positive | None] = None
    # What the pool calls a column of ours (thinking=trace), as a mapping or as pairs: harness.data.shapes
    pool_columns: Source[Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)]] = ()
    features: Source[Features] = Features()
    lint: Label[Literal["count", "strict", "off"]] = "count"  # of each recipe's rows before training: harness.data.lint
    seed: Source[SeedNumber] = 0
    hypothesis: Label[str] = ""
    claims: Label[tuple[Claim, ...]] = ()  # its clauses, for the report to hold against the rows

    def __post_init__(self) -> None:
        check_name(self.thinking)
        for one in (self.name, *(recipe.name for recipe in self.recipes)):
            if "/" in one or one in (".", ".."):
                raise UserError(f"name={one}: it is the name of a folder, too; give one without '/'")
        if twice := next((name for name in self.tasks if self.tasks.count(name) > 1), None):
            raise UserError(f"the task '{twice}' is named twice; name each once")
        names = [recipe.name for recipe in self.recipes]
        if repeated := next((name for name in names if names.count(name) > 1 or name == "base"), None):
            raise UserError(f"the recipe name '{repeated}' is taken; give each recipe its own, and none the name base")
        if names and self.reference_recipe not in (*names, "base", _DEFAULT_REFERENCE):
            raise unknown("reference_recipe", self.reference_recipe, (*names, "base"))
        if self.headline not in (*self.budgets, *self.base_budgets):
            raise UserError(f"the headline {self.headline} is none of the study's budgets; take one of them, or add it")
        for recipe in self.recipes:
            self.training_of(recipe)
        for budget in (*self.budgets, *self.base_budgets, *(b for recipe in self.recipes for b in recipe.budgets)):
            if budget.max_thinking_tokens != "auto" and budget.min_thinking_tokens > budget.max_thinking_tokens:
                raise UserError(
                    f"min_thinking_tokens={budget.min_thinking_tokens} is more than max_thinking_tokens="
                    f"{budget.max_thinking_tokens}; lower the one or raise the other"
                )
            check_draws(budget, self.sampling)
        if self.sampling.max_answer_tokens >= self.engine.max_model_len:
            raise UserError(
                f"sampling.max_answer_tokens={self.sampling.max_answer_tokens} leaves nothing of "
                f"engine.max_model_len={self.engine.max_model_len} to the prompt; lower it"
            )

    def training_of(self, recipe: Recipe) -> Training:
        """The study's training with the fields of the recipe's. Raises `UserError` for one that there is not."""
        if not recipe.training:
            return self.training
        given = {**to_plain(self.training), **dict(recipe.training)}
        return from_plain(Training, given, f"recipe {recipe.name}: training: ")

    def seen_by(self, name: str) -> Study:
        """The study as the model of recipe `name` sees it: its own pool, base, format, training and sweep.

        Itself for "base". The headline setting is part of every sweep.
        """
        recipe = next((one for one in self.recipes if one.name == name), None)
        if recipe is None:
            return self
        names = ("pool", "base_model", "thinking", "budgets")
        own: dict[str, Any] = {field: getattr(recipe, field) for field in names if getattr(recipe, field)}
        if recipe.budgets and self.headline in self.budgets and self.headline not in recipe.budgets:
            own["budgets"] = (*recipe.budgets, self.headline)
        return replace(self, **own, training=self.training_of(recipe))


_DEFAULT_REFERENCE = "s1k"


def to_plain(value: Any) -> Any:
    """`value` as JSON types; raises TypeError on anything whose text form is not stable (a function, an object)."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{value!r} has no stable JSON form")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} ({type(value).__name__}) has no stable form to fingerprint")


def recorded(study: Study) -> dict[str, Any]:
    """`study` as JSON types, as it may be written to a file: without the password that its server's URL may hold."""
    engine = study.engine
    if engine.base_url:
        study = replace(study, engine=replace(engine, base_url=masked_url(engine.base_url)))
    plain: dict[str, Any] = to_plain(study)
    return plain


def fingerprint(value: Any) -> str:
    """16 hex digits of the sha256 of `value`'s canonical JSON. Stable over processes, machines and field order."""
    text = json.dumps(to_plain(value), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hashed(value: Any, seeds: bool = True) -> Any:
    """`value` as JSON types, of a setting only what can change a text: its `Text` and `Seed` fields, at any depth.

    Args:
        value: a setting, or any value of one.
        seeds: False leaves the `Seed` fields out, too: what remains is equal for runs that are averaged.
    """
    if is_checked(value):
        wanted = {Part.TEXT, Part.SEED} if seeds else {Part.TEXT}
        kept = [name for name, part in _parts(value).items() if part in wanted]
        return {name: hashed(getattr(value, name), seeds) for name in kept}
    if isinstance(value, Mapping):
        return {str(key): hashed(one, seeds) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [hashed(one, seeds) for one in value]
    return to_plain(value)


def _parts(value: Any) -> dict[str, Part]:
    cls: Any = type(value)
    return parts(cls)


def run_id(config: Any) -> str:
    """Identity of a run: the fingerprint of every field that can change its text."""
    return fingerprint(hashed(config))
