"""Samples by chat calls: what is asked of a server, and the row that its reply becomes.

The thought is what the server keeps apart (`reasoning_content`, `reasoning`, parts of the content), or what stands
between a family's marks in the text. A reply that the server cut is a thought that was cut, or an answer that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from harness.chat_client import CallFailedError, ChatReply
from harness.config import Budget, EngineConfig, Sampling
from harness.errors import UserError
from harness.generation.engines.chat import ChatEngine
from harness.generation.instructions import instruct
from harness.generation.rules import derive_seed
from harness.generation.samples import OnGeneration
from harness.generation.templates.template import turns_of
from harness.marks import own_marks, split, without_turn_end
from harness.records import Generation, Problem, ToldTokens
from harness.thinking import FORMATS, ThinkingFormat

# The format of a model of which nobody told: a thought in the text is found by the marks of any family.
UNTOLD = replace(FORMATS["think"], name="as the server shows it")
STOPPED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})  # finish reasons, by server
CUT = frozenset({"length", "max_tokens", "model_length"})
INSTEAD = (
    "use --method completion_cap (the server's limit on the whole reply), --method token_conditional --instructed N, "
    'or --set \'engine.extra_body={"reasoning_effort": "low"}\'; or a vLLM server without --api chat'
)


@dataclass(frozen=True)
class Call:
    """One sample: a problem (`problem_id` as its rows say it) under a budget."""

    problem_id: str
    problem: Problem
    budget: Budget
    sample_index: int


@dataclass(frozen=True)
class Parts:
    """A reply, cut where its thought ends. `preface`: what opened the thought; `open`: it was never ended."""

    preface: str
    thinking: str
    closing: str
    answer: str
    open: bool = False


def check(budgets: Iterable[Budget], sampling: Sampling, engine: EngineConfig) -> None:
    """Raise `UserError` for what a chat server cannot do, and for a cap by it where no chat server answers."""
    for budget in budgets:
        if not engine.chats and budget.method == "completion_cap":
            raise UserError(
                "completion_cap is what a chat server can do (--engine openai --api chat); elsewhere budget_forcing "
                "caps the thought exactly"
            )
        if engine.chats and (what := _needs_ids(budget)):
            raise UserError(f"--api chat: {what}, and a chat server takes no prefix and gives no token ids; {INSTEAD}")
        if budget.method == "completion_cap" and budget.max_thinking_tokens == 0:
            raise UserError("completion_cap: a reply of 0 tokens is none; give 1 or more, or auto for no cap")
    if engine.chats:
        for name, given, why in (
            ("answer_logprobs", sampling.answer_logprobs, "are by token id"),
            ("logit_bias", bool(sampling.logit_bias), "is by token id"),
            ("thinking_temperature", sampling.thinking_temperature is not None, "is another than the call's one"),
            ("thinking_top_p", sampling.thinking_top_p is not None, "is another than the call's one"),
        ):
            if given:
                raise UserError(
                    f"--api chat: sampling.{name} {why}; leave it out, or use a vLLM server without --api chat"
                )


def _needs_ids(budget: Budget) -> str:
    """What of `budget` needs prefixes or token ids; "" for nothing."""
    conditional = budget.method.endswith("_conditional")
    needs = {
        "budget_forcing": "budget forcing stops a thought and has the model go on from there",
        "rejection_sampling": "rejection sampling stops each attempt at its length",
        "rebase": "rebase goes on from steps of a thought",
        "no_thinking": "no thinking is a prompt that closes the thought",
    }
    if conditional and budget.force:
        return "--force stops a thought and has the model go on from there"
    if budget.method in needs:
        return needs[budget.method]
    plain = Budget(budget.max_thinking_tokens, method=budget.method, instructed=budget.instructed, force=budget.force)
    return (
        "" if budget.effective == plain.effective else "ignored, longer or softened ends steer a thought by its tokens"
    )


def samples(
    engine: ChatEngine,
    calls: Iterable[Call],
    sampling: Sampling,
    thinking: ThinkingFormat,
    on_generation: OnGeneration,
) -> None:
    """Ask for every call, and hand on its row as it comes. A call that fails is a row with its error.

    Raises:
        UserError: No call can succeed: wrong key, model or URL.
    """

    def asked() -> Iterator[tuple[tuple[Call, str], dict[str, Any]]]:
        ask = thinking.ask
        for call in calls:
            turns = turns_of(instruct(call.problem.question, call.budget), ask)
            cap = None if call.budget.max_thinking_tokens == "auto" else call.budget.max_thinking_tokens
            cap = cap if call.budget.method == "completion_cap" else None
            seed = derive_seed(sampling.seed, call.problem_id, call.sample_index, "chat")
            prompt = "\n\n".join(turn["content"] for turn in turns)
            yield (call, prompt), engine.body(turns, sampling, seed, cap, dict(ask.arguments))

    engine.run(asked(), partial(_row, engine, sampling, thinking, on_generation))


def _row(
    engine: ChatEngine,
    sampling: Sampling,
    thinking: ThinkingFormat,
    on_generation: OnGeneration,
    asked: tuple[Call, str],
    reply: ChatReply | CallFailedError,
) -> None:
    call, prompt = asked
    why = f"CallFailedError: {reply}" if isinstance(reply, CallFailedError) else unusable(reply)
    made = partial(
        Generation,
        problem_id=call.problem_id,
        budget=call.budget,
        sample_index=call.sample_index,
        seed=sampling.seed,
        prompt_ids=(),
        thinking_ids=(),
        closing_ids=(),
        answer_ids=(),
        forced_spans=(),
        budget_tokens=0 if call.budget.max_thinking_tokens == "auto" else call.budget.max_thinking_tokens,
        forced_end=False,
        looping=None,
    )
    if isinstance(reply, CallFailedError) or why:
        on_generation(
            made(
                prompt=prompt,
                thinking="",
                closing="",
                answer="",
                num_rounds=0,
                thinking_finish="error",
                answer_finish="error",
                error=why,
                told_tokens=ToldTokens(0, 0, 0),
            )
        )
        return
    found, cut = parts_of(reply, thinking), reply.finish in CUT
    answer = found.answer
    for string in sampling.stop:
        answer = answer.split(string)[0]
    finish = "length" if found.open else "stop" if found.thinking else "none"
    on_generation(
        made(
            prompt=prompt + found.preface,
            thinking=found.thinking,
            closing=found.closing,
            answer=answer,
            num_rounds=int(bool(found.thinking)),
            thinking_finish=finish,
            answer_finish="length" if found.open or (cut and answer == found.answer) else "stop",
            told_tokens=told_tokens(reply, found, engine.tokenizer),
        )
    )


def unusable(reply: ChatReply) -> str:
    """Why a reply is no answer of the model; "" where it is one."""
    if reply.finish not in STOPPED | CUT:
        return f"the server ended the reply by itself (finish_reason {reply.finish})"
    if not reply.text and not reply.thinking and not reply.output_tokens:
        return f"the server answered nothing (finish_reason {reply.finish})"
    return ""


def parts_of(reply: ChatReply, thinking: ThinkingFormat) -> Parts:
    """Where the thought of a reply ends, and whether it does.

    A thought that the server keeps apart is over where there is an answer. A cut reply without any mark is a cut
    thought where the format of the model is told, and where the server counts a thought that it does not show.
    """
    cut = reply.finish in CUT
    if reply.thinking:
        return Parts("", reply.thinking, "", reply.text, open=cut and not reply.text)
    told = thinking.name != UNTOLD.name
    marks = own_marks([(thinking.thinking_start, thinking.stops[0])]) if told else ()
    found = split(reply.text, marks=marks)
    if found.state != "none":
        return Parts(
            found.preface, found.thinking, found.closing, without_turn_end(found.answer), open=found.state == "open"
        )
    if cut and told:
        return Parts("", reply.text, "", "", open=True)
    hidden = bool(reply.reasoning_tokens) and not reply.text
    return Parts("", "", "", reply.text, open=cut and hidden)


def told_tokens(reply: ChatReply, parts: Parts, tokenizer: Any = None) -> ToldTokens:
    """The server's counts, by thought and answer where it tells, or where the model's own tokenizer can."""
    prompt, total = reply.input_tokens or None, reply.output_tokens or None
    thinking = reply.reasoning_tokens
    if thinking is not None and (not thinking and parts.thinking):
        thinking = None  # a server that shows a thought and counts none does not count them
    if thinking is None and not parts.thinking:
        thinking = 0
    if thinking is None and not parts.answer:
        thinking = total
    if thinking is None and tokenizer is not None:
        thinking = len(tokenizer.encode(parts.thinking, add_special_tokens=False))
        thinking = thinking if total is None else min(thinking, total)
    return ToldTokens(prompt, thinking, None if total is None or thinking is None else max(0, total - thinking))


__all__ = ["UNTOLD", "Call", "Parts", "check", "parts_of", "samples", "told_tokens", "unusable"]
