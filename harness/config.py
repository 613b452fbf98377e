"""Frozen, inert configuration. A study is a value; `run_id` derives its runs' identities, nobody types them.

Every field here can change the text that a run produces and therefore enters `run_id`, except the fields named in
`PLACEMENT`, which only say where and how many at a time.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import UserError, unknown

Auto = Literal["auto"]
METHODS = (
    "no_thinking",  # the chat prompt alone: what an instruction model answers without a thinking prefix
    "budget_forcing",  # cap at max_thinking_tokens, and/or ignore the end of thinking num_ignores times
    "rejection_sampling",  # sample until the thought fits max_thinking_tokens
    "token_conditional",  # tell the budget in the prompt, in tokens
    "step_conditional",  # tell the budget in the prompt, in steps
    "class_conditional",  # tell "short" or "long" in the prompt
)


@dataclass(frozen=True)
class Budget:
    """How one run controls thinking. Lengths are in tokens of the model's own tokenizer.

    `max_thinking_tokens` counts all rounds together, sampled and injected tokens; "auto" is what the model's context
    leaves after *this* prompt, the delimiters and the answer's room.
    """

    max_thinking_tokens: int | Auto = "auto"
    num_ignores: int = 0
    ignore_str: str | tuple[str, ...] | None = "Wait"  # a tuple: one string a round, in rotation; None: only suppress
    min_thinking_tokens: int = 0
    method: str = "budget_forcing"
    instructed: str | None = None  # token/step: the number told; class: "short" or "long"
    force: bool = True  # False: the conditional methods without budget forcing
    round_temperatures: tuple[float, ...] = ()  # temperature after the n-th ignore; empty: the run's own
    max_attempts: int = 64  # rejection sampling only
    stop_on_loop: bool = False
    compat: Literal["readme", "s1-fork"] = "readme"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        if self.max_thinking_tokens != "auto" and self.max_thinking_tokens < 0:
            raise UserError(f"max_thinking_tokens={self.max_thinking_tokens} is negative; use 0 or more, or 'auto'")
        if self.num_ignores < 0:
            raise UserError(f"num_ignores={self.num_ignores} is negative; use 0 or more")


@dataclass(frozen=True)
class Sampling:
    """Decoding. Temperature 0 is greedy, the paper's setting (section 4.1)."""

    temperature: float = 0.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    num_samples: int = 1  # generations a problem: for pass@k, maj@k
    max_answer_tokens: int = 1024
    seed: int = 0
    thinking_temperature: float | None = None  # in thinking only; None: `temperature`
    thinking_top_p: float | None = None
    answer_room_tokens: int | None = None  # what "auto" leaves for the answer; None: max_answer_tokens

    @property
    def answer_room(self) -> int:
        return self.max_answer_tokens if self.answer_room_tokens is None else self.answer_room_tokens


@dataclass(frozen=True)
class EngineConfig:
    """Which engine generates and how it is loaded."""

    name: str = "vllm"  # vllm | transformers | openai | scripted
    tokenizer: str | None = None  # None: the model's own
    dtype: str = "float32"  # s1 evaluates in float32 (App. B)
    max_model_len: int = 32768
    tensor_parallel_size: int = 1
    max_num_seqs: int = 256
    gpu_memory_utilization: float = 0.9
    num_cpus: int = 1
    num_gpus: int = 0  # of one engine: at least tensor_parallel_size
    num_engines: int = 1  # data parallel: engines of the same kind that draw from one list of work
    stall_seconds: float = 600.0  # an engine that samples no token, or a grader that is silent, for so long is replaced
    start_seconds: float = 3600.0  # an engine that is not up so long after Ray gave it its place is replaced
    base_url: str | None = None  # openai only
    served_name: str | None = None  # openai only: what the server calls the model; None: as it is called here
    strategy: Literal["session", "resubmit"] = "session"  # vllm: how a thought is continued after an ignored end
    batch_size: int = 16  # transformers: rows of one static batch
    device: str | None = None  # transformers: cpu | cuda; None: cuda where there is one
    num_gpu_blocks_override: int | None = None  # vllm: cut the KV cache, for tests under memory pressure


