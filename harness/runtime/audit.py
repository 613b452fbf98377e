"""An independent reader of finished results: is each stored row what its checkpoint says, and does its ledger add up?

It takes some rows of each run, and asks plain transformers, which generated none of them: under greedy decoding every
sampled token must be the most likely one after the tokens before it, and every end of a thought one that the model
itself would have made there. Nothing of the engines, of the budget machine or of the replay is used here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from harness import provenance
from harness.config import Budget, Sampling, to_plain
from harness.errors import UserError
from harness.runtime.scoring import score_row
from harness.store import Store
from harness.thinking import ThinkingFormat, thinking_format

if TYPE_CHECKING:
    import torch

NEAR_TIES = {"float32": 0.02, "float16": 0.1, "bfloat16": 0.5}  # gap in nats that rounding explains, by dtype
WIDEST = max(NEAR_TIES.values())  # where nobody knows the dtype: a server's, or an "auto" of older results
END_TOKENS = 24  # greedy tokens in which an end that is no single token (`</think>` in plain text) must show
LARGEST_CHECKPOINT = 2 * 2**30  # bytes of weights that are audited without being asked, at the end of `harness ablate`


@dataclass(frozen=True)
class RowAudit:
    """What the audit of one row found.

    `gap`: how far, in nats, the worst sampled token lies below the most likely one (0: it is that one); `place`: which
    token; `faults`: what does not hold.
    """

    problem_id: str
    sample_index: int
    num_tokens: int
    gap: float
    place: str
    faults: tuple[str, ...]


@dataclass
class RunAudit:
    """One run. `near_tie`: the gap in nats that rounding explains in the dtype that the run was generated in."""

    run_id: str
    recipe: str
    task: str
    config: dict[str, Any]
    near_tie: float
    num_missing: int = 0  # rows that a finished run should have and has not
    rows: list[RowAudit] = field(default_factory=list)
    not_audited: str | None = None  # why its tokens could not be held against a model

    @property
    def num_greedy(self) -> int:
        """Rows whose every sampled token is the checkpoint's most likely one, up to near ties."""
        return sum(row.gap <= self.near_tie for row in self.rows)

    @property
    def num_near_ties(self) -> int:
        """Of these, rows that rest on a near tie."""
        return sum(0 < row.gap <= self.near_tie for row in self.rows)

    @property
    def worst(self) -> RowAudit | None:
        """The row with the largest gap."""
        return max(self.rows, key=lambda row: row.gap, default=None)

    @property
    def faults(self) -> list[str]:
        """Everything that does not hold, one line each."""
        lines = [f"{self.num_missing} of the run's rows are not there, yet it is called done"] * bool(self.num_missing)
        lines += [f"{row.problem_id}/{row.sample_index}: {fault}" for row in self.rows for fault in row.faults]
        lines += [
            f"{row.problem_id}/{row.sample_index}: {row.place} is not the checkpoint's greedy choice "
            f"(it lies {row.gap:.3g} nats below; {self.near_tie:g} would be a near tie)"
            for row in self.rows
            if not row.gap <= self.near_tie
        ]
        return lines


def audit(out: Path, num_rows: int, seed: int = 0, *, largest: int | None = None) -> list[RunAudit]:
    """Audit `num_rows` rows of each finished run in `out`.

    Args:
        out: A results folder.
        num_rows: Rows for each run, drawn by a hash of `seed` and the row's key.
        seed: Another seed draws other rows.
        largest: Bytes of weights above which a model is left out (and said); None: no limit.

    Raises:
        UserError: `out` holds no finished run.
    """
    try:
        runs = [run for run in Store(out).runs() if run["status"] == "done"]
        keys = _keys(out)
        drawn = _draw(out, keys, num_rows, seed)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{out}: its Parquet files cannot be read ({error}); restore them from a copy") from error
    if not runs:
        raise UserError(f"{out} holds no finished run to audit; give the --out of `harness ablate` or `evaluate`")
    audits: list[RunAudit] = []
    by_model: dict[str, list[tuple[RunAudit, dict[str, Any]]]] = {}
    for run in runs:
        config = _config(run)
        one = RunAudit(run["run_id"], run["recipe"], run["task"], config, _near_tie(config))
        audits.append(one)
        if "imported_from" in config:
            one.not_audited = "imported from a log: it holds no token ids and names no checkpoint"
            continue
        one.num_missing = max(0, run["num_problems"] * run["num_samples"] - len(keys.get(run["run_id"], ())))
        by_model.setdefault(_model_of(run, config, out), []).append((one, run))
    for model, its_runs in by_model.items():
        witness: Witness | str | None = None
        for one, run in its_runs:
            config = one.config
            if witness is None:
                witness = _why_not(model, run, config, out, largest) or _witness(model, config.get("tokenizer_name"))
            if isinstance(witness, str):
                one.not_audited = witness
            elif _is_sampled(config):
                one.not_audited = "sampled at a temperature or with a penalty: no greedy path"
            reader = witness if isinstance(witness, Witness) and one.not_audited is None else None
            thinking = thinking_format(config["thinking"])
            one.rows = [_audit_row(row, config, thinking, reader) for row in drawn.get(run["run_id"], ())]
    return audits


