"""Every distinct setting of s1's eval/commands.sh, through lm-eval's own parser, means what s1 says; and a run each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget
from harness.errors import UserError
from harness.generation.s1_kwargs import Settings, parse
from harness.thinking import FORMATS
from tests.tiny import make_model

pytest.importorskip("lm_eval")
S1 = FORMATS["s1"]
LENGTH = "max_gen_toks=32768"
AUTO = f"{LENGTH},max_tokens_thinking=auto"
STEPS = f"{LENGTH},thinking_start=<|im_start|>,until_thinking=<|im_start|>0"
ANSWER = "thinking_end=<|im_start|>answer\nFinal Answer:"  # with a literal newline, as in commands.sh

# The distinct gen_kwargs of simplescaling/s1, eval/commands.sh at 77272c6 -> the budget they mean.
COMMANDS: list[tuple[str, Budget]] = [
    (LENGTH, Budget(0, method="no_thinking")),
    (f"{LENGTH},temperature=1", Budget(0, method="no_thinking")),
    (AUTO, Budget("auto", ignore_str=None)),
    *((f"{AUTO},thinking_n_ignore={n},thinking_n_ignore_str=Wait", Budget("auto", n)) for n in (1, 2, 4, 6)),
    (f"{AUTO},thinking_n_ignore=2,thinking_n_ignore_str=Hmm", Budget("auto", 2, ignore_str="Hmm")),
    (
        f"{AUTO},thinking_n_ignore=2,thinking_n_ignore_str=Alternatively",
        Budget("auto", 2, ignore_str="Alternatively"),
    ),
    (f"{AUTO},thinking_n_ignore=2", Budget("auto", 2, ignore_str=None)),
    (f"{AUTO},thinking_n_ignore=2,thinking_n_ignore_str=Wait,temperature=1", Budget("auto", 2)),
    *(
        (f"{LENGTH},max_tokens_thinking={n}", Budget(n, ignore_str=None))
        for n in (500, 1000, 2000, 2048, 4000, 4096, 8000, 8192, 16000, 16384)
    ),
    *(
        (f"{LENGTH},max_tokens_thinking={n},rejection_sample=true,temperature=1",
         Budget(n, method="rejection_sampling"))
        for n in (3500, 4000, 5000, 6000, 8000, 16000)
    ),
    *((f"{STEPS},max_tokens_thinking={n}", Budget(n, ignore_str=None)) for n in (2048, 4096, 8192)),
    *((f"{STEPS},max_tokens_thinking={n},{ANSWER}", Budget(n, ignore_str=None)) for n in (512, 1024, 2048)),
]  # fmt: skip
TASK_DEFAULTS = {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 2048}


def as_lm_eval_parses(text: str) -> dict[str, Any]:
    """What lm-eval's command line makes of `--gen_kwargs text`, over the task's own."""
    from lm_eval._cli.utils import MergeDictAction

    parser = argparse.ArgumentParser()
    parser.add_argument("--gen_kwargs", nargs="+", action=MergeDictAction)
    return {**TASK_DEFAULTS, **parser.parse_args(["--gen_kwargs", text]).gen_kwargs}


def settings(text: str, **options: Any) -> Settings:
    return parse(as_lm_eval_parses(text), S1, **options)


@pytest.mark.parametrize("text, budget", COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_each_line_of_s1s_commands_means_what_s1_means(text: str, budget: Budget) -> None:
    found = settings(text)
    assert found.budget == budget
    assert found.sampling.max_answer_tokens == 32768
    assert found.sampling.temperature == (1.0 if "temperature=1" in text else 0.0)
    assert found.sampling.answer_room_tokens == 100


def test_the_delimiters_of_step_control_arrive_whole() -> None:
    plain, ended = settings(f"{STEPS},max_tokens_thinking=512"), settings(f"{STEPS},max_tokens_thinking=512,{ANSWER}")
    assert plain.thinking.thinking_start == "<|im_start|>"
    assert plain.thinking.stops == ("<|im_start|>0", "<|im_start|>answer")
    assert (plain.thinking.thinking_end, plain.thinking.final_answer) == ("<|im_start|>answer", "\nFinal Answer:")
    assert (ended.thinking.thinking_end, ended.thinking.final_answer) == ("<|im_start|>answer\nFinal Answer:", "")


def test_the_fork_says_final_answer_twice_and_takes_a_begun_answer_for_thinking() -> None:
    fork = settings(f"{STEPS},max_tokens_thinking=512,{ANSWER}", compat="s1-fork")
    assert fork.thinking.final_answer == "\nFinal Answer:" and fork.thinking.stops == ("<|im_start|>0",)
    assert fork.budget.compat == "s1-fork"


def test_commas_newlines_and_numbers_in_values_survive() -> None:
    assert settings(f'{AUTO},thinking_n_ignore=1,thinking_n_ignore_str="Wait, let me check"').budget.ignore_str == (
        "Wait, let me check"
    )
    assert settings(f"{AUTO},thinking_n_ignore=1,thinking_n_ignore_str=Hmm\n").budget.ignore_str == "Hmm\n"
    assert settings(f"{AUTO},thinking_n_ignore=1,thinking_n_ignore_str=42").budget.ignore_str == "42"
    assert parse({"max_tokens_thinking": "500", "thinking_n_ignore": "2"}, S1).budget.num_ignores == 2


def test_thinking_has_its_own_sampling_and_the_tasks_stops_end_it_too() -> None:
    found = settings("max_tokens_thinking=9,temperature_thinking=0.7,top_p_thinking=0.9,min_tokens_thinking=4,seed=3")
    assert (found.sampling.thinking_temperature, found.sampling.thinking_top_p) == (0.7, 0.9)
    assert (found.sampling.temperature, found.sampling.seed, found.budget.min_thinking_tokens) == (0.0, 3, 4)
    stopped = parse({"until": ["Problem:"], "max_tokens_thinking": 9}, S1)
    assert stopped.stop_strings == ("Problem:",) and stopped.thinking.stops == (*S1.stops, "Problem:")


@pytest.mark.parametrize(
    "text, match",
    [
        ("max_token_thinking=9", "did you mean 'max_tokens_thinking'"),
        ("thinking_n_ignores=2", "did you mean 'thinking_n_ignore'"),
        ("temprature=1", "did you mean 'temperature'"),
        ("max_tokens_thinking=lots", "not a count"),
        ("max_tokens_thinking=-5", "not a count"),
        ("thinking_n_ignore=1.5", "not a count"),
        ("rejection_sample=true", "needs max_tokens_thinking"),
        ("max_tokens_thinking=9,compat=s1", "known: readme, s1-fork"),
    ],
)
def test_a_kwarg_that_is_none_fails_with_the_near_match(text: str, match: str) -> None:
    with pytest.raises(UserError, match=match):
        settings(text)


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def hf(model: Path) -> Any:
    from harness.lm_eval_plugin import S1HFModel

    return S1HFModel(pretrained=str(model), batch_size=8, max_model_len=1024)


def requests(texts: list[str], kwargs: dict[str, Any]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance("generate_until", {}, (text, kwargs), i) for i, text in enumerate(texts)]


def shrunk(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The same setting with short thoughts and answers."""
    out = {**kwargs, "max_gen_toks": 8}
    if isinstance(out.get("max_tokens_thinking"), int):
        out["max_tokens_thinking"] //= 1000
    elif out.get("max_tokens_thinking") == "auto":
        out["max_tokens_thinking"] = 24
    return out


