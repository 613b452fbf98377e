"""`harness data ...`: the steps one after another on files, and the tables they print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from harness.cli.data import data
from harness.cli.exits import call
from harness.cli.main import cli
from harness.data import load as pool
from harness.errors import UserError
from harness.report import pool_tables as report
from tests.pools import row, rows, shared
from tests.tiny import byte_tokenizer


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def harness_data(*arguments: Any) -> str:
    """The output of `harness data ARGUMENTS`; its errors are raised."""
    result = CliRunner().invoke(data, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_select_writes_the_rows_in_drawing_order_and_a_manifest_beside_them(tmp_path: Path) -> None:
    pool.save(iter(rows(50)), tmp_path / "pool.jsonl")
    out = tmp_path / "s1k.parquet"
    printed = harness_data("select", tmp_path / "pool.jsonl", "--selection", "s1k", "--size", 10, "--out", out)
    manifest = json.loads((tmp_path / "s1k.parquet.manifest.json").read_text())
    assert pq.read_table(out)["id"].to_pylist() == manifest["ids"]
    assert manifest["sha256"] in printed
    assert "| not solved by a reference model | 38 | 24,496 |" in printed


def test_filter_counts_every_reason_and_the_counts_add_up(tmp_path: Path) -> None:
    made = [*rows(20), row(21, thinking=""), row(22, attempt="HTTP 503"), row(23, question="![](x.png)")]
    pool.save(iter(made), tmp_path / "pool.parquet")
    printed = harness_data("filter", tmp_path / "pool.parquet", "--out", tmp_path / "good.parquet")
    table = dict(
        line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ") and "|  |" not in line
    )
    assert table == {
        "pool": "23",
        "no thinking": "1",
        "no answer": "0",
        "API error": "1",
        "image reference": "1",
        "ASCII art": "0",
        "formatting": "0",
        "solved by a reference model": "5",
        "kept": "15",
    }
    assert len(pool.load(str(tmp_path / "good.parquet"))) == 15
    harness_data("filter", tmp_path / "pool.parquet", "--solved-by", "nobody", "--out", tmp_path / "all.parquet")
    assert len(pool.load(str(tmp_path / "all.parquet"))) == 20


def test_format_writes_ids_and_labels_and_warns_of_cut_rows(tmp_path: Path) -> None:
    pool.save(iter([row(1), row(2, thinking="x" * 400)]), tmp_path / "pool.jsonl")
    byte_tokenizer().save_pretrained(tmp_path / "tokenizer")
    out = tmp_path / "train.parquet"
    printed = harness_data(
        "format", tmp_path / "pool.jsonl", "--tokenizer", tmp_path / "tokenizer", "--block-size", 300, "--out", out
    )
    assert "| rows cut at the block | 1 |" in printed
    assert "warning: 1 of 2 rows are longer than 300 tokens and lose their answer" in printed
    table = pq.read_table(out).to_pylist()
    assert [one["num_tokens"] for one in table] == [len(one["input_ids"]) for one in table]
    assert [one["cut"] for one in table] == [False, True]
    with pytest.raises(UserError, match=r"give a name ending in \.parquet"):
        harness_data("format", tmp_path / "pool.jsonl", "--tokenizer", "x", "--out", tmp_path / "train.txt")
    with pytest.raises(UserError, match=r"tokenizer .*no: no such folder"):
        harness_data("format", tmp_path / "pool.jsonl", "--tokenizer", tmp_path / "no", "--out", out)


def test_collect_converts_a_published_set_and_collects_files(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "s1-prob.jsonl").write_text('{"question": "Q1"}\n{"question": "Q2"}\n')
    printed = harness_data(
        "collect",
        "--source",
        "s1-prob",
        "--source",
        "MATH",
        "--from",
        tmp_path / "raw",
        "--out",
        tmp_path / "pool.parquet",
    )
    assert "| s1-prob | 2 | 0 | 0 | 0 | 0 | 2 | 0 |" in printed
    assert "MATH is missing: no MATH.jsonl" in printed
    assert "| s1-prob | 2 | 0 | 182 | 4,000 |" in printed  # beside Table 7
    questions = ["--map", "thinking=none"]  # no trace yet
    harness_data("collect", "--pool", tmp_path / "pool.parquet", *questions, "--out", tmp_path / "pool.jsonl")
    assert len((tmp_path / "pool.jsonl").read_text().splitlines()) == 2
    with pytest.raises(UserError, match="no source could be read"):
        harness_data("collect", "--source", "MATH", "--from", tmp_path / "raw", "--out", tmp_path / "x.parquet")


@pytest.mark.parametrize(
    "step",
    [
        ["filter", "--solved-by", "nobody"],
        ["select", "--selection", "random", "--size", "2"],
        ["decontaminate", "--tasks", "quick_math"],
        ["format", "--tokenizer", "TOKENIZER"],
        ["lint", "--fix", "--fast"],
        ["featurize", "--domains", "keywords"],
        ["collect"],
    ],
    ids=lambda step: step[0],
)
def test_every_step_reads_a_pool_of_foreign_columns_by_map(tmp_path: Path, step: list[str]) -> None:
    foreign = [{"ask": f"What is {n} plus one?", "deep": {"trace": f"Count on from {n}."}, "end": n} for n in (1, 2)]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(one) + "\n" for one in foreign))
    byte_tokenizer().save_pretrained(tmp_path / "tokenizer")
    name, *options = [str(tmp_path / "tokenizer") if word == "TOKENIZER" else word for word in step]
    pool_file = ["--pool", tmp_path / "pool.jsonl"] if name == "collect" else [tmp_path / "pool.jsonl"]
    arguments = [name, *pool_file, *options, "--out", tmp_path / "out.parquet"]
    told = ["--map", "question=ask", "--map", "thinking=deep.trace", "--map", "attempt=end"]
    harness_data(*arguments, *told)
    made = pq.read_table(tmp_path / "out.parquet").to_pylist()
    if name == "format":
        assert all("Count on from" in one["text"] and "plus one?" in one["text"] for one in made)
    else:
        assert sorted((one["question"], one["thinking"], one["attempt"]) for one in made) == [
            (f"What is {n} plus one?", f"Count on from {n}.", str(n)) for n in (1, 2)
        ]
    with pytest.raises(UserError, match=r"--map"):
        harness_data(*arguments)  # no column says by itself what it is


def test_featurize_says_what_it_would_cost_and_asks_nothing(tmp_path: Path) -> None:
    pool.save(iter([row(n, thinking="") for n in range(1, 11)]), tmp_path / "pool.jsonl")
    printed = harness_data(
        "featurize",
        tmp_path / "pool.jsonl",
        "--traces",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--model",
        "m",
        "--price",
        1,
        10,
        "--dry-run",
        "--out",
        tmp_path / "x.parquet",
    )
    assert "10 to ask, 0 kept" in printed
    assert "40,000 out, $0.40" in printed
    assert not (tmp_path / "x.parquet").exists()
    with pytest.raises(UserError, match="needs a teacher: give --model"):
        harness_data("featurize", tmp_path / "pool.jsonl", "--traces", "--out", tmp_path / "x.parquet")


def test_a_dry_run_without_an_endpoint_is_the_users_error(tmp_path: Path) -> None:
    pool.save(iter(rows(2)), tmp_path / "pool.jsonl")
    with pytest.raises(UserError, match="goes with --traces and --base-url"):
        harness_data("featurize", tmp_path / "pool.jsonl", "--dry-run", "--out", tmp_path / "x.parquet")


def test_broken_rows_are_told_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "pool.jsonl").write_text(json.dumps(row(1)) + "\n{\n")
    printed = harness_data("collect", "--pool", tmp_path / "pool.jsonl", "--out", tmp_path / "x.jsonl")
    assert "left out: pool.jsonl line 2: not JSON" in printed


def test_tables_compare_selections_with_the_pool_and_with_each_other(tmp_path: Path) -> None:
    pool.save(iter(rows(100)), tmp_path / "pool.jsonl")
    for seed in (0, 1):
        harness_data(
            "select",
            tmp_path / "pool.jsonl",
            "--selection",
            "diverse",
            "--size",
            20,
            "--seed",
            seed,
            "--out",
            tmp_path / f"{seed}.parquet",
        )
    manifests = [tmp_path / f"{seed}.parquet.manifest.json" for seed in (0, 1)]
    printed = harness_data("report", tmp_path / "pool.jsonl", *manifests)
    read = [json.loads(path.read_text()) for path in manifests]
    shared_ids = set(read[0]["ids"]) & set(read[1]["ids"])
    assert f"| diverse 20 seed 0 and diverse 20 seed 1 | {len(shared_ids)} | " in printed
    assert "| domain 3 | 20 |" in printed
    assert "| pool | 1 | 26 | 51 | 76 | 100 | 50 | 5,050 |" in printed  # thinking_tokens are 1 .. 100
    harness_data("report", tmp_path / "pool.jsonl", "--out", tmp_path / "report.md")
    assert (tmp_path / "report.md").read_text().startswith("### Sources")


def test_a_file_that_is_no_manifest_is_the_users_error(tmp_path: Path) -> None:
    pool.save(iter(rows(3)), tmp_path / "pool.jsonl")
    for text, why in (("[1]", "not a JSON object"), ("not json", "not a JSON object"), ('{"ids": []}', "no manifest")):
        (tmp_path / "m.json").write_text(text)
        with pytest.raises(UserError, match=rf"m\.json is {why}.*give the \.manifest\.json"):
            harness_data("report", tmp_path / "pool.jsonl", tmp_path / "m.json")


def test_rows_whose_difficulty_is_not_known_are_kept_and_counted(tmp_path: Path) -> None:
    made = [row(1), row(2, reference_correct=None), row(4)]
    pool.save(iter(made), tmp_path / "pool.jsonl")
    printed = harness_data("filter", tmp_path / "pool.jsonl", "--out", tmp_path / "x.parquet")
    assert "| solved by a reference model | 1 |\n| kept | 2 |\n| kept without a reference answer | 1 |" in printed


def test_a_table_is_markdown() -> None:
    assert report.markdown("T", ("a", "b"), [("1", "2")]) == "### T\n\n| a | b |\n|---|---:|\n| 1 | 2 |\n"


def test_every_step_runs_on_the_real_pool(tmp_path: Path) -> None:
    folder = shared("sft_pool").parent
    byte_tokenizer().save_pretrained(tmp_path / "tokenizer")
    steps = {name: tmp_path / f"{name}.parquet" for name in ("pool", "features", "filtered", "clean", "chosen", "text")}
    harness_data("collect", "--pool", "sft_pool", "--data-dir", folder, "--out", steps["pool"])
    harness_data(
        "featurize", steps["pool"], "--tokenizer", tmp_path / "tokenizer", "--grade", "--out", steps["features"]
    )
    harness_data("filter", steps["features"], "--solved-by", "nobody", "--out", steps["filtered"])
    harness_data(
        "decontaminate",
        steps["filtered"],
        "--tasks",
        "math500,aime24_nofigures",
        "--data-dir",
        folder,
        "--report",
        tmp_path / "matches.jsonl",
        "--out",
        steps["clean"],
    )
    harness_data("select", steps["clean"], "--selection", "s1k", "--size", 200, "--out", steps["chosen"])
    harness_data(
        "format", steps["chosen"], "--tokenizer", tmp_path / "tokenizer", "--variant", "steps", "--out", steps["text"]
    )
    printed = harness_data("report", steps["features"], f"{steps['chosen']}.manifest.json")
    assert pq.read_metadata(steps["text"]).num_rows == 200
    assert "| selected | 200 | 1,000 |" in printed
    counts = [pq.read_metadata(steps[name]).num_rows for name in ("pool", "features", "filtered", "clean")]
    assert counts[:3] == [2554, 2554, 2384]
    assert 2000 < counts[3] < 2384


@pytest.mark.parametrize(
    "option",
    [
        "--timeout -1",
        "--timeout 0",
        "--concurrency 0",
        "--max-tokens 0",
        "--requests-per-minute 0",
        "--max-retries -1",
        "--price -1 2",
        "--expect-tokens -1",
        "--workers 0",
        "--gpus -1",
        "--max-model-len 0",
    ],
)
def test_a_number_out_of_range_is_one_line_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    pool.save(iter(rows(2)), tmp_path / "pool.jsonl")
    words = ["data", "featurize", str(tmp_path / "pool.jsonl"), "--domains", "keywords", *option.split()]
    with pytest.raises(SystemExit) as ended:
        call(cli, [*words, "--out", str(tmp_path / "x.parquet")])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and f"Invalid value for '{option.split()[0]}'" in line
    assert not (tmp_path / "x.parquet").exists()
