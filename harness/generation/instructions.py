"""The prompts of the conditional methods (s1, section 5.1 and App. E.1; its commands.sh)."""

from __future__ import annotations

from harness.config import Budget

TOKENS = "\n\nThink for up to {} tokens."
STEPS = "\n\nThink for up to {} steps."
LONG = (
    "\n\nAnswer after a long amount of thinking. If you feel like you are finished early, spend the extra time trying "
    "to double-check your work until you are absolutely sure that you have the correct answer."
)
SHORT = "\n\nAnswer after a short amount of thinking. Do not spend excessive time double-checking your work."
CLASSES = {"long": LONG, "short": SHORT}


def instruct(question: str, budget: Budget) -> str:
    """`question` with the instruction that `budget` puts behind it; unchanged for the methods that give none."""
    if budget.method in ("token_conditional", "step_conditional"):
        template = TOKENS if budget.method == "token_conditional" else STEPS
        return question + template.format(budget.instructed)
    if budget.method == "class_conditional":
        return question + CLASSES[str(budget.instructed)]
    return question
