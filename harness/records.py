"""The rows: Problem -> Generation -> Verdict, and the Arrow schemas they are stored with.

A stranger traces one leaderboard number back to one row here. Facts live in columns, never in file names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from harness.config import Budget
from harness.files import json_row
from harness.grading.verdict import Kind, Verdict
from harness.questions import question_hash

SpanKind = Literal["ignore", "newline", "wrap_up"]


@dataclass(frozen=True)
class Problem:
    """One question.

    `kind` says how its answer is compared; `choices` are the options of a multiple choice question, in the order shown
    (already part of `question`).
    """

    id: str
    task: str
    question: str
    gold: str
    kind: Kind = "math"
    choices: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """Forced tokens inside a thought: `length` tokens from index `start` of `thinking_ids`."""

    start: int
    length: int
    kind: SpanKind


@dataclass(frozen=True)
class ToldTokens:
    """Token counts of a reply whose ids nobody gives, as its server tells them; None: it does not tell."""

    prompt: int | None
    thinking: int | None
    answer: int | None


@dataclass(frozen=True)
class Generation:
    """One generation with its token ledger, all counts taken from ids (never from re-tokenised text).

    thinking_ids      everything between thinking_start and the closing tokens, sampled and injected
    closing_ids       what was injected after the thought: newline, thinking_end, "Final Answer:" as they apply
    answer_ids        what the model sampled after that, without the stop token
    discarded_tokens  sampled and thrown away: rejected attempts, and ends of thinking that were ignored are 0 here
    shared_tokens     of the thought, but sampled once for several rows of one tree and counted in an earlier one
    """

    problem_id: str
    budget: Budget
    sample_index: int  # 0 .. num_samples - 1
    seed: int
    prompt_ids: tuple[int, ...]
    thinking_ids: tuple[int, ...]
    closing_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    forced_spans: tuple[Span, ...]
    prompt: str
    thinking: str
    closing: str
    answer: str
    budget_tokens: int  # the budget in force for this prompt, with "auto" resolved
    num_rounds: int  # thinking rounds: 1 + ignores that took place
    thinking_finish: str  # stop | budget | loop | length (a server cut the reply in it) | none | rejected | error
    answer_finish: str  # stop | length | none | error
    forced_end: bool
    replayed: bool = False
    looping: bool | None = False  # None: not known without ids
    discarded_tokens: int = 0
    shared_tokens: int = 0
    num_attempts: int = 1
    reward: float | None = None  # of the thought, 0 to 1, where a reward led a search
    error: str | None = None
    answer_logprobs: tuple[float, ...] = ()  # in nats, of `answer_ids`, from the raw logits; empty: not asked for
    answer_ends: tuple[int, ...] = ()  # where each of them ends in the answer's text, in characters
    told_tokens: ToldTokens | None = None  # instead of ids, which are empty then

    @property
    def injected_tokens(self) -> int:
        """Injected tokens that count as thinking."""
        return sum(span.length for span in self.forced_spans)

    @property
    def num_tokens(self) -> ToldTokens:
        """Tokens of prompt, thought and answer: of the ids, else as they were told."""
        counted = ToldTokens(len(self.prompt_ids), len(self.thinking_ids), len(self.answer_ids))
        return self.told_tokens or counted

    @property
    def response(self) -> str:
        """The whole text after the prompt."""
        return self.thinking + self.closing + self.answer

    @property
    def answer_part(self) -> str:
        """What the grader reads: the text after the thought, whose border is known and need not be guessed."""
        return self.closing + self.answer


# A reader takes the columns that it knows by name: those that an older file lacks are null, and those that a newer one
# adds are passed over.
SCHEMA_VERSION = 2
SINCE = dict.fromkeys(
    (
        "thinking_budget",
        "question_hash",
        "metadata",
        "logged_correct",
        "logged_extracted",
        "gen_kwargs",
        "shared_tokens",
        "reward",
    ),
    2,
)  # columns that an earlier version cannot have

SAMPLE_SCHEMA = pa.schema(
    [
        # identity
        ("run_id", pa.string()),
        ("sample_key", pa.string()),  # hash of everything that can change this row's text
        ("study", pa.string()),
        ("model", pa.string()),
        ("recipe", pa.string()),  # "base" for the untrained model
        ("task", pa.string()),
        ("method", pa.string()),
        ("max_thinking_tokens", pa.int64()),  # null: auto, or not known; `thinking_budget` says which
        ("num_ignores", pa.int64()),
        ("ignore_str", pa.string()),
        ("instructed", pa.string()),
        ("seed", pa.int64()),
        ("sample_index", pa.int64()),
        ("problem_id", pa.string()),
        # the problem
        ("question", pa.string()),
        ("gold", pa.string()),
        ("kind", pa.string()),
        ("choices", pa.list_(pa.string())),  # the options of a multiple-choice question, as shown
        # the text
        ("prompt", pa.string()),
        ("thinking", pa.string()),
        ("closing", pa.string()),
        ("answer", pa.string()),
        ("prompt_ids", pa.list_(pa.int32())),
        ("thinking_ids", pa.list_(pa.int32())),
        ("closing_ids", pa.list_(pa.int32())),
        ("answer_ids", pa.list_(pa.int32())),
        ("forced_spans", pa.list_(pa.struct([("start", pa.int32()), ("length", pa.int32()), ("kind", pa.string())]))),
        # the ledger, in tokens
        ("budget_tokens", pa.int64()),
        ("prompt_tokens", pa.int64()),
        ("thinking_tokens", pa.int64()),  # sampled + injected
        ("thinking_sampled_tokens", pa.int64()),
        ("thinking_injected_tokens", pa.int64()),
        ("closing_tokens", pa.int64()),
        ("answer_tokens", pa.int64()),
        ("discarded_tokens", pa.int64()),
        ("shared_tokens", pa.int64()),
        ("num_rounds", pa.int64()),
        ("num_attempts", pa.int64()),
        ("reward", pa.float64()),
        ("thinking_finish", pa.string()),
        ("answer_finish", pa.string()),
        ("forced_end", pa.bool_()),
        ("replayed", pa.bool_()),
        ("looping", pa.bool_()),
        ("error", pa.string()),
        # the score
        ("status", pa.string()),
        ("extracted", pa.string()),
        ("correct", pa.bool_()),
        ("reason", pa.string()),
        ("tier", pa.string()),
        ("answer_logprob_mean", pa.float64()),  # in nats, over the extracted answer's tokens; null: not known
        ("answer_logprob_min", pa.float64()),
        # beside the number and the verdict: the budget's name, the problem's identity, what a log said itself
        ("thinking_budget", pa.string()),  # "auto", or the number of tokens; null: a log that does not tell
        ("question_hash", pa.string()),  # of the normalised question: `harness.questions`
        ("metadata", pa.string()),  # the problem's facts (subject, level, year), JSON; null: none
        ("logged_correct", pa.bool_()),  # an imported log's own verdict
        ("logged_extracted", pa.string()),  # and the answer that it read
        ("gen_kwargs", pa.string()),  # and its generation settings, JSON
    ],
    metadata={"s1_harness_schema": str(SCHEMA_VERSION)},
)

RUN_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("study", pa.string()),
        ("model", pa.string()),
        ("recipe", pa.string()),
        ("task", pa.string()),
        ("method", pa.string()),
        ("max_thinking_tokens", pa.int64()),
        ("num_ignores", pa.int64()),
        ("ignore_str", pa.string()),
        ("instructed", pa.string()),
        ("seed", pa.int64()),
        ("num_problems", pa.int64()),
        ("num_samples", pa.int64()),
        ("status", pa.string()),  # done | failed
        ("error", pa.string()),
        ("config", pa.string()),  # the whole configuration, JSON
        ("versions", pa.string()),  # package versions, JSON
        ("commit", pa.string()),
        ("engine", pa.string()),
        ("device", pa.string()),
        # Largest difference, in nats, between the engine's and the checkpoint's own log-probabilities on the probe;
        # null where the engine's first start is all that is known of the model.
        ("probe_difference", pa.float64()),
        ("served_model", pa.string()),  # the server's name for the model; null: no server
        ("seconds", pa.float64()),
        ("created_at", pa.string()),  # ISO 8601, UTC
    ],
    metadata={"s1_harness_schema": str(SCHEMA_VERSION)},
)

METRIC_SCHEMA = pa.schema(
    [
        ("study", pa.string()),
        ("model", pa.string()),
        ("recipe", pa.string()),
        ("task", pa.string()),
        ("method", pa.string()),
        ("run_id", pa.string()),  # null for metrics over a sweep
        ("max_thinking_tokens", pa.int64()),
        ("num_ignores", pa.int64()),
        ("ignore_str", pa.string()),
        ("instructed", pa.string()),
        ("force", pa.bool_()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("num_problems", pa.int64()),
        ("reference", pa.string()),  # for differences: what it is compared with
        ("note", pa.string()),
    ],
    metadata={"s1_harness_schema": str(SCHEMA_VERSION)},
)


def budget_columns(budget: Budget) -> dict[str, Any]:
    """A budget as the columns that sample and run rows share."""
    ignore = budget.ignore_str
    return {
        "method": budget.method,
        "max_thinking_tokens": None if budget.max_thinking_tokens == "auto" else budget.max_thinking_tokens,
        "num_ignores": budget.num_ignores,
        "ignore_str": "|".join(ignore) if isinstance(ignore, tuple) else ignore,
        "instructed": budget.instructed,
    }


CONFIG_TYPES: dict[str, type] = {
    "budget": dict,
    "engine": dict,
    "headline": dict,
    "recipe_config": dict,
    "sampling": dict,
    "training": dict,
    "claims": list,
    "setup": str,
    "hypothesis": str,
    "reference_recipe": str,
    "base_model": str,
    "thinking": str,
    "model_identity": str,
    "base_identity": str,
}


def run_config(text: object) -> tuple[dict[str, Any], str]:
    """A run's stored configuration, and what of it had to be left out.

    Returns:
        The JSON object in `text` without the keys whose values are null or of another type than we write; and the
        names of the latter, or why nothing is left; "" where it is as we write it.
    """
    if text is None or text != text:
        return {}, ""
    found = json_row(str(text).encode("utf-8", "replace"), encodable=True)
    if isinstance(found, str):
        return {}, f"everything ({found})"
    left_out = [name for name, kind in CONFIG_TYPES.items() if not isinstance(found.get(name), kind)]
    odd = [name for name in left_out if found.get(name) is not None]
    return {name: value for name, value in found.items() if name not in left_out}, ", ".join(odd)


def sample_row(run: dict[str, Any], problem: Problem, generation: Generation, verdict: Verdict) -> dict[str, Any]:
    """One row of `SAMPLE_SCHEMA`. `run` gives run_id, sample_key, study, model and recipe."""
    g, count = generation, generation.num_tokens
    return {
        **{key: run[key] for key in ("run_id", "sample_key", "study", "model", "recipe")},
        "task": problem.task,
        **budget_columns(g.budget),
        "seed": g.seed,
        "sample_index": g.sample_index,
        "problem_id": problem.id,
        "question": problem.question,
        "gold": problem.gold,
        "kind": problem.kind,
        "choices": list(problem.choices),
        "question_hash": question_hash(problem.question, problem.choices),
        "metadata": json.dumps(problem.metadata, sort_keys=True, ensure_ascii=False) if problem.metadata else None,
        "thinking_budget": str(g.budget.max_thinking_tokens),
        "prompt": g.prompt,
        "thinking": g.thinking,
        "closing": g.closing,
        "answer": g.answer,
        "prompt_ids": list(g.prompt_ids),
        "thinking_ids": list(g.thinking_ids),
        "closing_ids": list(g.closing_ids),
        "answer_ids": list(g.answer_ids),
        "forced_spans": [{"start": s.start, "length": s.length, "kind": s.kind} for s in g.forced_spans],
        "budget_tokens": None if g.told_tokens and g.budget.max_thinking_tokens == "auto" else g.budget_tokens,
        "prompt_tokens": count.prompt,
        "thinking_tokens": count.thinking,
        "thinking_sampled_tokens": None if count.thinking is None else count.thinking - g.injected_tokens,
        "thinking_injected_tokens": g.injected_tokens,
        "closing_tokens": len(g.closing_ids),
        "answer_tokens": count.answer,
        "discarded_tokens": g.discarded_tokens,
        "shared_tokens": g.shared_tokens,
        "num_rounds": g.num_rounds,
        "num_attempts": g.num_attempts,
        "reward": g.reward,
        "thinking_finish": g.thinking_finish,
        "answer_finish": g.answer_finish,
        "forced_end": g.forced_end,
        "replayed": g.replayed,
        "looping": g.looping,
        "error": g.error,
        **verdict.columns,
    }


def short(model: str, others: Iterable[str] = ()) -> str:
    """The last part of a model's hub name or path; as many parts as tell it from `others`."""
    parts = model.rstrip("/").split("/")
    rivals = [other.rstrip("/") for other in others if other != model]
    tails = ("/".join(parts[-count:]) for count in range(1, len(parts) + 1))
    return next((tail for tail in tails if not any(f"/{rival}".endswith(f"/{tail}") for rival in rivals)), model)


