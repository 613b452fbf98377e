"""harness.data.reading and shapes: pools as people have them, taken whole or answered with one line."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data import load as pool
from harness.data.shapes import mapped
from harness.errors import UserError
from tests.pools import SHARED

RESPONSE = "<think>\nFirst 1+1.\n\nThat is 2.\n</think>\n\nThe answer is \\boxed{2}."
TRACE, ATTEMPT, QUESTION = "First 1+1.\n\nThat is 2.", "The answer is \\boxed{2}.", "What is 1+1?"
USER, ASSISTANT = {"role": "user", "content": QUESTION}, {"role": "assistant", "content": RESPONSE}
PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": TRACE}]}, {"type": "text", "text": ATTEMPT}]
SKY = (
    f"<|begin_of_thought|>\n\n{TRACE}\n\n<|end_of_thought|>\n\n"
    f"<|begin_of_solution|>\n\n{ATTEMPT}\n\n<|end_of_solution|>"
)
LLAMA = (
    f"<|start_header_id|>user<|end_header_id|>\n\n{QUESTION}<|eot_id|>"
    f"<|start_header_id|>assistant<|end_header_id|>\n\n{RESPONSE}<|eot_id|>"
)
# What published sets and users' files look like; all say the same.
SHAPES: dict[str, dict[str, Any]] = {
    "messages": {"messages": [USER, ASSISTANT]},
    "messages with a system turn": {"messages": [{"role": "system", "content": "Be good."}, USER, ASSISTANT]},
    "several turns": {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}, USER, ASSISTANT]
    },
    "an answer and one more question": {"messages": [USER, ASSISTANT, {"role": "user", "content": "Thanks"}]},
    "content in parts": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
            {"role": "assistant", "content": [{"type": "text", "text": RESPONSE}]},
        ]
    },
    "thinking in parts": {"messages": [USER, {"role": "assistant", "content": PARTS}]},
    "reasoning_content": {"messages": [USER, {"role": "assistant", "reasoning_content": TRACE, "content": ATTEMPT}]},
    "ShareGPT": {"conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": RESPONSE}]},
    "OpenThoughts": {
        "system": "Think.",
        "conversations": [{"from": "user", "value": QUESTION}, {"from": "assistant", "value": SKY}],
    },
    "OpenThoughts metadata": {
        "problem": QUESTION,
        "deepseek_reasoning": TRACE,
        "deepseek_solution": ATTEMPT,
        "ground_truth_solution": "2",
        "domain": "math",
    },
    "prompt and completion": {"prompt": QUESTION, "completion": RESPONSE},
    "conversational prompt and completion": {"prompt": [USER], "completion": [ASSISTANT]},
    "preferences": {"prompt": [USER], "chosen": [USER, ASSISTANT], "rejected": [USER]},
    "Nemotron": {"input": [USER], "output": RESPONSE, "category": "math"},
    "Alpaca": {"instruction": "What is", "input": "1+1?", "output": RESPONSE},
    "query and response": {"query": QUESTION, "response": RESPONSE},
    "problem and generated_solution": {"problem": QUESTION, "generated_solution": RESPONSE, "expected_answer": "2"},
    "capitals": {"Question": QUESTION, "Complex_CoT": TRACE, "Response": ATTEMPT},
    "answer holds all": {"question": QUESTION, "answer": RESPONSE},
    "solution holds all": {"problem": QUESTION, "solution": RESPONSE, "answer": "2"},
    "attempt holds all": {"question": QUESTION, "thinking": "", "attempt": RESPONSE},
    "thinking in its marks": {"problem": QUESTION, "reasoning": f"<think>\n{TRACE}\n</think>", "response": ATTEMPT},
    "a chat as text": {"text": LLAMA},
    "AM-DeepSeek-R1-Distilled": {
        "messages": [
            {**USER, "info": {"source": "x", "reference_answer": "2", "think_content": None}},
            {
                "role": "assistant",
                "content": f"<think>{TRACE}</think><answer>{ATTEMPT}</answer>",
                "info": {"source": "x", "reference_answer": None, "think_content": TRACE},
            },
        ]
    },
    "Chinese-DeepSeek-R1-Distill": {"input": QUESTION, "content": ATTEMPT, "reasoning_content": TRACE, "score": 10},
    "R1-Distill-SFT": {"id": "1", "reannotated_assistant_content": RESPONSE, "problem": QUESTION, "solution": "2"},
    "GeneralThought": {
        "question_id": 1,
        "question": QUESTION,
        "reference_answer": "2",
        "prev_messages": None,
        "model_answer": ATTEMPT,
        "model_reasoning": TRACE,
        "verifier_score": 1.0,
    },
    "dolphin-r1": {"messages": [{"role": "system", "content": "s"}, USER], "reasoning": TRACE, "answer": ATTEMPT},
    "Magpie with R1": {
        "conversation_id": "c",
        "instruction": QUESTION,
        "response": RESPONSE,
        "reward": 0.3,
        "conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": RESPONSE}],
    },
    "Multilingual-Thinking": {
        "reasoning_language": "French",
        "developer": "d",
        "user": QUESTION,
        "analysis": TRACE,
        "final": ATTEMPT,
        "messages": [
            {"role": "user", "content": QUESTION, "thinking": None},
            {"role": "assistant", "content": ATTEMPT, "thinking": TRACE},
        ],
    },
    "long_form_thought": {"question": QUESTION, "combined_text": SKY, "domain": "math"},
    "verl's roll-outs": {
        "prompt": [USER],
        "reward_model": {"style": "rule", "ground_truth": "2"},
        "responses": [RESPONSE],
        "scores": [1.0],
    },
    "OpenO1": {"instruction": QUESTION, "output": f"<Thought>{TRACE}</Thought><Output>{ATTEMPT}</Output>"},
    "Reflection": {"prompt": QUESTION, "response": f"<thinking>{TRACE}</thinking>\n<output>\n{ATTEMPT}\n</output>"},
    "Granite": {
        "question": QUESTION,
        "response": f"Here is my thought process:\n{TRACE}\nHere is my response:\n{ATTEMPT}",
    },
    "a prompt in the template's words": {
        "prompt": f"<|im_start|>system\nBe good.<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n"
        "<|im_start|>assistant\n",
        "completion": f"{RESPONSE}<|im_end|>",
    },
    "turns as a JSON text": {"messages": json.dumps([USER, ASSISTANT])},
    "human and assistant": {"human": QUESTION, "assistant": RESPONSE},
    "inputs and targets": {"inputs": QUESTION, "targets": RESPONSE},
    "capital marks": {"question": QUESTION, "response": f"<THINK>{TRACE}</THINK>{ATTEMPT}"},
    "a thought in an object": {"question": QUESTION, "reasoning": {"text": TRACE}, "answer": ATTEMPT},
    "thinking and response": {"question": QUESTION, "thinking": TRACE, "response": ATTEMPT},
    "thinking and a whole answer": {"question": QUESTION, "thinking": TRACE, "answer": ATTEMPT},
    "thinking in its marks, attempt": {
        "question": QUESTION,
        "thinking": f"<think>\n{TRACE}\n</think>",
        "attempt": ATTEMPT,
    },
    "thinking holds all": {"question": QUESTION, "thinking": RESPONSE},
    "reasoning holds all": {"problem": QUESTION, "reasoning": RESPONSE, "answer": "2"},
    "thinking in pieces": {"question": QUESTION, "thinking": ["First 1+1.\n", "That is 2."], "attempt": ATTEMPT},
    "thinking is a switch": {"question": QUESTION, "thinking": True, "response": RESPONSE},
    "natural_reasoning": {
        "question": QUESTION,
        "reference_answer": "2",
        "responses": [{"response_model": "m", "response": RESPONSE}],
    },
    "a response as a message": {"question": QUESTION, "response": {"reasoning_content": TRACE, "content": ATTEMPT}},
    "a response as an object": {"question": QUESTION, "response": {"thinking": TRACE, "answer": ATTEMPT}},
    "messages as generations": {"problem": QUESTION, "generations": [{"reasoning_content": TRACE, "content": ATTEMPT}]},
    "choices": {
        "prompt": QUESTION,
        "choices": [{"index": 0, "message": {"content": ATTEMPT, "reasoning_content": TRACE}, "finish_reason": "stop"}],
    },
    "steps in objects": {
        "question": QUESTION,
        "response": ATTEMPT,
        "reasoning_steps": [{"step": 1, "text": "First 1+1.\n"}, {"step": 2, "text": "That is 2."}],
    },
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Arrow cache of this test alone."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def loaded(path: Path, **told: str) -> list[dict[str, Any]]:
    return list(pool.load_with_report(str(path), None, told).dataset.to_list())


IN_FILES = [(shape, ".jsonl") for shape in SHAPES] + [
    (shape, ".parquet")
    for shape in SHAPES
    if shape != "thinking in parts"  # text and a list: no one Arrow type
]


@pytest.mark.parametrize(("shape", "suffix"), IN_FILES)
def test_a_row_of_any_common_shape_has_its_question_trace_and_answer(tmp_path: Path, shape: str, suffix: str) -> None:
    path = tmp_path / f"pool{suffix}"
    if suffix == ".jsonl":
        write(path, [SHAPES[shape]])
    else:
        pq.write_table(pa.Table.from_pylist([SHAPES[shape]]), path)
    (row,) = loaded(path)
    asked = "What is\n\n1+1?" if shape == "Alpaca" else QUESTION
    assert (row["question"], row["thinking"], row["attempt"]) == (asked, TRACE, ATTEMPT)


def test_several_responses_under_the_name_of_one_are_rows_of_their_own(tmp_path: Path) -> None:
    other = RESPONSE.replace("First", "Then")
    found = loaded(write(tmp_path / "pool.jsonl", [{"question": QUESTION, "generated_text": [RESPONSE, other]}]))
    assert [row["thinking"] for row in found] == [TRACE, TRACE.replace("First", "Then")]


def test_the_label_of_a_preference_is_no_gold_answer_but_a_yes_is(tmp_path: Path) -> None:
    (one,) = loaded(write(tmp_path / "kto.jsonl", [{"prompt": QUESTION, "completion": RESPONSE, "label": True}]))
    assert one["answer"] == "" and json.loads(one["metadata"]) == {"label": True}
    (one,) = loaded(write(tmp_path / "yes.jsonl", [{"question": "Is it?", "answer": True, "response": RESPONSE}]))
    assert one["answer"] == "True"


def test_the_whole_prompt_of_a_chats_text_is_kept_and_said(tmp_path: Path) -> None:
    record = SHAPES["a prompt in the template's words"]
    found = pool.load_with_report(str(write(tmp_path / "pool.jsonl", [record])))
    assert json.loads(found.dataset[0]["metadata"])["prompt"] == record["prompt"]
    assert found.notes == ("1 rows whose prompt is the text of a chat, of which the last question is taken",)
    plain = {"prompt": "What does <|im_start|> mean?", "response": RESPONSE}
    assert loaded(write(tmp_path / "plain.jsonl", [plain]))[0]["question"] == plain["prompt"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"problem": QUESTION, "qwq": f"{TRACE} {ATTEMPT}" * 30}, "name the trace with --map thinking=qwq"),
        (
            {"question": QUESTION, "own_words": RESPONSE, "solution": "x"},
            "name the trace with --map thinking=own_words",
        ),
        ({"problem": QUESTION, "messages": [USER, {"role": "assistant", "content": TRACE}]}, "'messages' may hold one"),
        (
            {"input": QUESTION, "output": [{"type": "message", "content": []}]},
            "a content with a part of type 'message'",
        ),
        ({"custom_id": "1", "response": {"body": {}}}, "no known shape: columns custom_id, response"),
        ({"segments": [{"label": True, "text": RESPONSE}]}, "no known shape: columns segments"),
        ({"messages": "[broken"}, "'messages' is no list of turns"),
    ],
)
def test_a_shape_that_is_not_known_is_one_line_that_names_what_may_be_meant(
    tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        loaded(write(tmp_path / "pool.jsonl", [record]))
    assert "\n" not in str(caught.value)


def test_what_is_not_trained_of_a_chat_is_kept_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "pool.jsonl", [SHAPES["messages with a system turn"], SHAPES["several turns"]])
    path.write_text(path.read_text().replace("Hi", "Good day").replace(QUESTION, "What is one more?", 1))
    found = pool.load_with_report(str(path))
    kept = [json.loads(text) for text in found.dataset["metadata"]]
    assert kept[0]["system"] == "Be good."
    assert kept[1]["earlier_turns"] == [
        {"role": "user", "content": "Good day"},
        {"role": "assistant", "content": "Hello."},
    ]
    assert [note.split(",")[0] for note in found.notes] == ["1 rows with a system turn", "1 rows with several turns"]


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([USER, {"role": "tool", "content": "2"}, ASSISTANT], "a turn of a tool"),
        ([USER, {"role": "narrator", "content": "2"}], "the role 'narrator'"),
        ([ASSISTANT], "without a user's turn"),
        (
            [USER, {"role": "assistant", "content": [{"type": "image_url", "image_url": "x"}]}],
            "part of type 'image_url'",
        ),
    ],
)
def test_a_chat_that_is_no_question_and_answer_is_left_out_with_its_reason(
    tmp_path: Path, turns: list[Any], why: str
) -> None:
    path = write(tmp_path / "pool.jsonl", [{"messages": turns}, SHAPES["messages"]])
    found = pool.load_with_report(str(path))
    assert len(found.dataset) == 1 and why in found.broken[0][1]


def test_k_generations_are_k_rows_each_with_its_own_grade_and_end(tmp_path: Path) -> None:
    record = {
        "problem": QUESTION,
        "answer": "2",
        "uuid": "u1",
        "generations": [RESPONSE, "<think>\ncut", RESPONSE],
        "correctness_math_verify": [True, False, None],
        "finish_reasons": ["stop", "length", "stop"],
        "messages": [USER, ASSISTANT],
    }
    found = pool.load_with_report(str(write(tmp_path / "pool.jsonl", [record])))
    rows, kept = found.dataset.to_list(), [json.loads(text) for text in found.dataset["metadata"]]
    assert [row["id"] for row in rows] == ["u1#1", "u1#2", "u1#3"]
    assert [row["thinking"] for row in rows] == [TRACE, "cut", TRACE]
    assert [one.get("attempt_correct") for one in kept] == [True, False, None]
    assert [one["finish"] for one in kept] == ["stop", "length", "stop"]
    assert (found.num_traces, found.num_questions) == (3, 1)
    assert found.summary == "3 rows, 3 with a trace to 1 questions"


def test_two_teachers_files_of_the_same_questions_are_both_taken(tmp_path: Path) -> None:
    one = {"id": "a", "question": QUESTION, "thinking": "T1", "attempt": "2"}
    write(tmp_path / "one.jsonl", [one])
    write(tmp_path / "two.jsonl", [{**one, "thinking": "T2"}, {**one, "question": "Another?"}, one])
    found = pool.load_with_report(str(tmp_path))
    assert found.dataset["id"][:] == ["a", "a#2", "two/a"]
    assert [why for _, why in found.broken] == ["id 'a' repeats one.jsonl line 1"]


ROWS = [{"question": f"What is {n}?", "thinking": f"Well, {n};\n\nso, {n}.", "attempt": str(n)} for n in range(3)]


def containers(folder: Path) -> dict[str, Path]:
    """The same rows in every kind of file and folder."""
    folder.mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    texts = {
        "lines.ndjson": lines,
        "array.json": json.dumps(ROWS),
        "array.jsonl": json.dumps(ROWS),
        "pretty.json": json.dumps(ROWS, indent=2),
        "pretty.jsonl": "\n".join(json.dumps(row, indent=2) for row in ROWS),
        "lines.json": "\ufeff" + lines,
        "held.json": json.dumps({"version": 1, "data": ROWS}, indent=1),
        "viewer.json": json.dumps({"features": [], "rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)]}),
        "columns.json": json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}),
        "pandas.json": pandas.DataFrame(ROWS).to_json(),
        "index.json": pandas.DataFrame(ROWS).to_json(orient="index"),
        "table.csv": pandas.DataFrame(ROWS).to_csv(index=False),
        "table.tsv": pandas.DataFrame(ROWS).to_csv(index=False, sep="\t"),
        "semicolon.csv": pandas.DataFrame(ROWS).to_csv(index=False, sep=";"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    with gzip.open(folder / "lines.jsonl.gz", "wt") as file:
        file.write(lines)
    with gzip.open(folder / "pretty.json.gz", "wt") as file:
        file.write(texts["pretty.json"])
    with gzip.open(folder / "table.csv.gz", "wt") as file:
        file.write(texts["table.csv"])
    with bz2.open(folder / "lines.jsonl.bz2", "wt") as file:
        file.write(lines)
    (folder / "packed.jsonl").write_bytes(gzip.compress(lines.encode()))  # packed, whatever its name says
    data = datasets.Dataset.from_list(ROWS)
    data.to_parquet(folder / "rows.parquet")
    data.save_to_disk(folder / "saved")
    datasets.DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(folder / "saved_dict")
    clone = folder / "clone" / "data"
    clone.mkdir(parents=True)
    data.to_parquet(clone / "train-00000-of-00001.parquet")
    data.select([0]).to_parquet(clone / "test-00000-of-00001.parquet")
    (folder / "clone" / "README.md").write_text("A clone of a hub data set.")
    return {path.name: path for path in sorted(folder.iterdir())}


def test_the_rows_are_the_same_from_every_kind_of_file_and_folder(tmp_path: Path) -> None:
    for name, path in containers(tmp_path / "files").items():
        found = pool.load_with_report(str(path))
        assert found.broken == (), name
        assert [{key: row[key] for key in ROWS[0]} for row in found.dataset] == ROWS, name


def test_a_table_keeps_commas_line_ends_and_nested_cells(tmp_path: Path) -> None:
    path = tmp_path / "pool.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Problem ", "generations", "is_correct", "thinking_tokens", "level"])
        writer.writerow(['A, "b"\nc?', json.dumps([RESPONSE, RESPONSE + "!"]), "True", "", "5"])
        writer.writerow(["Q", str([RESPONSE]), "", "", ""])
        writer.writerow(["only one cell"])
    found = pool.load_with_report(str(path))
    assert found.dataset["question"][:] == ['A, "b"\nc?', 'A, "b"\nc?', "Q"]
    assert json.loads(found.dataset[0]["metadata"]) == {"attempt_correct": True, "is_correct": True, "level": "5"}
    assert found.broken == (("pool.csv row 3 (line 5)", "1 cells under 5 column names"),)


def test_a_document_that_is_cut_gives_what_is_whole_and_says_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    path.write_text(json.dumps(ROWS, indent=1)[:-40])
    found = pool.load_with_report(str(path))
    assert len(found.dataset) == 2
    assert found.broken[0][0].startswith("pool.json record 3 (line ") and "cut or broken" in found.broken[0][1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pool.zip", b"PK", "unpack it"),
        ("pool.jsonl.zst", b"x", "decompress it with `zstd -d`"),
        ("pool.xlsx", b"PK", "save the sheet as .csv"),
        ("pool.txt", b"x", "name it .jsonl, .json, .csv"),
        ("pool.csv", b"\xff\xfea\x00", "UTF-16; save it as UTF-8"),
        ("pool.csv", b"question,thinking\n\xe9,x\n", r"not UTF-8 \(byte 18\)"),
        ("pool.json", b"[]", "no usable row"),
        ("pool.json", b'{"model": "x", "loss": 1}', "no known shape: columns loss, model"),
        ("pool.csv", b"a,a\n1,2\n", "two columns named 'a'"),
        ("pool.jsonl.gz", b"not packed", "not compressed as .gz says"),
        ("pool.parquet", b"PAR1", "cannot be read"),
        ("pool.arrow", b"no", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        pool.load(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_an_empty_folder_and_a_set_without_a_train_split_are_the_users_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.md").write_text("x")
    with pytest.raises(UserError, match=r"holds no \.jsonl.*it holds \.md"):
        pool.load(str(tmp_path / "empty"))
    data = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"a": data, "b": data}).save_to_disk(tmp_path / "saved")
    with pytest.raises(UserError, match=r"the splits a, b and no train; name one: .*saved/a"):
        pool.load(str(tmp_path / "saved"))
    assert len(pool.load(str(tmp_path / "saved" / "a"))) == 3


def test_a_pool_whose_traces_were_not_found_is_an_error_that_says_how_to_name_them(tmp_path: Path) -> None:
    limo = [{"question": "Q", "solution": "Long thought.\n\\boxed{2}.", "answer": "2"}]
    path = write(tmp_path / "my_limo_style_data.jsonl", limo)
    with pytest.raises(UserError, match=r"none of its 1 rows has a trace.*--map thinking=solution.*thinking=none"):
        loaded(path)
    assert loaded(path, thinking="solution")[0]["thinking"] == "Long thought.\n\\boxed{2}."
    assert (loaded(path, thinking="none")[0]["thinking"], loaded(path, thinking="none")[0]["solution"]) == (
        "",
        "Long thought.\n\\boxed{2}.",
    )
    path = write(tmp_path / "plain.jsonl", [{"question": "Q", "response": "No marks here."}])
    with pytest.raises(UserError, match="'response' may hold one"):
        loaded(path)
    questions = pool.load_with_report(str(write(tmp_path / "questions.jsonl", [{"problem": "Q", "answer": "2"}])))
    assert (questions.num_traces, questions.dataset[0]["answer"]) == (0, "2")


def test_a_mapping_names_any_column_nested_ones_too(tmp_path: Path) -> None:
    record = {"q": {"text": QUESTION}, "steps": ["a", "b"], "final": "2", "meta": {"gold": 2}}
    path = write(tmp_path / "pool.jsonl", [record])
    (row,) = loaded(path, question="q.text", thinking="steps", attempt="final", answer="meta.gold")
    assert (row["question"], row["thinking"], row["attempt"], row["answer"]) == (QUESTION, "a\nb", "2", "2")
    assert mapped({"m": [USER]}, {"question": "m.0.content"})["question"] == QUESTION
    with pytest.raises(UserError, match=r"no column 'trace' for thinking; columns final, meta, q, steps"):
        loaded(path, thinking="trace")
    with pytest.raises(UserError, match="unknown column in --map 'thinkin'; did you mean 'thinking'"):
        loaded(path, thinkin="steps")


def test_gsm8ks_answer_is_a_solution_and_a_gold(tmp_path: Path) -> None:
    record = {"question": "Q", "answer": "She sells 9 eggs.\n#### 18"}
    with pytest.raises(UserError, match="'answer' may hold one"):
        loaded(write(tmp_path / "pool.jsonl", [record]))
    (row,) = loaded(tmp_path / "pool.jsonl", thinking="none")
    assert (row["solution"], row["answer"]) == ("She sells 9 eggs.", "18")


def test_values_that_json_does_not_have_are_kept_as_text(tmp_path: Path) -> None:
    import datetime

    record = {"question": "Q", "thinking": "T", "day": datetime.date(2025, 1, 2), "score": float("nan"), "image": b"12"}
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "pool.parquet")
    (row,) = loaded(tmp_path / "pool.parquet")
    assert json.loads(row["metadata"]) == {"day": "2025-01-02", "score": None, "image": "2 bytes"}


@pytest.mark.skipif(
    not (SHARED.parent / "cases" / "pools").is_dir(), reason="the pools beside the checkout are not here"
)
def test_every_pool_beside_the_checkout_is_taken_with_its_traces() -> None:
    for path in sorted((SHARED.parent / "cases" / "pools").glob("*.jsonl")):
        if path.name == "bom.jsonl":  # a file of answers to grade, no pool
            with pytest.raises(UserError, match="no known shape: columns gold, response"):
                pool.load(str(path))
            continue
        found = pool.load_with_report(str(path))
        assert found.num_traces > 0, path.name


@pytest.mark.parametrize(
    ("columns", "switch"),
    [("input output", "on"), ("prompt llm_response", "True"), ("problem generated_solution", "yes")],
)
def test_a_column_that_only_says_that_there_is_reasoning_is_no_trace(tmp_path: Path, columns: str, switch: str) -> None:
    question, response = columns.split()
    made = {question: "What is 1 + 2?", response: "<think>One and two.</think>It is 3.", "reasoning": switch}
    (tmp_path / "pool.jsonl").write_text(json.dumps(made) + "\n")
    (one,) = pool.load(str(tmp_path / "pool.jsonl"))
    assert (one["thinking"], one["attempt"]) == ("One and two.", "It is 3.")


def test_numbered_columns_with_marks_of_a_thought_are_told_not_dropped_in_silence(tmp_path: Path) -> None:
    made = {"question": "What is 1 + 2?", "final_answer": "3"}
    made |= {f"r1_solution_{k}": f"<think>Way {k}.</think>It is 3." for k in (1, 2, 3)}
    (tmp_path / "pool.jsonl").write_text(json.dumps(made) + "\n")
    with pytest.raises(UserError, match="name the trace with --map thinking=r1_solution_1"):
        pool.load(str(tmp_path / "pool.jsonl"))


def test_the_columns_that_make_a_hand_written_pool_have_the_same_meaning_beside_a_thinking_column(
    tmp_path: Path,
) -> None:
    record = {
        "question": QUESTION,
        "thinking": TRACE,
        "response": ATTEMPT,
        "ground_truth": "2",
        "uuid": "u7",
        "subject": "algebra",
        "data_source": "made",
        "score": 0.5,
    }
    (one,) = loaded(write(tmp_path / "pool.jsonl", [record]))
    assert [one[name] for name in ("id", "answer", "domain", "source")] == ["u7", "2", "algebra", "made"]
    assert json.loads(one["metadata"]) == {"score": 0.5}


def test_several_replies_as_objects_keep_each_its_own_trace_and_end(tmp_path: Path) -> None:
    made = [
        {"message": {"content": ATTEMPT, "reasoning_content": f"Way {k}."}, "finish_reason": end}
        for k, end in ((1, "stop"), (2, "length"))
    ]
    found = loaded(write(tmp_path / "pool.jsonl", [{"id": "q", "prompt": QUESTION, "choices": made}]))
    assert [(one["id"], one["thinking"], one["attempt"]) for one in found] == [
        ("q#1", "Way 1.", ATTEMPT),
        ("q#2", "Way 2.", ATTEMPT),
    ]
    assert [json.loads(one["metadata"])["finish"] for one in found] == ["stop", "length"]


@pytest.mark.parametrize(
    ("record", "column"),
    [
        ({"question": QUESTION, "by_model": {"a": RESPONSE, "b": RESPONSE}}, "by_model"),
        ({"question": QUESTION, "ways": [{"written": RESPONSE}]}, "ways"),
        ({"question": QUESTION, "response": {"written": RESPONSE}}, "response"),
    ],
)
def test_a_trace_inside_an_object_is_told_not_paid_for_again(
    tmp_path: Path, record: dict[str, Any], column: str
) -> None:
    with pytest.raises(UserError, match=f"name the trace with --map thinking={column} "):
        loaded(write(tmp_path / "pool.jsonl", [record]))


def test_the_gold_of_verls_prompts_is_read_and_theirs_alone(tmp_path: Path) -> None:
    record = {"prompt": [USER], "reward_model": {"style": "rule", "ground_truth": "2"}, "responses": [RESPONSE]}
    assert loaded(write(tmp_path / "verl.jsonl", [record]))[0]["answer"] == "2"
    record["answer"] = "3"
    assert loaded(write(tmp_path / "own.jsonl", [record]))[0]["answer"] == "3"
    record = {"question": QUESTION, "response": RESPONSE, "reward_model": "a name"}
    assert loaded(write(tmp_path / "name.jsonl", [record]))[0]["answer"] == ""
