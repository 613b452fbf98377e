"""Every line of s1's eval/commands.sh: what its settings mean, and a run of it through lm-eval with a small model.

Source: simplescaling/s1, eval/commands.sh at 77272c6. A line is its environment, its tasks and its gen_kwargs; the
lines of several models with the same three stand here once.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget
from harness.lm_eval.s1_kwargs import parse
from harness.lm_eval.tasks import prompted_budget
from harness.thinking import FORMATS
from tests.tiny import make_model

pytest.importorskip("lm_eval")
S1 = FORMATS["s1"]
AIME, AIME25 = ("aime24_figures", "aime24_nofigures"), ("aime25_nofigures",)
ALL = (*AIME, "openai_math", "gpqa_diamond_openai")
AGGREGATED = tuple(f"{task}_agg64" for task in ALL)
LENGTH = "max_gen_toks=32768"
AUTO = f"{LENGTH},max_tokens_thinking=auto"
STEPS = f"{AUTO},thinking_start=<|im_start|>"
# The second with a newline in its value, as in commands.sh.
STEPS_FORCED = f"{STEPS},thinking_end=<|im_start|>answer,until_thinking=<|im_start|>0"
STEPS_ANSWERED = f"{STEPS},thinking_end=<|im_start|>answer\nFinal Answer:,until_thinking=<|im_start|>0"


@dataclass(frozen=True)
class Line:
    """One command: its gen_kwargs, the budget that they mean, and what else distinguishes it."""

    gen_kwargs: str
    budget: Budget
    tasks: tuple[str, ...] = ALL
    environment: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join((*(f"{k}={v}" for k, v in self.environment.items()), self.gen_kwargs, self.tasks[-1]))


def told(variable: str, value: object) -> dict[str, str]:
    return {f"PROMPT{variable}": str(value)}


def waiting(count: int, string: str | None = "Wait") -> str:
    return f"{AUTO},thinking_n_ignore={count}" + (f",thinking_n_ignore_str={string}" if string else "")


WITHOUT, NATURAL = Budget(0, method="no_thinking"), Budget("auto", ignore_str=None)
LINES = [
    Line(LENGTH, WITHOUT),
    Line(waiting(1), Budget("auto", 1), AIME25),
    Line(AUTO, NATURAL, (*AIME25, "aime24_nofigures", "openai_math", "gpqa_diamond_openai")),
    Line(waiting(2), Budget("auto", 2), (*AIME25, "aime24_nofigures", "openai_math", "gpqa_diamond_openai")),
    Line(AUTO, NATURAL),
    *(Line(f"{LENGTH},max_tokens_thinking={n}", Budget(n, ignore_str=None)) for n in (500, 1000, 2000, 4000, 8000)),
    Line(f"{LENGTH},max_tokens_thinking=16000", Budget(16000, ignore_str=None)),
    *(Line(waiting(n), Budget("auto", n)) for n in (1, 2, 4, 6)),
    Line(waiting(2, None), Budget("auto", 2, ignore_str=None)),
    *(Line(waiting(2, string), Budget("auto", 2, ignore_str=string)) for string in ("Hmm", "Alternatively")),
    *(
        Line(
            f"{LENGTH},max_tokens_thinking={n},rejection_sample=true,temperature=1",
            Budget(n, method="rejection_sampling"),
            AIME,
        )
        for n in (3500, 4000, 5000, 6000, 8000, 16000)
    ),
    *(Line(AUTO, NATURAL, ALL, told("TOKEN", n)) for n in (2048, 4096, 8192, 16384)),
    *(
        Line(f"{LENGTH},max_tokens_thinking={n}", Budget(n, ignore_str=None), ALL, told("TOKEN", n))
        for n in (2048, 4096, 8192, 16384)
    ),
    *(Line(AUTO, NATURAL, ALL, told("STEP", n)) for n in (16, 32, 64, 128, 256)),
    *(Line(STEPS_FORCED, NATURAL, ALL, told("STEP", n)) for n in (16, 32, 64, 128, 256)),
    *(Line(STEPS_ANSWERED, NATURAL, ALL, told("STEP", n)) for n in (16, 32, 64, 128)),
    Line(AUTO, NATURAL, ALL, told("LONG", "true")),
    Line(AUTO, NATURAL, ALL, told("SHORT", "true")),
    Line(f"{LENGTH},temperature=1", WITHOUT, AGGREGATED),
    Line(f"{waiting(2)},temperature=1", Budget("auto", 2), AGGREGATED),
]


def kind(line: Line) -> tuple[Any, ...]:
    """What tells lines apart whose numbers a small model cannot tell apart."""
    return re.sub(r"(max_tokens_thinking)=\d+", r"\1=N", line.gen_kwargs), tuple(line.environment), line.tasks


KINDS = list({kind(line): line for line in LINES}.values())
INSTRUCTIONS = {
    "PROMPTTOKEN": "\n\nThink for up to {} tokens.",
    "PROMPTSTEP": "\n\nThink for up to {} steps.",
    "PROMPTLONG": "\n\nAnswer after a long amount of thinking. If you feel",
    "PROMPTSHORT": "\n\nAnswer after a short amount of thinking. Do not spend",
}
TASK_DEFAULTS = {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 2048}


def as_lm_eval_parses(text: str) -> dict[str, Any]:
    """What lm-eval's command line makes of `--gen_kwargs text`."""
    from lm_eval._cli.utils import MergeDictAction

    parser = argparse.ArgumentParser()
    parser.add_argument("--gen_kwargs", nargs="+", action=MergeDictAction)
    parsed: dict[str, Any] = parser.parse_args(["--gen_kwargs", text]).gen_kwargs
    return parsed