def summary(audits: Sequence[RunAudit]) -> str:
    """The audit in one line."""
    held = [run for run in audits if run.not_audited is None]
    rows = sum(len(run.rows) for run in held)
    greedy, ties = sum(run.num_greedy for run in held), sum(run.num_near_ties for run in held)
    text = f"audit: {greedy} of {rows} audited rows are their checkpoint's greedy path by plain transformers"
    if ties:
        widest = max(row.gap for run in held for row in run.rows if row.gap <= run.near_tie)
        text += f" ({ties} with a near tie, at most {widest:.2g} nats)"
    if left_out := [run for run in audits if run.not_audited is not None]:
        text += f"; {len(left_out)} of {len(audits)} runs not compared ({left_out[0].not_audited})"
    faults = sum(len(run.faults) for run in audits)
    return text + (f"; {faults} faults" if faults else "; texts, ledgers, forced spans and verdicts hold")


def _config(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration; settings that are younger than the results have their defaults."""
    config: dict[str, Any] = json.loads(run["config"])
    defaults = {"budget": to_plain(Budget()), "sampling": to_plain(Sampling())}
    return config | {name: plain | config.get(name, {}) for name, plain in defaults.items()}


def _near_tie(config: Mapping[str, Any]) -> float:
    """The gap in nats that rounding explains in the dtype that a run was generated in."""
    engine = config.get("engine", {})
    asked = None if engine.get("name") == "openai" else engine.get("dtype")
    return NEAR_TIES.get(config.get("computed_in") or asked or "", WIDEST)


def _keys(out: Path) -> dict[str, set[str]]:
    """run_id -> the keys of its rows; those that ended in an engine error hold nothing to audit."""
    keys: dict[str, set[str]] = {}
    for row in Store(out).read_samples(["run_id", "sample_key"], pc.field("error").is_null()).to_pylist():
        keys.setdefault(row["run_id"], set()).add(row["sample_key"])
    return keys


def _draw(out: Path, keys: Mapping[str, set[str]], num_rows: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """run_id -> its drawn rows."""

    def drawn_first(key: str) -> str:
        return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()

    chosen = [key for its_keys in keys.values() for key in sorted(its_keys, key=drawn_first)[:num_rows]]
    wanted = pc.field("error").is_null() & pc.field("sample_key").isin(pa.array(chosen, pa.string()))
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in Store(out).read_samples(None, wanted).to_pylist():
        found.setdefault(row["run_id"], {})[row["sample_key"]] = row
    return {run_id: list(rows.values()) for run_id, rows in found.items()}


def _model_of(run: Mapping[str, Any], config: Mapping[str, Any], out: Path) -> str:
    """The folder or hub name whose weights a run's rows are said to come from; "" where older results name none."""
    if run["recipe"] == "base":
        return str(config.get("base_model") or "")
    return str(out / "recipes" / run["recipe"] / "checkpoint")


def _why_not(
    model: str, run: Mapping[str, Any], config: Mapping[str, Any], out: Path, largest: int | None
) -> str | None:
    """Why `run` cannot be held against `model`, if it cannot: that is not there, or not the one of the run any more."""
    if run["recipe"] == "base":
        if not model or (Path(model).is_absolute() and not Path(model).is_dir()):
            return f"there is no model at '{model}'" if model else "the run does not say where its model lies"
        if provenance.model_identity(model) != config["model_identity"]:
            return f"the model at {model} is not the one of the run any more"
    else:
        folder = out / "recipes" / run["recipe"]
        try:
            identity = json.loads((folder / "training.json").read_text()).get("identity")
        except (OSError, ValueError, AttributeError):
            return f"no finished training in {folder}"
        if identity != config["model_identity"]:
            return f"the checkpoint in {folder} is of another training"
        if not Path(model).is_dir():
            return f"the checkpoint in {folder} was removed"
    size = sum(path.stat().st_size for path in Path(model).glob("*.safetensors"))
    if largest is not None and (size > largest or not Path(model).is_dir()):
        return "the model is too large to load beside the study; run `harness audit` where it fits"
    return None


def _is_sampled(config: Mapping[str, Any]) -> bool:
    sampling = config["sampling"]
    warm = [sampling["temperature"], sampling["thinking_temperature"] or 0, *config["budget"]["round_temperatures"]]
    return any(warm) or bool(sampling["frequency_penalty"])


def _witness(model: str, tokenizer: str | None) -> Witness | str:
    """The model to hold rows against, or why it cannot be loaded."""
    try:
        return Witness(model, tokenizer)
    except Exception as error:  # noqa: BLE001  the loading: a damaged folder fails in many ways, and the other models go on
        return f"the model at {model} cannot be loaded: {(str(error).strip() or type(error).__name__).splitlines()[0]}"


class Witness:
    """A checkpoint in plain transformers, float32, on a GPU where there is one. `tokenizer`: not its own."""

    def __init__(self, model: str, tokenizer: str | None = None) -> None:
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tokenizer or model)
        loaded = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: Any = loaded.to(self.device).eval()
        ends = [self.tokenizer.eos_token_id, self.model.generation_config.eos_token_id]
        flat = [i for end in ends for i in (end if isinstance(end, list) else [end])]
        self.eos_ids = {i for i in flat if i is not None}
        known = set(self.tokenizer.get_vocab().values())
        self.unknown = [i for i in range(self.model.config.get_text_config().vocab_size) if i not in known]

    def logits(self, ids: Sequence[int]) -> torch.Tensor:
        """What follows each prefix of `ids`: (tokens, vocabulary), ids that the tokenizer does not know left out."""
        import torch

        with torch.no_grad():
            found: torch.Tensor = self.model(input_ids=torch.tensor([list(ids)], device=self.device)).logits[0]
        found[:, self.unknown] = -torch.inf
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens and spaces as they are."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text) if ids else ""

    def single_tokens(self, strings: Sequence[str]) -> set[int]:
        """The ids of those `strings` that are one token, and the ends of text."""
        encoded = [self.tokenizer.encode(string, add_special_tokens=False) for string in strings]
        return self.eos_ids | {ids[0] for ids in encoded if len(ids) == 1}

    def would_end(self, ids: Sequence[int], first: torch.Tensor, strings: Sequence[str]) -> bool:
        """Whether the model goes on from `ids` with one of `strings` or an end of text; `first`: logits after them."""
        ends = self.single_tokens(strings)
        going_on = [int(first.argmax())]
        while going_on[-1] not in ends and len(going_on) < END_TOKENS:
            if any(string in self.decode(going_on) for string in strings):
                return True
            going_on.append(int(self.logits([*ids, *going_on])[-1].argmax()))
        return going_on[-1] in ends or any(string in self.decode(going_on) for string in strings)


