"""A study from its pool to its leaderboard, on Ray: select -> train -> generate -> grade -> measure.

Stages talk through files in OUT, so each can be opened, re-run or replaced, and a finished step is never redone:

    OUT/pool/               the pool, and what the base answers to it
    OUT/recipes/NAME/       manifest.json, rows.parquet, train.log, losses.parquet, training.json, checkpoint/
    OUT/samples, runs, metrics, lm_eval, leaderboard: see store.py and report/
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import provenance, tasks
from harness.cluster import connect
from harness.config import Budget, Recipe, Study, fingerprint, to_plain
from harness.engine_handle import EngineHandle
from harness.plan import Run, budgets_of, recipe_identity, run_row, runs_of
from harness.progress import Progress
from harness.records import Generation, Problem, sample_row
from harness.selecting import PoolWithAnswers, load_pool, select_rows
from harness.store import Store
from harness.workers import score, train_recipe

BASE = "base"
ENGINE_ATTEMPTS = 2  # an engine that dies is started once more; then the runs at hand are marked failed


@dataclass(frozen=True)
class TrainingJob:
    """A recipe that has its rows."""

    recipe: Recipe
    rows: list[dict[str, Any]]
    folder: Path
    identity: str


@dataclass
class Outcome:
    """How a call ended."""

    num_runs: int = 0
    num_kept: int = 0  # runs that were finished before
    num_samples: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # recipe -> why
    seconds: float = 0.0


class Ablation:
    """One call of `harness ablate` or `harness evaluate`: the state of its event loop."""

    def __init__(self, study: Study, store: Store, progress: Progress, data_dir: Path | None) -> None:
        self.study, self.store, self.progress, self.data_dir = study, store, progress, data_dir
        self.problems: dict[str, list[Problem]] = {
            task: tasks.load(task, data_dir, study.seed, study.max_problems) for task in study.tasks
        }
        self.by_key = {f"{task}/{p.id}": p for task, items in self.problems.items() for p in items}
        self.done_keys = store.done_keys()
        if store.quarantined:
            progress.say(f"{len(store.quarantined)} sample file(s) could not be read; moved to {store.out}/quarantine")
        self.base_identity = provenance.model_identity(study.base_model)
        self.outcome = Outcome()
        self.engine = EngineHandle(study, store.out / "logs" / "engine.log", progress)
        self.parallel_trainings = 1
        self.queued: list[TrainingJob] = []  # selected, waiting for resources
        self.trainings: dict[Any, TrainingJob] = {}  # Ray reference -> what it trains
        self.waiting: list[tuple[str, str, str]] = []  # (recipe, model path, model identity) still to evaluate

    def run(self) -> Outcome:
        """Do what is missing. Raises nothing for a failed recipe or run: they are in the outcome."""
        start = time.monotonic()
        study = self.study
        if study.recipes:
            self.progress.add("select", "select", total=len(study.recipes))
        for recipe in study.recipes:
            self.progress.add(f"train {recipe.name}", f"train {recipe.name}")
        for name in (BASE, *(recipe.name for recipe in study.recipes)):
            self.progress.add(f"evaluate {name}", f"evaluate {name}")
        self.waiting.append((BASE, study.base_model, self.base_identity))
        if not self.looks_finished():
            self.engine.start()
        if study.recipes:
            self.select_and_train()
        while self.waiting or self.trainings or self.queued:
            self.collect_trainings(block=not self.waiting)
            if self.waiting:
                self.evaluate(*self.waiting.pop(0))
        self.engine.stop()
        self.outcome.seconds = time.monotonic() - start
        return self.outcome

    def looks_finished(self) -> bool:
        """Whether the folder holds as many finished runs as the study has: then the engine starts only if needed."""
        study = self.study
        wanted = sum(len(budgets_of(study, name)) for name in (BASE, *(r.name for r in study.recipes))) * len(
            study.tasks
        )
        return sum(run["status"] == "done" for run in self.store.runs()) >= wanted

    def answer_pool(self, pool: PoolWithAnswers) -> None:
        """Let the base answer every pool question directly: s1K's difficulty filter drops what it can do already."""
        self.engine.wait()
        direct = Budget(method="no_thinking")
        problems = pool.problems()
        self.progress.update("select", detail=f"the base answers the pool ({len(problems)} questions)")
        answers: dict[str, Generation] = {}
        for generations in self.engine.generate(self.study.base_model, problems, (direct,), replay=True):
            answers |= {generation.problem_id: generation for generation in generations}
        pool.put_answers(answers)

    # -- select and train

    def select_and_train(self) -> None:
        """Select every recipe's rows; start each training as soon as its rows are known, the longest first."""
        study, out = self.study, self.store.out
        self.progress.update("select", "running")
        pool = load_pool(study, self.data_dir, out / "pool", self.base_identity)
        if pool.num_broken:
            self.progress.say(f"{pool.num_broken} broken pool row(s) skipped: {pool.broken_note}")
        # What needs no answers of the base starts at once, the most rows first.
        order = sorted(study.recipes, key=lambda r: (pool.needs_answers(r), -(r.size or len(pool.rows))))
        for count, recipe in enumerate(order, 1):
            if pool.needs_answers(recipe):
                self.answer_pool(pool)
            folder = out / "recipes" / recipe.name
            rows, manifest = select_rows(pool, recipe, study.seed, folder)
            self.progress.update("select", done=count, detail=f"{recipe.name}: {len(rows)} rows")
            identity = recipe_identity(study, self.base_identity, manifest["sha256"])
            self.queued.append(TrainingJob(recipe, rows, folder, identity))
            self.start_trainings()
        self.progress.update("select", "done", detail="")

    def start_trainings(self) -> None:
        """Hand Ray as many queued trainings as fit beside the engine. More would only hold memory while they wait."""
        import ray

        study = self.study
        remote = ray.remote(num_cpus=0, max_retries=0)(train_recipe)
        while self.queued and len(self.trainings) < self.parallel_trainings:
            job = self.queued.pop(0)
            reference = remote.remote(
                job.rows, study.base_model, study.training, study.thinking, str(job.folder.resolve()), job.identity
            )
            self.trainings[reference] = job
            self.progress.update(f"train {job.recipe.name}", "running", detail=f"{len(job.rows)} rows")

    def collect_trainings(self, block: bool) -> None:
        """Take in the trainings that have ended and start queued ones; wait for one if there is nothing else to do."""
        import ray

        ready, _ = ray.wait(list(self.trainings), timeout=None if block else 0) if self.trainings else ([], [])
        for reference in ready:
            job = self.trainings.pop(reference)
            recipe = job.recipe
            self.start_trainings()
            try:
                trained = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                self.fail(recipe.name, "train", str(error.cause))
                continue
            except ray.exceptions.RayError as error:
                self.fail(recipe.name, "train", f"{type(error).__name__}: {error}")
                continue
            words = f"{trained.num_steps} steps, loss {trained.final_loss:.3f}, {trained.seconds:.0f} s"
            if trained.num_cut:
                words += f"; {trained.num_cut} of {trained.num_rows} samples cut at block_size"
                self.progress.say(
                    f"warning: {recipe.name}: {trained.num_cut} of {trained.num_rows} samples are longer than "
                    f"block_size={self.study.training.block_size} and were cut (the paper's Table 8 loses 20 points)"
                )
            self.progress.update(f"train {recipe.name}", "done", detail=words)
            self.waiting.append((recipe.name, trained.checkpoint, job.identity))

    # -- evaluate

    def evaluate(self, recipe: str, model: str, identity: str) -> None:
        """Generate and grade what is missing of one model's runs."""
        import ray

        stage = f"evaluate {recipe}"
        try:
            runs = runs_of(self.study, recipe, identity, self.problems, self.engine.identity())
        except ray.exceptions.RayError as error:
            self.fail(recipe, "evaluate", f"the engine did not start: {error}\n{self.engine.last_words()}")
            return
        samples = range(self.study.sampling.num_samples)
        missing = {
            (run.run_id, key, index): run.sample_key(problem, index)
            for run in runs
            for key, problem in self.by_key.items()
            if problem.task == run.task
            for index in samples
        }
        total = len(missing)
        missing = {where: key for where, key in missing.items() if key not in self.done_keys}
        self.outcome.num_runs += len(runs)
        if not missing:
            self.outcome.num_kept += len(runs)
            self.progress.update(stage, "kept", done=total, total=total, detail="finished before")
            return
        self.progress.update(stage, "running", done=total - len(missing), total=total)
        start = time.monotonic()
        for attempt in range(1, ENGINE_ATTEMPTS + 1):
            try:
                self.generate(recipe, model, runs, missing, total)
                break
            except (ray.exceptions.RayError, RuntimeError) as error:
                self.store.flush()
                words = f"{type(error).__name__}: {error}".strip().splitlines()[-1]
                if attempt == ENGINE_ATTEMPTS:
                    self.fail(recipe, "evaluate", f"{words}\n{self.engine.last_words()}", runs)
                    return
                self.progress.say(f"{stage}: the engine failed ({words}); starting it again")
                self.engine.restart()
        self.store.flush()
        seconds = time.monotonic() - start
        self.put_runs(runs, status="done", error=None, seconds=seconds / len(runs))
        self.progress.update(stage, "done", done=total)

    def generate(
        self, recipe: str, model: str, runs: Sequence[Run], missing: dict[tuple[str, str, int], str], total: int
    ) -> None:
        """One pass of the engine over what `missing` names; grades and stores rows as they come, removing them."""
        by_cell = {(run.task, run.budget): run for run in runs}
        wanted = {key for _, key, _ in missing}
        lacking = {run_id for run_id, _, _ in missing}
        asked = {run.budget for run in runs if run.run_id in lacking}
        budgets = [budget for budget in budgets_of(self.study, recipe) if budget in asked]
        problems = [problem for key, problem in self.by_key.items() if key in wanted]
        for generations in self.engine.generate(model, problems, budgets, self.study.replay):
            rows, tokens = [], 0
            for generation in generations:
                problem = self.by_key[generation.problem_id]
                run = by_cell[problem.task, generation.budget]
                key = missing.pop((run.run_id, generation.problem_id, generation.sample_index), None)
                if key is None:
                    continue  # on disk already: a sweep's trunk is thought again for the cells that it lacks
                identity = {
                    "run_id": run.run_id,
                    "sample_key": key,
                    "study": run.study,
                    "model": run.model,
                    "recipe": run.recipe,
                }
                rows.append(sample_row(identity, problem, generation, score(problem, generation)))
                tokens += len(generation.answer_ids) + (0 if generation.replayed else len(generation.thinking_ids))
            self.store.append(rows)
            self.outcome.num_samples += len(rows)
            self.progress.update(f"evaluate {recipe}", done=total - len(missing), tokens=tokens)
            self.collect_trainings(block=False)
        if missing:
            raise RuntimeError(f"the engine ended with {len(missing)} of {total} generations missing")

    # -- outcome

    def put_runs(self, runs: Sequence[Run], **outcome: Any) -> None:
        """Write the runs' rows."""
        device = self.engine.info.get("device", "")
        self.store.put_runs(
            run_row(run, self.study, len(self.problems[run.task]), device=device, **outcome) for run in runs
        )

    def fail(self, recipe: str, step: str, why: str, runs: Sequence[Run] = ()) -> None:
        """Mark a recipe failed and go on with the others."""
        self.outcome.failures[recipe] = why
        self.progress.update(f"{step} {recipe}", "failed", detail=why.splitlines()[0][:100])
        self.progress.say(f"{step} {recipe} failed: {why}")
        self.put_runs(runs, status="failed", error=why, seconds=0.0)
        if step == "train":
            self.progress.update(f"evaluate {recipe}", "failed", detail="not trained")


def ablate(study: Study, out: Path, data_dir: Path | None, progress: Progress) -> Outcome:
    """Run what is missing of `study` into `out`, then measure. Leaves `out` so that the next call continues."""
    import ray

    from harness.analysis.measure import measure
    from harness.lm_eval_log import write_logs

    with Store(out) as store:
        store.claim(study.name, fingerprint(study), to_plain(study))
        with progress:
            try:
                ablation = Ablation(study, store, progress, data_dir)
                ablation.parallel_trainings = connect(study, progress, out / "logs" / "ray.log")
                outcome = ablation.run()
            finally:
                store.flush()
                ray.shutdown()
        store.compact()
        if any(store.samples.glob("*.parquet")):
            store.put_metrics(measure(out))
            write_logs(store)
        return outcome
