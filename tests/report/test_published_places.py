"""What is published names no folder, user or host of the machine that it was made on, and still joins."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import pickle
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tests.made_up_study as made_up
from harness.quickstart import TINY_MODEL
from harness.report import leaderboard
from harness.report.places import Places
from harness.report.publishing import prepare
from harness.runtime.audit import audit
from tests.hostile.test_foreign_folders import tree

TELLING = ("ulrika", "quoll", "wombat", "okapi", "numbat", "bilby", "10.20.30.40", "/home/", "/scratch")
HOST = "quoll17.numbat.example"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home and a host with telling names."""
    home = tmp_path_factory.mktemp("numbat") / "ulrika"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: HOST)
        for name, value in (("HOME", str(home)), ("USER", "ulrika"), ("LOGNAME", "ulrika")):
            patch.setenv(name, value)
        yield home


@pytest.fixture(scope="module")
def out(machine: Path) -> Path:
    """A study of two base models of one name and a trained one, whose every file names its machine."""
    folder, data = machine / "my bilby" / "out", "/scratch/wombat data"
    one, other = str(machine / "models" / "tiny"), f"{data}/tiny"
    error = (
        f"ConnectionError: http://quoll17:8000/v1/x (10.20.30.40:8000) of ulrika@{HOST}: {one}/config.json and "
        f"{folder}/logs/a.log, in /opt/okapi/python3/site-packages/vllm/engine.py:12, -I/home/okapi/include"
    )
    settings: dict[str, Any] = {
        "study": "made_up",
        "base_model": one,
        "tokenizer_name": f"{data}/tokenizer",
        "recipe_config": {"name": "s1k", "pool": f"{data}/pool.jsonl", "options": [["file", f"{data}/rows.jsonl"]]},
        "training": {"checkpoint_dir": "/scratch/okapi/steps", "learning_rate": 1e-5},
        "engine": {"name": "openai", "base_url": f"http://{HOST}:8000/v1"},
        "thinking": json.dumps({"suffix": " /no_think", "thinking_end": "</think>"}),
        "command": f"harness ablate my.py --out '{folder}' --data-dir '{data}' --reward ~/okapi/prm "
        "--set training.checkpoint_dir=/scratch/okapi/steps --instruction 'End. /no_think' --base-url http://quoll17/v1",
    }
    rows = [
        made_up.sample(
            run_id=f"{recipe}-{task}-{at}",
            recipe=recipe,
            task=task,
            problem_id=f"p{i}",
            correct=i < 4,
            model=model,
            error=error if i == 7 else None,
            metadata=json.dumps({"level": 1, "figure": f"{data}/f{i}.png"}),
            gen_kwargs=json.dumps({"pretrained": one, "model_args": f"pretrained={one},dtype=auto"}),
            thinking="Look into /usr/share/dict/words, and </think>/a/b stays.",
            sample_key=f"{recipe}{task}{at}{i}",
        )
        for at, (recipe, model) in enumerate((("base", one), ("base", other), ("s1k", "made_up/s1k")))
        for task in ("quick", "gpqa_diamond")
        for i in range(8)
    ]
    made_up.write(folder, rows, **settings)
    runs = pq.read_table(folder / "runs.parquet")
    failed = runs.set_column(runs.schema.get_field_index("error"), "error", pa.array([error] * len(runs), pa.string()))
    pq.write_table(failed.replace_schema_metadata({"made by": one}), folder / "runs.parquet")
    ids = runs["run_id"].to_pylist()
    claim = {
        "name": "made_up",
        "runs": ids,
        "models": [one],
        "study": {"base_model": one, "pool": f"{data}/pool.jsonl"},
    }
    (folder / "study.json").write_text(json.dumps(claim))
    (folder / "audit.json").write_text(json.dumps({"summary": f"audit of {folder}", "faults": [error]}))
    checkpoint = folder / "recipes" / "s1k" / "checkpoint"
    checkpoint.mkdir(parents=True)
    files: dict[str, Any] = {
        "config.json": {"_name_or_path": one, "hidden_size": 8},
        "adapter_config.json": {"base_model_name_or_path": one},
        "tokenizer_config.json": {"name_or_path": one, "chat_template": "{{ '/a/b/c' }}"},
        "trainer_state.json": {"best_model_checkpoint": str(checkpoint)},
        "../training.json": {"identity": "x", "trained": {"checkpoint": str(checkpoint)}},
        "../manifest.json": {"ids": ["a"], "options": {"file": f"{data}/rows.jsonl"}, "sha256": "abc"},
    }
    for name, value in files.items():
        (checkpoint / name).write_text(json.dumps(value))
    (checkpoint / "tokenizer.json").write_text('{"model": {"vocab": {"/usr/local/lib": 0}}}')
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    (checkpoint / "training_args.bin").write_bytes(pickle.dumps({"hostname": HOST}))
    (checkpoint / f"events.out.tfevents.17.{HOST}.1.0").write_bytes(b"x")
    (checkpoint / "quantized.pt").write_bytes(pickle.dumps({"from": one}))
    pq.write_table(pa.table({"step": [1], "where": [str(checkpoint)]}), checkpoint.parent / "losses.parquet")
    return folder


