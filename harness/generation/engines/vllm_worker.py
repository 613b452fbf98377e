"""What vLLM's workers can do beside vLLM's own: `worker_extension_cls`, a public argument, mixes it in."""

from __future__ import annotations

from typing import Any

EXTENSION = f"{__name__}.SwapsWhole"
RELOAD = "reload_weights_and_heads"


class SwapsWhole:
    """A worker whose swap reaches what the checkpoint does not name."""

    reload_weights: Any
    model_runner: Any

    def reload_weights_and_heads(self, weights_path: str) -> None:
        """`reload_weights`, and a new packed copy of each embedding and output head.

        On a CPU a layer computes with a packed copy of its weights, which vLLM renews if the checkpoint names the
        layer. The output head of a model that ties it to the embedding is not named, and would stay the old one's.

        Args:
            weights_path: a folder with a checkpoint of the same shapes.
        """
        self.reload_weights(weights_path=weights_path)
        for layer in self.model_runner.get_model().modules():
            if hasattr(layer, "cpu_linear") and hasattr(layer, "tie_weights"):
                layer.quant_method.process_weights_after_loading(layer)
