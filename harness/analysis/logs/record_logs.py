"""Logs whose every record is one problem or one response.

Qwen2.5-Math, NeMo-Skills, evalchemy, SkyThought, simple-evals, Every Eval Ever, and plain rows.

A format is a name, the fields that give it away, and what each of its records means. Formats that store a problem's
responses in records of their own are joined by the problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.analysis.logs import every_eval_ever, simple_evals_logs, skythought_logs
from harness.analysis.logs.golds import GOLD_FIELDS, QUESTION_FIELDS, metadata_of
from harness.analysis.logs.logged import (
    THINKING_LIMITS,
    Log,
    Logged,
    chat_prompt,
    first_known,
    first_text,
    flat_texts,
    parsed,
    response_text,
    with_reasoning,
    with_responses_of,
)
from harness.analysis.logs.problems import Format, Record, problem_of, texts_of
from harness.errors import UserError

RESPONSE_FIELDS = (
    "response",
    "responses",
    "generation",
    "generations",
    "output",
    "outputs",
    "completion",
    "completions",
    "model_output",
    "model_outputs",
    "model_response",
    "prediction",
    "predictions",
    "generated_text",
    "answer_text",
    "generated_responses",
)
THOUGHTS = ("reasoning_content", "reasoning_contents", "reasoning_trace", "thinking")  # "reasoning" is a gold's too
SETTINGS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "max_new_tokens",
    "max_gen_toks",
    "reasoning_effort",
    *THINKING_LIMITS,
)
PLAIN_SCORES = ("correct", "is_correct", "score", "scores", "acc", "accuracy", "exact_match", "passed", "label_correct")
NOT_METADATA = ("model", "task", "kind", "prompt", "extracted", "sample_index", "seed")


def _qwen_math(record: Record, number: int) -> list[Logged] | str:
    responses = flat_texts(record["code"])
    if not responses:
        return "code holds no text"
    return [
        problem_of(
            record,
            number,
            responses,
            [record.get("answer"), record.get("gt")],
            prompt=first_text(record, "query"),
            correct=record.get("score"),
            extracted=record.get("pred"),
        )
    ]


def _nemo(record: Record, number: int) -> list[Logged] | str:
    reasoning = first_text(record, "reasoning_content")
    response = response_text(record.get("generation"))
    judged = first_text(record, "judgement")
    score = first_known(record, "symbolic_correct", "is_correct", "llm_correct", "judge_correct")
    if score is None and judged:
        score = "yes" in judged.lower().partition("judgement:")[2]
    golds = [record.get("expected_answer"), record.get("answer")]
    metadata = _without(metadata_of(record), "symbolic_correct", "predicted_answer", "judgement", "generation")
    used = {key: record[key] for key in ("num_generated_tokens", "finish_reason") if record.get(key) is not None}
    return [
        problem_of(
            record,
            number,
            (with_reasoning(reasoning, response),),
            golds,
            correct=score,
            extracted=record.get("predicted_answer"),
            metadata=metadata | used,
        )
    ]


def _evalchemy(record: Record, number: int) -> list[Logged] | str:
    outputs = next((record[name] for name in ("model_outputs", "model_output", "output") if name in record), None)
    responses = flat_texts(outputs)
    if not responses:
        return "model_outputs hold no text"
    golds = [record.get("expected_answer"), *(record.get(name) for name in GOLD_FIELDS)]
    extracted = record.get("model_answers", record.get("model_answer"))
    score = first_known(record, "correctness", *PLAIN_SCORES)
    return [
        problem_of(
            record,
            number,
            responses,
            golds,
            correct=score,
            extracted=extracted,
            metadata=_without(metadata_of(record), "model_answer", "model_output"),
        )
    ]


def _every_eval_ever(record: Record, number: int) -> list[Logged] | str:
    asked, output = record["input"], record.get("output") or {}
    turns = record.get("messages") or record.get("interactions")
    raw = output.get("raw") if isinstance(output, Mapping) else None
    responses = list(flat_texts(raw) or ())
    thoughts = flat_texts(output.get("reasoning_trace")) if isinstance(output, Mapping) else None
    if not responses and isinstance(turns, list):
        last: dict[str, Any] = next((turn for turn in reversed(turns) if turn.get("role") == "assistant"), {})
        responses, thoughts = [response_text(last.get("content"))], (response_text(last.get("reasoning_trace")),)
    for place, thought in enumerate((thoughts or ())[: len(responses)]):
        if thought and thought not in (responses[place] or ""):
            responses[place] = with_reasoning(thought, responses[place])
    score = record.get("evaluation") or {}
    choices = asked.get("choices")
    extracted = [one.get("extracted_value") for one in record.get("answer_attribution") or () if one.get("is_terminal")]
    told = _object(record.get("metadata"))
    return [
        problem_of(
            record,
            number,
            responses or (None,),
            [asked.get("reference")],
            doc={"id": record["sample_id"]},
            question=first_text(asked, "raw"),
            prompt=first_text(asked, "formatted"),
            correct=score.get("is_correct"),
            extracted=extracted,
            choices=tuple(map(str, choices or ())),
            model=record.get("model_id"),
            task=record.get("evaluation_name"),
            kind=told.get("kind"),
            metadata=_without(metadata_of(told), *every_eval_ever.OF_A_RESPONSE),
        )
    ]


def _object(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}


def _without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in names}


def _has(*names: str) -> Callable[[Record], bool]:
    return lambda record: all(name in record for name in names)


def _plain_fields(record: Record) -> tuple[str, str] | None:
    """(field of the response, field of the gold) of a plain row; None where one of them is not to be found."""
    response = next((name for name in RESPONSE_FIELDS if name in record), None)
    gold = next((name for name in GOLD_FIELDS if name in record and name != response), None)
    return (response, gold) if response and gold else None


def _plain(record: Record, number: int) -> list[Logged] | str:
    fields = _plain_fields(record)
    if fields is None:
        return "no response or no gold answer"
    return _mapped(record, number, {"response": fields[0], "gold": fields[1]})


def _mapped(record: Record, number: int, names: Mapping[str, str]) -> list[Logged] | str:
    """A row whose fields are named by the user, or guessed."""
    value = field(record, names["response"])
    responses = texts_of(value)
    if responses is None:
        return f"'{names['response']}' holds no text"
    thoughts = flat_texts(first_known(record, *THOUGHTS)) or ()
    if len(thoughts) == len(responses):
        responses = tuple(with_reasoning(thought, text) for thought, text in zip(thoughts, responses, strict=True))
    told: dict[str, Any] = {}
    for key in ("model", "task", "kind", "prompt", "question"):
        found = field(record, names[key]) if key in names else record.get(key)
        if isinstance(found, list) and key in ("prompt", "question"):
            found = chat_prompt(found)[0 if key == "prompt" else 1]
        if isinstance(found, str) and found:
            told[key] = found
    doc = dict(record)
    if "id" in names:
        doc["unique_id"] = field(record, names["id"])
    if "choices" in names:
        doc["choices"] = field(record, names["choices"])
    score = field(record, names["correct"]) if "correct" in names else first_known(record, *PLAIN_SCORES)
    extracted = (
        field(record, names["extracted"])
        if "extracted" in names
        else first_known(record, "extracted", "pred", "predicted_answer", "extracted_answer")
    )
    named = {name.split(".")[0] for name in names.values()}
    metadata = _without(metadata_of(doc), *named, *RESPONSE_FIELDS, *PLAIN_SCORES, *THOUGHTS, *SETTINGS, *NOT_METADATA)
    kwargs = {name: record[name] for name in SETTINGS if isinstance(record.get(name), str | int | float)}
    return [
        problem_of(
            record,
            number,
            responses or (None,),
            [field(record, names["gold"])],
            doc=doc,
            correct=score,
            extracted=extracted,
            metadata=metadata,
            kwargs=kwargs,
            **told,
        )
    ]


def field(record: Record, name: str) -> Any:
    """A field by its name, or a nested one by its dotted path."""
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _is_evalchemy(record: Record) -> bool:
    return ("model_outputs" in record or "model_output" in record) and any(name in record for name in GOLD_FIELDS)


FORMATS = (
    Format("Every Eval Ever", _has("sample_id", "evaluation_id", "input", "evaluation"), _every_eval_ever, joined=True),
    Format("NeMo-Skills", _has("generation", "expected_answer"), _nemo, joined=True),
    Format("Qwen2.5-Math", lambda record: "code" in record and ("gt" in record or "answer" in record), _qwen_math),
    skythought_logs.FORMAT,
    Format("evalchemy", _is_evalchemy, _evalchemy),
    simple_evals_logs.FORMAT,
    Format("plain rows", lambda record: _plain_fields(record) is not None, _plain, joined=True),
)
ROWS = ("examples", "samples", "single_eval_results", "rows", "data", "instances")
HOLDERS = ("results", "samples", "result", "output", "outputs", "data", "metadata")  # names that are no task's
MAPPED = ("question", "response", "gold", "id", "kind", "choices", "prompt", "model", "task", "correct", "extracted")


def opened(records: Sequence[tuple[int, dict[str, Any]]], log: Log) -> list[tuple[int, dict[str, Any]]]:
    """The records inside a file that is one object, each with the name of its task where the object tells it.

    evalchemy has `examples` below the task's name, SkyThought problems by their text, simple-evals conversations. What
    the object says of the run (its model) goes to `log`.
    """
    if len(records) != 1:
        return list(records)
    whole = records[0][1]
    if columns := _columns(whole):
        return list(enumerate(columns, 1))
    log.model = _model(whole)
    found = simple_evals_logs.records_in(whole, log) or skythought_logs.records_in(whole, log) or _nested(whole, "", 0)
    return list(enumerate(found, 1)) if found else list(records)


def _columns(whole: Record) -> list[dict[str, Any]]:
    """The rows of an object that holds columns, lists or pandas' {row: value}; none of another object."""
    columns = list(whole.values())
    if _plain_fields(whole) is None or not any(name in whole for name in QUESTION_FIELDS):
        return []
    if all(isinstance(one, list) and len(one) == len(columns[0]) for one in columns):
        return [dict(zip(whole, row, strict=True)) for row in zip(*columns, strict=True)]
    if all(isinstance(one, Mapping) and list(one) == list(columns[0]) for one in columns):
        return [{name: column[key] for name, column in whole.items()} for key in columns[0]]
    return []


