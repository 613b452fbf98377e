"""The study that measures a study's noise: its reference recipe, several times, with nothing but other seeds."""

from __future__ import annotations

from dataclasses import replace

from harness.config import Study
from harness.errors import UserError

SAMPLES = 4  # per problem, where the study samples at all: the draw's variance needs more than one


def noise_study(study: Study, repeats: int, recipe: str | None = None) -> Study:
    """`study` with one recipe, `repeats` times over training seeds, at its headline setting.

    Args:
        study: whose noise is wanted.
        repeats: trainings, at least 2.
        recipe: which of its recipes; None: the reference recipe, or the first.

    Raises:
        UserError: fewer than two repeats, or a study without that recipe.
    """
    if repeats < 2:
        raise UserError(f"--repeats {repeats}: one repeat shows no noise; give 2 or more")
    names = [one.name for one in study.recipes]
    if not names:
        raise UserError(
            f"{study.name} trains nothing, so there is no training seed to repeat; give a study with recipes"
        )
    wanted = recipe or (study.reference_recipe if study.reference_recipe in names else names[0])
    if wanted not in names:
        raise UserError(f"{study.name} has no recipe '{wanted}'; it has {', '.join(names)}")
    chosen = next(one for one in study.recipes if one.name == wanted)
    own = tuple((name, value) for name, value in chosen.training if name != "seed")
    recipes = tuple(replace(chosen, name=f"{wanted}_{n}", training=(*own, ("seed", n))) for n in range(repeats))
    samples = study.sampling.num_samples
    if study.sampling.temperature > 0:
        samples = max(samples, SAMPLES)
    return replace(
        study,
        name=f"noise_{study.name}",
        recipes=tuple(replace(one, budgets=()) for one in recipes),
        reference_recipe=recipes[0].name,
        budgets=(study.headline,),
        base_budgets=(),
        sampling=replace(study.sampling, num_samples=samples),
        hypothesis=f"{repeats} trainings of {wanted} differ by their seeds alone: what is noise in {study.name}.",
        claims=(),
    )
