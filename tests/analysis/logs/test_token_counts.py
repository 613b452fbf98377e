"""Token counts: cutting texts into lines, words and pieces never changes a count, whatever the tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from harness.analysis.logs.token_counts import TokenCounter, ascii_cut, load_counter
from tests import byte_pair

HARD = [
    byte_pair.WORDS,
    "a.\n\n\n b\n1)\n\n\t- c\r\n\r\nd",
    "\n\n",
    "",
    "x\n",
    " ",
    "   ",
    "é\n\n漢字\n$y$\n  z",
    "<|im_start|>think\n\na",
    "a<|im_end|>b <|im_start|> <|im_start|>\n",
    "I'M 'S we'Ll don't ''s 'ſ K",
    "12345 6,789.0e-12",
    "e\u0301 cafe\u0301 \ufb01 ² ½ Ⅷ ٣",
    "a\u00a0b\u2003c\u200bd\u3000e\x85f\x1cg",
    "\0a \0 b\0",
    "x\x0b\x0c\x7fy \x01",
    "def f(x):\n    return  x**2  # ok\n\n\n        y\n",
    "a  \n  \n\n b   c    d \n",
    "((())){{}}[]\n\\frac{1}{2}\\\\\n",
    "\t\ta\t b \tc\n\t\n",
    "…—“q” naïve\n",
    "😀👍🏽 x😀\n😀",
    "\r\n\r\n a\r b\n\r",
    "</think>\n\n**Final** answer: $\\boxed{-7}$.",
]


def counts(folder: str, texts: list[str]) -> list[int]:
    whole = Tokenizer.from_file(f"{folder}/tokenizer.json")
    return [len(whole.encode(text, add_special_tokens=False).ids) for text in texts]


PATTERNS = {"qwen": byte_pair.QWEN, "llama3": byte_pair.LLAMA3, "gpt2": None}


@pytest.fixture(scope="module", params=PATTERNS)
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return byte_pair.train(tmp_path_factory.mktemp(request.param), PATTERNS[request.param])


def test_hard_texts_have_the_counts_of_the_whole_text(tokenizer: Any) -> None:
    counter = load_counter(tokenizer)
    assert counter.count(HARD) == counts(tokenizer, HARD)
    assert counter.count(list(reversed(HARD))) == counts(tokenizer, HARD)[::-1]  # from what is known now


@pytest.mark.parametrize(("name", "by_line"), [("qwen", True), ("llama3", True), ("gpt2", False)])
def test_qwens_and_llamas_texts_are_cut_and_gpt2s_stay_whole(tmp_path: Path, name: Any, by_line: Any) -> None:
    counter = load_counter(byte_pair.train(tmp_path, PATTERNS[name]))
    counter.count(HARD)
    assert counter.by_line is by_line and (counter.cut_word is not None) is by_line


def test_lines_after_a_test_on_plain_texts_are_counted_as_exactly(tokenizer: Any) -> None:
    lines = [line for text in HARD for line in (*text.split("\n"), text + "\n", "\n" + text)]
    counter = load_counter(tokenizer)
    counter.count(["plain words first"])
    assert counter.count(lines) == counts(tokenizer, lines)


TRICKY = st.text("ab Z\n\t.'s1é²$\r(<|>_\u0301\u00a0\0", max_size=40)
JOINED = st.lists(
    st.sampled_from([" ", "  ", "\n", "the", "'ll", "<|im_end|>", "x=1", "...", "é", "\t", "12"]), max_size=20
)


@settings(deadline=None)  # a shared machine
@given(st.lists(TRICKY | JOINED.map("".join), min_size=1, max_size=6))
def test_cutting_texts_never_changes_a_count(tokenizer: Any, texts: Any) -> None:
    assert load_counter(tokenizer).count(texts) == counts(tokenizer, texts)


def test_a_tokenizer_that_joins_over_line_ends_is_counted_whole(tmp_path: Path) -> None:
    joined = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=120, show_progress=False)
    joined.train_from_iterator(["ab\ncd\n" * 50], trainer)  # no pre-tokenizer: merges run over lines
    joined.save(str(tmp_path / "tokenizer.json"))
    counter = load_counter(str(tmp_path))
    assert counter.count(["ab\ncd\nab\ncd\n" * 9]) == [len(joined.encode("ab\ncd\nab\ncd\n" * 9).ids)]
    assert not counter.by_line


@pytest.mark.parametrize("flag", ["lstrip", "rstrip", "single_word"])
def test_a_token_that_takes_the_space_around_it_is_counted_whole(tmp_path: Path, flag: Any) -> None:
    folder = byte_pair.train(tmp_path, added=(AddedToken("[M]", **{flag: True}),))
    texts = ["a  [M]\n\n b [M][M]c\n[M] \n", *HARD]
    counter = load_counter(folder)
    assert counter.count(texts) == counts(folder, texts)
    assert not counter.by_line


def test_an_added_token_within_a_word_is_found_before_the_word_is_cut(tmp_path: Path) -> None:
    folder = byte_pair.train(tmp_path, added=(AddedToken("answer"), AddedToken("\n\n\n"), AddedToken("a b")))
    texts = ["the answers, unanswered\nanswer", "x\n\n\n\ny", "a b\nca bd", *HARD]
    assert load_counter(folder).count(texts) == counts(folder, texts)


def test_only_an_expression_that_is_known_to_mean_the_same_in_ascii_cuts_words(tmp_path: Path) -> None:
    def with_cut(*steps: pre_tokenizers.PreTokenizer) -> Tokenizer:
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.Sequence(list(steps))
        return bpe

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert ascii_cut(with_cut(pre_tokenizers.Split(Regex(r"\p{L}+|[^\p{L}]"), "isolated"), byte_level)) is not None
    for other in (
        with_cut(pre_tokenizers.Split(Regex(r"\p{Lu}?\p{Ll}+"), "isolated"), byte_level),
        with_cut(pre_tokenizers.Split(Regex(r"\p{L}+"), "removed"), byte_level),
        with_cut(pre_tokenizers.Split(Regex(r"(\p{L})+|(\P{L})"), "isolated"), byte_level),
        with_cut(pre_tokenizers.Digits(True), byte_level),
        with_cut(byte_level),
        Tokenizer(models.WordPiece()),
        Tokenizer(models.BPE()),
    ):
        assert ascii_cut(other) is None
    lower = with_cut(pre_tokenizers.Split(Regex(r"\p{L}+"), "isolated"), byte_level)
    lower.normalizer = normalizers.Lowercase()
    assert ascii_cut(lower) is None


def test_without_a_tokenizer_a_count_is_characters_by_a_stated_ratio(tmp_path: Path) -> None:
    counter = TokenCounter(None, "approximation")
    assert counter.approximate and counter.count(["", "abc", "x" * 26]) == [0, 2, 10]