def _nested(holder: Record, name: str, depth: int) -> list[dict[str, Any]]:
    """The rows in a list of the holder, or of what it holds below names of tasks."""
    for key in ROWS:
        rows = holder.get(key)
        if isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows):
            return [{"task": name} | row if name else dict(row) for row in rows]
    if depth > 2:
        return []
    inner = [(key, value) for key, value in holder.items() if isinstance(value, Mapping)]
    return [row for key, value in inner for row in _nested(value, "" if key in HOLDERS else key, depth + 1)]


def _model(whole: Record) -> str | None:
    config = whole.get("config")
    for holder in (whole, config if isinstance(config, Mapping) else {}):
        for name in ("model_name", "model", "model_id"):
            if isinstance(holder.get(name), str) and holder[name]:
                found = re.search(r"pretrained=([^,]+)", holder[name])
                return found.group(1) if found else str(holder[name])
    return None


def format_of(records: Sequence[tuple[int, dict[str, Any]]]) -> Format | None:
    """The format that most of the records have; None when it is none of these."""
    best, most = None, 0
    for one in FORMATS:
        num = sum(one.matches(record) for _, record in records)
        if num > most:
            best, most = one, num
    return best


def read(records: Sequence[tuple[int, dict[str, Any]]], log: Log, chosen: Format) -> None:
    """Put the samples of these records into `log`, joined by problem where the format has a record per response."""
    log.name = chosen.name
    found: list[Logged] = []
    for number, record in records:
        samples = parsed(chosen.read, record, number) if chosen.matches(record) else f"no record of {chosen.name}"
        if isinstance(samples, str):
            log.skipped.append((number, samples))
        else:
            task = record.get("task")
            told = isinstance(task, str) and task
            found += [replace(one, task=one.task or task) if told else one for one in samples]
    log.samples += _joined(found) if chosen.joined else found


