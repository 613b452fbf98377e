"""Which checkpoints may replace a model's weights in place."""

from __future__ import annotations

from typing import Any

import pytest

from harness.generation.engines.model_info import swap_refusal
from harness.quickstart import TINY_MODEL


def config(**changed: Any) -> Any:
    """The shipped model's configuration, untied unless `changed` says so."""
    from transformers import AutoConfig

    read = AutoConfig.from_pretrained(TINY_MODEL)
    read.update({"tie_word_embeddings": False, **changed})
    return read


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        ({}, {"hidden_size": 128}, "its hidden_size is 128, not 96"),
        ({}, {"max_position_embeddings": 64}, "its max_position_embeddings is 64"),
        ({}, {"rms_norm_eps": 1e-5}, "its rms_norm_eps is"),
        ({}, {"tie_word_embeddings": True}, "its tie_word_embeddings is True"),
        ({}, {"quantization_config": {"quant_method": "fp8"}}, "its quantization_config is"),
        (
            {"quantization_config": {"quant_method": "fp8"}},
            {"quantization_config": {"quant_method": "fp8"}},
            "quantised",
        ),
        ({}, {"dtype": "float32"}, "its dtype is"),
        ({"tie_word_embeddings": True}, {"tie_word_embeddings": True}, None),
        ({}, {"eos_token_id": 5, "use_cache": False, "transformers_version": "4.0"}, None),
    ],
)
def test_a_swap_is_refused_for_what_the_layers_are_built_from(
    here: dict[str, Any], there: dict[str, Any], reason: str | None
) -> None:
    found = swap_refusal(config(**here), config(**there), dtype="auto")
    assert found is None if reason is None else reason in str(found)


def test_a_dtype_that_is_named_is_no_matter_of_the_checkpoints() -> None:
    assert swap_refusal(config(), config(dtype="float32"), dtype="bfloat16") is None
