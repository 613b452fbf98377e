"""A recipe's rows as tokens: made once on each node, memory-mapped by its workers, without rows that teach nothing."""

from __future__ import annotations

import fcntl
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.files import atomic, write_json
from harness.thinking import ThinkingFormat
from harness.training.formatted import is_example
from harness.training.text import IGNORED
from harness.training.variants import OWN_TEXT, check, format_batch, median_length, own_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import datasets

TRAINED_ON = ("id", "question", "thinking", "attempt", "answer")  # of a pool's columns; metadata may be gigabytes


@dataclass(frozen=True)
class Counts:
    """What became of a recipe's rows; tokens of what is trained, once."""

    num_rows: int = 0  # trained on
    num_cut: int = 0  # of these, longer than the block
    num_tokens: int = 0
    num_loss_tokens: int = 0
    num_without_loss: int = 0  # left out: the prompt alone fills the block
    num_without_answer: int = 0  # left out: neither an attempt nor an answer


def slim(row: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """The columns of a pool row that its training text is made of."""
    if is_example(row):
        return dict(row)
    kept = {name: row[name] or "" for name in TRAINED_ON}
    text = own_text(row) if variant == "s1" else None
    return kept if text is None else {**kept, "metadata": {OWN_TEXT: text}}


def tokenised(
    rows: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    thinking: ThinkingFormat,
    block_size: int,
    variant: str,
    pack: bool = False,
) -> tuple[datasets.Dataset, Counts]:
    """The rows that teach something as (input_ids, labels), and a last one that does not (`harness.training.order`).

    Args:
        rows: with the columns `TRAINED_ON`.
        tokenizer: of the model that is trained.
        thinking: the thinking format.
        block_size: tokens that a row is cut to.
        variant: of the training text.
        pack: several rows in a sequence of up to block_size tokens, whose lengths are in seq_lengths.

    Raises:
        UserError: the tokenizer lacks a delimiter, a row has no trace, or no row is left.
    """
    import datasets

    check(tokenizer, thinking, variant)
    folder = Path(tempfile.gettempdir()) / "s1-harness" / _key(rows, tokenizer, thinking, block_size, variant)
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder.with_suffix(".lock")):  # the others of this node wait, and find it
        if not (folder / "counts.json").is_file():
            counts = _write(rows, tokenizer, thinking, block_size, variant, folder / "rows.arrow")
            write_json(folder / "counts.json", asdict(counts))
        counts = Counts(**json.loads((folder / "counts.json").read_text()))
        found = datasets.Dataset.from_file(str(folder / "rows.arrow"))
        if pack and counts.num_rows:
            if not (folder / "packed.arrow").is_file():
                from harness.training.packing import packed

                with atomic(folder / "packed.arrow") as file:
                    _stream(packed(found, block_size), file)
            found = datasets.Dataset.from_file(str(folder / "packed.arrow"))
    if not counts.num_rows:
        raise UserError(
            f"none of {len(rows)} rows teaches anything: {counts.num_without_loss} fill block_size={block_size} with "
            f"their prompt, {counts.num_without_answer} have no answer; raise block_size, or choose other rows"
        )
    return found, counts


def _key(
    rows: Sequence[Mapping[str, Any]], tokenizer: Any, thinking: ThinkingFormat, block_size: int, variant: str
) -> str:
    """Everything that the tokens depend on, as 24 hex digits."""
    digest = hashlib.sha256(json.dumps([variant, block_size, thinking.spec, str(tokenizer.chat_template)]).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    digest.update((backend.to_str() if backend is not None else tokenizer.name_or_path).encode())
    for row in rows:
        digest.update(json.dumps(slim(row, variant), sort_keys=True).encode())
    return digest.hexdigest()[:24]


def _write(
    rows: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    thinking: ThinkingFormat,
    block_size: int,
    variant: str,
    path: Path,
) -> Counts:
    import pyarrow as pa

    schema = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])
    found = dict.fromkeys(asdict(Counts()), 0)
    median = median_length(tokenizer, rows) if variant == "class" and not is_example(rows[0]) else None
    with atomic(path) as file, pa.ipc.new_stream(file, schema) as writer:
        for start in range(0, len(rows), 256):
            good, examples = [], []
            for row in rows[start : start + 256]:
                if is_example(row):
                    examples.append(_checked(row, tokenizer, block_size))
                elif not row["thinking"].strip():
                    raise UserError(f"row '{row['id']}' has no thinking to train on; select from rows with thinking")
                elif (row["attempt"] or row["answer"]).strip():
                    good.append(row)
                else:
                    found["num_without_answer"] += 1
            examples += format_batch(tokenizer, good, thinking, block_size, variant, median)
            kept = [one for one in examples if any(label != IGNORED for label in one["labels"])]
            found["num_without_loss"] += len(examples) - len(kept)
            found["num_rows"] += len(kept)
            found["num_cut"] += sum(one["cut"] for one in kept)
            found["num_tokens"] += sum(len(one["input_ids"]) for one in kept)
            found["num_loss_tokens"] += sum(label != IGNORED for one in kept for label in one["labels"])
            columns = [{"input_ids": one["input_ids"], "labels": one["labels"]} for one in kept]
            writer.write_table(pa.Table.from_pylist(columns, schema))
        filler = {"input_ids": [tokenizer.eos_token_id or 0], "labels": [IGNORED]}
        writer.write_table(pa.Table.from_pylist([filler], schema))
    return Counts(**found)


def _checked(row: Mapping[str, Any], tokenizer: Any, block_size: int) -> dict[str, Any]:
    """A row that was formatted before, cut to the block. Raises `UserError` where its ids are another tokenizer's."""
    if max(row["input_ids"], default=0) >= len(tokenizer):
        raise UserError(
            f"row '{row['id']}' has the id {max(row['input_ids'])}, the model's tokenizer {len(tokenizer)} ids; format "
            "the rows with the tokenizer of the model that is trained"
        )
    ids, labels = row["input_ids"][:block_size], row["labels"][:block_size]
    return {"input_ids": ids, "labels": labels, "cut": row["cut"] or len(row["input_ids"]) > block_size}


def _stream(examples: datasets.Dataset, file: Any) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(file, examples.data.schema) as writer:
        writer.write_table(examples.data.table)


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold a lock on this node's own disk, where locks work."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
