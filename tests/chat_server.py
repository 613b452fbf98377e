"""A small OpenAI-compatible endpoint on this machine, which fails in every way that a test asks for."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ChatServer:
    """Answers each call by `script(question, number of the call for it)`: (status, headers, body)."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        self.script: Callable[[str, int], tuple[int, dict[str, str], Any]] = lambda question, _: good(question)
        self.seconds = 0.0
        self.models: list[dict[str, Any]] | None = [{"id": "m", "owned_by": "somebody"}]  # None: there is no list
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                question = body["messages"][-1]["content"]
                with lock:
                    server.asked[question] += 1
                    number = server.asked[question]
                    server.bodies.append(body)
                    server.headers.append({name.lower(): value for name, value in self.headers.items()})
                    server.times.append(time.monotonic())
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                time.sleep(server.seconds)
                status, headers, answer = server.script(question, number)
                with lock:
                    server.at_once -= 1
                if status == 0:  # hang up without an answer
                    self.close_connection = True
                    return
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                listed = self.path.endswith("/models") and server.models is not None
                data = json.dumps({"data": server.models} if listed else {"error": "no such page"}).encode()
                self.send_response(200 if listed else 404)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """A client that was killed is part of a test."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def good(question: str, **message: Any) -> tuple[int, dict[str, str], Any]:
    message = message or {"content": "4", "reasoning_content": f"Thinking of: {question}"}
    usage = {"prompt_tokens": 7, "completion_tokens": 11}
    return 200, {}, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
