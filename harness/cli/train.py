"""`harness train`: one training by the code of a study, on a pool's rows or on what `harness data format` wrote."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import complete
from harness.cli.config_file import config_option
from harness.cli.data import load_pool, pool_options
from harness.cli.exits import SOME_RUNS_FAILED, stop
from harness.errors import UserError


@click.command(short_help="Train a model on a pool of reasoning traces.")
@click.argument("file")
@click.option(
    "--model", required=True, shell_complete=complete.models, help="The model to train: a folder or a hub name."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder: the model goes to OUT/checkpoint.")
@click.option("--variant", default="plain", show_default=True, help="Of the text: plain, s1, tokens, steps or class.")
@click.option("--thinking", default="auto", show_default=True, help="A thinking format; auto: as the template says.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A training setting, e.g. --set num_epochs=3 --set block_size=20000. Repeatable.",
)
@pool_options
@config_option
def train(
    file: str,
    model: str,
    out: Path,
    variant: str,
    thinking: str,
    settings: tuple[str, ...],
    mapping: tuple[str, ...],
    data_dir: Path | None,
) -> None:
    """Train MODEL on FILE: a pool of rows with traces, or the Parquet file of `harness data format`.

    Rows are trained as they are; select them before. A stopped call goes on where it was.
    """
    from harness.config import Chat, Training, fingerprint, to_plain
    from harness.generation.chat_files import chat_files
    from harness.provenance import model_identity
    from harness.studies.evaluate import local
    from harness.studies.formats import read_for
    from harness.studies.inputs import check_reachable
    from harness.studies.load import with_training
    from harness.training import formatted, placement, sft

    check_reachable("base_model", model)
    model = local(model)  # a worker's own folder is another
    training = with_training(Training(), settings)
    placement.check(training)
    if formatted.is_formatted(Path(file)):
        if variant != "plain" or thinking != "auto":
            raise UserError(f"{file} is formatted already; leave --variant and --thinking to `harness data format`")
        rows = formatted.rows(Path(file))
        digest = formatted.digest(Path(file))
    else:
        loaded = load_pool(file, data_dir, mapping, "train")
        rows = [dict(row) for row in loaded if row["thinking"].strip()]
        digest = fingerprint([{name: row[name] for name in ("id", "question", "thinking", "attempt")} for row in rows])
    if not rows:
        raise UserError(f"{file} has no row to train on")
    style = read_for(thinking, chat_files(model), Chat()).thinking.spec
    identity = fingerprint([model_identity(model), digest, to_plain(training), variant, style])
    try:
        trained = sft.train(rows, model, training, style, out, identity, variant)
    except sft.TrainingFailed as error:
        first, *_, log = str(error).splitlines()
        stop(f"{first} {log}", SOME_RUNS_FAILED)
    click.echo(
        f"{trained.num_rows:,} rows, {trained.num_steps:,} steps, loss {trained.final_loss:.3f}, "
        f"{trained.seconds:.0f} s -> {trained.checkpoint}"
    )
    for number, why in (
        (trained.num_cut, "were cut at block_size"),
        (trained.num_without_loss, "were left out: their prompt fills block_size"),
        (trained.num_without_answer, "were left out: they have no answer"),
    ):
        if number:
            click.echo(f"{number:,} rows {why}", err=True)