def _joined(samples: Sequence[Logged]) -> list[Logged]:
    """One sample for each problem: records of the same id, question and gold are its responses."""
    places: dict[tuple[Any, ...], int] = {}
    found: list[Logged] = []
    for one in samples:
        identified = one.problem_id != one.doc_id
        settings = tuple(sorted(one.kwargs.items()))
        key = (one.problem_id if identified else "", one.question, one.gold, one.model, one.task, settings)
        if one.question and key in places:
            found[places[key]] = with_responses_of(found[places[key]], one)
        else:
            places[key] = len(found)
            found.append(one)
    return found


def mapping(pairs: Sequence[str]) -> dict[str, str]:
    """`--map` as {our name: the file's field}. Raises UserError for a pair that is none, or an unknown name."""
    found = {}
    for pair in pairs:
        for part in pair.split(","):
            name, equals, value = part.partition("=")
            if not equals or name.strip() not in MAPPED or not value.strip():
                raise UserError(f"--map {part}: give NAME=FIELD, where NAME is one of {', '.join(MAPPED)}")
            found[name.strip()] = value.strip()
    if missing := [name for name in ("response", "gold") if found and name not in found]:
        raise UserError(f"--map names no {' and no '.join(missing)}; give {missing[0]}=FIELD")
    return found


def mapped_format(names: Mapping[str, str]) -> Format:
    """The format of rows whose fields the user names."""
    wanted = [names["response"], names["gold"]]

    def matches(record: Record) -> bool:
        return all(name in record or field(record, name) is not None for name in wanted)

    return Format("rows by --map", matches, lambda record, number: _mapped(record, number, names), joined=True)
