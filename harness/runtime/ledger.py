"""What must hold in a stored row without any model: its counts, its spans, its closing text and its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.runtime.scoring import score_row
from harness.thinking import ThinkingFormat


def ledger_faults(row: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Counts against ids, and what the budget allows against what was spent."""
    for part in ("prompt", "thinking", "closing", "answer"):
        if row[f"{part}_tokens"] != len(row[f"{part}_ids"]):
            yield f"{part}_tokens is {row[f'{part}_tokens']}, but there are {len(row[f'{part}_ids'])} ids"
    injected = sum(span["length"] for span in row["forced_spans"])
    if row["thinking_injected_tokens"] != injected or row["thinking_sampled_tokens"] < 0:
        yield f"{row['thinking_injected_tokens']} injected tokens are counted, the spans hold {injected}"
    if row["thinking_sampled_tokens"] + row["thinking_injected_tokens"] != row["thinking_tokens"]:
        yield "sampled and injected thinking tokens do not add up"
    end = 0
    for span in row["forced_spans"]:
        if span["start"] < end or span["start"] + span["length"] > row["thinking_tokens"]:
            yield f"the forced span at {span['start']} overlaps another or leaves the thought"
        end = span["start"] + span["length"]
    budget = config["budget"]
    if budget["compat"] != "readme" or not budget["force"]:
        return
    beyond, grace = row["thinking_tokens"] - row["budget_tokens"], budget["grace_tokens"]
    if beyond > grace:
        yield f"{row['thinking_tokens']} thinking tokens are more than the budget of {row['budget_tokens']}"
    if row["thinking_finish"] == "budget" and not 0 <= beyond <= grace:
        yield f"the budget of {row['budget_tokens']} cut the thought at {row['thinking_tokens']} tokens"
    if budget["max_thinking_tokens"] != "auto" and row["budget_tokens"] > budget["max_thinking_tokens"]:
        yield f"a budget of {row['budget_tokens']} was in force, not {budget['max_thinking_tokens']}"
    if row["forced_end"] != (row["thinking_finish"] in ("budget", "loop")):
        yield f"forced_end is {row['forced_end']} at an end by '{row['thinking_finish']}'"
    ignores = row["num_rounds"] - 1 if row["num_rounds"] else 0
    if ignores > budget["num_ignores"]:
        yield f"{ignores} ends were ignored, {budget['num_ignores']} are allowed"
    strings = budget["ignore_str"]
    given = [strings] if isinstance(strings, str | None) else strings
    forced = sum(bool(given[index % len(given)]) for index in range(ignores))  # an empty one leaves no span
    spans = [span for span in row["forced_spans"] if span["kind"] == "ignore"]
    if forced != len(spans):
        yield f"{ignores} ends were ignored, {forced} with a string, but {len(spans)} spans were forced"
    if len(row["forced_spans"]) - len(spans) > bool(budget["wrap_up_str"]):
        yield f"{len(row['forced_spans']) - len(spans)} spans wrap the thought up; the budget asks for one at most"


def closing_faults(row: Mapping[str, Any], config: Mapping[str, Any], thinking: ThinkingFormat) -> Iterator[str]:
    """What was injected behind the thought."""
    said = config["budget"]["final_answer"]
    natural = thinking.thinking_end
    forced = natural + (thinking.final_answer if said is None else said)
    if row["thinking_finish"] in ("none", "rejected"):
        allowed: tuple[str, ...] = ("",)
    elif row["forced_end"]:
        newline = row["thinking"].endswith("\n") or (not row["thinking"] and row["prompt"].endswith("\n"))
        allowed = (forced if newline else "\n" + forced,)
    else:
        allowed = (natural,)
    if row["closing"] not in allowed:
        yield f"the closing is {row['closing']!r}, not {allowed[0]!r}"


def verdict_faults(row: Mapping[str, Any]) -> Iterator[str]:
    """A stored verdict that contradicts itself, or is not today's."""
    if (row["status"] == "correct") != bool(row["correct"]):
        yield f"correct is {row['correct']}, the status '{row['status']}' says otherwise"
    if row["kind"] == "choice" and row["choices"] is None:
        return  # stored before the options were
    today = score_row(row)
    if today.correct != row["correct"]:
        yield f"correct is {row['correct']} ({row['status']}), the grader says {today.correct} ({today.status}) today"
