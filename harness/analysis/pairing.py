"""Which problems of two runs are the same: by their question's text first, by their id only where the text agrees.

Logs number problems as they like: two with the same ids in another order would otherwise be paired wrongly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd


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


def hashes_by_task(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Task -> problem id -> hash of its question, for the problems whose question is stored."""
    if "question_hash" not in frame.columns:
        return {}
    known = frame[["task", "problem_id", "question_hash"]].drop_duplicates(["task", "problem_id"]).astype(object)
    found: dict[str, dict[str, str]] = {}
    for row in known[known["question_hash"].notna()].to_dict("records"):
        found.setdefault(str(row["task"]), {})[str(row["problem_id"])] = str(row["question_hash"])
    return found


def with_shared_ids(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The rows with one problem id per question of a task, so that every run's problems stand on one axis.

    Args:
        frame: Rows with `task`, `run_id`, `problem_id` and `question_hash`; a null hash leaves the id as it is.
        notes: Gets a line where ids were changed.
    """
    if "question_hash" not in frame.columns:
        return frame
    known = frame[["task", "run_id", "problem_id", "question_hash"]].drop_duplicates()
    known = known.astype(object)
    known = known[known["question_hash"].notna()]
    if known.empty:
        return frame
    ids = known.groupby(["task", "question_hash"], sort=False)["problem_id"].agg(["nunique", "first"])
    texts = known.groupby(["task", "problem_id"], sort=False)["question_hash"].nunique()
    if not (ids["nunique"] > 1).any() and not (texts > 1).any():
        return frame
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
    keys = ["task", "problem_id", "question_hash"]
    table = pd.DataFrame([(*key, name) for key, name in names.items()], columns=[*keys, "shared"])
    codes = frame[keys].astype(object).merge(table, on=keys, how="left")["shared"]
    shared = pd.Series(codes.to_numpy(), index=frame.index)
    return frame.assign(problem_id=shared.where(shared.notna(), frame["problem_id"].astype(object)))
