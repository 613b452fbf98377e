"""Results that cost money or minutes, kept row by row in a folder: what is there already is never asked for again.

Append-only JSONL, one file per writer; only keys and file positions are in memory. A line torn by a kill is skipped and
its row asked for again.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data.schema import kind_of
from harness.files import json_line, json_row


def content_key(*parts: Any) -> str:
    """The key of a result: a hash of everything that can change it."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class RowCache:
    """The records of one folder by key. One process writes; any number may have written before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[str, tuple[Path, int]] = {}
        self._mine = folder / f"{uuid.uuid4().hex[:12]}.jsonl"
        for path in sorted(folder.glob("*.jsonl")):
            position = 0
            with path.open("rb") as lines:
                for line in lines:
                    row = json_row(line)
                    if line.endswith(b"\n") and isinstance(row, dict) and isinstance(row.get("key"), str):
                        self._places[row["key"]] = (path, position)
                    position += len(line)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> dict[str, Any] | None:
        """The record of `key`, read from its file."""
        if key not in self._places:
            return None
        path, position = self._places[key]
        with path.open("rb") as file:
            file.seek(position)
            return dict(json.loads(file.readline()))

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Keep `record`; it is on disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._mine.open("ab") as file:
            position = file.tell()
            file.write(json_line({"key": key, **record}))
            file.flush()
            os.fsync(file.fileno())
        self._places[key] = (self._mine, position)

    def keys(self) -> Iterator[str]:
        """The keys of all stored records."""
        return iter(self._places)


def question_key(row: Mapping[str, Any]) -> str:
    """What a reference model's graded answer depends on, beside the model."""
    return content_key("reference", row["question"], row["answer"], kind_of(row))
