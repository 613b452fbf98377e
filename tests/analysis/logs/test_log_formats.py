"""Every format's reader, on logs that its own tool wrote where it runs here, else on rows as its source has them.

`made/` holds logs of inspect_ai 0.3.285 (a mock model; events left out of the JSON) and rows of lighteval 0.13's own
`Doc` and `ModelResponse`.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.analysis.logs.golds import gold_of, letter_of, options_of
from harness.analysis.logs.importing import import_files
from harness.analysis.logs.logged import Log
from harness.analysis.logs.names import name_from, task_of
from harness.analysis.logs.published import expand, kwargs_of, read_log
from harness.analysis.logs.record_logs import mapping
from harness.errors import UserError

MADE = Path(__file__).parent / "made"
THOUGHT = "<think>\nso\n</think>\n\n\\boxed{2}"


def lm_eval_line(number: int = 0, response: Any = THOUGHT, target: Any = "2", **more: Any) -> dict[str, Any]:
    return {
        "doc_id": number,
        "doc": {"problem": f"problem {number}", "answer": target},
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": f"prompt {number}", "arg_1": {"until": [], "temperature": 0.6}}},
        "resps": [[response]],
        "filtered_resps": [response],
    } | more


def written(path: Path, *records: Any, whole: Any = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole) if whole is not None else "\n".join(map(json.dumps, records)), encoding="utf-8")
    return path


def rows(out: Path) -> list[dict[str, Any]]:
    found = pq.read_table(out / "samples").to_pylist()
    return sorted(found, key=lambda row: (row["task"], row["problem_id"], row["sample_index"]))


def imported(tmp_path: Path, *paths: Path, **more: Any) -> list[dict[str, Any]]:
    import_files(list(paths), tmp_path / "out", **more)
    return rows(tmp_path / "out")


@pytest.mark.parametrize("name", ["sums.eval", "sums.json"])
def test_inspect_logs_are_read_by_inspects_own_reader(tmp_path: Path, name: str) -> None:
    if importlib.util.find_spec("inspect_ai") is None:
        pytest.skip("inspect_ai is not installed: pip install inspect-ai")
    log = read_log(MADE / name)
    assert (log.name, kwargs_of(log)) == ("inspect_ai", {"temperature": 0.6, "seed": 3})
    found = imported(tmp_path, MADE / name)
    assert [(row["problem_id"], row["sample_index"], row["status"]) for row in found] == [
        ("a", 0, "correct"),
        ("a", 1, "correct"),
        ("b", 0, "incorrect"),
        ("b", 1, "correct"),
    ]
    assert [row["logged_correct"] for row in found] == [False, True, False, True], "match() saw no box"
    assert (found[0]["thinking"], found[0]["answer"]) == ("one and one", "So \\boxed{2}")
    assert (found[0]["model"], found[0]["task"], found[0]["seed"]) == ("mockllm/model", "sums", 3)
    assert json.loads(found[2]["metadata"]) == {"level": 2}


def test_inspects_choice_questions_have_their_options(tmp_path: Path) -> None:
    if importlib.util.find_spec("inspect_ai") is None:
        pytest.skip("inspect_ai is not installed: pip install inspect-ai")
    found = imported(tmp_path, MADE / "colours.eval")
    assert [(row["kind"], row["gold"], row["correct"]) for row in found] == [
        ("choice", "A", True),
        ("choice", "B", False),
    ]


@pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is not None, reason="inspect_ai is installed here")
def test_an_inspect_log_without_inspect_is_named_with_what_to_install() -> None:
    for name in ("sums.eval", "sums.json"):
        with pytest.raises(UserError, match=r"inspect_ai log.*pip install"):
            read_log(MADE / name)


def test_lightevals_details_of_today(tmp_path: Path) -> None:
    path = (
        tmp_path
        / "details"
        / "org"
        / "model-1"
        / "2026-01-02T03-04-05"
        / "details_lighteval|aime24|0_2026-01-02T03-04-05.parquet"
    )
    path.parent.mkdir(parents=True)
    path.write_bytes((MADE / "details_aime24_0_2026-01-02T03-04-05.parquet").read_bytes())
    found = imported(tmp_path, tmp_path / "details")
    assert [(row["problem_id"], row["correct"]) for row in found] == [
        ("0", True),
        ("0", False),
        ("1", True),
        ("1", True),
    ]
    assert (found[0]["task"], found[0]["model"], found[0]["prompt"]) == (
        "aime24",
        "org/model-1",
        "What is 1 + 1?<think>\n",
    )
    assert {row["logged_correct"] for row in found} == {None}, "its pass@k is one number over both responses"
    assert json.loads(found[0]["gen_kwargs"]) == {"generation_size": 100, "num_samples": 2}


def test_lightevals_older_details(tmp_path: Path) -> None:
    old = {
        "example": ["What is 1 + 1?"],
        "full_prompt": ["Q: What is 1 + 1?"],
        "predictions": ["['so \\\\boxed{2}']"],
        "gold": ["['2']"],
        "choices": ["['2']"],
        "gold_index": ["[0]"],
        "metrics": [{"extractive_match": 1}],
        "specifics": ["{'level': 3}"],
    }
    path = tmp_path / "details_custom|aime25|0|0_2025-01-02T03-04-05.parquet"
    pq.write_table(pa.table(old), path)
    row = imported(tmp_path, path)[0]
    assert (row["task"], row["gold"], row["correct"], row["logged_correct"]) == ("aime25", "2", True, True)
    assert json.loads(row["metadata"]) == {"level": 3}


def older(number: int, predictions: list[Any], gold: list[str], **metrics: Any) -> dict[str, Any]:
    """A row of lighteval before 0.11, as it stands in memory: what a pass does not measure is missing in it."""
    return {
        "example": f"problem {number}",
        "full_prompt": f"problem {number}",
        "predictions": predictions,
        "gold": gold,
        "choices": [],
        "gold_index": [],
        "pred_logits": [],
        "metrics": metrics,
        "specifics": None,
    }


@pytest.mark.parametrize("as_text", [False, True], ids=["structs", "texts"])
def test_an_older_task_sampled_and_answered_greedily_has_each_problem_once(tmp_path: Path, as_text: bool) -> None:
    """Such a file goes through all problems twice, and one majority is no verdict of any single response."""
    passes = [older(n, ["\\boxed{1}", "\\boxed{2}"], ["2"], **{"maj@2": 0}) for n in range(3)]
    passes += [older(n, [f"\\boxed{{{n}}}"], ["2"], match=float(n == 2)) for n in range(3)]
    if as_text:
        passes = [{key: str(value) for key, value in row.items()} for row in passes]
        for row in passes[3:]:
            row["metrics"] = row["metrics"].replace("match': ", "match': np.float64(").replace("}", "), 'f': nan}")
    path = tmp_path / "details_custom|sums|0_2025-01-02T03-04-05.parquet"
    pq.write_table(pa.Table.from_pylist(passes), path)
    found = imported(tmp_path, path, model="m")
    assert [(row["problem_id"], row["sample_index"]) for row in found] == [
        (str(n), k) for n in range(3) for k in range(3)
    ]
    assert [row["correct"] for row in found] == [False, True, False] * 2 + [False, True, True]
    assert [row["logged_correct"] for row in found] == [None, None, False] * 2 + [None, None, True]


def test_equal_questions_of_one_pass_stay_problems_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "details_custom|sums|0_2025-01-02T03-04-05.parquet"
    pq.write_table(pa.Table.from_pylist([older(0, ["\\boxed{2}"], ["2"], match=1.0) for _ in range(2)]), path)
    assert [row["problem_id"] for row in imported(tmp_path, path, model="m")] == ["0", "1"]


@pytest.mark.parametrize("layout", ["today", "older"])
def test_lightevals_scored_options_are_its_likeliest(tmp_path: Path, layout: str) -> None:
    """As its `acc` has it: the option of the highest log-probability; digits are the options' texts, no numbers."""
    options, scores = [" 4", " 5", " 0"], [[-2.0, -1.0, -3.0], [-0.5, -1.0, -0.7]]
    if layout == "today":
        table = [
            {
                "doc": {"query": f"problem {n}", "choices": options, "gold_index": 0, "id": str(n), "task_name": "x|0"},
                "model_response": {"input": f"problem {n}", "text": [], "logprobs": one},
                "metric": {"acc": n},
            }
            for n, one in enumerate(scores)
        ]
    else:
        table = [
            older(n, [[score, 0.0] for score in one], [], acc=n) | {"choices": options, "gold_index": [0]}
            for n, one in enumerate(scores)
        ]
    path = tmp_path / "details_x|0_2025-01-02T03-04-05.parquet"
    pq.write_table(pa.Table.from_pylist(table), path)
    found = imported(tmp_path, path, model="m")
    assert [(row["answer"], row["gold"], row["correct"], row["logged_correct"]) for row in found] == [
        ("B", "A", False, False),
        ("A", "A", True, True),
    ]
    assert {(row["task"], row["kind"], tuple(row["choices"])) for row in found} == {("x", "choice", ("4", "5", "0"))}


