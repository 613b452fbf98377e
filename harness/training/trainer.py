"""TRL's `SFTTrainer`, with the order of rows, the mean of the loss and the token accuracy as `Training` says them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTTrainer

from harness.config import Training
from harness.training.order import FILLER
from harness.training.packing import loss_tokens_of_its_row, rows_with_loss


class InOrder(Sampler[int]):
    """Rows by number, as they are given; `FILLER` is the last row of the data."""

    def __init__(self, rows: Sequence[int], filler: int) -> None:
        self.rows = [filler if row == FILLER else row for row in rows]

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def trainer_class(rows: Sequence[int], training: Training) -> Callable[..., SFTTrainer]:
    """`SFTTrainer` on the rows of its data numbered by `rows`; the data's last row fills up batches."""

    class Trainer(SFTTrainer):
        correct: Any = 0
        valid: Any = 0

        def _get_train_sampler(self, train_dataset: Any = None) -> InOrder:
            return InOrder(rows, len(self.train_dataset) - 1)

        def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
            if training.loss_mean == "token":
                return super()._get_num_items_in_batch(batch_samples, device)
            number = sum(map(rows_with_loss, batch_samples)).to(device)
            return self.accelerator.gather(number).sum() if self.args.world_size > 1 else number

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            def weighted(**arguments: Any) -> Any:
                outputs = model(**arguments)
                self.correct = self.correct + outputs.is_top1.sum()
                self.valid = self.valid + outputs.label_mask.sum()
                if training.loss_mean == "row":
                    # A row's tokens share its weight of one; the sum is divided by the number of rows.
                    share = loss_tokens_of_its_row(outputs.label_mask, arguments.get("position_ids"))
                    outputs.log_probs = outputs.log_probs / share
                return outputs

            return super().compute_loss(weighted, inputs, return_outputs, num_items_in_batch)

        def _track_num_input_tokens(self, inputs: Any) -> None:
            if "attention_mask" in inputs:
                super()._track_num_input_tokens(inputs)
            else:  # no padding: every id counts, also one that is the pad token's
                number = torch.tensor(inputs["input_ids"].numel(), device=self.args.device)
                self.state.num_input_tokens_seen += int(self.accelerator.gather(number).sum())

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            # TRL's is the mean over micro batches, so that it depends on how many rows each of them has.
            if torch.is_tensor(self.valid):
                sums = torch.stack((self.correct, self.valid))
                correct, valid = self.accelerator.reduce(sums).tolist()
                self._metrics["train"]["mean_token_accuracy"] = [correct / valid if valid else 0.0]
                self.correct = self.valid = 0
            super().log(logs, start_time)

    return Trainer
