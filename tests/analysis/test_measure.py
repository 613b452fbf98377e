"""From stored rows to figures: what a folder holds, how it is grouped, and folders that are odd."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tests.made_up_study as made_up
from harness.analysis.intervals import blaker
from harness.analysis.measure import Measured, distinguishable, measure, measure_cells
from harness.analysis.settings import load
from harness.errors import UserError
from harness.records import METRIC_SCHEMA, RUN_SCHEMA, SAMPLE_SCHEMA


def rows_of(correct: Sequence[bool | None], **changes: Any) -> list[dict[str, Any]]:
    """One generation a problem with the given verdicts."""
    statuses = {True: "correct", False: "incorrect", None: "gold_unparseable"}
    return [
        made_up.sample(problem_id=f"p{i}", correct=c, status=statuses[c], extracted="2" if c else "3", **changes)
        for i, c in enumerate(correct)
    ]


def figures(out: Path, **where: Any) -> dict[str, Any]:
    """The figures of the one cell that fits `where`."""
    measured = measure_cells(load([out]))
    found = [
        f
        for c, f in zip(measured.cells.cells, measured.figures, strict=True)
        if all(getattr(c, k) == v for k, v in where.items())
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.study(tmp_path_factory.mktemp("study"), recipes=("base", "random", "s1k"))


def test_the_table_is_in_the_contracts_schema_and_readable_without_our_code(study: Any, tmp_path: Path) -> None:
    table = measure(study)
    assert table.schema.equals(METRIC_SCHEMA)
    pq.write_table(table, tmp_path / "metrics.parquet")
    frame = pd.read_parquet(tmp_path / "metrics.parquet")
    wanted = {
        "accuracy",
        "control",
        "scaling_per_doubling",
        "scaling_per_1k_tokens",
        "performance",
        "mean_thinking_tokens",
        "mean_answer_tokens",
        "mean_discarded_tokens",
        "forced_rate",
        "truncated_rate",
        "looping_rate",
        "unparsed_rate",
        "flips_right_to_wrong",
        "flips_wrong_to_right",
        "first_correct_tokens",
        "accuracy_per_1k_tokens",
        "difference_to_reference",
        "p_holm_to_reference",
        "detectable_difference_to_reference",
    }
    assert wanted <= set(frame["metric"])
    bounded = frame.dropna(subset=["low", "high", "value"])
    assert ((bounded["value"] >= bounded["low"] - 1e-6) & (bounded["value"] <= bounded["high"] + 1e-6)).all()
    assert (bounded["low"] < bounded["high"]).all()  # equal bounds would claim certainty
    without = frame[frame["low"].isna() & frame["value"].notna()]
    plain = without["metric"].str.contains(r"_count$|^p_|^detectable_|^num_settings$")
    assert without[~plain]["note"].notna().all()


def test_the_same_rows_give_the_same_table(study: Any) -> None:
    assert measure(study).equals(measure(study))


def test_an_accuracy_is_the_mean_of_its_rows(study: Any) -> None:
    samples = pq.read_table(study / "samples", columns=["run_id", "correct"]).to_pandas()
    by_run = samples.groupby("run_id")["correct"].mean()
    frame = measure(study).to_pandas()
    accuracy = frame[frame["metric"] == "accuracy"].set_index("run_id")["value"]
    assert accuracy.sort_index().to_numpy() == pytest.approx(by_run.sort_index().to_numpy())


def test_differences_are_to_the_studys_own_reference_at_the_same_setting(study: Any) -> None:
    frame = measure(study).to_pandas()
    gaps = frame[frame["metric"] == "difference_to_reference"]
    assert set(gaps["reference"]) == {"s1k"} and set(gaps["recipe"]) == {"base", "random"}
    accuracy = frame[frame["metric"] == "accuracy"].set_index(["recipe", "task", "max_thinking_tokens", "num_ignores"])[
        "value"
    ]
    for row in gaps[gaps["max_thinking_tokens"] == 128].to_dict("records"):
        setting = (row["task"], 128, row["num_ignores"])
        assert row["value"] == pytest.approx(accuracy[(row["recipe"], *setting)] - accuracy[("s1k", *setting)])


def test_the_headline_is_the_studys_own_setting(tmp_path: Path) -> None:
    rows = [r for n in (0, 1, 2) for r in rows_of([True, False], run_id=f"r{n}", num_ignores=n, ignore_str="Wait")]
    config = json.dumps({"headline": {"max_thinking_tokens": "auto", "num_ignores": 1, "ignore_str": "Wait"}})
    runs = [made_up.run([r for r in rows if r["run_id"] == f"r{n}"], config=config) for n in (0, 1, 2)]
    measured = measure_cells(load([made_up.write(tmp_path, rows, runs)]))
    assert [measured.cells.cells[i].num_ignores for i in measured.headlines.values()] == [1]


def test_golds_that_cannot_be_read_leave_the_denominator_and_are_counted(tmp_path: Path) -> None:
    found = figures(made_up.write(tmp_path, rows_of([True, True, False, None])))
    assert found["accuracy"].mean == pytest.approx(2 / 3) and found["accuracy"].num_problems == 3
    assert found["unscored_count"].mean == 1


@pytest.mark.parametrize(("verdict", "low", "high"), [(False, 0.0, 0.2012), (True, 0.7988, 1.0)])
def test_all_wrong_and_all_right_have_exact_bounds(tmp_path: Path, verdict: Any, low: Any, high: Any) -> None:
    found = figures(made_up.write(tmp_path, rows_of([verdict] * 16)))["accuracy"]
    assert found.mean == float(verdict)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)  # Blaker's, inside Clopper and Pearson's


def test_one_problem_has_an_accuracy_and_no_pretended_difference(tmp_path: Path) -> None:
    rows = rows_of([True], run_id="a", recipe="s1k") + rows_of([False], run_id="b", recipe="random")
    found = figures(made_up.write(tmp_path, rows), recipe="random")
    assert found["accuracy"].mean == 0.0
    assert np.isnan(found["difference_to_reference"].low) and "no interval" in found["difference_to_reference"].note
    assert not distinguishable(found)


def test_rows_without_token_counts_keep_their_accuracy_and_have_no_invented_tokens(tmp_path: Path) -> None:
    found = figures(made_up.write(tmp_path, rows_of([True, False, True], thinking_tokens=None)))
    assert found["accuracy"].mean == pytest.approx(2 / 3)
    assert np.isnan(found["mean_thinking_tokens"].mean) and found["mean_thinking_tokens"].note
    assert np.isnan(found["accuracy_per_1k_tokens"].mean)


def test_some_missing_token_counts_are_said(tmp_path: Path) -> None:
    rows = rows_of([True, False, True])
    rows[0]["thinking_tokens"] = None
    measured = measure_cells(load([made_up.write(tmp_path, rows)]))
    assert measured.figures[0]["mean_thinking_tokens"].mean == 40
    assert any("1 row(s) without a thinking-token count" in note for note in measured.cells.notes)


def test_a_missing_problem_is_left_out_of_the_pairing_and_said(tmp_path: Path) -> None:
    rows = rows_of([True, False, True, True], run_id="a", recipe="s1k") + rows_of(
        [False, True], run_id="b", recipe="random"
    )
    gap = figures(made_up.write(tmp_path, rows), recipe="random")["difference_to_reference"]
    assert gap.num_problems == 2 and "paired over 2 of 4 problems" in gap.note
    assert gap.mean == pytest.approx(0.0)


def seeds(tmp_path: Path, *runs: list[bool]) -> Measured:
    rows = [r for s, verdicts in enumerate(runs) for r in rows_of(verdicts, run_id=f"r{s}", seed=s)]
    return measure_cells(load([made_up.write(tmp_path, rows)]))


def test_seeds_of_one_setting_are_one_cell_also_when_a_seed_lacks_problems(tmp_path: Path) -> None:
    measured = seeds(tmp_path, [True, False, True, True], [True, True], [False, False, True, True])
    cell, found = measured.cells.cells[0], measured.figures[0]["accuracy"]
    assert len(measured.cells.cells) == 1 and cell.correct.shape == (4, 3)
    assert found.mean == pytest.approx(7 / 10) and "3 seeds" in found.note


def test_two_configurations_of_one_setting_and_seed_are_never_averaged(tmp_path: Path) -> None:
    rows = rows_of([True] * 4, run_id="cold") + rows_of([False] * 4, run_id="warm")
    measured = measure_cells(load([made_up.write(tmp_path, rows)]))
    assert sorted(f["accuracy"].mean for f in measured.figures) == [0.0, 1.0]
    assert any("shown apart" in note for note in measured.cells.notes)


def test_two_studies_in_one_folder_stay_two(tmp_path: Path) -> None:
    rows = rows_of([True] * 3, run_id="a", study="one") + rows_of([False] * 3, run_id="b", study="two", recipe="random")
    measured = measure_cells(load([made_up.write(tmp_path, rows)]))
    assert {key[0] for key in measured.headlines} == {"one", "two"}
    assert all("difference_to_reference" not in f for f in measured.figures)  # never across studies


def test_an_older_schema_is_read_and_its_missing_columns_are_said(tmp_path: Path) -> None:
    made_up.write(tmp_path, rows_of([True, False]))
    old = pa.Table.from_pylist(rows_of([True, True], run_id="old"), schema=SAMPLE_SCHEMA).drop_columns(
        ["looping", "num_attempts"]
    )
    pq.write_table(old.replace_schema_metadata({"s1_harness_schema": "0"}), tmp_path / "samples" / "part-1.parquet")
    measured = measure_cells(load([tmp_path]))
    assert sum(c.num_generations for c in measured.cells.cells) == 4
    assert any("schema 0" in note and "looping" in note for note in measured.cells.notes)


def test_a_retried_engine_error_counts_once_as_its_later_success(tmp_path: Path) -> None:
    rows = rows_of([False, True], error="engine died") + rows_of([True, True])
    found = figures(made_up.write(tmp_path, rows))
    assert found["accuracy"].mean == 1.0 and found["generations_count"].mean == 2 and found["error_count"].mean == 0


def test_a_folder_without_samples_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no samples"):
        load([tmp_path])


def test_empty_sample_files_give_an_empty_table(tmp_path: Path) -> None:
    assert measure(made_up.write(tmp_path, [], runs=[])).num_rows == 0


def test_a_failed_run_is_named(tmp_path: Path) -> None:
    rows = rows_of([True, False])
    failed = made_up.run(rows) | {"run_id": "gone", "status": "failed", "error": "out of memory"}
    measured = measure_cells(load([made_up.write(tmp_path, rows, [made_up.run(rows), failed])]))
    assert any("gone" in note and "out of memory" in note for note in measured.cells.notes)


def test_control_of_a_budget_sweep_is_against_its_budgets(tmp_path: Path) -> None:
    rows = rows_of([True] * 3, run_id="a", max_thinking_tokens=64, thinking_tokens=64)
    rows += rows_of([True] * 3, run_id="b", max_thinking_tokens=128, thinking_tokens=130)
    sweep = measure_cells(load([made_up.write(tmp_path, rows)])).sweeps[0]
    assert sweep.figures["control"].mean == 0.5


@pytest.mark.parametrize(
    ("method", "told", "tokens", "control"),
    [
        ("token_conditional", "100", 90, 1.0),
        ("token_conditional", "100", 110, 0.0),
        ("step_conditional", "2", 190, 1.0),
        ("step_conditional", "2", 210, 0.0),
        ("class_conditional", "short", 30, 1.0),
        ("class_conditional", "short", 50, 0.0),
        ("class_conditional", "long", 50, 1.0),
        ("class_conditional", "long", 40, 0.0),
    ],
)
def test_control_follows_each_methods_rule(tmp_path: Path, method: Any, told: Any, tokens: Any, control: Any) -> None:
    rows = rows_of([True] * 3, run_id="plain", thinking_tokens=40)
    rows += rows_of([True] * 3, run_id="told", method=method, instructed=told, thinking_tokens=tokens)
    sweeps = measure_cells(load([made_up.write(tmp_path, rows)])).sweeps
    assert next(s for s in sweeps if s.method == method).figures["control"].mean == control


def test_class_conditional_control_without_an_unprompted_run_is_empty_with_a_reason(tmp_path: Path) -> None:
    rows = rows_of([True] * 3, method="class_conditional", instructed="short")
    figure = measure_cells(load([made_up.write(tmp_path, rows)])).sweeps[0].figures["control"]
    assert np.isnan(figure.mean) and "un-prompted" in figure.note


def test_a_conditional_method_with_and_without_forcing_are_two_sweeps(tmp_path: Path) -> None:
    rows = rows_of([True] * 2, run_id="free", method="token_conditional", instructed="100")
    rows += rows_of([True] * 2, run_id="forced", method="token_conditional", instructed="100")
    runs = [
        made_up.run(
            [r for r in rows if r["run_id"] == name], config=json.dumps({"budget": {"force": name == "forced"}})
        )
        for name in ("free", "forced")
    ]
    labels = {s.label for s in measure_cells(load([made_up.write(tmp_path, rows, runs)])).sweeps}
    assert labels == {"TCC", "TCC+BF"}


def test_flips_count_what_one_more_wait_turned(tmp_path: Path) -> None:
    rows = rows_of([True, True, False, False], run_id="r0")
    rows += rows_of([True, False, True, True], run_id="r1", num_ignores=1, ignore_str="Wait", thinking_tokens=60)
    found = figures(made_up.write(tmp_path, rows), num_ignores=1)
    assert (found["flips_wrong_to_right"].mean, found["flips_right_to_wrong"].mean) == (0.5, 0.25)
    assert "20 more thinking tokens" in found["flips_wrong_to_right"].note


def test_a_wait_that_turned_nothing_has_the_exact_bound_of_no_event(tmp_path: Path) -> None:
    rows = rows_of([True] * 20, run_id="a") + rows_of([True] * 20, run_id="b", num_ignores=1, ignore_str="Wait")
    turned = figures(made_up.write(tmp_path, rows), num_ignores=1)["flips_right_to_wrong"]
    assert (turned.mean, turned.low) == (0, 0) and turned.high == pytest.approx(blaker(0, 20)[1])


def test_the_first_correct_length_is_that_of_the_shortest_setting_that_solves_a_problem(tmp_path: Path) -> None:
    rows = rows_of([True, False, False], run_id="a", max_thinking_tokens=10, thinking_tokens=10)
    rows += rows_of([True, True, False], run_id="b", max_thinking_tokens=30, thinking_tokens=30)
    found = measure_cells(load([made_up.write(tmp_path, rows)])).sweeps[0].figures
    assert found["first_correct_tokens"].mean == 20 and found["ever_correct"].mean == pytest.approx(2 / 3)


def test_repeated_samples_give_pass_at_k_and_maj_at_k(tmp_path: Path) -> None:
    rows = []
    for index, verdicts in enumerate(([True, False], [True, False], [False, False], [False, True])):
        rows += rows_of(verdicts, sample_index=index)
    found = figures(made_up.write(tmp_path, rows))
    assert found["pass@2"].mean == pytest.approx(((1 - 1 / 6) + (1 - 3 / 6)) / 2)
    assert not [name for name in found if name.startswith("cov@")]  # the paper's name for the same figures
    assert found["maj@4"].mean == pytest.approx((0.5 + 0) / 2)  # 2 against 2 wrong "3"; 1 against 3


def test_problems_with_fewer_generations_than_k_are_left_out_and_counted(tmp_path: Path) -> None:
    """With three of four generations of one problem pass@4 is over the other, pass@2 over both."""
    rows = [row for index in range(4) for row in rows_of([True, index > 0], sample_index=index)]
    found = figures(made_up.write(tmp_path, rows[:-1]))
    assert found["pass@4"].mean == found["pass^4"].mean == 1 and found["pass@4"].num_problems == 1
    assert found["pass@2"].mean == 1 and found["pass^2"].mean == pytest.approx((1 + 1 / 3) / 2)
    assert not found["pass@2"].note and found["pass@4"].note == "1 problem(s) with fewer generations left out"
    assert found["g_pass@4"].note == "at least 75% of 4 right; 1 problem(s) with fewer generations left out"


def test_discarded_tokens_of_rejected_attempts_are_in_the_cost(tmp_path: Path) -> None:
    found = figures(made_up.write(tmp_path, rows_of([True, True], discarded_tokens=900, num_attempts=8)))
    assert found["mean_discarded_tokens"].mean == 900 and found["mean_attempts"].mean == 8
    assert found["mean_total_tokens"].mean == 40 + 1 + 1 + 900
    assert found["accuracy_per_1k_tokens"].mean == pytest.approx(1000 / 942)


def test_without_runs_parquet_the_headline_is_guessed_and_that_is_said(tmp_path: Path) -> None:
    made_up.write(tmp_path, rows_of([True, False]))
    (tmp_path / "runs.parquet").unlink()
    measured = measure_cells(load([tmp_path]))
    assert len(measured.headlines) == 1 and any("guessed" in note for note in measured.cells.notes)


def test_a_newer_schema_is_read_and_said(tmp_path: Path) -> None:
    made_up.write(tmp_path, rows_of([True]))
    path = tmp_path / "samples" / "part-0.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({"s1_harness_schema": "99"}), path)
    assert any("newer" in note for note in load([tmp_path]).notes)


def test_the_run_schema_of_the_fixture_is_the_real_one() -> None:
    assert set(made_up.run(rows_of([True]))) == set(RUN_SCHEMA.names)
