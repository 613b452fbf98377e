"""An optional judge for what the rules leave open: any OpenAI-compatible chat endpoint. Off by default.

It sees two answers and is not told which one is the gold. Its answer goes to separate columns (`judge`, `judge_reply`)
and never changes `status` or `correct`. A call that fails is recorded on its row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.chat_client import CallFailedError, ChatClient, Server, chat_body, chat_reply

OPEN_STATUSES = ("answer_unparseable", "answer_timeout", "undecided")
MAX_SHOWN_CHARS = 4_000  # of each answer
PROMPT = """Do these two final answers to the same question express the same value? Ignore notation, units that \
are left out and the form of a number. Reply with one word, yes or no.

First answer: {first}
Second answer: {second}"""


@dataclass(frozen=True)
class Judge:
    """Where to ask. `base_url` ends before `/chat/completions`; without an `api_key`, no key is sent."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 60.0
    max_attempts: int = 3

    def client(self) -> ChatClient:
        """A client of the judge's server, to be closed by the caller.

        Raises:
            UserError: the base URL is none, or the key cannot be sent.
        """
        server = Server(
            self.base_url,
            timeout_seconds=self.timeout_seconds,
            max_retries=self.max_attempts - 1,
            first_wait_seconds=0.5,
        )
        return ChatClient(server, api_key=self.api_key)

    def ask(self, first: str, second: str, client: ChatClient | None = None) -> tuple[str, str]:
        """Whether two answers express the same value, in the judge's opinion.

        Args:
            first: an answer; its place tells the judge nothing, as the two are sorted.
            second: the other answer.
            client: one of `client()`, for many questions; None: one is opened for this question.

        Returns:
            ("same" | "different" | "unclear" | "error", the reply or the error).

        Raises:
            UserError: no question can succeed: wrong key, model or URL.
        """
        first, second = sorted(map(_shown, (first, second)))  # the order must not tell which is the gold
        turns = [{"role": "user", "content": PROMPT.format(first=first, second=second)}]
        body = chat_body(self.model, turns, temperature=0, max_tokens=8)
        with self.client() if client is None else contextlib.nullcontext(client) as opened:
            try:
                reply = opened.call("/chat/completions", body, chat_reply).value.text
            except CallFailedError as error:
                return "error", str(error)[:200]
        word = reply.strip(".!\"'* ").lower()
        return {"yes": "same", "no": "different"}.get(word.split()[0] if word else "", "unclear"), reply


def _shown(answer: str) -> str:
    """An answer as it is sent: cut at `MAX_SHOWN_CHARS`, and without lone surrogates, which UTF-8 cannot hold."""
    return answer[:MAX_SHOWN_CHARS].encode(errors="replace").decode()


def judge_rows(rows: Iterable[dict[str, Any]], judge: Judge) -> Iterator[dict[str, Any]]:
    """The graded rows; those that the rules left open gain `judge`, `judge_reply` and `judge_model`.

    Raises:
        UserError: no question can succeed: wrong key, model or URL.
    """
    with judge.client() as client:
        for row in rows:
            if row["status"] not in OPEN_STATUSES or not row.get("extracted"):
                yield row
                continue
            verdict, reply = judge.ask(str(row["extracted"]), str(row["gold"]), client)
            yield {**row, "judge": verdict, "judge_reply": reply, "judge_model": judge.model}