@pytest.fixture(scope="module")
def published(out: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    before = tree(out)
    to = tmp_path_factory.mktemp("published") / "new"
    _, notes = prepare(out, to)
    assert tree(out) == before
    return to, notes


def contents(path: Path) -> Iterator[str]:
    """A file's bytes as text, and what is packed in it: Parquet cell by cell, the blocks of a page, gzip."""
    raw = path.read_bytes()
    yield raw.decode("utf-8", "replace")
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        yield json.dumps([file.read().to_pylist(), str(file.schema_arrow.metadata), str(file.metadata.metadata)])
    for block in re.findall(rb"[A-Za-z0-9+/=]{60,}", raw) if path.suffix == ".html" else ():
        data = base64.b64decode(block + b"==", validate=False)
        if data[:2] == b"\x1f\x8b":
            yield gzip.decompress(data).decode()


def test_no_file_names_the_machine_that_it_was_made_on(published: Any, out: Path) -> None:
    assert any("ulrika" in text for path in out.rglob("*") if path.is_file() for text in contents(path))
    found = [
        (str(path.relative_to(published[0])), word, text[max(0, text.lower().index(word) - 60) :][:140])
        for path in sorted(published[0].rglob("*"))
        if path.is_file()
        for text in contents(path)
        for word in (*TELLING, "/tmp/")
        if word in text.lower()
    ]
    assert not found, found[:5]
    page = "".join(contents(published[0] / "space" / "index.html"))
    assert "/usr/share/dict/words" in page  # the page's blocks were really unpacked


def test_what_was_left_out_is_told(published: Any) -> None:
    told = [note for note in published[1] if note.startswith("s1k: ")]
    assert [note.split()[1] for note in told] == [
        f"events.out.tfevents.17.{HOST}.1.0",
        "quantized.pt",
        "training_args.bin",
    ]
    assert " names /" in told[1] and all(note.endswith(", left out") for note in told)
    assert not [path for path in published[0].rglob("*") if path.name in {note.split()[1] for note in told}]


def test_models_are_told_apart_and_join_over_the_files(published: Any, out: Path) -> None:
    data = published[0] / "dataset"
    samples, runs, metrics = (
        pq.read_table(data / name).to_pylist() for name in ("samples", "runs.parquet", "metrics.parquet")
    )
    before = {row["run_id"]: row for row in pq.read_table(out / "runs.parquet").to_pylist()}
    assert [row["run_id"] for row in runs] == list(before)
    assert {row["model"] for row in runs} == {"local:tiny", "local:tiny-2", "made_up/s1k"}
    assert {row["model"] for row in metrics} == {row["model"] for row in runs}
    of_run = {row["run_id"]: row["model"] for row in runs}
    assert all(row["model"] == of_run[row["run_id"]] for row in samples) and len(samples) == 24
    config = json.loads(runs[0]["config"])
    assert config["base_model"] == "local:tiny" and config["recipe_config"]["pool"] == "local:pool.jsonl"
    assert config["training"] == {"checkpoint_dir": "local:checkpoint_dir", "learning_rate": 1e-5}
    assert config["thinking"] == json.loads(next(iter(before.values()))["config"])["thinking"]
    assert config["command"] == (
        "harness ablate my.py --out OUT --data-dir DATA_DIR --reward local:prm --set "
        "training.checkpoint_dir=local:checkpoint_dir --instruction 'End. /no_think' --base-url http://server/v1"
    )
    assert config["engine"]["base_url"] == "http://server/v1"
    assert runs[0]["error"] == (
        "ConnectionError: http://server/v1/x (address) of user@host: local:tiny/config.json and "
        "logs/a.log, in vllm/engine.py:12, -Ilocal:folder"
    )
    kept = ("run_id", "sample_key", "problem_id", "question", "thinking", "thinking_ids", "question_hash")
    first = pq.read_table(out / "samples").to_pylist()
    assert [{n: r[n] for n in kept} for r in samples] == [
        {n: r[n] for n in kept} for r in first if r["task"] == "quick"
    ]
    trained = json.loads((published[0] / "models/s1k/training/training.json").read_text())
    assert trained["trained"]["checkpoint"] == "recipes/s1k/checkpoint"
    card = json.loads((published[0] / "models/s1k/tokenizer_config.json").read_text())
    assert card == {"name_or_path": "local:tiny", "chat_template": "{{ '/a/b/c' }}"}


def test_the_published_folder_is_read_as_the_one_that_it_came_from(published: Any, out: Path) -> None:
    data = published[0] / "dataset"

    def board(folder: Path) -> list[dict[str, str]]:
        rows = list(csv.DictReader(leaderboard.as_csv(leaderboard.measure_dirs([folder])).splitlines()))
        return [row | {"model": ""} for row in rows if row["task"] == "quick"]

    assert board(data) == board(out) and len(board(data)) == 3
    assert csv_of(data / "leaderboard.csv") == 6  # figures of the gated task are among them
    assert {one.not_audited for one in audit(data, 1) if one.recipe == "s1k"} != {None}  # no checkpoint, and it says so


def csv_of(path: Path) -> int:
    return len(path.read_text().splitlines()) - 1


def test_the_links_of_the_page_lead_to_the_same_runs(published: Any, out: Path) -> None:
    page = "".join(contents(published[0] / "space" / "index.html"))
    runs = [run for run in pq.read_table(out / "runs.parquet")["run_id"].to_pylist() if "quick" in run]
    assert runs and all(f'"{run}"' in page for run in runs)


PATHS = [
    (TINY_MODEL, "harness/quickstart/model"),
    ("/usr/lib/python3/site-packages/harness/quickstart/model", "harness/quickstart/model"),
    ("/x/hub/models--org--name/snapshots/0123456789abcdef0123456789abcdef01234567", "org/name@0123456789ab"),
    ("/x/hub/models--gpt2/snapshots/0123456789abcdef0123456789abcdef01234567", "gpt2@0123456789ab"),
    ("/x/other/recipes/full/checkpoint", "recipes/full/checkpoint"),
    ("/x/models/ulrika-7b", "local:model"),
    ("../models/tiny", "local:tiny"),
    ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
    ("ulrika/tiny", "ulrika/tiny"),  # a name on the hub is meant to be seen
    ("models/tiny", "models/tiny"),
]


@pytest.mark.parametrize(("path", "name"), PATHS)
def test_a_models_name(machine: Path, path: str, name: str) -> None:
    assert Places(machine / "out").place(path, "model") == name


TEXTS = [
    ("1/59 of it, km/h/s, ./a/b, s3://bucket/a/b, </think>, \\frac/x/y", None),
    ("see https://huggingface.co/org/name/tree/main", None),
    ("docs at http://example.org/a/b", None),
    (
        "ask http://10.0.0.3:8000/v1/x, https://node7/v1 or https://a.svc.cluster.local/v1",
        "ask http://server/v1/x, https://server/v1 or https://server/v1",
    ),
    ('{"a": "/x/y/z.json"}', '{"a": "local:z.json"}'),
    ('{\\"a\\": \\"/x/y/z.json\\"}', '{\\"a\\": \\"local:z.json\\"}'),
    ("PATH:/x/y/bin. Done", "PATH:local:folder. Done"),
    ("gs://bucket/home/x, x/home/ulrika/y, 'it''s /one'", None),
    ("file:///x/y/z.json, https://me:pw@example.org/x", "local:z.json, https://example.org/x"),
    ("No such file: '/x/my models/tiny/config.json'", "No such file: 'local:config.json'"),
]


@pytest.mark.parametrize(("text", "named"), TEXTS)
def test_paths_in_a_text(machine: Path, text: str, named: str | None) -> None:
    assert Places(machine / "out").value(text) == (text if named is None else named)
    assert Places(machine / "out").value({"prompt": text, "chat": {"system": text}}) == {
        "prompt": text,
        "chat": {"system": text},
    }


def test_folders_above_the_study_may_hold_spaces(machine: Path) -> None:
    out = machine / "my bilby" / "out"
    text = f"{out}/samples/a.parquet, {out.parent}/other/b.parquet and {out.parent}/outer/c are under {machine}"
    assert Places(out).value(text) == "samples/a.parquet, local:b.parquet and local:folder are under local:folder"


def test_names_are_words_of_messages_alone(machine: Path) -> None:
    places = Places(machine / "out")
    assert places.message("Ulrika's job on quoll17.numbat.example:6379 and quoll17, 10.1.2.3.") == (
        "user's job on host:6379 and host, address."
    )
    assert places.message("ulrikas quoll178 vllm 0.8.5.1.2, 300.1.2.3") == "ulrikas quoll178 vllm 0.8.5.1.2, 300.1.2.3"
    assert places.value({"recipe": "ulrika", "author": "Ulrika"}) == {"recipe": "ulrika", "author": "Ulrika"}
