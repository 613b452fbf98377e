"""From files to runs: which samples are one run, and the facts of a run from its configuration or from all its rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from harness.analysis.logs.golds import LETTER, letter_of
from harness.analysis.logs.logged import THINKING_LIMITS, Log, Logged, with_responses_of, without_verdicts_of_points
from harness.analysis.logs.names import model_of, name_from, task_of
from harness.analysis.logs.published import kwargs_of, told_apart
from harness.config import Method
from harness.generation.instructions import CLASSES, STEPS, TOKENS
from harness.grading.verdict import Kind
from harness.marks import Marks, Split, split
from harness.questions import question_key

UNKNOWN_MODEL = "unknown"
SHARDS = "the same settings and no problem in common"
LIMITS = (*THINKING_LIMITS, "reasoning_tokens")  # the last is inspect_ai's; in other logs' rows it is a count
SEEDS = ("seed", "thinking_seed", "seed_thinking")


@dataclass
class Run:
    """One run of a log: its samples with the files they come from, and what holds for all of them.

    kwargs    generation settings that all rows share, as logged
    notes     what was done with its files, for the summary
    """

    model: str
    task: str
    format: str
    kwargs: dict[str, Any]
    task_config: Mapping[str, Any]
    logs: list[Log]
    samples: list[Logged]
    kind: Kind = "math"
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Control:
    """How a run controlled thinking, as the columns of a row; None: the log does not tell."""

    method: Method
    thinking_budget: str | None
    max_thinking_tokens: int | None
    num_ignores: int
    ignore_str: str | None
    instructed: str | None


def runs_of(
    logs: Sequence[Log],
    model: str | None = None,
    task: str | None = None,
    kind: Kind | None = None,
    merge: bool = False,
) -> list[Run]:
    """The runs in these logs.

    Args:
        logs: The files, read.
        model: Its name, where the logs do not tell, or instead of what they tell.
        task: The task's, likewise.
        kind: How answers compare, instead of what the log tells.
        merge: Files of one model and task are one run, whatever else they say; a problem's responses add up.

    Returns:
        One run for each model, task and file; files with the same settings and no common problem are one run.
    """
    found: list[Run] = []
    for log in logs:
        for one in _parts(log, model, task):
            whole = next((run for run in found if _same_run(run, one, merge)), None)
            if whole is None:
                found.append(one)
            else:
                whole.logs += one.logs
                whole.samples = _added(whole.samples, one.samples)
                whole.kwargs = {k: v for k, v in whole.kwargs.items() if one.kwargs.get(k) == v}
    for run in found:
        if len(run.logs) > 1:
            run.samples, _ = told_apart(run.samples)  # the ids of each file may begin anew
            why = "--merge" if merge else "its samplings" if _samplings(run.logs) else SHARDS
            run.notes.append(f"{len(run.logs)} files are one run ({why})")
        run.samples = without_verdicts_of_points(run.samples)
        run.kind = kind or kind_of(run.task, run.samples, run.task_config)
    return found


def _parts(log: Log, model: str | None, task: str | None) -> list[Run]:
    """The log's samples by model and task, where its rows name several."""
    by_name: dict[tuple[str, str], list[Logged]] = {}
    of_file = log.model or model_of(log.path, ()) or name_from(log.path) or UNKNOWN_MODEL
    by_file = task_of(log.path)
    for sample in log.samples:
        key = (model or sample.model or of_file, task or sample.task or by_file)
        by_name.setdefault(key, []).append(sample)
    made = []
    for (name, of_task), samples in by_name.items():
        kwargs = kwargs_of(replace(log, samples=samples))
        for parts in _by_settings(samples):
            shared = kwargs_of(replace(log, samples=parts)) if parts is not samples else kwargs
            made.append(Run(name, of_task, log.name, shared, log.task_config, [log], parts))
    return made


def _by_settings(samples: list[Logged]) -> list[list[Logged]]:
    """Apart where one problem stands there several times under different settings: a file that holds a sweep."""
    questions: dict[str, set[str]] = {}
    for one in samples:
        settings = {key: value for key, value in one.kwargs.items() if key not in SEEDS}
        asked = question_key(one.question, one.options) or one.problem_id
        questions.setdefault(json.dumps(settings, sort_keys=True, default=str), set()).add(asked)
    groups = list(questions.values())
    if len(groups) < 2 or not any(groups[0] & other for other in groups[1:]):
        return [samples]
    found: dict[str, list[Logged]] = {name: [] for name in questions}
    for one in samples:
        settings = {key: value for key, value in one.kwargs.items() if key not in SEEDS}
        found[json.dumps(settings, sort_keys=True, default=str)].append(one)
    return list(found.values())


def _same_run(a: Run, b: Run, merge: bool) -> bool:
    if (a.model, a.task, a.format) != (b.model, b.task, b.format):
        return False
    if merge or _samplings(a.logs + b.logs):
        return True
    mine, other = _keys(a.samples), _keys(b.samples)
    return a.kwargs == b.kwargs and dict(a.task_config) == dict(b.task_config) and not mine & other


def _samplings(logs: Sequence[Log]) -> bool:
    """Whether these are NeMo-Skills' files of one run: a folder's output-rs0.jsonl, output-rs1.jsonl, ..."""
    return len({log.path.parent for log in logs}) == 1 and all(re.search(r"-rs\d+", log.path.name) for log in logs)


def _keys(samples: Sequence[Logged]) -> set[str]:
    return {question_key(one.question, one.options) or one.problem_id for one in samples}


