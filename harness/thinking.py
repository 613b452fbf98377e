"""Thinking formats: the strings between which a model family thinks, and what is appended when it is stopped.

The engine-side meaning of each string is in `harness.generation.budget`; s1's are from its paper (section 4.1, App. D)
and its released tokenisation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.errors import UserError, unknown


@dataclass(frozen=True)
class ThinkingFormat:
    """The delimiters of one model family.

    thinking_start  appended to the chat prompt
    thinking_end    appended when the thought is over
    final_answer    appended behind `thinking_end` at a *forced* end only; "" turns it off
    stops           strings that end the thought when the model samples their tokens; end-of-text ids always do
    answer_stops    strings that end the answer, beside the model's own end-of-text ids
    """

    name: str
    thinking_start: str
    thinking_end: str
    final_answer: str
    stops: tuple[str, ...]
    answer_stops: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("thinking_end", "stops"):
            if not getattr(self, field):
                raise UserError(f"the thinking format '{self.name}' has no {field}; give at least one string")


S1 = ThinkingFormat(
    name="s1",
    thinking_start="<|im_start|>think",
    thinking_end="<|im_start|>answer",
    final_answer="\nFinal Answer:",
    stops=("<|im_start|>", "<|im_end|>"),
    answer_stops=("<|im_end|>",),
)

FORMATS: dict[str, ThinkingFormat] = {
    "s1": S1,
    # Trained on "<|im_start|>64 steps left ... <|im_start|>answer". s1 stops at "<|im_start|>0" alone, so that an
    # answer the model begins by itself is taken for thinking and answered twice; here it ends the thought.
    "s1-steps": ThinkingFormat(
        name="s1-steps",
        thinking_start="<|im_start|>",
        thinking_end="<|im_start|>answer",
        final_answer="\nFinal Answer:",
        stops=("<|im_start|>0", "<|im_start|>answer", "<|im_end|>"),
        answer_stops=("<|im_end|>",),
    ),
    "think": ThinkingFormat(  # Qwen3, DeepSeek-R1 and their distillations
        name="think",
        thinking_start="<think>\n",
        thinking_end="</think>\n\n",
        final_answer="Final Answer:",
        stops=("</think>",),
    ),
    "gpt-oss": ThinkingFormat(  # the harmony channels
        name="gpt-oss",
        thinking_start="<|channel|>analysis<|message|>",
        thinking_end="<|end|><|start|>assistant<|channel|>final<|message|>",
        final_answer="Final Answer:",
        stops=("<|end|>",),
        answer_stops=("<|return|>",),
    ),
}


# How models mark a thought in plain text: where it starts, and what ends it. Looked for in this order.
MARKS: tuple[tuple[str, str], ...] = (
    (S1.thinking_start, S1.thinking_end),
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3 and many more
    (FORMATS["gpt-oss"].thinking_start, "<|channel|>final<|message|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A Reasoning
    ("<scratchpad>", "</scratchpad>"),
)
ANSWER_STARTS = ("<|begin_of_solution|>",)  # these, too, say that a thought is over
CHANNEL_END = "<|end|><|start|>assistant"  # gpt-oss: between the thought and the mark that ends it


def marks_in(text: str) -> tuple[str, str] | None:
    """The first of `MARKS` that has one of its two strings in `text`; None when there is none."""
    return next((pair for pair in MARKS if pair[0] in text or pair[1] in text), None)


def split_thought(text: str) -> tuple[str, str, str] | None:
    """(thought, end mark, answer) of a response that holds a mark of `MARKS`, start and channel marks left out.

    The end mark is empty where the thought never ends; the answer is then empty, too. None without any mark.
    """
    pair = marks_in(text)
    if pair is None:
        return None
    start, end = pair
    head, closed, answer = text.partition(end)
    return head.split(start, 1)[-1].removesuffix(CHANNEL_END), closed, answer


def thinking_format(name: str) -> ThinkingFormat:
    """The format called `name`, or your own as a JSON list of four strings (or more: further stops):
    `["<think>\\n", "</think>\\n\\n", "Final Answer:", "</think>"]`. Raises `UserError` with the near match."""
    if name.lstrip().startswith("["):
        try:
            strings = json.loads(name)
        except json.JSONDecodeError as error:
            raise UserError(f"the thinking format {name} is no JSON list: {error.msg}") from None
        if len(strings) < 4 or not all(isinstance(string, str) for string in strings):
            raise UserError(f"the thinking format {name} needs four strings: start, end, final answer, stop")
        start, end, final_answer, *stops = strings
        return custom_format(start, end, final_answer, tuple(stops))
    if name not in FORMATS:
        raise unknown("thinking format", name, FORMATS)
    return FORMATS[name]


def custom_format(
    thinking_start: str, thinking_end: str, final_answer: str, stop: str | tuple[str, ...]
) -> ThinkingFormat:
    """Your own format by four strings."""
    stops = (stop,) if isinstance(stop, str) else stop
    return ThinkingFormat("custom", thinking_start, thinking_end, final_answer, stops)
