"""`harness grade FILE.jsonl`: rows in and out, broken lines by number, agreement with the peers, a judge's columns."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import UserError
from harness.grading import grade_many
from harness.grading.batch.files import grade_file
from harness.grading.batch.judge import Judge, judge_rows

ROWS: list[Any] = [
    {"gold": "42", "response": "The answer is \\boxed{42}", "id": 7},
    {"gold": "\\frac12", "answer": "0.5"},
    {"gold": "B", "response": "Answer: (B)", "kind": "choice"},
    {"gold": "B", "response": "42 GeV", "kind": "choice", "choices": ["1 GeV", "42 GeV"]},
    {"gold": 5, "answer": 6},
    {"gold": "\\nosuchcommand{", "answer": "6"},
    {"gold": "5", "answer": "\ud800 5"},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(row) for row in ROWS]
    lines[3:3] = [
        "not json",
        json.dumps({"answer": "6"}),
        json.dumps({"gold": "1", "answer": "1", "kind": "maths"}),
        "",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def graded(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_keep_what_they_held_and_gain_the_verdict(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.jsonl"
    log = io.StringIO()
    summary = grade_file(file, out, log=log)
    rows = graded(out)
    assert [row["correct"] for row in rows] == [True, True, True, True, False, None, True]
    assert rows[0]["id"] == 7 and rows[0]["extracted"] == "42" and rows[0]["reason"]
    assert {"status", "extracted", "correct", "reason", "tier"} <= set(rows[0])
    assert summary.num_rows == 7 and summary.num_scored == 6 and summary.accuracy == pytest.approx(5 / 6)
    assert not list(out.parent.glob("*.partial"))


def test_broken_lines_are_named_by_number_and_unparseable_golds_are_reported(file: Path, tmp_path: Path) -> None:
    log = io.StringIO()
    grade_file(file, tmp_path / "out.jsonl", log=log)
    said = log.getvalue()
    assert "3 broken lines skipped" in said
    assert (
        "line 4: not JSON at column 1" in said
        and "line 5: no 'gold'" in said
        and "line 6: unknown kind 'maths'" in said
    )
    assert "1 rows whose gold answer cannot be parsed are excluded from accuracy" in said


def test_strict_switches_the_conventions_off(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"gold": "5", "answer": "5 \\text{ cm}"}) + "\n")
    assert grade_file(path, tmp_path / "a.jsonl", log=io.StringIO()).accuracy == 1
    assert grade_file(path, tmp_path / "b.jsonl", strict=True, log=io.StringIO()).accuracy == 0


@pytest.mark.parametrize("text", ["", "nothing\n", '{"answer": "5"}\n'])
def test_a_file_without_a_usable_row_is_the_users_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match="holds no row to grade"):
        grade_file(path, log=io.StringIO())


def test_a_missing_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        grade_file(tmp_path / "none.jsonl")


def test_grade_many_keeps_the_order_on_any_number_of_threads() -> None:
    rows = [{"gold": str(n), "answer": str(n + n % 2)} for n in range(100)]
    expected = [n % 2 == 0 for n in range(100)]
    assert [v.correct for v in grade_many(rows)] == expected
    assert [v.correct for v in grade_many(rows, workers=3)] == expected


def test_compare_lists_the_disagreements_with_each_peer(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("math_verify")
    pytest.importorskip("lm_eval")
    log = io.StringIO()
    grade_file(file, tmp_path / "out.jsonl", compare=True, log=log)
    rows = graded(tmp_path / "out.jsonl")
    assert set(rows[0]["peers"]) == {"string", "s1", "lm_eval", "math_verify"}
    assert rows[0]["peers"] == dict.fromkeys(rows[0]["peers"], True)
    assert rows[1]["peers"]["string"] is False and rows[1]["peers"]["math_verify"] is True
    assert "row 2: ours correct, against string, s1" in log.getvalue()


class _Chat(BaseHTTPRequestHandler):
    """A small OpenAI-compatible endpoint: says yes when both answers hold the same letters."""

    asked: list[dict[str, Any]] = []  # noqa: RUF012  shared with the test on purpose
    failures = 0
    status = 503  # of a failure

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append({"path": self.path, "body": body, "key": self.headers.get("Authorization")})
        if type(self).failures:
            type(self).failures -= 1
            self.send_error(type(self).status)
            return
        lines = body["messages"][0]["content"].splitlines()[-2:]
        first, second = (sorted(line.partition(":")[2].replace(" ", "")) for line in lines)
        reply = {"choices": [{"message": {"content": "Yes." if first == second else "No"}}]}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    _Chat.asked, _Chat.failures, _Chat.status = [], 0, 503
    server = HTTPServer(("127.0.0.1", 0), _Chat)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_the_judge_is_asked_only_about_open_rows_and_answers_in_separate_columns(endpoint: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [{"gold": "5", "answer": "6"}, {"gold": "x!!!", "answer": "5"}, {"gold": "7", "answer": "5!!!"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    judge = Judge(endpoint, "tiny", api_key="secret")
    grade_file(path, tmp_path / "out.jsonl", judge=judge, log=io.StringIO())
    rows = graded(tmp_path / "out.jsonl")
    assert [row.get("judge") for row in rows] == [None, None, "different"]
    assert rows[2]["status"] == "answer_unparseable" and rows[2]["correct"] is False
    assert rows[2]["judge_reply"] == "No" and rows[2]["judge_model"] == "tiny"
    assert [a["key"] for a in _Chat.asked] == ["Bearer secret"]
    assert _Chat.asked[0]["path"] == "/v1/chat/completions" and _Chat.asked[0]["body"]["temperature"] == 0


def test_the_command_line_names_a_judge_and_its_model_together(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"gold": "7", "answer": "5!!!"}) + "\n")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    arguments = ["grade", str(path), "--out", str(tmp_path / "out.jsonl"), "--judge", endpoint]
    alone = CliRunner().invoke(cli, arguments)
    assert isinstance(alone.exception, UserError) and "go together" in str(alone.exception)
    assert CliRunner().invoke(cli, [*arguments, "--judge-model", "tiny"]).exit_code == 0
    assert [row["judge"] for row in graded(tmp_path / "out.jsonl")] == ["different"]
    assert _Chat.asked[0]["key"] == "Bearer secret"


def test_the_judge_is_not_told_which_answer_is_the_gold(endpoint: str) -> None:
    judge = Judge(endpoint, "tiny")
    assert judge.ask("a b", "b a") == judge.ask("b a", "a b")
    assert _Chat.asked[0]["body"] == _Chat.asked[1]["body"]


def test_a_judge_that_fails_is_an_error_on_the_row(endpoint: str) -> None:
    row = {"gold": "7", "status": "answer_unparseable", "extracted": "7!!", "correct": False}
    _Chat.failures = 2
    assert next(judge_rows([row], Judge(endpoint, "tiny")))["judge"] == "different"  # the third attempt
    broken = next(judge_rows([row], Judge("http://127.0.0.1:9", "tiny", timeout_seconds=1, max_attempts=1)))
    assert broken["judge"] == "error" and broken["status"] == "answer_unparseable"


@pytest.mark.parametrize(("status", "advice"), [(401, "OPENAI_API_KEY"), (404, "check the model's name")])
def test_a_judge_with_a_wrong_key_or_model_is_the_users_error_and_the_graded_rows_are_written(
    status: int, advice: str, endpoint: str, tmp_path: Path
) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows = [{"gold": "5", "answer": "5"}, {"gold": "7", "answer": "5!!!"}, {"gold": "8", "answer": "5!!!"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _Chat.failures, _Chat.status = 9, status
    with pytest.raises(UserError, match=advice):
        grade_file(path, out, judge=Judge(endpoint, "tiny", api_key="secret"), log=io.StringIO())
    assert len(_Chat.asked) == 1
    assert [row["correct"] for row in graded(out)] == [True, False, False]


def test_a_judge_without_a_base_url_is_found_before_the_work(tmp_path: Path) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    path.write_text(json.dumps({"gold": "5", "answer": "5"}) + "\n")
    with pytest.raises(UserError, match="is no base URL"):
        grade_file(path, out, judge=Judge("localhost:8000", "tiny"), log=io.StringIO())
    assert not out.exists()


def test_an_answer_with_a_lone_surrogate_reaches_the_judge(endpoint: str) -> None:
    assert Judge(endpoint, "tiny").ask("\ud800 5", "5 \ud800")[0] == "same"
