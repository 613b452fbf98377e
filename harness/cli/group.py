"""The command group and the options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from harness import __version__
from harness.cli.config_file import merged
from harness.cli.exits import ENVIRONMENT, MEANINGS, Commands
from harness.errors import UserError
from harness.questions import Kind

if TYPE_CHECKING:
    from harness.config import Chat, TaskReading


class Root(Commands):
    """The command `harness` itself: its help ends in the exit codes and the environment variables."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them as click writes options."""
        for title, rows in (
            ("Exit codes", [(str(code), meaning) for code, meaning in MEANINGS.items()]),
            ("Environment", list(ENVIRONMENT.items())),
        ):
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    help="Show the versions and exit.",
    callback=lambda context, option, asked: _show_versions(context, asked),
)
def cli() -> None:
    """Budget-forced evaluation and SFT ablations for test-time scaling."""


def _show_versions(context: click.Context, asked: bool) -> None:
    """The harness's version, and those of the packages that can change a result."""
    if asked and not context.resilient_parsing:
        from harness.provenance import commit, versions

        stack = ", ".join(f"{name} {version}" for name, version in versions().items())
        at = f", commit {commit()}" if commit() else ""
        click.echo(f"harness {__version__}{at} ({stack})")
        context.exit()


marks_option = click.option(
    "--thinking-marks",
    "pairs",
    nargs=2,
    multiple=True,
    metavar="START END",
    help="Your own thinking delimiters, looked for before the known ones. Repeatable.",
)
THINKING_HELP = "Thinking format: auto (read from the model), a name, or your own strings as a JSON list."
path_option = click.Path(path_type=Path)


class FolderToWrite(click.Path):
    """A folder that is made if need be; one that cannot be is told before any work is done for it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; the command ends by its name and what stands in the way, where it cannot be made."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        there = next(one for one in (path, *path.absolute().parents) if os.path.lexists(one))
        if not there.is_dir():
            self.fail(f"{path}: cannot write there ({there} is no folder); choose another folder", param, ctx)
        if not os.access(there, os.W_OK | os.X_OK):
            self.fail(f"{path}: cannot write there (Permission denied in {there}); choose another folder", param, ctx)
        return path


folder_to_write = FolderToWrite()
out_option = click.option("--out", type=path_option, help="Results folder. Default: results/runs/STUDY.")
data_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the tasks' and pools' files; without it they come from the hub.",
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How tasks from outside are read: see `reading_of`."""
    for option in (
        click.option("--shuffle-choices", is_flag=True, help="Options of tasks from outside in an order by seed."),
        click.option("--template", default="", help="Their prompt: {{question}}, {{choices}} and columns of theirs."),
        click.option("--kind", type=click.Choice(get_args(Kind)), help="How their answers compare. Default: guessed."),
        click.option(
            "--map",
            "columns",
            multiple=True,
            metavar="OURS=THEIRS",
            help="A column of theirs: question=, gold=, id=, choices= (one column, or A+B+C). Repeatable.",
        ),
    ):
        command = option(command)
    return command


def reading_of(columns: tuple[str, ...], kind: Kind | None, template: str, shuffle_choices: bool) -> TaskReading:
    """The options of `reading_options` as a setting. Raises `UserError` for a pair that is none."""
    from harness.config import TaskReading

    pairs: dict[str, str] = {}
    for given in (part for one in columns for part in one.split(",")):
        name, separator, value = given.partition("=")
        if not (name.strip() and separator and value.strip()):
            raise UserError(f"--map {given}: write OURS=THEIRS, for example --map question=prompt")
        if name.strip() in pairs:
            raise UserError(f"--map {name.strip()} is given twice; give it once")
        pairs[name.strip()] = value.strip()
    return TaskReading(columns=tuple(pairs.items()), kind=kind, template=template, shuffle=shuffle_choices)


track_option = click.option(
    "--track",
    "trackers",
    multiple=True,
    metavar="TRACKER[:WHERE]",
    help="Send the figures to tensorboard, mlflow, wandb or trackio at the end. Repeatable.",
)


def chat_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the chat template is given beside the question."""
    for option in (
        click.option("--instruction", default="", help="Behind every question, as written."),
        click.option("--system-prompt", help="The system turn, instead of the template's own."),
        click.option(
            "--chat-template-arg",
            "template_arguments",
            multiple=True,
            callback=merged,
            metavar="NAME=VALUE",
            help="For the chat template, e.g. enable_thinking=false or reasoning_effort=high. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def chat_of(template_arguments: tuple[str, ...], system_prompt: str | None, instruction: str) -> Chat:
    """The options of `chat_options` as a setting. Raises `UserError` for an argument without a value."""
    from harness.config import Chat
    from harness.studies.load import parse

    arguments: dict[str, Any] = {}
    for given in template_arguments:
        name, separator, value = given.partition("=")
        if not separator or not name.isidentifier():
            raise UserError(f"--chat-template-arg {given}: write NAME=VALUE, for example enable_thinking=false")
        if name in arguments:
            raise UserError(f"--chat-template-arg {name} is given twice; give it once")
        arguments[name] = parse(value)
    return Chat(system=system_prompt, instruction=instruction, arguments=tuple(arguments.items()))


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    callback=merged,
    metavar="KEY=VALUE",
    help="Change one key of the study, e.g. --set training.num_epochs=3. Repeatable.",
)
