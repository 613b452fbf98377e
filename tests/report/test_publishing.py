"""What is published, read by huggingface_hub's and datasets' own readers; uploads to a hub that runs here."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest
import yaml

import tests.made_up_study as made_up
from harness.dataset_card import PARTS
from harness.errors import UserError
from harness.report.data_card import data_card
from harness.report.leaderboard import measure_dirs
from harness.report.model_card import model_card
from harness.report.publishing import prepare

SECRET = "hf_" + "x" * 34
QUESTION = "A secret question of the gated set?"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes and the base on two tasks; one recipe has a checkpoint."""
    rows = [
        made_up.sample(
            run_id=f"{recipe}-{task}",
            recipe=recipe,
            task=task,
            problem_id=f"p{i}",
            correct=i < right,
            question=QUESTION if task.startswith("gpqa") else f"What is {i} + 3?",
            thinking=QUESTION if task.startswith("gpqa") else "thought",
        )
        for recipe, right in (("base", 2), ("s1k", 9), ("random", 6))
        for task in ("quick_gpqa", "gpqa_diamond")
        for i in range(12)
    ]
    config: dict[str, Any] = {
        "study": "made_up",
        "base_model": "Qwen/Qwen2.5-0.5B",
        "command": "harness ablate made_up",
    }
    config |= {"recipe_config": {"name": "s1k", "pool": "simplescaling/s1K"}, "training": {"learning_rate": 1e-5}}
    folder = made_up.write(tmp_path_factory.mktemp("study") / "out", rows, **config)
    checkpoint = folder / "recipes" / "s1k" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    (checkpoint.parent / "manifest.json").write_text(json.dumps({"sha256": "abc", "ids": ["a", "b"]}))
    (folder / "audit.json").write_text('{"summary": "audit: 72 of 72 hold", "created_at": "2026-01-02"}')
    return folder


