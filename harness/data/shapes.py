r"""Records of any common shape as pool rows: chats, prompt and completion, Alpaca, k generations, named columns.

What is looked for, by column names in any case:

* a chat (`messages`, `conversations`, a `prompt` of turns): the question is the last user's turn before the last
  assistant's, that turn is the response. The system turn and the turns before go into the metadata (`system`,
  `earlier_turns`); a chat with a tool's turn is no row.
* a question (`question`, `problem`, `prompt`, `instruction` with its `input`, ...), and a trace in a column of its own,
  or a response in which a family's marks part thought and answer (`harness.marks`).
* several responses to one question (`generations`, ...) are as many rows, `ID#1` on; lists of the same length are
  theirs (`correctness_math_verify` becomes `attempt_correct`).

What a record does not say stays empty, other columns go into the metadata. Columns with other names are told by
`--map thinking=COLUMN`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.data.s1_sets import question_in
from harness.data.schema import SCHEMA, BadRowError, Row, metadata_of, plain, row
from harness.data.traces import split_response, without_wrapper
from harness.marks import holds_delimiter
from harness.messages import THOUGHT_FIELDS, MessageText, content_text

# Names of one thing, the first that holds something is taken.
CHATS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns")
QUESTIONS = ("question", "problem", "query", "prompt", "instruction", "input", "user", "question_text", "problem_text",
             "problem_statement", "question_content", "task", "user_prompt", "human", "inputs")  # fmt: skip
THOUGHTS = ("thinking", "reasoning_content", "reasoning", "thinking_trajectory", "thinking_trajectories", "trace",
            "reasoning_trace", "deepseek_reasoning", "thought", "thoughts", "chain_of_thought", "complex_cot", "cot",
            "rationale", "think", "thinking_trace", "reasoning_steps", "thought_process", "model_reasoning",
            "long_cot", "longcot")  # fmt: skip
MANY = ("generations", "responses", "completions", "outputs", "traces", "solutions", "samples")
RESPONSES = ("response", "completion", "output", "chosen", "generation", "assistant", "generated_solution",
             "model_response", "model_output", "full_response", "generated_text", "r1_response", "text_response",
             "reply", "generated_answer", "deepseek_response", "llm_response", "target", "targets", "combined_text",
             "reannotated_assistant_content")  # fmt: skip
ATTEMPTS = ("attempt", "deepseek_solution", "final_response", "answer_text", "model_answer", "content")
GOLDS = ("answer", "gold", "ground_truth", "expected_answer", "reference_answer", "final_answer", "gold_answer",
         "ground_truth_answer", "correct_answer", "label", "gt")  # fmt: skip
SOLUTIONS = (
    "solution",
    "ground_truth_solution",
    "reference_solution",
    "gold_solution",
    "gold_standard_solution",
    "explanation",
)
IDS = ("id", "uuid", "uid", "problem_id", "question_id", "unique_id", "_id", "qid", "sample_id")
SOURCES = ("source", "data_source", "dataset", "dataset_name", "origin", "source_type")
DOMAINS = ("domain", "subject", "problem_type", "category", "topic", "field")
SYSTEMS = ("system", "system_prompt", "system_message")
EARLIER = ("history", "earlier_turns")
CORRECT = ("correctness_math_verify", "attempt_correct", "correctness", "is_correct", "correct", "verified",
           "correctness_llama", "correctnesses")  # fmt: skip
FINISHES = ("finish", "finish_reason", "finish_reasons", "stop_reason")
USERS = ("user", "human", "prompter", "question", "instruction")
ASSISTANTS = ("assistant", "gpt", "model", "chatgpt", "bot", "bing", "answer", "ai")
TOOLS = ("tool", "function", "function_call", "observation", "ipython", "function-call", "tool_call", "tool_response")
GSM8K = re.compile(r"\n?#### ?([^\n]+)\s*\Z")
CUT = ("length", "max_tokens", "budget", "MAX_TOKENS")
TARGETS = ("question", "thinking", "attempt", "response", "responses", "answer", "solution", "id", "source", "domain",
           "messages", "system", "correct", "finish")  # fmt: skip
MAX_GOLD_WORDS = 30  # a longer text beside a trace is the answer that follows it, no gold
NONE = "none"
SWITCHES = ("on", "off", "yes", "no", "true", "false")  # says whether there is a thought, and is none


@dataclass
class Adapted:
    """The rows of one record, what is to be counted aloud, and a column that may hold a trace that was not taken."""

    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    untaken: str = ""


@dataclass
class Chat:
    """One chat, as its last question and its last response."""

    question: str
    system: str = ""
    earlier: list[dict[str, str]] = field(default_factory=list)
    thinking: str = ""
    response: str = ""


def question_id(question: str, salt: str = "") -> str:
    """An id for a source that has none: 16 hex digits from the question (and `salt`: the trace, the set's name)."""
    return hashlib.sha256(f"{salt}\0{question}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Columns:
    """A record's columns by lower-cased name; which of them were used."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.names: dict[str, str] = {}
        for name in record:
            self.names.setdefault(re.sub(r"[\s\-]+", "_", str(name).strip().lower()), name)
        self.used: set[str] = set()

    def take(self, names: tuple[str, ...]) -> Any:
        """The first of `names` that holds something; None if none does."""
        for name in names:
            if name in THOUGHTS and str(self.record.get(self.names.get(name, ""))).strip().lower() in SWITCHES:
                continue
            if name in self.names and name not in self.used and not _empty(value := self.record[self.names[name]]):
                self.used.add(name)
                return value
        return None

    def name_of(self, names: tuple[str, ...]) -> str | None:
        """The record's own name of the first of `names` that holds something."""
        found = (self.names[name] for name in names if name in self.names and not _empty(self.record[self.names[name]]))
        return next(found, None)

    def rest(self) -> dict[str, Any]:
        """What was not used."""
        return {own: self.record[own] for name, own in self.names.items() if name not in self.used}


def _empty(value: Any) -> bool:
    return (
        value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip()) or value != value
    )


def mapped(record: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """`record` with the columns that `mapping` names (target -> column, `a.b` inside nested ones) under their target.

    Raises:
        BadRowError: the record has no such column.
    """
    new = dict(record)
    for target, source in mapping.items():
        if source == NONE:
            continue
        value: Any = record
        for step in [source] if source in record else source.split("."):
            if isinstance(value, Mapping) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.lstrip("-").isdigit() and -len(value) <= int(step) < len(value):
                value = value[int(step)]
            else:
                have = ", ".join(sorted(map(str, record)))
                raise BadRowError(f"no column '{source}' for {target}; columns {have}")
        new.pop(source, None)
        new[target] = value
    for target in mapping:
        if mapping[target] == NONE:
            for name in [one for one in new if str(one).strip().lower() in _same(target)]:
                del new[name]
    return new


def _same(target: str) -> tuple[str, ...]:
    return {"thinking": THOUGHTS, "answer": GOLDS, "solution": SOLUTIONS, "response": RESPONSES}.get(target, (target,))


def from_shape(record: Mapping[str, Any], name: str, told: Mapping[str, str]) -> Adapted:
    """One record of any shape above. `told`: the `--map` that was applied to it. Raises `BadRowError`."""
    columns, notes = Columns(record), list[str]()
    thinking, responses, untaken, chat, prompt = "", [], "", None, ""
    trace_is_none = told.get("thinking") == NONE
    if (value := _chat_value(columns)) is not None:
        chat = read_chat(value)
        if chat.thinking or chat.response:
            responses, thinking = [chat.response], chat.thinking
    question = columns.take(QUESTIONS)
    if question is not None and not (chat and (chat.earlier or isinstance(question, list))):
        question = _said(question).text
        if (asked := question_in(question)) != question:
            notes.append("whose prompt is the text of a chat, of which the last question is taken")
            prompt, question = question, asked
        if more := columns.take(("input",)):  # Alpaca
            question = f"{question}\n\n{_said(more).text}"
    else:
        question = chat.question if chat else ""
    if not question.strip():
        if isinstance(columns.record.get("text"), str):
            raise BadRowError("no question")
        have = ", ".join(sorted(map(str, record))) or "(none)"
        raise BadRowError(
            f"no known shape: columns {have}; a pool row has at least a question, and a trace to train on: say which "
            "columns they are, --map question=COLUMN --map thinking=COLUMN"
        )
    if not trace_is_none and not thinking:
        thinking = _joined(columns.take(THOUGHTS))
    many = None if trace_is_none else columns.name_of(MANY)
    gold = _gold(columns)
    if many is not None and isinstance(record[many], list) and not thinking:
        columns.used.add(many.strip().lower())
        responses = [_said(one).text for one in record[many]]
    elif not responses and (found := columns.take((*ATTEMPTS, *RESPONSES) if thinking else (*RESPONSES, *ATTEMPTS))):
        if isinstance(found, list) and len(found) > 1 and all(isinstance(one, str) for one in found) and not thinking:
            responses = found  # k responses under the name of one
        else:
            said = _said(found)
            thinking, responses = thinking or said.thinking, [said.text]
    if thinking and not responses and (len(gold.split()) > MAX_GOLD_WORDS or "\\boxed{" in gold):
        responses, gold = [gold], ""  # what follows the thought is a whole answer, whatever its column is called
    may_hold = not responses and not thinking and not trace_is_none
    if may_hold and split_response(gold).state != "none":  # a gold column that holds the whole response
        responses, gold = [gold], ""
    solution = _joined(columns.take(SOLUTIONS))
    if not responses and not thinking and not trace_is_none and split_response(solution).state != "none":
        responses, solution = [solution], ""
    if (stated := GSM8K.search(gold)) and "\n" in gold:
        solution, gold = solution or gold[: stated.start()].strip(), stated[1].strip()
    base = {
        "question": question,
        "solution": solution,
        "answer": gold,
        "source": _joined(columns.take(SOURCES)),
        "domain": _joined(columns.take(DOMAINS)),
    }
    given_id = columns.take(IDS)
    system = (chat.system if chat else "") or _joined(columns.take(SYSTEMS))
    earlier = (chat.earlier if chat else []) or columns.take(EARLIER)
    count = max(1, len(responses))
    own = [_own(columns, count, number) for number in range(count)]
    columns.used |= {one.strip().lower() for lists in own for one in lists}
    rest = columns.rest()
    kept = {**metadata_of({"metadata": rest.pop("metadata", None)})} if _is_object(rest.get("metadata")) else {}
    kept |= {key: value for key, value in rest.items() if not _empty(value) and key not in SCHEMA.names}
    typed = {key: value for key, value in rest.items() if key in SCHEMA.names and key not in base}
    if system:
        kept["system"] = system
        notes.append("with a system turn, kept in the metadata: the study's own prompt is trained")
    if prompt:
        kept["prompt"] = prompt
    if earlier:
        kept["earlier_turns"] = earlier
        notes.append("with several turns, of which the last question and its response are taken")
    rows = []
    for number in range(count):
        metadata = {**kept, **_about(own[number])}
        trace, attempt = thinking, ""
        if responses:
            trace, attempt, state = _parted(thinking, responses[number])
            if state == "open":
                metadata["finish"] = "length"
        if metadata.get("finish") in CUT:
            notes.append("whose trace is cut before its answer")
        if trace_is_none:
            trace, attempt = "", ""
        row_id = "" if given_id is None else str(given_id)
        row_id = row_id or question_id(question, trace if count == 1 else name)
        rows.append(
            row(
                {
                    **typed,
                    **base,
                    "id": row_id if count == 1 else f"{row_id}#{number + 1}",
                    "thinking": trace,
                    "attempt": attempt,
                    "metadata": plain(metadata),
                }
            )
        )
    if not trace_is_none and not any(one["thinking"].strip() for one in rows):
        untaken = _untaken(record, columns, any(responses), bool(solution))
    return Adapted(rows, notes, untaken)


def _parted(thinking: str, response: str) -> tuple[str, str, str]:
    """(trace, attempt, state) of a response whose trace may stand in a column of its own."""
    if thinking:
        found = split_response(response)
        return without_wrapper(thinking), found.attempt if found.state == "closed" else response.strip(), "closed"
    found = split_response(response)
    return found.thinking, found.attempt, found.state


def _untaken(record: Mapping[str, Any], columns: Columns, has_response: bool, has_solution: bool) -> str:
    """The column that may hold the trace of a record in which none was found: one with a thought's marks before all."""
    asked = columns.name_of(QUESTIONS)
    texts = {name: value for name, value in record.items() if isinstance(value, str) and name != asked}
    if marked := next((str(name) for name, value in texts.items() if holds_delimiter(value)), ""):
        return marked
    if has_response:
        return columns.name_of((*CHATS, *MANY, *RESPONSES, *ATTEMPTS, "prompt")) or "response"
    if has_solution:
        return columns.name_of((*SOLUTIONS, *GOLDS)) or "solution"
    return next((str(name) for name, value in texts.items() if len(value) > 1000), "")


def _chat_value(columns: Columns) -> list[Any] | None:
    """The turns of a record: a chat column, or a prompt of turns with its completion."""
    for name in CHATS:
        own = columns.names.get(name)
        if own is not None and not _empty(columns.record[own]):
            columns.used.add(name)
            value = columns.record[own]
            if isinstance(value, str) and value.lstrip().startswith("["):
                with contextlib.suppress(ValueError, RecursionError):  # a database's export
                    value = json.loads(value)
            if not _turns(value):
                raise BadRowError(f"'{own}' is no list of turns with a role and a content")
            return list(value)
    own = next((columns.names[name] for name in ("prompt", "input", "question") if name in columns.names), None)
    if own is None or not _turns(columns.record[own]):
        return None
    turns = list(columns.record[own])
    columns.used.add(own.strip().lower())
    answer = columns.take(("completion", "response", "output", "chosen"))
    if _turns(answer):
        turns = [*answer] if [*answer][: len(turns)] == turns else [*turns, *answer]
    elif answer is not None:
        turns.append({"role": "assistant", "content": answer})
    return turns


def _turns(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(t, Mapping) and {"role", "from"} & set(t) for t in value)
    )


def read_chat(turns: list[Any]) -> Chat:
    """A chat as its last exchange. Raises `BadRowError` for a tool's turn, an unknown role or no question."""
    read: list[tuple[str, str, str]] = []  # role, thinking, text
    for turn in turns:
        role = str(turn.get("role") or turn.get("from") or "").strip().lower()
        said = _said(next((turn[key] for key in ("content", "value", "text") if turn.get(key) is not None), ""))
        beside = _said(next((turn[key] for key in THOUGHT_FIELDS if turn.get(key)), None))
        thinking, text = beside.text or beside.thinking or said.thinking, said.text
        if role in TOOLS or turn.get("tool_calls"):
            raise BadRowError(f"a chat with a turn of a tool ('{role}'): not a question and its answer")
        if role in ("system", "developer"):
            kind = "system"
        elif role in USERS:
            kind = "user"
        elif role in ASSISTANTS:
            kind = "assistant"
        else:
            raise BadRowError(f"a chat with the role '{role}'; user, assistant and system are read")
        read.append((kind, thinking, text))
    system = "\n\n".join(text for kind, _, text in read if kind == "system" and text.strip())
    talk = [one for one in read if one[0] != "system"]
    last = max((i for i, (kind, *_) in enumerate(talk) if kind == "assistant"), default=None)
    before = talk if last is None else talk[:last]
    asked = max((i for i, (kind, *_) in enumerate(before) if kind == "user"), default=None)
    if asked is None:
        raise BadRowError("a chat without a user's turn before its answer")
    earlier = [{"role": kind, "content": text} for kind, _, text in before[:asked]]
    thinking, response = ("", "") if last is None else talk[last][1:]
    return Chat(before[asked][2], system, earlier, thinking, response)


def _said(content: Any) -> MessageText:
    """The text of a turn's content. Raises `BadRowError` for what holds more than text, such as an image."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        return MessageText(text=str(content))
    if _turns(content):
        return _said(next((turn.get("content", turn.get("value")) for turn in reversed(content)), None))
    try:
        found = content_text(content)
    except TypeError as error:
        raise BadRowError(str(error)) from None
    if found.other:
        raise BadRowError(f"a content with a part of type '{found.other[0]}'; only text is read")
    return found


def _joined(value: Any) -> str:
    """Text, or parts of it behind each other."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    if isinstance(value, list) and all(isinstance(one, Mapping) and "type" not in one for one in value):
        return "\n".join(_said(one).text for one in value)  # steps, not parts of one text
    said = _said(value)
    return said.text or said.thinking


def _gold(columns: Columns) -> str:
    wishes = ("label",) if isinstance(columns.record.get(columns.names.get("label", "")), bool) else ()
    value = columns.take(tuple(name for name in GOLDS if name not in wishes))  # KTO's label is none
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, Mapping):  # {"value": "72"}, {"answer": "72"}
        value = next((value[key] for key in ("value", "answer", "text") if key in value), None)
    return _joined(value)


