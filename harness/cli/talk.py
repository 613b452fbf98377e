"""How much a long command says, and where: its options -q, -v and --json."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from harness.cli.documents import json_option
from harness.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.progress import Progress

VERBOSE_SECONDS = 1.0  # between two lines of the same stage


@dataclass(frozen=True)
class Talk:
    """What the user wants to hear.

    quiet     nothing while it works, but what fails
    verbose   plain lines, one for each stage and second, also on a terminal
    as_json   one JSON document on standard output at the end; all else goes to standard error
    """

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False

    def console(self) -> Console:
        """Where the results are printed; with --json, where they are not to be printed, nowhere."""
        from harness.console import plain_console

        console = plain_console(stderr=self.as_json)
        console.quiet = self.as_json
        return console

    def progress(self) -> Progress:
        """The view of what is being done."""
        from harness.console import plain_console
        from harness.progress import PLAIN_SECONDS, Progress

        console = plain_console(stderr=self.as_json)
        seconds = VERBOSE_SECONDS if self.verbose else PLAIN_SECONDS
        return Progress(console, quiet=self.quiet, live=not self.verbose, plain_seconds=seconds)


def talk_options(command: Callable[..., Any], documents: bool = True) -> Callable[..., Any]:
    """The options -q, -v and (`documents`) --json; the command gets them as `talk`."""

    @functools.wraps(command)
    def told(*arguments: Any, quiet: bool, verbose: bool, as_json: bool = False, **options: Any) -> Any:
        if quiet and verbose:
            raise UserError("--quiet and --verbose exclude each other; give one")
        return command(*arguments, talk=Talk(quiet, verbose, as_json), **options)

    wrapped: Callable[..., Any] = told
    for option in (
        *([json_option] if documents else []),
        click.option("-v", "--verbose", is_flag=True, help="Plain lines, one for each stage and second."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing while it works, but what fails."),
    ):
        wrapped = option(wrapped)
    return wrapped
