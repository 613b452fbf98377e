"""What an engine generates with is the checkpoint it was told to use: after every swap, restart and first start.

Witnesses: plain transformers for float32, a fresh engine for bfloat16, and the shipped base model, whose output head is
tied to its embedding, beside a small model whose head is not.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget, EngineConfig, Sampling
from harness.errors import UserError
from harness.generation import open_engine
from harness.generation.engines import probe
from harness.generation.engines.loading import Loaded, WrongWeightsError, load
from harness.generation.prompts import render_prompt
from harness.generation.sweep import Prompt, generate
from harness.quickstart import TINY_MODEL
from harness.records import Generation
from harness.thinking import FORMATS
from tests.tiny import checkpoint, make_model, varied

S1 = FORMATS["s1"]
BUDGETS = (Budget(40), Budget(60, 1))
Ids = list[tuple[int, ...]]


@pytest.fixture(scope="module")
def untied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two checkpoints of a model with an output head of its own."""
    folder = tmp_path_factory.mktemp("untied")
    one, other = (checkpoint(folder / f"{seed}", make_model(folder / f"m{seed}", seed=seed)) for seed in (0, 5))
    return one, other


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The shipped base model and a varied one: their head is the embedding."""
    folder = tmp_path_factory.mktemp("tied")
    return checkpoint(folder / "a", Path(TINY_MODEL)), checkpoint(
        folder / "b", varied(Path(TINY_MODEL), folder / "m", 1)
    )


def greedy(engine: Any) -> Ids:
    """Ids of thought and answer of a few prompts."""
    prompts = []
    for number in range(4):
        text, ids = render_prompt(engine.tokenizer, f"What is {17 + number} times 3?")
        prompts.append(Prompt(str(number), text, tuple(ids)))
    found: list[Generation] = []
    generate(engine, prompts, BUDGETS, Sampling(max_answer_tokens=12), S1, on_generation=found.append)
    assert not any(row.error for row in found)
    return [
        (*row.thinking_ids, -1, *row.answer_ids)
        for row in sorted(found, key=lambda r: (r.problem_id, r.budget.num_ignores))
    ]


def open_at(name: Any, model: Path, dtype: Any, folder: Path) -> Any:
    return open_engine(EngineConfig(name=name, dtype=dtype, max_model_len=512), str(model), folder / "engine.log")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """`open_at`, closed in the end."""
    engines: list[Any] = []

    def start(name: str, model: Path, dtype: str) -> Any:
        engines.append(open_at(name, model, dtype, tmp_path))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


def vllm_at(model: Path, folder: Path) -> Iterator[Any]:
    pytest.importorskip("vllm")
    engine = open_at("vllm", model, "float32", folder)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def tied_vllm(tied: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One vLLM for every test that needs one of `tied`."""
    yield from vllm_at(tied[0], tmp_path_factory.mktemp("vllm"))


