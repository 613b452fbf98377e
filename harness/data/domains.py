"""Domains of questions: a given column, a model with the MSC list, or the keyword rule below.

s1 asks a model for one subject of the Mathematics Subject Classification, extended by the sciences (section 2.2).
"""

from __future__ import annotations

import re

# Mathematics Subject Classification 2020, top level (msc2020.org): code -> subject. s1 asks for these (its Table 6 has
# 51 of them, in short names); the codes from 70 on hold the sciences.
MSC: dict[str, str] = {
    "00": "General",
    "01": "History and biography",
    "03": "Mathematical logic",
    "05": "Combinatorics",
    "06": "Order and lattices",
    "08": "Algebraic systems",
    "11": "Number theory",
    "12": "Field theory",
    "13": "Commutative algebra",
    "14": "Algebraic geometry",
    "15": "Linear algebra",
    "16": "Associative rings",
    "17": "Nonassociative rings",
    "18": "Category theory",
    "19": "K-theory",
    "20": "Group theory",
    "22": "Topological groups",
    "26": "Real functions",
    "28": "Measure and integration",
    "30": "Complex functions",
    "31": "Potential theory",
    "32": "Several complex variables",
    "33": "Special functions",
    "34": "Differential equations",
    "35": "Partial differential equations",
    "37": "Dynamical systems",
    "39": "Difference equations",
    "40": "Sequences and series",
    "41": "Approximations",
    "42": "Harmonic analysis",
    "43": "Abstract harmonic analysis",
    "44": "Integral transforms",
    "45": "Integral equations",
    "46": "Functional analysis",
    "47": "Operator theory",
    "49": "Calculus of variations",
    "51": "Geometry",
    "52": "Convex and discrete geometry",
    "53": "Differential geometry",
    "54": "General topology",
    "55": "Algebraic topology",
    "57": "Manifolds",
    "58": "Global analysis",
    "60": "Probability theory",
    "62": "Statistics",
    "65": "Numerical analysis",
    "68": "Computer science",
    "70": "Mechanics",
    "74": "Mechanics of solids",
    "76": "Fluid mechanics",
    "78": "Electromagnetic theory",
    "80": "Thermodynamics",
    "81": "Quantum theory",
    "82": "Statistical mechanics",
    "83": "Relativity",
    "85": "Astronomy",
    "86": "Geophysics",
    "90": "Operations research",
    "91": "Game theory and economics",
    "92": "Biology and other sciences",
    "93": "Systems theory and control",
    "94": "Information and circuits",
    "97": "Mathematics education",
}
INSTRUCTION = (
    "You label a question with the one subject that it belongs to most. The subjects are:\n"
    + "\n".join(f"{code} {name}" for code, name in MSC.items())
    + "\nDo not answer the question. Reply with the two-digit code of the subject and nothing else."
)

# Keywords of MATH's seven subjects, in order: the first subject with the most hits wins. A stand-in where no model is
# at hand, and a rough one: it gives 284 of MATH500's 500 own labels (always saying "Algebra" gives 124).
KEYWORDS: dict[str, str] = {
    "Geometry": r"triangle|circle|square units|angle|polygon|perimeter|radius|area|rectangle|cube|sphere|cone|cylinder"
    r"|trapezoid|diagonal|perpendicular|parallel|\[asy\]|hexagon|circumscribed|inscribed|volume",
    "Counting & Probability": r"probability|how many ways|how many different|dice|\bdie\b|\bcoins?\b|choose|committee"
    r"|arrange|expected value|at random|marbles|deck of cards|binom|permutation",
    "Number theory": r"divis|prime|remainder|\bmod\b|pmod|integer|digit|factor of|multiple of|gcd|lcm|base[ -]"
    r"|units digit|greatest common|least common",
    "Precalculus": r"\\sin|\\cos|\\tan|\\theta|vector|matrix|pmatrix|\\arc|polar|\\mathbf|trigonometric|degrees",
    "Intermediate algebra": r"polynomial|roots?\b|complex|\\log|asymptote|hyperbola|ellipse|parabola|real numbers"
    r"|f\(x\)|sequence|inequality|minimum value|maximum value|\|z\|",
    "Algebra": r"solve|equation|value of|simplify|expand|slope|graph|function|sum of|interest|percent|intercept|linear",
    "Prealgebra": r"average|mean of|median|fraction|cents|dollars|price|miles|hours|minutes|how many|students|cost",
}
_PATTERNS = {subject: re.compile(pattern, re.IGNORECASE) for subject, pattern in KEYWORDS.items()}


def by_keywords(question: str) -> str:
    """The MATH subject whose keywords occur most often; "Algebra" when none does."""
    best, most = "Algebra", 0
    for subject, pattern in _PATTERNS.items():
        hits = len(pattern.findall(question))
        if hits > most:
            best, most = subject, hits
    return best


def from_reply(reply: str) -> str | None:
    """The subject that a model's reply names, by code (the last one it gives) or by name; None if it names none."""
    codes = [code for code in re.findall(r"(?<!\d)\d{2}(?!\d)", reply) if code in MSC]
    if codes:
        return MSC[codes[-1]]
    named = [name for name in MSC.values() if name.lower() in reply.lower()]
    return max(named, key=len) if named else None
