"""A checkpoint in plain transformers, and what it says of a stored row: was each sampled token its most likely one?

Nothing of the engines, of the budget machine or of the replay is used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.thinking import ThinkingFormat

if TYPE_CHECKING:
    import torch

END_TOKENS = 24  # greedy tokens in which an end that is no single token (`</think>` in plain text) must show


class Witness:
    """A checkpoint in plain transformers, float32, on a GPU where there is one. `tokenizer`: not its own."""

    def __init__(self, model: str, tokenizer: str | None = None) -> None:
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tokenizer or model)
        loaded = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: Any = loaded.to(self.device).eval()
        ends = [self.tokenizer.eos_token_id, self.model.generation_config.eos_token_id]
        flat = [i for end in ends for i in (end if isinstance(end, list) else [end])]
        self.eos_ids = {i for i in flat if i is not None}
        known = set(self.tokenizer.get_vocab().values())
        self.unknown = [i for i in range(self.model.config.get_text_config().vocab_size) if i not in known]

    def logits(self, ids: Sequence[int]) -> torch.Tensor:
        """What follows each prefix of `ids`: (tokens, vocabulary), ids that the tokenizer does not know left out."""
        import torch

        with torch.no_grad():
            found: torch.Tensor = self.model(input_ids=torch.tensor([list(ids)], device=self.device)).logits[0]
        found[:, self.unknown] = -torch.inf
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens and spaces as they are."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text) if ids else ""

    def single_tokens(self, strings: Sequence[str]) -> set[int]:
        """The ids of those `strings` that are one token, and the ends of text."""
        encoded = [self.tokenizer.encode(string, add_special_tokens=False) for string in strings]
        return self.eos_ids | {ids[0] for ids in encoded if len(ids) == 1}

    def would_end(self, ids: Sequence[int], first: torch.Tensor, strings: Sequence[str]) -> bool:
        """Whether the model goes on from `ids` with one of `strings` or an end of text; `first`: logits after them."""
        ends = self.single_tokens(strings)
        going_on = [int(first.argmax())]
        while going_on[-1] not in ends and len(going_on) < END_TOKENS:
            if any(string in self.decode(going_on) for string in strings):
                return True
            going_on.append(int(self.logits([*ids, *going_on])[-1].argmax()))
        return going_on[-1] in ends or any(string in self.decode(going_on) for string in strings)


def text_faults(row: Mapping[str, Any], witness: Witness) -> Iterator[str]:
    """Texts of a stored row that are not what its ids decode to, one line each."""
    for part in ("thinking", "closing", "answer"):
        text = witness.decode(row[f"{part}_ids"])
        # An answer's stop string is cut off its text and stays in its ids.
        if text != row[part] and not (part == "answer" and text.startswith(row[part])):
            yield f"the {part} ids decode to {text[:60]!r}, the text is {row[part][:60]!r}"


def greedy_gap(
    row: Mapping[str, Any], config: Mapping[str, Any], thinking: ThinkingFormat, witness: Witness
) -> tuple[float, str, int, list[str]]:
    """The largest gap in nats of a sampled token, its place, how many were sampled; and ends that are not there."""
    prompt, thought, closing, answer = (row[f"{part}_ids"] for part in ("prompt", "thinking", "closing", "answer"))
    ids = [*prompt, *thought, *closing, *answer]
    logits = witness.logits(ids)
    budget, faults = config["budget"], list[str]()
    spans = [(span["start"], span["start"] + span["length"]) for span in row["forced_spans"]]
    injected = {index for start, end in spans for index in range(start, end)}
    stops = witness.single_tokens(thinking.stops)
    ignored = [
        (span["start"], span["start"] + span["length"]) for span in row["forced_spans"] if span["kind"] == "ignore"
    ]
    fresh = {0, *(end for _, end in ignored)}  # a round's first token is no end of thinking
    unseen = max(0, row["num_rounds"] - 1 - len(ignored))  # ends suppressed without a trace
    worst, place, count = 0.0, "", 0

    def judge(at: int, name: str, masked: set[int]) -> None:
        nonlocal worst, place, count
        scores = logits[at - 1]
        if masked:
            scores = scores.clone()
            scores[sorted(masked)] = float("-inf")
        gap = float(scores.max() - scores[ids[at]])
        count += 1
        if not gap <= worst:
            worst, place = gap, name

    for index in range(len(thought)):
        at = len(prompt) + index
        if index in injected:
            continue
        masked = stops if index in fresh or index < budget["min_thinking_tokens"] else set()
        if not masked and unseen and int(logits[at - 1].argmax()) in stops:
            masked, unseen = stops, unseen - 1
        judge(at, f"thinking token {index}", masked)
    for index in range(len(answer)):
        judge(len(ids) - len(answer) + index, f"answer token {index}", set())

    def must_end(at: int, what: str, strings: Sequence[str]) -> None:
        if not witness.would_end(ids[:at], logits[at - 1], strings):
            faults.append(f"{what} at token {at - len(prompt)}, where the checkpoint would go on")

    for start, _ in ignored:
        must_end(len(prompt) + start, "an end of thinking was ignored", thinking.stops)
    if row["thinking_finish"] == "stop":
        must_end(len(prompt) + len(thought), "the thought ended by itself", thinking.stops)
    cut_text = witness.decode(answer) != row["answer"]  # by a stop string of the answer
    if row["answer_finish"] == "stop" and not cut_text:
        must_end(len(ids), "the answer ended by itself", thinking.answer_stops)
    return worst, place, count, faults
