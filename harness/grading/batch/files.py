"""`harness grade FILE.jsonl`: grade every row of a file, keep what it held, add what we say about it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from harness.console import visible_json
from harness.errors import UserError
from harness.files import atomic, json_line, read_json_lines
from harness.grading.batch.judge import Judge, judge_rows
from harness.grading.grader import KINDS, grade_row
from harness.grading.verdict import Verdict
from harness.marks import Marks

MAX_LISTED = 20  # broken lines named one by one


@dataclass
class Summary:
    """What became of a file. Rows whose gold answer cannot be parsed are excluded from `accuracy`."""

    num_rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)  # "line 7: ..." for every line that was skipped

    @property
    def num_scored(self) -> int:
        """Rows in the denominator of `accuracy`."""
        return self.num_rows - self.statuses["gold_unparseable"]

    @property
    def accuracy(self) -> float | None:
        """The share of scored rows that are correct; None where no row could be scored."""
        return self.statuses["correct"] / self.num_scored if self.num_scored else None

    def lines(self) -> list[str]:
        """The summary as printed lines."""
        accuracy = "no row could be scored" if self.accuracy is None else f"accuracy {100 * self.accuracy:.1f}%"
        counts = ", ".join(f"{status} {n}" for status, n in self.statuses.most_common())
        out = [f"{accuracy}: {self.statuses['correct']} of {self.num_scored} rows ({counts})"]
        if excluded := self.statuses["gold_unparseable"]:
            out.append(f"{excluded} rows whose gold answer cannot be parsed are excluded from accuracy")
        if self.broken:
            out.append(f"{len(self.broken)} broken lines skipped:")
            out += [f"  {reason}" for reason in self.broken[:MAX_LISTED]]
            if len(self.broken) > MAX_LISTED:
                out.append(f"  ... and {len(self.broken) - MAX_LISTED} more")
        return out


def read_rows(path: Path, summary: Summary) -> Iterator[dict[str, Any]]:
    """The usable rows of a JSONL file in order; broken lines are noted on `summary` by line number and skipped.

    Raises:
        UserError: the file cannot be opened, or is UTF-16.
    """
    for line in read_json_lines(path):
        problem = line.error or _problem(line.value)
        if problem:
            summary.broken.append(f"line {line.number}: {problem}")
        else:
            yield line.value


def _problem(row: dict[str, Any]) -> str:
    """What keeps a row from being graded; "" if nothing does."""
    if not isinstance(row.get("gold"), str | int | float) or isinstance(row.get("gold"), bool):
        return "no 'gold' (a string or a number)"
    given = row.get("response") if row.get("response") is not None else row.get("answer")
    if not isinstance(given, str | int | float) or isinstance(given, bool):
        return "neither 'response' nor 'answer' (a string)"
    if row.get("kind") not in (None, *KINDS):
        return f"unknown kind {str(row['kind'])[:40]!r}; known: {', '.join(KINDS)}"
    if not isinstance(row.get("prompt", ""), str | None):
        return "'prompt' is no text"
    choices = row.get("choices")
    if choices is not None and not (isinstance(choices, list) and all(isinstance(c, str) for c in choices)):
        return "'choices' is no list of strings"
    return ""


def graded(row: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The row with our columns; `correct` is null where the gold could not be read."""
    return {**row, **verdict.columns}


def grade_rows(
    rows: Iterable[dict[str, Any]], summary: Summary, strict: bool = False, marks: Sequence[Marks] = ()
) -> Iterator[dict[str, Any]]:
    """The graded rows, one by one, counted on `summary`."""
    for row in rows:
        verdict = grade_row(row, strict, marks)
        summary.num_rows += 1
        summary.statuses[verdict.status] += 1
        yield graded(row, verdict)


def grade_file(
    path: Path,
    out: Path | None = None,
    *,
    strict: bool = False,
    compare: bool = False,
    judge: Judge | None = None,
    marks: Sequence[Marks] = (),
    log: TextIO | None = None,
) -> Summary:
    """Grade the rows of `path` into `out`; the summary goes to `log`.

    A judge whose key, model or URL is wrong is an error, but what was graded before it is written all the same.

    Args:
        path: a JSONL file of rows with `gold`, and `response` or `answer`.
        out: written beside its place and renamed, so a reader never sees half of it; None: standard output.
        strict: without the conventions.
        compare: add the peers' verdicts and print the agreement with them.
        judge: asked about rows that the rules leave open.
        marks: thinking delimiters that no table knows.
        log: where the summary is printed; None: standard error.

    Returns:
        What became of the rows.

    Raises:
        UserError: the file cannot be read or holds no usable row, `out` cannot be written, or the judge's base URL,
            model or key is wrong.
    """
    log = log or sys.stderr
    if judge is not None:
        judge.client().close()  # a base URL that is none is found before the work
    summary = Summary()
    rows = list(grade_rows(read_rows(path, summary), summary, strict, marks))
    if not rows:
        reason = f"; {summary.broken[0]}" if summary.broken else ""
        raise UserError(f"{path} holds no row to grade{reason}; a row is {{'gold': .., 'response' or 'answer': ..}}")
    if compare:
        from harness.grading.batch.agreement import add_peers, report

        rows = add_peers(rows)
        print("\n".join(report(rows)), file=log)
    try:
        if judge is not None:
            rows = list(judge_rows(rows, judge))
            asked = Counter(row["judge"] for row in rows if "judge" in row)
            print(f"judge {judge.model}, in separate columns: {dict(asked) or 'no row was left open'}", file=log)
    finally:
        _write(rows, out)
        print("\n".join(summary.lines()), file=log)
    return summary


def _write(rows: Iterable[dict[str, Any]], out: Path | None) -> None:
    data = b"".join(json_line(row) for row in rows)
    if out is None:
        sys.stdout.buffer.write(visible_json(data.decode()).encode())
        sys.stdout.flush()
        return
    try:
        with atomic(out) as file:
            file.write(data)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from None


__all__ = ["Summary", "grade_file", "grade_rows", "graded", "read_rows"]
