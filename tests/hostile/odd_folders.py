"""Results folders that nobody's harness wrote so: a name, and what is done to a good folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests import made_up_study as made_up

Change = Callable[[Path], Any]
SAMPLES, RUNS = "samples/part-0.parquet", "runs.parquet"
MARKUP = "[red]x[/nope]\x1b[31m\u202e=1+1|`</script>![a](http://b/)"
CONFIGS = {
    "a list": "[1]",
    "a text": "x",
    "a number": "3",
    "null": "null",
    "NaN inside": '{"setup": NaN}',
    "nested 10,000 deep": "[" * 10_000,
    "an integer of 5,000 digits": "9" * 5000,
    "a budget that is a list": '{"budget": [1]}',
    "a budget that is none": '{"budget": {"max_thinking_tokens": -5}}',
    "a headline that is a number": '{"headline": 3, "reference_recipe": 4}',
    "groups that are texts": '{"training": "x", "engine": null}',
    "a setup that is an object": '{"replay": [1], "setup": {"a": 1}}',
    "a lone surrogate": '{"setup": "\\ud800"}',
}
CLAIMS = {
    "a list": "[]",
    "runs that are numbers": '{"runs": ["a", 3]}',
    "runs that are a text": '{"runs": "abc"}',
    "no study": '{"runs": ["run0"]}',
    "an empty study": '{"runs": ["run0"], "study": {}}',
    "nested 10,000 deep": "[" * 10_000,
    "a name that is a list": '{"name": []}',
    "unknown keys": '{"name": "a", "study": {"name": "a", "zzz": 1}, "num_problems": {}}',
}


def good(folder: Path) -> Path:
    """Four rows of one run."""
    rows = [
        made_up.sample(problem_id=f"p{i}", sample_key=str(i), correct=not i % 2, status=("correct", "incorrect")[i % 2])
        for i in range(4)
    ]
    return made_up.write(folder, rows)


def _column(file: str, name: str, values: Any) -> Change:
    def change(folder: Path) -> None:
        table = pq.read_table(folder / file)
        column = values if isinstance(values, pa.Array) else pa.array(values * table.num_rows)
        pq.write_table(table.set_column(table.schema.get_field_index(name), name, column), folder / file)

    return change


def with_config(text: str) -> Change:
    """The configuration of the folder's run is `text`."""
    return _column(RUNS, "config", [text])


def _without(file: str, name: str) -> Change:
    return lambda folder: pq.write_table(pq.read_table(folder / file).drop_columns([name]), folder / file)


def _cut(file: str, percent: int) -> Change:
    return lambda folder: (folder / file).write_bytes(
        (folder / file).read_bytes()[: (folder / file).stat().st_size * percent // 100]
    )


def _emptied(file: str) -> Change:
    return lambda folder: pq.write_table(pq.read_table(folder / file).slice(0, 0), folder / file)


def _version(text: bytes) -> Change:
    def change(folder: Path) -> None:
        table = pq.read_table(folder / SAMPLES)
        pq.write_table(table.replace_schema_metadata({b"s1_harness_schema": text}), folder / SAMPLES)

    return change


def _no_utf8(count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.string(), count, pa.array([b"\xff\xfe"] * count).buffers())


def _text(file: str, text: str) -> Change:
    return lambda folder: (folder / file).write_bytes(text.encode("utf-8", "surrogatepass"))


def kinds() -> Iterator[tuple[str, Change]]:
    """Every change with its name."""
    yield "as it should be", lambda folder: None
    for file, columns, count in (
        (SAMPLES, ("run_id", "task", "problem_id", "study", "status", "correct", "thinking_tokens", "thinking_ids"), 4),
        (RUNS, ("run_id", "recipe", "status", "config", "num_problems"), 1),
    ):
        for name in columns:
            yield f"{file}: {name} is null", _column(file, name, [None])
            yield f"{file}: {name} is binary", _column(file, name, [b"\xff"])
            yield f"{file}: {name} is NaN", _column(file, name, [float("nan")])
            yield f"{file}: no {name}", _without(file, name)
            if name not in ("correct", "thinking_tokens", "thinking_ids", "num_problems"):
                yield f"{file}: {name} is no UTF-8", _column(file, name, _no_utf8(count))
                yield f"{file}: {name} is markup and controls", _column(file, name, [MARKUP])
        for percent in (0, 50, 99):
            yield f"{file}: cut to {percent} %", _cut(file, percent)
        yield f"{file}: a text", _text(file, "hello")
        yield (
            f"{file}: no rows",
            _emptied(file),
        )
    for version in (b"x", b"", b"1.5", b"9" * 5000, b"\xff", b"99"):
        yield f"{SAMPLES}: schema version {version[:5]!r}", _version(version)
    for what, text in CONFIGS.items():
        yield f"{RUNS}: config is {what}", with_config(text)
    for what, text in CLAIMS.items():
        yield f"study.json: {what}", _text("study.json", text)
    yield "a folder named x.parquet", lambda folder: (folder / "samples" / "x.parquet").mkdir()
    yield "an empty z.parquet", _text("samples/z.parquet", "")


ROWS: dict[str, dict[str, Any]] = {
    "grade": {"gold": "2", "response": "The answer is 2. ROW1", "kind": "math", "choices": None, "prompt": ""},
    "lm-eval": {
        "doc_id": "ROW1",
        "doc": {"problem": "1+1? ROW1", "answer": "2"},
        "target": "2",
        "arguments": {"gen_args_0": {"arg_0": "1+1? ROW1", "arg_1": {"max_gen_toks": 10}}},
        "resps": [["<|im_start|>think\nx\n<|im_start|>answer\nFinal Answer: 2"]],
        "filtered_resps": ["2"],
        "exact_match": 1,
        "exact_matches": [1],
        "extracted_answers": ["2"],
        "metrics": ["exact_match"],
        "model": "m",
    },
    "Qwen": {
        "idx": "ROW1",
        "question": "1+1? ROW1",
        "gt": "2",
        "answer": "2",
        "code": ["\\boxed{2}"],
        "score": [True],
        "pred": ["2"],
        "unique_id": "ROW1",
        "query": "q",
    },
    "pool": {
        "id": "ROW1",
        "question": "What is 1+1? ROW1",
        "solution": "2",
        "answer": "2",
        "source": "MATH",
        "domain": "x",
        "thinking": "one and one",
        "attempt": "2",
        "metadata": {"a": 1},
        "thinking_tokens": 3,
        "reference_answers": ["2"],
        "reference_correct": [True],
        "benchmark_like": False,
    },
    "s1K": {
        "question": "What is 1+1? ROW1",
        "solution": "\\boxed{2}",
        "deepseek_thinking_trajectory": "one",
        "deepseek_attempt": "2",
        "deepseek_grade": "Yes",
        "source_type": "MATH",
        "cot_type": "math",
        "metadata": "{}",
        "gemini_length": 5,
        "isqwen7bcorrect": True,
        "thinking_trajectories": ["a"],
    },
    "sft_pool": {
        "problem": "What is 1+1? ROW1",
        "ground_truth": "2",
        "index": "ROW1",
        "is_correct": True,
        "steps": 2,
        "model_response": "<|im_start|>user\nq<|im_end|><|im_start|>assistant\n<|im_start|>think\nx",
    },
}


def encoded(row: dict[str, Any]) -> str:
    """A row as a line's text."""
    return json.dumps(row, ensure_ascii=False)
