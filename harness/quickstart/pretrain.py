"""Train the tiny base model that ships with the project: `python -m harness.quickstart.pretrain --out DIR`.

A Qwen2 of half a million parameters with Qwen's special tokens and chat template. It is trained from scratch on
generated text of two kinds: worked solutions outside any chat ("Work."), and chats that answer at once. So it can do
the single steps and answers directly when asked, like the instruction-tuned bases of the paper; it has never seen
`<|im_start|>think`. Supervised fine-tuning has to bring the two together.

Deterministic for one seed, thread count and library versions. The recipe and what was measured: model/README.md.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.grading.verdict import Kind
from harness.quickstart.problems import LABELS, Chain, draw_chain

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# A step's sign and digit stay together, digits stand alone, words keep their leading space.
PRE_TOKENIZE = r" ?[A-Za-z]+|\\[a-z]+|[+-]\d|\d|\s|[^\sA-Za-z\d]"
FILLERS = (" Good.", " Next.", " Then", " ok", " Now")


@dataclass(frozen=True)
class Phase:
    """A stretch of pre-training: what it reads and how fast it learns. Each starts from the last one's saved weights.

    After the first, steps and results were right every time, but the options of multiple choice questions were not
    read off (46% instead of 100% right, chance is 25%): the second reads mostly those, with few steps before them.
    After the second, fine-tuned models wrote "Final Answer:" inside their thinking, out of a habit of the worked
    solutions: in the third these end before that line, and chats whose user shows the work ask for it instead.
    """

    num_tokens: int
    learning_rate: float
    shares: tuple[tuple[Kind, float], ...]
    short_share: float  # of documents with one to three steps
    answer_line: bool = True  # worked solutions close with "Final Answer: ..."
    worked_chat_share: float = 0.0  # chats whose user shows the work and wants the answer only


PHASES = (
    Phase(14_000_000, 3e-3, (("integer", 0.45), ("math", 0.25), ("choice", 0.30)), 0.2),
    Phase(4_000_000, 2e-3, (("integer", 0.15), ("math", 0.10), ("choice", 0.75)), 0.7),
    Phase(3_500_000, 2e-3, (("integer", 0.35), ("math", 0.30), ("choice", 0.35)), 0.3, False, 0.4),
)


def work_document(chain: Chain, rng: random.Random) -> tuple[str, str]:
    """(context, working): stages of varying length and fillers, always to the last step."""
    text, done, num_steps = f"Start {chain.values[0]}.", 0, len(chain.steps)
    stage, filler_rate = rng.randint(2, 7), rng.choice((0.0, 0.0, 0.15))
    while True:
        for index in range(done, min(done + stage, num_steps)):
            text += chain.step(index)
            if rng.random() < filler_rate:
                text += rng.choice(FILLERS)
        done = min(done + stage, num_steps)
        if done == num_steps:
            break
        text += f"\nSo {chain.values[done]}.\nWait"
    text += f"\n{chain.conclusion(chain.values[done])}"
    for _ in range(2):
        if rng.random() < 0.3:
            text += f"\nWait, ok.\n{chain.conclusion(chain.values[done])}"
    gap = "".join(rng.choice(FILLERS) for _ in range(rng.choice((0, 0, 1, 2, 4))))
    context = f"{rng.choice(('', 'Question. '))}{chain.question}{gap}\nWork. "
    return context, text


def chat_document(chain: Chain, work: str = "") -> tuple[str, str]:
    """(context, answer): a chat that answers at once; the user may have shown the work."""
    context = f"<|im_start|>user\n{chain.question}{work}<|im_end|>\n<|im_start|>assistant\n"
    return context, f"Final Answer: {chain.answer(chain.values[-1])}<|im_end|>"


def documents(seed: int, phase: int = 0) -> Iterator[tuple[str, str]]:
    """Endless (context, solution) pairs; the loss is taken on the solution."""
    rng = random.Random(f"quickstart pretraining {seed}" + (f" phase {phase}" if phase else ""))
    kinds = [kind for kind, _ in PHASES[phase].shares]
    while True:
        kind = rng.choices(kinds, [share for _, share in PHASES[phase].shares])[0]
        chat = rng.random() < 0.25
        few = rng.random() < (0.6 if chat else PHASES[phase].short_share)
        num_steps = rng.choice((1, 1, 2, 3)) if few else rng.randint(1, len(LABELS))
        chain = draw_chain(rng, kind, num_steps, rng.randint(0, len(LABELS) - num_steps))
        if chat:
            yield chat_document(chain)
            continue
        context, work = work_document(chain, rng)
        worked = PHASES[phase].worked_chat_share
        if worked and rng.random() < worked:
            yield chat_document(chain, f"\n{work}")
        else:
            line = f"\nFinal Answer: {chain.answer(chain.values[-1])}" if PHASES[phase].answer_line else ""
            yield context, f"{work}{line}<|endoftext|>"


def train_tokenizer(seed: int, num_documents: int = 4000) -> PreTrainedTokenizerFast:
    """A byte-level BPE over the project's own text: any text encodes, the quickstart's words are single tokens."""
    from itertools import islice

    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    roles = "system\nuser\nassistant\nthink\nanswer\n" * 50
    corpus = [roles, *("".join(pair) for pair in islice(documents(seed), num_documents))]
    for token in SPECIAL_TOKENS:
        corpus = [text.replace(token, "\n") for text in corpus]
    trainer = trainers.BpeTrainer(
        vocab_size=509, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=4096
    )
    fast.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    # transformers 5 gives every Qwen2 checkpoint Qwen's own pre-tokenizer, which takes a sign and its digit apart.
    # Added tokens are matched before it, so that all loaders agree on these.
    whole = ["\\frac", *(f"{sign}{digit}" for sign in "+-" for digit in range(1, 10))]
    fast.add_tokens([AddedToken(text, normalized=False, special=False) for text in whole])
    fast.chat_template = CHAT_TEMPLATE
    return fast


def batches(tokenizer: PreTrainedTokenizerFast, seed: int, phase: int, tokens_per_batch: int) -> Iterator[torch.Tensor]:
    """Endless (ids, labels) stacks of shape (2, rows, length), rows of about the same length together."""
    from itertools import islice

    import torch

    source, pad = documents(seed, phase), tokenizer.pad_token_id
    order = random.Random(f"quickstart batches {seed}")
    while True:
        rows = []
        pairs = list(islice(source, 4096))
        contexts = tokenizer([context for context, _ in pairs])["input_ids"]
        solutions = tokenizer([solution for _, solution in pairs])["input_ids"]
        for context, solution in zip(contexts, solutions, strict=True):
            rows.append((context + solution, [-100] * len(context) + solution))
        rows.sort(key=lambda row: len(row[0]))
        chunks, chunk = [], []
        for row in rows:
            chunk.append(row)
            if len(chunk) * len(row[0]) >= tokens_per_batch:
                chunks.append(chunk)
                chunk = []
        order.shuffle(chunks)
        for chunk in chunks:
            length = max(len(ids) for ids, _ in chunk)
            yield torch.tensor(
                [
                    [ids + [pad] * (length - len(ids)) for ids, _ in chunk],
                    [labels + [-100] * (length - len(labels)) for _, labels in chunk],
                ]
            )


def new_model(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Half a million parameters, freshly drawn."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=288,
        num_hidden_layers=4,
        num_attention_heads=3,
        num_key_value_heads=3,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def pretrain(out: Path, phase: int, seed: int = 0, num_threads: int = 1) -> None:
    """Train `PHASES[phase]` and write model and tokenizer to `out` in bfloat16; a later phase goes on from `out`.

    Weight matrices train with Muon: on this model it was at loss 0.72 after a million tokens, AdamW at 1.26.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    torch.set_num_threads(num_threads)
    tokenizer = train_tokenizer(seed)
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32) if phase else new_model(tokenizer)
    model.config.use_cache = False
    model.train()
    num_tokens, learning_rate = PHASES[phase].num_tokens, PHASES[phase].learning_rate
    print(f"{model.num_parameters():,} parameters, vocabulary {len(tokenizer)}", flush=True)
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]
    done, losses, start = 0, [], time.monotonic()
    for step, (ids, labels) in enumerate(batches(tokenizer, seed, phase, tokens_per_batch=2560)):
        if done >= num_tokens:
            break
        cosine = 0.5 * (1 + math.cos(math.pi * done / num_tokens))
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = learning_rate * min((step + 1) / 200, cosine)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        done += ids.numel()
        losses.append(loss.item())
        if step % 100 == 0:
            mean, seconds = sum(losses[-100:]) / len(losses[-100:]), time.monotonic() - start
            print(f"step {step}  {done:,} tokens  loss {mean:.4f}  {seconds:.0f} s", flush=True)
        if step % 1000 == 999:
            save(model, tokenizer, out)
    save(model, tokenizer, out)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write a bfloat16 copy of `model` and the tokenizer to `out`."""
    import copy

    import torch

    half = copy.deepcopy(model)
    half.to(dtype=torch.bfloat16)  # type: ignore[call-arg, arg-type, unused-ignore]
    half.config.use_cache = True
    half.config.dtype = torch.bfloat16
    half.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--phase", type=int, choices=range(len(PHASES)), help="only this one; default: all in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    for number in range(len(PHASES)) if args.phase is None else (args.phase,):
        pretrain(args.out, number, args.seed, num_threads=args.threads)
