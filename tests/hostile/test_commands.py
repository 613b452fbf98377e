"""Every command that reads a file or folder, on every odd input: its exit code, one line, nothing lost.

The exit codes stand in docs/security.md, written from here: `python -m tests.hostile.test_commands` renews them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import odd_folders as folders
from tests.hostile import odd_values as odd
from tests.hostile.trial import Ended, harness, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
START, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
Words = Callable[[Path, Path], tuple[object, ...]]
READERS: dict[str, tuple[Words, tuple[str, ...]]] = {  # command -> its words for (file, folder), the rows it reads
    "grade": (lambda file, out: ("grade", file, "--out", out / "o.jsonl"), ("grade",)),
    "sample-stats": (lambda file, out: ("sample-stats", file, "--out", out / "o.parquet"), ("lm-eval", "Qwen")),
    "import": (lambda file, out: ("import", file, "--out", out / "results"), ("lm-eval", "Qwen")),
    "data filter": (
        lambda file, out: ("data", "filter", file, "--out", out / "o.parquet"),
        ("pool", "s1K", "sft_pool"),
    ),
}
FOLDERS: dict[str, Words] = {
    "compare": lambda bad, good: ("compare", bad, good),
    "diff": lambda bad, good: ("diff", bad, good, "--out", good.parent / "d.parquet"),
    "audit": lambda bad, good: ("audit", bad),
    "status": lambda bad, good: ("status", bad),
    "leaderboard": lambda bad, good: ("leaderboard", bad, "--out", good.parent / "board"),
}
# Drawing its figures takes a second, so it is given what differs for it from `compare`, which reads alike.
DRAWN = ("as it should be", "markup and controls", "config is a headline", "cut to 50", "binary", "no rows")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def check(ended: Ended, what: str) -> str:
    """The exit code as text. Raises AssertionError for anything but a good end or a refusal in one line."""
    assert ended.code == 0 or ended.refused_in_one_line, f"{what}: exit {ended.code}\n{ended.err[-800:]}"
    assert not set(ended.out + ended.err) & {"\x1b", "\u202e", "\x07", "\u2066"}, f"{what}: controls printed"
    return str(ended.code)


def of_file(command: str, data: bytes, folder: Path, what: str) -> str:
    """Run `command` on a file of `data`, which stays as it was."""
    folder.mkdir()
    (folder / "in.jsonl").write_bytes(data)
    code = check(harness(*READERS[command][0](folder / "in.jsonl", folder)), f"{command}, {what}")
    assert (folder / "in.jsonl").read_bytes() == data
    made = [path for path in folder.iterdir() if path.name != "in.jsonl"]
    assert bool(made) == (code == "0"), f"{command}, {what}: exit {code} and left {made}"
    shutil.rmtree(folder)
    return code


def files(command: str, work: Path) -> Iterator[tuple[str, str]]:
    """(input, exit code) of every odd file; the odd line or value stands between two good rows, which are kept."""
    for shape in READERS[command][1]:
        good = folders.ROWS[shape]
        third = folders.encoded(good).replace("ROW1", "ROW3")
        for what, (made, _) in odd.FILES.items():
            yield f"file: {what}", of_file(command, made(odd.lines(good, third)), work / "f", what)
        for what, line in odd.LINES.items():
            yield f"line: {what}", of_file(command, odd.lines(good, line), work / "f", what)
        for what, value in odd.VALUES.items():
            each = "\n".join(odd.with_value(good, key, value, number) for number, key in enumerate(good))
            yield f"value: {what}", of_file(command, odd.lines(good, each), work / "f", what)


def of_folder(command: str, change: folders.Change, work: Path, what: str) -> str:
    """Run `command` on a results folder that `change` was made to."""
    work.mkdir()
    folders.good(work / "good")
    shutil.copytree(work / "good", work / "bad")
    change(work / "bad")
    before = {path: path.read_bytes() for path in (work / "bad").rglob("*") if path.is_file()}
    code = check(harness(*FOLDERS[command](work / "bad", work / "good")), f"{command}, {what}")
    assert all(path.read_bytes() == data for path, data in before.items()), f"{command}, {what}: changed its input"
    shutil.rmtree(work)
    return code


def results(command: str, work: Path) -> Iterator[tuple[str, str]]:
    """(input, exit code) of every odd results folder."""
    for what, change in folders.kinds():
        if command != "leaderboard" or any(word in what for word in DRAWN):
            yield what, of_folder(command, change, work / "r", what)


def stored() -> dict[str, dict[str, str]]:
    """The table of the page: input -> command -> exit codes."""
    head, *lines = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0].splitlines()
    commands = [cell.strip(" `") for cell in head.strip("|").split("|")[1:]]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:] if line.startswith("| ")]
    return {row[0]: dict(zip(commands, row[1:], strict=True)) for row in rows}


def codes(found: Iterator[tuple[str, str]]) -> dict[str, str]:
    """Input -> the exit codes that it came to, in order."""
    seen: dict[str, set[str]] = {}
    for what, code in found:
        seen.setdefault(what, set()).add(code)
    return {what: ", ".join(sorted(codes)) for what, codes in seen.items()}


@pytest.mark.parametrize("command", READERS)
def test_a_reader_of_files_takes_every_odd_input_as_the_page_says(command: str, tmp_path: Path) -> None:
    page = {what: row[command] for what, row in stored().items() if row[command]}
    assert codes(files(command, tmp_path)) == page


@pytest.mark.parametrize("command", FOLDERS)
def test_a_reader_of_results_takes_every_odd_folder_as_the_page_says(command: str, tmp_path: Path) -> None:
    page = {what: row[command] for what, row in stored().items() if row[command]}
    assert codes(results(command, tmp_path)) == page


def test_a_good_input_is_no_fault_and_a_file_that_is_none_is_one() -> None:
    rows = stored()
    assert all(code in ("0", "") for code in rows["file: as it should be"].values())
    for command in READERS:
        for what, (_, code) in odd.FILES.items():
            expected = str(code if (command, what) != ("data filter", "one list of all rows") else 0)
            assert rows[f"file: {what}"][command] == expected, (command, what)
        for what in odd.LINES:
            assert rows[f"line: {what}"][command] == "0", (command, what)
        for what in odd.VALUES:
            assert rows[f"value: {what}"][command] == "0", (command, what)


def renew() -> int:
    """Write the table into the page."""
    rows: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        import datasets

        datasets.config.HF_DATASETS_CACHE = Path(temporary) / "cache"
        for command in (*READERS, *FOLDERS):
            found: Any = files if command in READERS else results
            for what, code in codes(found(command, Path(temporary))).items():
                rows.setdefault(what, {})[command] = code
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    text = "\n".join(table("input", (*READERS, *FOLDERS), rows)) + "\n"
    PAGE.write_text(head + START + text + END + rest.partition(END)[2], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(renew())
