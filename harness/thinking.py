"""Thinking formats: the one home of the strings between which model families think.

Generation, training, grading, log statistics, imports, the data pools, the teacher and the quality filter all read
`FAMILIES`. s1's strings are from its paper (section 4.1, App. D) and released tokenisation; the others from the
families' public chat templates and model cards. A model's own format is read from its chat template by
`harness.generation.templates`; `harness.marks` finds a thought in a text; what an engine makes of the strings is in
`harness.generation.budget`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from harness.errors import UserError, unknown

AUTO = "auto"  # the format is read from the model's chat template


@dataclass(frozen=True)
class Ask:
    """How a chat template is asked for one kind of prompt.

    arguments  given to `apply_chat_template`, as (name, value) pairs
    system     a word for the system turn ("/no_think"), None for none
    suffix     behind the question
    """

    arguments: tuple[tuple[str, Any], ...] = ()
    system: str | None = None
    suffix: str = ""

    def __str__(self) -> str:
        said = [f"{name}={json.dumps(value)}" for name, value in self.arguments]
        said += [f"system turn {self.system!r}"] if self.system else []
        said += [f"{self.suffix!r} behind the question"] if self.suffix else []
        return ", ".join(said) or "the template's default"


@dataclass(frozen=True)
class ThinkingFormat:
    """The delimiters of one model family, and how its chat template is asked.

    thinking_start  appended to the chat prompt, unless the template has put it there
    thinking_end    appended when the thought is over
    final_answer    appended behind `thinking_end` at a *forced* end only; "" turns it off
    stops           strings that end the thought when the model samples their tokens; end-of-text ids always do
    answer_stops    strings that end the answer, beside the model's own end-of-text ids
    gap             training text: between the thought and `thinking_end`; None: a newline where the start ends in one
    end_of_turn     training text: behind the answer; None: what the chat template puts there
    ask             how the chat template is asked for a prompt that thinks
    plain           the same for one that does not think
    empty           appended to the `plain` prompt: a closed block with nothing in it; "" where the template closes it
    """

    name: str
    thinking_start: str
    thinking_end: str
    final_answer: str
    stops: tuple[str, ...]
    answer_stops: tuple[str, ...] = ()
    gap: str | None = None
    end_of_turn: str | None = None
    ask: Ask = Ask()
    plain: Ask = Ask()
    empty: str = ""

    def __post_init__(self) -> None:
        for field in ("thinking_end", "stops"):
            if not getattr(self, field):
                raise UserError(f"the thinking format '{self.name}' has no {field}; give at least one string")

        if self.thinking_start.strip() == self.thinking_end.strip() or not any(self.stops):
            raise UserError(
                f"the thinking format '{self.name}' opens a thought by {self.thinking_start!r} and ends it by "
                f"{self.thinking_end!r}, {', '.join(map(repr, self.stops))}; give a start and an end that differ, and "
                "a stop that is not empty"
            )

    @property
    def spec(self) -> str:
        """The format as text that `thinking_format` reads back: what runs store and hand to their workers."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    def opened_in(self, prompt: str) -> bool:
        """Whether `prompt` (a rendered chat prompt) ends in the thinking start, white space aside."""
        start = self.thinking_start.strip()
        return bool(start) and prompt.rstrip().endswith(start)


@dataclass(frozen=True)
class Family:
    """One way to mark a thought.

    start, end     as appended in generation, white space included; in a text they are found without it
    mark           what of `end` ends a thought in a text; "" for `end` itself
    stops          what the model samples to end its thought; () for `end` without white space
    answer_start   what may stand between the end and the answer's own words
    answer_end     what may close the answer
    plain_words    ordinary words: they count only where they open the response
    ends_any_turn  the end is that of any turn: it ends a thought only behind its start, in the response or the prompt
    start_is_optional   some of its models begin to think without the start
    used_by        models whose public template or card says so
    """

    name: str
    start: str
    end: str
    used_by: str
    mark: str = ""
    stops: tuple[str, ...] = ()
    answer_start: tuple[str, ...] = ()
    answer_end: tuple[str, ...] = ()
    answer_stops: tuple[str, ...] = ()
    final_answer: str = "Final Answer:"
    gap: str | None = None
    plain_words: bool = False
    start_is_optional: bool = False
    ends_any_turn: bool = False

    @property
    def format(self) -> ThinkingFormat:
        """The family's format as its card gives it; a template may say more (`harness.generation.templates`)."""
        stops = self.stops or (self.end.strip(),)
        return ThinkingFormat(self.name, self.start, self.end, self.final_answer, stops, self.answer_stops, self.gap)


