"""Whether a secret stands in anything that a command has printed or written."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq


def written(folder: Path) -> str:
    """All that the files below `folder` hold, as text; Parquet is unpacked."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            parts += [str(pq.read_table(path).to_pylist()), str(pq.read_schema(path).metadata)]
        elif path.is_file():
            parts.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(parts)
