"""Lines that are an option by themselves, and lists of the options, whose labels choose nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.grading.extract.letter_marks import NAME, second_letter
from harness.grading.extract.option_names import Named

OPTION_LINE = re.compile(r"\W{0,3}([A-Z])\s?[).:、．]")
_LABELS = re.compile(r"^\W{0,3}[A-Z]\s?[).:、．]", re.MULTILINE)
_BARE = re.compile(rf"(?:[-•>✅👉☑✔]\s?)?{NAME}\(?\s?(?P<letter>[A-Za-z])\s?[).,:;!。]{{0,3}}", re.IGNORECASE)
_WITH_TEXT = re.compile(
    rf"{NAME}(?P<open>\()?\s?(?P<letter>[A-Z])(?:[).:,;]|。|，|\s[-–—(](?!>)|\s(?:because|since|as|for|due)\b)\s?\S",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|isn't|isn’t|incorrect|wrong|false|never|cannot|can't|fails|doesn't|doesn’t|falsch|falsa|fausse|incorrecta)\b|"
    r"错误|不正确|不对|誤り|不符",
    re.IGNORECASE,
)


def lines_that_choose(options: Named, letters: str, choices: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(position, letter) of a letter, a letter with a text or an option's own text as the first or the last line."""
    text = options.text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return
    for line, at in ((lines[0], 0), (lines[-1], len(text))):
        match = _BARE.fullmatch(line)
        if match and match.group("letter").upper() in letters and not _one_of_a_list(lines, line):
            yield at, match.group("letter").upper()
            continue
        if len(line) <= 4 and line[:1] == "\ue000" and not _listed(lines, line[1]):
            yield at, line[1]
            continue
        match = _WITH_TEXT.match(line)
        if match is None or match.group("letter") not in letters or _listed(lines, match.group("letter")):
            continue
        letter, after = match.group("letter"), line[match.end("letter") :]
        others = any(re.search(rf"(?<![A-Za-z]){c}[).:]", line) for c in letters if c != letter)
        if others or second_letter(line, match.end("letter")) or _DENIED.search(after):
            continue
        own = not choices or letter in options.with_letter.values()
        if (line is lines[-1] or len(lines) <= 3 or own) and (at == 0 or own or len(lines) <= 3):
            yield at, letter


def _one_of_a_list(lines: Sequence[str], line: str) -> bool:
    """Whether a line that is one letter stands in a list of lines like it: "A)", "B)", "C)"."""
    alike = {other for other in lines if len(other) == len(line) and _BARE.fullmatch(other)}
    labelled = bool(OPTION_LINE.match(line)) and _listed(lines, line.strip("() ")[:1])
    return len(alike) >= 3 or labelled


def _listed(lines: Sequence[str], letter: str) -> bool:
    """Whether the letter's line only opens or closes a list of the options."""
    starts = [match.group(1) for line in lines if (match := OPTION_LINE.match(line))]
    return len(set(starts)) >= 3 and letter in starts and starts.count(letter) == 1


def list_blocks(text: str) -> list[tuple[int, int]]:
    """(start, end) of the runs of lines that list three or more options one after the other."""
    if len(_LABELS.findall(text)) < 3:
        return []
    blocks: list[tuple[int, int]] = []
    run: list[tuple[int, int, str]] = []
    start = 0
    for line in [*text.split("\n"), ""]:
        end = start + len(line) + 1
        match = OPTION_LINE.match(line.strip())
        expected = chr(ord(run[-1][2]) + 1) if run else "A"
        if match and (match.group(1) == expected or (not run and match.group(1) == "A")):
            run.append((start, end, match.group(1)))
        elif match or (line.strip() and run and len(line) > 200) or end > len(text):
            if len(run) >= 3:
                blocks.append((run[0][0], run[-1][1]))
            run = [(start, end, "A")] if match and match.group(1) == "A" else []
        start = end
    return blocks
