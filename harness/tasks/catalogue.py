"""The built-in tasks: what they are called, where their problems are published, how an answer is compared.

docs/tasks.md says by what each hub data set's columns were confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.config import TaskReading
from harness.errors import unknown
from harness.grading.verdict import Kind


@dataclass(frozen=True)
class Task:
    """A benchmark. `local` is its file name under `--data-dir` (or its tasks/ folder); without one, `hub` is read."""

    name: str
    kind: Kind
    hub: str = ""  # a Hugging Face data set; empty: its problems are generated
    subset: str | None = None
    split: str = "test"
    local: str = ""
    question: str = "problem"  # column names
    gold: str = "answer"
    context: str = ""  # a column whose text stands before the question, where it has one
    metadata: dict[str, str] = field(default_factory=lambda: {name: name for name in ("subject", "level", "year")})
    shuffle: bool = False
    num_problems: int = 0  # in the published release; 0 where we generate them, or nobody says

    @property
    def file(self) -> str:
        """Its file name under `--data-dir`."""
        return self.local or f"{self.name}.jsonl"

    @property
    def reading(self) -> TaskReading:
        """How its rows are read."""
        columns = (("question", self.question), ("gold", self.gold))
        return TaskReading(columns=columns, kind=self.kind, shuffle=self.shuffle)


_GPQA = {"High-level domain": "domain", "Subdomain": "subdomain"}
_ARENA = {"problem_type": "problem_type"}
_LIVE = ("cnmo", "ccee", "amc", "wlpmc", "hard")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("aime24_nofigures", "integer", "simplescaling/aime24_nofigures", split="train", num_problems=30),
        Task("aime24_figures", "integer", "simplescaling/aime24_figures", split="train", num_problems=30),
        Task("aime25", "integer", "simplescaling/aime25_nofigures", split="train", num_problems=30),
        Task("math500", "math", "HuggingFaceH4/MATH-500", num_problems=500),
        Task(
            "gpqa_diamond",
            "choice",
            "Idavidrein/gpqa",
            subset="gpqa_diamond",
            split="train",
            local="gpqa_diamond.zip",
            question="Question",
            gold="Correct Answer",
            metadata=_GPQA,
            shuffle=True,
            num_problems=198,
        ),
        Task("aime_2024", "integer", "HuggingFaceH4/aime_2024", split="train", num_problems=30),
        Task("aime_2025", "integer", "MathArena/aime_2025", split="train", metadata=_ARENA, num_problems=30),
        Task("aime_2026", "integer", "MathArena/aime_2026", split="train", metadata=_ARENA, num_problems=30),
        Task("hmmt_feb_2025", "math", "MathArena/hmmt_feb_2025", split="train", metadata=_ARENA, num_problems=30),
        Task("hmmt_feb_2026", "math", "MathArena/hmmt_feb_2026", split="train", metadata=_ARENA, num_problems=33),
        Task("hmmt_nov_2025", "math", "MathArena/hmmt_nov_2025", split="train", metadata=_ARENA, num_problems=30),
        Task("brumo_2025", "math", "MathArena/brumo_2025", split="train", metadata=_ARENA, num_problems=30),
        Task("amc23", "math", "math-ai/amc23", question="question", num_problems=40),
        Task("minerva_math", "math", "math-ai/minervamath", question="question", num_problems=272),
        Task(
            "olympiadbench",
            "math",
            "Hothan/OlympiadBench",
            subset="OE_TO_maths_en_COMP",
            split="train",
            question="question",
            gold="final_answer",
            context="context",
            metadata={"subfield": "subject", "answer_type": "answer_type", "difficulty": "level"},
            num_problems=674,
        ),
        Task("gsm8k", "math", "openai/gsm8k", subset="main", question="question", num_problems=1319),
        Task(
            "mmlu_pro",
            "choice",
            "TIGER-Lab/MMLU-Pro",
            question="question",
            metadata={"category": "subject", "src": "source"},
            num_problems=12032,
        ),
        *(
            Task(
                f"livemathbench_{part}",
                "math",
                "opencompass/LiveMathBench",
                subset=f"v202412_{subset}_en",
                question="question",
                metadata={"question_type": "question_type"},
            )
            for part, subset in zip(_LIVE, ("CNMO", "CCEE", "AMC", "WLPMC", "hard"), strict=True)
        ),
        *(
            Task(
                f"mgsm_{language}",
                "math",
                "CohereLabs/global-mgsm",
                subset=language,
                question="question",
                num_problems=250,
            )
            for language in ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")
        ),
        Task("quick_aime", "integer"),
        Task("quick_math", "math"),
        Task("quick_gpqa", "choice"),
    )
}


def get(name: str) -> Task:
    """The built-in task called `name`; a `UserError` that names the near match otherwise."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]
