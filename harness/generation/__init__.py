"""Generation: budget forcing (`budget`), the methods and sweeps over it, and the engines that sample for them."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from harness import imports

if TYPE_CHECKING:
    from harness.config import EngineConfig
    from harness.generation.engines.base import Engine
    from harness.generation.engines.chat import ChatEngine

logger = logging.getLogger(__name__)


def open_chat(config: EngineConfig, model: str) -> ChatEngine:
    """A server that gets one chat call per sample. Close it when done. Raises `UserError` for one that is not there."""
    from harness.generation.engines.chat import ChatEngine

    return ChatEngine(config, model)


def open_engine(config: EngineConfig, model: str, log_path: Path | None = None) -> Engine:
    """Loads `model` (a hub name or a folder) into the engine `config` names. Close it when done.

    vLLM's own logs, and its workers', go to `log_path`. Without vLLM installed "vllm" is `transformers`, and one
    logged line says so. Raises `UserError` for a model that cannot be loaded.
    """
    name = config.name
    if name == "vllm" and importlib.util.find_spec("vllm") is None:
        logger.warning("vLLM is not installed: generating with transformers instead (same tokens, slower)")
        name = "transformers"
    if name == "vllm":
        with imports.quick():
            from harness.generation.engines.vllm import VllmEngine

            return VllmEngine(config, model, log_path)
    if name == "transformers":
        with imports.quick():
            from harness.generation.engines.transformers import TransformersEngine

            return TransformersEngine(config, model)
    from harness.generation.engines.server import ServerEngine

    return ServerEngine(config, model)