@pytest.mark.parametrize("line", LINES, ids=str)
def test_each_line_means_what_s1_means(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    found = parse({**TASK_DEFAULTS, **as_lm_eval_parses(line.gen_kwargs)}, S1)
    assert found.budget == line.budget
    assert (found.sampling.max_answer_tokens, found.sampling.answer_room_tokens) == (32768, 100)
    assert found.sampling.temperature == (1.0 if "temperature=1" in line.gen_kwargs else 0.0)
    thinking = found.thinking
    if "until_thinking" in line.gen_kwargs:
        assert (thinking.thinking_start, thinking.stops) == ("<|im_start|>", ("<|im_start|>0", "<|im_start|>answer"))
    else:
        assert (thinking.thinking_start, thinking.stops) == (S1.thinking_start, S1.stops)
    # However the line spells it, a forced end reads the same, and "Final Answer:" is said once.
    assert thinking.thinking_end + thinking.final_answer == "<|im_start|>answer\nFinal Answer:"
    for name, value in line.environment.items():
        monkeypatch.setenv(name, value)
    asked = prompted_budget()
    assert (asked.method if asked else None) == {
        (): None,
        ("PROMPTTOKEN",): "token_conditional",
        ("PROMPTSTEP",): "step_conditional",
    }.get(tuple(line.environment), "class_conditional")


def test_the_model_arguments_of_s1_are_taken_as_they_are() -> None:
    from harness.lm_eval.plugin import S1Model

    text = "pretrained=simplescaling/s1-32B,tokenizer=Qwen/Qwen2.5-32B-Instruct,dtype=float32,tensor_parallel_size=8"
    model = S1Model.create_from_arg_obj(as_lm_eval_parses(text), {"batch_size": "auto", "device": "cuda:0"})
    config = model.config
    assert (model.pretrained, config.tokenizer) == ("simplescaling/s1-32B", "Qwen/Qwen2.5-32B-Instruct")
    assert (config.dtype, config.tensor_parallel_size, config.name) == ("float32", 8, "vllm")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A problem of our own for each of s1's tasks, in the files of the releases."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("aime24_figures", "aime24_nofigures", "aime25", "math500"):
        (folder / f"{name}.jsonl").write_text(json.dumps({"id": 0, "problem": f"{name}: 1+1?", "answer": "2"}))
    row = {"Record ID": "0", "Question": "gpqa: 1+1?", "Correct Answer": "2"}
    row |= {f"Incorrect Answer {i}": str(i + 2) for i in (1, 2, 3)}
    with (folder / "gpqa.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    with zipfile.ZipFile(folder / "gpqa_diamond.zip", "w") as archive:
        archive.write(folder / "gpqa.csv", "dataset/gpqa_diamond.csv")
    return folder


@pytest.fixture(scope="module")
def hf(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from harness.lm_eval.plugin import S1HFModel

    model = make_model(tmp_path_factory.mktemp("model"), hidden=32, layers=1)
    return S1HFModel(pretrained=str(model), batch_size=64, max_model_len=448)


@pytest.fixture(scope="module")
def manager(data: Path) -> Any:
    from lm_eval.tasks import TaskManager

    tasks = Path(__file__).parents[2] / "tasks"
    return TaskManager(include_path=str(tasks), include_defaults=False, metadata={"data_dir": str(data)})


@pytest.mark.slow
@pytest.mark.parametrize("line", KINDS, ids=str)
def test_each_line_runs_in_lm_eval_with_a_small_model(
    line: Line, hf: Any, manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unchanged but for the model, whose context of 448 tokens cuts the budgets, so that most ends are forced ones; and
    64 samples a problem are drawn for the first of the four tasks alone."""
    from lm_eval import simple_evaluate

    for name, value in line.environment.items():
        monkeypatch.setenv(name, value)
    repeats, tasks = (64, line.tasks[:1]) if line.tasks == AGGREGATED else (1, line.tasks)
    hf.rows.clear()
    results = simple_evaluate(
        model=hf,
        tasks=list(tasks),
        task_manager=manager,
        gen_kwargs=as_lm_eval_parses(line.gen_kwargs),
        apply_chat_template=True,
        log_samples=True,
        bootstrap_iters=0,
    )
    assert len(hf.rows) == repeats * len(tasks)
    instruction = "".join(INSTRUCTIONS[name].format(value) for name, value in line.environment.items())
    for task in tasks:
        (sample,) = results["samples"][task]
        assert any(metric.startswith("exact_match") for metric in results["results"][task])
        assert len(sample["resps"][0]) == repeats
        assert instruction in sample["arguments"][0][0]
    for row in hf.rows:
        assert row.budget == line.budget
        assert row.error is None, row.error
        assert len(row.thinking_ids) <= row.budget_tokens
        if line.budget.method == "budget_forcing":
            assert row.prompt.endswith("<|im_start|>" if "until_thinking" in line.gen_kwargs else S1.thinking_start)
            assert row.thinking_ids and row.closing.lstrip("\n").startswith("<|im_start|>answer")
