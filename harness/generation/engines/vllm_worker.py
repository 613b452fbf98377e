"""What vLLM's workers can do beside vLLM's own: `worker_extension_cls`, a public argument, mixes it in."""

from __future__ import annotations

import atexit
import gc
import os
from multiprocessing import parent_process
from typing import Any

from harness import imports

EXTENSION = f"{__name__}.SwapsWhole"
RELOAD = "reload_weights_whole"
STARTED = "after_the_start"

if parent_process() is not None:  # a core or its worker, which imports this before it loads a model, with vLLM imported
    # As vLLM itself does after the start: its looks for garbage on the way pass over what the imports made.
    gc.freeze()
    imports.show()


class SwapsWhole:
    """A worker that holds after a swap what it would hold after a start."""

    reload_weights: Any
    model_runner: Any
    model_config: Any

    def after_the_start(self) -> None:
        """Tensors live here: garbage is looked for as often as vLLM means it.

        At its end the process leaves what imports made to the system: Python would take it apart for two seconds.
        """
        imports.as_usual()
        if parent_process() is not None:
            atexit.register(os._exit, 0)

    def reload_weights_whole(self, weights_path: str) -> None:
        """`reload_weights`, and what it leaves out of the layers that compute with packed copies (on a CPU all do).

        The output head of a model that ties it to the embedding is not named in the checkpoint, so its packed copy
        stays the old one's. Biases, which stand there in float32, are loaded as they are in the file; a start rounds
        them to the model's dtype first.

        Args:
            weights_path: a folder with a checkpoint of the same shapes.
        """
        self.reload_weights(weights_path=weights_path)
        for layer in self.model_runner.get_model().modules():
            if not hasattr(layer, "cpu_linear"):
                continue
            if hasattr(layer, "tie_weights"):
                layer.quant_method.process_weights_after_loading(layer)
            if (bias := getattr(layer, "bias", None)) is not None:
                bias.data = bias.data.to(self.model_config.dtype).to(bias.dtype)
