"""Budget forcing written down a second time, on plain transformers and from the README's rules alone.

Nothing of the harness is used: what it stores is held against this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

START, END, FINAL, NEWLINE = "<|im_start|>think", "<|im_start|>answer", "\nFinal Answer:", "\n"
STOPS = ("<|im_start|>", "<|im_end|>")


@dataclass
class Plain:
    """A checkpoint in transformers, float32."""

    folder: Path

    @cached_property
    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder)

    @cached_property
    def model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32).eval()

    def ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def prompt(self, question: str) -> list[int]:
        turns = [{"role": "user", "content": question}]
        return self.ids(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def logits(self, ids: Sequence[int]) -> Any:
        """(tokens, vocabulary): what follows each prefix."""
        import torch

        with torch.no_grad():
            return self.model(input_ids=torch.tensor([list(ids)])).logits[0]

    def answer(self, question: str, most: int) -> list[int]:
        """`generate()`'s own greedy answer to the chat prompt alone, without the end."""
        import torch

        prompt = self.prompt(question)
        given = torch.tensor([prompt])
        found: list[int] = self.model.generate(
            given, attention_mask=torch.ones_like(given), max_new_tokens=most, do_sample=False, pad_token_id=0
        )[0].tolist()[len(prompt) :]
        return found[:-1] if found and found[-1] in self._ends else found

    @cached_property
    def _ends(self) -> set[int]:
        return {self.ids(stop)[0] for stop in STOPS[1:]} | {self.tokenizer.eos_token_id}

    def forced(self, question: str, budget: int, ignores: int, answer_cap: int, wait: str = "Wait") -> list[int]:
        """Everything behind `<|im_start|>think`, where `budget` tokens may be thought: thought, closing and answer."""
        import torch

        stops = {self.ids(stop)[0] for stop in STOPS} | {self.tokenizer.eos_token_id}
        told, thought = self.ids(wait), list[int]()
        state = _Decoder(self.model, [*self.prompt(question), *self.ids(START)])
        fresh, natural = True, False
        while len(thought) < budget:
            scores = state.scores.clone()
            if fresh:
                scores[list(stops)] = -torch.inf
            token = int(scores.argmax())
            fresh = False
            if token not in stops:
                thought.append(token)
                state.see([token])
            elif ignores and len(thought) + len(told) < budget:
                ignores, fresh = ignores - 1, True
                thought += told
                state.see(told)
            else:
                natural = True
                break
        if natural:
            closing = self.ids(END)
        else:
            ended = self.tokenizer.decode(thought[-1:]).endswith("\n") if thought else False
            closing = ([] if ended else self.ids(NEWLINE)) + self.ids(END + FINAL)
        state.see(closing)
        answer = list[int]()
        while len(answer) < answer_cap and (token := int(state.scores.argmax())) not in self._ends:
            answer.append(token)
            state.see([token])
        return [*thought, *closing, *answer]


class _Decoder:
    """Greedy decoding by hand: `scores` are the logits behind what it has seen."""

    def __init__(self, model: Any, ids: Sequence[int]) -> None:
        self.model, self.cache = model, None
        self.scores: Any = None
        self.see(ids)

    def see(self, ids: Sequence[int]) -> None:
        import torch

        if not ids:
            return
        with torch.no_grad():
            out = self.model(input_ids=torch.tensor([list(ids)]), past_key_values=self.cache, use_cache=True)
        self.cache, self.scores = out.past_key_values, out.logits[0, -1]
