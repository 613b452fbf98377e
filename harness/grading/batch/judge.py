"""An optional judge for what the rules leave open: any OpenAI-compatible chat endpoint. Off by default.

It sees two answers and is not told which one is the gold; its word is stored apart (`judge`, `judge_reply`) and never
changes `status` or `correct`. Errors stand on the row.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

OPEN_STATUSES = ("answer_unparseable", "answer_timeout", "undecided")
MAX_SHOWN_CHARS = 4_000  # of each answer
PROMPT = """Do these two final answers to the same question express the same value? Ignore notation, units that \
are left out and the form of a number. Reply with one word, yes or no.

First answer: {first}
Second answer: {second}"""


@dataclass(frozen=True)
class Judge:
    """Where to ask. `base_url` ends before `/chat/completions`; `api_key` goes into the Authorization header."""

    base_url: str
    model: str
    api_key: str = ""
    timeout_seconds: float = 60.0
    max_attempts: int = 3

    def ask(self, first: str, second: str) -> tuple[str, str]:
        """("same" | "different" | "unclear" | "error", the reply or the error)."""
        first, second = sorted((first[:MAX_SHOWN_CHARS], second[:MAX_SHOWN_CHARS]))  # the order must not tell the gold
        body = {
            "model": self.model,
            "temperature": 0,
            "max_tokens": 8,
            "messages": [{"role": "user", "content": PROMPT.format(first=first, second=second)}],
        }
        error = ""
        for attempt in range(self.max_attempts):
            if attempt:
                time.sleep(min(2.0**attempt, 10.0) / 4)
            try:
                reply = self._post(body)
            except (OSError, ValueError, KeyError, IndexError, TypeError) as problem:
                error = f"{type(problem).__name__}: {problem}"[:200]
                if isinstance(problem, urllib.error.HTTPError) and problem.code in (400, 401, 403, 404):
                    break
                continue
            word = reply.strip().strip(".!\"'*").lower()
            return {"yes": "same", "no": "different"}.get(word.split()[0] if word else "", "unclear"), reply
        return "error", error

    def _post(self, body: dict[str, Any]) -> str:
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        request = urllib.request.Request(
            self.base_url.rstrip("/") + "/chat/completions", json.dumps(body).encode(), headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:
            return str(json.load(response)["choices"][0]["message"]["content"])


def judge_rows(rows: Iterable[dict[str, Any]], judge: Judge) -> Iterator[dict[str, Any]]:
    """The graded rows; those that the rules left open gain `judge`, `judge_reply` and `judge_model`."""
    for row in rows:
        if row["status"] not in OPEN_STATUSES or not row.get("extracted"):
            yield row
            continue
        verdict, reply = judge.ask(str(row["extracted"]), str(row["gold"]))
        yield {**row, "judge": verdict, "judge_reply": reply, "judge_model": judge.model}
