"""Decoding as a checkpoint's generation_config.json recommends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.config import Sampling
from harness.errors import UserError
from harness.studies.card import card_sampling

SAMPLING = Sampling(num_samples=4, seed=3, max_answer_tokens=64)


def card(folder: Path, said: dict[str, Any]) -> Sampling:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 1, **said}))
    return card_sampling(str(folder), SAMPLING)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # what the published files of Qwen3, Qwen2.5 and R1's distillations hold
        (
            {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95},
            {"temperature": 0.6, "top_k": 20, "top_p": 0.95},
        ),
        (
            {"do_sample": True, "repetition_penalty": 1.05, "temperature": 0.7, "top_p": 0.8, "top_k": 20},
            {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05},
        ),
        ({"do_sample": True, "temperature": 0.6, "top_p": 0.95}, {"temperature": 0.6, "top_p": 0.95, "top_k": 0}),
        ({"do_sample": True, "top_k": -1}, {"temperature": 1.0, "top_k": 0}),
        ({"temperature": 1, "min_p": 0.1}, {"temperature": 1.0, "min_p": 0.1}),
    ],
)
def test_what_the_file_says_is_taken_and_nothing_else(
    said: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    found = card(tmp_path, said)
    assert {name: getattr(found, name) for name in expected} == expected
    assert (found.num_samples, found.seed, found.max_answer_tokens) == (4, 3, 64)


def test_the_sampling_parameters_are_those_that_transformers_reads_from_the_file(tmp_path: Path) -> None:
    from transformers import GenerationConfig

    said = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}
    found = card(tmp_path, said)
    theirs = GenerationConfig.from_pretrained(str(tmp_path)).to_diff_dict()
    for name in ("temperature", "top_p", "top_k", "repetition_penalty", "min_p"):
        if name in theirs:
            assert getattr(found, name) == theirs[name]
    assert {"temperature", "top_p", "top_k", "repetition_penalty"} <= theirs.keys()


def test_greedy_where_the_file_says_so_and_one_line_where_it_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({"do_sample": False, "temperature": 0.6}))
    assert card_sampling(str(tmp_path), Sampling()).temperature == 0.0
    with pytest.raises(UserError, match="recommends nothing"):
        card(tmp_path, {})
    (tmp_path / "generation_config.json").unlink()
    with pytest.raises(UserError, match="recommends nothing"):
        card_sampling(str(tmp_path), Sampling())
    with pytest.raises(UserError, match=r"top_p=1\.5: give 1 or less"):
        card(tmp_path, {"do_sample": True, "top_p": 1.5})