@pytest.fixture(scope="module")
def published(out: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    to = tmp_path_factory.mktemp("published") / "new"
    found, notes = prepare(out, to)
    assert [(one.kind, one.suffix) for one in found] == [("dataset", ""), ("space", "-leaderboard"), ("model", "-s1k")]
    return to, notes


def test_a_models_card_is_read_by_the_hubs_own_reader(published: Any) -> None:
    from huggingface_hub import ModelCard, metadata_load
    from huggingface_hub.repocard_data import model_index_to_eval_results

    path = published[0] / "models" / "s1k" / "README.md"
    card = ModelCard.load(path)
    assert card.data.base_model == "Qwen/Qwen2.5-0.5B" and card.data.datasets == ["simplescaling/s1K"]
    assert card.data.library_name == "transformers" and "s1-harness" in card.data.tags
    _, results = model_index_to_eval_results((metadata_load(path) or {})["model-index"])
    assert {one.dataset_type: one.metric_value for one in results} == {"quick_gpqa": 75.0, "gpqa_diamond": 75.0}
    said = results[0].metric_args or {}
    low, high = said["interval_95"]
    assert low < 75.0 < high and said["num_problems"] == 12
    for part in (
        "learning_rate: 1e-05",
        "sha256: abc",
        "rows: 2",
        "harness ablate made_up",
        "- audit: 72 of 72",
        "75.0 [",
    ):
        assert part in card.text


COMMIT, DIGEST = "7ae557604adf67be50417f59c2c2f167def9a775", "09c3bed3f3f64f00"
LINK = "[Qwen/Qwen2.5-0.5B](https://huggingface.co/Qwen/Qwen2.5-0.5B)"
ORIGINS = [
    ("Qwen/Qwen2.5-0.5B", f"Qwen/Qwen2.5-0.5B@{COMMIT}", "Qwen/Qwen2.5-0.5B", f"{LINK} at commit {COMMIT}."),
    ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B", f"{LINK} (at which commit is not known)."),
    ("Qwen/Qwen2.5-0.5B@7ae557604adf", DIGEST, "Qwen/Qwen2.5-0.5B", f"{LINK} at commit 7ae557604adf."),
    ("models/tiny", DIGEST, None, f"a local model, models/tiny (the digest of its files is {DIGEST})."),
    ("local:tiny", "", None, "a local model, local:tiny (its digest is not known)."),
    (
        "harness/quickstart/model",
        DIGEST,
        None,
        f"the model that ships with s1-harness (harness/quickstart/model; the digest of its files is {DIGEST}).",
    ),
]


@pytest.mark.parametrize("told", ["base_identity", "model_identity"])
@pytest.mark.parametrize(("base", "identity", "on_hub", "said"), ORIGINS)
def test_a_models_card_says_what_it_was_trained_from(
    tmp_path: Path, base: str, identity: str, on_hub: str | None, said: str, told: str
) -> None:
    from huggingface_hub import ModelCard

    rows = [made_up.sample(run_id=recipe, recipe=recipe) for recipe in ("base", "s1k")]
    added: dict[str, Any] = {"study": "made_up", "base_model": base, told: identity}
    out = made_up.write(tmp_path / "out", rows, **added)
    card: Any = ModelCard(model_card(measure_dirs([out]), out, out, "s1k"))
    assert card.data.base_model == on_hub and f"Trained and evaluated by s1-harness from {said}\n" in card.text


def test_the_data_sets_card_names_the_studies_and_what_they_ask(tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    asks = "Does it\nhelp <b>much</b>?\n\nHypothesis: (1) yes."
    first = made_up.write(tmp_path / "a", [made_up.sample()], hypothesis=asks)
    second = made_up.write(tmp_path / "b", [made_up.sample(run_id="r", study='the "other"')])
    card: Any = DatasetCard(data_card(measure_dirs([first, second]), PARTS))
    assert card.data.pretty_name == 'made_up, the "other"' and len(card.data.configs) == 3
    assert '\n# Results of made_up, the "other"\n' in card.text and "\n## made_up\n" in card.text
    assert "\n> Does it help &lt;b>much&lt;/b>?\n>\n> Hypothesis: (1) yes.\n" in card.text
    assert card.text.count("What it asks") == 1 and "Tasks: quick. Recipes: s1k." in card.text


def test_weights_and_what_they_were_trained_on_stand_beside_the_card(published: Any) -> None:
    folder = published[0] / "models" / "s1k"
    assert (folder / "model.safetensors").read_bytes() == b"weights" and (folder / "training/manifest.json").is_file()
    assert "random: no checkpoint" in " ".join(published[1])


def test_the_data_set_is_loaded_by_its_card_and_the_space_is_static(published: Any, tmp_path: Path) -> None:
    from datasets import load_dataset
    from huggingface_hub import DatasetCard, metadata_load

    folder = published[0] / "dataset"
    names = {one["config_name"] for one in DatasetCard.load(folder / "README.md").data.configs}
    assert names == {"samples", "runs", "metrics"}
    rows = load_dataset(str(folder), split="train", cache_dir=str(tmp_path))
    assert len(rows) == 36 and set(rows["task"]) == {"quick_gpqa"}
    runs = load_dataset(str(folder), "runs", split="train", cache_dir=str(tmp_path))
    assert len(runs) == 6  # figures of the gated task stay
    space = metadata_load(published[0] / "space" / "README.md") or {}
    assert (space["sdk"], space["app_file"]) == ("static", "index.html")
    assert (published[0] / "space" / "index.html").is_file()


def blocks(page: str) -> list[str]:
    """What a page holds, unpacked."""
    found = re.findall(r'<script type="text/plain"[^>]*>([^<]+)</script>', page)
    return [gzip.decompress(base64.b64decode(block)).decode() for block in found]


def test_gpqa_under_another_name_is_left_out_too(tmp_path: Path) -> None:
    rows = [
        made_up.sample(run_id="run", recipe="base", task="science", problem_id=f"p{i}", correct=True, question=QUESTION)
        for i in range(4)
    ]
    made_up.write(tmp_path / "out", rows, task_source={"hub": "Idavidrein/gpqa", "config": "gpqa_diamond"})
    _, notes = prepare(tmp_path / "out", tmp_path / "new")
    assert any(note.startswith("science: figures are published") for note in notes)
    assert sum(pq.read_metadata(path).num_rows for path in (tmp_path / "new").rglob("samples/*.parquet")) == 0
    assert QUESTION not in " ".join(blocks((tmp_path / "new" / "space" / "index.html").read_text()))


def test_a_models_card_names_the_reference_and_the_hubs_data_sets(tmp_path: Path) -> None:
    source = {
        "hub": "HuggingFaceH4/aime_2024",
        "config": None,
        "split": "train",
        "revision": "0" * 40,
        "sha256": "1" * 64,
    }
    rows = [
        made_up.sample(run_id=recipe, recipe=recipe, task="aime_2024", problem_id=f"p{i}", correct=i < 2)
        for recipe in ("random", "full")
        for i in range(4)
    ]
    made_up.write(tmp_path, rows, study="made_up", reference_recipe="random", task_source=source)
    card = model_card(measure_dirs([tmp_path]), tmp_path, tmp_path, "full")
    assert "| task | setting | accuracy, % | to random |" in card
    metadata = yaml.safe_load(card.split("---\n")[1])
    (result,) = metadata["model-index"][0]["results"]
    assert result["dataset"] == {
        "name": "aime_2024",
        "type": "HuggingFaceH4/aime_2024",
        "split": "train",
        "revision": "0" * 40,
    }


def test_no_question_of_gpqa_is_published(published: Any) -> None:
    to, notes = published
    assert any(note.startswith("gpqa_diamond: figures are published") for note in notes)
    for path in to.rglob("*"):
        if path.is_file():
            assert QUESTION.encode() not in path.read_bytes(), path
    page = (to / "space" / "index.html").read_text()
    texts = blocks(page)
    assert "What is 3 + 3?" in " ".join(texts) and not any(QUESTION in text for text in texts)


def test_a_folder_that_holds_something_is_left_alone(out: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        prepare(out, tmp_path)


def test_what_ends_half_way_leaves_nothing(out: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(out, broken)
    (part,) = (broken / "samples").glob("*.parquet")
    raw = bytearray(part.read_bytes())
    raw[100:4000] = bytes(3900)  # the footer, which is read first, is whole
    part.write_bytes(raw)
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for to in (tmp_path / "a" / "b" / "new", tmp_path / "empty"):
        ended = publish(broken, str(to), "http://127.0.0.1:9", tmp_path / "home")
        assert ended.returncode == 2 and f"{part} cannot be read" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1 and sorted(tmp_path.rglob("*")) == before


def test_a_place_that_cannot_be_written_is_told_in_a_line(out: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    ended = publish(out, str(tmp_path / "file" / "new"), "http://127.0.0.1:9", tmp_path)
    assert (
        ended.returncode == 2
        and "nothing was published" in ended.stderr
        and f"{tmp_path}/file: File exists" in ended.stderr
    )
    assert len(ended.stderr.splitlines()) == 1 and sorted(tmp_path.iterdir()) == [tmp_path / "file"]


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as an upload of small files asks for."""

    created: ClassVar[list[dict[str, Any]]] = []
    files: ClassVar[dict[str, set[str]]] = {}
    tokens: ClassVar[set[str]] = set()

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.tokens.add(self.headers.get("Authorization", ""))
        self.answer({"name": "me", "sha": "0" * 40, "id": "x", "auth": {}, "orgs": []})

    def do_POST(self) -> None:
        self.tokens.add(self.headers.get("Authorization", ""))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/repos/create":
            self.created.append(json.loads(body))
            kind = {"dataset": "datasets/", "space": "spaces/"}.get(self.created[-1].get("type", ""), "")
            self.answer({"url": f"http://{self.headers['Host']}/{kind}me/{self.created[-1]['name']}"})
        elif self.path.endswith("/preupload/main"):
            paths = [one["path"] for one in json.loads(body)["files"]]
            self.answer({"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]})
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in body.splitlines()]
            repo = self.path.split("/commit/")[0].removeprefix("/api").replace("/models/", "/")
            self.files[self.path] = {one["value"]["path"] for one in lines if one["key"] == "file"}
            self.answer(
                {
                    "commitUrl": f"http://{self.headers['Host']}{repo}/commit/{'0' * 40}",
                    "commitOid": "0" * 40,
                    "success": True,
                }
            )
        else:
            self.answer({"errors": [], "warnings": []})


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def publish(out: Path, to: str, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    quiet = {"HF_ENDPOINT": endpoint, "HF_TOKEN": SECRET, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "harness", "publish", str(out), "--to", to]
    return subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, timeout=300)


def test_every_repository_is_uploaded_private_and_no_file_holds_the_token(out: Path, hub: str, tmp_path: Path) -> None:
    ended = publish(out, "hf:me/study", hub, tmp_path)
    assert ended.returncode == 0, ended.stderr
    made = {(one["name"], one.get("type", "model")): one for one in Hub.created}
    assert set(made) == {("study", "dataset"), ("study-leaderboard", "space"), ("study-s1k", "model")}
    assert all(one.get("private", one.get("visibility")) in (True, "private") for one in made.values())
    assert made["study-leaderboard", "space"]["sdk"] == "static"
    sent = {path.split("/commit/")[0]: files for path, files in Hub.files.items()}
    assert sent["/api/spaces/me/study-leaderboard"] == {"README.md", "index.html"}
    assert {"README.md", "model.safetensors", "training/manifest.json"} <= sent["/api/models/me/study-s1k"]
    assert {"README.md", "runs.parquet", "samples/part-00000.parquet"} <= sent["/api/datasets/me/study"]
    assert Hub.tokens - {""} == {f"Bearer {SECRET}"} and SECRET not in ended.stdout + ended.stderr
    assert not [p for p in out.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]


@pytest.mark.parametrize(
    ("to", "said"), [("hf:me/study", "the hub did not take it"), ("hf:study", "hf:ORGANISATION/NAME")]
)
def test_without_a_hub_it_is_refused_in_one_line_before_any_work(out: Path, tmp_path: Path, to: str, said: str) -> None:
    ended = publish(out, to, "http://127.0.0.1:9", tmp_path)
    assert ended.returncode == 2 and said in ended.stderr and len(ended.stderr.strip().splitlines()) == 1
    assert SECRET not in ended.stderr and ended.stdout == ""
