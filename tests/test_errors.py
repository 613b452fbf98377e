"""One way to say an error on one line."""

from __future__ import annotations

import pytest

from harness.errors import one_line


@pytest.mark.parametrize(
    ("error", "first", "last"),
    [
        (ValueError("\n  one\ttwo \nthree\n\n"), "one two", "three"),
        (OSError(2, "No such file", "a b"), "[Errno 2] No such file: 'a b'", "[Errno 2] No such file: 'a b'"),
        (RuntimeError(), "RuntimeError", "RuntimeError"),
        ("a text\u2028with a separator", "a text", "with a separator"),
        ("x" * 301, "x" * 299 + "…", "x" * 299 + "…"),
    ],
)
def test_the_first_or_the_last_line_that_says_something(error: object, first: str, last: str) -> None:
    assert one_line(error) == first
    assert one_line(error, last=True) == last
    assert one_line("word word", most=5) == "word…"
