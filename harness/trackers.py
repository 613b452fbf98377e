"""Experiment trackers: their names, the package that each needs, and the project under which ours stand there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from harness.errors import UserError

PROJECT = "s1-harness"
PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb", "trackio": "trackio"}


def require(tracker: str, asked: str) -> None:
    """Raise `UserError` where the package of `tracker` is not installed; `asked` is the setting that wants it."""
    package = PACKAGES[tracker]
    if find_spec(package) is None:
        raise UserError(f"{asked} needs the package {package}; pip install {package}")


def mlflow_address(where: str) -> str:
    """MLflow's address of a server, or of a file without its ending (SQLite)."""
    return where if "://" in where else f"sqlite:///{Path(where).with_suffix('.db').resolve()}"
