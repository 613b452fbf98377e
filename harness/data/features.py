"""Fill a pool's features: traces from a teacher, domains, trace lengths, benchmark-like rows.

(The reference models' answers, s1's difficulty, are in `references`.) Every step is spread over Ray and resumable by
row: what a step has found out is kept in a folder under the key of its content.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.chat_client import Answer, ChatClient
from harness.data import domains
from harness.data.cache import RowCache
from harness.data.parallel import spread
from harness.data.schema import Row, metadata_of, with_thinking
from harness.data.teacher import CallFailedError, Endpoint, Reply, reply, submit
from harness.errors import UserError

DOMAIN_TOKENS = 4096
MAX_FAILURES_IN_A_ROW = 20  # then the endpoint is down, and more calls would only cost
LONG_MATH_TOKENS = 5600  # s1's Algorithm 1: a correct MATH row with a longer trace is preselected
BENCHMARKS = ("AIME", "GPQA", "MATH")  # sources whose rows s1 may preselect
Call = tuple[str, str]  # key, question
Tick = Callable[[int, int], None]  # called with the rows done so far, and the tokens of the last one


@dataclass
class Asked:
    """How a round of questions to a teacher went."""

    kept: int = 0  # known from before
    answered: int = 0  # with a whole trace and its answer
    failed: int = 0
    short: Counter[str] = field(default_factory=Counter)  # replies that were served and hold less, by their status
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    first_error: str = ""


def _ask_part(part: Sequence[Call], endpoint: Endpoint) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, reply or {"error": why}) of each call, as they are answered. Raises `UserError` on endless errors."""
    failures = 0
    with ChatClient(endpoint.server()) as client:  # leaving it cancels what is on its way
        calls = iter(part)
        running: dict[Future[Answer[Reply]], str] = {}
        while True:
            while len(running) < endpoint.concurrency and (call := next(calls, None)) is not None:
                running[submit(client, endpoint, call[1])] = call[0]
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                try:
                    yield key, asdict(reply(future.result()))
                    failures = 0
                except CallFailedError as error:
                    failures += 1
                    if failures >= MAX_FAILURES_IN_A_ROW:
                        raise UserError(
                            f"{client.shown_url}: {failures} questions in a row failed, the last with: {error}; "
                            "what was answered is kept: call again when the endpoint works"
                        ) from error
                    yield key, {"error": str(error)}


