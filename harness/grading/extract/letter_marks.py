"""Marks that choose an option without a sentence, spelled out as one: boxes, tags, check boxes, tables of verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.grading.extract.answer import last_box
from harness.grading.extract.option_names import named, plain, undecorated

NAME = r"(?:(?:option|choice|answer|ans)\b[\s.:]{0,3})?"
_IN_BOX = re.compile(rf"{NAME}\(?\s?(?P<letter>[A-Za-z])(?:[).,:\s\\]|$)", re.IGNORECASE)
_TAGGED = re.compile(
    r"<(?:answer|choice|option)>(.{1,300}?)</(?:answer|choice|option)>|\[(?:answer|ans)\](.{1,300}?)\[/(?:answer|ans)\]|"
    r"[\"'](?:final_?|correct_?|selected_?)?(?:answer|choice|option|letter)[\"']\s{0,3}:\s{0,3}[\"']([^\"'\n]{1,300})[\"']",
    re.IGNORECASE | re.DOTALL,
)
_CHECKED = re.compile(
    r"^[^\S\n]{0,8}(?:[-*+•]\s?)?\[\s?([xX✓✔ ]?)\s?\][^\S\n]{0,4}(?:option\s)?\(?([A-Z])\b", re.MULTILINE
)
_ROW = re.compile(r"^[^\S\n]{0,4}\|\s?\W{0,4}([A-Z])\W{0,4}\s?\|(.{1,200})$", re.MULTILINE)
_OPTION_VERDICT = re.compile(r"^\W{0,6}(?:option\s)?([A-Z])\W{1,5}\s?(\S.{0,80})$", re.MULTILINE | re.IGNORECASE)
_SAID_YES = (
    r"yes|correct|true|right|richtig|korrekt|wahr|ja|vrai|oui|sí|si|sim|correcta?|correcte|verdadero|верно|да|"
    r"正确|对|是|正しい|맞음"
)
_SAID_NO = (
    r"no|not|incorrect|false|wrong|falsch|nein|faux|non|não|incorrecta?|incorrecte|falso|неверно|нет|"
    r"错误|错|不正确|不对|否|誤り|틀림"
)
_YES = re.compile(rf"^\W{{0,4}}(?:{_SAID_YES}|✓|✔|✅|☑|x|○)\W{{0,3}}(?:$|\s)", re.IGNORECASE)
_NO = re.compile(rf"^\W{{0,4}}(?:{_SAID_NO}|✗|✘|❌|×)\W{{0,3}}(?:$|\s)", re.IGNORECASE)
_JUDGED = re.compile(  # an option and its verdict side by side
    r"(?P<letter>[A-Z])(?<![A-Za-z'’][A-Z])[\s.):：、,|*—–=-]{1,8}"
    rf"(?P<verdict>(?i:{_SAID_YES}|{_SAID_NO})|[✓✔✅✗✘❌×])(?![A-Za-z])"
)
_CHECK_BOX = re.compile("(?m:^)[☐□☑☒■✅]")
_ODD_ONE_OUT = re.compile(r"\b(?:NOT|EXCEPT)\b")
_TICKS, _CROSSES = "✓✔✅☑", "✗✘❌☒"
_TICK = re.compile(f"[{_TICKS}{_CROSSES}]")
_TICK_BEFORE = re.compile(  # "✅ **C. Gamma rays**"
    rf"^[^\S\n]{{0,8}}(?:[-*]\s)?(?P<tick>{_TICK.pattern})[\ufe0f\s*(]{{0,6}}(?:[Oo]ption\s)?(?P<letter>[A-Z])(?![A-Za-z])",
    re.MULTILINE,
)
_TICK_AFTER = re.compile(  # "C ✓", a cell of a table, "B: ✅ matches"
    rf"(?<=[\w|)*.:：])[^\S\n]{{0,4}}(?P<tick>{_TICK.pattern})\ufe0f?(?=[^\S\n]{{0,4}}(?:$|[|,;.(]|\(?[A-Z]\b|[a-z]))",
    re.MULTILINE,
)
_SECOND = re.compile(  # "A or B", "A and B"; not "B, A is wrong"
    r"\)?\s{0,3}(?:and|or|und|oder|et|ou|y|o|e|и|или|和|或|と|、|及|\\?&|/|,|\|)\s{0,3}(?:option\s)?\(?(?P<letter>[A-Z])(?![A-Za-z'’])"
    r"(?!\)?\s(?:is|was|are|being|would|will|cannot|can't|does|has|fails|violates|gives|ignores|requires|ist|est|es|é)\b)"
)


_NEXT = re.compile(r"\s(?P<letter>[A-Z])(?=(?:\s[A-Z])*\s*(?:$|\n))")  # "A B C D"


def second_letter(text: str, at: int) -> str:
    """The letter that "and", "or" or a comma joins to what ends at `at`; "" without one."""
    second = _SECOND.match(text, at) or _NEXT.match(text, at)
    return second.group("letter") if second else ""


def spelled_out(text: str, choices: Sequence[str], letters: str) -> str:
    """`text` with a box, a tag, a JSON field, a check box or a table of verdicts rewritten as "Answer: B"."""
    if "box" in text and (boxed := last_box(text)) and (said := _inside(boxed[2], choices, letters)):
        text = text[: boxed[0]] + said + text[boxed[1] :]
    if "<" in text or '"' in text or "':" in text or "[" in text:
        text = _TAGGED.sub(lambda m: _inside(next(filter(None, m.groups())), choices, letters) or " ", text)
    if "[" in text and (boxes := list(_CHECKED.finditer(text))):
        ticked = [m.group(2) for m in boxes if m.group(1).strip()]
        text = text[: boxes[0].start()] + text[boxes[-1].end() :]
        text += f"\nAnswer: {ticked[0]}\n" if len(ticked) == 1 else ""
    if "|" in text:
        text = _verdicts(text, [(m, m.group(1), m.group(2).split("|")) for m in _ROW.finditer(text)])
    lines = [(m, m.group(1).upper(), [m.group(2)]) for m in _OPTION_VERDICT.finditer(text)] if "\n" in text else []
    return _verdicts(text, lines) if 3 <= len(lines) <= len(letters) else text


def _inside(content: str, choices: Sequence[str], letters: str) -> str | None:
    """What a box or a tag says: its letter, two letters, or the letter of the option whose text it holds."""
    inside = _IN_BOX.match(undecorated(content).strip())
    if inside:
        second = second_letter(inside.string, inside.end("letter"))
        if second and second in letters:
            return f"\nAnswer: {inside.group('letter').upper()} and {second}\n"
    letter = option_with_text(content, choices) or (inside.group("letter").upper() if inside else None)
    if letter is None and choices:
        inner = named(undecorated(content), choices)
        said = {*inner.with_letter.values()} or {*inner.text_only.values()}
        letter = said.pop() if len(said) == 1 else None
    return None if letter is None else f"\nAnswer: {letter}\n"


def option_with_text(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option whose text is `text`."""
    if not choices:
        return None
    wanted = plain(text)
    hits = [k for k, choice in enumerate(choices) if wanted and plain(choice) == wanted]
    lone = len(wanted) == 1 and wanted.upper() in {chr(ord("A") + k) for k in range(len(choices))}
    return chr(ord("A") + hits[0]) if len(hits) == 1 and not lone else None


