"""lm-eval's samples files: 0.4.0's JSON arrays to 0.4.13's JSON lines, s1's fork's, and our own export of the kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.analysis.logs.golds import ID_FIELDS, QUESTION_FIELDS, gold_of, metadata_of, options_of
from harness.analysis.logs.likelihoods import chosen
from harness.analysis.logs.logged import (
    Log,
    Logged,
    chat_prompt,
    first_text,
    flat_texts,
    padded,
    parsed,
    verdict,
)
from harness.errors import UserError

SCORES = ("exact_match", "math_verify", "acc", "accuracy", "is_correct", "correct", "em", "score")
LOGLIKELIHOOD = (
    "a log of log-likelihoods: it holds log-probabilities of given texts, no options, no answer, so there is nothing "
    "to grade or to count; log the task's generative form (output_type: generate_until)"
)


def is_lm_eval(record: Mapping[str, Any]) -> bool:
    """Whether a record is a line of such a file."""
    return "resps" in record or "filtered_resps" in record


def read(records: Sequence[tuple[int, dict[str, Any]]], log: Log) -> None:
    """Put the samples of these records into `log`; a line that is none is skipped with its reason.

    Raises:
        UserError: the file holds log-likelihoods of anything else than options.
    """
    log.name = "lm-eval"
    scored = [record for _, record in records if is_lm_eval(record) and _holds_likelihoods(record)]
    if len([record for record in scored if chosen(record) is None]) * 2 >= max(len(records), 1):
        raise UserError(f"{log.path} is {LOGLIKELIHOOD}")
    told = [record for _, record in records if is_lm_eval(record) and isinstance(record.get("doc"), Mapping)]
    identity = next((name for name in ID_FIELDS if told and all(name in record["doc"] for record in told)), "")
    seen: dict[tuple[Any, ...], list[int]] = {}  # a generation -> its places in log.samples, one for each sample
    lines: dict[tuple[Any, ...], int] = {}  # a generation under one filter -> lines so far
    for number, record in records:
        sample = parsed(_sample, record, number, identity)
        if isinstance(sample, str):
            log.skipped.append((number, sample))
            continue
        key = (sample.doc_id, sample.problem_id, sample.prompt, sample.responses)
        name = str(record["filter"]) if "filter" in record else f"line {number}"
        places = seen.setdefault(key, [])
        nth = lines[*key, name] = lines.get((*key, name), 0) + 1
        if nth > len(places):
            places.append(len(log.samples))
            log.samples.append(sample)
        else:  # the same generation under another filter, which lm-eval writes as a line of its own
            known = log.samples[places[nth - 1]]
            log.samples[places[nth - 1]] = replace(known, filters={**known.filters, **sample.filters})
            log.num_repeated += 1


def _holds_likelihoods(record: Mapping[str, Any]) -> bool:
    """Whether the responses are (log-probability, is it the most likely) pairs, one per option."""
    responses = record.get("resps") or record.get("filtered_resps")
    if not isinstance(responses, list) or not responses:
        return False
    return all(_is_pair(_innermost(one)) for one in responses) or _is_pair(responses)


def _innermost(value: Any) -> Any:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _is_pair(value: Any) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True  # rolling log-likelihoods, and those of old releases, are single numbers
    if not isinstance(value, list) or len(value) != 2:
        return False
    try:
        float(value[0])
    except (TypeError, ValueError):
        return False
    return isinstance(value[1], bool) or value[1] in ("True", "False")


def _sample(record: Mapping[str, Any], number: int, identity: str) -> Logged | str:
    """The record as a sample, or the reason why it is none."""
    if not is_lm_eval(record):
        return "no responses (neither resps nor filtered_resps)"
    by_likelihood = chosen(record) if _holds_likelihoods(record) else None
    if by_likelihood is None and _holds_likelihoods(record):
        return "log-likelihoods"
    responses = flat_texts(record.get("resps")) if by_likelihood is None else (by_likelihood[1],)
    shortened = flat_texts(record.get("filtered_resps"))
    if not responses or responses == (None,):
        responses = shortened or responses
    if responses is None:
        return "responses are not text"
    responses = responses or (None,)
    doc = record["doc"] if isinstance(record.get("doc"), Mapping) else {}
    prompt, asked = prompt_of(record) if by_likelihood is None else (by_likelihood[0], "")
    question = first_text(doc, *QUESTION_FIELDS) or (str(record["doc"]) if isinstance(record.get("doc"), str) else "")
    golds, index = gold_of(record.get("target"), *_doc_golds(doc))
    choices, labels = options_of(doc) if by_likelihood is None else (by_likelihood[2], ())
    doc_id = str(record.get("doc_id", number - 1))
    correct = _scores(record, len(responses))
    return Logged(
        line=number,
        doc_id=doc_id,
        problem_id=str(doc[identity]) if identity and doc.get(identity) not in (None, "") else doc_id,
        question=question or asked or prompt,
        gold=golds[0] if golds else "",
        golds=golds,
        index=index,
        prompt=prompt,
        responses=responses,
        filtered=next(iter(shortened or ()), None),
        correct=correct,
        extracted=padded(record.get("extracted_answers"), len(responses)),
        model=record["model"] if isinstance(record.get("model"), str) else None,
        choices=choices,
        labels=labels,
        kwargs=kwargs_of(record),
        chosen=by_likelihood is not None,
        metadata=metadata_of(doc),
        filters={str(record["filter"]): correct[0]} if isinstance(record.get("filter"), str) else {},
    )


def _doc_golds(doc: Mapping[str, Any]) -> list[Any]:
    names = ("answer", "Answer", "answerKey", "expected_answer", "gold", "final_answer", "label", "answer_index", "gt")
    return [doc.get(name) for name in names]


def _arguments(record: Mapping[str, Any]) -> tuple[Any, Any]:
    """(prompt, generation settings): {gen_args_0: {arg_0: .., arg_1: ..}} today, [[prompt, settings]] before."""
    arguments: Any = record.get("arguments")
    if isinstance(arguments, Mapping):
        arguments = arguments.get("gen_args_0", arguments)
        if isinstance(arguments, Mapping):
            return arguments.get("arg_0"), arguments.get("arg_1")
    if isinstance(arguments, list) and len(arguments) == 1 and isinstance(arguments[0], list | Mapping):
        return _arguments({"arguments": {"gen_args_0": arguments[0]}})
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], list):
        arguments = arguments[0]
    if isinstance(arguments, list) and arguments:
        return arguments[0], arguments[1] if len(arguments) > 1 else None
    return arguments, None


def prompt_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """(the prompt, its last user turn where it is a chat, else "")."""
    prompt = _arguments(record)[0]
    prompt = _innermost(prompt)
    if isinstance(prompt, str) and prompt.lstrip().startswith(("[{", '{"role"')):
        try:
            prompt = json.loads(prompt)
        except ValueError:
            return str(prompt), ""
    if isinstance(prompt, list | Mapping):
        return chat_prompt(prompt if isinstance(prompt, list) else [prompt])
    return (prompt, "") if isinstance(prompt, str) else ("", "")


def kwargs_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The generation settings of a line, {} where it has none."""
    found = _arguments(record)[1]
    return dict(found) if isinstance(found, Mapping) else {}


def _scores(record: Mapping[str, Any], num: int) -> tuple[bool | None, ...]:
    """The log's own verdicts: one for each response where it has them, else the sample's for its first response."""
    named = [name for name in record.get("metrics") or () if isinstance(name, str)]
    for name in ("exact_matches", *SCORES, *named):
        value = record.get(name)
        if isinstance(value, list) and len(value) == num:
            return tuple(verdict(one) for one in value)
    one = next((found for name in (*SCORES, *named) if (found := verdict(record.get(name))) is not None), None)
    return (one, *(None,) * (num - 1))


def settings_of(value: Any) -> dict[str, Any]:
    """Generation settings of a results file: an object, or "key=value,key=value" as on lm-eval's command line."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, str) or "=" not in value:
        return {}
    found: dict[str, Any] = {}
    for part in value.split(","):
        key, equals, text = part.partition("=")
        if equals:
            try:
                found[key.strip()] = json.loads(
                    text.strip().lower() if text.strip().lower() in ("true", "false") else text
                )
            except ValueError:
                found[key.strip()] = text
    return found
