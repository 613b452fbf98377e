"""Sample statistics: s1's own figures on its log, exact counts, and lines that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from harness.analysis.logs.published import read_log
from harness.analysis.logs.sample_stats import compute, split
from harness.analysis.logs.stats_output import as_text, write
from harness.analysis.logs.token_counts import load_counter
from harness.errors import UserError
from tests import byte_pair

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "samples"
S1_LOG = SAMPLES / "s1-32B_aime24_nofigures_samples.jsonl"


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small byte-pair tokenizer that cuts text as Qwen's does."""
    return byte_pair.train(tmp_path_factory.mktemp("tokenizer"))


def line(response: str | list[str], **more: Any) -> str:
    """One line of a samples file in the format of s1's fork."""
    responses = [response] if isinstance(response, str) else response
    record = {
        "doc_id": 0,
        "doc": {"id": 1, "problem": "1+1?", "answer": "2"},
        "target": "2",
        "arguments": {"gen_args_0": {"arg_0": "<|im_start|>user\n1+1?<|im_end|>\n", "arg_1": {}}},
        "resps": [responses],
        "filtered_resps": [responses[0]],
        "exact_match": 1,
    }
    return json.dumps(record | more)


def s1_response(thinking: str, answer: str = "Answer: 2") -> str:
    return f"<|im_start|>think\n{thinking}\n<|im_start|>answer\n{answer}"


