"""A key goes to its own server alone, and stands in nothing that is printed or written."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.chat_client import masked_url
from tests.chat_server import ChatServer, good
from tests.hostile.leaks import written
from tests.hostile.trial import Ended, harness

KEY, PASSWORD = "sk-nobody-may-see-this", "pass-word-of-a-proxy"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
Words = Callable[[str, Path], tuple[object, ...]]
COMMANDS: dict[str, Words] = {
    "judge": lambda url, work: (
        "grade",
        work / "rows.jsonl",
        "--judge",
        url,
        "--judge-model",
        "m",
        "--out",
        work / "out.jsonl",
    ),
    "teacher": lambda url, work: (
        "data",
        "featurize",
        work / "pool.jsonl",
        "--traces",
        "--base-url",
        url,
        "--model",
        "m",
        "--max-retries",
        0,
        "--out",
        work / "out.parquet",
    ),
    "domains": lambda url, work: (
        "data",
        "featurize",
        work / "pool.jsonl",
        "--domains",
        "model",
        "--base-url",
        url,
        "--model",
        "m",
        "--max-retries",
        0,
        "--out",
        work / "out.parquet",
    ),
}


@pytest.fixture
def work(tmp_path: Path, datasets_cache: None) -> Path:
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


ECHOES: dict[str, Callable[[str], tuple[int, bytes]]] = {  # how a reply may repeat what it was sent
    "cut within the key": lambda said: (400, json.dumps({"error": "x" * (292 - len("Bearer ")) + said}).encode()),
    "far behind": lambda said: (400, b" " * 1985 + said.encode() + b" " * 2000),
    "in escapes of a slash": lambda said: (200, json.dumps(good("q", content=said)[2]).replace("/", "\\/").encode()),
    "in escapes of letters": lambda said: (
        200,
        json.dumps(good("q", content=said)[2]).replace("e", "\\u0065").encode(),
    ),
    "as a name": lambda said: (200, json.dumps(good("q", content="a")[2] | {said: said}).encode()),
}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("command", ["judge", "teacher"])
def test_a_key_is_masked_however_a_reply_repeats_it(
    server: ChatServer, work: Path, command: str, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-nobody/may/see/these/letters"

    def script(question: str, number: int) -> tuple[int, dict[str, str], bytes]:
        status, body = ECHOES[echo](server.headers[-1]["authorization"])
        return status, {}, body

    server.script = script
    monkeypatch.setenv("OPENAI_API_KEY", key)
    ended = harness(*COMMANDS[command](server.url, work))
    everything = ended.out + ended.err + written(work)
    assert server.headers and not any(key[at : at + 6] in everything for at in range(len(key) - 5))


@pytest.mark.parametrize(
    "url",
    [
        "http://me:{}/x@host/v1",
        "http://me:{}?x@host/v1",
        "http://me:{}#x@host/v1",
        "http://me:{}@host:port/v1",
        "http://me:x/{}@host/v1",
        "http://me:{}@",
        "http:/me:{}@host/v1",
        "https//me:{}@host/v1",
        "me:{}@host/v1",
        "://me:{}@host",
    ],
)
@pytest.mark.parametrize("command", ["judge", "teacher"])
def test_a_password_in_what_is_no_url_is_not_shown(work: Path, command: str, url: str) -> None:
    ended = harness(*COMMANDS[command](url.format(PASSWORD), work))
    assert ended.refused_in_one_line and "no base URL" in ended.err and PASSWORD[:5] not in ended.out + ended.err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:secret@host:8000/v1?key=secret#secret", "http://host:8000/v1"),
        ("http://me@host", "http://host"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://host/v4/@cf/ai", "https://host/v4/@cf/ai"),
        ("https://host:80/v4/@cf/ai", "https://host:80/v4/@cf/ai"),
        ("http://me:secret@host/http://other/v1", "http://host/http://other/v1"),
    ],
)
def test_a_url_is_shown_as_it_is_but_for_its_secrets(url: str, shown: str) -> None:
    assert masked_url(url) == shown


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