def test_a_task_that_scores_options_and_generates_is_what_it_generated(tmp_path: Path) -> None:
    doc = {"query": "What is 1 + 1?", "choices": ["2", "3"], "gold_index": 0, "id": "0", "task_name": "x|0"}
    table = [
        {"doc": doc, "model_response": {"text": [], "logprobs": [-1.0, -2.0]}, "metric": {"acc": 1, "em": None}},
        {"doc": doc, "model_response": {"text": ["3"], "logprobs": []}, "metric": {"acc": None, "em": 0}},
    ]
    path = tmp_path / "details_x|0_2025-01-02T03-04-05.parquet"
    pq.write_table(pa.Table.from_pylist(table), path)
    log = read_log(path)
    assert [(one.line, one.responses, one.correct, one.chosen) for one in log.samples] == [(2, ("3",), (False,), False)]
    assert [number for number, _ in log.skipped] == [1]


def test_a_log_of_options_scored_without_options_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "details_custom|loss|0_2025-01-02T03-04-05.parquet"
    pq.write_table(pa.Table.from_pylist([older(n, [[-3.0, 0.0]], [], ppl=3.5) for n in range(2)]), path)
    with pytest.raises(UserError, match="log-likelihoods"):
        read_log(path)


def test_the_first_lm_evals_file_names_hold_the_models_arguments(tmp_path: Path) -> None:
    """0.4.0 names a file by the arguments and the task; which is which is told by the results file beside it."""
    name = "pretrained__org__m_1,dtype__float32_gsm8k_cot.jsonl"
    path = written(tmp_path / name, whole=[lm_eval_line(n) for n in range(2)])
    assert task_of(path) == "gsm8k", "nothing beside it"
    results = {
        "config": {"model": "hf", "model_args": "pretrained=org/m_1,dtype=float32", "gen_kwargs": None},
        "configs": {"cot": {}, "gsm8k_cot": {"output_type": "generate_until", "num_fewshot": 8}},
    }
    written(tmp_path / "results.json", whole=results)
    assert task_of(path) == "gsm8k_cot"
    found = imported(tmp_path, tmp_path)
    assert {(row["task"], row["model"], row["correct"]) for row in found} == {("gsm8k_cot", "org/m_1", True)}


