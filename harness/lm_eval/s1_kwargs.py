"""s1's `--gen_kwargs`, every one of its commands.sh, as a budget, a sampling and a thinking format.

What each means is s1's own (its lm-eval fork); where fork and README disagree, `compat`
chooses. Unknown names fail with the near match: in s1 a typo of a thinking kwarg is passed on to vLLM or lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.config import Auto, Budget, Sampling
from harness.errors import UserError, unknown
from harness.thinking import ThinkingFormat

S1_ANSWER_ROOM = 100  # tokens that s1's `auto` leaves for the answer
DEFAULT_MAX_GEN_TOKS = 2048
GENERAL = (
    "until",
    "max_gen_toks",
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "seed",
    "compat",
)
# What lm-eval's own models take for max_gen_toks, in their order.
SAME_AS_MAX_GEN_TOKS = ("max_new_tokens", "max_tokens", "max_completion_tokens")
THINKING = (
    "max_tokens_thinking",
    "thinking_n_ignore",
    "thinking_n_ignore_str",
    "rejection_sample",
    "thinking_start",
    "thinking_end",
    "until_thinking",
    "until_thinking_2",
    "temperature_thinking",
    "top_p_thinking",
    "min_tokens_thinking",
    "seed_thinking",
)
IGNORED = ("skip_special_tokens", "spaces_between_special_tokens")  # both are always false here, as in s1


@dataclass(frozen=True)
class Settings:
    """What one set of gen_kwargs asks for."""

    budget: Budget
    sampling: Sampling
    thinking: ThinkingFormat
    stop_strings: tuple[str, ...]


def parse(
    kwargs: Mapping[str, Any], thinking: ThinkingFormat, num_samples: int = 1, compat: str = "readme"
) -> Settings:
    """`kwargs` as lm-eval hands them over; `thinking` is the format whose strings they may replace.

    Raises `UserError` for an unknown name, with the near match, and for a value that is none.
    """
    for name in kwargs:
        if name not in (*GENERAL, *SAME_AS_MAX_GEN_TOKS, *THINKING, *IGNORED):
            raise unknown("gen_kwarg", name, (*GENERAL, *THINKING))
    compat = _compat(str(kwargs.get("compat", compat)))
    cap = next((name for name in ("max_gen_toks", *SAME_AS_MAX_GEN_TOKS) if name in kwargs), "max_gen_toks")
    max_gen_toks = _integer(kwargs, cap, DEFAULT_MAX_GEN_TOKS)
    until = _strings(kwargs.get("until"))
    separate = any(name in kwargs for name in THINKING)
    return Settings(
        budget=_budget(kwargs, max_gen_toks, compat) if separate else Budget(0, method="no_thinking"),
        sampling=_sampling(kwargs, max_gen_toks, num_samples),
        thinking=_format(kwargs, thinking, until, compat),
        stop_strings=until,
    )


def _budget(kwargs: Mapping[str, Any], max_gen_toks: int, compat: Literal["readme", "s1-fork"]) -> Budget:
    tokens: int | Auto = "auto"
    if kwargs.get("max_tokens_thinking") != "auto":
        tokens = _integer(kwargs, "max_tokens_thinking", max_gen_toks)
    if _flag(kwargs.get("rejection_sample", False)):
        if "max_tokens_thinking" not in kwargs:
            raise UserError("rejection_sample needs max_tokens_thinking=N, the length to be kept to")
        return Budget(tokens, method="rejection_sampling")
    ignore = kwargs.get("thinking_n_ignore_str")
    return Budget(
        tokens,
        _integer(kwargs, "thinking_n_ignore", 0),
        ignore_str=None if ignore is None else str(ignore),
        min_thinking_tokens=_integer(kwargs, "min_tokens_thinking", 0),
        compat=compat,
    )


def _sampling(kwargs: Mapping[str, Any], max_gen_toks: int, num_samples: int) -> Sampling:
    """s1: the temperature is what is given, else 0, or 1 with do_sample."""
    default = 1.0 if _flag(kwargs.get("do_sample", False)) else 0.0
    return Sampling(
        temperature=_number(kwargs, "temperature", default),
        top_p=_number(kwargs, "top_p", 1.0),
        top_k=0
        if str(kwargs.get("top_k")) in ("-1", "-1.0")
        else _integer(kwargs, "top_k", 0),  # vLLM's word for all tokens
        min_p=_number(kwargs, "min_p", 0.0),
        presence_penalty=_number(kwargs, "presence_penalty", 0.0),
        frequency_penalty=_number(kwargs, "frequency_penalty", 0.0),
        repetition_penalty=_number(kwargs, "repetition_penalty", 1.0),
        num_samples=num_samples,
        max_answer_tokens=max_gen_toks,
        seed=_integer(kwargs, "seed_thinking", _integer(kwargs, "seed", 0)),
        thinking_temperature=_number(kwargs, "temperature_thinking", None),
        thinking_top_p=_number(kwargs, "top_p_thinking", None),
        answer_room_tokens=min(S1_ANSWER_ROOM, max_gen_toks),
    )


def _format(kwargs: Mapping[str, Any], thinking: ThinkingFormat, until: tuple[str, ...], compat: str) -> ThinkingFormat:
    end = str(kwargs.get("thinking_end", thinking.thinking_end))
    if "until_thinking" in kwargs or "until_thinking_2" in kwargs:
        stops = (*_strings(kwargs.get("until_thinking", thinking.stops)), *_strings(kwargs.get("until_thinking_2")))
    else:
        stops = thinking.stops
    if compat == "s1-fork":
        stops = (*stops, *until)  # the fork ends the thought at the task's own stops too
    stops = tuple(dict.fromkeys(stops))
    final = thinking.final_answer
    if compat == "readme":
        # Step-conditional control stops at "<|im_start|>0" only: an answer the model begins by itself would count as
        # thinking and be answered again. And "Final Answer:" is not said twice if thinking_end says it already.
        own = end.split("\n")[0]
        if own and not any(own.startswith(stop) for stop in stops):
            stops = (*stops, own)
        if end.endswith(final):
            final = ""
    return replace(
        thinking,
        name="gen_kwargs",
        thinking_start=str(kwargs.get("thinking_start", thinking.thinking_start)),
        thinking_end=end,
        final_answer=final,
        stops=stops,
    )


def _compat(value: str) -> Literal["readme", "s1-fork"]:
    if value == "readme":
        return "readme"
    if value == "s1-fork":
        return "s1-fork"
    raise unknown("compat", value, ("readme", "s1-fork"))


def _strings(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _flag(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).strip().lower() in ("true", "1", "yes")


def _integer(kwargs: Mapping[str, Any], name: str, default: int) -> int:
    value = kwargs.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or float(value) != number:
        also = " or auto" if name == "max_tokens_thinking" else ""
        raise UserError(f"gen_kwarg {name}={value!r} is not a count; give a whole number of 0 or more{also}")
    return number


def _number(kwargs: Mapping[str, Any], name: str, default: Any) -> Any:
    value = kwargs.get(name, default)
    try:
        return value if value is None else float(value)
    except (TypeError, ValueError):
        raise UserError(f"gen_kwarg {name}={value!r} is not a number") from None
