"""harness.data.formats: conditional control's training text, and its statistics."""

from __future__ import annotations

from typing import Any

import pytest

from harness.config import Budget
from harness.data import formats
from harness.errors import UserError
from harness.generation.instructions import instruct
from harness.thinking import S1
from harness.training.text import IGNORED, training_example
from tests.pools import row
from tests.tiny import byte_tokenizer

THREE_STEPS = row(2, thinking="One.\n\nTwo,\nstill two.\n\n\n\nThree.", attempt="4")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return byte_tokenizer()


def one(tokenizer: Any, of: dict[str, Any], variant: str) -> dict[str, Any]:
    return formats.format_batch(tokenizer, [of], S1, 4096, variant)[0]


@pytest.mark.parametrize(
    ("length", "expected"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1024, 1024), (1025, 2048)]
)
def test_a_bucket_is_the_next_power_of_two(length: int, expected: int) -> None:
    assert formats.bucket(length) == expected


def test_steps_are_what_blank_lines_part() -> None:
    assert formats.steps_of(THREE_STEPS["thinking"]) == ["One.", "Two,\nstill two.", "Three."]


def test_a_step_annotated_trace_counts_down_from_its_bucket(tokenizer: Any) -> None:
    example = one(tokenizer, THREE_STEPS, "steps")
    assert example["budget"] == 4
    prompt = instruct(THREE_STEPS["question"], Budget(method="step_conditional", instructed="4"))
    assert example["text"] == (
        f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        "<|im_start|>4 steps left\nOne.\n<|im_start|>3 steps left\nTwo,\nstill two.\n"
        "<|im_start|>2 steps left\nThree.\n<|im_start|>answer\n4<|im_end|>"
    )


def test_a_token_annotated_row_tells_the_bucket_of_its_traces_own_tokens(tokenizer: Any) -> None:
    trace = "x" * 300  # 300 tokens of a byte tokenizer
    example = one(tokenizer, row(2, thinking=trace), "tokens")
    assert example["budget"] == 512
    assert "\n\nThink for up to 512 tokens.<|im_end|>" in example["text"]
    assert f"<|im_start|>think\n{trace}\n<|im_start|>answer" in example["text"]


@pytest.mark.parametrize("variant", formats.VARIANTS)
def test_in_every_variant_the_mask_covers_the_prompt_exactly(tokenizer: Any, variant: str) -> None:
    example = one(tokenizer, THREE_STEPS, variant)
    count = example["prompt_tokens"]
    assert example["labels"][:count] == [IGNORED] * count
    assert example["labels"][count:] == example["input_ids"][count:]
    assert tokenizer.decode(example["input_ids"]) == example["text"]
    assert tokenizer.decode(example["input_ids"][:count]).endswith("<|im_start|>assistant\n")
    assert example["num_tokens"] == len(example["input_ids"])


def test_a_plain_row_is_the_training_example_whatever_it_is_batched_with(tokenizer: Any) -> None:
    made = [row(n, thinking="x" * n) for n in range(1, 150)]
    examples = list(formats.format_rows(tokenizer, made, S1, 100, "plain", formats.Statistics()))
    for example, of in zip(examples, made, strict=True):
        expected = training_example(tokenizer, of, S1, 100)
        assert {key: example[key] for key in expected} == expected


def test_an_unknown_variant_is_the_users_error(tokenizer: Any) -> None:
    with pytest.raises(UserError, match="did you mean 'steps'"):
        one(tokenizer, THREE_STEPS, "step")


def test_statistics_count_rows_cuts_loss_and_padding(tokenizer: Any) -> None:
    statistics = formats.Statistics()
    made = [row(1, thinking="x" * 10), row(2, thinking="x" * 100), row(3, thinking=""), row(4, question="q" * 300)]
    examples = list(formats.format_rows(tokenizer, made, S1, 200, "plain", statistics))
    report = statistics.report(batch_size=2)
    lengths = [len(example["input_ids"]) for example in examples]
    assert [example["id"] for example in examples] == ["r0001", "r0002", "r0004"]
    assert report["rows"] == 3
    assert report["rows without thinking"] == 1
    assert report["rows cut at the block"] == sum(example["cut"] for example in examples) == 1
    whole = formats.format_batch(tokenizer, [made[3]], S1, 10_000)[0]["num_tokens"]
    assert report["tokens lost by the cut"] == whole - 200
    assert report["rows without loss"] == 1  # its question alone fills the block
    assert report["tokens"] == sum(lengths)
    assert report["loss tokens"] == sum(label != IGNORED for example in examples for label in example["labels"])
    assert report["padding when batched"] == pytest.approx(1 - sum(lengths) / (2 * max(lengths[:2]) + lengths[2]))


def test_a_tokenizer_without_the_formats_tokens_is_refused_before_the_first_row(tokenizer: Any) -> None:
    from harness.thinking import FORMATS

    with pytest.raises(UserError, match="has no token"):
        next(formats.format_rows(tokenizer, iter(()), FORMATS["gpt-oss"], 100, "plain", formats.Statistics()), None)