@dataclass(frozen=True)
class Recipe:
    """One subset of the pool to train on. `size` None means the selection's own (all of it, for `full`)."""

    name: str
    selection: str  # random | diverse | longest | s1k | full
    size: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Training:
    """SFT hyperparameters; the defaults are the paper's (section 4.1 and App. D)."""

    num_epochs: int = 5
    global_batch_size: int = 16
    learning_rate: float = 1e-5
    lr_scheduler: str = "cosine"
    warmup_ratio: float = 0.05
    adam_beta1: float = 0.9
    adam_beta2: float = 0.95
    weight_decay: float = 1e-4
    max_grad_norm: float = 1.0
    bf16: bool = True
    block_size: int = 32768
    group_by_length: bool = False
    seed: int = 0
    lora_rank: int = 0  # 0: all weights are trained; else adapters of this rank, merged into the checkpoint
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    # placement
    num_workers: int = 1  # more than one on GPUs: weights, gradients and optimizer are sharded over them (FSDP)
    per_device_batch_size: int = 1
    num_cpus: int = 1  # of one worker
    num_gpus: int = 0  # of one worker
    gradient_checkpointing: bool = True
    save_steps: int = 100  # optimizer steps between two checkpoints to resume from; 0: none
    report_to: str = "none"  # none | trackio | wandb


PLACEMENT = frozenset(
    {"num_cpus", "num_gpus", "max_num_seqs", "gpu_memory_utilization", "num_workers", "per_device_batch_size",
     "gradient_checkpointing", "base_url", "served_name", "batch_size", "device", "num_gpu_blocks_override", "strategy",
     "num_engines", "stall_seconds", "start_seconds", "save_steps", "report_to"}
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """An ablation: one base model, some recipes, some tasks, a sweep. Results of one study share one folder."""

    name: str
    base_model: str  # a hub name or a local folder
    pool: str  # "quickstart", or a JSONL / Parquet file or a hub dataset in the pool schema
    recipes: tuple[Recipe, ...]
    tasks: tuple[str, ...]
    budgets: tuple[Budget, ...]
    base_budgets: tuple[Budget, ...] = ()  # the sweep of the untrained base; empty: the same
    reference_recipe: str = "s1k"  # paired differences are taken to this recipe
    headline: Budget = Budget()  # the setting of the recipe table
    thinking: str = "s1"  # a name in harness.thinking.FORMATS
    sampling: Sampling = Sampling()
    training: Training = Training()
    engine: EngineConfig = EngineConfig()
    replay: bool = True  # think once to the largest setting, branch the answers (greedy)
    max_problems: int | None = None
    pool_size: int | None = None
    seed: int = 0
    hypothesis: str = ""
    notes: dict[str, Any] = field(default_factory=dict)


def to_plain(value: Any) -> Any:
    """`value` as JSON types; raises TypeError on anything whose text form is not stable (a function, an object)."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
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


def fingerprint(value: Any) -> str:
    """16 hex digits of the sha256 of `value`'s canonical JSON. Stable over processes, machines and field order."""
    text = json.dumps(to_plain(value), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_placement(value: Any) -> Any:
    """`to_plain(value)` without the keys in `PLACEMENT`, at any depth."""
    plain = to_plain(value)
    if isinstance(plain, dict):
        return {k: without_placement(v) for k, v in plain.items() if k not in PLACEMENT}
    if isinstance(plain, list):
        return [without_placement(v) for v in plain]
    return plain


def run_id(config: Any) -> str:
    """Identity of a run: the fingerprint of every field that can change its text (HOUSE_STYLE.md, rule 1)."""
    return fingerprint(without_placement(config))


__all__ = ["METHODS", "PLACEMENT", "Budget", "EngineConfig", "Recipe", "Sampling", "Study", "Training", "asdict",
           "fingerprint", "run_id", "to_plain", "without_placement"]  # fmt: skip