NEMO = {
    "problem": "What is 1 + 1?",
    "expected_answer": "2",
    "generation": "<think>so</think>It is \\boxed{2}",
    "predicted_answer": "2",
    "symbolic_correct": True,
    "num_generated_tokens": 12,
    "subject": "sums",
}


def test_nemo_skills_samplings_are_the_samples_of_one_run(tmp_path: Path) -> None:
    wrong = NEMO | {"generation": "It is \\boxed{3}", "symbolic_correct": False}
    written(tmp_path / "aime24" / "output-rs0.jsonl", NEMO)
    written(tmp_path / "aime24" / "output-rs1.jsonl", wrong)
    found = imported(tmp_path, tmp_path / "aime24", model="m")
    verdicts = [(row["sample_index"], row["correct"], row["logged_correct"]) for row in found]
    assert verdicts == [(0, True, True), (1, False, False)]
    assert json.loads(found[0]["metadata"]) == {"subject": "sums", "num_generated_tokens": 12}
    assert len({row["run_id"] for row in found}) == 1 and found[0]["task"] == "aime24"


def test_evalchemys_results_hold_several_tasks(tmp_path: Path) -> None:
    example = {
        "id": 7,
        "problem": "What is 1 + 1?",
        "expected_answer": "2",
        "model_outputs": [THOUGHT, "\\boxed{3}"],
        "model_answers": ["2", "3"],
    }
    whole = {
        "results": {"AIME24": {"examples": [example], "num_total": 1}, "AMC23": {"examples": [example | {"id": 1}]}},
        "config": {"model": "hf", "model_args": "pretrained=org/m"},
        "model_name": "org/m",
    }
    found = imported(tmp_path, written(tmp_path / "org__m" / "results_2026.json", whole=whole))
    assert [(row["task"], row["problem_id"], row["correct"], row["logged_extracted"]) for row in found] == [
        ("AIME24", "7", True, "2"),
        ("AIME24", "7", False, "3"),
        ("AMC23", "1", True, "2"),
        ("AMC23", "1", False, "3"),
    ]
    assert {row["model"] for row in found} == {"org/m"}


