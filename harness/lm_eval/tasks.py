r"""The functions that the lm-eval task files in tasks/ name: problems, prompts and scoring are the harness's own.

    lm_eval --model s1-vllm --include_path tasks --tasks aime24_nofigures \
        --metadata '{"data_dir": "DIR"}'                 # optional: local files instead of the hub

s1's environment variables put the budget into the question: PROMPTTOKEN=4096, PROMPTSTEP=64,
PROMPTLONG=true, PROMPTSHORT=true; the first that is set, in this order STEP, TOKEN, LONG, SHORT, for every task.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import tasks
from harness.analysis.metrics import maj_at_k
from harness.config import Budget, Method
from harness.generation.instructions import instruct
from harness.lm_eval.response import verdict

if TYPE_CHECKING:
    import datasets

PROMPT_VARIABLES: dict[str, Method] = {
    "PROMPTSTEP": "step_conditional",
    "PROMPTTOKEN": "token_conditional",
    "PROMPTLONG": "class_conditional",
    "PROMPTSHORT": "class_conditional",
}
OFF = ("", "0", "false", "no", "off")  # s1 takes PROMPTLONG=false for "set"; we take it for what it says


def load(task: str, data_dir: str | None = None, option_seed: int = 0, **_: Any) -> datasets.DatasetDict:
    """The problems of `task` as lm-eval wants them. lm-eval passes `--metadata` and the file's dataset_kwargs."""
    import datasets

    problems = tasks.load(task, Path(data_dir) if data_dir else None, option_seed)
    rows = [
        {"id": p.id, "problem": p.question, "answer": p.gold, "kind": p.kind, "choices": list(p.choices)}
        for p in problems
    ]
    return datasets.DatasetDict({"test": datasets.Dataset.from_list(rows)})


def prompted_budget() -> Budget | None:
    """The conditional method that the environment asks for, if any."""
    for variable, method in PROMPT_VARIABLES.items():
        value = os.environ.get(variable, "").strip()
        if value.lower() in OFF:
            continue
        told = variable.removeprefix("PROMPT").lower() if method == "class_conditional" else value
        return Budget(method=method, instructed=told, force=False)
    return None


def question(doc: Mapping[str, Any]) -> str:
    """The user's turn: the problem, with s1's instruction on thinking length if the environment asks for one."""
    budget = prompted_budget()
    return instruct(doc["problem"], budget) if budget else str(doc["problem"])


def target(doc: Mapping[str, Any]) -> str:
    """The gold answer."""
    return str(doc["answer"])


def process_results(doc: Mapping[str, Any], results: Sequence[Any], group: int = 1) -> dict[str, Any]:
    """Scores of one problem. With repeats (`group` > 1): the first sample's, and cov@k and maj@k over all of them.

    A gold that does not parse scores 0 here, since lm-eval cannot exclude a row from a mean; `harness` does.
    """
    responses = results[0] if results and isinstance(results[0], list) else list(results)
    verdicts = [verdict(text, doc) for text in responses]
    right = [float(bool(one.correct)) for one in verdicts]
    scores: dict[str, Any] = {
        "exact_match": right[0],
        "no_answer": float(verdicts[0].extracted is None),
        "extracted_answers": [one.extracted or "" for one in verdicts],
        "exact_matches": right,
        "status": [one.status for one in verdicts],
    }
    if group > 1:
        answers = [one.extracted for one in verdicts]
        scores[f"maj@{group}"] = maj_at_k(answers, right, len(answers))
        scores[f"cov@{group}"] = max(right)
        scores[f"mean@{group}"] = sum(right) / len(right)
    return scores


def answers_read(items: Sequence[Sequence[str]]) -> str:
    """What lm-eval's table says of the extracted answers, which are logged with each sample: "57 of 60"."""
    answers = [answer for item in items for answer in item]
    return f"{sum(map(bool, answers))} of {len(answers)}"


def answers_right(items: Sequence[Sequence[float]]) -> str:
    """The same of the verdicts: "24 of 60", each sample counted."""
    verdicts = [right for item in items for right in item]
    return f"{sum(map(bool, verdicts))} of {len(verdicts)}"


def statuses(items: Sequence[Sequence[str]]) -> str:
    """The same of the statuses, the most frequent first: "incorrect 30, correct 24, truncated 6"."""
    counts = Counter(status for item in items for status in item)
    return ", ".join(f"{status} {count}" for status, count in counts.most_common())


process_results_agg64 = partial(process_results, group=64)
