"""The same tokens from every engine: vLLM sessions, vLLM re-submission, transformers, replayed or run apart.

Greedy, float32, a random model. vLLM runs with about a third of the KV cache it wants, so that it has to preempt: that
is what finds lost state. `transformers` knows no such pressure and is the reference."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget, EngineConfig, Sampling
from harness.generation import open_engine
from harness.generation.budget import Machine
from harness.generation.engines.base import Request
from harness.generation.rules import Vocabulary
from harness.generation.samples import SampleWriter
from harness.generation.sweep import Prompt, generate, requests
from harness.records import Generation
from harness.thinking import FORMATS, ThinkingFormat, custom_format
from tests.tiny import make_model

pytestmark = pytest.mark.slow
CONFIG = EngineConfig(max_model_len=512, max_num_seqs=32, num_gpu_blocks_override=100)
SAMPLING = Sampling(max_answer_tokens=16)
KNOWN_IDS = 259  # of the byte tokenizer
MISSING_IDS = 1100  # more rows of the embedding, which must never come out: more than vLLM's GPU runner takes as biases
GRID = [Budget(b, n) for b in (0, 1, 16, 64, 200) for n in (0, 1, 3)]
BUDGETS = [
    *GRID,
    Budget("auto", 1),
    Budget(100_000),  # more than the context
    Budget(100, 2, ignore_str=None),
    Budget(100, 3, ignore_str=("Wait", "Hmm\n")),
    Budget(60, 1, min_thinking_tokens=30),
    Budget(20, method="no_thinking"),
]
Rows = dict[tuple[str, Budget, int], Generation]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"), padded=MISSING_IDS, seed=2)


@pytest.fixture(scope="module")
def vllm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("vllm")
    from benchmarks.counting_scheduler import VARIABLE, CountingScheduler
    from harness.generation.engines.vllm import VllmEngine

    logs = tmp_path_factory.mktemp("logs")
    os.environ[VARIABLE] = str(logs / "steps")
    engine = VllmEngine(CONFIG, str(model), logs / "vllm.log", scheduler_cls=CountingScheduler)
    yield engine
    engine.close()


def counted(engine: Any, run: Callable[[], Any]) -> tuple[int, int, int]:
    """Tokens computed, steps taken part in (summed over requests) and preemptions of `run`, from an empty cache."""
    log = engine.log_path.with_name("steps")
    engine._wait(engine._llm.reset_prefix_cache())
    log.write_text("")
    run()
    steps = [tuple(map(int, line.split())) for line in log.read_text().splitlines()]
    return sum(step[0] for step in steps), sum(step[1] for step in steps), sum(step[2] for step in steps)


@pytest.fixture(scope="module")
def transformers_engine(model: Path) -> Any:
    return open_engine(replace(CONFIG, name="transformers"), str(model))


def prompts(engine: Any, count: int) -> list[Prompt]:
    made = []
    for i in range(count):
        question = [{"role": "user", "content": f"What is {7 * i} + {i}? " * (1 + i % 3)}]
        text = engine.tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
        made.append(Prompt(str(i), text, Vocabulary(engine.tokenizer).encode(text)))
    return made


def rows(
    engine: Any,
    count: int = 6,
    budgets: Sequence[Budget] = BUDGETS,
    sampling: Sampling = SAMPLING,
    thinking: ThinkingFormat = FORMATS["s1"],
    **options: Any,
) -> Rows:
    found: Rows = {}

    def keep(row: Generation) -> None:
        assert (row.problem_id, row.budget, row.sample_index) not in found
        found[row.problem_id, row.budget, row.sample_index] = row

    generate(engine, prompts(engine, count), budgets, sampling, thinking, on_generation=keep, **options)
    assert len(found) == count * len(budgets) * sampling.num_samples
    return found


def differing(left: Rows, right: Rows) -> list[Any]:
    assert left.keys() == right.keys()
    return [key for key in left if replace(left[key], replayed=False) != replace(right[key], replayed=False)]


@pytest.fixture(scope="module")
def reference(vllm: Any) -> Rows:
    """Each run apart, on vLLM sessions that are short of memory."""
    found: list[Rows] = []
    assert counted(vllm, lambda: found.append(rows(vllm, replay=False)))[2] > 0
    return found[0]


def test_its_sockets_lie_in_a_folder_that_ends_with_it(vllm: Any) -> None:
    assert any(path.is_socket() for path in vllm._guard.folder.iterdir())


def test_a_replayed_sweep_equals_its_runs_apart(vllm: Any, reference: Rows) -> None:
    before = vllm.counters.sampled_tokens
    replayed = rows(vllm)
    assert differing(replayed, reference) == []
    assert sum(row.replayed for row in replayed.values()) >= 6 * len(GRID) - 6
    assert not any(row.replayed for row in reference.values())
    apart = sum(len(row.thinking_ids) + len(row.answer_ids) for row in reference.values())
    assert vllm.counters.sampled_tokens - before < apart / 2


def test_a_forced_generation_costs_what_an_unforced_one_of_its_length_costs(vllm: Any) -> None:
    """Counts, not seconds: tokens computed and steps taken part in, summed over the requests. Engine steps besides
    depend on how soon a busy host sends the next turn; benchmarks/budget_forcing.py has them."""
    from benchmarks.budget_forcing import plain_generation

    budget, found = Budget(200, 3), list[Rows]()
    tokens, steps, preempted = counted(vllm, lambda: found.append(rows(vllm, 7, [budget])))  # as many as fit
    assert preempted == 0 and sum(row.num_rounds for row in found[0].values()) > 14
    lengths = [
        (row.prompt_ids, len(row.thinking_ids) + len(row.closing_ids) + len(row.answer_ids))
        for row in found[0].values()
    ]
    ideal_tokens, ideal_steps, _ = counted(vllm, lambda: plain_generation(vllm, lengths))
    assert tokens <= 1.02 * ideal_tokens and steps <= 1.01 * ideal_steps


def test_a_sweep_of_twenty_cells_samples_a_fifth_of_what_they_sample_apart(vllm: Any) -> None:
    grid = [Budget(b, n) for b in (16, 32, 64, 128, 256) for n in (0, 1, 2, 4)]
    sampled, found = [vllm.counters.sampled_tokens], []
    for replay in (True, False):
        found.append(rows(vllm, 7, grid, replace(SAMPLING, max_answer_tokens=4), replay=replay))
        sampled.append(vllm.counters.sampled_tokens)
    assert differing(*found) == []
    assert sampled[2] - sampled[1] >= 5 * (sampled[1] - sampled[0])


def test_transformers_gives_the_tokens_of_vllm(transformers_engine: Any, reference: Rows) -> None:
    assert differing(rows(transformers_engine), reference) == []


def test_resubmission_gives_the_tokens_of_sessions(vllm: Any, reference: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "_planned", "resubmit")
    assert differing(rows(vllm, replay=False), reference) == []


def test_rows_decode_to_their_text_and_stay_in_their_budget(vllm: Any, reference: Rows) -> None:
    vocabulary = Vocabulary(vllm.tokenizer)
    seen: Counter[str] = Counter()
    for row in reference.values():
        assert vocabulary.decode(row.thinking_ids) == row.thinking
        assert vocabulary.decode(row.closing_ids) == row.closing
        assert vocabulary.decode(row.answer_ids) == row.answer
        assert len(row.thinking_ids) <= row.budget_tokens
        assert max([*row.thinking_ids, *row.answer_ids], default=0) < len(vllm.tokenizer)
        assert row.num_rounds == (0 if row.thinking_finish == "none" else 1 + len(spans_of(row)))
        seen[row.thinking_finish] += 1
    assert min(seen["stop"], seen["budget"], seen["none"]) > 0, seen


def spans_of(row: Generation) -> list[Any]:
    """The ignores of `row`; one without a string leaves nothing to see: its count is taken on trust."""
    return [None] * (row.num_rounds - 1) if row.budget.ignore_str is None else list(row.forced_spans)


def test_every_token_is_the_models_own_greedy_choice(model: Path, reference: Rows) -> None:
    """Teacher forcing by plain transformers: no engine of ours in the check."""
    import torch
    from transformers import AutoModelForCausalLM

    judge = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    checked = 0
    for row in list(reference.values())[:: max(1, len(reference) // 40)]:
        ids = [*row.prompt_ids, *row.thinking_ids, *row.closing_ids, *row.answer_ids]
        if row.budget.min_thinking_tokens or len(ids) == len(row.prompt_ids):
            continue
        with torch.inference_mode():
            logits = judge(torch.tensor([ids])).logits[0]
        best = logits[:, :KNOWN_IDS].argmax(-1).tolist()
        injected = {i for span in row.forced_spans for i in range(span.start, span.start + span.length)}
        fresh = {0} | {span.start + span.length for span in row.forced_spans}
        for index, token in enumerate(row.thinking_ids):
            if index not in injected and index not in fresh and row.budget.ignore_str is not None:
                assert best[len(row.prompt_ids) + index - 1] == token
                checked += 1
        start = len(ids) - len(row.answer_ids)
        for index, token in enumerate(row.answer_ids):
            assert best[start + index - 1] == token
            checked += 1
    assert checked > 500


def test_a_prompt_that_does_not_fit_is_a_row_with_an_error(vllm: Any) -> None:
    found: list[Generation] = []
    some = [prompts(vllm, 1)[0], Prompt("long", "x" * 600, Vocabulary(vllm.tokenizer).encode("x" * 600))]
    generate(vllm, some, [Budget(16), Budget("auto")], SAMPLING, FORMATS["s1"], on_generation=found.append)
    assert sorted((row.problem_id, row.error is None) for row in found) == [("0", True)] * 2 + [("long", False)] * 2
    assert all("leaves no room" in (row.error or "") for row in found if row.problem_id == "long")


def test_sampling_does_not_depend_on_the_batch_and_samples_differ(vllm: Any) -> None:
    sampling = Sampling(temperature=1.0, num_samples=3, max_answer_tokens=8, seed=7)
    many = rows(vllm, 5, [Budget(40, 1)], sampling)
    few = rows(vllm, 2, [Budget(40, 1)], sampling)
    assert all(many[key] == few[key] for key in few)
    assert len({many["0", Budget(40, 1), i].thinking_ids for i in range(3)}) == 3


@pytest.mark.parametrize("first", ["text", "<|im_start|>"])
def test_ends_of_two_tokens_are_taken_back_by_every_engine(vllm: Any, transformers_engine: Any, first: str) -> None:
    """Neither a session nor a static batch can take tokens back: both submit anew, and nothing may differ. Ends in
    plain text are found in the text, those with a token of their own by their ids (`<|im_start|>0`)."""
    vocabulary = Vocabulary(vllm.tokenizer)
    unending = custom_format("<|im_start|>think", "<|im_start|>answer", "\nSo:", "<|im_end|>")
    pairs: Counter[tuple[int, int]] = Counter()
    for row in rows(vllm, 6, [Budget(280)], thinking=unending).values():
        pairs.update(zip(row.thinking_ids, row.thinking_ids[1:], strict=False))
    texts = {pair: vocabulary.decode(pair) for pair, _ in pairs.most_common() if pair[1] < 256}
    usable = [text for pair, text in texts.items() if vocabulary.encode(text) == pair and text not in "Wait"]
    stops = [text for text in usable if (text[0] != "<") == (first == "text") and first in ("text", text[:12])]
    thinking = replace(unending, stops=(*stops[:3], "<|im_end|>"))
    budgets = [Budget(b, n) for b in (90, 280) for n in (0, 2)]
    apart = rows(vllm, 6, budgets, thinking=thinking, replay=False)
    assert differing(rows(vllm, 6, budgets, thinking=thinking), apart) == []
    assert differing(rows(transformers_engine, 6, budgets, thinking=thinking), apart) == []
    assert differing(rows(vllm, 6, budgets, thinking=unending), apart) != []
    assert any(row.forced_spans for row in apart.values())


def test_a_frequency_penalty_means_the_same_in_every_engine(vllm: Any, transformers_engine: Any) -> None:
    penalised, budgets = replace(SAMPLING, frequency_penalty=0.9), [Budget(b, n) for b in (40, 120) for n in (0, 2)]
    apart = rows(vllm, 4, budgets, penalised, replay=False)
    assert differing(rows(transformers_engine, 4, budgets, penalised), apart) == []
    assert differing(rows(vllm, 4, budgets, penalised), apart) == []
    assert len(differing(rows(vllm, 4, budgets), apart)) > 0


SHIFTED: dict[str, Any] = {"presence_penalty": 0.7, "repetition_penalty": 1.2, "logit_bias": ((40, 3.0), (50, -100.0))}
DRAWN: dict[str, Any] = {"temperature": 0.9, "top_k": 20, "min_p": 0.02, "top_p": 0.8}


@pytest.mark.parametrize("parameters", [SHIFTED, DRAWN, SHIFTED | DRAWN], ids=["greedy", "drawn", "both"])
def test_a_thought_is_what_plain_vllm_generates_with_the_same_parameters(
    vllm: Any, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameters reach vLLM as the user gave them, under vLLM's own names."""
    from vllm import SamplingParams

    submitted: list[Request] = []
    submission = vllm._submission

    def noted(request: Request) -> Any:
        submitted.append(request)
        return submission(request)

    monkeypatch.setattr(vllm, "_submission", noted)
    found = rows(vllm, 4, [Budget(60)], Sampling(**parameters, max_answer_tokens=16))
    seeds = {request.prompt_ids: request.turn_seed() for request in submitted if not request.machine.closing}
    stops = list(Vocabulary(vllm.tokenizer).encode("<|im_start|><|im_end|>"))
    its_own = parameters | {"logit_bias": dict(parameters.get("logit_bias", ()))}

    async def plain(ids: Sequence[int]) -> tuple[int, ...]:
        params = SamplingParams(
            max_tokens=60,
            min_tokens=1,
            stop_token_ids=stops,
            ignore_eos=True,
            detokenize=False,
            **({"temperature": 0.0, "seed": seeds.get(tuple(ids), 0)} | its_own),
        )
        last: Any = None
        async for output in vllm._llm.generate({"prompt_token_ids": list(ids)}, params, f"plain {len(ids)}"):
            last = output
        return tuple(i for i in last.outputs[0].token_ids if i not in stops)

    for row in found.values():
        assert row.error is None and row.thinking_ids == vllm._wait(plain(row.prompt_ids))
    assert {row.thinking_ids for row in found.values()} != {
        row.thinking_ids for row in rows(vllm, 4, [Budget(60)]).values()
    }