@pytest.fixture(scope="module")
def untied_vllm(untied: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same for `untied`."""
    yield from vllm_at(untied[0], tmp_path_factory.mktemp("vllm"))


@pytest.mark.slow
@pytest.mark.parametrize("pair", ["untied", "tied"])
def test_after_each_swap_the_ids_are_those_of_plain_transformers(
    pair: str, opened: Any, request: pytest.FixtureRequest
) -> None:
    first, second = request.getfixturevalue(pair)
    expected = {model: greedy(opened("transformers", model, "float32")) for model in (first, second)}
    assert expected[first] != expected[second]
    engine = request.getfixturevalue(f"{pair}_vllm")
    known = dict[str, probe.Probe]()
    steps: list[Loaded] = []
    for model in (first, second, first):
        steps.append(load(engine, str(model), S1, known))
        assert greedy(engine) == expected[model]
    assert all((step.probe_difference or 0.0) < 0.001 for step in steps) and not known
    assert [step.restarted for step in steps] == [None] * 3


@pytest.mark.slow
def test_a_prefix_cache_that_does_not_empty_is_a_reason_to_start_again(
    untied: tuple[Path, Path], untied_vllm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, answers = untied_vllm, [False, False, True]
    engine.load_weights(untied[0])
    empty = engine._llm.reset_prefix_cache

    async def refuses() -> bool:
        return answers.pop(0) and bool(await empty())

    engine._llm.reset_prefix_cache = refuses  # as vLLM answers while a block is held
    monkeypatch.setattr("harness.generation.engines.vllm.CACHE_WAIT_SECONDS", 0.0)
    assert engine.load_weights(untied[1]) is None and not answers  # the third time
    answers += [False] * 2
    monkeypatch.setattr("harness.generation.engines.vllm.CACHE_TRIES", 2)
    started = list[bool]()
    monkeypatch.setattr(engine, "restart", lambda: started.append(True))  # what it does: the stale head's test
    assert "prefix cache" in str(engine.load_weights(untied[0])) and started == [True]


@pytest.mark.faults  # four engines more than the test before, which swaps the same weights
@pytest.mark.parametrize("pair", ["untied", "tied"])
def test_in_bfloat16_the_ids_after_each_swap_are_those_of_a_fresh_engine(
    pair: str, opened: Any, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("vllm")
    first, second = request.getfixturevalue(pair)
    fresh = opened("vllm", second, "bfloat16")
    expected = {second: greedy(fresh)}
    fresh.close()
    engine = opened("vllm", first, "bfloat16")
    expected[first] = greedy(engine)
    for model in (second, first):
        loaded = load(engine, str(model), S1, {})
        assert greedy(engine) == expected[model] and (loaded.probe_difference or 0.0) > 0.0


@pytest.mark.parametrize("pair", ["untied", "tied"])
def test_transformers_generates_with_what_it_was_told_to(
    pair: str, opened: Any, request: pytest.FixtureRequest
) -> None:
    first, second = request.getfixturevalue(pair)
    engine = opened("transformers", first, "bfloat16")
    for model in (second, first):
        load(engine, str(model), S1, {})
        assert greedy(engine) == greedy(opened("transformers", model, "bfloat16"))


@pytest.mark.slow
def test_a_stale_head_is_caught_by_the_probe_and_mended_by_a_restart(
    tied: tuple[Path, Path], tied_vllm: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real defect, with what renews the head taken away: reload_weights alone on a tied model on a CPU."""
    import vllm

    engine = tied_vllm
    if not vllm.platforms.current_platform.is_cpu():
        pytest.skip("only a CPU keeps packed copies of tied weights")
    expected = {model: greedy(opened("transformers", model, "float32")) for model in tied}
    now = next(model for model in tied if greedy(engine) == expected[model])  # started on it, alone or by the swaps
    other = next(model for model in tied if model != now)
    monkeypatch.setattr("harness.generation.engines.vllm.RELOAD", "reload_weights")
    assert engine.load_weights(other) is None
    assert greedy(engine) != expected[other]
    engine.load_weights(now)
    loaded = load(engine, str(other), S1, {})
    assert loaded.restarted and "differed" in loaded.restarted
    assert greedy(engine) == expected[other]


@pytest.mark.parametrize(
    "left", ["lm_head", "embed_tokens", "layers.0.self_attn.v_proj.weight", "layers.1.mlp.up_proj"]
)
def test_the_probe_notices_one_parameter_that_was_not_updated(
    left: str, untied: tuple[Path, Path], opened: Any
) -> None:
    engine = opened("transformers", untied[1], "float32")
    stale = dict(opened("transformers", untied[0], "float32")._torch_model.named_parameters())
    expected = probe.Probe.read(untied[1].parent / probe.FILE)
    asked = [forced.ids for forced in expected.sequences]
    bound = expected.allowed("float32")
    assert expected.difference(engine.top_logprobs(asked, probe.NUM_ASKED)) <= bound
    [name] = [name for name in stale if left in name]
    engine._torch_model.get_parameter(name).data.copy_(stale[name])
    assert not expected.difference(engine.top_logprobs(asked, probe.NUM_ASKED)) <= bound


def test_an_engine_that_answers_otherwise_also_after_a_restart_is_refused(
    untied: tuple[Path, Path], opened: Any, tmp_path: Path
) -> None:
    shutil.copytree(untied[0], tmp_path / "checkpoint")
    shutil.copy(untied[1].parent / probe.FILE, tmp_path / probe.FILE)
    engine = opened("transformers", tmp_path / "checkpoint", "float32")
    with pytest.raises(WrongWeightsError, match=r"does not generate with the weights of .* nats"):
        load(engine, str(tmp_path / "checkpoint"), S1, {})


def test_a_model_without_a_probe_is_never_swapped_in_and_its_first_start_makes_one(
    untied: tuple[Path, Path], opened: Any, tmp_path: Path
) -> None:
    bare = [shutil.copytree(model, tmp_path / f"{i}" / "model") for i, model in enumerate(untied)]
    engine, known, asked = opened("transformers", bare[0], "float32"), dict[str, probe.Probe](), list[bool]()
    swap = engine.load_weights

    def load_weights(path: Any, in_place: bool) -> Any:
        asked.append(in_place)
        return swap(path)

    engine.load_weights = load_weights
    for model in (bare[0], bare[1], bare[0]):
        loaded = load(engine, str(model), S1, known)
    assert asked == [False, True] and set(known) == {str(model) for model in bare}
    assert loaded.probe_difference == 0.0


def test_a_checkpoint_brings_its_own_tokenizer_and_ends_of_text(
    untied: tuple[Path, Path], opened: Any, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    other = Path(shutil.copytree(untied[1], tmp_path / "other"))
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.chat_template = "{{ messages[0].content }}"
    tokenizer.save_pretrained(other)
    GenerationConfig(eos_token_id=[5, 258]).save_pretrained(other)
    engine = opened("transformers", untied[0], "float32")
    before = load(engine, str(untied[0]), S1, {})
    after = load(engine, str(other), S1, {})
    assert engine.eos_ids == (5, 258) and engine.tokenizer.chat_template == "{{ messages[0].content }}"
    assert before.tokenizer != after.tokenizer


def test_a_broken_probe_is_one_line(untied: tuple[Path, Path], tmp_path: Path) -> None:
    for text, why in (('{"dtype": "float32"', "a JSON object"), ('{"dtype": "float32"}', "a probe")):
        (tmp_path / probe.FILE).write_text(text)
        with pytest.raises(UserError, match=rf"is not {why} .*; remove it, or train again"):
            probe.Probe.read(tmp_path / probe.FILE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"dtype": "float32", "sequences": []}', "is not a probe"),
        ('{"dtype": "float32", "sequences": [{"ids": [1, 2], "start": 1, "tops": []}]}', "is not a probe"),
        ('{"dtype": "float32", "sequences": [{"ids": [1], "start": 0, "tops": [[[1, -1.0]]]}]}', "is not a probe"),
        (
            '{"dtype": "float32", "sequences": [{"ids": [1], "start": 1, "tops": [[[1, NaN]]]}]}',
            "NaN is no JSON number",
        ),
    ],
)
def test_a_probe_that_compares_nothing_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / probe.FILE).write_text(text)
    with pytest.raises(UserError, match=reason):
        probe.Probe.read(tmp_path / probe.FILE)


