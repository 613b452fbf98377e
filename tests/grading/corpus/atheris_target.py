"""Coverage-guided fuzzing by hand: `python tests/grading/corpus/atheris_target.py -max_total_time=120`.

Needs `pip install atheris`. What it finds goes as a pair into fuzz.jsonl beside this file, which the tests replay.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["harness.grading"]):
    from harness.grading import grade, grade_answer
    from harness.grading.grader import CACHE, INTERNAL


def one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    gold = provider.ConsumeUnicode(40)
    answer = provider.ConsumeUnicode(120)
    CACHE.verdicts.clear()
    one, other = grade_answer(answer, gold), grade_answer(gold, answer)
    assert INTERNAL not in one.reason + other.reason, (one, other)
    if one.correct is not None and other.correct is not None:
        assert one.correct == other.correct, (gold, answer)
    for verdict in (grade(answer, gold), grade(answer, "B", "choice")):
        assert INTERNAL not in verdict.reason, verdict


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
