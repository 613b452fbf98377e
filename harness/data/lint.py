r"""What is wrong with rows that are to be trained on: by kind, with examples, what it costs in tokens, and mended.

Kinds are looked for one by one, so that a row may have several. `FIXES` says what `--fix` does to a row of each kind:
it mends what can be mended without a loss (marks around a trace, special tokens behind an answer), and drops the rest.
Lint errors seen in published sets: nested and unclosed thoughts, loops, cut traces, answers that contradict the gold.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.data.candidates import CUT
from harness.data.endings import stops_mid_sentence
from harness.data.near import near_duplicates
from harness.data.repetition import loops
from harness.data.schema import Row, kind_of, metadata_of
from harness.data.traces import split_response, without_wrapper
from harness.errors import UserError
from harness.marks import holds_delimiter, split, without_turn_end

CHARACTERS_PER_TOKEN = 3.5  # of English with LaTeX; where a row's tokens were not counted
NUM_EXAMPLES = 3
SPECIAL = re.compile(
    r"<\|[A-Za-z][\w:.-]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|</?s>(?=\s*$)|\[/?INST\]|<(?:start|end)_of_turn>"
    r"|<(?:pad|unk|bos|eos)>|\[(?:PAD|UNK)\]|</?tool_(?:call|response)>"
)
# Not where a tag is only named, in quotes.
OPEN_TAG = re.compile(r"(?<![`'\"])<(?:think|thinking|thought|reasoning)>(?![`'\"])", re.IGNORECASE)
CLOSE_TAG = re.compile(r"(?<![`'\"])</(?:think|thinking|thought|reasoning)>(?![`'\"])", re.IGNORECASE)
LEAKS = re.compile(
    r"<\|im_start\|>(?:user|system)|<\|start_header_id\|>(?:user|system)|^(?:Human|User|System): "
    r"|put your final answer within \\boxed|please reason step by step, and"
    r"|\b(?:according to|matches|as given in) the given (?:answer|solution)\b"
    r"|\bthe (?:reference|provided|gold|ground[- ]truth) (?:answer|solution)\b|\bas an AI (?:language )?model\b"
    r"|\bYour role as an assistant involves\b|\bYou are (?:ChatGPT|Qwen|a helpful assistant)\b",
    re.IGNORECASE | re.MULTILINE,
)
SCRIPTS = {
    "Latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
    "Chinese, Japanese or Korean": re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"),
    "Cyrillic": re.compile(r"[\u0400-\u04ff]"),
    "Arabic": re.compile(r"[\u0600-\u06ff]"),
    "Devanagari": re.compile(r"[\u0900-\u097f]"),
}
# Words that one language alone has, and says all the time: what tells those that share a script.
WORDS = {
    "English": "the of and is to that we it this so are with",
    "Spanish": "el los las es y en por como entonces pero más",
    "French": "le les des est et nous dans donc pour une alors pas",
    "German": "der die das und ist nicht wir ein zu mit also den",
    "Italian": "il di è che sono della quindi per non gli allora",
    "Portuguese": "os não é em uma são então dos temos mais",
    "Indonesian": "yang dan adalah untuk dengan kita ini dari jadi",
    "Vietnamese": "là của và có chúng ta được không các thì",
}
LANGUAGES = {name: frozenset(words.split()) for name, words in WORDS.items()}
MIN_WORDS = 3  # of a language's own, in the question, and four times as many in the trace
FOREIGN_SHARE = 0.05  # of a trace's letters, in a script that its question does not have


@dataclass
class Finding:
    """One kind of defect: the rows that have it, and their tokens."""

    rows: int = 0
    tokens: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, row_id: str, tokens: int) -> None:
        """Count one row."""
        self.rows += 1
        self.tokens += tokens
        if len(self.examples) < NUM_EXAMPLES:
            self.examples.append(row_id)


def nested_thinking(row: Mapping[str, Any]) -> bool:
    """A whole thought, with both marks, stands in the trace or in the answer."""
    return any(OPEN_TAG.search(text) and CLOSE_TAG.search(text) for text in (row["thinking"], row["attempt"]))


def unclosed_thinking(row: Mapping[str, Any]) -> bool:
    """One mark of a thought stands alone in the trace or in the answer."""
    return any(
        bool(OPEN_TAG.search(text)) != bool(CLOSE_TAG.search(text)) for text in (row["thinking"], row["attempt"])
    )


def foreign_token(row: Mapping[str, Any]) -> bool:
    """A special token or another family's delimiter stands in a text."""
    texts = (row["question"], row["thinking"], row["attempt"])
    if any(SPECIAL.search(text) for text in texts):
        return True
    return any(holds_delimiter(text) and not (OPEN_TAG.search(text) or CLOSE_TAG.search(text)) for text in texts)


