"""Every Eval Ever's schema: what is exported is what was stored, reads back the same, and fits the public schema."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tests.made_up_study as made_up
from harness.analysis.logs.importing import import_files
from harness.cli.main import cli
from harness.errors import UserError
from harness.report.every_eval_ever import export

SETTINGS: list[dict[str, Any]] = [
    {"max_thinking_tokens": 64, "num_ignores": 0},
    {"max_thinking_tokens": None, "num_ignores": 2},
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of two runs, one row of which has no gold that can be read."""
    rows: list[dict[str, Any]] = []
    runs: list[dict[str, Any]] = []
    for number, setting in enumerate(SETTINGS):
        budget = setting["max_thinking_tokens"] or "auto"
        mine = [
            made_up.sample(
                **setting,
                run_id=f"run{number}",
                model="org/tiny",
                recipe="base",
                problem_id=f"p{i}",
                sample_key=f"{number}-{i}-{s}",
                sample_index=s,
                question=f"What is {i} + 1?",
                gold=str(i + 1),
                prompt=f"<|im_start|>user\nWhat is {i} + 1?<|im_end|>\n<|im_start|>think\n",
                thinking=f"{i} and one\n",
                closing="<|im_start|>answer\n",
                ignore_str="Wait",
                answer=f"Final Answer: {i + 1 + (i + s) % 2}",
                extracted=str(i + 1 + (i + s) % 2),
                correct=(i + s) % 2 == 0,
                thinking_budget=str(budget),
                metadata='{"subject": "sums", "level": 3}',
            )
            for i in range(6)
            for s in range(2)
        ]
        mine[0] |= {"correct": None, "status": "gold_unparseable"}
        config = {"sampling": {"temperature": 0.7, "top_p": 0.9}, "budget": {"max_thinking_tokens": budget}}
        source = {"hub": "org/quiz", "split": "test", "config": None, "revision": "0" * 40, "sha256": "1" * 64}
        rows += mine
        runs.append(made_up.run(mine, config=json.dumps(config | {"task_source": source})))
    return made_up.write(tmp_path_factory.mktemp("stored") / "out", rows, runs)


