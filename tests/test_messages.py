"""One reader of a chat message's text: every kind of part that servers, training sets and logs are known to hold."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.logs.logged import chat_prompt, response_text
from harness.chat_client import chat_reply
from harness.data.schema import BadRowError
from harness.data.shapes import read_chat
from harness.messages import MessageText, content_text, message_text

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
# a message, what it says, and which API writes it so
MESSAGES: list[tuple[dict[str, Any], MessageText, str]] = [
    ({"content": "4"}, MessageText("", "4"), "OpenAI chat"),
    ({"content": None}, MessageText(), "OpenAI chat, a call of a tool"),
    ({"content": "4", "reasoning_content": "Two."}, MessageText("Two.", "4"), "DeepSeek, vLLM before 0.12"),
    ({"content": "4", "reasoning": "Two."}, MessageText("Two.", "4"), "vLLM, OpenRouter"),
    ({"content": None, "reasoning": "Two."}, MessageText("Two."), "a thought that was cut"),
    ({"content": None, "refusal": "I cannot."}, MessageText("", "I cannot."), "OpenAI chat"),
    ({"content": [{"type": "text", "text": "4"}]}, MessageText("", "4"), "OpenAI chat"),
    ({"content": [{"type": "output_text", "text": "4", "annotations": []}]}, MessageText("", "4"), "OpenAI responses"),
    ({"content": [{"type": "refusal", "refusal": "No."}]}, MessageText("", "No."), "OpenAI"),
    (
        {"content": [{"type": "thinking", "thinking": "Two.", "signature": "x"}, {"type": "text", "text": "4"}]},
        MessageText("Two.", "4"),
        "Anthropic",
    ),
    (
        {"content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "4"}]},
        MessageText("", "4", ("redacted_thinking",)),
        "Anthropic",
    ),
    (
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Two"}, {"type": "text", "text": "."}]},
                {"type": "text", "text": "4"},
            ]
        },
        MessageText("Two.", "4"),
        "Mistral",
    ),
    (
        {"content": [{"type": "reasoning", "reasoning": "Two."}, {"type": "reasoning", "reasoning": "So."}, "4"]},
        MessageText("Two.\nSo.", "4"),
        "inspect_ai",
    ),
    (
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Two."}]}]},
        MessageText("Two."),
        "OpenAI responses",
    ),
    ({"content": [IMAGE, {"type": "text", "text": "What?"}]}, MessageText("", "What?", ("image_url",)), "OpenAI chat"),
    ({"content": {"type": "text", "text": "4"}}, MessageText("", "4"), "a part alone"),
    ({"content": [{"text": "4"}]}, MessageText("", "4"), "a part without a type"),
]
EVERY = pytest.mark.parametrize(("message", "said"), [one[:2] for one in MESSAGES], ids=[one[2] for one in MESSAGES])


@EVERY
def test_a_message_says_the_same_to_all_who_read_it(message: dict[str, Any], said: MessageText) -> None:
    assert message_text(message) == said
    if said.thinking or said.text:  # a reply of a server
        reply = chat_reply({"choices": [{"message": message}]})
        assert (reply.thinking, reply.text) == (said.thinking, said.text)
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", **message}]
    if said.other:  # a turn of a training set
        with pytest.raises(BadRowError, match=said.other[0]):
            read_chat(turns)
    elif "refusal" not in message:
        chat = read_chat(turns)
        assert (chat.thinking, chat.response) == (said.thinking, said.text)
    beside = next((message[name] for name in ("reasoning_content", "reasoning") if name in message), None)
    logged = response_text(message["content"], beside) or ""  # a response in a log
    if "refusal" not in message:
        assert logged == (f"<think>{said.thinking}</think>{said.text}" if said.thinking else said.text)
    assert chat_prompt([{"role": "user", **message}])[1].endswith(content_text(message["content"]).text)


@pytest.mark.parametrize("content", [7, True, [7], [None], [["a"]], [{"type": "text", "text": {"a": 1}}]])
def test_what_is_no_text_is_no_text(content: Any) -> None:
    if isinstance(content, list) and isinstance(content[0], dict):
        assert content_text(content).text == ""  # a part in a part, without a text
        return
    with pytest.raises(TypeError, match="not text"):
        content_text(content)


@pytest.mark.parametrize("message", [None, "text", [1]])
def test_what_is_no_message_is_told(message: Any) -> None:
    with pytest.raises(TypeError, match="no object"):
        message_text(message)
