"""Made-up pools for the data tests, and where the real one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(*names: str) -> Path:
    """A folder of the data beside the checkout, which are not part of the repository; without it, a loud skip."""
    path = SHARED.joinpath(*names)
    if not path.exists():
        pytest.skip(f"{path} is not here: this test reads data that are not part of the repository")
    return path


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A good pool row. Its length in tokens is its number; every fourth row is solved by a reference model."""
    return {
        "id": f"r{number:04d}",
        "question": f"What is {number} + {number}?",
        "solution": "",
        "answer": str(2 * number),
        "source": "made-up",
        "domain": f"domain {number % 5}",
        "thinking": f"Adding {number} to itself.\n\nSo {2 * number}.",
        "attempt": f"Final Answer: {2 * number}",
        "metadata": "{}",
        "thinking_tokens": number,
        "reference_answers": ["?", "?"],
        "reference_correct": [number % 4 == 0, False],
        "benchmark_like": False,
        **changes,
    }


def rows(count: int) -> list[dict[str, Any]]:
    return [row(number) for number in range(1, count + 1)]