FAMILIES: tuple[Family, ...] = (
    Family(
        "s1",
        "<|im_start|>think",
        "<|im_start|>answer",
        "s1, s1.1, and what is trained here",
        stops=("<|im_start|>", "<|im_end|>"),
        answer_stops=("<|im_end|>",),
        final_answer="\nFinal Answer:",
    ),
    Family(
        "think",
        "<think>\n",
        "</think>\n\n",
        "Qwen3 and later, QwQ, DeepSeek-R1 and its distillations, DeepSeek-V3.1 and later, GLM-4.5 and later,"
        " MiniMax-M1 and M2, Kimi-K2-Thinking, Nemotron, SmolLM3, EXAONE-4, Phi-4-reasoning, Olmo-Think, Ling, LFM2.5,"
        " Granite 3.3, Hunyuan-A13B, MiMo, Step, Spark, Laguna, Cogito",
        answer_start=("<response>", "<answer>"),
        answer_end=("</response>", "</answer>"),
    ),
    Family(
        "gpt-oss",
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "gpt-oss (the harmony channels)",
        mark="<|channel|>final<|message|>",
        stops=("<|end|>",),
        answer_stops=("<|return|>",),
    ),
    Family("channel-words", "analysis", "assistantfinal", "gpt-oss with its special tokens dropped", plain_words=True),
    Family(
        "magistral",
        "[THINK]",
        "[/THINK]",
        "Magistral, Ministral reasoning, Mistral Small 4",
    ),
    Family("seed", "<seed:think>", "</seed:think>", "Seed-OSS"),
    Family("kimi-vl", "◁think▷", "◁/think▷", "Kimi-VL-Thinking"),
    Family(
        "kimi-k3",
        "<|open|>think<|sep|>",
        "<|close|>think<|sep|><|open|>response<|sep|>",
        "Kimi-K3",
        mark="<|close|>think<|sep|>",
        stops=("<|close|>think<|sep|>",),
        answer_start=("<|open|>response<|sep|>",),
        answer_end=("<|close|>response<|sep|>",),
    ),
    Family(
        "cohere",
        "<|START_THINKING|>",
        "<|END_THINKING|><|START_RESPONSE|>",
        "Command R7B, Command A Reasoning",
        mark="<|END_THINKING|>",
        stops=("<|END_THINKING|>",),
        answer_start=("<|START_RESPONSE|>", "<|START_TEXT|>"),
        answer_end=("<|END_RESPONSE|>", "<|END_TEXT|>"),
    ),
    Family("gemma", "<|channel>thought\n", "<channel|>", "Gemma 4", gap=""),
    Family("minimax-m3", "<mm:think>", "</mm:think>", "MiniMax-M3"),
    Family(
        "apertus",
        "<|inner_prefix|>",
        "<|inner_suffix|>",
        "Apertus",
        answer_end=("<|assistant_end|>",),
    ),
    Family(
        "muse",
        " to=self<|message|>",
        "<|eom|><|start|>assistant to=user<|message|>",
        "Muse",
        mark="<|start|>assistant to=user<|message|>",
        stops=("<|eom|>",),
        answer_stops=("<|eot|>",),
    ),
    Family(
        "solar",
        "<|think|>",
        "<|end|><|begin|>assistant<|content|>",
        "Solar Open",
        mark="<|content|>",
        stops=("<|end|>",),
        answer_stops=("<|end|>",),
    ),
    Family(
        "hyperclova",
        "<|im_start|>assistant/think\n",
        "<|im_end|>\n<|im_start|>assistant\n",
        "HyperCLOVA X SEED Think",
        mark="<|im_start|>assistant",
        stops=("<|im_end|>",),
        answer_stops=("<|im_end|>",),
        gap="",
        ends_any_turn=True,
    ),
    Family(
        "inkling",
        "<|message_model|><|content_thinking|>",
        "<|end_message|><|message_model|><|content_text|>",
        "Inkling",
        mark="<|content_text|>",
        stops=("<|end_message|>",),
        answer_stops=("<|end_message|>",),
    ),
    Family("pangu", "[unused16]", "[unused17]", "openPangu Embedded"),
    Family(
        "granite-3.2",
        "Here is my thought process:\n",
        "Here is my response:\n",
        "Granite 3.2",
        plain_words=True,
    ),
    Family(
        "apriel",
        "Here are my reasoning steps:\n",
        "[BEGIN FINAL RESPONSE]\n",
        "Apriel 1.5 and 1.6 Thinker",
        answer_end=("[END FINAL RESPONSE]",),
        plain_words=True,
        start_is_optional=True,
    ),
    Family(
        "thought",
        "<thought>\n",
        "</thought>\n\n",
        "EXAONE Deep, Marco-o1",
        answer_start=("<Output>",),
        answer_end=("</Output>",),
    ),
    Family("thinking", "<thinking>\n", "</thinking>\n\n", "models prompted to use such tags"),
    Family("reasoning", "<reasoning>\n", "</reasoning>\n\n", "models prompted to use such tags"),
    Family("scratchpad", "<scratchpad>\n", "</scratchpad>\n\n", "models prompted to use such tags"),
    Family(
        "sky-t1",
        "<|begin_of_thought|>\n\n",
        "<|end_of_thought|>\n\n<|begin_of_solution|>\n\n",
        "Sky-T1, OpenThinker",
        mark="<|end_of_thought|>",
        stops=("<|end_of_thought|>",),
        answer_start=("<|begin_of_solution|>",),
        answer_end=("<|end_of_solution|>",),
    ),
)

