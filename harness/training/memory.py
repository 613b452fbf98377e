"""How much memory one worker of a training needs, estimated from the model's shape before anything is loaded.

Weights, gradients and Adam's two moments in float32: 16 bytes per parameter (ZeRO, arXiv 1910.02054, section 3.1, less
its half precision copies), divided by the workers that share them. Activations: what a decoder layer of the Llama and
Qwen kind keeps for its backward pass, counted as in "Reducing Activation Recomputation in Large Transformer Models"
(arXiv 2205.05198, section 4) for a gated MLP, RMS norms in float32 and grouped attention heads, without its s^2 term
(attention does not store its scores). The output head: TRL's, which makes logits in tiles of at most 4,096 tokens by
32,768 words, on a CPU with several copies of a tile at a time.

The peak is the largest of three moments: the head's backward pass (all activations are there), that of the last layer,
and the optimizer's step. benchmarks/memory.py holds it against the peak resident size of real trainings on a CPU, where
it is right within 15%. On a GPU add what is not counted: CUDA's context (0.5 to 1 GB), buffers of collectives (two
layers' weights), and a tenth for what the caching allocator rounds and splits; that margin has not been measured.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.config import Training

FLOAT32, BFLOAT16 = 4, 2  # bytes
TILE_TOKENS, TILE_WORDS = 4096, 32768  # of the logits that TRL's output head makes at a time
TILES_ON_CPU = 8.25  # copies of a tile, one of them of booleans, that its backward pass holds without a GPU's kernel
PROCESS = 40e6  # bytes on a CPU: libraries that are loaded by the first step, small tensors


@dataclass(frozen=True)
class Shape:
    """A decoder-only model of the Llama and Qwen kind."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    tied: bool = False
    head_size: int = 0  # 0: hidden / heads
    bias: bool = True  # of queries, keys and values (Qwen2)

    @property
    def query(self) -> int:
        """Width of a layer's queries."""
        return self.heads * (self.head_size or self.hidden // self.heads)

    @property
    def kv(self) -> int:
        """Width of a layer's keys, and of its values."""
        return self.kv_heads * (self.head_size or self.hidden // self.heads)

    def linears(self) -> list[tuple[int, int]]:
        """(in, out) of the linear maps of one layer."""
        mlp = (self.hidden, self.intermediate)
        return [
            (self.hidden, self.query),
            (self.hidden, self.kv),
            (self.hidden, self.kv),
            (self.query, self.hidden),
            mlp,
            mlp,
            mlp[::-1],
        ]

    @property
    def layer_parameters(self) -> int:
        """Parameters of one layer: linear layers, biases and two norms."""
        biases = self.query + 2 * self.kv if self.bias else 0
        return sum(a * b for a, b in self.linears()) + biases + 2 * self.hidden

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding and, unless it is tied, the output head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """Parameters of the whole model."""
        return self.layers * self.layer_parameters + self.embedding_parameters + self.hidden


QWEN25 = {  # billions in the name -> shape; from the config.json of Qwen/Qwen2.5-{size}-Instruct
    0.5: Shape(896, 24, 14, 2, 4864, 151_936, tied=True),
    1.5: Shape(1536, 28, 12, 2, 8960, 151_936, tied=True),
    3.0: Shape(2048, 36, 16, 2, 11_008, 151_936, tied=True),
    7.0: Shape(3584, 28, 28, 4, 18_944, 152_064),
    14.0: Shape(5120, 48, 40, 8, 13_824, 152_064),
    32.0: Shape(5120, 64, 40, 8, 27_648, 152_064),
    72.0: Shape(8192, 80, 64, 8, 29_568, 152_064),
}


def shape_of(model: str) -> Shape | None:
    """The shape of `model`; None where it is not known.

    Exact for a local folder; for a hub name with a size ("32B"), that of the Qwen2.5 model nearest in size.
    """
    config = Path(model) / "config.json"
    if config.is_file():
        return _of_config(json.loads(config.read_text()))
    named = re.search(r"(\d+(?:\.\d+)?)B\b", model, re.IGNORECASE)
    if named is None:
        return None
    return QWEN25[min(QWEN25, key=lambda size: abs(size - float(named[1])))]


def _of_config(config: dict[str, Any]) -> Shape | None:
    needed = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    if not all(name in config for name in needed):
        return None  # not of this kind
    hidden, layers, heads, intermediate, vocabulary = (int(config[name]) for name in needed)
    return Shape(
        hidden,
        layers,
        heads,
        int(config.get("num_key_value_heads") or heads),
        intermediate,
        vocabulary,
        tied=bool(config.get("tie_word_embeddings")),
        head_size=int(config.get("head_dim") or 0),
        bias=config.get("attention_bias", config.get("model_type") == "qwen2"),
    )


@dataclass(frozen=True)
class Estimate:
    """Bytes of one worker at its peak, on its GPU or in main memory."""

    weights: float
    gradients: float  # that are there at the peak
    optimizer: float
    working: float  # of sharded layers: those gathered; else the bfloat16 copies that autocast keeps; the head's tiles
    activations: float

    @property
    def total(self) -> float:
        """The sum of all parts, in the same unit."""
        return self.weights + self.gradients + self.optimizer + self.working + self.activations


def estimate(shape: Shape, training: Training) -> Estimate:
    """The memory of one worker of `training`, for rows that fill the block."""
    gpu, lora = training.num_gpus > 0, training.lora_rank > 0
    compute = BFLOAT16 if gpu and training.bf16 else FLOAT32
    sharded = gpu and training.num_workers > 1 and not lora
    shares = training.num_workers if sharded else 1
    adapters = training.lora_rank * shape.layers * sum(a + b for a, b in shape.linears())
    trained = adapters if lora else shape.parameters
    weights = shape.parameters * compute + adapters * FLOAT32 if lora else trained * FLOAT32 / shares
    if sharded:  # the layer at work, the next one on its way, a gradient not yet scattered; embedding and head
        working = float((3 * shape.layer_parameters + shape.embedding_parameters) * compute)
    else:
        working = float(shape.parameters * compute) if compute != FLOAT32 and not lora else 0.0
    working += 0.0 if gpu else PROCESS
    tokens = training.per_device_batch_size * training.block_size
    if training.in_a_row:  # one sequence: its mask, a boolean for each pair of tokens
        working += tokens**2
    gradients = trained * FLOAT32 / shares
    accumulated = training.global_batch_size > training.per_device_batch_size * training.num_workers
    of_head = 0.0 if lora else shape.vocabulary * shape.hidden * FLOAT32  # whole, before it is scattered
    before = gradients if accumulated else 0.0
    layer = tokens * _layer_bytes(shape, compute)
    # Autocast keeps the residual stream in float32.
    residuals = tokens * shape.layers * shape.hidden * (compute if sharded or lora else FLOAT32)
    last_norm = tokens * 2 * shape.hidden * FLOAT32
    kept = last_norm + (residuals if training.gradient_checkpointing else shape.layers * layer)
    recomputed = layer if training.gradient_checkpointing else 0.0
    passing = tokens * (3 * shape.intermediate + 2 * shape.hidden) * compute  # gradients of a layer's activations
    moments = (  # gradients, working, activations
        (max(before, of_head / shares) + of_head * (1 - 1 / shares), _head_bytes(shape, tokens, compute, gpu), kept),
        (max(before, of_head / shares), 0.0, kept + recomputed + passing),
        (gradients, 0.0, 0.0),
    )
    held, at_head, activations = max(moments, key=sum)
    return Estimate(weights, held, 2 * trained * FLOAT32 / shares, working + at_head, activations)


def _layer_bytes(shape: Shape, compute: int) -> float:
    """What one layer keeps of a token.

    Both norms' inputs and what they are scaled to (float32) and put out; queries, keys, values and attention's output;
    gate, its activation, up and their product.
    """
    norms = 2 * shape.hidden * (2 * FLOAT32 + compute)
    return norms + (2 * shape.query + 2 * shape.kv + 4 * shape.intermediate) * compute


def _head_bytes(shape: Shape, tokens: int, compute: int, gpu: bool) -> float:
    """What the output head's backward pass needs beside its weight's gradient: tiles, and the gradient of its input."""
    words = TILE_WORDS if gpu else min(TILE_WORDS, shape.vocabulary)
    tile = min(tokens, TILE_TOKENS) * words * compute
    return (1 if gpu else TILES_ON_CPU) * tile + tokens * shape.hidden * FLOAT32


def lines(model: str, training: Training) -> list[tuple[str, ...]]:
    """Two rows for a table, gradient_checkpointing on and off: the setting, the parts and their sum in GB."""
    shape = shape_of(model)
    if shape is None:
        return []
    rows = []
    for checkpointing in (True, False):
        one = estimate(shape, replace(training, gradient_checkpointing=checkpointing))
        name = "on" if checkpointing else "off"
        total = one.total
        parts = (one.weights, one.gradients, one.optimizer, one.working, one.activations, total)
        chosen = " *" if checkpointing == training.gradient_checkpointing else ""
        rows.append((name + chosen, *(f"{part / 1e9:,.1f}" if total >= 1e9 else f"{part / 1e9:.4f}" for part in parts)))
    return rows
