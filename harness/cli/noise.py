"""`harness noise`: the reference recipe several times, and what its differences mean."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from harness.cli import complete
from harness.cli.config_file import config_option
from harness.cli.group import data_option, path_option, set_option
from harness.cli.talk import Talk, talk_options
from harness.errors import UserError


@click.command(short_help="How much of a score is seeds, draws and problems.")
@click.argument("study", shell_complete=complete.studies)
@click.option("--repeats", type=int, default=5, show_default=True, help="Trainings of the recipe, by other seeds.")
@click.option("--recipe", help="Which recipe is repeated. Default: the study's reference recipe.")
@click.option(
    "--difference",
    type=click.FloatRange(0, 100, min_open=True),
    default=2.0,
    show_default=True,
    help="Points that are to be seen: how many seeds, samples and problems that takes.",
)
@click.option(
    "--comparisons", type=click.IntRange(min=1), default=1, show_default=True, help="Of the planned ablation."
)
@click.option("--out", type=path_option, help="Results folder. Default: results/runs/noise_STUDY.")
@data_option
@click.option("--smoke", is_flag=True, help="Tiny model, few rows and problems.")
@click.option("--dry-run", is_flag=True, help="Print the planned runs, their tokens and cost; run nothing.")
@set_option
@config_option
@partial(talk_options, documents=False)
def noise(
    study: str,
    repeats: int,
    recipe: str | None,
    difference: float,
    comparisons: int,
    out: Path | None,
    data_dir: Path | None,
    smoke: bool,
    dry_run: bool,
    settings: tuple[str, ...],
    talk: Talk,
) -> None:
    """The noise floor of STUDY: what differs between trainings that differ in their seeds alone.

    STUDY is a study's name, path.py:function, or a results folder that has runs of several seeds. Prints the parts of
    a score's variance (problem, seed, draw), the difference that this grid can see, and what to buy for another one.
    """
    from harness.analysis.noise import noise_of
    from harness.analysis.settings import load as load_cells
    from harness.cli.running import default_out, run_study, show_plans
    from harness.console import plain_console
    from harness.report.noise_tables import noise_group

    folder = Path(study)
    if not (folder.is_dir() and (folder / "samples").is_dir()):
        from harness.studies.inputs import check_inputs
        from harness.studies.load import load, with_settings
        from harness.studies.noise import noise_study
        from harness.studies.smoke import smoke as shrunk

        chosen = load(study)
        chosen = with_settings(shrunk(chosen, data_dir) if smoke else chosen, settings)
        planned = noise_study(chosen, repeats, recipe)
        check_inputs(planned, data_dir)
        folder = out or default_out(planned.name)
        if dry_run:
            show_plans([(planned, "base")], data_dir, folder, talk)
            return
        run_study(planned, folder, data_dir, talk)
    found = noise_of(load_cells([folder]).cells)
    if not found:
        raise UserError(
            f"{folder} has no setting with two seeds and two problems or more: repeat a study with --repeats, or give "
            "a folder with runs that differ in their seeds"
        )
    plain_console().print(noise_group(found, difference / 100, comparisons))
