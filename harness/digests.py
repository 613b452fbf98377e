"""What files hold, as digests: every byte counts, and a large file that did not change is not read again.

A digest is remembered under the file's device, inode, size and times of change, in this process and, for large files,
below `$XDG_CACHE_HOME/s1-harness`. The time of the inode's own change is among them: that one nobody can set back.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.files import write_text

LARGE_BYTES = 16 * 2**20  # a larger file's digest is remembered on disk too
SETTLED_SECONDS = 2.0  # a file that changed less than this ago may change again within one tick of its clock
MAX_READERS = 8
# Beside a model's files, but nothing that a loader reads: texts, pictures, logs, and a trainer's own state.
NOT_MODEL = frozenset({".md", ".log", ".lock", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".html", ".csv"})
NOT_MODEL_NAMES = ("LICENSE", "LICENCE", "NOTICE", "events.out.tfevents", "optimizer.", "scheduler.", "rng_state")

Version = tuple[int, ...]
_known: dict[Version, str] = {}


def file_digest(path: Path) -> str:
    """sha256 of the whole file.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open(path, "rb", opener=_nonblocking) as file:
        version = _version(os.fstat(file.fileno()))
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no regular file")
        if (found := _known.get(version) or _remembered(version)) is None:
            settled = time.time() - max(version[3:]) / 1e9 > SETTLED_SECONDS
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if settled and version == _version(os.fstat(file.fileno())):
                _known[version] = found
                _remember(version, found)
    return found


def folder_digest(folder: Path) -> str:
    """sha256 over the paths and contents of a model folder's files, its subfolders' included; 16 hex digits.

    Hidden files, and what `NOT_MODEL` and `NOT_MODEL_NAMES` name, are left out. Links are followed.
    """
    paths = sorted(model_files(folder), key=lambda path: path.relative_to(folder).as_posix())
    with ThreadPoolExecutor(min(MAX_READERS, os.cpu_count() or 1)) as readers:
        digests = list(readers.map(file_digest, paths))
    total = hashlib.sha256()
    for path, digest in zip(paths, digests, strict=True):
        total.update(f"{path.relative_to(folder).as_posix()}:{digest}".encode("utf-8", "surrogateescape"))
    return total.hexdigest()[:16]


def model_files(folder: Path) -> Iterator[Path]:
    """The regular files below `folder` that can be part of a model; linked folders are walked once."""
    walked = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        walked.add(os.path.realpath(root))
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__pycache__")) and os.path.realpath(Path(root) / name) not in walked
        ]
        for name in names:
            path = Path(root) / name
            left_out = name.startswith((".", *NOT_MODEL_NAMES)) or path.suffix.lower() in NOT_MODEL
            if not left_out and path.is_file():
                yield path


def _version(found: os.stat_result) -> Version:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO would wait for its writer


def _note_of(version: Version) -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "s1-harness" / "digests" / "-".join(map(str, version))


def _remembered(version: Version) -> str | None:
    if version[2] <= LARGE_BYTES:
        return None
    try:
        found = _note_of(version).read_text(encoding="ascii")
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a user without a home
        return None
    return found if len(found) == 64 and set(found) <= set("0123456789abcdef") else None


def _remember(version: Version, digest: str) -> None:
    if version[2] <= LARGE_BYTES:
        return
    with contextlib.suppress(OSError, RuntimeError):  # a cache that cannot be written is none
        note = _note_of(version)
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(note, digest)
