"""Files are whole or not there; JSON lines are read alike by every command, each broken line with its number."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

import harness
from harness import tasks
from harness.analysis.logs.published import read_log
from harness.data.load import records
from harness.errors import UserError
from harness.files import json_line, read_json_lines, replacing, write_json, write_json_lines, write_text

GOOD = [{"id": "a", "text": "é 日本 \u2028 x"}, {"id": "b", "text": "lone \ud800"}, {"id": "c"}]
BROKEN = {
    b'{"cut": "of': "not JSON at column",
    b"[1, 2]": "a JSON list, not an object",
    b"\xff\xfe": "not UTF-8",
    b"[" * 100_000: "nested too deeply",
}


def content(ends: bytes = b"\n", first: bytes = b"") -> bytes:
    return first + ends.join(json_line(row).rstrip(b"\n") for row in GOOD) + ends


ENCODED = {
    "plain": content(),
    "CRLF": content(b"\r\n"),
    "a byte order mark": content(first=b"\xef\xbb\xbf"),
    "blank lines": content(b"\n\n   \n"),
    "no end of the last line": content().rstrip(b"\n"),
}


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("raw", ENCODED.values(), ids=ENCODED)
def test_rows_come_back_however_the_file_was_written(raw, gzipped, tmp_path):
    path = tmp_path / ("rows.jsonl.gz" if gzipped else "rows.jsonl")
    path.write_bytes(gzip.compress(raw) if gzipped else raw)
    assert [line.value for line in read_json_lines(path)] == GOOD
    assert not any(line.error for line in read_json_lines(path))


@pytest.mark.parametrize(("raw", "error"), BROKEN.items(), ids=BROKEN.values())
def test_a_broken_line_has_its_number_and_every_reader_says_the_same(raw, error, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"problem": "1+1", "answer": "2", "id": "x"}\n\n' + raw + b"\n")
    _, line = read_json_lines(path)
    assert line.number == 3 and error in line.error
    with pytest.raises(UserError, match=f"line 3: {re.escape(error)}"):
        tasks.read_local(tasks.Task("mine", "integer", local="rows.jsonl"), tmp_path)
    assert [(where, said) for where, _, _, said in records([path])][1] == ("rows.jsonl line 3", line.error)
    assert (3, line.error) in read_log(path).skipped


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*none.jsonl: No such file"):
        list(read_json_lines(tmp_path / "none.jsonl"))
    (tmp_path / "no.jsonl.gz").write_bytes(b"plain text")
    with pytest.raises(UserError, match=r"cannot read .*no.jsonl.gz"):
        list(read_json_lines(tmp_path / "no.jsonl.gz"))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(content())[:-9])
    with pytest.raises(UserError, match=r"cannot read .*cut.jsonl.gz"):
        list(read_json_lines(tmp_path / "cut.jsonl.gz"))


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "new" / "folder" / "rows.jsonl"
    assert write_json_lines(path, GOOD) == 3
    assert [line.value for line in read_json_lines(path)] == GOOD
    write_json(tmp_path / "one.json", GOOD[0])
    assert json.loads((tmp_path / "one.json").read_text()) == GOOD[0]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.txt"
    write_text(path, "old")

    def rows():
        yield GOOD[0]
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError):
        write_json_lines(path, rows())
    with pytest.raises(ValueError, match="half"), replacing(path) as partial:
        partial.write_text("ne")
        raise ValueError("half way")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_text(path, "old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old" and partial.parent == path.parent
    assert path.read_text() == "new"


def test_no_other_module_writes_or_renames_files_its_own_way():
    """`store._merge` renames what two writers hand on; the quickstart's training script writes a model."""
    found = []
    for path in sorted(Path(harness.__file__).parent.rglob("*.py")):
        name = path.relative_to(Path(harness.__file__).parent).as_posix()
        if name in ("files.py", "store.py", "quickstart/pretrain.py") or name.startswith(("grading/", "_bundled/")):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\.write_(text|bytes)\(|os\.replace|getpid\(\)\}\"|\.partial", line):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []
