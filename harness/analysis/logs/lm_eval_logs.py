"""lm-eval's samples files: 0.4.0's JSON arrays to 0.4.13's JSON lines, s1's fork's, and our own export of the kind."""

from __future__ import annotations

import json
from collections import Counter
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
    is_points,
    padded,
    parsed,
    scored,
    verdict,
)
from harness.errors import UserError

SCORES = ("exact_match", "math_verify", "acc", "accuracy", "is_correct", "correct", "em", "score")
NAMELESS = "filter "  # and its number, where the lines do not name it
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
    found: list[tuple[Logged, str]] = []
    for number, record in records:
        sample = parsed(_sample, record, number, identity)
        if isinstance(sample, str):
            log.skipped.append((number, sample))
        else:
            found.append((sample, first_text(record, "filter")))
    log.samples = _generations(found)
    log.num_repeated = len(found) - len(log.samples)


def _generations(lines: Sequence[tuple[Logged, str]]) -> list[Logged]:
    """The generations of the lines (sample, name of its filter), each with its verdict under every filter.

    lm-eval goes through all problems anew for each filter and writes a line every time. Before 0.4.7 no line says
    under which filter: there the second line of a generation is that of the second filter.
    """
    passes = not any(name for _, name in lines) and _are_passes([sample for sample, _ in lines])
    found: list[Logged] = []
    places: dict[tuple[Any, ...], list[int]] = {}  # a generation -> where it stands in found, once for each sample
    seen: Counter[tuple[Any, ...]] = Counter()  # a generation, also under one filter -> its lines so far
    for sample, name in lines:
        key = _generation(sample)
        seen[key] += 1
        name = f"{NAMELESS}{seen[key]}" if passes else name
        known, nth = places.setdefault(key, []), seen[*key, name]
        seen[*key, name] += 1
        scores = {name: sample.score} if name else {}
        if nth < len(known):
            one = found[known[nth]]
            found[known[nth]] = replace(one, filters={**one.filters, **scores})
        else:
            known.append(len(found))
            found.append(replace(sample, filters=scores))
    return found


def _generation(sample: Logged) -> tuple[Any, ...]:
    return sample.doc_id, sample.problem_id, sample.prompt, sample.responses


def _are_passes(samples: Sequence[Logged]) -> bool:
    """Whether equal lines are further filters of one generation, and no samples of a problem that happen to be equal.

    They are not where a problem has several generations in lines of their own and the lines of each are not as many.
    """
    lines = Counter(map(_generation, samples))
    several = len({key[:3] for key in lines}) < len(lines)
    return not several or len(set(lines.values())) == 1


def filter_names(results: Mapping[str, Any], task: str) -> list[str]:
    """The names of a task's filters in the order of their lines, as lm-eval's results file tells them."""
    of_task = [found.get(task) for name in ("configs", "results") if isinstance(found := results.get(name), Mapping)]
    for told in of_task:
        if isinstance(told, Mapping):
            listed = told.get("filter_list")
            named = listed if isinstance(listed, list) else []
            names = [one["name"] for one in named if isinstance(one, Mapping) and isinstance(one.get("name"), str)]
            names = names or [key.partition(",")[2] for key in told if "," in key and "_stderr," not in key]
            if names:
                return list(dict.fromkeys(names))
    return []


def with_filter_names(samples: Sequence[Logged], names: Sequence[str]) -> list[Logged]:
    """The samples with these names for filters that the lines do not name, where they are as many."""
    numbers = sorted({name for one in samples for name in one.filters}, key=lambda name: (len(name), name))
    if len(names) != len(numbers) or not all(name.startswith(NAMELESS) for name in numbers):
        return list(samples)
    new = dict(zip(numbers, names, strict=True))
    return [replace(one, filters={new[name]: value for name, value in one.filters.items()}) for one in samples]


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
        extracted=padded(record.get("extracted_answers"), len(responses)),
        model=record["model"] if isinstance(record.get("model"), str) else None,
        choices=choices,
        labels=labels,
        kwargs=kwargs_of(record),
        chosen=by_likelihood is not None,
        metadata=metadata_of(doc),
        **scored(_scores(record, len(responses))),
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


def _scores(record: Mapping[str, Any], num: int) -> list[Any]:
    """The log's own scores: one for each response where it has them, else the sample's for its first response."""
    named = [name for name in record.get("metrics") or () if isinstance(name, str)]
    for name in ("exact_matches", *SCORES, *named):
        value = record.get(name)
        if isinstance(value, list) and len(value) == num:
            return value
    values = [record.get(name) for name in (*SCORES, *named)]
    one = next((value for value in values if verdict(value) is not None or is_points(value)), None)
    return [one, *[None] * (num - 1)]


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
