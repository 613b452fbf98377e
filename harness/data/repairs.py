"""Repairs of text as the sources publish it: unicode spaces, control characters that were LaTeX, figures left out.

Repairs are counted by name, and the row keeps the names in its metadata, so that a changed question can be traced.
"""

from __future__ import annotations

import re

SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
ZERO_WIDTH = re.compile("[\u200b-\u200d\u2060\ufeff]")
# A JSON or Python escape that ate a backslash: \b(inom), \f(rac), \v(ec), \a(lpha). These never stand in real text.
CONTROLS = {"\x08": "\\b", "\x0c": "\\f", "\x0b": "\\v", "\x07": "\\a"}
# Tab and carriage return do, so they are read as \t.. and \r.. only where a known command follows.
TAB = re.compile(r"\t(?=(?:imes|ext|extbf|heta|an|frac|riangle|ilde|o|au)\b)")
RETURN = re.compile(r"\r(?=(?:ight|ightarrow|angle|ho|floor|ceil|vert)\b)")
IMAGE_LINK = re.compile(r"!\[[^\]]*\]\([^)]*\)|<img\b[^>]*>|\\includegraphics(?:\[[^\]]*\])?\{[^}]*\}")
# The question speaks of a figure ...
FIGURE = re.compile(
    r"\b(?:figure|diagram|picture|image|graph)s?\s+(?:shown\s+)?(?:above|below|shown|at (?:the )?(?:right|left))\b"
    r"|\b(?:in|see|from|as in) the (?:accompanying |following |attached )?(?:figure|diagram|picture|image)\b"
    r"|\b(?:pictured|shown|drawn) (?:above|below|here)\b",
    re.IGNORECASE,
)
FIGURE_WORDS = (
    "figure",
    "diagram",
    "picture",
    "image",
    "graph",
    "shown",
    "drawn",
)  # one of these stands in every FIGURE
# ... and holds one in text.
DRAWN = re.compile(r"\[asy\]|\\begin\{(?:asy|tikzpicture)\}|<asy>")


def repair(text: str) -> tuple[str, list[str]]:
    """`text` as it was meant, and the names of the repairs that changed it."""
    done = []

    def step(name: str, new: str) -> None:
        nonlocal text
        if new != text:
            done.append(name)
            text = new

    step("unicode spaces", ZERO_WIDTH.sub("", SPACES.sub(" ", text)))
    commands = text
    for control, command in CONTROLS.items():
        commands = commands.replace(control, command)
    step("control characters", RETURN.sub(r"\\r", TAB.sub(r"\\t", commands)))
    step("line ends", text.replace("\r\n", "\n").replace("\r", "\n"))
    step("image links", IMAGE_LINK.sub("[image]", text))  # the quality filter knows the mark
    return text.strip(), done


def misses_figure(question: str) -> bool:
    """Whether the question leans on a figure that is not in its text."""
    if question.isascii():  # others have letters that only the pattern takes for "i" or "s"
        lowered = question.lower()
        if not any(word in lowered for word in FIGURE_WORDS):
            return False
    return FIGURE.search(question) is not None and DRAWN.search(question) is None
