"""`harness publish OUT --to DIR`: a data set, a page and the trained models as the hub takes them, to look at first."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis.measure import Measured, to_table
from harness.dataset_card import PARTS
from harness.errors import UserError
from harness.files import atomic_folder, write_text
from harness.report import leaderboard
from harness.report import study_tables as builders
from harness.report.data_card import data_card
from harness.report.gated import is_gated
from harness.report.model_card import model_card
from harness.report.page import render
from harness.report.places import Places
from harness.report.plots import draw_studies
from harness.report.renaming import is_own, rename_file, rename_results, without_tasks
from harness.report.samples import collect
from harness.store import write_table

BESIDE = ("manifest.json", "figures.json", "training.json", "losses.parquet")  # of a recipe, beside its checkpoint


@dataclass(frozen=True)
class Repository:
    """One repository to be: its kind on the hub, what is added to the name that is asked for, and its folder."""

    kind: str  # dataset, space, model
    suffix: str
    folder: Path


def prepare(out: Path, to: Path) -> tuple[list[Repository], list[str]]:
    """Write the repositories of a results folder below `to`, without a network: all of it, or nothing.

    Folders, users and hosts of this machine stand in none of it (`places`); `out` stays as it is.

    Args:
        out: a results folder.
        to: a new or empty folder.

    Returns:
        The repositories, and what was left out and why, in lines.

    Raises:
        UserError: `to` holds something or cannot be written, or `out` no samples.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"--to {to}: is there and not empty; give a new folder")
    try:
        with atomic_folder(to) as folder:
            found, notes = _repositories(out, folder)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise UserError(
            f"--to {to}: nothing was published ({place}{error.strerror or error}); free some space, or give a folder "
            "that can be written"
        ) from error
    return [replace(one, folder=to / one.folder.relative_to(folder)) for one in found], notes


def _repositories(out: Path, folder: Path) -> tuple[list[Repository], list[str]]:
    data = folder / "dataset"
    places, notes = rename_results(out, data)
    try:
        measured = leaderboard.measure_dirs([data])
    except UserError:
        leaderboard.measure_dirs([out])  # ends as that did, and names the file as `out` does
        raise
    told = tuple(places.message(note) for note in measured.cells.notes)
    measured = replace(measured, cells=replace(measured.cells, notes=told))
    held = sorted({cell.task for cell in measured.cells.cells if is_gated(cell.task, cell.config)})
    notes += [
        f"{task}: figures are published, questions and samples are not (its authors ask for that)" for task in held
    ]
    found = [_dataset(data, measured), _space(data, folder / "space", measured, held)]
    for recipe in sorted({cell.recipe for cell in measured.cells.cells}):
        source = out / "recipes" / recipe
        # its name is data
        if os.path.basename(recipe) == recipe and recipe != ".." and source.joinpath("checkpoint").is_dir():
            one, left_out = _model(out, source, folder / "models" / recipe, measured, places, data)
            notes += [f"{recipe}: {line}" for line in left_out]
            found.append(one)
        elif recipe not in ("base", "published"):
            notes.append(f"{recipe}: no checkpoint in {out}, so no model")
    if held:
        without_tasks(data, held)
    return found, notes


def _dataset(folder: Path, measured: Measured) -> Repository:
    write_table(to_table(measured), folder / "metrics.parquet")
    write_text(folder / "LEADERBOARD.md", leaderboard.as_markdown(measured))
    write_text(folder / "leaderboard.csv", leaderboard.as_csv(measured))
    present = {name: part for name, part in PARTS.items() if any(folder.glob(part[0]))}
    write_text(folder / "README.md", data_card(measured, present))
    return Repository("dataset", "", folder)


def _space(data: Path, folder: Path, measured: Measured, held: list[str]) -> Repository:
    title = ", ".join(study for study, _ in builders.studies(measured))
    page = render(measured, draw_studies(measured), collect([data], measured, without=held), title, [data])
    write_text(folder / "index.html", page)
    from huggingface_hub import SpaceCardData

    card_data = SpaceCardData(
        title=title, sdk="static", app_file="index.html", pinned=False, tags=["leaderboard", "s1-harness"]
    )
    write_text(folder / "README.md", f"---\n{card_data.to_yaml()}\n---\n\nThe page of an evaluation by s1-harness.\n")
    return Repository("space", "-leaderboard", folder)


def _model(
    out: Path, source: Path, folder: Path, measured: Measured, places: Places, data: Path
) -> tuple[Repository, list[str]]:
    """The repository of a recipe whose folder is `source`, and what was left out; `data`: the published results."""
    checkpoint, recipe = source / "checkpoint", source.name
    files = {path: folder / path.relative_to(checkpoint) for path in sorted(checkpoint.rglob("*")) if path.is_file()}
    foreign = [path for path in files if not is_own(out, path)]
    files |= {source / name: folder / "training" / name for name in BESIDE}
    left_out = [f"{len(foreign)} files are links out of {out}, left out"] if foreign else []
    for path, to in files.items():
        if is_own(out, path) and to != folder / "README.md" and (why := rename_file(path, to, places)):
            left_out.append(why)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "README.md", model_card(measured, data, folder / "training", recipe))
    return Repository("model", f"-{recipe}", folder), left_out
