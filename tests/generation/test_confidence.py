"""The log-probabilities of the extracted answer: which tokens it is made of, in bytes, pieces and words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config import Budget
from harness.errors import UserError
from harness.generation.confidence import extracted_logprobs, logprob_columns
from harness.generation.rules import Vocabulary
from harness.records import Generation
from tests.tiny import bpe_tokenizer, byte_tokenizer


def words_tokenizer() -> Any:
    """SentencePiece's way: a word's space belongs to its token, and is lost when that is decoded alone."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "\u2581the", "\u2581answer", "\u2581is", "\u258142", ".", "\u2581"]
    tokenizer = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>")


BYTES = Vocabulary(byte_tokenizer())
PAIRS = Vocabulary(bpe_tokenizer([("4", "2"), ("\u0120", "42"), ("i", "s")]))
WORDS = Vocabulary(words_tokenizer())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12))
def test_ends_are_where_the_decoded_prefixes_end(text: str) -> None:
    ids = BYTES.encode(text)
    ends = BYTES.ends(ids)
    assert list(ends) == sorted(ends) and len(ends) == len(ids) and (not ids or ends[-1] == len(BYTES.decode(ids)))
    for n, end in enumerate(ends, 1):
        prefix = BYTES.decode(ids[:n])
        if "\ufffd" not in prefix:
            assert end >= len(prefix) and BYTES.decode(ids).startswith(prefix)


def test_tokens_whose_text_depends_on_their_neighbours_are_measured_together() -> None:
    ids = [1, 2, 3, 4, 5]
    assert WORDS.decode(ids) == "the answer is 42." and WORDS.ends(ids) == (3, 10, 13, 16, 17)


def generation(vocabulary: Vocabulary, answer: str, ids: Any = None) -> Generation:
    ids = tuple(vocabulary.encode(answer) if ids is None else ids)
    return Generation(
        "p",
        Budget(),
        0,
        0,
        (),
        (),
        (),
        ids,
        (),
        "",
        "",
        "",
        answer,
        9,
        1,
        "stop",
        "stop",
        False,
        answer_logprobs=tuple(-0.5 * n for n in range(len(ids))),
        answer_ends=vocabulary.ends(ids),
    )


def test_the_last_literal_place_of_the_answer_counts_and_no_part_of_a_longer_one() -> None:
    said = generation(BYTES, "42 or 142? So 42.")
    assert extracted_logprobs(said, "42") == (-0.5 * 14, -0.5 * 15)
    assert logprob_columns(said, "42") == {"answer_logprob_mean": -7.25, "answer_logprob_min": -7.5}
    assert extracted_logprobs(generation(BYTES, "Answer: (b)"), "B") == (-0.5 * 9,)
    assert extracted_logprobs(generation(BYTES, "\\boxed{\\frac{1}{2}}"), "\\frac{1}{2}") == tuple(
        -0.5 * n for n in range(7, 18)
    )
    assert logprob_columns(said, "7") == {"answer_logprob_mean": None, "answer_logprob_min": None}
    assert logprob_columns(said, None)["answer_logprob_min"] is None


def test_a_token_that_holds_more_than_the_answer_counts_whole() -> None:
    assert len(PAIRS.encode("is 42")) == 2
    assert extracted_logprobs(generation(PAIRS, "is 42"), "42") == (-0.5,)
    assert extracted_logprobs(generation(WORDS, "the answer is 42.", [1, 2, 3, 4, 5]), "42") == (-1.5,)


def test_biases_are_ids_or_texts_of_one_token() -> None:
    wait = BYTES.encode("W")
    assert BYTES.bias_ids((("W", -5.0), (7, 1.0))) == ((wait[0], -5.0), (7, 1.0))
    with pytest.raises(UserError, match="makes 4 tokens of it"):
        BYTES.bias_ids((("Wait", -5.0),))
    with pytest.raises(UserError, match="no such id; its largest is 258"):
        BYTES.bias_ids(((300, -5.0),))
