"""SkyThought's logs, shaped as its own package wrote them here (0.1.0, its command line and an OpenAI-style server)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis.logs.importing import import_files
from harness.analysis.logs.published import expand
from tests.analysis.logs.test_log_formats import imported, rows, written


def skythought_run(
    folder: Path, problems: list[dict[str, Any]], said: Sequence[Sequence[tuple[str, bool | None]]]
) -> Path:
    """A run's folder as SkyThought 0.1.0 writes it: problems by their number, with the run's facts in summary.json."""
    results = {}
    for number, (problem, responses) in enumerate(zip(problems, said, strict=True)):
        asked = {"role": "user", "content": f"Think. {problem.get('question') or problem.get('Question')}"}
        results[str(number)] = problem | {
            "_index": str(number),
            "prompt": "<think>\n",
            "input_conversation": [asked, {"role": "assistant", "content": "<think>\n"}],
            "responses": [{"content": text, "correctness": right, "reason": ""} for text, right in responses],
            "token_usages": [{"completion_tokens": 7, "prompt_tokens": 11} for _ in responses],
        }
    known = [right for responses in said for _, right in responses if right is not None]
    summary = {
        "configuration": {
            "task": {"name": "aime25", "config": {"handler": "aime"}, "start": 0, "end": -1},
            "model": {"name": "org/m-7B", "config": {"model_id": "org/m-7B", "system_prompt": None}},
            "backend": {"name": "openai", "backend_args": {}},
            "sampling_params": {"temperature": 0.7, "top_p": 0.95, "n": 2},
        },
        "total_completion_tokens": 28,
        "accuracy": round(sum(known) / len(known), 4) if known else 0.0,
    }
    written(folder / "summary.json", whole=summary)
    written(folder / "results.json", whole=results)
    return folder


def test_skythoughts_package_writes_lists_of_responses_and_a_summary(tmp_path: Path) -> None:
    """Its verdicts, model, task and settings were lost: such a list of objects is one of plain rows too."""
    problems = [{"question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(2)]
    said = [
        [("so\n</think>\n\n\\boxed{1}", True), ("", False)],
        [("\\boxed{2}", False), ("no\n</think>\\boxed{3}", False)],
    ]
    folder = skythought_run(tmp_path / "org_m-7B_aime25_0a1b2c", problems, said)
    assert [path.name for path in expand([tmp_path])] == ["results.json"]
    assert [path.name for path in expand([f"{folder}/*.json"])] == ["results.json"]
    summary = import_files([folder], tmp_path / "out")[0]
    assert summary.startswith("org_m-7B_aime25_0a1b2c/results.json: "), "all runs' files are called so"
    assert "4 responses to 2 problems of aime25 (SkyThought, integer), org/m-7B" in summary
    assert "in the log 25.0 %" in summary and "null" not in summary, "an empty response is none that is missing"
    found = rows(tmp_path / "out")
    assert [(row["question"], row["gold"], row["sample_index"], row["logged_correct"]) for row in found] == [
        ("What is 0 + 1?", "1", 0, True),
        ("What is 0 + 1?", "1", 1, False),
        ("What is 1 + 1?", "2", 0, False),
        ("What is 1 + 1?", "2", 1, False),
    ]
    texts = [row["prompt"] + row["thinking"] + row["closing"] + row["answer"] for row in found]
    assert texts[0] == "Think. What is 0 + 1?\n\n<think>\nso\n</think>\n\n\\boxed{1}"
    assert (found[0]["status"], found[2]["status"]) == ("correct", "truncated"), "the prompt opened its thought"
    assert json.loads(found[0]["gen_kwargs"]) == {"temperature": 0.7, "top_p": 0.95} and not found[0]["metadata"]


def test_skythoughts_choices_and_its_responses_before_scoring(tmp_path: Path) -> None:
    options = {"Correct Answer": "a", "Incorrect Answer 1": "b", "Explanation": "so"}
    problems = [
        {"Question": "Which acid?", "Answer": "B"} | options,
        {"Question": "Which base?", "Answer": "A"} | options,
    ]
    folder = skythought_run(tmp_path, problems, [[("</think>(B)", None)], [("</think>\\boxed{C}", None)]])
    found = imported(tmp_path, folder / "results.json")
    assert [(row["question"], row["kind"], row["gold"], row["correct"], row["logged_correct"]) for row in found] == [
        ("Which acid?", "choice", "B", True, None),
        ("Which base?", "choice", "A", False, None),
    ]
    assert {row["metadata"] for row in found} == {None}
