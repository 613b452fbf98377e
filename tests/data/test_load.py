"""harness.data.load and rows: files in, rows out, nothing lost in silence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from harness import digests
from harness.data import load as pool
from harness.data.schema import SCHEMA
from harness.errors import UserError
from tests.pools import row, rows, shared


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Arrow cache of this test alone."""
    import datasets

    folder = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    return folder


def write(path: Path, lines: list[object]) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_what_is_saved_is_loaded_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"pool{suffix}"
    assert pool.save(iter(rows(2500)), path) == 2500
    loaded = pool.load(str(path))
    assert loaded.column_names == SCHEMA.names
    assert loaded.to_list() == rows(2500)


def test_broken_rows_are_named_by_line_counted_and_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "pool.jsonl",
        [
            row(1),
            "{not json",
            "[1, 2]",
            "",
            row(2, question=7),
            row(3, question=" "),
            row(4, id="r0001"),
            row(5, reference_correct=["yes"]),
            {"unrelated": 1},
            row(6, thinking_tokens="many"),
            row(7),
        ],
    )
    loaded = pool.load_with_report(str(path))
    assert loaded.dataset["id"][:] == ["r0001", "r0007"]
    reasons = dict(loaded.broken)
    assert list(reasons) == [f"pool.jsonl line {n}" for n in (2, 3, 5, 6, 7, 8, 9, 10)]
    assert reasons["pool.jsonl line 7"] == "id 'r0001' repeats pool.jsonl line 1"
    assert "not JSON" in reasons["pool.jsonl line 2"]
    assert "'question' is int" in reasons["pool.jsonl line 5"]


def test_broken_rows_are_reported_from_the_cache_too_and_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "pool.jsonl", [row(1), "{"])
    first, second = pool.load_with_report(str(path)), pool.load_with_report(str(path))
    assert first.broken == second.broken
    assert len(first.broken) == 1
    with caplog.at_level("WARNING"):
        pool.load(str(path))
    assert "1 broken rows left out (pool.jsonl line 2: not JSON" in caplog.text


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "pool.jsonl", [row(1)])
    assert len(pool.load(str(path))) == 1
    write(path, [row(1), row(2)])
    assert len(pool.load(str(path))) == 2


def test_a_file_that_did_not_change_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study looks at its pool before it starts, and again when it selects: of 9 GB once is enough."""
    monkeypatch.setattr(digests, "SETTLED_SECONDS", 0.0)
    path = write(tmp_path / "pool.jsonl", [row(1)])
    key = pool.load_with_report(str(path)).key
    monkeypatch.setattr(hashlib, "file_digest", None)  # reading the file again would be an error
    assert pool.load_with_report(str(path)).key == key


def test_columns_that_are_not_ours_are_kept_in_the_metadata(tmp_path: Path) -> None:
    path = write(tmp_path / "pool.jsonl", [row(1, level=5, metadata={"year": 2001})])
    assert json.loads(pool.load(str(path))[0]["metadata"]) == {"level": 5, "year": 2001}


def test_a_row_without_an_id_gets_one_from_its_content(tmp_path: Path) -> None:
    one = {"question": "Why?", "thinking": "Because."}
    path = write(tmp_path / "pool.jsonl", [one, {**one, "thinking": "Therefore."}])
    first, second = pool.load(str(path))["id"][:]
    assert first != second
    assert len(first) == 16


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nothing.jsonl", "is not at"),
        ("s1k-1.1", "did you mean 's1K-1.1'"),
        ("sft_pool", "set --data-dir"),
        ("./folder", "is not at"),
    ],
)
def test_a_pool_that_is_not_there_is_the_users_error(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pool.load(spec)


def test_a_pool_of_broken_rows_alone_is_an_error_that_shows_the_first(tmp_path: Path) -> None:
    path = write(tmp_path / "pool.jsonl", ["{", "["])
    with pytest.raises(UserError, match=r"holds no usable row; 2 broken \(first: pool.jsonl line 1"):
        pool.load(str(path))


def test_a_file_that_is_no_parquet_is_the_users_error(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    path.write_text("no")
    with pytest.raises(UserError, match=r"pool\.parquet cannot be read"):
        pool.load(str(path))


def test_a_failed_save_leaves_no_file_behind(tmp_path: Path) -> None:
    def failing() -> object:
        yield row(1)
        raise RuntimeError("stop")

    for name in ("pool.parquet", "pool.jsonl"):
        with pytest.raises(RuntimeError):
            pool.save(failing(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_real_pool_loads_by_its_name_with_every_row_and_its_grades() -> None:
    loaded = pool.load_with_report("sft_pool", shared("sft_pool").parent)
    assert len(loaded.dataset) == 2554  # SOURCES.md: 1,000 + 1,054 + 500
    assert loaded.broken == ()
    assert sum(value == [True] for value in loaded.dataset["reference_correct"]) == 567 + 1054 + 500
    assert "" not in loaded.dataset["domain"]


def test_few_rows_are_in_memory_together_where_they_are_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.data import candidates, schema

    pool.save(iter(rows(30)), tmp_path / "pool.jsonl")
    loaded = pool.load(str(tmp_path / "pool.jsonl"))
    long = [row(number, metadata="x" * 3000) for number in range(10)]
    monkeypatch.setattr(schema, "MAX_BATCH", 10_000)
    assert [batch.num_rows for batch in schema.batches(iter(long))] == [4, 4, 2]
    monkeypatch.setattr(candidates, "MAX_BATCH", 3 * loaded.data.nbytes // 30)
    sizes, iterate = list[int](), type(loaded).iter

    def seen(own: Any, batch_size: int) -> Any:
        sizes.append(batch_size)
        return iterate(own, batch_size)

    monkeypatch.setattr(type(loaded), "iter", seen)
    assert list(candidates.rows_of(loaded)) == rows(30)
    assert sizes == [4]
