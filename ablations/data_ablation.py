"""The paper's data ablation at full size (section 5.1, Table 2): which 1,000 of 59,029 rows make the better model?

Hypothesis: quality, difficulty and diversity together (s1K) beat each alone, and come close to training on all of
the pool at 1/56 of its cost (the paper: 7 against 394 H100 hours).
"""

from __future__ import annotations

from dataclasses import replace

from harness.config import Budget, Claim, EngineConfig, Features, Recipe, Sampling, Study, Training


def data_ablation() -> Study:
    """Qwen2.5-32B-Instruct, 16 GPUs to train, 8 to evaluate; budgets and "Wait" counts of the paper's Figure 1.

    The pool has eight columns; domains, lengths, difficulty and benchmark-like rows are filled in by `features`. The
    paper's 1K-random is drawn from rows of good quality, so it is the selection "quality" here.
    """
    auto = Budget()
    tasks = ("aime24_nofigures", "math500", "gpqa_diamond")
    return Study(
        name="data_ablation",
        hypothesis=__doc__ or "",
        claims=(
            Claim("s1K beats quality, difficulty and diversity alone", ("s1k",), ("random", "diverse", "longest")),
            Claim("and comes close to training on all of the pool", ("s1k",), ("full",), expected="same"),
        ),
        base_model="Qwen/Qwen2.5-32B-Instruct",
        pool="simplescaling/data_ablation_full59K",
        features=Features(
            references=("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct"),
            decontaminate=tasks,
        ),
        recipes=(
            Recipe("s1k", "s1k", 1000, variant="s1"),
            Recipe("random", "quality", 1000, variant="s1"),
            Recipe("diverse", "diverse", 1000, variant="s1"),
            Recipe("longest", "longest", 1000, variant="s1"),
            Recipe("full", "full", variant="s1"),
        ),
        tasks=tasks,
        budgets=(
            *(Budget(max_thinking_tokens=limit) for limit in (500, 1000, 2000, 4000, 8000, 16000)),
            auto,
            *(replace(auto, num_ignores=count) for count in (1, 2, 4, 6)),
        ),
        base_budgets=(Budget(method="no_thinking"),),
        headline=auto,
        thinking="s1",
        sampling=Sampling(max_answer_tokens=2048),
        training=Training(num_workers=16, num_gpus=1, num_cpus=8, loss_mean="row"),
        engine=EngineConfig(tensor_parallel_size=8, num_gpus=8, num_cpus=8),
    )
