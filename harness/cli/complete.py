"""What the shell offers behind TAB: studies, tasks, models, methods and thinking formats, by their names here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import get_args

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def studies(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of studies with their hypotheses; files too."""
    from harness.studies.listing import found_studies

    named = [CompletionItem(name, help=summary) for name, summary, _ in found_studies() if name.startswith(begun)]
    return [CompletionItem(begun, type="file"), *named]


def models(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Models that are on this machine; folders too."""
    from harness.studies.models import here

    named = [CompletionItem(one.name, help=one.source) for one in here() if one.name.startswith(begun)]
    return [CompletionItem(begun, type="dir"), *named]


def tasks(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Task names, also behind a comma."""
    from harness.tasks import TASKS

    return _in_list(TASKS, begun)


def methods(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Methods, also behind a comma."""
    from harness.config import Method

    return _in_list(get_args(Method), begun)


def formats(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Thinking formats."""
    from harness.thinking import AUTO, FORMATS

    return [CompletionItem(name) for name in (AUTO, *FORMATS) if name.startswith(begun)]


def engines(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Engines."""
    from harness.config import EngineName

    return [CompletionItem(name) for name in get_args(EngineName) if name.startswith(begun)]


def _in_list(names: Iterable[str], begun: str) -> list[CompletionItem]:
    """Names that can stand behind the last comma, each with what stands before it; none twice."""
    before, comma, last = begun.rpartition(",")
    given = before.split(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(last) and name not in given]