@pytest.fixture(scope="module")
def exported(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("eee")
    ended = CliRunner().invoke(cli, ["export", str(stored), "--to", str(to), "--organization", "A Lab"])
    assert ended.exit_code == 0 and ended.output.count("quick, org/tiny: 11 rows") == 2, ended.output
    return to


def wholes(exported: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(exported.rglob("*.json"))]


def test_a_run_is_a_file_with_its_score_settings_and_source(stored: Path, exported: Path) -> None:
    frame = pd.read_parquet(stored / "samples")
    for whole in wholes(exported):
        (result,) = whole["evaluation_results"]
        mine = frame[frame["run_id"] == result["generation_config"]["additional_details"]["run_id"]]
        per_problem = mine.dropna(subset=["correct"]).groupby("problem_id")["correct"].apply(lambda x: x.mean())
        assert result["score_details"]["score"] == pytest.approx(np.mean(per_problem.astype(float)))
        interval = result["score_details"]["uncertainty"]["confidence_interval"]
        assert interval["lower"] < result["score_details"]["score"] < interval["upper"]
        assert result["score_details"]["details"] == {"not_scored": "1"}
        assert result["source_data"]["hf_repo"] == "org/quiz" and result["source_data"]["hf_revision"] == "0" * 40
        assert result["generation_config"]["generation_args"]["temperature"] == 0.7
        samples = exported / whole["detailed_evaluation_results"]["file_path"]
        assert whole["detailed_evaluation_results"]["checksum"] == hashlib.sha256(samples.read_bytes()).hexdigest()
        assert re.fullmatch(r"data/quick/org/tiny/[0-9a-f-]{36}_samples\.jsonl", str(samples.relative_to(exported)))


def test_what_is_exported_reads_back_as_what_was_stored(stored: Path, exported: Path, tmp_path: Path) -> None:
    import_files([exported], tmp_path / "back")
    back, before = pd.read_parquet(tmp_path / "back" / "samples"), pd.read_parquet(stored / "samples")
    before = before[before["correct"].notna()].copy()
    for one in (before, back):  # which of them a line end belongs to is not told
        one["said"] = one["closing"] + one["answer"]
    shared = ["thinking_budget", "num_ignores", "problem_id", "question", "gold", "thinking", "said", "correct", "kind"]
    assert len(back) == len(before) == 22
    wanted, found = (one[shared].astype(str).sort_values(shared).reset_index(drop=True) for one in (before, back))
    pd.testing.assert_frame_equal(found, wanted)
    assert (back["correct"] == back["logged_correct"]).all() and set(back["model"]) == {"org/tiny"}
    assert all(
        json.loads(one) == {"subject": "sums", "level": "3"} for one in back["metadata"]
    )  # nothing of a response
    kwargs = [json.loads(one) for one in back["gen_kwargs"]]
    assert {one["temperature"] for one in kwargs} == {0.7}


def test_models_without_a_hub_name_are_the_developers_and_told_apart(tmp_path: Path) -> None:
    rows = [
        made_up.sample(run_id=recipe, model=model, recipe=recipe, sample_key=recipe)
        for recipe, model in (("base", "/models/tiny"), ("s1k", "mine/s1k"))
    ]
    export(made_up.write(tmp_path / "out", rows), tmp_path / "to", "A Lab", "first_party", "me")
    assert sorted(one["model_info"]["id"] for one in wholes(tmp_path / "to")) == ["me/mine_s1k", "me/tiny"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no finished run"):
        export(tmp_path / "empty", tmp_path / "to", "A Lab", "other", None)


@pytest.mark.parametrize(
    ("models", "ids"),
    [
        (["/a/tiny", "/b/tiny"], ["me/tiny", "me/tiny-2"]),
        (
            ["/x/recipes/full/checkpoint", "/x/recipes/s1k/checkpoint"],
            ["me/recipes_full_checkpoint", "me/recipes_s1k_checkpoint"],
        ),
        (["/c/hub/models--org--name/snapshots/0123456789abcdef0123456789abcdef01234567"], ["org/name"]),
        (["org/name@0123abc", "org/other"], ["org/name@0123abc", "org/other"]),
    ],
)
def test_no_two_models_share_a_name(models: list[str], ids: list[str], tmp_path: Path) -> None:
    rows = [
        made_up.sample(run_id=model, model=model, recipe="base", sample_key=model, question=f"What is {i}?")
        for i, model in enumerate(models)
    ]
    export(made_up.write(tmp_path / "out", rows), tmp_path / "to", "A Lab", "first_party", "me")
    assert sorted(one["model_info"]["id"] for one in wholes(tmp_path / "to")) == ids


def test_what_failed_names_no_folder_or_server_of_this_machine(tmp_path: Path) -> None:
    out = tmp_path / "out"
    error = f"{out}/logs/engine.log: no answer from http://10.1.2.3:8000/v1; see /home/somebody/models/tiny/config.json"
    made_up.write(out, [made_up.sample(run_id="r", model="/home/somebody/models/tiny", recipe="base", error=error)])
    export(out, tmp_path / "to", "A Lab", "other", None)
    text = "".join(path.read_text() for path in (tmp_path / "to").rglob("*.json*"))
    assert "no answer from http://server/v1" in text
    assert [word for word in (str(tmp_path), "10.1.2.3", "somebody") if word in text] == []


@pytest.mark.parametrize(
    ("task", "source"),
    [("gpqa_diamond", {}), ("mine", {"hub": "Idavidrein/gpqa"}), ("mine", {"file": "gpqa_diamond.jsonl"})],
)
def test_of_gpqa_the_figures_alone_are_exported(task: str, source: dict[str, str], tmp_path: Path) -> None:
    rows = [
        made_up.sample(
            run_id=name,
            task=name,
            recipe="base",
            model="org/tiny",
            question="A gated question?",
            prompt="A gated question?",
        )
        for name in (task, "quick_gpqa")
    ]
    runs = [made_up.run([rows[0]], config=json.dumps({"task_source": source})), made_up.run([rows[1]])]
    lines = export(made_up.write(tmp_path / "out", rows, runs), tmp_path / "to", "A Lab", "other", None)
    assert sum("its figures alone" in line for line in lines) == 1
    by_task = {one["evaluation_results"][0]["evaluation_name"]: one for one in wholes(tmp_path / "to")}
    assert "detailed_evaluation_results" not in by_task[task] and by_task[task]["evaluation_results"]
    assert [path.parts[-4] for path in (tmp_path / "to").rglob("*.jsonl")] == ["quick_gpqa"]


PACKAGE = importlib.util.find_spec("every_eval_ever")


@pytest.mark.skipif(PACKAGE is None, reason="every_eval_ever (Python 3.12 and later) is not installed: not checked")
def test_the_files_fit_the_public_schema(exported: Path) -> None:
    import jsonschema

    assert PACKAGE is not None and PACKAGE.origin
    schemas = Path(PACKAGE.origin).parent / "schemas"
    of_run = json.loads((schemas / "eval.schema.json").read_text())
    of_sample = json.loads((schemas / "instance_level_eval.schema.json").read_text())
    for whole in wholes(exported):
        jsonschema.validate(whole, of_run)
        for line in (exported / whole["detailed_evaluation_results"]["file_path"]).read_text().splitlines():
            jsonschema.validate(json.loads(line), of_sample)
