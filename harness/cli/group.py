"""The command group and the options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from harness import __version__
from harness.cli.exits import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Budget-forced evaluation and SFT ablations for test-time scaling."""


path_option = click.Path(path_type=Path)
out_option = click.option("--out", type=path_option, help="Results folder. Default: results/runs/STUDY.")
data_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the tasks' and pools' files; without it they come from the hub.",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of the study, e.g. --set training.num_epochs=3. Repeatable.",
)
