"""The harness inside lm-eval: gen_kwargs, samples and repeats, errors, and a task from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.lm_eval.s1_kwargs import Settings, parse
from harness.thinking import FORMATS
from tests.lm_eval.test_s1_commands import AUTO, STEPS_ANSWERED, TASK_DEFAULTS, as_lm_eval_parses
from tests.tiny import make_model

pytest.importorskip("lm_eval")
S1 = FORMATS["s1"]


def settings(text: str, **options: Any) -> Settings:
    return parse({**TASK_DEFAULTS, **as_lm_eval_parses(text)}, S1, **options)


def test_the_fork_says_final_answer_twice_and_takes_a_begun_answer_for_thinking() -> None:
    fork = settings(STEPS_ANSWERED, compat="s1-fork")
    assert fork.thinking.final_answer == "\nFinal Answer:" and fork.thinking.stops == ("<|im_start|>0",)
    assert fork.budget.compat == "s1-fork"


def test_commas_newlines_and_numbers_in_values_survive() -> None:
    assert settings(f'{AUTO},thinking_n_ignore=1,thinking_n_ignore_str="Wait, let me check"').budget.ignore_str == (
        "Wait, let me check"
    )
    assert settings(f"{AUTO},thinking_n_ignore=1,thinking_n_ignore_str=Hmm\n").budget.ignore_str == "Hmm\n"
    assert settings(f"{AUTO},thinking_n_ignore=1,thinking_n_ignore_str=42").budget.ignore_str == "42"
    assert parse({"max_tokens_thinking": "500", "thinking_n_ignore": "2"}, S1).budget.num_ignores == 2


def test_the_models_own_recipe_can_be_said() -> None:
    found = settings(f"{AUTO},temperature=0.6,top_p=0.95,top_k=20,min_p=0,presence_penalty=1.5,repetition_penalty=1.05")
    assert found.sampling == replace(
        found.sampling, temperature=0.6, top_p=0.95, top_k=20, min_p=0.0, presence_penalty=1.5, repetition_penalty=1.05
    )
    assert settings(f"{AUTO},top_k=-1").sampling.top_k == 0  # vLLM's own word for all tokens


def test_thinking_has_its_own_sampling_and_the_tasks_stops_end_the_answer_alone_but_for_the_fork() -> None:
    found = settings("max_tokens_thinking=9,temperature_thinking=0.7,top_p_thinking=0.9,min_tokens_thinking=4,seed=3")
    assert (found.sampling.thinking_temperature, found.sampling.thinking_top_p) == (0.7, 0.9)
    assert (found.sampling.temperature, found.sampling.seed, found.budget.min_thinking_tokens) == (0.0, 3, 4)
    stopped = parse({"until": ["Problem:"], "max_tokens_thinking": 9}, S1)
    assert stopped.stop_strings == ("Problem:",) and stopped.thinking.stops == S1.stops
    fork = parse({"until": ["Problem:"], "max_tokens_thinking": 9}, S1, compat="s1-fork")
    assert fork.stop_strings == ("Problem:",) and fork.thinking.stops == (*S1.stops, "Problem:")


def test_other_models_words_for_the_answers_cap_are_taken() -> None:
    assert parse({"max_new_tokens": 7}, S1).sampling.max_answer_tokens == 7
    assert parse({"max_gen_toks": 5, "max_tokens": 7}, S1).sampling.max_answer_tokens == 5


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("top_k=-2", "not a count"),
        ("top_kk=2", "did you mean 'top_k'"),
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
    from harness.lm_eval.plugin import S1HFModel

    return S1HFModel(pretrained=str(model), batch_size=8, max_model_len=1024)


def requests(texts: list[str], kwargs: dict[str, Any]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance("generate_until", {}, (text, kwargs), i) for i, text in enumerate(texts)]


def test_equal_requests_are_different_samples_and_stay_out_of_the_cache(hf: Any) -> None:
    kwargs = {"max_gen_toks": 16, "max_tokens_thinking": 16, "temperature": 1.0, "do_sample": True}
    cached: list[Any] = []
    hf.cache_hook.add_partial = lambda *args: cached.append(args)
    responses = hf.generate_until(requests(["q"] * 4 + ["other"], kwargs))
    assert len(set(responses[:4])) == 4 and all(responses)
    assert [args[1][0] for args in cached] == ["other"]


def test_an_unknown_model_arg_and_a_missing_model_are_one_line() -> None:
    from harness.lm_eval.plugin import S1HFModel

    with pytest.raises(UserError, match="did you mean 'pretrained'"):
        S1HFModel(pretrain="x")
    with pytest.raises(UserError, match="no model given"):
        S1HFModel()


def test_lm_eval_finds_the_models_by_name_once_they_are_registered() -> None:
    from lm_eval.api.registry import get_model

    from harness.lm_eval.plugin import S1HFModel, S1Model
    from harness.lm_eval.startup import register

    register()
    register()
    assert get_model("s1-vllm") is S1Model and get_model("s1-hf") is S1HFModel
    assert get_model("dummy").__name__ == "DummyLM"


def test_lm_eval_runs_a_task_from_end_to_end(model: Path) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import make_table

    from harness.lm_eval.startup import register

    register()
    tasks = Path(__file__).parents[2] / "tasks"
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
    table = make_table(results)
    assert "999" not in table and f"{samples[0]['status'][0]} " in table and " of 2" in table


def test_the_beginning_of_an_answer_that_a_task_gives_stands_behind_the_thinking_start(hf: Any) -> None:
    history = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "The best answer is"}]
    context = hf.apply_chat_template(history, add_generation_prompt=False)
    assert context.endswith("<|im_start|>assistant\nThe best answer is")
    hf.rows.clear()
    (response,) = hf.generate_until(requests([context], {"max_gen_toks": 16, "max_tokens_thinking": 16}))
    (row,) = hf.rows
    assert row.prompt.endswith("<|im_start|>assistant\n<|im_start|>thinkThe best answer is")
    assert response.startswith("<|im_start|>thinkThe best answer is")
    hf.rows.clear()
    hf.generate_until(requests([context], {"max_gen_toks": 4}))  # no thinking asked for: the prompt as it stands
    assert hf.rows[0].prompt == context


def test_a_tasks_stop_string_leaves_the_thought_alone(hf: Any) -> None:
    kwargs = {"max_gen_toks": 16, "max_tokens_thinking": 48}
    hf.rows.clear()
    hf.generate_until(requests(["another question"], kwargs))
    (plain,) = hf.rows
    stop = plain.thinking[3:5]  # a string that the thought holds
    hf.rows.clear()
    hf.generate_until(requests(["another question"], {**kwargs, "until": [stop]}))
    (stopped,) = hf.rows
    assert stop in stopped.thinking and stopped.thinking == plain.thinking
    hf.rows.clear()
    hf.generate_until(requests(["another question"], {**kwargs, "until": [stop], "compat": "s1-fork"}))
    assert len(hf.rows[0].thinking) < len(plain.thinking)


def test_the_format_is_the_checkpoints_and_the_template_is_given_its_arguments(model: Path, tmp_path: Path) -> None:
    import shutil

    from harness.lm_eval.plugin import S1HFModel
    from tests.families import FIXTURES

    family = next(family for family in FIXTURES if "opened, with a switch" in family.name)
    shutil.copytree(model, tmp_path / "m")
    (tmp_path / "m" / "chat_template.jinja").write_text(family.template)
    history = [{"role": "user", "content": "q"}]
    thinks = S1HFModel(pretrained=str(tmp_path / "m"), max_model_len=1024)
    assert thinks.thinking.name == "think" and thinks.apply_chat_template(history).endswith(family.thinks)
    plain = S1HFModel(pretrained=str(tmp_path / "m"), max_model_len=1024, enable_thinking=False)
    assert plain.apply_chat_template(history).endswith(family.plain)


def test_the_end_of_thinking_of_other_models_takes_the_thought_off_as_theirs_do(model: Path, hf: Any) -> None:
    from lm_eval.models.utils import postprocess_generated_text

    from harness.lm_eval.plugin import S1HFModel

    kwargs = {"max_gen_toks": 16, "max_tokens_thinking": 24}
    asked = requests(["a question", "another"], kwargs)
    whole = hf.generate_until(asked)
    named = S1HFModel(pretrained=str(model), max_model_len=1024, think_end_token="<|im_start|>answer")
    assert named.generate_until(asked) == [postprocess_generated_text(t, None, "<|im_start|>answer") for t in whole]
    number = hf.tokenizer.convert_tokens_to_ids("<|im_start|>")
    by_id = S1HFModel(pretrained=str(model), max_model_len=1024, think_end_token=number)
    assert by_id.generate_until(asked) == [postprocess_generated_text(t, None, "<|im_start|>") for t in whole]
    assert [row.thinking for row in by_id.rows] == [row.thinking for row in hf.rows[-2:]]


def test_template_arguments_that_are_no_mapping_are_one_line() -> None:
    from harness.lm_eval.plugin import S1HFModel

    for text in ("{'enable_thinking'", "[1]"):
        with pytest.raises(UserError, match="chat_template_args"):
            S1HFModel(pretrained="x", chat_template_args=text)