def test_skythoughts_results_by_problem_and_temperature(tmp_path: Path) -> None:
    whole = {
        "What is 1 + 1?": {
            "problem": "What is 1 + 1?",
            "answer": "2",
            "prompt": "Q",
            "responses": {
                "0.7": [{"content": THOUGHT, "correctness": True}, {"content": "\\boxed{4}", "correctness": False}],
            },
            "token_usages": {"0.7": [{"completion_tokens": 3}, {"completion_tokens": 4}]},
        }
    }
    found = imported(tmp_path, written(tmp_path / "Sky_aime" / "results.json", whole=whole), model="m", task="aime")
    assert [(row["correct"], row["logged_correct"]) for row in found] == [(True, True), (False, False)]
    assert json.loads(found[0]["gen_kwargs"]) == {"temperature": 0.7}


def test_simple_evals_conversations(tmp_path: Path) -> None:
    whole = {
        "score": 0.5,
        "metrics": {},
        "htmls": ["", ""],
        "convos": [
            [{"role": "user", "content": "What is 1 + 1?"}, {"role": "assistant", "content": "Answer: 2"}],
            [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "Answer: 5"}],
        ],
        "metadata": {
            "example_level_metadata": [
                {"score": 1.0, "correct_answer": "2", "extracted_answer": "2"},
                {"score": 0.0, "correct_answer": "4", "extracted_answer": "5"},
            ]
        },
    }
    found = imported(tmp_path, written(tmp_path / "math_gpt.json", whole=whole), model="gpt", task="math")
    assert [(row["question"], row["gold"], row["correct"], row["logged_correct"]) for row in found] == [
        ("What is 1 + 1?", "2", True, True),
        ("What is 2 + 2?", "4", False, False),
    ]


def simple_evals_page(gold: str, extracted: str, score: str) -> str:
    """A conversation's page, whose texts simple-evals escapes."""
    return (
        "<h3>Sampled message</h3>\n<pre>&lt;p&gt;Correct Answer: 9&lt;/p&gt;</pre>\n<h3>Results</h3>\n"
        f"<p>Correct Answer: {gold}</p>\n<p>Extracted Answer: {extracted}</p>\n<p>Score: {score}</p>\n"
    )


def test_simple_evals_golds_and_verdicts_stand_on_its_pages(tmp_path: Path) -> None:
    """As an installed simple-evals (nvidia-simple-evals 26.3) writes them: most evaluations tell no metadata."""
    said: list[tuple[str, dict[str, str], str]] = [
        ("1 &lt; x?", {"content": "Answer: x > 1"}, simple_evals_page("x&gt;1", "x &gt; 1", "1.0")),
        ("1 + 1?", {"content": "Answer: 2", "reasoning_content": "one"}, simple_evals_page("2", "2", "True")),
        ("1 + 1?", {"content": ""}, simple_evals_page("2", "None", "0.0")),
    ]
    whole = {
        "task_name": "sums",
        "score": 2 / 3,
        "metrics": {},
        "htmls": [page for *_, page in said],
        "convos": [[{"role": "user", "content": asked}, {"role": "assistant"} | reply] for asked, reply, _ in said],
    }
    found = imported(tmp_path, written(tmp_path / "sums_allresults.json", whole=whole), model="m")
    assert [
        (row["task"], row["gold"], row["sample_index"], row["correct"], row["logged_correct"]) for row in found
    ] == [("sums", "x>1", 0, True, True), ("sums", "2", 0, True, True), ("sums", "2", 1, False, False)]
    assert [row["logged_extracted"] for row in found] == ["x > 1", "2", None]
    assert (found[1]["thinking"], found[1]["answer"]) == ("one", "Answer: 2")
    assert "null" not in str(found[2]["reason"]), "an empty reply is none that is missing"


def test_simple_evals_file_names_tell_task_and_model(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "Answer: 2"}]
    whole = {"score": 1.0, "metrics": {}, "htmls": [simple_evals_page("2", "2", "1.0")], "convos": [turns]}
    path = written(tmp_path / "math_gpt-4.1_20250502_123456_allresults.json", whole=whole)
    row = imported(tmp_path, path)[0]
    assert (row["task"], row["model"], row["correct"]) == ("math", "gpt-4.1", True)


