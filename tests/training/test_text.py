"""harness.training.text: the prompt, s1's training text, and which tokens carry loss."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import UserError
from harness.generation.prompts import render_prompt
from harness.thinking import FORMATS, S1
from harness.training import text as chat
from tests.pools import row
from tests.tiny import byte_tokenizer

ROW = row(2, question="What is 2 + 2?", thinking="\nTwo and two.\n\nSo 4. \n", attempt="Final Answer: 4\n")
PROMPT = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return byte_tokenizer()


def test_the_prompt_is_the_chat_template_up_to_the_assistant(tokenizer: Any) -> None:
    text, ids = render_prompt(tokenizer, "What is 2 + 2?")
    assert text == PROMPT
    assert ids == tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == PROMPT
    with_system, _ = render_prompt(tokenizer, "What is 2 + 2?", system="Be brief.")
    assert with_system == "<|im_start|>system\nBe brief.<|im_end|>\n" + PROMPT


def test_the_training_text_is_s1s(tokenizer: Any) -> None:
    example = chat.training_example(tokenizer, ROW, S1, 4096)
    assert tokenizer.decode(example["input_ids"]) == (
        PROMPT + "<|im_start|>think\nTwo and two.\n\nSo 4.\n<|im_start|>answer\nFinal Answer: 4<|im_end|>"
    )
    assert example["cut"] is False


@pytest.mark.parametrize("name", ["s1", "think", "gpt-oss"])
def test_loss_is_on_every_token_from_the_thinking_start_to_the_end_of_turn_and_on_no_other(
    tokenizer: Any, name: str
) -> None:
    style = FORMATS[name]
    example = chat.training_example(tokenizer, ROW, style, 4096)
    prompt_ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    text = tokenizer.decode(example["input_ids"])
    learned = text[len(PROMPT) :]
    assert text.startswith(PROMPT + style.thinking_start)
    assert text.endswith("4<|im_end|>")
    # token by token: a byte tokenizer has one token a byte, and one for each special
    expected = [chat.IGNORED] * len(prompt_ids) + tokenizer(learned, add_special_tokens=False)["input_ids"]
    assert example["labels"] == expected
    for token, label in zip(example["input_ids"], example["labels"], strict=True):
        assert label in (token, chat.IGNORED)
    assert example["labels"][len(prompt_ids)] == example["input_ids"][len(prompt_ids)]
    assert example["labels"][-1] == tokenizer.convert_tokens_to_ids("<|im_end|>")


@pytest.mark.parametrize(
    ("name", "completion"),
    [
        ("s1", "<|im_start|>think\nA\n<|im_start|>answer\n4<end>"),
        ("think", "<think>\nA\n</think>\n\n4<end>"),
        ("gpt-oss", "<|channel|>analysis<|message|>A<|end|><|start|>assistant<|channel|>final<|message|>4<end>"),
    ],
)
def test_each_family_gets_its_own_line_ends(name: str, completion: str) -> None:
    assert chat.completion_text(row(2, thinking="A", attempt="4"), FORMATS[name], "<end>") == completion


@pytest.mark.parametrize(
    ("prompt", "start"),
    [("<a>", "<think>\n"), ("<a><think>\n", ""), ("<a><think>\n\n", ""), ("<a><think>", "\n")],
)
def test_a_thinking_start_that_the_chat_template_wrote_is_not_written_twice(prompt: str, start: str) -> None:
    completion = chat.completion_text(row(2, thinking="A", attempt="4"), FORMATS["think"], "", prompt)
    assert completion == f"{start}A\n</think>\n\n4"


def test_the_gold_answer_stands_in_for_a_missing_attempt() -> None:
    assert chat.completion_text(row(2, thinking="A", attempt=""), S1, "").endswith("answer\n4")


def test_a_long_row_is_cut_and_says_so(tokenizer: Any) -> None:
    whole = chat.training_example(tokenizer, ROW, S1, 4096)
    size = len(whole["input_ids"])
    exact, shorter = (chat.training_example(tokenizer, ROW, S1, block) for block in (size, size - 1))
    assert (exact["cut"], exact["input_ids"]) == (False, whole["input_ids"])
    assert (shorter["cut"], shorter["input_ids"]) == (True, whole["input_ids"][:-1])
    assert shorter["labels"] == whole["labels"][:-1]


def test_the_end_of_turn_is_the_chat_templates(tokenizer: Any) -> None:
    assert chat.end_of_turn(tokenizer) == "<|im_end|>"


def test_bad_input_is_the_users_error() -> None:
    tokenizer = byte_tokenizer()
    with pytest.raises(UserError, match="row 'r0001' has no thinking"):
        chat.training_example(tokenizer, row(1, thinking=" "), S1, 100)
    chat.check_tokenizer(tokenizer, S1)
    with pytest.raises(UserError, match=r"no token '<\|channel\|>' \(it becomes 11 tokens\)"):
        chat.check_tokenizer(tokenizer, FORMATS["gpt-oss"])
    tokenizer.chat_template = None
    with pytest.raises(UserError, match="has no chat template"):
        render_prompt(tokenizer, "Q")
