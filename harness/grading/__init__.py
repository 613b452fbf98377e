r"""Grading that can be trusted: extract the final answer, compare it with the gold, say why.

>>> from harness.grading import grade
>>> grade("...<|im_start|>answer\nFinal Answer: \\boxed{\\frac12}", "0.5").status
'correct'
"""

from __future__ import annotations

from harness.grading.grader import grade, grade_answer, grade_many
from harness.grading.verdict import Verdict

__all__ = ["Verdict", "grade", "grade_answer", "grade_many"]
