"""Find training questions that are evaluation questions: 8-grams on normalised tokens, and exact match of short texts.

s1 compares lower-cased words split at white space: "$x=2$" and "$ x = 2 $" differ, a text of fewer than 8 words never
matches anything, and what a source loses depends on the sources before it. Here tokens are those of
`harness.data.same_text`, in runs without their signs, so that an exercise with others is seen; short texts are
compared whole, with them; and rows are judged one by one, so that the result does not depend on their order.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.candidates import Pool, rows_of
from harness.data.same_text import readings
from harness.errors import UserError
from harness.records import Problem

NGRAM = 8
FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.DOTALL)  # drawing code, whose runs are the same in every figure
SECRET = ("gpqa",)  # tasks whose questions must not be printed: their authors ask for it


# Of a run of 8 words one part of 5, at a place that 4 divides, lies wholly within: a text without a known part has no
# known run, and has a fourth as many parts as runs.
PART, STEP = 5, 4


def parts(words: list[str]) -> Iterator[tuple[str, ...]]:
    """The parts of a text that are looked up before its runs: `PART` words from every `STEP`-th on."""
    return zip(*[words[start::STEP] for start in range(PART)], strict=False)


def runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    """Every run of `NGRAM` words; none of a shorter text."""
    return zip(*[words[start:] for start in range(NGRAM)], strict=False)


@dataclass(frozen=True)
class Match:
    """One training row against one evaluation problem.

    `share` is the part of the problem's 8-grams that the row holds (1.0 for an exact match); `text` is the first run
    they share ("" where the task's text must not be shown).
    """

    row_id: str
    source: str
    task: str
    problem_id: str
    how: str  # "exact" | "8-gram"
    shared: int
    share: float
    text: str


class Index:
    """The evaluation problems' n-grams. About 250 bytes an n-gram: 300,000 of them are 75 MB."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = []
        self.sizes: list[int] = []  # distinct n-grams of each problem
        self.grams: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self.whole: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self.parts: set[tuple[str, ...]] = set()  # of the n-grams, wherever they begin
        self.heads: set[tuple[str, ...]] = set()  # how the whole texts begin
        for problem in problems:
            number = len(self.problems)
            question = _without_choices(problem)
            self.problems.append(problem)
            read = list(readings(question, signs=False))
            distinct = {run for words in _prose(question, read) for run in runs(words)}
            self.sizes.append(len(distinct))
            for run in distinct:
                self.grams[run].append(number)
            for words in read:
                if words:
                    self.whole[tuple(words)].append(number)
        self.parts = {run[start : start + PART] for run in self.grams for start in range(NGRAM - PART + 1)}
        self.heads = {words[:NGRAM] for words in self.whole}
        if not self.problems:
            raise UserError("decontamination has no evaluation problem to compare with; name at least one task")

    def matches(self, row: Mapping[str, Any]) -> list[Match]:
        """Every problem that `row`'s question touches, the closest first."""
        read = list(readings(row["question"], signs=False))
        plain = len(read) == 1 and "[asy]" not in row["question"]
        if plain and tuple(read[0][:NGRAM]) not in self.heads and self._without_run(read[0]):
            return []
        exact = {number for words in read for number in self.whole.get(tuple(words), ())}
        exact = {number for number in exact if self._equal(row["question"], number)}
        shared: Counter[int] = Counter()
        where: dict[int, str] = {}
        for words in _prose(row["question"], read):
            found: Counter[int] = Counter()
            for run in runs(words):
                for number in self.grams.get(run, ()):
                    found[number] += 1
                    where.setdefault(number, " ".join(run))
            shared |= found
        matches = []
        for number in exact | set(shared):
            problem = self.problems[number]
            text = where.get(number) or " ".join(read[0][:NGRAM])
            matches.append(
                Match(
                    row["id"],
                    row["source"],
                    problem.task,
                    problem.id,
                    "exact" if number in exact else f"{NGRAM}-gram",
                    shared[number],
                    1.0 if number in exact else min(1.0, shared[number] / self.sizes[number]),
                    "" if problem.task.startswith(SECRET) else text,
                )
            )
        return sorted(matches, key=lambda match: (-match.share, match.task, match.problem_id))

    def _without_run(self, words: list[str]) -> bool:
        """Whether a text shares no run with any problem: nearly always so, and told at the speed of C."""
        return self.parts.isdisjoint(parts(words)) or self.grams.keys().isdisjoint(runs(words))

    def _equal(self, question: str, number: int) -> bool:
        """Whether a question is the problem, signs included."""
        theirs = list(readings(_without_choices(self.problems[number])))
        return any(words in theirs for words in readings(question))


def _prose(question: str, read: list[list[str]]) -> list[list[str]]:
    """The words of a question without its drawing code; `read`: its readings with that."""
    return list(readings(FIGURE.sub(" ", question), signs=False)) if "[asy]" in question else read


def _without_choices(problem: Problem) -> str:
    """The question alone: the options of a multiple choice question stand behind it in an order of our own."""
    if not problem.choices:
        return problem.question
    return problem.question.split("\n\nA)")[0]


def decontaminate(pool: Pool, problems: Iterable[Problem], min_share: float = 0.0) -> tuple[set[str], list[Match]]:
    """The ids of the rows to drop, and the report: what matched what.

    A row goes when it is a problem, or holds any 8-gram of one, as in s1. Exam prose ("where m and n are relatively
    prime positive integers") is such an 8-gram too: `min_share` drops only rows with that share of a problem or more.
    """
    index = Index(problems)
    report = [match for row in rows_of(pool, ("id", "question", "source")) for match in index.matches(row)]
    report.sort(key=lambda m: (-m.share, m.row_id, m.task, m.problem_id))
    return {match.row_id for match in report if match.share >= min_share}, report


def summary(report: list[Match]) -> dict[str, dict[str, int]]:
    """Per task: rows that are one of its problems (exact), that hold half of one, and that touch one at all."""
    tables: dict[str, dict[str, set[str]]] = {}
    for match in report:
        table = tables.setdefault(match.task, {"exact": set(), "half or more": set(), "any 8-gram": set()})
        table["any 8-gram"].add(match.row_id)
        if match.share >= 0.5:
            table["half or more"].add(match.row_id)
        if match.how == "exact":
            table["exact"].add(match.row_id)
    return {task: {name: len(ids) for name, ids in table.items()} for task, table in sorted(tables.items())}
