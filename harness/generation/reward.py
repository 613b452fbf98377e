"""Rewards that lead a tree search: how good the last step of a thought is, between 0 and 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.errors import UserError, one_line
from harness.generation.loops import repetition

BUILT_IN = "repetition"
BATCH = 8  # thoughts that a reward model reads at a time


@dataclass(frozen=True)
class Thought:
    """What is judged: the question, the prompt that the policy saw, and its thought so far, step by step."""

    question: str
    prompt: str
    steps: tuple[str, ...]

    @property
    def text(self) -> str:
        """The thought as one text."""
        return "".join(self.steps)


Reward = Callable[[Sequence[Thought]], list[float]]


def repetition_reward(thoughts: Sequence[Thought]) -> list[float]:
    """A reward that needs no model: 1 minus the share of word 4-grams said before. Loops are worth nothing."""
    return [1.0 - repetition([hash(word) for word in thought.text.split()], ngram=4) for thought in thoughts]


def reward_of(name: str) -> Reward:
    """The reward called `name`: the built-in one, or a reward model, loaded once in a process. Raises `UserError`."""
    return repetition_reward if name == BUILT_IN else _model(name)


def judges_tokens(name: str, architectures: Sequence[str] | None) -> bool:
    """Whether a reward model scores tokens, and not whole texts. Raises `UserError` for one that scores neither."""
    architecture = (architectures or [""])[0]
    if architecture.endswith(("ForTokenClassification", "ForSequenceClassification")):
        return architecture.endswith("ForTokenClassification")
    raise UserError(
        f"reward {name}: it is a {architecture or 'model without an architecture'}; a reward model is a "
        "...ForSequenceClassification or a ...ForTokenClassification (process reward model)"
    )


@cache
def _model(name: str) -> Reward:
    return RewardModel(name)


class RewardModel:
    """A checkpoint that judges thoughts, in plain transformers.

    A sequence classifier (one logit, or two classes of which the last is "good") reads question and thought and gives
    one score; a token classifier (a process reward model, as TRL's PRMTrainer writes it) gives one for each step, at
    the step's last token. Both give the score of the last step here.
    """

    def __init__(self, name: str, device: str | None = None) -> None:
        """Load `name`, a folder or a hub name. Raises `UserError` for a model that is no classifier."""
        import torch
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification
        from transformers import AutoTokenizer as Tokenizers

        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            config = AutoConfig.from_pretrained(name)
            self.by_token = judges_tokens(name, getattr(config, "architectures", None))
            loader: Any = AutoModelForTokenClassification if self.by_token else AutoModelForSequenceClassification
            self.tokenizer: Any = Tokenizers.from_pretrained(name)
            self.model: Any = loader.from_pretrained(name, dtype="auto").to(self.device).eval()
        except (OSError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"reward {name} cannot be loaded: {one_line(error)}") from error
        if self.model.config.num_labels > 2:
            raise UserError(f"reward {name} has {self.model.config.num_labels} classes; one score, or good and bad")

    def text(self, thought: Thought) -> str:
        """What the model reads: its own chat template where it has one, else the policy's prompt and the thought."""
        if not getattr(self.tokenizer, "chat_template", None) or not thought.question:
            return thought.prompt + thought.text
        turns = [{"role": "user", "content": thought.question}, {"role": "assistant", "content": thought.text}]
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False))

    def encode(self, thought: Thought) -> list[int]:
        """The ids that the model reads. A process reward model's end with the last token of the last step."""
        if self.by_token:
            head = thought.prompt
            if getattr(self.tokenizer, "chat_template", None) and thought.question:
                turns = [{"role": "user", "content": thought.question}]
                head = str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
            return list(self.tokenizer(head + thought.text, add_special_tokens=False)["input_ids"])
        return list(self.tokenizer(self.text(thought), add_special_tokens=False)["input_ids"])

    def __call__(self, thoughts: Sequence[Thought]) -> list[float]:
        """The scores of `thoughts`, each independent of the others."""
        import torch

        rows = [self.encode(thought) for thought in thoughts]
        found: list[float] = []
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            width = max(map(len, batch))
            ids = torch.zeros((len(batch), width), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for i, row in enumerate(batch):  # padded on the right: a causal model does not see it
                ids[i, : len(row)] = torch.tensor(row)
                mask[i, : len(row)] = 1
            found += self._scores(ids.to(self.device), mask.to(self.device), [len(row) for row in batch])
        return found

    def _scores(self, ids: Any, mask: Any, lengths: Sequence[int]) -> list[float]:
        import torch

        if self.by_token:
            with torch.inference_mode():
                table = self.model(input_ids=ids, attention_mask=mask).logits
            logits = [table[i, length - 1] for i, length in enumerate(lengths)]
        else:
            # A classifier takes the last token that is no padding by its id: rows of one length need no padding.
            logits = []
            with torch.inference_mode():
                for i, length in enumerate(lengths):
                    one = slice(i, i + 1)
                    logits.append(self.model(input_ids=ids[one, :length], attention_mask=mask[one, :length]).logits[0])
        return [float(one.float().sigmoid() if len(one) == 1 else one.float().softmax(-1)[-1]) for one in logits]
