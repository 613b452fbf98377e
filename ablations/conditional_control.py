"""The paper's Table 3: does a model that is trained to hear a budget keep to it, and does forcing still help?

Hypothesis: (1) budget forcing alone controls best (Control 100%) and scales; (2) told in tokens, a model does not count
and overruns without forcing; (3) told in steps, it takes as many steps but makes each longer, so that its tokens do not
follow; (4) told "short" or "long", it thinks longer on "long", without a budget that could be kept.
"""

from __future__ import annotations

from harness.config import Budget, EngineConfig, Recipe, Sampling, Study, Training

TOKENS = (1024, 2048, 4096, 8192, 16384)
STEPS = (16, 32, 64, 128, 256)
TOKENS_PER_STEP = 100  # what a step may take when it is forced (the paper's App. D.1)


def conditional_control() -> Study:
    """s1K in four texts: plain, with budgets in tokens, steps and classes; each told so, with and without forcing."""
    both = (False, True)
    return Study(
        name="conditional_control",
        hypothesis=__doc__ or "",
        base_model="Qwen/Qwen2.5-32B-Instruct",
        pool="simplescaling/s1K",
        recipes=(
            Recipe("s1k", "full", variant="s1"),
            Recipe(
                "tokens",
                "full",
                variant="tokens",
                budgets=tuple(
                    Budget(told, method="token_conditional", instructed=str(told), force=force)
                    for force in both
                    for told in TOKENS
                ),
            ),
            Recipe(
                "steps",
                "full",
                variant="steps",
                thinking="s1-steps",
                budgets=tuple(
                    Budget(TOKENS_PER_STEP * told, method="step_conditional", instructed=str(told), force=force)
                    for force in both
                    for told in STEPS
                ),
            ),
            Recipe(
                "class",
                "full",
                variant="class",
                budgets=tuple(
                    Budget(method="class_conditional", instructed=told, force=force)
                    for force in both
                    for told in ("short", "long")
                ),
            ),
        ),
        tasks=("aime24_nofigures",),
        budgets=(*(Budget(limit) for limit in TOKENS), Budget()),
        base_budgets=(Budget(method="no_thinking"),),
        headline=Budget(),
        thinking="s1",
        sampling=Sampling(max_answer_tokens=2048),
        training=Training(num_workers=16, num_gpus=1, num_cpus=8, loss_mean="row"),
        engine=EngineConfig(tensor_parallel_size=8, num_gpus=8, num_cpus=8),
    )
