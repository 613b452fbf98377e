"""Training is what it says: s1's text byte for byte, one order of rows, the mean that is named, no empty steps."""

from __future__ import annotations

import json
import pickle
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_training import ROWS, SMALL, job, losses, run

from harness.config import Training, run_id
from harness.data import load as pool
from harness.data.adapters import adapt
from harness.errors import UserError
from harness.quickstart import TINY_MODEL
from harness.thinking import S1
from harness.training import examples, order, sft, worker
from harness.training.examples import TRAINED_ON, slim
from harness.training.text import IGNORED
from harness.training.variants import format_batch
from tests.pools import row, shared
from tests.tiny import byte_tokenizer

SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."  # what Qwen2.5's template puts first


def qwen() -> Any:
    """A byte tokenizer with Qwen2.5's prompt: its own system turn before the user's."""
    made = byte_tokenizer()
    made.chat_template = (
        "{% if messages[0].role != 'system' %}<|im_start|>system\n"
        + SYSTEM
        + "<|im_end|>\n{% endif %}"
        + made.chat_template
    )
    return made


def published(question: str, trajectories: list[str], attempt: str) -> str:
    """s1's training text, re-derived from what its tokenised sets hold: Qwen2.5's turns around trace and answer."""
    answer = attempt if "Answer:" in attempt else "Answer: " + attempt
    said = "<|im_start|>think\n" + "\n".join(trajectories).strip() + "\n<|im_start|>answer\n" + answer.strip()
    turns = (("system", SYSTEM), ("user", question), ("assistant", said))
    return "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)


def test_the_text_of_variant_s1_is_the_published_rules_byte_for_byte_on_200_real_rows() -> None:
    rows = pool.load("sft_pool", shared("sft_pool").parent).select(range(200)).to_list()
    rows = [{**one, "attempt": one["attempt"] if n % 2 else f" So it is {n}. "} for n, one in enumerate(rows)]
    made = format_batch(qwen(), rows, S1, 10**6, "s1")
    for one, example in zip(rows, made, strict=True):
        text = published(one["question"], one["thinking"].split("\n"), one["attempt"])
        assert example["text"] == text
        learned = bytes(qwen().decode([i for i in example["labels"] if i != IGNORED]), "utf-8")
        assert learned == text.partition("<|im_start|>assistant\n")[2].encode()  # the last newline too
    plain = format_batch(qwen(), rows, S1, 10**6, "plain")
    assert not any(a["text"] == b["text"] for a, b in zip(made, plain, strict=True))


def test_a_row_of_a_tokenised_set_is_trained_on_its_own_text() -> None:
    own = published("Q ", ["T"], "A").replace("Answer: A", "A as it was")
    record = {
        "question": "Q ",
        "solution": "S",
        "cot_type": "math",
        "source_type": "x",
        "deepseek_attempt": "A",
        "deepseek_thinking_trajectory": "T",
        "text": own,
    }
    (one,) = adapt(record, "s1K-1.1_tokenized", 0).rows
    (example,) = format_batch(qwen(), [slim(one, "s1")], S1, 4096, "s1")
    assert example["text"] == own
    assert set(slim(one, "plain")) == set(TRAINED_ON)  # no metadata travel


def test_s1s_text_is_refused_where_the_template_writes_another() -> None:
    made = byte_tokenizer()
    made.chat_template = made.chat_template.replace("{{ message.content }}", "{{ message.content.split('think')[-1] }}")
    with pytest.raises(UserError, match=r"variant s1: the chat template .* does not keep s1's text"):
        format_batch(made, [row(1)], S1, 4096, "s1")


def test_class_prompts_part_short_from_long_at_the_median() -> None:
    rows = [row(n, thinking="x" * n) for n in (10, 20, 30, 40)]
    texts = [one["text"] for one in format_batch(byte_tokenizer(), rows, S1, 4096, "class")]
    assert ["after a short amount" in text for text in texts] == [True, True, False, False]
    assert ["after a long amount" in text for text in texts] == [False, False, True, True]


# -- the order of rows