def loop(row: Mapping[str, Any]) -> bool:
    """The trace says the same again and again, numbers aside."""
    return loops(row["thinking"])


def cut_trace(row: Mapping[str, Any]) -> bool:
    """The generation ended at its limit, or in an open box."""
    if metadata_of(row).get("finish") in CUT:
        return True
    return any(_open_box(text) for text in (row["thinking"], row["attempt"]))


def _open_box(text: str) -> bool:
    at = text.rfind("\\boxed{")
    return at >= 0 and text.count("{", at) > text.count("}", at) and "\n\n" not in text[at:]


def mid_sentence(row: Mapping[str, Any]) -> bool:
    """The trace stops in the middle of a sentence, though nothing says that it was cut."""
    return not cut_trace(row) and stops_mid_sentence(row["thinking"])


def empty_thinking(row: Mapping[str, Any]) -> bool:
    """There is no trace."""
    return not row["thinking"].strip()


def empty_answer(row: Mapping[str, Any]) -> bool:
    """There is neither an attempt nor an answer: the model would learn to say nothing."""
    return not (row["attempt"].strip() or row["answer"].strip())


def contradicts_gold(row: Mapping[str, Any]) -> bool:
    """The attempt was graded as wrong, or is found wrong."""
    from harness.grading import grade

    known = metadata_of(row).get("attempt_correct")
    if isinstance(known, bool):
        return not known
    if not row["attempt"].strip() or not row["answer"].strip():
        return False
    return grade(row["attempt"], row["answer"], kind_of(row)).correct is False


def answer_not_in_trace(row: Mapping[str, Any]) -> bool:
    """The answer's result does not stand in the trace that should lead to it."""
    from harness.grading import grade

    if not row["attempt"].strip() or not row["thinking"].strip():
        return False
    extracted = grade(row["attempt"], row["answer"] or "0", kind_of(row)).extracted
    return bool(extracted) and _bare(str(extracted)) not in _bare(row["thinking"])


def _bare(text: str) -> str:
    """Letters, digits and signs alone, so that spacing and markup do not count."""
    text = re.sub(r"\\(?:left|right|,|;|!|text|mathrm|d(?=frac))", "", text)
    return re.sub(r"[\s$\\{}]+", "", text).lower()


def prompt_leak(row: Mapping[str, Any]) -> bool:
    """The trace or the answer holds another turn, its own instruction, or speaks of a solution that it was shown."""
    return any(LEAKS.search(text) for text in (row["thinking"], row["attempt"]))


def other_language(row: Mapping[str, Any]) -> bool:
    """The trace is partly in a script in which its question has no letter, or in other words of the same script."""
    asked = _scripts(row["question"])
    used = _scripts(row["thinking"])
    letters = sum(used.values()) or 1
    if any(used[name] / letters > FOREIGN_SHARE for name in SCRIPTS if name != "Latin" and not asked[name]):
        return True
    told, said = _language(row["question"], MIN_WORDS), _language(row["thinking"], 4 * MIN_WORDS)
    return bool(told and said and told != said)


def _language(text: str, least: int) -> str:
    """The language most of whose own words `text` has, at least twice as many as another's; "" where none is told."""
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    counts = sorted((sum(words[one] for one in own), name) for name, own in LANGUAGES.items())
    (second, _), (first, name) = counts[-2:]
    return name if first >= max(least, 2 * second) else ""


def _scripts(text: str) -> dict[str, int]:
    return {name: len(pattern.findall(text)) for name, pattern in SCRIPTS.items()}


Check = Callable[[Mapping[str, Any]], bool]
CHECKS: dict[str, Check] = {
    "no thinking": empty_thinking,
    "nested thinking": nested_thinking,
    "unclosed thinking": unclosed_thinking,
    "foreign delimiter or special token": foreign_token,
    "loop": loop,
    "cut trace": cut_trace,
    "ends mid-sentence": mid_sentence,
    "empty answer": empty_answer,
    "answer contradicts the gold": contradicts_gold,
    "answer not in the trace": answer_not_in_trace,
    "prompt leak": prompt_leak,
    "other language than the question": other_language,
}
GRADED = ("answer contradicts the gold", "answer not in the trace")  # which take time
DUPLICATE, NEAR, NO_LOSS = "duplicate", "near duplicate", "no loss at the block size"
WARNINGS = ("answer not in the trace", "ends mid-sentence", NEAR)  # a reader has to judge; they are not dropped
KINDS = (*CHECKS, DUPLICATE, NEAR, NO_LOSS)


def defects(row: Mapping[str, Any], graded: bool = True) -> list[str]:
    """The kinds of `CHECKS` that fire on a row. `graded`: those that call the grader, too."""
    row = {**row, "metadata": metadata_of(row)}  # read once: several ask
    return [name for name, fires in CHECKS.items() if (graded or name not in GRADED) and fires(row)]