def test_each_line_of_s1s_commands_runs_with_a_small_model(hf: Any) -> None:
    for text, budget in COMMANDS:
        hf.rows.clear()
        kwargs = shrunk(as_lm_eval_parses(text))
        responses = hf.generate_until(requests(["What is 2 + 2?", "And 3 + 3?"], kwargs))
        assert len(responses) == len(hf.rows) == 2
        for row, response in zip(sorted(hf.rows, key=lambda row: row.problem_id), responses, strict=True):
            assert row.budget.method == budget.method
            rejected = row.error is not None and "attempts" in row.error
            assert row.error is None or rejected, row.error
            if budget.method == "budget_forcing":
                assert response.startswith(kwargs.get("thinking_start", "<|im_start|>think"))
                assert row.closing and row.closing in response and len(row.thinking_ids) <= row.budget_tokens


def test_equal_requests_are_different_samples_and_stay_out_of_the_cache(hf: Any) -> None:
    kwargs = {"max_gen_toks": 16, "max_tokens_thinking": 16, "temperature": 1.0, "do_sample": True}
    cached: list[Any] = []
    hf.cache_hook.add_partial = lambda *args: cached.append(args)
    responses = hf.generate_until(requests(["q"] * 4 + ["other"], kwargs))
    assert len(set(responses[:4])) == 4 and all(responses)
    assert [args[1][0] for args in cached] == ["other"]


def test_an_unknown_model_arg_and_a_missing_model_are_one_line() -> None:
    from harness.lm_eval_plugin import S1HFModel

    with pytest.raises(UserError, match="did you mean 'pretrained'"):
        S1HFModel(pretrain="x")
    with pytest.raises(UserError, match="no model given"):
        S1HFModel()


def test_lm_eval_finds_the_models_by_name_once_they_are_registered() -> None:
    from lm_eval.api.registry import get_model

    from harness.lm_eval_plugin import S1HFModel, S1Model, register

    register()
    register()
    assert get_model("s1-vllm") is S1Model and get_model("s1-hf") is S1HFModel
    assert get_model("dummy").__name__ == "DummyLM"


def test_lm_eval_runs_a_task_from_end_to_end(model: Path) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from harness.lm_eval_plugin import register

    register()
    tasks = Path(__file__).parents[1] / "tasks"
    results = simple_evaluate(
        model="s1-hf",
        model_args=f"pretrained={model},max_model_len=1024",
        tasks=["quick_math"],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        gen_kwargs="max_gen_toks=16,max_tokens_thinking=16,thinking_n_ignore=1,thinking_n_ignore_str=Wait",
        apply_chat_template=True,
        limit=2,
        log_samples=True,
    )
    samples = results["samples"]["quick_math"]
    assert len(samples) == 2 and "exact_match" in samples[0]
    assert all(sample["resps"][0][0].startswith("<|im_start|>think") for sample in samples)
