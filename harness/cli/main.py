"""The command line: ablate, thinking and status here; the others in evaluate.py, results.py, listing.py and data.py.

Nothing heavy is imported before a command needs it: `harness --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click

from harness.cli import complete, data, documents, listing, results
from harness.cli.config_file import config_option
from harness.cli.evaluate import evaluate
from harness.cli.exits import begin, call
from harness.cli.group import (
    THINKING_HELP,
    chat_of,
    chat_options,
    cli,
    data_option,
    out_option,
    set_option,
    track_option,
)
from harness.cli.noise import noise
from harness.cli.running import default_out, run_study, show_plans
from harness.cli.talk import Talk, talk_options
from harness.cli.train import train


def main() -> NoReturn:
    """The console script `harness`. A polite kill ends it as Ctrl-C does, so that engines are stopped, not orphaned."""
    begin()
    call(cli)


@cli.command(short_help="Run a study: select, train, evaluate, report.")
@click.argument("study", shell_complete=complete.studies)
@out_option
@data_option
@click.option("--smoke", is_flag=True, help="Every stage on this machine: tiny model, few rows and problems.")
@click.option("--dry-run", is_flag=True, help="Print the planned runs, their tokens and cost; run nothing.")
@click.option(
    "--audit",
    "audited",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Rows of each run to audit at the end; 0: none.",
)
@set_option
@track_option
@config_option
@talk_options
def ablate(
    study: str,
    out: Path | None,
    data_dir: Path | None,
    smoke: bool,
    dry_run: bool,
    audited: int,
    settings: tuple[str, ...],
    trackers: tuple[str, ...],
    talk: Talk,
) -> None:
    """Run STUDY: select, train, generate, grade, measure, report, audit.

    STUDY is a name in ablations/, or path.py:function. What is finished in --out is not done again.
    """
    from harness.studies.inputs import check_inputs
    from harness.studies.load import load, with_settings
    from harness.studies.smoke import smoke as shrunk

    chosen = load(study)
    if smoke:
        chosen = shrunk(chosen, data_dir)
    chosen = with_settings(chosen, settings)
    check_inputs(chosen, data_dir)
    if dry_run:
        show_plans([(chosen, "base")], data_dir, out, talk)
        return
    run_study(chosen, out or default_out(chosen.name), data_dir, talk, audited, trackers=trackers)


@cli.command(short_help="How a model marks its thoughts.")
@click.argument("model", required=False, shell_complete=complete.models)
@click.option(
    "--thinking",
    "name",
    default="auto",
    show_default=True,
    shell_complete=complete.formats,
    help=THINKING_HELP,
)
@chat_options
def thinking(
    model: str | None, name: str, template_arguments: tuple[str, ...], system_prompt: str | None, instruction: str
) -> None:
    """Show what the chat template of MODEL says about thinking.

    MODEL is a folder or a hub name; without it, the known formats are shown.
    """
    from harness.console import plain_console
    from harness.report.formats import families_table, reading_lines

    console = plain_console()
    if model is None:
        console.print(families_table())
        return
    from harness.generation.chat_files import chat_files
    from harness.studies.formats import check_arguments, read_for
    from harness.studies.inputs import check_reachable

    chat = chat_of(template_arguments, system_prompt, instruction)
    check_reachable("model", model)
    tokenizer = chat_files(model)
    check_arguments(tokenizer, chat)
    for line in reading_lines(tokenizer, read_for(name, tokenizer, chat)):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


@cli.command(short_help="Where a study stands, running or dead.")
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--watch", is_flag=True, help="Again every --seconds, until the study does not run any more.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Of --watch.")
@documents.json_option
def status(out: Path, watch: bool, seconds: float, as_json: bool) -> None:
    """Where the study in OUT stands, running or dead, from its files alone.

    With --watch and --json: one document after the other. Ctrl-C ends the watch, not the study.
    """
    import time

    from harness.console import plain_console
    from harness.report.plan import status_table
    from harness.studies.status import status as read

    console = plain_console()
    while True:
        found = read(out)
        if watch and console.is_terminal and not as_json:
            console.clear()
        if as_json:
            documents.put(documents.status(found))
        else:
            console.print(status_table(found, out), soft_wrap=True)
        if not watch or found.state != "running":
            return
        time.sleep(seconds)


cli.add_command(data.data)
for command in (
    evaluate,
    train,
    results.audit,
    results.grade,
    results.leaderboard,
    results.figure,
    results.publish,
    results.sample_stats,
    results.import_,
    results.export,
    results.compare,
    results.diff,
    results.track,
    listing.tasks,
    listing.studies,
    listing.models,
    noise,
):
    cli.add_command(command)


__all__ = ["cli", "main"]
