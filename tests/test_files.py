"""Files are written whole or not at all, into what is no file instead of over it; odd lines are named, never fatal."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import files, tasks
from harness.analysis.logs.published import read_log
from harness.data.reading import records
from harness.errors import UserError

HARNESS = str(Path(files.__file__).parents[1])


def python(code: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`code` in a process of its own, with the harness of this checkout."""
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": HARNESS}, **options)


# ------------------------------------------------------------------------------------------------------ atomic writes


def test_a_block_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def interrupted() -> None:
        with files.atomic(path) as file:
            file.write(b"half")
            assert [p.suffix for p in tmp_path.iterdir() if p != path] == [files.PARTIAL]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_half_a_file_and_a_killed_writer_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    files.write_json_lines(path, [{"n": 0}] * 1000)
    code = f"""
from pathlib import Path
from harness import files
for n in range(1, 10**9):
    files.write_json_lines(Path({str(path)!r}), [{{"n": n}}] * 1000)
"""
    writer = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": HARNESS})
    seen: set[int] = set()
    deadline = time.monotonic() + 30
    while len(seen) < 5 and time.monotonic() < deadline:
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert len(rows) == 1000 and len({row["n"] for row in rows}) == 1
        seen.add(rows[0]["n"])
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(seen) == 5 and len(path.read_bytes().splitlines()) == 1000


def test_a_symbolic_link_stays_one_and_its_target_is_replaced_with_its_permissions(tmp_path: Path) -> None:
    real, link = tmp_path / "elsewhere" / "real.json", tmp_path / "link.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o640)
    link.symlink_to(real)
    files.write_json(link, {"new": True})
    assert link.is_symlink() and json.loads(real.read_text()) == {"new": True}
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "not" / "yet.txt")
    files.write_text(dangling, "x")
    assert dangling.is_symlink() and (tmp_path / "not" / "yet.txt").read_text() == "x"


