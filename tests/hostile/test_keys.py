"""A key goes to its own server alone, and stands in nothing that is printed or written."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chat_server import ChatServer, good
from tests.hostile.leaks import written
from tests.hostile.trial import Ended, harness

KEY, PASSWORD = "sk-nobody-may-see-this", "pass-word-of-a-proxy"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
Words = Callable[[str, Path], tuple[object, ...]]
COMMANDS: dict[str, Words] = {
    "judge": lambda url, work: (
        "grade", work / "rows.jsonl", "--judge", url, "--judge-model", "m", "--out", work / "out.jsonl",
    ),
    "teacher": lambda url, work: (
        "data", "featurize", work / "pool.jsonl", "--traces", "--base-url", url, "--model", "m", "--max-retries", 0,
        "--out", work / "out.parquet",
    ),
    "domains": lambda url, work: (
        "data", "featurize", work / "pool.jsonl", "--domains", "model", "--base-url", url, "--model", "m",
        "--max-retries", 0, "--out", work / "out.parquet",
    ),
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer()
    yield made
    made.close()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    row = {"gold": "\\int_0^1 x^x e^{x^{x}} dx", "answer": "42"}  # the rules leave it open
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    pool = [{"id": str(n), "source": "s", "question": f"{n}?", "answer": "1"} for n in range(2)]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pool))
    return tmp_path


def with_password(url: str) -> str:
    return url.replace("http://", f"http://me:{PASSWORD}@")


def run(command: str, server: ChatServer, work: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> Ended:
    """The command at a server that repeats every header; asserts that it was asked, and that no secret is left."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    ended = harness(*COMMANDS[command](with_password(server.url), work))
    assert server.headers, ended.err
    sent = server.headers[-1]["authorization"]
    assert sent == (f"Bearer {key}" if key else f"Basic {BASIC}")
    everything = ended.out + ended.err + written(work)
    for secret in (KEY, PASSWORD, BASIC):
        assert secret not in everything, everything[max(0, everything.index(secret) - 200) :][:500]
    return ended


@pytest.mark.parametrize("key", [KEY, ""], ids=["a key", "a password in the URL"])
@pytest.mark.parametrize("status", [401, 400, 500, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_repeats_the_key_has_it_masked(
    server: ChatServer, work: Path, command: str, status: int, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(question: str, number: int) -> tuple[int, dict[str, str], object]:
        said = f"your header: {server.headers[-1]['authorization']}"
        if status == 200:
            return good(question, content=f"yes 11 {said}", reasoning_content=said)
        return status, {}, {"error": {"message": said}}

    server.script = script
    ended = run(command, server, work, key, monkeypatch)
    assert ended.code == (2 if status == 401 else ended.code) and "Traceback" not in ended.err
    assert status != 401 or "***" in ended.err


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_key_never_follows_a_redirect_to_another_origin(
    server: ChatServer, work: Path, command: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = ChatServer()
    try:
        server.script = lambda question, number: (status, {"Location": f"{thief.url}/chat/completions"}, {})
        ended = run(command, server, work, KEY, monkeypatch)
        assert thief.headers == []
        assert ended.refused_in_one_line and thief.url in ended.err
        assert '"judge"' not in written(work)  # the thief's answer, or any
    finally:
        thief.close()
