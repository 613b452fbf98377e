"""A selection of one's own: a function in a file, named `file.py:function`, in a study or on the command line.

    def by_score(candidates, size, seed):
        rows = sorted(candidates.rows(), key=lambda row: -row["metadata"]["score"])
        return [row["id"] for row in rows[:size]]

`candidates` (`harness.data.candidates.Candidates`) has a list for each feature (ids, domains, lengths, ...) and whole
rows, texts and metadata, by `row(position)` and `rows()`. Options of the recipe come as keywords. The ids that
it returns are taken in their order; the sha256 of the file stands in the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.candidates import Candidates
from harness.data.draws import Picked
from harness.errors import UserError, unknown
from harness.user_code import functions_of, loaded, running


@dataclass(frozen=True)
class Own:
    """A loaded function, the file it stands in, and the sha256 of that file."""

    function: Callable[..., Iterable[str]]
    name: str
    path: Path
    source_sha256: str

    def __call__(self, rows: Candidates, size: int, seed: int, options: Mapping[str, Any]) -> Picked:
        """Positions of the ids that the function returns. Raises `UserError` for what is no selection."""

        def ids_found() -> list[Any]:  # a generator fails only here
            found = self.function(rows, size, seed, **options)
            return list(found) if isinstance(found, Iterable) and not isinstance(found, str) else [found]

        ids, where = running(self.path, "selection", ids_found), f"selection {self.path}:{self.name}"
        places = {row_id: i for i, row_id in enumerate(rows.ids)}
        for row_id in ids:
            if row_id not in places:
                raise UserError(f"{where} returned {row_id!r}, which is no id of its candidates")
        if len(set(ids)) < len(ids):
            raise UserError(f"{where} returned the id {_repeated(ids)!r} twice; return each once")
        if not ids:
            raise UserError(f"{where} returned no id of {len(rows)} candidates")
        return [places[row_id] for row_id in ids], {}


def _repeated(ids: list[str]) -> str:
    return next(one for one in ids if ids.count(one) > 1)


def is_own(selection: str) -> bool:
    """Whether `selection` names a function in a file."""
    return selection.partition(":")[0].endswith(".py")


def load(selection: str) -> Own:
    """The function `file.py:function`. Raises `UserError` where there is none, or its file does not load."""
    file, _, name = selection.partition(":")
    path = Path(file)
    if not path.is_file():
        raise UserError(f"no file {path} for the selection {selection}; give file.py:function")
    functions = functions_of(loaded(path, "selection"), imported=True)
    if name not in functions:
        raise unknown(f"function in {path}", name or "(none)", functions)
    return Own(functions[name], name, path, hashlib.sha256(path.read_bytes()).hexdigest())
