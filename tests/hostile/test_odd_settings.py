"""What the user may give by mistake in files and options: one line, exit code 2, and no other study is shut out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.config import EngineConfig
from harness.errors import UserError
from harness.studies.load import parse
from tests.hostile.odd_values import BODIES
from tests.hostile.trial import harness

STUDY_FILES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a pipe": os.mkfifo,
    "a NUL": lambda path: path.write_bytes(b"x = 1\0\n"),
    "no UTF-8": lambda path: path.write_bytes(b"# \xff\n"),
    "brackets": lambda path: path.write_text("(" * 5000 + ")" * 5000),
    "signs": lambda path: path.write_text("-" * 100_000 + "1"),
    "dots": lambda path: path.write_text("x" + ".x" * 100_000),
}


@pytest.mark.parametrize("kind", STUDY_FILES)
def test_a_study_file_that_cannot_be_read_hides_no_other(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ablations").mkdir()
    STUDY_FILES[kind](tmp_path / "ablations" / "broken.py")
    monkeypatch.chdir(tmp_path)
    listed = harness("studies")
    assert listed.code == 0 and "quickstart" in listed.out
    assert "broken.py cannot be read: " in " ".join(listed.out.split())
    ended = harness("ablate", "quickstrat", "--dry-run")
    assert ended.refused_in_one_line and "'quickstart'" in ended.err


@pytest.mark.parametrize(
    "text", ["tasks: " + "[" * 3000 + "]" * 3000, "{a: " * 3000 + "1" + "}" * 3000], ids=["list", "keys"]
)
def test_a_file_of_options_that_is_nested_too_deeply_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    ended = harness("evaluate", "m", "--config", tmp_path / "c.yaml", "--dry-run")
    assert ended.refused_in_one_line and "nested too deeply" in ended.err


@pytest.mark.parametrize("text", ["-" * 100_000 + "1", "[" * 100_000, "9" * 5000, "1e999", "x" + ".x" * 100_000, "\0"])
def test_a_value_that_is_no_literal_is_a_text(text: str) -> None:
    assert str(parse(text)) in (text, "inf")


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body)[:9])
def test_fields_for_a_server_that_are_no_json_are_refused(body: str) -> None:
    with pytest.raises(UserError, match="no JSON object") as caught:
        EngineConfig(name="openai", base_url="http://127.0.0.1:1/v1", extra_body=body)
    assert len(str(caught.value)) < 300
