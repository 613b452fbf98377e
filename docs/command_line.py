"""The reference half of command_line.md, from the commands themselves: `python docs/command_line.py` renews it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from harness.cli.exits import ENVIRONMENT, MEANINGS
from harness.cli.main import cli

PAGE = Path(__file__).with_suffix(".md")
MARK = "<!-- From here on: written by docs/command_line.py -->\n"


def reference() -> str:
    """Exit codes, environment variables, and every command with its options, in Markdown."""
    parts = [
        "## Exit codes\n\n" + table("code", "meaning", ((str(code), text) for code, text in MEANINGS.items())),
        "## Environment variables\n\n"
        + table("variable", "what it does", ((_code(name), text) for name, text in ENVIRONMENT.items())),
        *(_section(name, command) for name, command in commands(cli, "harness")),
    ]
    return "\n".join(parts)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command by its whole name, in the order of the alphabet."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield f"{path} {name}", command
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def table(first: str, second: str, rows: Iterator[tuple[str, str]]) -> str:
    """Two columns; what stands in a cell breaks no table."""
    lines = [f"| {first} | {second} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(a)} | {_cell(b)} |" for a, b in rows)]) + "\n"


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    text = f"## {name}\n\n`{usage}`\n\n{inspect.cleandoc(command.help or '')}\n"
    records = (one.get_help_record(context) for one in command.params)
    options = [found for found in records if found is not None and found[1]]
    if isinstance(command, click.Group) or not options:
        return text
    return f"{text}\n{table('option', 'what it does', ((_code(a), b) for a, b in options))}"


def _code(text: str) -> str:
    return f"`{text}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    by_hand = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(by_hand + MARK + "\n" + reference(), encoding="utf-8")
