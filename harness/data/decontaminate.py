"""Find training questions that are evaluation questions: 8-grams on normalised tokens, and exact match of short texts.

s1 compares lower-cased words split at white space (reference 4d, item 31): "$x=2$" and "$ x = 2 $" differ, a text of
fewer than 8 words never matches anything, and what a source loses depends on the sources before it. Here punctuation,
LaTeX spacing and case do not count, short texts are compared whole, and rows are judged one by one, so that the result
does not depend on their order.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import UserError
from harness.records import Problem

NGRAM = 8
# Commands that only move or size things; \dfrac and \tfrac are \frac.
SPACING = re.compile(
    r"\\(?:[,;:! ]|q?quad\b|left(?![a-z])|right(?![a-z])|[bB]igg?[lrm]?(?![a-z])|displaystyle\b|limits\b"
    r"|[hv]space\*?\{[^}]*\}|text(?:bf|it|rm)?(?=\{)|math(?:rm|bf|it|sf)(?=\{)|mbox(?=\{))|~"
)
TOKEN = re.compile(r"[^\W\d_]+|\d+")
FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.DOTALL)  # drawing code, whose runs are the same in every figure
SECRET = ("gpqa",)  # tasks whose questions must not be printed: their authors ask for it


def tokens(text: str) -> list[str]:
    """Words and numbers of `text`, in lower case, with LaTeX spacing, punctuation and markup gone."""
    text = unicodedata.normalize("NFKC", text)
    text = SPACING.sub(" ", text).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    return TOKEN.findall(text.lower())


def ngrams(words: list[str], n: int = NGRAM) -> Iterator[int]:
    """A 64-bit number for every run of `n` words; none for a shorter text."""
    for start in range(len(words) - n + 1):
        yield _number(words[start : start + n])


def _number(words: list[str]) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest())


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
    """The evaluation problems' n-grams. About 150 bytes an n-gram: 300,000 of them are 45 MB."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = []
        self.sizes: list[int] = []  # distinct n-grams of each problem
        self.grams: defaultdict[int, list[int]] = defaultdict(list)
        self.whole: defaultdict[int, list[int]] = defaultdict(list)
        for problem in problems:
            number = len(self.problems)
            question = _without_choices(problem)
            self.problems.append(problem)
            distinct = set(ngrams(_prose(question)))
            self.sizes.append(len(distinct))
            for gram in distinct:
                self.grams[gram].append(number)
            if words := tokens(question):
                self.whole[_number(words)].append(number)
        if not self.problems:
            raise UserError("decontamination has no evaluation problem to compare with; name at least one task")

    def matches(self, row: Mapping[str, Any]) -> list[Match]:
        """Every problem that `row`'s question touches, the closest first."""
        whole = tokens(row["question"])
        exact = set(self.whole.get(_number(whole), ())) if whole else set()
        words = _prose(row["question"])
        shared: Counter[int] = Counter()
        where: dict[int, int] = {}
        for start, gram in enumerate(ngrams(words)):
            for number in self.grams.get(gram, ()):
                shared[number] += 1
                where.setdefault(number, start)
        found = []
        for number in exact | set(shared):
            problem = self.problems[number]
            start = where.get(number, 0)
            run = " ".join(words[start : start + NGRAM])
            secret = problem.task.startswith(SECRET)
            found.append(
                Match(
                    row["id"],
                    row["source"],
                    problem.task,
                    problem.id,
                    "exact" if number in exact else f"{NGRAM}-gram",
                    shared[number],
                    1.0 if number in exact else min(1.0, shared[number] / self.sizes[number]),
                    "" if secret else run,
                )
            )
        return sorted(found, key=lambda match: (-match.share, match.task, match.problem_id))


def _prose(question: str) -> list[str]:
    return tokens(FIGURE.sub(" ", question))


def _without_choices(problem: Problem) -> str:
    """The question alone: the options of a multiple choice question stand behind it in an order of our own."""
    if not problem.choices:
        return problem.question
    return problem.question.split("\n\nA)")[0]


def decontaminate(
    rows: Iterable[Mapping[str, Any]], problems: Iterable[Problem], min_share: float = 0.0
) -> tuple[set[str], list[Match]]:
    """The ids of the rows to drop, and the report: what matched what.

    A row goes when it is a problem, or holds any 8-gram of one, as in s1. Exam prose ("where m and n are relatively
    prime positive integers") is such an 8-gram too: `min_share` drops only rows with that share of a problem or more.
    """
    index = Index(problems)
    report = [match for row in rows for match in index.matches(row)]
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
