"""A results folder in the schema of Every Eval Ever, for its datastore and for whatever reads it.

    DIR/data/TASK/ORG/MODEL/UUID.json             one run: its model, settings, accuracy with its interval
    DIR/data/TASK/ORG/MODEL/UUID_samples.jsonl    its generations, one per line

Schema 0.3.0 (github.com/evaleval/every_eval_ever). What the schema has no field for stands in `additional_details` and
`metadata`, as text. `harness import` reads the samples back. No folder, user or host of this machine is named
(`places`), and questions and samples of GPQA are left out.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc

from harness import __version__
from harness.analysis.intervals import share_interval
from harness.errors import UserError
from harness.files import json_line, json_row, write_json, write_json_lines
from harness.records import run_config
from harness.report.gated import is_gated
from harness.report.places import LOCAL, Places
from harness.store import Store

SCHEMA = "0.3.0"
RESULT = "accuracy"
Relationship = Literal["first_party", "third_party", "collaborative", "other"]


def export(out: Path, to: Path, organization: str, relationship: Relationship, developer: str | None) -> list[str]:
    """Write every finished run of a results folder.

    Args:
        out: The results folder.
        to: Where data/ is made.
        organization: Who evaluated.
        relationship: Of the evaluator to the models.
        developer: Whose the models are that have no hub name; None: the organization's.

    Returns:
        One line per run.

    Raises:
        UserError: there is no finished run.
    """
    store = Store(out)
    runs = [run for run in store.runs() if run["status"] == "done"]
    if not runs:
        raise UserError(f"{out} holds no finished run; give the --out of ablate, evaluate or import")
    source = {
        "source_name": "s1-harness",
        "source_type": "evaluation_run",
        "source_organization_name": organization,
        "evaluator_relationship": relationship,
    }
    places = Places(out, taken=[str(run["model"]) for run in runs])
    for run in runs:
        places.place(str(run["model"]), "model")
    return [_write(store, run, to, source, developer or organization, places) for run in runs]


def _write(
    store: Store, run: Mapping[str, Any], to: Path, source: Mapping[str, Any], developer: str, places: Places
) -> str:
    rows = store.read_samples(None, pc.field("run_id") == run["run_id"]).to_pylist()
    scored = [row for row in rows if None not in (row["correct"], row["problem_id"], row["gold"])]
    if not scored:
        return f"{run['task']}, {run['model']}: no scored row, left out"
    model_id = _model_id(run, developer, places)
    name = str(uuid.UUID(bytes=hashlib.sha256(run["run_id"].encode()).digest()[:16], version=4))
    folder = "/".join(("data", _safe(run["task"]), *(_safe(part) for part in model_id.split("/", 1))))
    identity = f"{run['task']}/{model_id.replace('/', '_')}/{run['run_id']}"
    whole = {
        "schema_version": SCHEMA,
        "evaluation_id": identity,
        "evaluation_timestamp": run["created_at"] or "",
        "retrieved_timestamp": _seconds(run["created_at"]),
        "source_metadata": dict(source),
        "eval_library": {"name": "s1-harness", "version": __version__, "additional_details": _texts(_library(run))},
        "model_info": _model_info(run, model_id),
        "evaluation_results": [_result(run, scored, len(rows))],
    }
    said = "its figures alone (its authors ask that no question is published)"
    if not is_gated(run["task"], _config(run)):
        samples = to / folder / f"{name}_samples.jsonl"
        instances = list(_instances(scored, identity, model_id, places))
        write_json_lines(samples, instances)
        whole["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": f"{folder}/{samples.name}",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(b"".join(map(json_line, instances))).hexdigest(),
            "total_rows": len(instances),
        }
        said = f"{len(instances)} rows"
    write_json(to / folder / f"{name}.json", whole)
    return f"{run['task']}, {model_id}: {said} -> {to / folder / name}.json"


def _model_id(run: Mapping[str, Any], developer: str, places: Places) -> str:
    """ORG/NAME: a hub name as it is, a trained model by its study and recipe, a folder as `places` names it."""
    model = str(run["model"])
    if run["recipe"] not in ("base", "published", None):
        named = model if run["recipe"] in model else f"{model}_{run['recipe']}"
        return f"{_safe(developer)}/{_safe(named)}"
    named = places.place(model, "model")
    of_hub, at, _ = named.partition("@")  # a folder of the hub's cache is its model at a commit
    if of_hub.count("/") == 1 and (named == model or at):
        return model if named == model else of_hub
    return f"{_safe(developer)}/{_safe(named.removeprefix(LOCAL))}"


def _safe(text: str) -> str:
    """A path component on every system."""
    return re.sub(r"[^\w.+-]+", "_", str(text)).strip("._ ") or "unnamed"


def _model_info(run: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    engine, _, version = str(run["engine"] or "").partition(" ")
    served = engine.startswith("openai") or engine == "imported"
    details = {
        "deployment_type": "unknown" if served else "self_deployed",
        "model_availability": "unknown",
        "recipe": run["recipe"],
        "model_identity": _config(run).get("model_identity"),
        "device": run["device"],
    }
    info: dict[str, Any] = {"name": model_id.partition("/")[2], "id": model_id, "additional_details": _texts(details)}
    if engine and engine != "imported":
        info["inference_engine"] = {"name": engine, "version": version or "unknown"}
    return info


def _library(run: Mapping[str, Any]) -> dict[str, Any]:
    return {"commit": run["commit"], "versions": run["versions"], "imported_from": _config(run).get("imported_from")}


def _result(run: Mapping[str, Any], scored: list[dict[str, Any]], num_rows: int) -> dict[str, Any]:
    """The run's accuracy: the mean over problems of their samples' share of right ones, with its 95% interval."""
    problems: dict[str, list[float]] = {}
    for row in scored:
        problems.setdefault(row["problem_id"], []).append(float(row["correct"]))
    interval = share_interval([sum(values) / len(values) for values in problems.values()])
    score: dict[str, Any] = {"score": interval.mean, "details": _texts({"not_scored": num_rows - len(scored)})}
    if np.isfinite([interval.low, interval.high]).all():
        bounds = {"lower": interval.low, "upper": interval.high, "confidence_level": 0.95, "method": "share_interval"}
        score["uncertainty"] = {"confidence_interval": bounds, "num_samples": len(problems)}
    return {
        "evaluation_result_id": RESULT,
        "evaluation_name": run["task"],
        "source_data": _source(run, len(problems)),
        "metric_config": {
            "metric_id": RESULT,
            "metric_name": "Accuracy",
            "metric_kind": RESULT,
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": score,
        "generation_config": _generation(run),
    }


def _source(run: Mapping[str, Any], num_problems: int) -> dict[str, Any]:
    told = _config(run).get("task_source") or {}
    if not told.get("hub"):
        details = _texts({key: told.get(key) for key in ("file", "sha256", "lm_eval", "lm_eval_version")})
        return {"dataset_name": run["task"], "source_type": "other", "additional_details": details}
    found = {
        "dataset_name": run["task"],
        "source_type": "hf_dataset",
        "hf_repo": told["hub"],
        "hf_split": told.get("split"),
        "hf_config": told.get("config"),
        "hf_revision": told.get("revision"),
        "samples_number": num_problems,
    }
    return {key: value for key, value in found.items() if value is not None}


def _generation(run: Mapping[str, Any]) -> dict[str, Any]:
    config = _config(run)
    sampling, budget = config.get("sampling") or {}, config.get("budget") or {}
    arguments = {name: sampling[name] for name in ("temperature", "top_p", "top_k") if _is_number(sampling.get(name))}
    arguments["reasoning"] = run["method"] != "no_thinking"
    details = {
        **{name: run[name] for name in ("run_id", "study", "method", "num_ignores", "ignore_str", "instructed")},
        "thinking_budget": budget.get("max_thinking_tokens", run["max_thinking_tokens"]),
        "max_answer_tokens": sampling.get("max_answer_tokens"),
        "num_samples": run["num_samples"],
        "seed": run["seed"],
        "max_model_len": config.get("max_model_len"),
        "problems": config.get("problems"),
    }
    return {"generation_args": arguments, "additional_details": _texts(details)}


def _instances(rows: list[dict[str, Any]], identity: str, model_id: str, places: Places) -> Iterator[dict[str, Any]]:
    for row in sorted(rows, key=lambda row: (row["problem_id"], row["sample_index"] or 0)):
        golds = row["gold"].split("\n") if row["kind"] == "text" else [row["gold"]]
        asked = json.dumps([row["question"], golds])
        whole = "".join(row[name] or "" for name in ("thinking", "closing", "answer"))
        found = json_row((row["metadata"] or "{}").encode(), encodable=True)
        facts = {} if isinstance(found, str) else found
        yield {
            "schema_version": SCHEMA,
            "evaluation_id": identity,
            "model_id": model_id,
            "evaluation_name": row["task"],
            "evaluation_result_id": RESULT,
            "sample_id": row["problem_id"],
            "sample_hash": hashlib.sha256(asked.encode()).hexdigest(),
            "interaction_type": "single_turn",
            "input": {
                "raw": row["question"] or "",
                "formatted": row["prompt"],
                "reference": golds,
                "choices": row["choices"] or None,
            },
            "output": {"raw": [whole], "reasoning_trace": [row["thinking"]] if row["thinking"] else None},
            "answer_attribution": _attribution(row),
            "evaluation": {"score": float(row["correct"]), "is_correct": bool(row["correct"])},
            "token_usage": _tokens(row),
            "error": places.message(row["error"]) if row["error"] else row["error"],
            "metadata": _texts(
                {
                    **facts,
                    "status": row["status"],
                    "kind": row["kind"],
                    "sample_index": row["sample_index"],
                    "forced_end": row["forced_end"],
                    "thinking_tokens": row["thinking_tokens"],
                }
            ),
        }


def _attribution(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    if row["extracted"] is None:
        return []
    return [
        {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": row["extracted"],
            "extraction_method": "s1-harness",
            "is_terminal": True,
        }
    ]


def _tokens(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Null where a count is not known: the schema has no other word for it."""
    parts = [row[name] for name in ("thinking_tokens", "closing_tokens", "answer_tokens")]
    if row["prompt_tokens"] is None or None in parts:
        return None
    said = sum(parts)
    usage = {"input_tokens": row["prompt_tokens"], "output_tokens": said, "total_tokens": row["prompt_tokens"] + said}
    return usage | {"reasoning_tokens": row["thinking_tokens"]}


def _config(run: Mapping[str, Any]) -> dict[str, Any]:
    return run_config(run["config"])[0]


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """What is known of `values`, as the schema's text."""
    return {name: _text(value) for name, value in values.items() if value not in (None, "", [])}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _seconds(created_at: str | None) -> str:
    try:
        return str(int(datetime.fromisoformat(created_at or "").timestamp()))
    except ValueError:
        return "0"