@dataclass
class Report:
    """What was found in a pool. `of`: its rows; `tokens`: of their traces and answers."""

    of: int = 0
    tokens: int = 0
    clean: int = 0
    found: dict[str, Finding] = field(default_factory=dict)
    mended: int = 0
    dropped: int = 0

    def add(self, kind: str, row: Mapping[str, Any]) -> None:
        """Count a row under `kind`."""
        self.found.setdefault(kind, Finding()).add(row["id"], tokens_of(row))

    @property
    def errors(self) -> dict[str, Finding]:
        """What would harm a training: all but the warnings."""
        return {kind: one for kind, one in self.found.items() if kind not in WARNINGS}

    def line(self) -> str:
        """The counts in one line; "" where there is nothing."""
        ordered = [kind for kind in KINDS if kind in self.found]
        return ", ".join(f"{self.found[kind].rows:,} {kind}" for kind in ordered)


def tokens_of(row: Mapping[str, Any]) -> int:
    """About how many tokens a row trains: counted for its trace where it says so, else from its characters."""
    characters = len(row["attempt"] or row["answer"]) / CHARACTERS_PER_TOKEN
    return round((row.get("thinking_tokens") or len(row["thinking"]) / CHARACTERS_PER_TOKEN) + characters)


def lint(
    rows: Iterable[Mapping[str, Any]],
    graded: bool = True,
    near: bool = True,
    loses_all: Callable[[Mapping[str, Any]], bool] | None = None,
    fixed: list[Row] | None = None,
) -> Report:
    """Look at every row.

    Args:
        rows: in the pool schema.
        graded: whether answers are compared with the gold and the trace, which takes time.
        near: whether near duplicates are looked for.
        loses_all: whether a row has no loss at the block size; None: not looked at.
        fixed: is filled with the rows that are left, mended.
    """
    report = Report()
    texts: dict[bytes, str] = {}
    kept: list[Mapping[str, Any]] = []
    for row in rows:
        report.of += 1
        report.tokens += tokens_of(row)
        kinds = defects(row, graded)
        text = "\0".join((row["question"], row["thinking"], row["attempt"])).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=16).digest()
        if digest in texts:
            kinds.append(DUPLICATE)
        texts.setdefault(digest, row["id"])
        if loses_all is not None and loses_all(row):
            kinds.append(NO_LOSS)
        for kind in kinds:
            report.add(kind, row)
        report.clean += not kinds
        if near and DUPLICATE not in kinds:
            kept.append({name: row[name] for name in ("id", "question", "thinking", "attempt", "answer")})
        if fixed is not None:
            new = mend(row, kinds)
            if new is None:
                report.dropped += 1
            else:
                report.mended += new != dict(row)
                fixed.append(new)
    by_id = {row["id"]: row for row in kept}
    for row_id, _ in near_duplicates((row["id"], row["question"] + "\n" + row["thinking"]) for row in kept):
        report.add(NEAR, by_id[row_id])
    return report


def mend(row: Mapping[str, Any], kinds: list[str]) -> Row | None:
    """The row without what can be taken away, or None where a defect is left that is no warning.

    No word is lost: marks and special tokens go, and a thought in the attempt is put behind the trace.
    """
    new = dict(row)
    if any(kind in kinds for kind in ("nested thinking", "unclosed thinking", "foreign delimiter or special token")):
        thinking, found = new["thinking"], split_response(new["attempt"])
        attempt = new["attempt"]
        if found.state == "closed" and found.attempt:
            thinking, attempt = f"{thinking.strip()}\n\n{found.thinking}", found.attempt
        new |= {"thinking": _without_marks(thinking), "attempt": _without_marks(without_turn_end(attempt))}
    left = [kind for kind in defects(new, graded=False) if kind not in WARNINGS]
    left += [kind for kind in kinds if kind in (DUPLICATE, NO_LOSS)]
    left += [kind for kind in kinds if kind in GRADED and kind not in WARNINGS and CHECKS[kind](new)]
    return None if left else new


def _without_marks(text: str) -> str:
    opened = split(text)
    before = OPEN_TAG.sub("", opened.preface).strip()
    if opened.state == "open" and (not before or [before] == opened.preface.split()):  # a mark that nothing closes
        text = opened.thinking
    text = without_wrapper(text)
    return SPECIAL.sub("", CLOSE_TAG.sub("", OPEN_TAG.sub("", text))).strip()


def check(report: Report, what: str) -> None:
    """Raise `UserError` where the rows hold an error, for a study with lint="strict"."""
    if report.errors:
        raise UserError(
            f"lint of {what}: {report.line()}; `harness data lint --fix` mends or drops them, lint=count goes on"
        )


__all__ = ["CHECKS", "KINDS", "WARNINGS", "Finding", "Report", "check", "defects", "lint", "mend"]
