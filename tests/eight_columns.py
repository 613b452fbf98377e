"""The eight columns of s1's published 59K pool, on the real traces that lie beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path

from harness.data import load as pool
from tests.pools import shared

COLUMNS = ("solution", "question", "cot_type", "source_type", "metadata", "cot", "thinking_trajectories", "attempt")


def write(path: Path, num_rows: int) -> Path:
    """`num_rows` rows with the columns of simplescaling/data_ablation_full59K, and nothing else."""
    kinds = (
        ("qfq/openaimath/Algebra", lambda answer: f"So $\\boxed{{{answer}}}$."),
        ("qq8933/AIME_1983_2024", lambda answer: answer),
        ("AI-MO/NuminaMath-CoT/aops_forum", lambda answer: "A proof."),
    )
    rows = pool.load("sft_pool", shared("sft_pool").parent).select(range(num_rows))
    with path.open("w") as file:
        for number, row in enumerate(rows):
            source, solution = kinds[number % 5 if number % 5 < 3 else 0]
            record = {
                "solution": solution(row["answer"]),
                "question": row["question"],
                "cot_type": "math",
                "source_type": source,
                "metadata": str({"tests": "x" * (5000 if number % 3 else 10)}),
                "cot": None,
                "thinking_trajectories": row["thinking"].split("\n\n"),
                "attempt": row["attempt"],
            }
            assert set(record) == set(COLUMNS)
            file.write(json.dumps(record) + "\n")
    return path
