"""simple-evals' results: conversations, and beside each the page of HTML in which its gold and verdict stand.

Only some of its evaluations tell these in `example_level_metadata` too. Answers to one question are its samples.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from harness.analysis.logs.golds import GOLD_FIELDS, QUESTION_FIELDS, metadata_of
from harness.analysis.logs.logged import Log, Logged, chat_prompt, first_text
from harness.analysis.logs.problems import Format, Record, problem_of, texts_of

CONVERSATIONS = ("convo", "prompt_messages", "actual_queried_message_list")
OURS = (*CONVERSATIONS, "score", "extracted_answer", "response", "response_text", "html", "task")
VERDICT = re.compile(r"<p>Correct Answer: (.*?)</p>\s*<p>Extracted Answer: (.*?)</p>\s*<p>Score: (.*?)</p>", re.DOTALL)
FILE = re.compile(r"(healthbench_[a-z]+|[a-z]+)_(.+?)(?:_\d{8}_\d{6})?(?:_DEBUG)?_allresults\.json")


def matches(record: Record) -> bool:
    """Whether a record is one conversation of such a file."""
    return "score" in record and any(name in record for name in CONVERSATIONS)


def records_in(whole: Record, log: Log) -> list[dict[str, Any]]:
    """The conversations of a file, [] for another one; task and model may stand in its name alone."""
    conversations = whole.get("convos")
    if not isinstance(conversations, list):
        return []
    task = first_text(whole, "task_name")
    if not task and (named := FILE.fullmatch(log.path.name)):
        task = named[1]
        log.model = log.model or named[2]
    num = len(conversations)
    metadata = whole.get("metadata")
    told = _as_many(metadata.get("example_level_metadata") if isinstance(metadata, Mapping) else None, num)
    pages = _as_many(whole.get("htmls"), num)
    shared = {"score": None} | ({"task": task} if task else {})
    return [
        shared | {"convo": convo, "html": page} | (dict(more) if isinstance(more, Mapping) else {})
        for convo, page, more in zip(conversations, pages, told, strict=True)
    ]


def _as_many(found: Any, num: int) -> list[Any]:
    return found if isinstance(found, list) and len(found) == num else [None] * num


def _read(record: Record, number: int) -> list[Logged] | str:
    turns: list[Any] = next((record[name] for name in CONVERSATIONS if record.get(name)), [])
    more = record.get("example_level_metadata")
    doc = {**record, **(more if isinstance(more, Mapping) else {})}
    gold, extracted, score = _verdict(first_text(record, "html"))
    replies: tuple[Any, ...] = (record.get("response_text", record.get("response")),)
    if replies == (None,) and turns and isinstance(turns[-1], Mapping) and turns[-1].get("role") == "assistant":
        replies, turns = texts_of(turns[-1]) or (None,), turns[:-1]
    prompt, asked = chat_prompt(turns)
    metadata = metadata_of({key: value for key, value in doc.items() if key not in OURS})
    return [
        problem_of(
            record,
            number,
            replies,
            [*(doc.get(name) for name in ("correct_answer", *GOLD_FIELDS)), gold],
            doc=doc,
            prompt=prompt,
            question=first_text(doc, *QUESTION_FIELDS) or asked,
            correct=score if record.get("score") is None else record["score"],
            extracted=doc.get("extracted_answer", extracted),
            metadata=metadata,
        )
    ]


def _verdict(page: str) -> tuple[str | None, str | None, str | None]:
    """(gold, extracted answer, score) as a conversation's page prints them; None where it does not."""
    found = VERDICT.findall(page)
    if not found:
        return None, None, None
    gold, extracted, score = (html.unescape(text).strip() for text in found[-1])
    return gold, None if extracted == "None" else extracted, score


FORMAT = Format("simple-evals", matches, _read, joined=True)
