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

from harness.data.replies import ATTEMPTS, RESPONSES, THOUGHTS, are_turns, besides, content_of, is_empty, reply
from harness.data.s1_sets import question_in
from harness.data.schema import SCHEMA, BadRowError, Row, json_text, metadata_in, plain, row
from harness.data.traces import split_response, split_whole, without_wrapper
from harness.marks import holds_delimiter
from harness.messages import THOUGHT_FIELDS

# Names of one thing, the first that holds something is taken.
CHATS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns")
QUESTIONS = (
    "question",
    "problem",
    "query",
    "prompt",
    "instruction",
    "input",
    "user",
    "question_text",
    "problem_text",
    "problem_statement",
    "question_content",
    "task",
    "user_prompt",
    "human",
    "inputs",
)
MANY = ("generations", "responses", "completions", "outputs", "traces", "solutions", "samples")
GOLDS = (
    "answer",
    "gold",
    "ground_truth",
    "expected_answer",
    "reference_answer",
    "final_answer",
    "gold_answer",
    "ground_truth_answer",
    "correct_answer",
    "label",
    "gt",
)
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
CORRECT = (
    "correctness_math_verify",
    "attempt_correct",
    "correctness",
    "is_correct",
    "correct",
    "verified",
    "correctness_llama",
    "correctnesses",
)
FINISHES = ("finish", "finish_reason", "finish_reasons", "stop_reason")
USERS = ("user", "human", "prompter", "question", "instruction")
ASSISTANTS = ("assistant", "gpt", "model", "chatgpt", "bot", "bing", "answer", "ai")
TOOLS = ("tool", "function", "function_call", "observation", "ipython", "function-call", "tool_call", "tool_response")
GSM8K = re.compile(r"\n?#### ?([^\n]+)\s*\Z")
CUT = ("length", "max_tokens", "budget", "MAX_TOKENS")
TARGETS = (
    "question",
    "thinking",
    "attempt",
    "response",
    "responses",
    "answer",
    "solution",
    "id",
    "source",
    "domain",
    "messages",
    "system",
    "correct",
    "finish",
)
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
        self.last = ""

    def take(self, names: tuple[str, ...]) -> Any:
        """The first of `names` that holds something; None if none does."""
        for name in names:
            if name in THOUGHTS and self._is_switch(self.record.get(self.names.get(name, ""))):
                continue
            if name in self.names and name not in self.used and not is_empty(value := self.record[self.names[name]]):
                self.used.add(name)
                self.last = name
                return value
        return None

    def give_back(self) -> str:
        """Unuse what was taken last, since nothing could be read of it. Returns the record's own name of it."""
        self.used.discard(self.last)
        return self.names[self.last]

    @staticmethod
    def _is_switch(value: Any) -> bool:
        """Whether a thought's column says that there is one, or how long it is."""
        return isinstance(value, int | float) or str(value).strip().lower() in SWITCHES

    def name_of(self, names: tuple[str, ...]) -> str | None:
        """The record's own name of the first of `names` that holds something."""
        found = (
            self.names[name] for name in names if name in self.names and not is_empty(self.record[self.names[name]])
        )
        return next(found, None)

    def rest(self) -> dict[str, Any]:
        """What was not used."""
        return {own: self.record[own] for name, own in self.names.items() if name not in self.used}


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
    thinking, responses, untaken, unread, chat, prompt = "", [], "", "", None, ""
    trace_is_none = told.get("thinking") == NONE
    if (value := _chat_value(columns)) is not None:
        chat = read_chat(value)
        if chat.thinking or chat.response:
            responses, thinking = [chat.response], chat.thinking
    question = columns.take(QUESTIONS)
    if question is not None and not (chat and (chat.earlier or isinstance(question, list))):
        question = content_of(question).text
        if (asked := question_in(question)) != question:
            notes.append("whose prompt is the text of a chat, of which the last question is taken")
            prompt, question = question, asked
        if more := columns.take(("input",)):  # Alpaca
            question = f"{question}\n\n{content_of(more).text}"
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
    many, traces, fields = _many(columns), list[str](), list[dict[str, Any]]()
    gold = _gold(columns)
    if many and not thinking and not trace_is_none:
        replies = [reply(one) for one in record[many]]
        if any(one.text or one.thinking for one in replies):
            columns.used.add(many.strip().lower())
            responses, traces = [one.text for one in replies], [one.thinking for one in replies]
            fields = [besides(one) for one in record[many]]
        else:
            unread = many
    elif not responses and (found := columns.take((*ATTEMPTS, *RESPONSES) if thinking else (*RESPONSES, *ATTEMPTS))):
        if isinstance(found, list) and len(found) > 1 and all(isinstance(one, str) for one in found) and not thinking:
            responses = found  # k responses under the name of one
        else:
            read = reply(found)
            if read.text or read.thinking:
                thinking, responses = thinking or read.thinking, [read.text]
            else:
                unread = columns.give_back()
    if thinking and (whole := split_whole(thinking)).attempt and (not responses or responses == [whole.attempt]):
        thinking, responses = whole.thinking, [whole.attempt]  # a column that holds the whole response
    if thinking and not responses and (len(gold.split()) > MAX_GOLD_WORDS or _is_sentence(gold)):
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
    own = [{**lists, **beside} for lists, beside in zip(own, fields or [{}] * count, strict=True)]
    rest = columns.rest()
    kept = metadata_in(json_text(rest.pop("metadata", None)))
    told_of = {key: value for key, value in rest.items() if not is_empty(value) or value != value}
    kept |= {key: value for key, value in told_of.items() if key not in SCHEMA.names}
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
        metadata = {**kept, **about(own[number])}
        trace, attempt = without_wrapper(thinking), ""
        if responses:
            trace, attempt, state = _parted(traces[number] if traces else thinking, responses[number])
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
        untaken = _untaken(record, columns, any(responses), bool(solution)) or unread
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
    others = {str(name): value for name, value in record.items() if name != asked}
    texts = {name: value for name, value in others.items() if isinstance(value, str)}
    nested = {
        name: json.dumps(plain(value), ensure_ascii=False) for name, value in others.items() if _holds_more(value)
    }
    if marked := next((name for name, value in {**texts, **nested}.items() if holds_delimiter(value)), ""):
        return marked
    if has_response:
        return columns.name_of((*CHATS, *MANY, *RESPONSES, *ATTEMPTS, "prompt")) or "response"
    if has_solution:
        return columns.name_of((*SOLUTIONS, *GOLDS)) or "solution"
    return next((name for name, value in texts.items() if len(value) > 1000), "")