def _audit_row(
    row: Mapping[str, Any], config: Mapping[str, Any], thinking: ThinkingFormat, witness: Witness | None
) -> RowAudit:
    """`witness` None: only what needs no model."""
    faults = [*_ledger_faults(row, config), *_closing_faults(row, config, thinking), *_verdict_faults(row)]
    gap, place, count = 0.0, "", 0
    if witness is not None:
        faults += _text_faults(row, witness)
        gap, place, count, ends = _greedy(row, config, thinking, witness)
        faults += ends
    return RowAudit(row["problem_id"], row["sample_index"], count, gap, place, tuple(faults))


def _ledger_faults(row: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Counts against ids, and what the budget allows against what was spent."""
    for part in ("prompt", "thinking", "closing", "answer"):
        if row[f"{part}_tokens"] != len(row[f"{part}_ids"]):
            yield f"{part}_tokens is {row[f'{part}_tokens']}, but there are {len(row[f'{part}_ids'])} ids"
    injected = sum(span["length"] for span in row["forced_spans"])
    if row["thinking_injected_tokens"] != injected or row["thinking_sampled_tokens"] < 0:
        yield f"{row['thinking_injected_tokens']} injected tokens are counted, the spans hold {injected}"
    if row["thinking_sampled_tokens"] + row["thinking_injected_tokens"] != row["thinking_tokens"]:
        yield "sampled and injected thinking tokens do not add up"
    end = 0
    for span in row["forced_spans"]:
        if span["start"] < end or span["start"] + span["length"] > row["thinking_tokens"]:
            yield f"the forced span at {span['start']} overlaps another or leaves the thought"
        end = span["start"] + span["length"]
    budget = config["budget"]
    if budget["compat"] != "readme" or not budget["force"]:
        return
    if row["thinking_tokens"] > row["budget_tokens"]:
        yield f"{row['thinking_tokens']} thinking tokens are more than the budget of {row['budget_tokens']}"
    if row["thinking_finish"] == "budget" and row["thinking_tokens"] != row["budget_tokens"]:
        yield f"the budget of {row['budget_tokens']} cut the thought at {row['thinking_tokens']} tokens"
    if budget["max_thinking_tokens"] != "auto" and row["budget_tokens"] > budget["max_thinking_tokens"]:
        yield f"a budget of {row['budget_tokens']} was in force, not {budget['max_thinking_tokens']}"
    if row["forced_end"] != (row["thinking_finish"] in ("budget", "loop")):
        yield f"forced_end is {row['forced_end']} at an end by '{row['thinking_finish']}'"
    ignores = row["num_rounds"] - 1 if row["num_rounds"] else 0
    if ignores > budget["num_ignores"]:
        yield f"{ignores} ends were ignored, {budget['num_ignores']} are allowed"
    strings = budget["ignore_str"]
    given = [strings] if isinstance(strings, str | None) else strings
    forced = sum(bool(given[index % len(given)]) for index in range(ignores))  # an empty one leaves no span
    if forced != len(row["forced_spans"]):
        yield f"{ignores} ends were ignored, {forced} with a string, but {len(row['forced_spans'])} spans were forced"


def _closing_faults(row: Mapping[str, Any], config: Mapping[str, Any], thinking: ThinkingFormat) -> Iterator[str]:
    """What was injected behind the thought."""
    natural, forced = thinking.thinking_end, thinking.thinking_end + thinking.final_answer
    if row["thinking_finish"] in ("none", "rejected"):
        allowed: tuple[str, ...] = ("",)
    elif row["forced_end"]:
        newline = row["thinking"].endswith("\n") or (not row["thinking"] and row["prompt"].endswith("\n"))
        allowed = (forced if newline else "\n" + forced,)
    else:
        allowed = (natural,)
    if row["closing"] not in allowed:
        yield f"the closing is {row['closing']!r}, not {allowed[0]!r}"


def _verdict_faults(row: Mapping[str, Any]) -> Iterator[str]:
    if row["kind"] == "choice" and row["choices"] is None:
        return  # stored before the options were
    today = score_row(row)
    if today.correct != row["correct"]:
        yield f"correct is {row['correct']} ({row['status']}), the grader says {today.correct} ({today.status}) today"


def _text_faults(row: Mapping[str, Any], witness: Witness) -> Iterator[str]:
    for part in ("thinking", "closing", "answer"):
        text = witness.decode(row[f"{part}_ids"])
        # An answer's stop string is cut off its text and stays in its ids.
        if text != row[part] and not (part == "answer" and text.startswith(row[part])):
            yield f"the {part} ids decode to {text[:60]!r}, the text is {row[part][:60]!r}"


def _greedy(
    row: Mapping[str, Any], config: Mapping[str, Any], thinking: ThinkingFormat, witness: Witness
) -> tuple[float, str, int, list[str]]:
    """The largest gap in nats of a sampled token, its place, how many were sampled; and ends that are not there."""
    prompt, thought, closing, answer = (row[f"{part}_ids"] for part in ("prompt", "thinking", "closing", "answer"))
    ids = [*prompt, *thought, *closing, *answer]
    logits = witness.logits(ids)
    budget, faults = config["budget"], list[str]()
    spans = [(span["start"], span["start"] + span["length"]) for span in row["forced_spans"]]
    injected = {index for start, end in spans for index in range(start, end)}
    stops = witness.single_tokens(thinking.stops)
    fresh = {0, *(end for _, end in spans)}  # a round's first token is no end of thinking
    unseen = max(0, row["num_rounds"] - 1 - len(spans))  # ends suppressed without a trace
    worst, place, count = 0.0, "", 0

    def judge(at: int, name: str, masked: set[int]) -> None:
        nonlocal worst, place, count
        scores = logits[at - 1]
        if masked:
            scores = scores.clone()
            scores[sorted(masked)] = float("-inf")
        gap = float(scores.max() - scores[ids[at]])
        count += 1
        if not gap <= worst:
            worst, place = gap, name

    for index in range(len(thought)):
        at = len(prompt) + index
        if index in injected:
            continue
        masked = stops if index in fresh or index < budget["min_thinking_tokens"] else set()
        if not masked and unseen and int(logits[at - 1].argmax()) in stops:
            masked, unseen = stops, unseen - 1
        judge(at, f"thinking token {index}", masked)
    for index in range(len(answer)):
        judge(len(ids) - len(answer) + index, f"answer token {index}", set())

    def must_end(at: int, what: str, strings: Sequence[str]) -> None:
        if not witness.would_end(ids[:at], logits[at - 1], strings):
            faults.append(f"{what} at token {at - len(prompt)}, where the checkpoint would go on")

    for start, _ in spans:
        must_end(len(prompt) + start, "an end of thinking was ignored", thinking.stops)
    if row["thinking_finish"] == "stop":
        must_end(len(prompt) + len(thought), "the thought ended by itself", thinking.stops)
    cut_text = witness.decode(answer) != row["answer"]  # by a stop string of the answer
    if row["answer_finish"] == "stop" and not cut_text:
        must_end(len(ids), "the answer ended by itself", thinking.answer_stops)
    return worst, place, count, faults