def _own(columns: Columns, count: int, number: int) -> dict[str, Any]:
    """The entries of one response among the lists that have as many entries as there are responses."""
    found = {}
    for name, own in columns.names.items():
        value = columns.record[own]
        if name in columns.used and name not in CORRECT:
            continue
        if isinstance(value, list) and len(value) == count and (count > 1 or name in (*CORRECT, *FINISHES)):
            found[own] = value[number]
        elif name in (*CORRECT, *FINISHES) and not isinstance(value, list):
            found[own] = value
    return found


def _about(own: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of one response, under the names that the other steps read."""
    known = {name.strip().lower(): value for name, value in own.items()}
    kept = {name: value for name, value in own.items() if not _empty(value)}
    correct = next((value for name in CORRECT if isinstance(value := _truth(known.get(name)), bool)), None)
    if correct is not None:
        kept["attempt_correct"] = correct
    finish = next((str(known[name]) for name in FINISHES if known.get(name)), None)
    if known.get("is_reasoning_complete") is False:
        finish = "length"
    if finish is not None:
        kept["finish"] = finish
    return kept


def _truth(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "yes": True, "correct": True, "false": False, "no": False, "incorrect": False}.get(
            value.strip().lower()
        )
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, str) and value.strip()[:1] in ("{", "["))