def test_every_eval_evers_instances(tmp_path: Path) -> None:
    record = {
        "schema_version": "0.2.2",
        "evaluation_id": "aime/m/1",
        "model_id": "org/m",
        "evaluation_name": "aime24",
        "sample_id": "s1",
        "interaction_type": "single_turn",
        "input": {"raw": "What is 1 + 1?", "reference": ["2"]},
        "output": {"raw": ["It is \\boxed{2}"], "reasoning_trace": ["one and one"]},
        "answer_attribution": [],
        "evaluation": {"score": 1.0, "is_correct": True},
    }
    row = imported(tmp_path, written(tmp_path / "x_samples.jsonl", record))[0]
    assert (row["model"], row["task"], row["problem_id"]) == ("org/m", "aime24", "s1")
    assert (row["thinking"], row["answer"], row["logged_correct"]) == ("one and one", "It is \\boxed{2}", True)


def test_plain_rows_are_read_by_their_usual_names_and_by_map(tmp_path: Path) -> None:
    usual = written(
        tmp_path / "usual.jsonl", {"question": "1 + 1?", "answer": "2", "response": "\\boxed{2}", "model": "m"}
    )
    assert imported(tmp_path, usual, task="t")[0]["correct"] is True
    odd = written(
        tmp_path / "odd.jsonl",
        {
            "q": "1 + 1?",
            "a": {"x": "2"},
            "said": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "\\boxed{2}"}],
            "nr": 4,
        },
    )
    with pytest.raises(UserError, match=r"rows with the fields q, a, said, nr\).*--map response=FIELD"):
        import_files([odd], tmp_path / "never")
    found = mapping(["question=q", "gold=a.x", "response=said", "id=nr"])
    (tmp_path / "out2").mkdir()
    row = imported(tmp_path / "out2", odd, fields=found, model="m", task="t")[0]
    assert (row["problem_id"], row["gold"], row["correct"]) == ("4", "2", True)
    for wrong in ("answer=a", "gold", "gold=a"):
        with pytest.raises(UserError, match="--map"):
            mapping([wrong])


@pytest.mark.parametrize(
    ("name", "data", "named"),
    [
        ("a.jsonl", b"PK\x03\x04rest", "a zip archive"),
        ("a.json", b"\x28\xb5\x2f\xfdrest", "compressed with zstd"),
        ("a.jsonl", "{}\n".encode("utf-16"), "UTF-16"),
        ("a.jsonl", b"\x00\x01\x02", "a binary file"),
        ("a.csv", b"a,b\n1,2\n", "not JSON"),
        ("a.jsonl", b'{"loss": 1, "step": 3}\n', r"not known \(rows with the fields loss, step\)"),
        ("a.jsonl", b"", "the file is empty"),
    ],
)
def test_a_file_of_another_kind_is_named_as_what_it_is(tmp_path: Path, name: str, data: bytes, named: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=named):
        import_files([tmp_path / name], tmp_path / "out")
    assert not (tmp_path / "out").exists(), "before any work"


def test_the_packings_of_a_log_do_not_matter(tmp_path: Path) -> None:
    lines = [lm_eval_line(0, exact_match=float("nan")), lm_eval_line(1, target="\ud835 2")]
    text = "\n".join(map(json.dumps, lines))
    files = {
        "plain.jsonl": text.encode(),
        "marked.jsonl": b"\xef\xbb\xbf" + text.encode(),
        "packed.jsonl.gz": gzip.compress(text.encode()),
        "array.json": json.dumps(lines).encode(),
        "array.jsonl": json.dumps(lines, indent=2).encode(),
        "crlf.jsonl": text.replace("\n", "\r\n").encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        log = read_log(tmp_path / name)
        assert [one.gold for one in log.samples] == ["2", "\ufffd 2"] and not log.skipped, name
        assert log.num_replaced == 1, name
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress((text + "\n").encode() * 200)[:-20])
    assert len(read_log(tmp_path / "cut.jsonl.gz").samples) > 1 and read_log(tmp_path / "cut.jsonl.gz").skipped