def test_every_row_comes_once_an_epoch_and_the_last_batch_is_filled_with_rows_that_have_no_loss() -> None:
    for grouped in (False, True):
        training = replace(SMALL, global_batch_size=8, num_epochs=3, group_by_length=grouped)
        rows = order.epochs([7 * n % 50 for n in range(37)], training)
        assert len(rows) == 3 * 40
        for epoch in (rows[:40], rows[40:80], rows[80:]):
            assert sorted(epoch[:37]) == list(range(37)) and epoch[37:] == [order.FILLER] * 3
        assert rows[:40] != rows[40:80]
        assert rows != order.epochs([7 * n % 50 for n in range(37)], replace(training, seed=1))


def test_rows_grouped_by_length_wait_less() -> None:
    lengths = [(n * n * 7919) % 5000 + 200 for n in range(1000)]
    paper = Training(num_workers=16, num_gpus=1)
    random, grouped = (order.waiting(lengths, replace(paper, group_by_length=value)) for value in (False, True))
    assert random > 0.4 and grouped < 0.1
    assert order.waiting([100] * 32, replace(paper, num_epochs=1)) == 0


def test_the_order_of_a_seed_is_for_good() -> None:
    assert order.one_epoch([1] * 6, Training(global_batch_size=2), 0) == [1, 0, 4, 3, 2, 5]


# -- the mean of the loss


