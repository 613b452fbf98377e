"""`harness sample-stats`: what s1's compute_sample_stats prints, on any lm-eval samples JSONL, exactly or as s1 counts.

Exact (default): every response of every sample; thinking is what stands between the delimiters; a step is a paragraph
(the paper's App. E.1 splits on double newlines) or an "N steps left" block. `compat="s1"`: the first response alone, a
step is a line, and the first and last lines of a thought are dropped, so that a one-line thought has 0 tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import marks as thoughts
from harness.analysis.logs.logged import Log, Logged
from harness.analysis.logs.names import model_of, tokenizer_of
from harness.analysis.logs.published import expand, read_log, unreadable
from harness.analysis.logs.token_counts import TokenCounter, load_counter
from harness.errors import UserError
from harness.marks import Marks
from harness.thinking import S1

CONTEXT_TOKENS = 32_760  # s1 counts a prompt and response beyond this as too long
STEP_MARK = " steps left\n"
ANSWER_CUES = ("Answer:", "\\boxed")  # s1's rule for "has an answer"


@dataclass(frozen=True)
class ResponseStats:
    """One response: counts in tokens."""

    file: str
    line: int
    doc_id: str
    sample_index: int
    thinking_tokens: int
    answer_tokens: int
    total_tokens: int
    prompt_tokens: int
    num_steps: int
    step_tokens: tuple[int, ...]
    has_thinking: bool
    has_answer: bool
    correct: bool | None
    too_many_tokens: bool
    too_many_thinking_tokens: bool | None  # None: no budget, or one of steps
    too_many_steps: bool | None


@dataclass(frozen=True)
class FileStats:
    """One file's figures, in the order and meaning of s1's script: means over responses, None where there are none."""

    file: str
    num_samples: int
    num_responses: int
    mean_steps: float | None
    mean_step_tokens: float | None
    min_thinking_tokens: int | None
    max_thinking_tokens: int | None
    mean_thinking_tokens: float | None
    mean_answer_tokens: float | None
    mean_total_tokens: float | None
    num_too_many_tokens: int
    num_too_many_thinking_tokens: int | None
    num_too_many_steps: int | None
    num_without_answer: int
    num_without_thinking: int
    accuracy: float | None  # the log's own score
    sorted_thinking_tokens: list[int] = field(repr=False)
    sorted_correct: list[bool | None] = field(repr=False)  # in the same order
    skipped: list[tuple[int, str]] = field(default_factory=list)
    num_repeated: int = 0


@dataclass(frozen=True)
class Stats:
    """All files. `tokenizer` says what counted; `approximate` that it was no tokenizer."""

    tokenizer: str
    approximate: bool
    compat: str | None
    budget: int | None
    files: list[FileStats]
    responses: list[ResponseStats] = field(repr=False)


def compute(
    files: Sequence[str | Path],
    tokenizer: str | None = None,
    budget: int | None = None,
    compat: str | None = None,
    context: int = CONTEXT_TOKENS,
    marks: Sequence[Marks] = (),
) -> Stats:
    """Statistics of samples JSONL files (names, globs, folders).

    `tokenizer`: a name, folder or tokenizer.json; None takes each log's own model, else an approximation, and says so.
    `budget`: thinking tokens allowed, or steps for a log in the "N steps left" format. `marks`: delimiters that
    no table knows (`harness.marks.own_marks`). Raises UserError for a file or tokenizer that cannot be read; lines
    that cannot are counted and skipped.
    """
    if compat not in (None, "s1"):
        raise UserError(f"compat '{compat}' is not known; use 's1' or leave it out")
    paths = expand(files)
    fixed = load_counter(tokenizer, required=True) if tokenizer else None
    counters: dict[str | None, TokenCounter] = {}
    found, responses = [], []
    for path in paths:
        log = read_log(path)
        if not log.samples:
            raise UserError(unreadable(log))
        if fixed is None:
            name = tokenizer_of(path) or model_of(path, log.samples)
            counters.setdefault(name, load_counter(name))
        counter = fixed or counters[name]
        rows = _responses(log, counter, budget, compat, context, marks)
        responses += rows
        found.append(_file_stats(log, rows))
    used = [fixed] if fixed else list(counters.values())
    names = list(dict.fromkeys(counter.name for counter in used if counter))
    return Stats("; ".join(names), any(c.approximate for c in used if c), compat, budget, found, responses)


@dataclass(frozen=True)
class Parts:
    """A response cut at its delimiters. `in_steps`: it is in the "N steps left" format."""

    thinking: str
    answer: str
    steps: list[str]
    num_steps: int
    has_thinking: bool
    has_answer: bool
    in_steps: bool


def split(response: str, prompt: str = "", marks: Sequence[Marks] = ()) -> Parts:
    """Thinking, answer and steps of a response, delimiters left out.

    Without delimiters all of it is the answer, unless `prompt` ends inside a thought. What stands behind a thought is
    an answer in whatever words; of a response without a thought s1's rule says whether it holds one.
    """
    if STEP_MARK in response:
        head, _, answer = response.partition(S1.thinking_end)
        blocks = [block.split("\n", 1)[1] for block in head.split("<|im_start|>") if STEP_MARK in block]
        answered = bool(answer.strip())
        return Parts("".join(blocks), answer.removeprefix("\n"), blocks, len(blocks), True, answered, True)
    cut = thoughts.split(response, prompt, marks)
    if cut.state == "none":
        return Parts("", response, [], 0, False, _answered(response), False)
    thinking = cut.thinking.removeprefix("\n")
    steps = [step for step in re.split(r"\n{2,}", thinking) if step.strip()]
    answered = cut.state == "closed" and bool(cut.answer.strip() or _answered(cut.closing))
    return Parts(thinking, cut.answer.removeprefix("\n"), steps, len(steps), True, answered, False)


def split_as_s1(response: str, limited: bool = True) -> Parts:
    """The same as s1's script counts it: lines for steps, the first and the last of a thought dropped.

    `limited`: a number of steps was allowed; without one the script knows no "N steps left" format.
    """
    answered = _answered(response)
    if limited and STEP_MARK in response:
        blocks = ["\n".join(part.split("\n")[1:]) for part in response.split("<|im_start|>")[1:-1]]
        pieces = response.split(S1.thinking_end)
        answer = pieces[1] if len(pieces) > 1 else ""
        return Parts("", answer, blocks, response.count(STEP_MARK), True, answered, True)
    head, closed, _ = response.partition(S1.thinking_end)
    lines = head.split("\n")
    answer = response.split(S1.thinking_end)[-1] if closed else ""
    answer = "\n".join(answer.split("\n")[1:]) if "\n" in answer else answer
    has_thinking = S1.thinking_start in response
    return Parts("\n".join(lines[1:-1]), answer, lines[1:-1], len(lines) - 2, has_thinking, answered, False)


def _answered(text: str) -> bool:
    return any(cue in text for cue in ANSWER_CUES)


def _counted(sample: Logged, compat: str | None) -> tuple[str, ...]:
    """The responses that are counted: all of them; by s1 the first, as its filters left it."""
    if not compat:
        return sample.texts
    return (sample.texts[0] if sample.filtered is None else sample.filtered,)


def _responses(
    log: Log, counter: TokenCounter, budget: int | None, compat: str | None, context: int, marks: Sequence[Marks]
) -> list[ResponseStats]:
    picked = [(s, i, text) for s in log.samples for i, text in enumerate(_counted(s, compat))]
    parts = [
        split_as_s1(text, budget is not None) if compat else split(text, sample.prompt, marks)
        for sample, _, text in picked
    ]
    totals = counter.count([text for _, _, text in picked])  # first: the parts are made of the same lines
    thinking = counter.count([p.thinking for p in parts])
    answers = counter.count([p.answer for p in parts])
    flat = counter.count([step for p in parts for step in p.steps])
    prompts = dict(zip({s.line: s for s, _, _ in picked}, counter.count([s.prompt for s in log.samples]), strict=True))
    long = _beyond_context(picked, totals, prompts, counter, context)
    rows, at = [], 0
    for k, ((sample, index, _), part) in enumerate(zip(picked, parts, strict=True)):
        steps = tuple(flat[at : at + len(part.steps)])
        at += len(part.steps)
        # In the step format s1 takes the sum over steps; the blocks have no text between them but the delimiters.
        tokens = sum(steps) if part.in_steps else thinking[k]
        rows.append(
            ResponseStats(
                str(log.path),
                sample.line,
                sample.doc_id,
                index,
                tokens,
                answers[k],
                totals[k],
                prompts[sample.line],
                part.num_steps,
                steps,
                part.has_thinking,
                part.has_answer,
                sample.correct[index],
                long[k],
                None if budget is None or part.in_steps else tokens > budget,
                part.num_steps > budget if budget is not None and part.in_steps else None,
            )
        )
    return rows


def _beyond_context(
    picked: Sequence[tuple[Logged, int, str]],
    totals: Sequence[int],
    prompts: dict[int, int],
    counter: TokenCounter,
    context: int,
) -> list[bool]:
    """Whether prompt and response together exceed the context; tokenised together only where a merge could decide."""
    sums = [prompts[s.line] + total for (s, _, _), total in zip(picked, totals, strict=True)]
    close = [k for k, n in enumerate(sums) if abs(n - context) <= 16]
    exact = dict(zip(close, counter.count([picked[k][0].prompt + picked[k][2] for k in close]), strict=True))
    return [exact.get(k, n) > context for k, n in enumerate(sums)]


def _file_stats(log: Log, rows: Sequence[ResponseStats]) -> FileStats:
    order = sorted(rows, key=lambda r: r.thinking_tokens)  # stable, as s1's
    steps = [n for r in rows for n in r.step_tokens]
    thoughts = [r.thinking_tokens for r in order]
    scored = [r.correct for r in rows if r.correct is not None]
    return FileStats(
        file=str(log.path),
        num_samples=len(log.samples),
        num_responses=len(rows),
        mean_steps=_mean([r.num_steps for r in rows]),
        mean_step_tokens=_mean(steps),
        min_thinking_tokens=thoughts[0] if thoughts else None,
        max_thinking_tokens=thoughts[-1] if thoughts else None,
        mean_thinking_tokens=_mean(thoughts),
        mean_answer_tokens=_mean([r.answer_tokens for r in rows]),
        mean_total_tokens=_mean([r.total_tokens for r in rows]),
        num_too_many_tokens=sum(r.too_many_tokens for r in rows),
        num_too_many_thinking_tokens=_over([r.too_many_thinking_tokens for r in rows]),
        num_too_many_steps=_over([r.too_many_steps for r in rows]),
        num_without_answer=sum(not r.has_answer for r in rows),
        num_without_thinking=sum(not r.has_thinking for r in rows),
        accuracy=_mean([float(c) for c in scored]),
        sorted_thinking_tokens=thoughts,
        sorted_correct=[r.correct for r in order],
        skipped=log.skipped,
        num_repeated=log.num_repeated,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _over(flags: Sequence[bool | None]) -> int | None:
    known = [flag for flag in flags if flag is not None]
    return sum(known) if known else None


def as_json(stats: Stats) -> dict[str, Any]:
    """Plain JSON: the files' figures; the responses are in the Parquet form."""
    return {
        "tokenizer": stats.tokenizer,
        "approximate": stats.approximate,
        "compat": stats.compat,
        "budget": stats.budget,
        "files": [asdict(file) for file in stats.files],
    }
