"""An independent reader of finished results: is each stored row what its checkpoint says, and does its ledger add up?

It takes some rows of each run, and asks plain transformers, which generated none of them: under greedy decoding every
sampled token must be the most likely one after the tokens before it, and every end of a thought one that the model
itself would have made there. Nothing of the engines, of the budget machine or of the replay is used here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness import provenance
from harness.checked import from_plain
from harness.config import Budget, Sampling, to_plain
from harness.errors import UserError
from harness.files import write_json
from harness.generation.engines.chat import NAME as CHAT
from harness.records import run_config, short
from harness.runtime.ledger import closing_faults, ledger_faults, verdict_faults
from harness.runtime.witness import Witness, greedy_gap, text_faults
from harness.store import AUDIT_NAME, Store
from harness.thinking import ThinkingFormat, thinking_format

NEAR_TIES = {"float32": 0.02, "float16": 0.1, "bfloat16": 0.5}  # gap in nats that rounding explains, by dtype
WIDEST = max(NEAR_TIES.values())  # where nobody knows the dtype: a server's, or an "auto" of older results
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
    """One run.

    recipe    what its model is called
    near_tie  the gap in nats that rounding explains in the dtype that the run was generated in
    """

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
    except OSError as error:
        raise UserError(f"{out}: its Parquet files cannot be read ({error}); restore them from a copy") from error
    if not runs:
        raise UserError(f"{out} holds no finished run to audit; give the --out of `harness ablate` or `evaluate`")
    audits: list[RunAudit] = []
    bases = sorted({run["model"] for run in runs if run["recipe"] == "base" and run["model"]})
    by_model: dict[str, list[tuple[RunAudit, dict[str, Any]]]] = {}
    for run in runs:
        config = _config(run)
        one = RunAudit(run["run_id"], _name(run, bases), run["task"] or "", config, _near_tie(config))
        audits.append(one)
        if odd := _not_ours(run, config):
            one.not_audited = odd
            continue
        if "imported_from" in config:
            one.not_audited = "imported from a log: it holds no token ids and names no checkpoint"
            continue
        one.num_missing = max(0, run["num_problems"] * run["num_samples"] - len(keys.get(run["run_id"], ())))
        if dict(config.get("engine") or {}).get("name") == CHAT:
            one.not_audited = "chat completions hold no token ids: only the verdicts are looked at"
            one.rows = [_verdict_row(row) for row in drawn.get(run["run_id"], ())]
            continue
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
                one.not_audited = "sampled at a temperature, with a penalty or a bias: no greedy path"
            reader = witness if isinstance(witness, Witness) and one.not_audited is None else None
            thinking = thinking_format(config["thinking"])
            one.rows = [_audit_row(row, config, thinking, reader) for row in drawn.get(run["run_id"], ())]
    return audits


def keep(out: Path, audits: Sequence[RunAudit]) -> None:
    """Store the audit's line in `out`, where the page and the model cards find it; not where nobody may write."""
    if not os.access(out, os.W_OK):
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    rows = sum(len(run.rows) for run in audits)
    write_json(
        out / AUDIT_NAME, {"summary": summary(audits), "num_rows": rows, "faults": faults_of(audits), "created_at": at}
    )


def faults_of(audits: Sequence[RunAudit]) -> list[str]:
    """Every fault in a line of its own, with its run's recipe and task."""
    return [f"{run.recipe}, {run.task}: {fault}" for run in audits for fault in run.faults]


def summary(audits: Sequence[RunAudit]) -> str:
    """The audit in one line."""
    held = [run for run in audits if run.not_audited is None]
    rows = sum(len(run.rows) for run in held)
    greedy, ties = sum(run.num_greedy for run in held), sum(run.num_near_ties for run in held)
    text = f"audit: {greedy} of {rows} audited rows are their checkpoint's greedy path by plain transformers"
    if not rows:
        text = "audit: no row was held against its checkpoint"
    if ties:
        widest = max(row.gap for run in held for row in run.rows if row.gap <= run.near_tie)
        text += f" ({ties} with a near tie, at most {widest:.2g} nats)"
    if left_out := [run for run in audits if run.not_audited is not None]:
        text += f"; {len(left_out)} of {len(audits)} runs not compared ({left_out[0].not_audited})"
    faults = sum(len(run.faults) for run in audits)
    looked = sum(len(run.rows) for run in audits)
    good = f"; of {looked} rows texts, ledgers, forced spans and verdicts hold" if not rows else ""
    good = good or "; texts, ledgers, forced spans and verdicts hold"
    return text + (f"; {faults} faults" if faults else good if looked else "")


def _name(run: Mapping[str, Any], bases: Sequence[str]) -> str:
    """What a run's model is called: by its recipe; by its own name where several have none."""
    named = run["recipe"] == "base" and len(bases) > 1 and run["model"]
    return short(run["model"], bases) if named else run["recipe"] or ""


def _config(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration; settings that are younger than the results have their defaults."""
    config, _ = run_config(run["config"])
    defaults = {"budget": to_plain(Budget()), "sampling": to_plain(Sampling())}
    return config | {name: plain | config.get(name, {}) for name, plain in defaults.items()}


def _not_ours(run: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """Why a run's row does not say enough to audit it, if it does not."""
    if "imported_from" in config:
        return None
    lacking = [name for name in ("run_id", "recipe", "task", "num_problems", "num_samples") if run[name] is None]
    lacking += [name for name in ("model_identity", "thinking") if name not in config]
    if lacking:
        return f"its row in runs.parquet has no {', '.join(lacking)}"
    try:
        thinking_format(config["thinking"])
        from_plain(Budget, config["budget"], "its budget: ")
        from_plain(Sampling, config["sampling"], "its sampling: ")
    except UserError as error:
        return str(error)
    return None


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
    penalties = (sampling["presence_penalty"], sampling["frequency_penalty"], sampling["repetition_penalty"] - 1)
    return any(warm) or any(penalties) or bool(sampling["logit_bias"])


def _witness(model: str, tokenizer: str | None) -> Witness | str:
    """The model to hold rows against, or why it cannot be loaded."""
    try:
        return Witness(model, tokenizer)
    except Exception as error:  # noqa: BLE001  the loading: a damaged folder fails in many ways, and the other models go on
        return f"the model at {model} cannot be loaded: {(str(error).strip() or type(error).__name__).splitlines()[0]}"


def _verdict_row(row: Mapping[str, Any]) -> RowAudit:
    return RowAudit(row["problem_id"], row["sample_index"], 0, 0.0, "", tuple(verdict_faults(row)))


def _audit_row(
    row: Mapping[str, Any], config: Mapping[str, Any], thinking: ThinkingFormat, witness: Witness | None
) -> RowAudit:
    """`witness` None: only what needs no model."""
    faults = [*ledger_faults(row, config), *closing_faults(row, config, thinking), *verdict_faults(row)]
    gap, place, count = 0.0, "", 0
    if witness is not None:
        faults += text_faults(row, witness)
        gap, place, count, ends = greedy_gap(row, config, thinking, witness)
        faults += ends
    return RowAudit(row["problem_id"], row["sample_index"], count, gap, place, tuple(faults))
