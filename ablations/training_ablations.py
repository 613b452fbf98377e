"""One setting of the training or one set of traces at a time, on s1K and its neighbours."""

from __future__ import annotations

from harness.config import Budget, Claim, EngineConfig, Recipe, Sampling, Study, Training

TASKS = ("aime24_nofigures", "math500", "gpqa_diamond")


def _study(
    name: str,
    hypothesis: str | None,
    recipes: tuple[Recipe, ...],
    pool: str = "simplescaling/s1K-1.1",
    claims: tuple[Claim, ...] = (),
) -> Study:
    """The recipes on the paper's base model and hyperparameters, compared with the first of them."""
    return Study(
        name=name,
        hypothesis=hypothesis or "",
        claims=claims,
        base_model="Qwen/Qwen2.5-32B-Instruct",
        pool=pool,
        recipes=recipes,
        reference_recipe=recipes[0].name,
        tasks=TASKS,
        budgets=(Budget(),),
        base_budgets=(Budget(method="no_thinking"),),
        headline=Budget(),
        thinking="s1",
        sampling=Sampling(max_answer_tokens=2048),
        training=Training(num_workers=16, num_gpus=1, num_cpus=8, loss_mean="row"),
        engine=EngineConfig(tensor_parallel_size=8, num_gpus=8, num_cpus=8),
    )


def block_size() -> Study:
    """The paper's Table 8.

    Hypothesis: at 4,096 tokens most traces lose their answer, and the model thinks longer and answers worse than at
    32,768 (AIME24: 30.0 against 50.0).
    """
    recipes = tuple(
        Recipe(f"block{size}", "full", variant="s1", training=(("block_size", size),)) for size in (32768, 4096)
    )
    return _study(
        "block_size",
        block_size.__doc__,
        recipes,
        "simplescaling/s1K",
        claims=(
            Claim(
                "at 4,096 tokens the model answers worse than at 32,768",
                ("block4096",),
                ("block32768",),
                expected="less",
            ),
        ),
    )


def traces() -> Study:
    """s1K against s1K-1.1: the same questions, Gemini's traces against DeepSeek r1's. Hypothesis: r1's, longer, win."""
    recipes = (
        Recipe("s1k", "full", pool="simplescaling/s1K", variant="s1"),
        Recipe("s1k_1_1", "full", pool="simplescaling/s1K-1.1_tokenized", variant="s1"),
    )
    return _study(
        "traces", traces.__doc__, recipes, claims=(Claim("r1's traces, longer, win", ("s1k_1_1",), ("s1k",)),)
    )


def limo() -> Study:
    """LIMO's 817 rows against s1K-1.1. Hypothesis: they do not differ by more than 30 problems can show."""
    recipes = (
        Recipe("s1k_1_1", "full", pool="simplescaling/s1K-1.1", variant="s1"),
        Recipe("limo", "full", pool="GAIR/LIMO", variant="s1"),
    )
    return _study(
        "limo",
        limo.__doc__,
        recipes,
        claims=(Claim("LIMO and s1K-1.1 do not differ", ("limo",), ("s1k_1_1",), expected="same"),),
    )


def learning_rate() -> Study:
    """Hypothesis: 1e-5, the paper's, is the best of three; 1e-4 forgets, 1e-6 does not learn to stop."""
    recipes = tuple(
        Recipe(f"lr{rate:g}", "full", variant="s1", training=(("learning_rate", rate),)) for rate in (1e-5, 1e-6, 1e-4)
    )
    return _study(
        "learning_rate",
        learning_rate.__doc__,
        recipes,
        claims=(Claim("1e-5 is the best of three", ("lr1e-05",), ("lr1e-06", "lr0.0001")),),
    )


def epochs() -> Study:
    """Hypothesis: three epochs reach what five do, one does not."""
    recipes = tuple(
        Recipe(f"epochs{count}", "full", variant="s1", training=(("num_epochs", count),)) for count in (5, 1, 3)
    )
    return _study(
        "epochs",
        epochs.__doc__,
        recipes,
        claims=(
            Claim("three epochs reach what five do", ("epochs3",), ("epochs5",), expected="same"),
            Claim("one does not", ("epochs1",), ("epochs5",), expected="less"),
        ),
    )


def training_seeds() -> Study:
    """Hypothesis: five seeds of one recipe differ on 30 problems by as much as published recipes do."""
    recipes = tuple(Recipe(f"seed{seed}", "full", variant="s1", training=(("seed", seed),)) for seed in range(5))
    return _study("training_seeds", training_seeds.__doc__, recipes)