def _holds_more(value: Any) -> bool:
    return isinstance(value, list | Mapping) and not is_empty(value)


def _many(columns: Columns) -> str | None:
    """The column of several replies: by its name, or the choices of an API (those of a question are no messages)."""
    own = columns.name_of((*MANY, "choices"))
    choices = columns.name_of(("choices",))
    for name in (own, choices):
        value = columns.record.get(name) if name else None
        if isinstance(value, list) and (
            name != choices or all(isinstance(one, Mapping) and "message" in one for one in value)
        ):
            return name
    return None


def _is_sentence(gold: str) -> bool:
    r"""Whether a gold answer is words around a \boxed{}, not the box alone."""
    bare = gold.strip(" $.\n")
    return "\\boxed{" in bare and not (bare.startswith("\\boxed{") and bare.endswith("}") and len(bare.split()) <= 3)


def _chat_value(columns: Columns) -> list[Any] | None:
    """The turns of a record: a chat column, or a prompt of turns with its completion."""
    for name in CHATS:
        own = columns.names.get(name)
        if own is not None and not is_empty(columns.record[own]):
            columns.used.add(name)
            value = columns.record[own]
            if isinstance(value, str) and value.lstrip().startswith("["):
                with contextlib.suppress(ValueError, RecursionError):  # a database's export
                    value = json.loads(value)
            if not are_turns(value):
                raise BadRowError(f"'{own}' is no list of turns with a role and a content")
            return list(value)
    own = next((columns.names[name] for name in ("prompt", "input", "question") if name in columns.names), None)
    if own is None or not are_turns(columns.record[own]):
        return None
    turns = list(columns.record[own])
    columns.used.add(own.strip().lower())
    answer = columns.take(("completion", "response", "output", "chosen"))
    if are_turns(answer):
        turns = [*answer] if [*answer][: len(turns)] == turns else [*turns, *answer]
    elif answer is not None:
        turns.append({"role": "assistant", "content": answer})
    return turns


def read_chat(turns: list[Any]) -> Chat:
    """A chat as its last exchange. Raises `BadRowError` for a tool's turn, an unknown role or no question."""
    read: list[tuple[str, str, str]] = []  # role, thinking, text
    for turn in turns:
        role = str(turn.get("role") or turn.get("from") or "").strip().lower()
        spoken = content_of(next((turn[key] for key in ("content", "value", "text") if turn.get(key) is not None), ""))
        beside = content_of(next((turn[key] for key in THOUGHT_FIELDS if turn.get(key)), None))
        thinking, text = beside.text or beside.thinking or spoken.thinking, spoken.text
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


def _joined(value: Any) -> str:
    """Text, or parts of it behind each other."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    if isinstance(value, list) and all(isinstance(one, Mapping) and "type" not in one for one in value):
        return "\n".join(content_of(one).text for one in value)  # steps, not parts of one text
    read = content_of(value)
    return read.text or read.thinking


def _gold(columns: Columns) -> str:
    wishes = ("label",) if isinstance(columns.record.get(columns.names.get("label", "")), bool) else ()
    value = columns.take(tuple(name for name in GOLDS if name not in wishes))  # KTO's label is none
    reward = columns.record.get(columns.names.get("reward_model", ""))
    if value is None and isinstance(reward, Mapping):
        value = reward.get("ground_truth")  # verl's
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


def about(own: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of one response, under the names that the other steps read."""
    known = {name.strip().lower(): value for name, value in own.items()}
    kept = {name: value for name, value in own.items() if not is_empty(value)}
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
