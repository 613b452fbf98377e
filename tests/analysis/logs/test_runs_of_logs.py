"""What one run is, and its facts: from its configuration or from all its rows, never from how one response looks."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.analysis.compare import compare
from harness.analysis.logs.importing import import_files
from harness.analysis.logs.token_counts import load_counter
from harness.analysis.measure import measure_cells
from harness.analysis.settings import load, setting_name
from harness.errors import UserError
from tests import byte_pair

NUM_PROBLEMS, NUM_RIGHT = 60, 26


def line(number: int, response: str | None, *, question: str = "", **kwargs: Any) -> dict[str, Any]:
    question = question or f"What is {number} + {number}?"
    return {
        "doc_id": number,
        "doc": {"id": number, "problem": question, "answer": str(2 * number)},
        "target": str(2 * number),
        "arguments": {"gen_args_0": {"arg_0": f"<user>{question}", "arg_1": kwargs}},
        "resps": [[response]],
        "filtered_resps": [response],
    }


def s1(thought: str, answer: str) -> str:
    return f"<|im_start|>think\n{thought}\n<|im_start|>answer\n{answer}"


def log(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def eleven_logs(folder: Path) -> list[Path]:
    """One model, 0 to 10 Waits, always 26 of 60 right; with more Waits more of the wrong answers have no delimiters."""
    paths = []
    for waits in range(11):
        rng = random.Random(waits)
        right = set(rng.sample(range(NUM_PROBLEMS), NUM_RIGHT))
        wrong = sorted(set(range(NUM_PROBLEMS)) - right)
        bare = set(rng.sample(wrong, 3 * waits)) | set(rng.sample(sorted(right), 10 - waits))
        lines = []
        for number in range(NUM_PROBLEMS):
            answer = f"\\boxed{{{2 * number if number in right else 2 * number + 1}}}"
            text = answer if number in bare else s1("so " * (10 + 5 * waits), answer)
            kwargs: dict[str, Any] = {
                "max_tokens_thinking": "auto",
                "thinking_n_ignore": waits,
                "thinking_n_ignore_str": "Wait",
            }
            lines.append(line(number, text, **kwargs))
        paths.append(log(folder / f"wait{waits}" / "org__m" / "samples_aime24_2026-01-02T03-04-05.jsonl", lines))
    return paths


def test_a_flat_truth_prints_flat(tmp_path: Path) -> None:
    import_files(eleven_logs(tmp_path / "logs"), tmp_path / "out")
    measured = measure_cells(load([tmp_path / "out"]))
    cells = measured.cells.cells
    assert [cell.num_ignores for cell in cells] == list(range(11)) and {cell.method for cell in cells} == {
        "budget_forcing"
    }
    assert {cell.num_generations for cell in cells} == {NUM_PROBLEMS}
    for figures in measured.figures:
        assert figures["accuracy"].mean == pytest.approx(NUM_RIGHT / NUM_PROBLEMS)
    assert len(measured.sweeps) == 1 and len(measured.sweeps[0].cells) == 11
    runs = [str(row["run_id"]) for row in measured.cells.runs.sort_values("num_ignores").to_dict("records")]
    first, last = f"{tmp_path / 'out'}:{runs[0]}", f"{tmp_path / 'out'}:{runs[10]}"
    found = compare(first, last)[0]
    assert (found.gap.mean, found.num_paired) == (0.0, NUM_PROBLEMS) and found.p_value > 0.5


def test_a_response_without_delimiters_is_a_row_of_its_run_with_no_thinking_tokens(tmp_path: Path) -> None:
    tokenizer = byte_pair.train(tmp_path)
    path = log(
        tmp_path / "samples_t_x.jsonl",
        [
            line(1, s1("so it is", "\\boxed{2}"), max_tokens_thinking=500),
            line(2, "\\boxed{4}", max_tokens_thinking=500),
        ],
    )
    import_files([path], tmp_path / "out", tokenizer=tokenizer, model="m")
    rows = pq.read_table(tmp_path / "out" / "samples").to_pylist()
    assert [(row["method"], row["max_thinking_tokens"]) for row in rows] == [("budget_forcing", 500)] * 2
    assert rows[0]["thinking_tokens"] > 0 and rows[1]["thinking_tokens"] == 0
    assert [row["forced_end"] for row in rows] == [None, None] and {row["looping"] for row in rows} == {None}


@pytest.mark.parametrize("opening", ["<|im_start|>think", "<think>\n"])
def test_thinking_tokens_are_counted_as_native_rows_count_them(tmp_path: Path, opening: str) -> None:
    """The start is part of the prompt; a line end that s1 puts behind a thought it cut at the budget is none of it."""
    tokenizer = byte_pair.train(tmp_path)
    counter = load_counter(tokenizer)
    thought = "\nso we add the two" if "im_start" in opening else "so we add the two"
    budget = counter.count([thought])[0]
    ending = "<|im_start|>answer" if "im_start" in opening else "</think>"
    cut = f"{opening}{thought}\n{ending}\nFinal Answer: \\boxed{{2}}"
    path = log(tmp_path / "samples_t_x.jsonl", [line(1, cut, max_tokens_thinking=budget)])
    import_files([path], tmp_path / "out", tokenizer=tokenizer, model="m")
    row = pq.read_table(tmp_path / "out" / "samples").to_pylist()[0]
    assert (row["thinking_tokens"], row["thinking"]) == (budget, thought)
    assert row["prompt"] + row["thinking"] + row["closing"] + row["answer"] == "<user>What is 1 + 1?" + cut
    control = measure_cells(load([tmp_path / "out"])).sweeps[0].figures["control"]
    assert control.mean == 1.0


def test_what_a_log_does_not_tell_prints_as_a_dash(tmp_path: Path) -> None:
    from harness.report.leaderboard import write

    import_files(
        [log(tmp_path / "samples_t_x.jsonl", [line(n, s1("so", f"\\boxed{{{n}}}")) for n in range(4)])],
        tmp_path / "out",
        model="m",
    )
    figures = measure_cells(load([tmp_path / "out"])).figures[0]
    assert figures["forced_count"].mean != figures["forced_count"].mean, "not a number"
    page = next(path for path in write([tmp_path / "out"], tmp_path / "board") if path.suffix == ".md").read_text()
    lines = page.splitlines()
    head = next(one for one in lines if one.startswith("|") and "forced" in one)
    row = next(one for one in lines[lines.index(head) :] if one.startswith("| m"))
    shown = dict(zip((c.strip() for c in head.split("|")), (c.strip() for c in row.split("|")), strict=True))
    assert (shown["forced"], shown["loop"]) == ("–", "–") and shown["cut"] == "0"


def test_a_null_response_counts_as_wrong_and_keeps_its_problem(tmp_path: Path) -> None:
    record = line(1, "x") | {"resps": [["\\boxed{2}", None, "\\boxed{2}", "\\boxed{2}"]]}
    lines = [record, *(line(n, None) for n in range(2, 5))]
    summary = import_files([log(tmp_path / "samples_t_x.jsonl", lines)], tmp_path / "out", model="m")[0]
    figures = measure_cells(load([tmp_path / "out"])).figures[0]
    assert figures["accuracy"].mean == pytest.approx(0.75 / 4) and figures["generations_count"].mean == 7
    assert "accuracy 18.8 %" in summary and "4 response(s) are null in the log: counted wrong" in summary


def test_ids_that_restart_are_told_apart_by_their_question(tmp_path: Path) -> None:
    lines = [line(n, f"\\boxed{{{2 * n}}}") for n in range(6)]
    for record in lines:
        record["doc"]["id"] = record["doc_id"] % 3
    summary = import_files([log(tmp_path / "samples_t_x.jsonl", lines)], tmp_path / "out", model="m")[0]
    rows = pq.read_table(tmp_path / "out" / "samples").to_pylist()
    assert len({row["problem_id"] for row in rows}) == 6 and {row["sample_index"] for row in rows} == {0}
    assert "3 id(s) stand for several problems" in summary


def test_shards_of_one_run_are_one_run_and_two_runs_are_two(tmp_path: Path) -> None:
    halves = [
        log(
            tmp_path / f"samples_t_{k}.jsonl",
            [line(n, f"\\boxed{{{2 * n if k else 1}}}", temperature=0.6) for n in range(4 * k, 4 * k + 4)],
        )
        for k in range(2)
    ]
    summary = import_files(halves, tmp_path / "out", model="m", task="t")
    cells = load([tmp_path / "out"]).cells
    assert len(cells) == 1 and cells[0].num_problems == 8 and "2 files are one run" in summary[0]
    other = log(tmp_path / "samples_t_2.jsonl", [line(n, "\\boxed{1}", temperature=1.0) for n in range(8, 12)])
    import_files([*halves, other], tmp_path / "apart", model="m", task="t")
    assert sorted(cell.num_problems for cell in load([tmp_path / "apart"]).cells) == [4, 8]
    import_files(
        [halves[0], halves[0], log(tmp_path / "samples_t_3.jsonl", [line(0, "\\boxed{0}", temperature=0.6)])],
        tmp_path / "merged",
        model="m",
        task="t",
        merge=True,
    )
    rows = pq.read_table(tmp_path / "merged" / "samples").to_pylist()
    assert (
        sorted((row["problem_id"], row["sample_index"]) for row in rows)[:2] == [("0", 0), ("0", 1)] and len(rows) == 5
    )


def test_shards_whose_ids_begin_anew_are_told_apart(tmp_path: Path) -> None:
    paths = [numbered(tmp_path / f"samples_t_{k}.jsonl", list(range(4 * k, 4 * k + 4)), {0, 5}) for k in range(2)]
    import_files(paths, tmp_path / "out", model="m", task="t")
    cells = load([tmp_path / "out"]).cells
    assert [(cell.num_problems, cell.accuracy.mean()) for cell in cells] == [(8, 0.25)]


def test_runs_that_differ_in_another_setting_are_not_averaged(tmp_path: Path) -> None:
    paths = [
        log(
            tmp_path / f"samples_t_{k}.jsonl",
            [line(n, f"\\boxed{{{2 * n if k else 1}}}", temperature=0.5 + k, seed=k) for n in range(4)],
        )
        for k in range(2)
    ]
    import_files(paths, tmp_path / "out", model="m", task="t")
    cells = load([tmp_path / "out"]).cells
    assert len(cells) == 2 and {len(cell.run_ids) for cell in cells} == {1}
    names = {setting_name(cell) for cell in cells}
    assert names == {"no thinking (temperature=0.5)", "no thinking (temperature=1.5)"}
    seeds = [
        log(tmp_path / f"samples_t_s{k}.jsonl", [line(n, "\\boxed{0}", temperature=1.0, seed=k) for n in range(4)])
        for k in range(3)
    ]
    import_files(seeds, tmp_path / "seeds", model="m", task="t")
    assert [len(cell.run_ids) for cell in load([tmp_path / "seeds"]).cells] == [3], "seeds of one setting"


def test_the_instruction_in_all_prompts_is_the_method(tmp_path: Path) -> None:
    lines = [
        line(n, s1("so", "\\boxed{1}"), question=f"What is {n}?\n\nThink for up to 2048 tokens.") for n in range(3)
    ]
    import_files([log(tmp_path / "samples_t_x.jsonl", lines)], tmp_path / "out", model="m", task="t")
    row = pq.read_table(tmp_path / "out" / "samples").to_pylist()[0]
    assert (row["method"], row["instructed"]) == ("token_conditional", "2048")


def numbered(path: Path, order: list[int], right: set[int], shift: int = 0) -> Path:
    """A log whose ids are the places in the file, as lm-eval numbers them."""
    lines = []
    for place, number in enumerate(order):
        record = line(number, f"\\boxed{{{2 * number if number in right else -1}}}")
        record["doc_id"] = place + shift
        record["doc"].pop("id")
        lines.append(record)
    return log(path, lines)


def test_equal_problems_in_another_order_are_paired_by_their_question(tmp_path: Path) -> None:
    order = list(range(40))
    right = set(range(0, 40, 3))
    import_files([numbered(tmp_path / "samples_t_a.jsonl", order, right)], tmp_path / "a", model="m", task="t")
    random.Random(1).shuffle(order)
    import_files([numbered(tmp_path / "samples_t_b.jsonl", order, right)], tmp_path / "b", model="n", task="t")
    found = compare(str(tmp_path / "a"), str(tmp_path / "b"))[0]
    assert (found.num_paired, found.only_a, found.only_b, found.gap.mean) == (40, [], [], 0.0)
    assert "by question" in found.note
    together = load([tmp_path / "a", tmp_path / "b"])
    assert len(together.problems["t"]) == 40 and any("paired by their question" in note for note in together.notes)
    accuracies = [cell.accuracy for cell in together.cells]
    assert (accuracies[0] == accuracies[1]).all()


def test_equal_ids_of_other_questions_are_not_paired(tmp_path: Path) -> None:
    import_files([numbered(tmp_path / "samples_t_a.jsonl", list(range(8)), {1})], tmp_path / "a", model="m", task="t")
    import_files(
        [numbered(tmp_path / "samples_t_b.jsonl", list(range(50, 58)), {51})], tmp_path / "b", model="n", task="t"
    )
    with pytest.raises(UserError, match=r"8 problem.s. have the same id, but another question"):
        compare(str(tmp_path / "a"), str(tmp_path / "b"))
    assert len(load([tmp_path / "a", tmp_path / "b"]).problems["t"]) == 16