def test_a_fifo_is_written_into_and_stays_one(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    table = pa.table({"a": [1, 2, 3]})
    with files.atomic(fifo) as file:  # Parquet asks where it is in the file, which a FIFO cannot tell
        pq.write_table(table, file)
    reader.join(10)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert pq.read_table(io.BytesIO(got[0])).equals(table)
    assert [p.name for p in tmp_path.iterdir()] == ["fifo"]


@pytest.mark.parametrize("device", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_through_also_when_it_is_a_file_that_a_shell_appends_to(
    tmp_path: Path, device: Any
) -> None:
    assert files._regular(Path(device)) is None  # else what follows would replace the machine's own
    code = "from pathlib import Path; from harness import files; print('before')\n"
    code += f"files.write_text(Path({device!r}), 'text\\n'); print('after')"
    assert python(code, capture_output=True).stdout == b"before\ntext\nafter\n"
    log = tmp_path / "log"
    log.write_text("earlier\n")
    with log.open("ab") as out:
        python(code, stdout=out, check=True)
    assert log.read_text() == "earlier\nbefore\ntext\nafter\n" and list(tmp_path.iterdir()) == [log]


def device(folder: Path, name: str, minor: int) -> Path:
    """A device of this test alone: code that is wrong would replace the machine's own, as root."""
    try:
        os.mknod(folder / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
    except PermissionError:  # not root, who alone could do harm
        return Path("/dev") / name
    return folder / name


def test_the_null_device_stays_a_device(tmp_path: Path) -> None:
    null = device(tmp_path, "null", 3)
    files.write_text(null, "x")
    files.write_together({null: "x"})
    assert stat.S_ISCHR(null.stat().st_mode)


def test_a_device_that_is_full_and_a_folder_are_errors_that_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="free some space"):
        files.write_text(device(tmp_path, "full", 7), "x")
    with pytest.raises(IsADirectoryError) as folder:
        files.write_text(tmp_path, "x")
    assert folder.value.filename == str(tmp_path)
    with pytest.raises(IsADirectoryError):
        files.write_together({tmp_path: "x"})
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        files.write_text(tmp_path / "file" / "below", "x")


def test_a_disk_that_fills_up_leaves_every_old_file_of_several(small_disk: Path) -> None:
    old = {small_disk / name: name for name in ("a.md", "b.html")}
    files.write_together(old)
    with pytest.raises(OSError, match="free some space and run again") as error:
        files.write_together({small_disk / "a.md": "new", small_disk / "b.html": b"x" * 2**21})
    assert error.value.filename == str(small_disk / "b.html")
    assert {path: path.read_text() for path in small_disk.iterdir()} == old


def test_a_long_name_has_room_for_its_unfinished_file(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127)  # 254 bytes; a file system takes 255
    files.write_text(path, "x")
    assert path.read_text() == "x"


# ----------------------------------------------------------------------------------------------------------- JSON lines


GOOD = [
    {"text": "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg", "n": 1},  # str.splitlines would cut at each of these
    {"text": "漢字 😀 \ud83d", "big": 10**30},
    {"text": "\\ud800 in words", "nested": [[[{}]]], "float": 1e308},
]
ODD = {
    b"{not json": "not JSON",
    b'{"cut": "in the mid': "not JSON",
    b"[1, 2]": "a JSON list, not an object",
    b"null": "a JSON NoneType, not an object",
    b'{"a": NaN}': "NaN is no JSON number",
    b'{"a": -Infinity}': "-Infinity is no JSON number",
    b'{"a": 1e999}': "1e999 is out of range",
    b'{"a": ' + b"9" * 5000 + b"}": "thousands of digits",
    b'{"a": ' + b"[" * 101 + b"]" * 101 + b"}": "nested more than 100 deep",
    b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "nested more than 100 deep",
    b'{"a": "caf\xe9"}': "not UTF-8 (byte 10)",
    b'{"a": "\\uD800"}': "a lone surrogate",
    b'{"\\udfff": 1}': "a lone surrogate",
    b'{"a": 1} {"a": 2}': "not JSON",
    b"\x00\x00": "not JSON",
}


def lines_of(path: Path, **options: Any) -> dict[int, Any]:
    """Number -> the row, or what is wrong with the line."""
    return {line.number: line.error or line.value for line in files.read_json_lines(path, **options)}


def test_odd_lines_are_named_by_number_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = {"text": "fine"}
    content = b"\n".join(part for odd in ODD for part in (odd, b"", files.json_line(good).strip()))
    path.write_bytes(content)
    found = lines_of(path, encodable=True)
    assert [found[number] for number in range(3, 3 * len(ODD) + 1, 3)] == [good] * len(ODD)
    for number, why in zip(range(1, 3 * len(ODD), 3), ODD.values(), strict=True):
        assert isinstance(found[number], str) and why in found[number], (number, found[number])
    assert len(found) == 2 * len(ODD)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_marks_line_ends_and_separators_within_strings_change_nothing(tmp_path: Path, start: Any, end: Any) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(start + end.join(json.dumps(row, ensure_ascii=row is GOOD[1]).encode() for row in GOOD))
    assert lines_of(path) == dict(enumerate(GOOD, 1))
    assert lines_of(path, encodable=True)[2] == "a lone surrogate in a string"


def test_what_is_written_is_read_again_here_and_by_pandas(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert files.write_json_lines(path, GOOD) == 3
    assert list(lines_of(path).values()) == GOOD
    assert files.write_json_lines(path, [GOOD[0], GOOD[2]]) == 2
    assert pd.read_json(path, lines=True)["text"].tolist() == [GOOD[0]["text"], GOOD[2]["text"]]


def test_gzip_is_known_by_its_content_and_a_cut_file_keeps_what_it_had(tmp_path: Path) -> None:
    plain = tmp_path / "a.jsonl"
    files.write_json_lines(plain, ({"n": n, "text": f"{n * 7919 % 10007}"} for n in range(5000)))
    packed = tmp_path / "no-ending"
    packed.write_bytes(subprocess.run(["gzip", "-c", plain], capture_output=True, check=True).stdout)
    assert lines_of(packed) == lines_of(plain)
    again = tmp_path / "b.jsonl.gz"
    files.write_json_lines(again, (line.value for line in files.read_json_lines(packed)))
    assert gzip.decompress(again.read_bytes()) == plain.read_bytes() and files.is_json_lines(again)
    packed.write_bytes(packed.read_bytes()[:9000])
    *rows, (number, last) = lines_of(packed).items()
    assert 100 < len(rows) < 5000 and number == len(rows) + 1 and "cut or broken" in last
    assert dict(rows).items() <= lines_of(plain).items()


def test_a_fifo_can_be_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    threading.Thread(target=lambda: fifo.write_bytes(b'{"a": 1}\n'), daemon=True).start()
    assert lines_of(fifo) == {1: {"a": 1}}


def test_a_file_that_is_not_there_a_folder_and_utf_16_are_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.jsonl: No such file"):
        lines_of(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="Is a directory"):
        lines_of(tmp_path)
    (tmp_path / "wide.jsonl").write_bytes('{"a": 1}\n'.encode("utf-16"))
    with pytest.raises(UserError, match="is UTF-16; save it as UTF-8"):
        lines_of(tmp_path / "wide.jsonl")


def test_a_json_object_is_read_and_anything_else_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": [1, "ü"]})
    assert files.read_json(path, "remove it") == {"a": [1, "ü"]}
    for odd, why in ODD.items():
        path.write_bytes(odd)
        with pytest.raises(UserError) as error:
            files.read_json(path, "remove it")
        assert why in str(error.value) and str(error.value).endswith("; remove it")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with pytest.raises(UserError, match="No such file"):
        files.read_json(path, "write it")


@pytest.mark.parametrize(("raw", "error"), ODD.items(), ids=ODD.values())
def test_every_reader_says_the_same_of_the_same_line(tmp_path: Path, raw: bytes, error: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"problem": "1+1", "answer": "2", "id": "x"}\n\n' + raw + b"\n")
    said = lines_of(path, encodable=True)[3]
    assert error in said
    with pytest.raises(UserError, match=f"line 3: {re.escape(said)}"):
        tasks.read_local(tasks.Task("mine", "integer", local="rows.jsonl"), tmp_path)
    assert [(where, what) for where, _, _, what in records([path])][1] == ("rows.jsonl line 3", said)
    assert 3 in dict(read_log(path).skipped)  # where other tools' odd values are mended first: test_log_formats


def test_no_other_module_writes_or_renames_files_its_own_way() -> None:
    """`store._merge` renames what two writers hand on; the quickstart's training script writes a model."""
    found = []
    for path in sorted(Path(files.__file__).parent.rglob("*.py")):
        name = path.relative_to(Path(files.__file__).parent).as_posix()
        if name in ("files.py", "store.py", "quickstart/pretrain.py") or name.startswith(("grading/", "_bundled/")):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\.write_(text|bytes)\(|os\.replace|getpid\(\)\}\"|\.partial", line):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), UserError("x")])
def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path, error: BaseException) -> None:
    def ends_half_way() -> None:
        with files.atomic_folder(tmp_path / "a" / "b" / "new") as folder:
            (folder / "half").mkdir()
            (folder / "half" / "one").write_text("x")
            raise error

    with pytest.raises(type(error)):
        ends_half_way()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    for name in ("link", "a/new"):
        with files.atomic_folder(tmp_path / name) as folder:
            (folder / "one").write_text(name)
            assert not (tmp_path / name / "one").exists()
        assert (tmp_path / name / "one").read_text() == name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty", "link"]
    assert (tmp_path / "link").is_symlink() and os.listdir(tmp_path / "a") == ["new"]
    assert (tmp_path / "empty").stat().st_mode == (tmp_path / "a").stat().st_mode