@pytest.mark.parametrize(
    "arguments",
    [
        {"gen_args_0": {"arg_0": "p", "arg_1": {"max_tokens_thinking": 500}}},  # 0.4.3 and later
        [["p", {"max_tokens_thinking": 500}]],  # up to 0.4.2
        ["p", {"max_tokens_thinking": 500}],
        {"gen_args_0": {"arg_0": ['[{"role": "user", "content": "p"}]'], "arg_1": {"max_tokens_thinking": 500}}},
    ],
)
def test_arguments_are_read_in_every_form_that_lm_eval_wrote(tmp_path: Path, arguments: Any) -> None:
    sample = read_log(written(tmp_path / "samples_a.jsonl", lm_eval_line(arguments=arguments))).samples[0]
    assert (sample.prompt, sample.kwargs) == ("p", {"max_tokens_thinking": 500})


@pytest.mark.parametrize(
    "pairs", [[[["-1.5", "False"]], [["-0.5", "True"]]], [[-1.5, False], [-0.5, True]], [-1.5, -0.5]]
)
def test_logs_of_likelihoods_are_refused_with_a_sentence(tmp_path: Path, pairs: Any) -> None:
    path = written(tmp_path / "samples_mmlu.jsonl", lm_eval_line(resps=pairs, filtered_resps=pairs, target=0))
    with pytest.raises(UserError, match=r"log of log-likelihoods.*generate_until"):
        read_log(path)


