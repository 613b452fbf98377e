"""Errors named by boundary: what the user got wrong, and what failed beyond our control."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """The user's input is wrong. The command line prints the message on one line and exits with 2.

    The message says what is wrong, where, and what to do.
    """


def near(given: str, known: Iterable[str]) -> str | None:
    """The name among `known` that `given` was probably meant to be."""
    return next(iter(difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)), None)


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """A `UserError` for a name that is not known: names the near match, else lists the known names."""
    names = sorted(str(name) for name in known)
    match = near(given, names)
    hint = f"did you mean '{match}'?" if match else "known: " + ", ".join(names)
    return UserError(f"unknown {what} '{given}'; {hint}")
