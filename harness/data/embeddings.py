"""Embeddings by any sentence-transformers model, on the CPU or a GPU."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from harness.errors import UserError, one_line

BATCH = 64


def embed(model: str, texts: list[str]) -> Any:
    """The embeddings of `texts` by `model` (a hub name or a folder), as float32 of shape (texts, width).

    Raises:
        UserError: sentence-transformers is not installed, or the model cannot be loaded.
    """
    if find_spec("sentence_transformers") is None:
        raise UserError("selection kcenter needs sentence-transformers; pip install sentence-transformers")
    from sentence_transformers import SentenceTransformer

    try:
        loaded = SentenceTransformer(model)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load the embedding model '{model}': {one_line(error)}") from error
    return loaded.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
