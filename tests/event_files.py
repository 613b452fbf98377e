"""TensorBoard's files, read by tensorboardX's own messages: TensorBoard itself may not be installed."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any


def events(folder: Path) -> list[Any]:
    """The events of a folder's files, oldest file first: records of a length, a checksum, an Event, a checksum."""
    from tensorboardX.proto import event_pb2

    found = []
    for file in sorted(folder.glob("events.out.tfevents.*"), key=lambda file: file.stat().st_mtime_ns):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            found.append(event_pb2.Event.FromString(data[at + 12 : at + 12 + length]))
            at += 12 + length + 4
    return found


def scalars(folder: Path, tag: str) -> list[tuple[int, Any]]:
    """Step and value of `tag`; a start at a step takes back what came before it of that step and later ones."""
    found: list[tuple[int, Any]] = []
    for event in events(folder):
        if event.HasField("session_log"):
            found = [one for one in found if one[0] < event.step]
        found += [(event.step, value.simple_value) for value in event.summary.value if value.tag == tag]
    return found