def test_what_moves_logits_means_the_same_in_every_engine(vllm: Any, transformers_engine: Any) -> None:
    moved, budgets = replace(SAMPLING, **SHIFTED), [Budget(b, n) for b in (40, 120) for n in (0, 2)]
    apart = rows(vllm, 4, budgets, moved, replay=False)
    assert differing(rows(transformers_engine, 4, budgets, moved), apart) == []
    assert not any(50 in row.thinking_ids + row.answer_ids for row in apart.values())


def test_log_probabilities_of_an_answer_are_those_of_transformers_log_softmax(
    vllm: Any, transformers_engine: Any, model: Path, reference: Rows
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    budgets, sampling = [*GRID[:6], Budget(20, method="no_thinking")], replace(SAMPLING, answer_logprobs=True)
    found = {name: rows(engine, 3, budgets, sampling) for name, engine in [("v", vllm), ("t", transformers_engine)]}
    found["drawn"] = rows(vllm, 3, budgets, replace(sampling, temperature=1.0, presence_penalty=0.5))
    texts = [key for key, row in found["v"].items() if row.answer_ids != reference[key].answer_ids]
    assert texts == []  # asking for them changes no token
    witness = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    for row in (row for each in found.values() for row in each.values()):
        ids = [*row.prompt_ids, *row.thinking_ids, *row.closing_ids, *row.answer_ids]
        with torch.no_grad():
            table = witness(torch.tensor([ids])).logits[0].log_softmax(-1)
        start = len(ids) - len(row.answer_ids)
        expected = [float(table[at - 1, ids[at]]) for at in range(start, len(ids))]
        assert row.answer_logprobs == pytest.approx(expected, abs=2e-4) and len(row.answer_ends) == len(expected)
    assert not any(row.answer_logprobs for row in reference.values())


def test_sampled_rows_that_were_lost_come_back_as_they_were(vllm: Any) -> None:
    """On vLLM's own generators: what a trunk answered, and what was branched off it."""
    sampling = Sampling(temperature=1.0, max_answer_tokens=8, seed=3)
    undisturbed = rows(vllm, 4, GRID, sampling)
    assert differing(rows(vllm, 4, GRID, sampling, replay=False), undisturbed) == []
    again = {key: row for budget in GRID[4::3] for key, row in rows(vllm, 4, [budget], sampling).items()}
    assert differing(again, {key: undisturbed[key] for key in again}) == []


def test_soft_ends_are_the_same_in_every_engine(
    vllm: Any, transformers_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = [
        Budget(30, 1, grace_tokens=80),
        Budget(80, 2, wrap_up_str="\nSo now: ", wrap_up_tokens=30),
        Budget(40, wrap_up_str="Enough."),
        Budget(50, 1, grace_tokens=40, wrap_up_str="\nSo ", wrap_up_tokens=20, final_answer="\nIt is "),
    ]
    apart = rows(vllm, 8, budgets, replay=False)
    assert differing(rows(transformers_engine, 8, budgets), apart) == []
    monkeypatch.setattr(vllm, "config", replace(vllm.config, strategy="resubmit"))
    assert differing(rows(vllm, 8, budgets), apart) == []
    found = {budget: [row for row in apart.values() if row.budget == budget] for budget in budgets}
    assert any(row.forced_end and 0 < len(row.thinking_ids) - 30 < 80 for row in found[budgets[0]])
    assert any("\nSo now: " in row.thinking and row.forced_end for row in found[budgets[1]])
    assert all(row.thinking.endswith("Enough.") for row in found[budgets[2]] if row.forced_end)
    assert all(row.closing.endswith("<|im_start|>answer\nIt is ") for row in found[budgets[3]] if row.forced_end)


def test_rejection_sampling_and_the_forks_arithmetic_run_on_vllm(vllm: Any, transformers_engine: Any) -> None:
    fork = [Budget(30, n, compat="s1-fork") for n in (0, 2)]
    assert differing(rows(vllm, 4, fork), rows(transformers_engine, 4, fork)) == []
    budgets = [Budget(b, method="rejection_sampling", max_attempts=20) for b in (20, 60)]
    found = rows(vllm, 4, budgets, Sampling(temperature=1.0, max_answer_tokens=4))
    accepted = [row for row in found.values() if row.thinking_finish != "rejected"]
    assert accepted and all(row.error is None for row in found.values())
    assert accepted and all(len(row.thinking_ids) <= row.budget_tokens for row in accepted)
    assert all(row.discarded_tokens > 0 for row in found.values() if row.num_attempts > 1)


def test_a_row_callback_that_fails_stops_the_run_and_leaves_the_engine_usable(vllm: Any, reference: Rows) -> None:
    def full_disk(row: Generation) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        generate(vllm, prompts(vllm, 6), GRID, SAMPLING, FORMATS["s1"], on_generation=full_disk)
    assert differing(rows(vllm, replay=False), reference) == []


def test_sessions_that_block_each_other_are_parted(
    vllm: Any, transformers_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven thoughts end in the same step, and fill the cache to its last block: none can begin its answer."""
    from harness.generation.engines import vllm as module

    monkeypatch.setattr(module, "STUCK_SECONDS", 1.0)
    texts = [f"{i:03d} What is it? " for i in range(11)]
    vocabulary = Vocabulary(vllm.tokenizer)
    made = [Prompt(str(i), text, vocabulary.encode(text)) for i, text in enumerate(texts)]
    opened = len(made[0].ids) + len(vocabulary.encode(FORMATS["s1"].thinking_start))
    cap = 9 * 32 - opened + 1  # of 99 blocks, nine each; the last token of a turn is dropped
    budget = Budget(cap, min_thinking_tokens=cap)
    found: list[list[Generation]] = []
    before = vllm.counters.submissions
    for engine in (vllm, transformers_engine):
        found.append([])
        generate(engine, made, [budget], SAMPLING, FORMATS["s1"], on_generation=found[-1].append)
    keyed = [{(row.problem_id, row.budget, row.sample_index): row for row in rows} for rows in found]
    assert differing(*keyed) == [] and len(keyed[0]) == 11
    assert vllm.counters.submissions - before > 11


def test_a_turn_of_no_token_ends_a_session_as_it_ends_a_new_request(vllm: Any, reference: Rows) -> None:
    """Real models often answer a forced "Final Answer:" with the end of their turn at once."""
    vocabulary = Vocabulary(vllm.tokenizer)
    firsts = Counter(row.answer_ids[:1] for row in reference.values() if row.answer_ids and row.forced_end)
    ending = next(text for ids, _ in firsts.most_common() if vocabulary.encode(text := vocabulary.decode(ids)) == ids)
    thinking = replace(FORMATS["s1"], answer_stops=(*FORMATS["s1"].answer_stops, ending))
    found = rows(vllm, thinking=thinking)
    assert differing(found, rows(vllm, thinking=thinking, replay=False)) == []
    empty = [row for row in found.values() if row.answer_finish == "stop" and not row.answer_ids]
    assert len(empty) > 5


@pytest.mark.faults  # a stale head, in test_loading.py, has an engine started again as well
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_engine_that_dies_is_started_again_and_no_row_is_lost(vllm: Any, temperature: float) -> None:
    sampling = Sampling(temperature=temperature, max_answer_tokens=8, seed=3)
    undisturbed, found = rows(vllm, 4, GRID, sampling), Rows()
    assert vllm._guard.wards >= {process.pid for process in vllm._children} != set()

    def keep(row: Generation) -> None:
        if len(found) == 7:
            for process in vllm._children:
                process.kill()
        found[row.problem_id, row.budget, row.sample_index] = row

    generate(vllm, prompts(vllm, 4), GRID, sampling, FORMATS["s1"], on_generation=keep)
    assert differing(found, undisturbed) == []


@pytest.mark.faults  # test_vllm_deaths.py has the search for the one that does it, on an engine without vLLM
def test_a_request_that_kills_the_engine_takes_no_other_with_it(
    vllm: Any, reference: Rows, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """vLLM does not check the length of a session: without our check its core dies of a closing that is too long."""
    params, found = vllm._params, Rows()

    def keep(row: Generation) -> None:
        found[row.problem_id, row.budget, row.sample_index] = row

    writer = SampleWriter(vllm, SAMPLING, FORMATS["s1"], keep)
    some = prompts(vllm, 6)
    rules = replace(writer.rules(Budget(24), writer.open(some[0]), (24,)), forced_closing=(65,) * 490, room=10_000)
    poison = Request(some[0].ids, Machine(rules), SAMPLING, 0, lambda request: ())
    monkeypatch.setattr(
        vllm, "_params", lambda request, turn, context: params(request, turn, 0 if request is poison else context)
    )
    normal = [request for prompt in some for request in requests(writer, prompt, BUDGETS, 0, replay=False)]
    with caplog.at_level("WARNING"):
        vllm.run([*normal[:5], poison, *normal[5:]])
    assert differing(found, reference) == []
    assert poison.error and "the engine died" not in poison.error  # submitted anew, vLLM refuses it
    assert "the vLLM engine died (ValueError: could not broadcast" in caplog.text
    assert vllm.strategy == "resubmit"
