"""What the JSON of a run in Every Eval Ever's schema tells of the run whose samples stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import read_json

SAMPLES = "_samples.jsonl"
# Our settings among the details that `harness export` writes, by lm-eval's and s1's names for them.
OURS = {
    "thinking_budget": "max_tokens_thinking",
    "num_ignores": "thinking_n_ignore",
    "ignore_str": "thinking_n_ignore_str",
    "method": "method",
    "seed": "seed",
}
# What `harness export` tells of a response among the facts of its problem.
OF_A_RESPONSE = ("status", "kind", "sample_index", "forced_end", "thinking_tokens")


def settings_beside(samples: Path) -> dict[str, Any]:
    """The generation settings of a file of samples, from the run's JSON beside it; nothing where there is none."""
    if not samples.name.endswith(SAMPLES):
        return {}
    try:
        run = read_json(samples.with_name(samples.name.removesuffix(SAMPLES) + ".json"), "")
    except UserError:
        return {}
    results = run.get("evaluation_results")
    first = results[0] if isinstance(results, list) and results and isinstance(results[0], Mapping) else {}
    config = first.get("generation_config")
    found: dict[str, Any] = {}
    for group in ("generation_args", "additional_details"):
        told = config.get(group) if isinstance(config, Mapping) else None
        found |= {key: value for key, value in told.items() if value is not None} if isinstance(told, Mapping) else {}
    library = run.get("eval_library")
    if not isinstance(library, Mapping) or library.get("name") != "s1-harness":
        return found
    return {OURS.get(key, key): value for key, value in found.items() if key != "run_id"}