def ask_all(
    endpoint: Endpoint,
    questions: Iterable[str],
    kept: RowCache,
    num_workers: int = 1,
    tick: Tick | None = None,
    samples: int = 1,
) -> Asked:
    """Ask `samples` times for every question that `kept` does not hold yet; answers are on disk as they arrive.

    An empty reply is not kept, so that the next call asks again; its tokens are counted all the same.
    """
    outcome = Asked()
    missing: dict[str, str] = {}
    for question in questions:
        for sample in range(samples):
            key = endpoint.key(question, sample)
            if key in kept:
                outcome.kept += 1
            else:
                missing[key] = question
    shares = max(1, min(num_workers, len(missing)))
    share = Endpoint(
        **{
            **asdict(endpoint),
            "concurrency": max(1, endpoint.concurrency // shares),
            "requests_per_minute": endpoint.requests_per_minute and endpoint.requests_per_minute / shares,
        }
    )
    for key, found in spread(_ask_part, list(missing.items()), shares, share, num_cpus=0.1):
        if "error" in found:
            outcome.failed += 1
            outcome.first_error = outcome.first_error or found["error"]
        else:
            if found["status"] != "empty":
                kept.put(key, found)
            if found["status"] == "whole":
                outcome.answered += 1
            else:
                outcome.short[found["status"]] += 1
            outcome.input_tokens += found["input_tokens"]
            outcome.output_tokens += found["output_tokens"]
        if tick is not None:
            tick(outcome.answered + outcome.short.total() + outcome.failed, found.get("output_tokens", 0))
    price = outcome.input_tokens * endpoint.input_price + outcome.output_tokens * endpoint.output_price
    outcome.dollars = price / 1e6
    return outcome


def traces(
    rows: Iterable[Mapping[str, Any]],
    teacher: str,
    kept: RowCache,
    key: Callable[[str, int], str],
    samples: int = 1,
) -> Iterator[Row]:
    """`rows` with the teacher's trace and attempt where they have none and `kept` has one under `key(question, n)`.

    Several whole traces of a question are as many rows, "ID#2" on. A reply that was cut, or holds no trace, fills none.
    """
    for row in rows:
        replies = [] if with_thinking(row) else [kept.get(key(row["question"], n)) for n in range(samples)]
        whole = [one for one in replies if one and one["thinking"] and one.get("status", "whole") == "whole"]
        if not whole:
            yield dict(row)
        for number, found in enumerate(whole, 1):
            metadata = {**metadata_of(row), "teacher": teacher, "finish": found["finish"]}
            yield {
                **row,
                "id": row["id"] if number == 1 else f"{row['id']}#{number}",
                "thinking": found["thinking"],
                "attempt": found["attempt"],
                "thinking_tokens": None,  # of the tokenizer that trains, not of the teacher's
                "metadata": json.dumps(metadata, ensure_ascii=False, sort_keys=True),
            }


def _length_part(part: Sequence[tuple[str, str]], tokenizer: str) -> Iterator[list[tuple[str, int]]]:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    for start in range(0, len(part), 64):
        some = part[start : start + 64]
        ids = loaded([text for _, text in some], add_special_tokens=False, verbose=False)["input_ids"]
        yield [(row_id, len(one)) for (row_id, _), one in zip(some, ids, strict=True)]


def lengths(rows: Iterable[Mapping[str, Any]], tokenizer: str, num_workers: int = 1) -> dict[str, int]:
    """Tokens of each row's trace by `tokenizer`, by row id. Texts go to the workers 2,000 rows at a time."""
    found: dict[str, int] = {}
    waiting: list[tuple[str, str]] = []

    def flush() -> None:
        for some in spread(_length_part, waiting, num_workers, tokenizer):
            found.update(some)
        waiting.clear()

    for row in rows:
        if with_thinking(row):
            waiting.append((row["id"], row["thinking"]))
        if len(waiting) >= 2000:
            flush()
    flush()
    return found


def benchmark_like(row: Mapping[str, Any]) -> bool | None:
    """Whether s1's Algorithm 1 preselects the row; None where the attempt has not been graded.

    It does for a correct attempt at AIME or GPQA, or at MATH with a trace of more than 5,600 tokens.
    """
    correct = metadata_of(row).get("attempt_correct")
    if not isinstance(correct, bool):
        return None
    source = row["source"].split("/")[0]
    if source.startswith(("AIME", "GPQA")):
        return correct
    return correct and source == "MATH" and (row["thinking_tokens"] or 0) > LONG_MATH_TOKENS


@dataclass(frozen=True)
class Needs:
    """What the selections of a study read of a row, beside its texts."""

    domain: bool = False
    length: bool = False
    benchmark_like: bool = False
    difficulty: bool = False

    @classmethod
    def of(cls, selections: Iterable[str]) -> Needs:
        """The needs of all named selections together; one's own may read anything that costs no model's answers."""
        names = set(selections)
        own = any(name.partition(":")[0].endswith(".py") for name in names)
        return cls(
            domain=own or bool(names & {"diverse", "s1k"}),
            length=own or bool(names & {"longest", "s1k"}),
            benchmark_like="s1k" in names,
            difficulty=bool(names & {"s1k", "limo"}),
        )


@dataclass
class Filled:
    """How many rows each feature was filled in for."""

    domain: int = 0
    length: int = 0
    benchmark_like: int = 0


def fill(
    rows: Iterable[Mapping[str, Any]], needs: Needs, how: str | None, tokenizer: str | None, counts: Filled
) -> Iterator[Row]:
    """`rows` with what `needs` asks for and a row lacks, by the same functions as `harness data featurize`.

    Args:
        rows: read once, in order.
        needs: which features.
        how: domains: "keywords" or a metadata key; None leaves them.
        tokenizer: of the lengths; None leaves them.
        counts: is counted up.
    """
    waiting: list[Row] = []

    def flush() -> Iterator[Row]:
        found: dict[str, int] = {}
        if needs.length and tokenizer is not None:
            found = lengths([row for row in waiting if row["thinking_tokens"] is None], tokenizer)
        for row in waiting:
            if row["id"] in found:
                row["thinking_tokens"] = found[row["id"]]
                counts.length += 1
            if needs.domain and how is not None and not row["domain"].strip():
                row["domain"] = domain_of(row, how)
                counts.domain += bool(row["domain"])
            if needs.benchmark_like and row["benchmark_like"] is None:
                may = row["source"].startswith(BENCHMARKS)  # no other source's row is one, whatever its grade
                row = next(grade_attempts([row])) if may else {**row, "benchmark_like": False}
                counts.benchmark_like += row["benchmark_like"] is not None
            yield row
        waiting.clear()

    for row in rows:
        waiting.append(dict(row))
        if len(waiting) == 1000:
            yield from flush()
    yield from flush()


def grade_attempts(rows: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """`rows` with `attempt_correct` in their metadata where there is a gold answer, and `benchmark_like` after it.

    Rows whose gold answer cannot be parsed stay ungraded.
    """
    from harness.grading import grade

    for row in rows:
        new = dict(row)
        metadata = metadata_of(row)
        if row["answer"] and row["attempt"] and not isinstance(metadata.get("attempt_correct"), bool):
            verdict = grade(row["attempt"], row["answer"], metadata.get("kind", "math"), question=row["question"])
            if verdict.correct is not None:
                metadata["attempt_correct"] = verdict.correct
                new["metadata"] = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
        if new["benchmark_like"] is None:
            new["benchmark_like"] = benchmark_like(new)
        yield new


def domain_of(row: Mapping[str, Any], how: str) -> str:
    """A row's domain by keywords, or what its metadata (or a column) hold under the key `how`."""
    if how == "keywords":
        return domains.by_keywords(row["question"])
    return str(metadata_of(row).get(how) or row.get(how) or "")


def with_domains(rows: Iterable[Mapping[str, Any]], how: str) -> Iterator[Row]:
    """`rows` with a domain: `how` is "keywords", or the name of a metadata key (or column) that holds it."""
    empty = 0
    total = 0
    for row in rows:
        total += 1
        found = domain_of(row, how)
        empty += not found
        yield {**row, "domain": found}
    if total and empty == total:
        raise UserError(f"no row has anything under '{how}'; name a metadata key of the pool, or use keywords")


def model_domains(
    rows: Iterable[Mapping[str, Any]],
    endpoint: Endpoint,
    folder: Path,
    num_workers: int = 1,
    tick: Tick | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Row]:
    """`rows` with the MSC subject that a model gives; rows it fails on keep what they had. `rows` is read twice."""
    # A reasoning model thinks before it gives the two digits.
    asked = Endpoint(**{**asdict(endpoint), "system": domains.INSTRUCTION, "max_tokens": DOMAIN_TOKENS})
    kept = RowCache(folder)
    outcome = ask_all(asked, (row["question"] for row in rows), kept, num_workers, tick)
    named = sum(_subject(kept.get(asked.key(row["question"]))) is not None for row in rows)
    say(f"domains: {named:,} rows labelled; {told(outcome)}")
    for row in rows:
        yield {**row, "domain": _subject(kept.get(asked.key(row["question"]))) or row["domain"]}


def _subject(found: Mapping[str, Any] | None) -> str | None:
    return domains.from_reply(found["attempt"]) if found else None


def told(outcome: Asked) -> str:
    """How a round of questions went, in one line: what came of each reply, and what all of them cost."""
    short = "".join(f", {count:,} {status}" for status, count in sorted(outcome.short.items()))
    first = f" (first: {outcome.first_error})" if outcome.failed else ""
    return (
        f"{outcome.kept:,} kept, {outcome.answered:,} answered{short}, {outcome.failed:,} failed{first}, "
        f"{outcome.output_tokens:,} tokens out, ${outcome.dollars:,.2f}"
    )
