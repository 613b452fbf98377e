"""Limits that stand before any parsing or arithmetic. Everything beyond one of them is a status."""

from __future__ import annotations

MAX_RESPONSE_CHARS = 2_000_000  # a longer response is read from its last MAX_RESPONSE_CHARS characters
MAX_ANSWER_CHARS = 10_000  # of one extracted answer, before it is lexed
MAX_TOKENS = 3_000  # lexical tokens of one answer
MAX_DEPTH = 40  # nested brackets, fractions, roots, exponents
MAX_NODES = 2_000  # nodes of one expression tree
MAX_DIGITS = 1_000  # of one number literal
MAX_EXPONENT = 10_000  # of an exact power
MAX_BITS = 60_000  # of an exact integer, and of log2 of a numeric magnitude
MAX_FACTORIAL = 2_000  # argument of an exact factorial
MAX_MATRIX_ENTRIES = 400
MAX_ITEMS = 300  # of one set, tuple or list
MAX_MATCH_STEPS = 20_000  # comparisons of one unordered matching
MAX_SYMBOLIC_CALLS = 800_000  # Python calls of one symbolic comparison: two or three seconds of work
SYMBOLIC_CPU_SECONDS = 10  # of one comparison; long single steps inside C code end here
SYMBOLIC_SECONDS = 40.0  # wall clock after which a worker is killed
SYMBOLIC_START_SECONDS = 120.0  # a worker that has not imported sympy by then is given up
SYMBOLIC_MEMORY_MB = 1_024  # address space of a worker
MAX_CACHED_VERDICTS = 100_000  # per process; a verdict is a few hundred bytes
MAX_SUM_TERMS = 2_000  # of a finite sum or product worked out term by term
MAX_WORKERS = 4  # symbolic workers a process keeps


class TooBigError(ValueError):
    """An answer or an intermediate value is beyond a limit; the message names the limit."""


class UnreadableError(ValueError):
    """The text has no reading in the answer grammar; the message says where it broke."""
