"""The raw rows of a task, each with its place: from a file of any kind, GPQA's zip, or the Hugging Face hub."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.reading import files_in, is_saved_dataset, kind_of_file, records, remedy
from harness.digests import file_digest
from harness.errors import UserError, one_line
from harness.tasks.catalogue import Task

Row = tuple[str, Mapping[str, Any]]  # where it stands, and what stands there

# The password is published by GPQA's authors so that scrapers do not read the questions; it is no secret.
GPQA_PASSWORD = b"deserted-untie-orchid"
GPQA_MEMBER = "dataset/gpqa_diamond.csv"
SPLITS = ("test", "validation", "train")  # the first that a hub data set has, where none is asked for
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass
class Rows:
    """The rows of a task, and where they came from: facts for the run's row; `identity`: what of them is hashed."""

    rows: list[Row]
    source: dict[str, Any] = field(default_factory=dict)
    identity: dict[str, Any] | None = None


def read_local(task: Task, data_dir: Path) -> Rows:
    """The rows of a built-in task from `data_dir`. Raises `UserError` for a missing or broken file."""
    candidates = [data_dir / task.file, data_dir / "tasks" / task.file]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UserError(
            f"task {task.name}: no {task.file} in {data_dir} or {data_dir / 'tasks'}; put it there, or leave "
            f"--data-dir out to read {task.hub} from the Hugging Face hub"
        )
    return read_gpqa_zip(path) if path.suffix == ".zip" else read_file(path)


def read_file(path: Path) -> Rows:
    """The rows of a file or folder. Raises `UserError` naming the first record that cannot be read."""
    if path.is_dir():
        files = [path] if is_saved_dataset(path) else files_in(path)
    elif kind_of_file(path) is None:
        raise UserError(f"task file {path} is of no kind that is read; {remedy(path)}")
    else:
        files = [path]
    rows: list[Row] = []
    for where, _, _, record in records(files):
        if not isinstance(record, Mapping):  # a benchmark without one of its problems is another benchmark
            raise UserError(f"{path}: {where}: {record}; mend the file, or fetch it again")
        rows.append((f"{path.parent / where}", record))
    if not rows:
        raise UserError(f"task file {path} holds no rows; give a file with one problem per row")
    digests = sorted(file_digest(one) for file in files for one in (_inside(file) if file.is_dir() else [file]))
    digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return Rows(rows, {"file": path.name, "sha256": digest})


def _inside(folder: Path) -> Iterable[Path]:
    return (one for one in folder.rglob("*") if one.is_file())


def read_gpqa_zip(path: Path) -> Rows:
    """GPQA's rows straight from its password-protected zip; nothing is unpacked to disk."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(GPQA_MEMBER, pwd=GPQA_PASSWORD).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise UserError(f"{path}: cannot read {GPQA_MEMBER} ({error}); fetch GPQA's dataset.zip again") from None
    rows = csv.DictReader(io.StringIO(text))
    found: list[Row] = [(f"{path.name} row {number}", row) for number, row in enumerate(rows, 1)]
    return Rows(found, {"file": path.name, "sha256": file_digest(path)})


def read_hub(name: str, subset: str | None, split: str | None, revision: str | None, advice: str = "") -> Rows:
    """The rows of a data set on the Hugging Face hub, or of its copy in the cache of `datasets`.

    Args:
        name: `org/name`.
        subset: its configuration; None: the only one.
        split: None: the first of `SPLITS` that it has.
        revision: a commit, branch or tag; None: the newest.
        advice: what the line of an error says to do beside checking the network.

    Raises:
        UserError: it cannot be loaded, or has no such split.
    """
    import datasets

    try:
        found = datasets.load_dataset(name, subset, split=split, revision=revision)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"cannot load {name} from the Hugging Face hub ({one_line(error)}); check its name and the network and, "
            f"for gated data, HF_TOKEN{advice}"
        ) from None
    if isinstance(found, Mapping):
        split = next((one for one in SPLITS if one in found), next(iter(found)) if len(found) == 1 else None)
        if split is None:
            raise UserError(f"hub:{name} has the splits {', '.join(sorted(found))}; say which: hub:{name}:SPLIT")
        found = found[split]
    rows: list[Row] = [(f"{name} {split} row {number}", dict(row)) for number, row in enumerate(found)]
    if not rows:
        raise UserError(f"hub:{name} holds no rows in its split {split}; name another: hub:{name}:SPLIT")
    commit = _commit_of(found)
    if revision and commit and COMMIT.fullmatch(revision) and commit != revision:  # the cache is read whatever is asked
        raise UserError(f"hub:{name}@{revision}: only the commit {commit} is in the cache here; connect to the hub")
    identity = {"revision": commit or revision, "sha256": content_digest(row for _, row in rows)}
    return Rows(rows, {"hub": name, "config": subset, "split": split, **identity}, identity)


def _commit_of(dataset: Any) -> str | None:
    """The commit that a loaded data set is of: `datasets` names its cache's folder by it. None: not known."""
    files = [Path(one["filename"]) for one in getattr(dataset, "cache_files", ())]
    return next((file.parent.name for file in files if COMMIT.fullmatch(file.parent.name)), None)


def content_digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """sha256 of the rows' contents in their order, whatever file held them."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(dict(row), sort_keys=True, default=repr, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()
