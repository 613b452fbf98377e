"""SkyThought's results.json, of its package (responses in a list) and of its scripts before (responses by temperature).

Model, task and sampling settings stand in summary.json beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.analysis.logs.golds import GOLD_FIELDS, QUESTION_FIELDS, metadata_of
from harness.analysis.logs.logged import Log, Logged, chat_prompt, first_text, response_text
from harness.analysis.logs.problems import Format, Record, problem_of
from harness.errors import UserError
from harness.files import read_json

SUMMARY = "summary.json"
NUMBER = "_index"  # the problem's number in its data set, in every record of the package
OURS = ("responses", "token_usages", "input_conversation", "prompt", "task", NUMBER)


def matches(record: Record) -> bool:
    """Whether a record is a problem of such a file."""
    responses = record.get("responses")
    if isinstance(responses, Mapping):
        return True
    return isinstance(responses, list) and all(isinstance(one, Mapping) and "correctness" in one for one in responses)


def records_in(whole: Record, log: Log) -> list[dict[str, Any]]:
    """The problems of a file, [] for another one; what summary.json tells of the run goes to `log`.

    The package has problems by their number, the scripts before it by their text.
    """
    if not whole or not all(isinstance(one, Mapping) and matches(one) for one in whole.values()):
        return []
    task = _read_summary(log)
    found = []
    for key, one in whole.items():
        record = dict(one) if any(name in one for name in QUESTION_FIELDS) else {"problem": key} | dict(one)
        found.append(record | ({"task": task} if task else {}))
    return found


def _read_summary(log: Log) -> str:
    """The task that summary.json names, "" without one; its model and sampling settings go to `log`."""
    try:
        summary = read_json(log.path.with_name(SUMMARY), "")
    except UserError:
        return ""
    configuration = _object(summary.get("configuration"))
    log.model = first_text(_object(configuration.get("model")), "name") or log.model
    sampling = _object(configuration.get("sampling_params"))
    log.kwargs = {key: value for key, value in sampling.items() if key != "n"}  # responses a problem: no setting
    return first_text(_object(configuration.get("task")), "name")


def is_summary(path: Path) -> bool:
    """Whether a file is the summary that lies beside the results."""
    return path.name == SUMMARY and path.with_name("results.json").is_file()


def _read(record: Record, number: int) -> list[Logged] | str:
    by_temperature = record["responses"]
    if isinstance(by_temperature, list):
        return [_sample(record, number, by_temperature, {})]
    samples = []
    for temperature, found in by_temperature.items():
        answers = list(found.values()) if isinstance(found, Mapping) and "content" not in found else found
        try:
            settings = {"temperature": float(temperature)}
        except ValueError:
            settings = {}
        samples.append(_sample(record, number, answers if isinstance(answers, list) else [answers], settings))
    return samples or "no responses"


def _sample(record: Record, number: int, answers: list[Any], settings: dict[str, Any]) -> Logged:
    said = [_object(one) for one in answers]
    doc = {key: value for key, value in record.items() if key not in OURS}
    prompt = first_text(record, "prompt")
    if conversation := record.get("input_conversation"):  # `prompt` is its second turn, whatever that is
        prompt = chat_prompt(conversation)[0]
    return problem_of(
        doc if NUMBER not in record else {"index": record[NUMBER]} | doc,
        number,
        [response_text(one.get("content")) for one in said] or [None],
        [record.get(name) for name in GOLD_FIELDS],
        prompt=prompt,
        correct=[one.get("correctness") for one in said],
        kwargs=settings,
        metadata=metadata_of(doc),
    )


def _object(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}


FORMAT = Format("SkyThought", matches, _read)