def _added(known: Sequence[Logged], new: Sequence[Logged]) -> list[Logged]:
    """Both, one sample for each problem: the responses of the second behind those of the first."""
    found = list(known)
    keys = [question_key(one.question, one.options) for one in found]
    places = {(one.problem_id, key): at for at, (one, key) in enumerate(zip(found, keys, strict=True))}
    texts = Counter((key, one.gold) for one, key in zip(found, keys, strict=True))
    asked = {(key, one.gold): at for at, (one, key) in enumerate(zip(found, keys, strict=True)) if key}
    for one in new:
        key = question_key(one.question, one.options)
        at = places.get((one.problem_id, key))
        if at is None and one.problem_id == one.doc_id:  # its place in a file, and the files may differ in their order
            at = asked.get((key, one.gold)) if texts[key, one.gold] == 1 else None
        if at is None:
            found.append(one)
        else:
            found[at] = with_responses_of(found[at], one)
    return found


def kind_of(task: str, samples: Sequence[Logged] = (), config: Mapping[str, Any] | None = None) -> Kind:
    """How a task's answers compare: by the log's task configuration, by all its options and golds, by its name."""
    told = next((one.kind for one in samples if one.kind), None)
    if told in get_args(Kind):
        return cast(Kind, told)
    known = [one for one in samples if one.golds]
    if known:
        with_options = [one for one in known if len(one.choices) > 1]
        named = all(letter_of(one.golds, one.index, one.choices, one.labels) for one in known)
        letters = all(any(LETTER.fullmatch(gold) for gold in one.golds) for one in known)
        several = (config or {}).get("output_type") == "multiple_choice" or (config or {}).get("doc_to_choice")
        if named and (len(with_options) == len(known) or letters or several):
            return "choice"
        if letters:
            return "choice"
        whole = all(re.fullmatch(r"\s*\d{1,3}\s*", one.gold) for one in known)
        return "integer" if whole and "aime" in task.lower() else "math"
    return "integer" if "aime" in task else "choice" if "gpqa" in task else "math"


def gold_text(run: Run, sample: Logged) -> str:
    """The gold as the grader takes it: a choice question's as a letter."""
    if run.kind != "choice":
        return sample.gold
    return letter_of(sample.golds, sample.index, sample.choices, sample.labels, numbered=_numbered(run)) or sample.gold


def _numbered(run: Run) -> bool:
    """Whether golds of digits are the options' numbers: not where each of them is the text of an option."""
    digits = [one for one in run.samples if one.choices and re.fullmatch(r"\d+", one.gold.strip())]
    return not all(one.index is None and one.gold.strip() in one.choices for one in digits) if digits else True


def cut(sample: Logged, response: str, marks: Sequence[Marks] = ()) -> Split:
    """A response cut where its thought ends."""
    return split(response, sample.prompt, marks)


def control_of(run: Run, cuts: Sequence[Split]) -> Control:
    """How the run controlled thinking: by its settings; where these do not tell, by all its prompts and responses.

    A response without delimiters is a row of its run like any other: `method` is never read from one response.
    """
    kwargs = run.kwargs
    method, instructed = _method(run, cuts)
    limit = next((kwargs[name] for name in LIMITS if kwargs.get(name) is not None), None)
    budget = whole(limit)
    budget = None if budget is not None and budget < 0 else budget  # -1: as much as the model wants
    ignores = whole(kwargs.get("thinking_n_ignore")) or whole(kwargs.get("num_ignores")) or 0
    waits = kwargs.get("thinking_n_ignore_str")
    return Control(
        method=method,
        thinking_budget=str(budget) if budget is not None else "auto" if limit == "auto" else None,
        max_thinking_tokens=budget,
        num_ignores=ignores,
        ignore_str="|".join(map(str, waits)) if isinstance(waits, list) else None if waits is None else str(waits),
        instructed=instructed,
    )


def _method(run: Run, cuts: Sequence[Split]) -> tuple[Method, str | None]:
    kwargs = run.kwargs
    told = kwargs.get("method")
    instruction = _instruction([sample.prompt or sample.question for sample in run.samples])
    if told in ("budget_forcing", "rejection_sampling", "no_thinking"):
        return cast(Method, told), None
    if kwargs.get("rejection_sample"):
        return "rejection_sampling", None
    if instruction:
        return instruction
    controlled = any("thinking" in str(key) and key not in ("enable_thinking",) for key in kwargs)
    if controlled or any(one.state != "none" for one in cuts):
        return "budget_forcing", None
    return "no_thinking", None


def _instruction(prompts: Sequence[str]) -> tuple[Method, str] | None:
    """The conditional method whose instruction all prompts hold, with what it tells; None without one."""
    if not prompts:
        return None
    for method, template in (("token_conditional", TOKENS), ("step_conditional", STEPS)):
        before, after = (re.escape(part.strip()) for part in template.split("{}"))
        found = [re.findall(rf"{before}\s*([\d,]+)\s*{after}", prompt) for prompt in prompts]
        told = {one[-1].replace(",", "") for one in found if one}
        if all(found) and len(told) == 1:
            return cast(Method, method), told.pop()
    for name, text in CLASSES.items():
        if all(text.strip() in prompt for prompt in prompts):
            return "class_conditional", name
    return None


def whole(value: Any) -> int | None:
    """A setting as a whole number, written as one or as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float) and value == int(value):
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d+", value.strip()) else None