def one_position(*top: tuple[int, float]) -> probe.Probe:
    return probe.Probe("float32", (probe.Forced((1,), 1),), ((dict(top),),))


def test_an_engine_whose_log_probabilities_are_no_numbers_is_no_match() -> None:
    """Also where it lists none of the tokens that are stored."""
    expected = one_position((3, -1.0), (4, -2.0))
    for tokens in ((3, 4), (7, 8)):
        difference = expected.difference([[dict.fromkeys(tokens, float("nan"))]])
        assert not difference <= expected.allowed("bfloat16")


def test_the_prompts_own_token_is_not_taken_for_the_least_likely_one_listed() -> None:
    """vLLM lists the token that the prompt goes on with beside the most likely ones. A stored token that rounding has
    pushed out of a flat list lies just below its end, not 20 nats above."""
    flat = {token: -5.0 - token / 1000 for token in range(probe.NUM_ASKED)}
    expected = one_position((90, -5.019))
    assert expected.difference([[flat | {91: -25.0}]]).largest == pytest.approx(0.0, abs=1e-9)
    assert expected.difference([[{token: value - 3 for token, value in flat.items()}]]).largest > 2.9


def test_a_context_that_holds_nothing_of_the_probe_is_one_line(untied: tuple[Path, Path]) -> None:
    engine = open_engine(EngineConfig(name="transformers", max_model_len=30), str(untied[0]))
    with pytest.raises(UserError, match=r"too short to ask .* set engine.max_model_len to \d+"):
        load(engine, str(untied[0]), S1, {})


def test_the_probe_of_a_model_with_more_tokens_is_one_line(
    untied: tuple[Path, Path], opened: Any, tmp_path: Path
) -> None:
    shutil.copytree(untied[0], tmp_path / "checkpoint")
    other = probe.Probe("float32", (probe.Forced((99_999,), 1),), (({1: -1.0},),))
    other.write(tmp_path / probe.FILE)
    with pytest.raises(WrongWeightsError, match="holds ids that the tokenizer"):
        load(opened("transformers", tmp_path / "checkpoint", "float32"), str(tmp_path / "checkpoint"), S1, {})


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"no tensors")])
def test_a_checkpoint_whose_weights_cannot_be_read_is_one_line(
    damage: Any, untied: tuple[Path, Path], opened: Any, tmp_path: Path
) -> None:
    engine = opened("transformers", untied[0], "float32")
    damaged = Path(shutil.copytree(untied[1], tmp_path / "damaged"))
    damage(damaged / "model.safetensors")
    with pytest.raises(UserError, match="cannot load the model"):
        load(engine, str(damaged), S1, {})
