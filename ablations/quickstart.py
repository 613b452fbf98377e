"""s1's data ablation in miniature: five ways to choose training data, on the model and the problems that ship here.

Hypothesis, written before the run: (1) accuracy rises with the thinking budget for every fine-tuned model and not for
the base; (2) the full pool beats every subset of 1/59 of it; (3) among the subsets, those that cover all domains
(diverse, s1k) beat random and longest; (4) "Wait" helps, because the teacher's traces often stop with steps left.
"""

from __future__ import annotations

from dataclasses import replace

from harness.config import Budget, Claim, EngineConfig, Recipe, Sampling, Study, Training
from harness.quickstart import POOL_SIZE, SUBSET_SIZE, TINY_MODEL

TUNED = ("full", "s1k", "diverse", "longest", "random")
CLAIMS = (
    Claim("(1) accuracy rises with the thinking budget for every fine-tuned model", TUNED, measure="slope"),
    Claim("(1) and not for the base", ("base",), measure="slope", expected="same"),
    Claim("(2) the full pool beats every subset of 1/59 of it", ("full",), TUNED[1:]),
    Claim("(3) diverse and s1k beat random and longest", ("diverse", "s1k"), ("random", "longest")),
    Claim('(4) "Wait" helps', TUNED, measure="wait"),
)


def quickstart() -> Study:
    """The embedded default: minutes on two CPU cores."""
    auto = Budget()
    return Study(
        name="quickstart",
        hypothesis=__doc__ or "",
        claims=CLAIMS,
        base_model=TINY_MODEL,
        pool="quickstart",
        pool_size=POOL_SIZE,
        recipes=(
            Recipe("full", "full"),
            Recipe("s1k", "s1k", SUBSET_SIZE),
            Recipe("diverse", "diverse", SUBSET_SIZE),
            Recipe("longest", "longest", SUBSET_SIZE),
            Recipe("random", "random", SUBSET_SIZE),
        ),
        tasks=("quick_aime", "quick_math", "quick_gpqa"),
        max_problems=50,
        budgets=(
            *(Budget(max_thinking_tokens=limit) for limit in (8, 16, 32, 64, 128)),
            auto,
            *(replace(auto, num_ignores=count) for count in (1, 2)),
        ),
        base_budgets=(Budget(method="no_thinking"), Budget(max_thinking_tokens=32), auto),
        headline=auto,
        sampling=Sampling(max_answer_tokens=24),
        training=Training(
            global_batch_size=2,
            per_device_batch_size=2,
            learning_rate=1.5e-3,
            bf16=False,
            block_size=512,
            group_by_length=True,
            gradient_checkpointing=False,
            save_steps=500,
        ),
        # No core of its own: beside it two models train at a time, and it needs one only for seconds between them.
        engine=EngineConfig(max_model_len=320, num_cpus=0),
    )


def confirmation() -> Study:
    """The same on seeds that nothing was developed on: other pool, other draws, other problems."""
    study = quickstart()
    recipes = tuple(replace(recipe, seed=100) for recipe in study.recipes)
    return replace(
        study,
        name="confirmation",
        seed=100,
        recipes=recipes,
        training=replace(study.training, seed=100),
        sampling=replace(study.sampling, seed=100),
    )