FORMATS: dict[str, ThinkingFormat] = {
    **{family.name: family.format for family in FAMILIES if family.name != "channel-words"},
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
}
S1 = FORMATS["s1"]


def thinking_format(name: str) -> ThinkingFormat:
    r"""The format called `name`, or your own as JSON.

    That is a list of four strings (or more: further stops) such as
    `["<think>\n", "</think>\n\n", "Final Answer:", "</think>"]`, or an object of the fields of `ThinkingFormat`.

    Raises:
        UserError: there is none; the line names the near match.
    """
    text = name.lstrip()
    if text.startswith(("[", "{")):
        try:
            given = json.loads(name)
        except json.JSONDecodeError as error:
            raise UserError(f"the thinking format {name} is no JSON list: {error.msg}") from None
        if isinstance(given, dict):
            return _from_plain(given)
        if len(given) < 4 or not all(isinstance(string, str) for string in given):
            raise UserError(f"the thinking format {name} needs four strings: start, end, final answer, stop")
        start, end, final_answer, *stops = given
        if not start.strip():
            raise UserError(f"the thinking format {name} has no start; say what opens a thought")
        return custom_format(start, end, final_answer, tuple(stops))
    if name not in FORMATS:
        raise unknown("thinking format", name, (AUTO, *FORMATS))
    return FORMATS[name]


def check_name(name: str) -> None:
    """Raise `UserError` unless `name` is "auto" or what `thinking_format` reads."""
    if name != AUTO:
        thinking_format(name)


def _from_plain(given: dict[str, Any]) -> ThinkingFormat:
    known = {field.name for field in fields(ThinkingFormat)}
    for key in given:
        if key not in known:
            raise unknown("key of a thinking format", key, known)
    asks = {
        key: Ask(
            tuple((str(name), value) for name, value in given[key]["arguments"]),
            given[key]["system"],
            given[key]["suffix"],
        )
        for key in ("ask", "plain")
        if isinstance(given.get(key), dict)
    }
    try:
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
        }
        return ThinkingFormat(**{"name": "custom", "final_answer": "Final Answer:"} | plain | asks)
    except TypeError as error:
        raise UserError(f"the thinking format {json.dumps(given)[:120]}: {error}") from None


def custom_format(
    thinking_start: str, thinking_end: str, final_answer: str, stop: str | tuple[str, ...]
) -> ThinkingFormat:
    """Your own format by four strings."""
    stops = (stop,) if isinstance(stop, str) else stop
    return ThinkingFormat("custom", thinking_start, thinking_end, final_answer, stops)