def ticks_in_words(text: str) -> str:
    """`text` whose ticks and crosses beside options, three or more, are spelled "yes" and "no", and check boxes [x]."""
    text = _CHECK_BOX.sub(lambda m: "[ ]" if m.group() in "☐□" else "[x]", text) if "☐" in text or "□" in text else text
    if len(_TICK.findall(text)) < 3:
        return text

    def word(tick: str) -> str:
        return "yes" if tick in _TICKS else "no"

    text = _TICK_BEFORE.sub(lambda m: f"{m.group('letter')} {word(m.group('tick'))} ", text)
    return _TICK_AFTER.sub(lambda m: f" {word(m.group('tick'))}", text)


def _verdicts(text: str, rows: list[tuple[re.Match[str], str, list[str]]]) -> str:
    """`text` with "Answer: B" after rows of verdicts, of which one is yes and the others are no.

    The last column is the verdict; where it holds none, any column is.
    """
    last = {letter: [[c for c in cells if c.strip()][-1]] for _, letter, cells in rows if any(map(str.strip, cells))}
    yes = _one_yes(last) or _one_yes({letter: cells for _, letter, cells in rows})
    if not yes:
        return text
    end = rows[-1][0].end()
    return f"{text[:end]}\nAnswer: {yes}\n{text[end:]}"


def _one_yes(rows: Mapping[str, Sequence[str]]) -> str:
    """The one letter whose cells say yes where all the others, two at least, say no; "" without one."""
    good = {letter for letter, cells in rows.items() if any(map(_YES.match, cells))}
    bad = {letter for letter, cells in rows.items() if any(map(_NO.match, cells))}
    chosen = good - bad
    return chosen.pop() if len(rows) >= 3 and len(chosen) == 1 and chosen | bad == set(rows) else ""


def run_of_verdicts(text: str, letters: str) -> Iterator[tuple[int, str]]:
    """(position, letter) of the one option judged right, one after the other: "(A) No. (B) No. (C) Yes."."""
    found = [m for m in _JUDGED.finditer(text) if m.group("letter") in letters]
    said: dict[str, list[str]] = {}
    for match in found:
        said.setdefault(match.group("letter"), []).append(match.group("verdict"))
    if len(said) < 3 or _ODD_ONE_OUT.search(text):
        return  # the one "no" may be what is asked for
    if yes := _one_yes(said):
        yield max(m.start() for m in found if m.group("letter") == yes), yes
