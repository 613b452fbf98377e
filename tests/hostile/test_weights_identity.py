"""Two models whose files differ anywhere are two models; one model stays one however its folder is called."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import digests
from harness.digests import file_digest
from harness.provenance import model_identity


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


OTHER_FILES = (
    "pytorch_model.bin",
    "pytorch_model-00001-of-00002.bin",
    "consolidated.00.pth",
    "model.pt",
    "model.gguf",
    "adapter_model.safetensors",
    "1_Dense/model.safetensors",
    "original/consolidated.pth",
    "tokenizer.model",
    "weights.safetensors.7",
    "vocab.tiktoken",
    "modeling.py",
)


@pytest.mark.parametrize("name", OTHER_FILES)
def test_every_file_that_a_loader_may_read_counts(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"one")
    before = model_identity(str(folder))
    (folder / name).write_bytes(b"two")
    assert model_identity(str(folder)) != before


def test_a_layer_in_the_middle_of_a_large_shard_counts(folder: Path) -> None:
    shard = folder / "model.safetensors"
    with shard.open("wb") as file:
        file.truncate(70 * 2**20)
    before = model_identity(str(folder))
    with shard.open("r+b") as file:
        file.seek(35 * 2**20)
        file.write(b"another layer")
    assert model_identity(str(folder)) != before


@pytest.mark.parametrize("name", ["README.md", ".git/HEAD", "loss.png", "LICENSE", "optimizer.pt"])
def test_what_is_no_model_does_not_count(folder: Path, name: str) -> None:
    before = model_identity(str(folder))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    assert model_identity(str(folder)) == before


def test_an_adapter_is_its_base_too(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))
    (adapter / "adapter_model.safetensors").write_bytes(b"x")
    before = model_identity(str(adapter))
    (folder / "model.safetensors").write_bytes(b"changed")
    assert model_identity(str(adapter)) != before
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(adapter)}))
    model_identity(str(adapter))  # one that names itself ends


def test_a_folder_that_links_to_itself_or_holds_a_pipe_is_read_once(folder: Path) -> None:
    before = model_identity(str(folder))
    (folder / "again").symlink_to(folder)
    os.mkfifo(folder / "pipe.bin")
    assert model_identity(str(folder)) == before
    with pytest.raises(OSError, match="no regular file"):
        file_digest(folder / "pipe.bin")


def test_a_large_file_is_read_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "SETTLED_SECONDS", 0.0)
    reads: list[int] = []
    whole = hashlib.file_digest

    def counted(file: Any, name: str) -> Any:
        reads.append(1)
        return whole(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    path = tmp_path / "big"
    path.write_bytes(bytes(digests.LARGE_BYTES + 1))
    first = file_digest(path)
    digests._known.clear()  # another process
    assert file_digest(path) == first and len(reads) == 1
    kept = path.stat()
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"x")
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # the time of change is set back
    assert file_digest(path) != first and len(reads) == 2
    for note in (tmp_path / "cache" / "s1-harness" / "digests").iterdir():
        note.write_text("nonsense")
    digests._known.clear()
    file_digest(path)
    assert len(reads) == 3


def test_a_hub_models_identity_is_the_commit_that_transformers_loads(folder: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hf" / "hub" / "models--org--name"
    commits = ("a" * 40, "b" * 40)
    for commit in commits:
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    (repository / "refs").mkdir()
    code = (
        "from transformers.utils import cached_file; from harness.provenance import model_identity\n"
        "print(cached_file('org/name', 'config.json').split('/')[-2],"
        " model_identity('org/name'), model_identity('x/y'))"
    )
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    for commit in commits:
        (repository / "refs" / "main").write_text(commit)
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [commit, f"org/name@{commit}", "x/y"]


def test_a_hub_that_does_not_answer_is_no_traceback(tmp_path: Path) -> None:
    code = (
        "from harness.analysis.logs.token_counts import find_file; from harness.provenance import model_identity\n"
        "print(model_identity('org/name')); print(find_file('org/name'))"
    )
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:1"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "org/name" and "the hub gives no answer" in done.stdout


def test_a_copy_under_another_name_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert model_identity(str(tmp_path / "copy")) == model_identity(str(folder))
