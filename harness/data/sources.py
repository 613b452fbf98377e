"""The 16 sources of s1's 59K pool (its Table 7), as data: where each is, which rows count, where the question stands.

Column names are those of the hub releases that s1's own collection reads; AGIEval, LiveCodeBench and OlympicArena
were published as loading scripts, which `datasets` no longer runs, so they want converted files (`--from`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """One source.

    `question`, `solution` and `answer` are column names; `ask` builds the question where a column is not enough,
    `choices` a question with options and the letter of the right one; `keep` says which records count; `table7` is
    (rows, mean thinking tokens in thousands) in the paper.
    """

    name: str
    hub: str
    table7: tuple[int, float]
    question: str = "question"
    solution: str = "solution"
    answer: str = ""
    subsets: tuple[str | None, ...] = (None,)
    splits: tuple[str, ...] = ("train",)
    detail: str = ""  # the column that completes the source's name, as in AGIEval/lsat_ar
    ask: Callable[[Record], str] | None = None
    choices: Callable[[Record], tuple[str, str]] | None = None
    keep: Callable[[Record], bool] | None = None
    sample: int | None = None  # so many rows, drawn by seed


def first_text(value: Any) -> str:
    """Some releases keep a list of one."""
    if isinstance(value, list):
        return first_text(value[0]) if value else ""
    return "" if value is None else str(value)


def _english_text(record: Record) -> bool:
    return record.get("language") == "EN" and record.get("modality") == "text-only"


def _aime_year(record: Record) -> bool:
    year = record.get("Year") or str(record.get("ID", "0")).split("-")[0]
    return int(year) <= 2021


def _with_passage(record: Record) -> str:
    """AGIEval: the passage, where there is one, the question, and the options."""
    parts = [first_text(record.get("passage")).strip(), first_text(record.get("question")).strip()]
    return "\n\n".join(filter(None, parts)) + "".join(f"\n{option}" for option in record.get("options") or ())


def _with_context(record: Record) -> str:
    """OlympiadBench's physics questions have a context (s1's collection forgot it)."""
    return "\n\n".join(
        filter(None, (first_text(record.get("context")).strip(), first_text(record.get("question")).strip()))
    )


def _crossword(record: Record) -> str:
    clue = first_text(record.get("input")).rpartition("### Clue: ")[2].strip()
    return f"Solve the crossword clue. The number of letters of the answer is in brackets.\n\n{clue}"


def _science(record: Record) -> str:
    """SciEval closes with "Answer:", or with an open slot that is better asked as a question."""
    question = first_text(record.get("question")).removesuffix("Answer:").rstrip()
    for slot in ("solvent", "ligand", "reactant"):
        if question.endswith(f"Optimal {slot}:"):
            question = question.removesuffix(f"Optimal {slot}:") + f"What is the optimal {slot}?"
    return question


def _gpqa(record: Record) -> tuple[str, str]:
    """The question with its four options, in an order that depends on the question alone, and the gold's letter."""
    from harness.grading.choices import format_choices, shuffled_choices

    gold, *wrong = (
        first_text(record.get(name)).strip()
        for name in ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    )
    identity = first_text(record.get("Record ID")) or first_text(record.get("Question"))
    options, letter = shuffled_choices(identity, gold, wrong, 0)
    return format_choices(first_text(record.get("Question")).strip(), options), letter


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        # s1 also took 486 questions outside AoPS from a list of its own (qfq/numinamath_500).
        Source(
            "NuminaMATH",
            "AI-MO/NuminaMath-CoT",
            (30660, 4.1),
            "problem",
            detail="source",
            keep=lambda record: record.get("source") == "aops_forum",
        ),
        Source("MATH", "simplescaling/openaimath", (11999, 2.9), "problem", answer="answer", detail="subject"),
        Source(
            "OlympicArena",
            "GAIR/OlympicArena",
            (4250, 3.2),
            "problem",
            detail="subject",
            splits=("test", "val"),
            subsets=("Math", "Physics", "Chemistry", "Biology", "Geography", "Astronomy", "CS"),
            keep=_english_text,
        ),
        Source("OmniMath", "KbsdJames/Omni-MATH", (4238, 4.4), "problem", answer="answer", splits=("test",)),
        Source(
            "AGIEval",
            "baber/agieval",
            (2385, 1.2),
            detail="subset",
            ask=_with_passage,
            subsets=("sat_en", "sat_math", "lsat_ar", "lsat_lr", "lsat_rc", "logiqa", "aqua_rat", "math_agieval"),
            splits=("test", "few_shot"),
            keep=lambda record: record.get("subset") != "math_agieval" or record.get("level") == 5,
        ),
        Source("xword", "0xharib/xword1", (999, 0.7), ask=_crossword, solution="output", answer="output", sample=1000),
        Source(
            "OlympiadBench",
            "Hothan/OlympiadBench",
            (896, 3.9),
            answer="final_answer",
            ask=_with_context,
            detail="subject",
            subsets=("OE_TO_maths_en_COMP", "OE_TO_physics_en_COMP", "TP_TO_maths_en_COMP", "TP_TO_physics_en_COMP"),
        ),
        Source(
            "AIME 1983-2021",
            "qq8933/AIME_1983_2024",
            (890, 4.7),
            "Question",
            solution="Answer",
            answer="Answer",
            keep=_aime_year,
        ),
        Source(
            "TheoremQA",
            "TIGER-Lab/TheoremQA",
            (747, 2.1),
            "Question",
            solution="Answer",
            answer="Answer",
            splits=("test",),
            detail="Answer_type",
            keep=lambda record: record.get("Picture") is None,
        ),
        Source("USACO", "codegenning/usacobench_formatted", (519, 3.6), solution="", splits=("test",)),
        Source(
            "JEEBench",
            "daman1209arora/jeebench",
            (515, 2.9),
            solution="gold",
            answer="gold",
            splits=("test",),
            detail="subject",
        ),
        # All of the extended set but the diamond questions, which are an evaluation task.
        Source(
            "GPQA",
            "Idavidrein/gpqa",
            (348, 2.9),
            "Question",
            solution="Explanation",
            answer="Correct Answer",
            subsets=("gpqa_extended",),
            detail="High-level domain",
            choices=_gpqa,
        ),
        Source(
            "SciEval",
            "OpenDFM/SciEval",
            (227, 0.7),
            solution="answer",
            answer="answer",
            detail="category",
            splits=("test", "validation"),
            ask=_science,
            sample=250,
            keep=lambda record: record.get("answer") not in (None, []),
        ),
        Source("s1-prob", "simplescaling/s1-prob", (182, 4.0)),
        Source(
            "LiveCodeBench",
            "livecodebench/code_generation_lite",
            (151, 3.5),
            "question_content",
            solution="",
            splits=("test",),
            keep=lambda record: record.get("difficulty") == "hard",
        ),
        Source("s1-teasers", "simplescaling/s1-teasers", (23, 4.1), "Question", solution="Answer", answer="Answer"),
    )
}
# What the 59K set's `source_type` begins with -> the source's name.
PREFIXES: dict[str, str] = {
    **{source.hub: name for name, source in SOURCES.items()},
    "qfq/openaimath": "MATH",
    "qfq/stats_qual": "s1-prob",
    "qfq/quant": "s1-teasers",
    "LiveCodeBench": "LiveCodeBench",
}


def name_of(source_type: str) -> str:
    """Table 7's name for s1's `source_type` ("qfq/openaimath/Algebra"), or the text itself."""
    for prefix, name in PREFIXES.items():
        if source_type == prefix or source_type.startswith(prefix + "/"):
            return name
    return source_type
