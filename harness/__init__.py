"""s1-harness: budget-forced evaluation and SFT ablations for test-time scaling (arXiv 2501.19393).

The public names below can be imported from `harness` itself; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the module that defines it.
PUBLIC = {
    "Budget": "harness.config",
    "Claim": "harness.config",
    "EngineConfig": "harness.config",
    "Recipe": "harness.config",
    "Sampling": "harness.config",
    "Study": "harness.config",
    "TaskReading": "harness.config",
    "Training": "harness.config",
    "UserError": "harness.errors",
    "generate": "harness.generation.direct",
    "open_engine": "harness.generation",
    "Generation": "harness.records",
    "Problem": "harness.records",
    "ThinkingFormat": "harness.thinking",
    "thinking_format": "harness.thinking",
    "Verdict": "harness.grading",
    "grade": "harness.grading",
    "grade_answer": "harness.grading",
    "grade_many": "harness.grading",
    "control": "harness.analysis.metrics",
    "performance": "harness.analysis.metrics",
    "scaling": "harness.analysis.metrics",
    "Interval": "harness.analysis.intervals",
    "paired_difference": "harness.analysis.bootstrap",
}

if TYPE_CHECKING:
    from harness.analysis.bootstrap import paired_difference
    from harness.analysis.intervals import Interval
    from harness.analysis.metrics import control, performance, scaling
    from harness.config import Budget, Claim, EngineConfig, Recipe, Sampling, Study, TaskReading, Training
    from harness.errors import UserError
    from harness.generation import open_engine
    from harness.generation.direct import generate
    from harness.grading import Verdict, grade, grade_answer, grade_many
    from harness.records import Generation, Problem
    from harness.thinking import ThinkingFormat, thinking_format

__all__ = [
    "PUBLIC",
    "Budget",
    "Claim",
    "EngineConfig",
    "Generation",
    "Interval",
    "Problem",
    "Recipe",
    "Sampling",
    "Study",
    "TaskReading",
    "ThinkingFormat",
    "Training",
    "UserError",
    "Verdict",
    "__version__",
    "control",
    "generate",
    "grade",
    "grade_answer",
    "grade_many",
    "open_engine",
    "paired_difference",
    "performance",
    "scaling",
    "thinking_format",
]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(import_module(PUBLIC[name]), name)
