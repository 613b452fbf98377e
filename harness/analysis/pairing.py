"""Which problems of two runs are the same: by their question's text first, by their id only where the text agrees.

Logs number problems as they like: two with the same ids in another order would otherwise be paired wrongly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

Text = tuple[str, tuple[str, ...]]  # of a question, and its options
LEAST_WHOLE, LEAST_INNER = 10, 40  # characters that say which question it is; without its run's common words, more
MOST_TRIED = 4_000_000  # pairs of problems whose texts are searched: seconds


def pair(a: Mapping[str, str | None], b: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Pairs (id in a, id in b) of the problems that both have.

    Args:
        a: Problem id -> hash of its question, None where the question is not stored.
        b: The other run's.

    Returns:
        By question where each of them stands once on both sides; a question that stands several times, and problems
        of which one side has no question, by the same id.
    """
    count_a, count_b = Counter(filter(None, a.values())), Counter(filter(None, b.values()))
    by_text = {text: identity for identity, text in b.items() if text and count_b[text] == 1}
    found = []
    for identity, text in a.items():
        if text and count_a[text] == 1 and text in by_text:
            found.append((identity, by_text[text]))
        elif identity in b and (not text or not b[identity] or b[identity] == text):
            found.append((identity, identity))
    return found


def pair_wrapped(a: Mapping[str, Text], b: Mapping[str, Text]) -> list[tuple[str, str]]:
    """Pairs of problems whose question one run tells with its prompt's instructions around it, as some harnesses do.

    Args:
        a: Problem id -> its question's text and options (`questions.question_parts`).
        b: The other run's.

    Returns:
        Pairs where the question of one side stands whole in that of the other, and in no other problem's; else where
        it does without what all questions of its run begin and end with: both sides have instructions.
    """
    found = [
        _within(a, b, LEAST_WHOLE),
        [(p, q) for q, p in _within(b, a, LEAST_WHOLE)],
        _within(_inner(a), b, LEAST_INNER),
        [(p, q) for q, p in _within(_inner(b), a, LEAST_INNER)],
    ]
    return max(found, key=len)


def _within(short: Mapping[str, Text], whole: Mapping[str, Text], least: int) -> list[tuple[str, str]]:
    """Pairs (id in short, id in whole), where the first's text of at least so many characters is in the second's."""
    if len(short) * len(whole) > MOST_TRIED:
        return []
    chosen: dict[str, str] = {}
    for q, (text, options) in whole.items():
        inside = [p for p, (one, own) in short.items() if own == options and len(one) >= least and one in text]
        longest = max((len(short[p][0]) for p in inside), default=0)  # "... x_1" stands in "... x_10", too
        best = [p for p in inside if len(short[p][0]) == longest]
        if len(best) == 1:
            chosen[q] = best[0]
    times = Counter(chosen.values())
    return [(p, q) for q, p in chosen.items() if times[p] == 1]


def _inner(texts: Mapping[str, Text]) -> dict[str, Text]:
    """The texts without what all of them begin and end with."""
    start = _shared([text for text, _ in texts.values()])
    cut = {problem: text[start:] for problem, (text, _) in texts.items()}
    end = _shared([text[::-1] for text in cut.values()])
    return {problem: (text[: len(text) - end], texts[problem][1]) for problem, text in cut.items()}


def _shared(texts: Sequence[str]) -> int:
    """How many characters all texts begin with: those that the first and the last of them in order do."""
    first, last = min(texts, default=""), max(texts, default="")
    return next((at for at, (x, y) in enumerate(zip(first, last, strict=False)) if x != y), len(first))


def hashes_by_task(problems: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Task -> problem -> hash of its question, of problems whose question is stored; `problem` is the shared name."""
    known = problems[["task", "problem", "question_hash"]].drop_duplicates(["task", "problem"]).astype(object)
    found: dict[str, dict[str, str]] = {}
    for row in known[known["question_hash"].notna()].to_dict("records"):
        found.setdefault(str(row["task"]), {})[str(row["problem"])] = str(row["question_hash"])
    return found


def numbered_differently(problems: pd.DataFrame) -> bool:
    """Whether a question of a task has several ids, or an id several questions."""
    known = problems[["task", "problem_id", "question_hash"]].astype(object)
    known = known[known["question_hash"].notna()].drop_duplicates()
    return bool(known.duplicated(["task", "question_hash"]).any() or known.duplicated(["task", "problem_id"]).any())


def shared_ids(known: pd.DataFrame, notes: list[str]) -> dict[tuple[str, str, str], str]:
    """One problem id per question of a task, so that every run's problems stand on one axis.

    Args:
        known: Each combination of `task`, `run_id`, `problem_id` and `question_hash` once; a null hash leaves the id.
        notes: Gets a line where ids were changed.

    Returns:
        (task, problem id, hash) -> the shared id.
    """
    known = known.astype(object)
    known = known[known["question_hash"].notna()]
    ids = known.groupby(["task", "question_hash"], sort=False)["problem_id"].agg(["nunique", "first"])
    texts = known.groupby(["task", "problem_id"], sort=False)["question_hash"].nunique()
    twice = known.groupby(["task", "run_id", "question_hash"], sort=False)["problem_id"].nunique().reset_index()
    several = twice[twice["problem_id"] > 1]
    repeated = set(zip(several["task"], several["question_hash"], strict=True))  # one run poses it several times
    names: dict[tuple[str, str, str], str] = {}
    taken: dict[tuple[str, str], str] = {}
    for row in known.to_dict("records"):
        task, identity, text = str(row["task"]), str(row["problem_id"]), str(row["question_hash"])
        if (task, text) in repeated:
            names[task, identity, text] = identity if texts[task, identity] == 1 else f"{identity} ({text[:6]})"
            continue
        name = str(ids.loc[(task, text), "first"])
        if taken.setdefault((task, name), text) != text:
            name = f"{name} ({text[:6]})"
        names[task, identity, text] = name
    changed = sum(name != identity for (_, identity, _), name in names.items())
    if changed:
        notes.append(f"{changed} problem(s) are numbered differently in several runs: paired by their question")
    return names
