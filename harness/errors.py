"""Errors named by boundary: what the user got wrong, and what failed beyond our control."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """The user's input is wrong. The command line prints the message on one line and exits with 2.

    The message says what is wrong, where, and what to do.
    """


class InstallationError(RuntimeError):
    """What is installed, or how much of the machine this process may use, is not enough: nobody's input is wrong.

    The command line prints the message on one line and exits with 2.
    """


def one_line(error: object, *, last: bool = False, most: int = 300) -> str:
    """What `error` (or a text) says, on one line.

    Args:
        error: an exception, or the text of one.
        last: its last line that is not blank, where the reason stands after a traceback; else its first one.
        most: characters; a longer line is cut.

    Returns:
        That line with single spaces; the name of the error's type where it says nothing.
    """
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    text = lines[-1 if last else 0] if lines else type(error).__name__
    return text if len(text) <= most else text[: most - 1] + "…"


def near(given: str, known: Iterable[str]) -> str | None:
    """The name among `known` that `given` was probably meant to be."""
    return next(iter(difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)), None)


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """A `UserError` for a name that is not known: names the near match, else lists the known names."""
    names = sorted(str(name) for name in known)
    match = near(given, names)
    hint = f"did you mean '{match}'?" if match else "known: " + ", ".join(names)
    return UserError(f"unknown {what} '{given}'; {hint}")