def file_of(tmp_path: Path, *lines: str, name: str = "samples_aime24_nofigures_x.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    return path


def step_by_step(path: Path, tokenizer: str) -> dict[str, Any]:
    """s1's way, restated: tokenise each line, each thought, each answer, each response on its own."""
    tok = Tokenizer.from_file(f"{tokenizer}/tokenizer.json")

    def count(text: str) -> int:
        return len(tok.encode(text, add_special_tokens=False).ids)

    thoughts, answers, totals, steps, num_steps, without = [], [], [], [], 0, 0
    for raw in path.read_text(encoding="utf-8").splitlines():
        response = json.loads(raw)["filtered_resps"][0]
        head = response.split("<|im_start|>answer")[0]
        lines = head.split("\n")[1:-1]
        tail = response.split("<|im_start|>answer")[-1] if "<|im_start|>answer" in response else ""
        thoughts.append(count("\n".join(lines)))
        answers.append(count(tail.split("\n", 1)[1] if "\n" in tail else tail))
        totals.append(count(response))
        steps += [count(one) for one in lines]
        num_steps += head.count("\n") - 1
        without += "Answer:" not in response and "\\boxed" not in response
    n = len(thoughts)
    return {
        "thoughts": sorted(thoughts),
        "answer": sum(answers) / n,
        "total": sum(totals) / n,
        "without": without,
        "step": sum(steps) / max(len(steps), 1),
        "steps": num_steps / n,
    }


def needs_log(path: Path = S1_LOG) -> Path:
    if not path.exists():
        pytest.skip(f"{path} is not here: this test reads s1's published logs, which are not part of the repository")
    return path


def test_compat_s1_gives_what_s1s_script_prints_on_its_own_log(tokenizer: Any) -> None:
    """The same figures as tokenising everything step by step; Qwen's tokenizer is not here, one of its kind is."""
    path = needs_log()
    expected, stats = step_by_step(path, tokenizer), compute([path], tokenizer, compat="s1").files[0]
    assert stats.sorted_thinking_tokens == expected["thoughts"]
    assert stats.mean_answer_tokens == pytest.approx(expected["answer"])
    assert stats.mean_total_tokens == pytest.approx(expected["total"])
    assert stats.mean_step_tokens == pytest.approx(expected["step"])
    assert stats.mean_steps == pytest.approx(expected["steps"])
    assert stats.num_without_answer == expected["without"] == 5
    assert (stats.num_samples, stats.num_without_thinking, stats.accuracy) == (30, 0, 0.4)


def test_exact_counts_are_those_of_the_thought_alone(tmp_path: Path, tokenizer: Any) -> None:
    thought = "one two\n\nthe answer is so\n\nwait"
    stats = compute([file_of(tmp_path, line(s1_response(thought)))], tokenizer).files[0]
    counter = load_counter(tokenizer)
    assert stats.sorted_thinking_tokens == counter.count([thought + "\n"])
    assert stats.mean_steps == 3
    assert stats.mean_step_tokens == pytest.approx(sum(counter.count(["one two", "the answer is so", "wait\n"])) / 3)


def test_a_one_line_thought_has_no_tokens_for_s1_and_its_own_for_us(tmp_path: Path, tokenizer: Any) -> None:
    path = file_of(tmp_path, line("<|im_start|>think so we have\n<|im_start|>answer\nAnswer: 2"))
    assert compute([path], tokenizer, compat="s1").files[0].mean_thinking_tokens == 0
    assert (compute([path], tokenizer).files[0].mean_thinking_tokens or 0) > 0


@pytest.mark.parametrize(
    ("response", "thinking", "answer"),
    [
        ("<|im_start|>think\nhm\n<|im_start|>answer\nAnswer: 2", "hm\n", "Answer: 2"),
        ("<think>\nhm\n</think>\n\nThe answer", "hm\n", "\nThe answer"),
        ("hm\n</think>\nx", "hm\n", "x"),  # the template put <think> into the prompt
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>2", "hm", "2"),
        ("<|begin_of_thought|>hm<|end_of_thought|>2", "hm", "2"),
        ("<|im_start|>2 steps left\na\n<|im_start|>1 steps left\nb\n<|im_start|>answer\n7", "a\nb\n", "7"),
        ("no thought, \\boxed{2}", "", "no thought, \\boxed{2}"),
    ],
)
def test_other_thinking_formats_are_cut_at_their_own_delimiters(response: Any, thinking: Any, answer: Any) -> None:
    parts = split(response)
    assert (parts.thinking, parts.answer, parts.has_answer) == (thinking, answer, True)  # in whatever words


@pytest.mark.parametrize("response", ["<think>so \\boxed{2}</think>\n", "<think>so \\boxed{2}", "what was asked"])
def test_a_response_that_says_nothing_behind_its_thought_is_without_an_answer(response: str) -> None:
    assert not split(response).has_answer


def test_steps_left_are_the_steps_and_the_budget_is_theirs(tmp_path: Path, tokenizer: Any) -> None:
    response = "<|im_start|>2 steps left\nso\n<|im_start|>1 steps left\nwe\n<|im_start|>answer\nAnswer: 2"
    path = file_of(tmp_path, line(response))
    assert compute([path], tokenizer, budget=1).files[0].num_too_many_steps == 1
    stats = compute([path], tokenizer, budget=2).files[0]
    assert (stats.num_too_many_steps, stats.num_too_many_thinking_tokens, stats.mean_steps) == (0, None, 2)


def test_all_responses_count_by_default_and_only_the_first_for_s1(tmp_path: Path, tokenizer: Any) -> None:
    path = file_of(tmp_path, line([s1_response("a\nb"), s1_response("a\nb\nc")], exact_matches=[1, 0]))
    stats = compute([path], tokenizer).files[0]
    assert (stats.num_samples, stats.num_responses, stats.accuracy) == (1, 2, 0.5)
    assert compute([path], tokenizer, compat="s1").files[0].num_responses == 1


def test_a_budget_is_given_and_never_read_from_a_name(tmp_path: Path, tokenizer: Any) -> None:
    folder = tmp_path / "forcing4k"
    folder.mkdir()
    path = file_of(folder, line(s1_response("one two\nthree wait")))
    assert compute([path], tokenizer).files[0].num_too_many_thinking_tokens is None
    assert "give --budget" in as_text(compute([path], tokenizer))
    assert compute([path], tokenizer, budget=1).files[0].num_too_many_thinking_tokens == 1
    assert compute([path], tokenizer, budget=500).files[0].num_too_many_thinking_tokens == 0


def test_prompt_and_response_beyond_the_context_are_counted_as_too_long(tmp_path: Path, tokenizer: Any) -> None:
    path = file_of(tmp_path, line(s1_response("one two\nthree")))
    row = compute([path], tokenizer).responses[0]
    exactly = row.prompt_tokens + row.total_tokens
    assert compute([path], tokenizer, context=exactly).files[0].num_too_many_tokens == 0
    assert compute([path], tokenizer, context=exactly - 1).files[0].num_too_many_tokens == 1


def test_broken_cut_and_foreign_lines_are_named_and_skipped(tmp_path: Path, tokenizer: Any) -> None:
    good = line(s1_response("a\nb\nc"))
    path = file_of(
        tmp_path,
        good,
        good[: len(good) // 2],
        "[1, 2]",
        '{"loss": 3}',
        "\udcff\udcfe",
        "",
        good.replace('"doc_id": 0', '"doc_id": 1'),
    )
    stats = compute([path], tokenizer).files[0]
    assert stats.num_samples == 2
    assert [number for number, _ in stats.skipped] == [2, 3, 4, 5]
    text = as_text(compute([path], tokenizer))
    assert "lines skipped: 4" in text and "line 2: not JSON at column" in text and "line 5: not UTF-8" in text


def test_current_lm_evals_lines_per_filter_count_once(tmp_path: Path, tokenizer: Any) -> None:
    one = line(s1_response("a\nb\nc"), filter="strict", metrics=["exact_match"])
    two = line(s1_response("a\nb\nc"), filter="flexible", metrics=["exact_match"], filtered_resps=["2"])
    stats = compute([file_of(tmp_path, one, two)], tokenizer).files[0]
    assert (stats.num_samples, stats.num_repeated) == (1, 1)


def test_an_empty_file_and_a_foreign_one_are_refused(tmp_path: Path, tokenizer: Any) -> None:
    with pytest.raises(UserError, match="the file is empty"):
        compute([file_of(tmp_path)], tokenizer)
    with pytest.raises(UserError, match=r"format is not known \(rows with the fields loss, step\)"):
        compute([file_of(tmp_path, '{"loss": 1, "step": 2}')], tokenizer)


def test_globs_and_folders_are_expanded_and_a_name_without_files_is_refused(tmp_path: Path, tokenizer: Any) -> None:
    for name in ("samples_a_x.jsonl", "samples_b_x.jsonl"):
        file_of(tmp_path, line(s1_response("a\nb")), name=name)
    assert len(compute([tmp_path], tokenizer).files) == 2
    assert len(compute([str(tmp_path / "*_a_*.jsonl")], tokenizer).files) == 1
    with pytest.raises(UserError, match="no such file"):
        compute([tmp_path / "nothing*.jsonl"], tokenizer)


def test_without_a_tokenizer_the_approximation_is_stated_and_marked(tmp_path: Path) -> None:
    stats = compute([file_of(tmp_path, line(s1_response("a\nb\nc")))])
    assert stats.approximate and "approximation" in stats.tokenizer
    assert "≈" in as_text(stats) and "approximation" in as_text(stats)


def test_a_tokenizer_that_was_asked_for_must_load(tmp_path: Path) -> None:
    path = file_of(tmp_path, line(s1_response("a")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no tokenizer.json"):
        compute([path], str(tmp_path / "empty"))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="not a fast tokenizer"):
        compute([path], str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match="no such file or folder"):
        compute([path], "nonesuch")


def test_an_unknown_compat_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'s1'"):
        compute([file_of(tmp_path, line("x"))], compat="s2")


def test_figures_are_written_as_json_and_responses_as_parquet(tmp_path: Path, tokenizer: Any) -> None:
    stats = compute([file_of(tmp_path, line([s1_response("a\nb\nc"), s1_response("d")]))], tokenizer, budget=2)
    plain = json.loads(write(stats, tmp_path / "s.json").read_text())
    assert plain["files"][0]["num_responses"] == 2 and plain["tokenizer"] == tokenizer
    table = pq.read_table(write(stats, tmp_path / "s.parquet")).to_pandas()
    assert list(table["sample_index"]) == [0, 1] and table["thinking_tokens"].sum() == sum(
        stats.files[0].sorted_thinking_tokens
    )
    with pytest.raises(UserError, match=r"json or .parquet"):
        write(stats, tmp_path / "s.txt")


def test_every_published_log_is_read_without_a_skipped_line() -> None:
    outputs = SAMPLES.parent / "outputs"
    if not outputs.exists():
        pytest.skip(f"{outputs} is not here: this test reads data that are not part of the repository")
    counts = {path.name: len(read_log(path).samples) for path in sorted(outputs.glob("*.jsonl"))}
    assert sorted(counts.values()) == [30, 100, 500, 500]
