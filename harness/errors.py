"""Errors named by boundary (HOUSE_STYLE.md): what the user got wrong, and what failed beyond our control."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """The user's input is wrong. The command line prints the message on one line and exits with 2.

    The message says what is wrong, where, and what to do.
    """


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """A `UserError` for a name that is not known: names the near match, else lists the known names."""
    names = sorted(str(name) for name in known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(names)
    return UserError(f"unknown {what} '{given}'; {hint}")