@pytest.mark.parametrize(
    ("doc", "target", "letter"),
    [
        ({"choices": ["0", "4", "2", "6"], "answer": 1}, 1, "B"),  # MMLU: the number of the option
        ({"options": ["x", "y", "z"], "answer": "C", "answer_index": 2}, "C", "C"),  # MMLU-Pro
        ({"option_a": "x", "option_b": "y", "option_c": "z", "answer": "B"}, "B", "B"),  # Global-MMLU
        ({"choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, "answerKey": "3"}, "3", "C"),  # ARC
        ({"choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"}, None, "B"),
        ({"choice1": "x", "choice2": "y", "choices": ["x", "y"], "answer": "(B)"}, "(B)", "B"),  # GPQA
        ({"choices": ["red", "green"], "answer": "green"}, "green", "B"),
        ({"choices": ["red", "green"]}, ["(B)"], "B"),
        ({"choices": ["A) red", "B) green"]}, "B) green", "B"),
        ({"opa": "x", "opb": "y", "opc": "z", "opd": "w", "cop": 3}, 3, "D"),  # MedMCQA
    ],
)
def test_options_and_golds_of_choice_questions(tmp_path: Path, doc: dict[str, Any], target: Any, letter: str) -> None:
    record = lm_eval_line(response=f"I pick ({letter}).", doc={"question": "which?"} | doc, target=target)
    row = imported(tmp_path, written(tmp_path / "samples_any_task.jsonl", record), model="m")[0]
    assert (row["kind"], row["gold"], row["correct"]) == ("choice", letter, True)
    assert len(row["choices"]) >= 2


@pytest.mark.parametrize(
    ("candidates", "golds"),
    [
        ((None, "4"), ("4",)),
        ((["3"],), ("3",)),
        ((["4", "four"],), ("4", "four")),
        (("['a', 'b']",), ("a", "b")),
        (("So 2+2.\n#### 1,234",), ("1,234",)),
        (("We get \\boxed{\\frac12}.",), ("\\frac12",)),
        ((4.0,), ("4.0",)),
        (("[1, 2]",), ("[1, 2]",)),
        (("", [], None), ()),
    ],
)
def test_golds_in_every_form(candidates: tuple[Any, ...], golds: tuple[str, ...]) -> None:
    assert gold_of(*candidates)[0] == golds


def test_any_of_several_golds_may_be_met(tmp_path: Path) -> None:
    record = lm_eval_line(response="\\boxed{\\frac12}", target=["seven", "0.5"])
    row = imported(tmp_path, written(tmp_path / "samples_t.jsonl", record), model="m")[0]
    assert (row["correct"], row["gold"]) == (True, "0.5")
    assert letter_of(("no letter",), None, ()) is None and options_of({"choices": ["alone"]}) == ((), ())


def test_two_filters_are_one_generation_with_two_verdicts(tmp_path: Path) -> None:
    filters = [("strict-match", 0.0), ("flexible-extract", 1.0)]
    lines = [lm_eval_line(n, filter=name, exact_match=score) for name, score in filters for n in range(3)]
    summary = import_files([written(tmp_path / "samples_t.jsonl", *lines)], tmp_path / "out", model="m")[0]
    assert len(rows(tmp_path / "out")) == 3
    assert "its filters: strict-match 0.0 %, flexible-extract 100.0 %" in summary


TWO_FILTERS = {
    "configs": {"t": {"filter_list": [{"name": "strict-match"}, {"name": "flexible-extract"}]}},
    "results": {"t": {"exact_match,strict-match": 0.25, "exact_match,flexible-extract": 0.75, "alias": "t"}},
}


@pytest.mark.parametrize(
    ("beside", "names"),
    [
        (None, ("filter 1", "filter 2")),
        ({"configs": {"other": {}}}, ("filter 1", "filter 2")),
        (TWO_FILTERS, ("strict-match", "flexible-extract")),
        ({"results": TWO_FILTERS["results"]}, ("strict-match", "flexible-extract")),
    ],
)
@pytest.mark.parametrize("order", ["by filter", "by problem"])
def test_filters_that_no_line_names_have_an_accuracy_each(
    tmp_path: Path, beside: dict[str, Any] | None, names: tuple[str, str], order: str
) -> None:
    """lm-eval before 0.4.7: the second line of a generation is that of the second filter of the results file."""
    right = ({0}, {0, 2, 3})
    lines = [lm_eval_line(n, exact_match=float(n in numbers)) for numbers in right for n in range(4)]
    if order == "by problem":
        lines.sort(key=lambda line: line["doc_id"])
    path = written(tmp_path / "samples_t_2024-01-02T03-04-05.jsonl", *lines)
    if beside:
        written(tmp_path / "results_2024-01-02T03-04-05.json", whole=beside)
    summary = import_files([path], tmp_path / "out", model="m")[0]
    assert f"its filters: {names[0]} 25.0 %, {names[1]} 75.0 %" in summary
    assert "4 responses to 4 problems" in summary and "in the log 25.0 %" in summary
    config = json.loads(pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()[0]["config"])
    assert config["logged_by_filter"] == {names[0]: 0.25, names[1]: 0.75}


def test_a_second_filter_that_is_cut_says_of_how_many_problems_it_tells(tmp_path: Path) -> None:
    lines = [lm_eval_line(n, exact_match=0.0) for n in range(4)] + [lm_eval_line(n, exact_match=1.0) for n in range(3)]
    summary = import_files([written(tmp_path / "samples_t.jsonl", *lines)], tmp_path / "out", model="m")[0]
    assert "its filters: filter 1 0.0 %, filter 2 100.0 % (of 3)" in summary


def test_lines_that_stand_there_twice_are_no_filters(tmp_path: Path) -> None:
    lines = [lm_eval_line(n, exact_match=float(n)) for n in range(2)] * 2
    summary = import_files([written(tmp_path / "samples_t.jsonl", *lines)], tmp_path / "out", model="m")[0]
    assert "2 responses to 2 problems" in summary and "filter" not in summary


def test_samples_in_lines_of_their_own_stay_samples_where_two_of_them_are_equal(tmp_path: Path) -> None:
    texts = ["\\boxed{2}", "\\boxed{2}", "\\boxed{3}"]
    lines = [lm_eval_line(0, response=text) for text in texts]
    found = imported(tmp_path, written(tmp_path / "samples_t.jsonl", *lines), model="m")
    assert [(row["sample_index"], row["correct"]) for row in found] == [(0, True), (1, True), (2, False)]


def test_two_equal_samples_under_one_filter_are_two_samples(tmp_path: Path) -> None:
    lines = [lm_eval_line(0, filter="none"), lm_eval_line(0, filter="none")]
    assert [
        row["sample_index"] for row in imported(tmp_path, written(tmp_path / "samples_t.jsonl", *lines), model="m")
    ] == [0, 1]


def test_names_of_files_and_folders() -> None:
    assert name_from(Path("logs/samples_aime24_2026-01-02T03-04-05.123.jsonl")) is None, "a date is no model"
    assert name_from(Path("logs/org__m/samples_aime24_2026-01-02T03-04-05.jsonl")) == "org/m"
    assert name_from(Path("logs/__data__m/samples_aime24_2026-01-02T03-04-05.jsonl")) == "m"
    assert name_from(Path("pretrained__org_m_aime24.jsonl")) == "pretrained__org_m"
    assert task_of(Path("samples_mmlu_pro_2026-01-02T03-04-05.jsonl")) == "mmlu_pro"


def test_settings_come_from_the_results_file_of_the_same_date(tmp_path: Path) -> None:
    folder = tmp_path / "org__m"
    path = written(folder / "samples_t_2026-01-02T03-04-05.jsonl", lm_eval_line(arguments=[["p", {}]]))
    task = {"output_type": "generate_until", "generation_kwargs": {"temperature": 0.5}}
    written(folder / "results_2025-01-01T00-00-00.json", whole={"config": {"gen_kwargs": "max_tokens_thinking=9"}})
    written(
        folder / "results_2026-01-02T03-04-05.json",
        whole={
            "config": {
                "gen_kwargs": "max_tokens_thinking=500,thinking_n_ignore=2",
                "model_args": {"pretrained": "org/m-2"},
            },
            "configs": {"t": task},
        },
    )
    row = imported(tmp_path, path)[0]
    assert (row["model"], row["max_thinking_tokens"], row["num_ignores"], row["thinking_budget"]) == (
        "org/m-2",
        500,
        2,
        "500",
    )
    assert json.loads(row["gen_kwargs"])["temperature"] == 0.5


def test_a_folder_gives_its_logs_and_not_its_summaries(tmp_path: Path) -> None:
    for name in ("samples_t_x.jsonl", "results_x.json", "details_a.parquet", "b.eval", "config.json"):
        (tmp_path / name).write_bytes(b"{}")
    assert [path.name for path in expand([tmp_path])] == ["b.eval", "details_a.parquet", "samples_t_x.jsonl"]
    assert Log(tmp_path).samples == []


def test_bare_letters_are_no_options_and_deep_or_mixed_lines_are_left_out(tmp_path: Path) -> None:
    doc = {"question": "Which?\n(A) red\n(B) green", "choices": ["A", "B"], "answer": 1}
    record = lm_eval_line(response="The answer is (B).", doc=doc, target=1)
    deep = json.dumps(lm_eval_line(1)).replace('"prompt 1"', "[" * 400 + "]" * 400)
    likely = lm_eval_line(2, resps=[[["-1.5", "False"]]])
    path = tmp_path / "samples_t.jsonl"
    path.write_text("\n".join([json.dumps(record), json.dumps(record | {"doc_id": 5}), deep, json.dumps(likely)]))
    log = read_log(path)
    assert [reason for _, reason in log.skipped] == ["nested more than 100 deep", "log-likelihoods"]
    row = imported(tmp_path, path, model="m")[0]
    assert (row["gold"], row["choices"], row["correct"]) == ("B", [], True)


LETTERED = {"question": "Which barks?", "choices": ["a cat", "a dog"], "answer": 1}
SCORED: dict[str, tuple[dict[str, Any], tuple[str, tuple[str, ...], str]]] = {
    "today's requests": (
        {"arguments": {"gen_args_0": {"arg_0": "p", "arg_1": " cat"}, "gen_args_1": {"arg_0": "p", "arg_1": " dog"}}},
        ("B", ("cat", "dog"), "B"),
    ),
    "lists of requests": ({"arguments": [["p", " cat"], ["p", " dog"]]}, ("B", ("cat", "dog"), "B")),
    "bare letters": ({"arguments": [["p", " A"], ["p", " B"]], "doc": LETTERED}, ("B", ("a cat", "a dog"), "B")),
    "mutual information": (
        {
            "arguments": [["p", " cat"], ["p", " dog"], ["", " cat"], ["", " dog"]],
            "resps": [[[-1.5, False]], [[-0.5, False]], [[-0.1, False]], [[-9.0, False]]],
        },
        ("B", ("cat", "dog"), "B"),
    ),
    "equally likely": (
        {"arguments": [["p", " cat"], ["p", " dog"]], "resps": [[[-1.0, False]], [[-1.0, False]]]},
        ("A", ("cat", "dog"), "B"),
    ),
}


@pytest.mark.parametrize(("changes", "expected"), SCORED.values(), ids=SCORED)
def test_a_choice_by_likelihood_is_the_likeliest_options_letter(tmp_path: Path, changes: Any, expected: Any) -> None:
    pairs = [[["-1.5", "False"]], [["-0.5", "True"]]]
    line = lm_eval_line(
        **{"resps": pairs, "filtered_resps": pairs, "target": 1, "doc": {"question": "Barks?"}} | changes
    )
    row = imported(tmp_path, written(tmp_path / "samples_pets_2026-01-01T00-00-00.jsonl", line), model="m")[0]
    answer, choices, gold = expected
    assert (row["answer"], tuple(row["choices"]), row["gold"], row["kind"]) == (answer, choices, gold, "choice")
    assert row["correct"] is (answer == gold) and row["prompt"] == "p"
    assert row["thinking_tokens"] is row["answer_tokens"] is None