def bare_loss(rows: list[dict[str, Any]], by_row: bool) -> float:
    """The loss of one batch on the untrained model, by transformers' logits and torch's cross-entropy alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(TINY_MODEL, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(TINY_MODEL)
    sums, counts = [], []
    for example in format_batch(tokenizer, rows, S1, SMALL.block_size):
        with torch.no_grad():
            logits = model(torch.tensor([example["input_ids"]])).logits[0, :-1]
        labels = torch.tensor(example["labels"][1:])
        sums.append(float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum")))
        counts.append(int((labels != IGNORED).sum()))
    if by_row:
        return sum(a / b for a, b in zip(sums, counts, strict=True)) / len(rows)
    return sum(sums) / sum(counts)


@pytest.mark.parametrize("mean", ["token", "row"])
def test_the_first_steps_loss_is_the_mean_that_the_setting_names(tmp_path: Path, mean: Any) -> None:
    training = replace(SMALL, num_epochs=1, loss_mean=mean, global_batch_size=8, per_device_batch_size=2)
    short = [{**one, "thinking": one["thinking"][: 20 if n % 2 else None]} for n, one in enumerate(ROWS[:8])]
    tmp_path.mkdir(exist_ok=True)
    worker.run_sft({**job(tmp_path, training), "rows": short})
    expected = {by_row: bare_loss(short, by_row) for by_row in (False, True)}
    assert abs(expected[True] - expected[False]) > 0.01  # the rows differ enough to tell the two apart
    assert losses(tmp_path)[0]["loss"] == pytest.approx(expected[mean == "row"], rel=1e-5)


def test_the_mean_of_the_loss_is_part_of_a_runs_identity() -> None:
    assert run_id(replace(SMALL, loss_mean="row")) != run_id(SMALL)


# -- rows that teach nothing


def test_the_columns_that_training_needs_travel_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handed(Exception):  # noqa: N818  what is handed to the workers
        pass

    def handed(work: dict[str, Any], *rest: Any) -> None:
        raise Handed(len(pickle.dumps(work)))

    monkeypatch.setattr(sft, "run_workers", handed)
    rows = [row(n, metadata=json.dumps({"test_cases": "x" * 10**6}), solution="y" * 10**5) for n in range(20)]
    with pytest.raises(Handed) as found:
        sft.train(rows, TINY_MODEL, SMALL, "s1", tmp_path, "one")
    texts = sum(len(one[name]) for one in rows for name in TRAINED_ON)
    assert texts < found.value.args[0] < 4 * texts + 5000  # 22 MB less than the rows


def test_a_nodes_workers_tokenise_once_and_share_the_file_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    written, write = list[Path](), examples._write

    def counted(*asked: Any) -> Any:
        written.append(asked[-1])
        time.sleep(0.2)  # the others come meanwhile
        return write(*asked)

    monkeypatch.setattr(examples, "_write", counted)

    def worker_of_the_node(number: int) -> Any:
        return examples.tokenised(ROWS, byte_tokenizer(), S1, 512, "plain")[0]

    with ThreadPoolExecutor(3) as workers:  # each opens the lock for itself, as processes do
        found = list(workers.map(worker_of_the_node, range(3)))
    assert len(written) == 1 and len({one.cache_files[0]["filename"] for one in found}) == 1
    assert str(written[0]) in Path("/proc/self/maps").read_text()  # mapped, not read
    assert [one["input_ids"] for one in found[2]] == [one["input_ids"] for one in found[0]] and len(found[0]) == 38


def test_rows_without_loss_or_answer_are_left_out_and_counted_not_steps_of_loss_0(tmp_path: Path) -> None:
    long = {**ROWS[0], "id": "long", "question": "why " * 400}
    empty = {**ROWS[1], "id": "empty", "attempt": "", "answer": ""}
    training = replace(SMALL, num_epochs=1, global_batch_size=1, per_device_batch_size=1)
    worker.run_sft({**job(tmp_path, training), "rows": [long, *ROWS[:5], empty]})
    figures = json.loads((tmp_path / sft.FIGURES_FILE).read_text())
    assert (figures["num_rows"], figures["num_without_loss"], figures["num_without_answer"]) == (5, 1, 1)
    assert len(losses(tmp_path)) == 5 and all(step["loss"] > 0 for step in losses(tmp_path))
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match=r"none of 2 rows teaches anything: 1 fill block_size=512.*1 have no answer"):
        worker.run_sft({**job(tmp_path / "none", training), "rows": [long, empty]})


def test_the_checkpoint_keeps_the_chat_template_and_the_stops_that_evaluation_uses(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    run(tmp_path, replace(SMALL, num_epochs=1))
    base, tuned = (AutoTokenizer.from_pretrained(path) for path in (TINY_MODEL, tmp_path / "checkpoint"))
    assert base.chat_template == tuned.chat_template and base.eos_token == tuned.eos_token
    ids = GenerationConfig.from_pretrained(tmp_path / "checkpoint").eos_token_id
    assert tuned.convert_tokens_to_ids("<|im_end|>") in ([ids] if isinstance(ids, int) else ids)


def test_a_formatted_file_trains_to_the_weights_of_its_rows(tmp_path: Path) -> None:
    from test_training import same

    from harness.cli import data_steps
    from harness.config import Chat
    from harness.training import formatted

    training = replace(SMALL, num_epochs=1)
    data_steps.formatted(ROWS, TINY_MODEL, "s1", Chat(), "plain", training.block_size, tmp_path / "train.parquet")
    assert formatted.is_formatted(tmp_path / "train.parquet")
    formatted_rows = formatted.rows(tmp_path / "train.parquet")
    for name, rows in (("rows", ROWS), ("formatted", formatted_rows)):
        (tmp_path / name).mkdir()
        worker.run_sft({**job(tmp_path / name, training), "rows": [slim(one, "plain") for one in rows]})
    assert same(tmp_path / "rows", tmp_path / "formatted")
    strange = [{**formatted_rows[0], "input_ids": [10**6], "labels": [10**6]}]
    with pytest.raises(UserError, match=r"has the id 1000000, the model's tokenizer \d+ ids; format the rows with"):
        worker.run_sft({**job(tmp_path / "rows", training), "rows": strange})


def test_train_says_what_is_wrong_with_its_input_before_any_work(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from harness.cli.main import cli

    pool_file = tmp_path / "pool.jsonl"
    pool_file.write_text(json.dumps({"problem": "Q", "answer": "2"}) + "\n")
    arguments = ["train", str(pool_file), "--model", TINY_MODEL, "--out", str(tmp_path / "out")]
    for more, why in (
        ([], "none of its 1 rows has a trace, and train needs one"),
        (["--set", "num_epoch=3"], "did you mean 'num_epochs'"),
        (["--set", "num_epochs=0"], "give 1 or more"),
    ):
        with pytest.raises(UserError, match=why):
            CliRunner().invoke(cli, [*arguments, *more], catch_exceptions=False)
    assert not (tmp_path / "out").exists()
