"""Several rows in one sequence: packed by TRL, told apart by their positions, and checked to be exact on the model.

A row's tokens see those of their own row alone: transformers makes a block-diagonal mask from positions that begin
anew (for its own attention and torch's), or hands flash attention the rows' bounds. A model that mixes tokens by other
means (a state, a convolution, positions that it counts itself) may not, and is refused before it is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from harness.errors import UserError
from harness.training.text import IGNORED

if TYPE_CHECKING:
    import datasets

ROWS_AT_ONCE = 10_000  # among which the best fit is looked for
PROBE = ((11, 7, 19, 5, 23), (13, 3, 29), (17, 2, 31, 37))  # ids, modulo the vocabulary
ALLOWED = {torch.float32: 1e-3, torch.bfloat16: 0.3, torch.float16: 0.05}  # nats; another row's tokens move it by more


def packed(examples: datasets.Dataset, block_size: int) -> datasets.Dataset:
    """`examples` in sequences of up to `block_size` tokens (best fit, decreasing), with the column seq_lengths.

    The last example fills up batches (`harness.training.order`): it stays the last, alone in its sequence.
    """
    import datasets
    from trl import pack_dataset

    rows, filler = examples.select(range(len(examples) - 1)), examples.select([len(examples) - 1])
    settings = {"batch_size": ROWS_AT_ONCE, "load_from_cache_file": False, "keep_in_memory": True}
    one, other = (pack_dataset(part, block_size, "bfd", dict(settings)) for part in (rows, filler))
    return datasets.concatenate_datasets([one, other])


def rows_of(positions: torch.Tensor) -> torch.Tensor:
    """The number of the row that each token belongs to, from 0. `positions`: (1, tokens), each row's from 0."""
    return (positions == 0).cumsum(-1) - 1


def rows_with_loss(batch: Any) -> torch.Tensor:
    """How many rows of a micro batch have a token with loss."""
    labels = batch["labels"]
    if "position_ids" not in batch:
        return labels[..., 1:].ne(IGNORED).any(-1).sum()
    return rows_of(batch["position_ids"])[..., 1:][labels[..., 1:].ne(IGNORED)].unique().numel() * torch.ones(
        (), dtype=torch.long, device=labels.device
    )


def loss_tokens_of_its_row(mask: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
    """For each predicted token, how many tokens with loss its row has; at least 1.

    Args:
        mask: (rows, tokens - 1), which tokens have loss.
        positions: (1, tokens) where several rows stand in one sequence, else None.
    """
    if positions is None:
        return mask.sum(-1, keepdim=True).clamp(min=1)
    rows = rows_of(positions)[..., 1:]
    counts = torch.zeros(int(rows.max()) + 1 if rows.numel() else 1, dtype=torch.long, device=mask.device)
    counts.scatter_add_(0, rows.flatten(), mask.flatten().long())
    return counts[rows].clamp(min=1)


def check(model: Any, name: str, rank: int) -> None:
    """Raise `UserError`, on every rank, for a model in which rows of one sequence see each other.

    Rank 0, which has the weights before they are sharded, compares rows in one sequence with rows apart.
    """
    verdict = [_difference(model) if rank == 0 else 0.0]
    if dist.is_initialized():
        dist.broadcast_object_list(verdict, src=0)
    if not verdict[0] <= ALLOWED.get(model.dtype, 1e-3):
        raise UserError(
            f"{name}: in this model the rows of one sequence are not kept apart (log-probabilities differ by "
            f"{verdict[0]:.2g}); leave padding_free and packing off"
        )


def _difference(model: Any) -> float:
    """The largest difference in nats between tokens of rows in one sequence and of the same rows apart."""
    was_training = model.training
    model.eval()
    size = model.get_input_embeddings().num_embeddings
    rows = [torch.tensor([[number % size for number in row]], device=model.device) for row in PROBE]
    positions = torch.cat([torch.arange(row.shape[1], device=model.device)[None] for row in rows], dim=1)
    with torch.no_grad():
        together = model(input_ids=torch.cat(rows, dim=1), position_ids=positions, use_cache=False).logits
        apart = torch.cat([model(input_ids=row, use_cache=False).logits for row in rows], dim=1)
    model.train(was_training)
    difference = (together.float().log_softmax(-1) - apart.float().log_softmax(-1)).abs().max()
    return float(difference)
