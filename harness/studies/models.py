"""The models that are on this machine: what `harness evaluate` and `harness train` take without a download."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.quickstart import TINY_MODEL

RESULTS = Path("results") / "runs"  # below the working folder


@dataclass(frozen=True)
class KnownModel:
    """A model that is here.

    Attributes:
        name: what a command takes: a folder, or a hub name.
        source: how it came here, in words.
        num_bytes: of its weights.
    """

    name: str
    source: str
    num_bytes: int


def here() -> list[KnownModel]:
    """The model that ships, what was trained in the results folders, and the hub's cache."""
    return [KnownModel(TINY_MODEL, "ships with the harness", _size(Path(TINY_MODEL))), *_trained(), *_downloaded()]


def _trained() -> Iterator[KnownModel]:
    roots = dict.fromkeys(filter(None, (os.environ.get("HARNESS_RESULTS"), str(RESULTS))))
    for root in map(Path, roots):
        for config in sorted(root.glob("*/recipes/*/checkpoint/config.json")):
            folder = config.parent
            yield KnownModel(str(folder), f"trained by {folder.parts[-4]}", _size(folder))


def _downloaded() -> Iterator[KnownModel]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except (CacheNotFound, OSError):
        return
    for repo in sorted(repos, key=lambda one: one.repo_id):
        if repo.repo_type == "model":
            yield KnownModel(repo.repo_id, "in the hub's cache", repo.size_on_disk)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
