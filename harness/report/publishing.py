"""`harness publish OUT --to DIR`: a data set, a page and the trained models as the hub takes them, to look at first."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.analysis.folders import sample_files
from harness.analysis.measure import Measured, to_table
from harness.dataset_card import PARTS, card
from harness.errors import UserError
from harness.files import write_text
from harness.report import leaderboard
from harness.report import study_tables as builders
from harness.report.model_card import model_card
from harness.report.page import render
from harness.report.plots import draw_studies
from harness.report.samples import collect
from harness.store import AUDIT_NAME, write_table

GATED = re.compile(r"(?<!quick_)gpqa", re.IGNORECASE)  # tasks whose authors ask that no question stands on the web
LINKED = (".safetensors", ".bin", ".pt", ".gguf")  # weights; small files are copied, so that they may be edited
BESIDE = ("manifest.json", "figures.json", "training.json", "losses.parquet")  # of a recipe, beside its checkpoint


@dataclass(frozen=True)
class Repository:
    """One repository to be: its kind on the hub, what is added to the name that is asked for, and its folder."""

    kind: str  # dataset, space, model
    suffix: str
    folder: Path


def prepare(out: Path, to: Path) -> tuple[list[Repository], list[str]]:
    """Write the repositories of a results folder below `to`, without a network.

    Args:
        out: a results folder.
        to: a new or empty folder.

    Returns:
        The repositories, and what was left out and why, in lines.

    Raises:
        UserError: `to` holds something, or `out` no samples.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"--to {to}: is there and not empty; give a new folder")
    measured = leaderboard.measure_dirs([out])
    held = sorted({cell.task for cell in measured.cells.cells if GATED.search(cell.task)})
    notes = [
        f"{task}: figures are published, questions and samples are not (its authors ask for that)" for task in held
    ]
    found = [_dataset(out, to / "dataset", measured, held), _space(out, to / "space", measured, held)]
    for recipe in sorted({cell.recipe for cell in measured.cells.cells}):
        checkpoint = out / "recipes" / recipe / "checkpoint"
        if os.path.basename(recipe) == recipe and recipe != ".." and checkpoint.is_dir():  # its name is data
            if foreign := [path for path in checkpoint.rglob("*") if path.is_file() and not _own(out, path)]:
                notes.append(f"{recipe}: {len(foreign)} files are links out of {out}, left out")
            found.append(_model(out, to / "models" / recipe, measured, recipe))
        elif recipe not in ("base", "published"):
            notes.append(f"{recipe}: no checkpoint in {out}, so no model")
    return found, notes


def _dataset(out: Path, folder: Path, measured: Measured, held: list[str]) -> Repository:
    for at, path in enumerate(sample_files(out)):
        table = pq.read_table(path)
        kept = (
            table.filter(pc.invert(pc.is_in(table["task"].cast("string"), value_set=pa.array(held, pa.string()))))
            if held
            else table
        )
        write_table(kept, folder / "samples" / f"part-{at:05}.parquet")
    shutil.copy2(out / "runs.parquet", folder / "runs.parquet")
    write_table(to_table(measured), folder / "metrics.parquet")
    if _own(out, out / AUDIT_NAME):
        shutil.copy2(out / AUDIT_NAME, folder / AUDIT_NAME)
    write_text(folder / "LEADERBOARD.md", leaderboard.as_markdown(measured))
    write_text(folder / "leaderboard.csv", leaderboard.as_csv(measured))
    write_text(folder / "README.md", card(PARTS))
    return Repository("dataset", "", folder)


def _space(out: Path, folder: Path, measured: Measured, held: list[str]) -> Repository:
    title = ", ".join(study for study, _ in builders.studies(measured))
    page = render(measured, draw_studies(measured), collect([out], measured, without=held), title, [out])
    write_text(folder / "index.html", page)
    from huggingface_hub import SpaceCardData

    data = SpaceCardData(
        title=title, sdk="static", app_file="index.html", pinned=False, tags=["leaderboard", "s1-harness"]
    )
    write_text(folder / "README.md", f"---\n{data.to_yaml()}\n---\n\nThe page of an evaluation by s1-harness.\n")
    return Repository("space", "-leaderboard", folder)


def _model(out: Path, folder: Path, measured: Measured, recipe: str) -> Repository:
    source = out / "recipes" / recipe
    for path in sorted(source.joinpath("checkpoint").rglob("*")):
        if _own(out, path) and path.name != "README.md":
            _link(path, folder / path.relative_to(source / "checkpoint"))
    for name in BESIDE:
        if _own(out, source / name):
            _link(source / name, folder / "training" / name)
    write_text(folder / "README.md", model_card(measured, out, recipe))
    return Repository("model", f"-{recipe}", folder)


def _own(out: Path, path: Path) -> bool:
    """Whether a file lies in the results folder: what a link leads to elsewhere is nobody's to publish."""
    return path.is_file() and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(out))


def _link(path: Path, to: Path) -> None:
    """The same file in another folder: weights as a link where the disk allows, for they are large."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in LINKED:
        try:
            os.link(path.resolve(), to)
            return
        except OSError:  # another disk, or one without links
            pass
    shutil.copy2(path, to)
