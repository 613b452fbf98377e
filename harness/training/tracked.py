"""A training's figures, step by step, in an experiment tracker (`training.report_to`).

W&B and Trackio are the Trainer's own. TensorBoard and MLflow write files, and theirs would be lost with the checkpoints
to resume from, or lie wherever a Ray worker happens to run: here they lie in the recipe's folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.trackers import PROJECT, mlflow_address

OWN = ("wandb", "trackio")  # what the Trainer sets up by itself


def run_name(folder: Path) -> str:
    """What a training is called there: STUDY-RECIPE, from OUT/recipes/RECIPE."""
    return "-".join(part for part in folder.parts[-3:] if part != "recipes")


def callbacks(report_to: str, folder: Path, resumed_step: int) -> list[Any]:
    """The Trainer's callbacks that send its figures to `report_to`. Called on rank 0 alone: they open files.

    Args:
        report_to: `Training.report_to`.
        folder: the recipe's.
        resumed_step: the optimizer step that the training goes on from; 0: it begins. TensorBoard forgets what it
            has of later ones, so that a training that was stopped is one curve. MLflow gets another run of that name.
    """
    if report_to == "tensorboard":
        from tensorboardX import SummaryWriter
        from transformers.integrations import TensorBoardCallback

        asked = os.environ.get("TENSORBOARD_LOGGING_DIR")
        place = Path(asked).expanduser() / run_name(folder) if asked else folder / "tensorboard"
        return [TensorBoardCallback(SummaryWriter(str(place), purge_step=resumed_step + 1))]
    if report_to == "mlflow":
        import mlflow
        from transformers.integrations import MLflowCallback

        mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or mlflow_address(str(folder / "mlflow")))
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT)
        return [MLflowCallback()]
    return []
