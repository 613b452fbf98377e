"""The embedded default: small generated problems, a pool of thinking traces, and a tiny base model that ships here.

It mirrors s1's experiment at 1:50 of its pool and about one 30,000th of its model, so that select, train, generate,
grade and measure all really run on two CPU cores in minutes. What it shows about data is true of *this* pool: the
effects are partly built into the traces (see `problems`), and the README says so.
"""

from pathlib import Path

POOL_SIZE = 59_029 // 50  # the paper's pool
SUBSET_SIZE = 1_000 // 50  # and its 1,000 rows, at 1:50
TINY_MODEL = str(Path(__file__).resolve().parent / "model")