def setting(budget: Budget) -> str:
    """A budget's name in every command, table and figure: auto, 4,000, auto+2 Wait, told 16 steps, no thinking, ..."""
    limit = "auto" if budget.max_thinking_tokens == "auto" else f"{budget.max_thinking_tokens:,}"
    waits = "/".join(ignore_strings(budget)) or "ignored"
    name = limit + (f"+{budget.num_ignores} {waits}" if budget.num_ignores else "")
    if budget.method == "no_thinking":
        name = "no thinking"
    elif budget.method == "rejection_sampling":
        name = f"reject over {limit}" + (f", {budget.max_attempts} attempts" if budget.max_attempts != 64 else "")
    elif budget.method == "completion_cap":
        name = "no cap" if limit == "auto" else f"cap {limit}"
    elif budget.method == "rebase":
        name = f"rebase {limit}" + (f", reward {short(budget.reward)}" if budget.reward_model else "")
    elif budget.instructed:
        unit = {"token_conditional": " tokens", "step_conditional": " steps"}.get(budget.method, "")
        name = f"told {budget.instructed}{unit}" + (", forced" if budget.force else "")
    if budget.min_thinking_tokens:
        name += f", at least {budget.min_thinking_tokens:,}"
    if budget.round_temperatures and budget.num_ignores:
        name += ", temperature " + "/".join(f"{one:g}" for one in budget.round_temperatures)
    name += ", ends loops" if budget.stop_on_loop else ""
    name += f", grace {budget.grace_tokens:,}" if budget.grace_tokens else ""
    name += f", wraps up at -{budget.wrap_up_tokens:,}" if budget.wrap_up_str else ""
    name += f", says {' '.join(budget.final_answer.split())!r}" if budget.final_answer is not None else ""
    return name + (", s1-fork" if budget.compat == "s1-fork" else "")


def ignore_strings(budget: Budget) -> tuple[str, ...]:
    """The strings that take the place of an ignored end, in rotation; none where an end is only suppressed."""
    if budget.ignore_str is None:
        return ()
    return (budget.ignore_str,) if isinstance(budget.ignore_str, str) else budget.ignore_str


def generated_ids(row: Mapping[str, Any]) -> list[int]:
    """Every token after the prompt of a stored sample: the thought, what closes it, the answer."""
    return [token for name in ("thinking_ids", "closing_ids", "answer_ids") for token in row[name] or ()]


def first_difference(a: Sequence[int], b: Sequence[int]) -> int | None:
    """The first place at which two token sequences differ (one may just end there); None if they are the same."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return index
    return None if len(a) == len(b) else min(len(a), len(b))
