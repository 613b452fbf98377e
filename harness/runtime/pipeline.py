"""A study from its pool to its leaderboard, on Ray: select -> train -> generate -> grade -> measure.

Stages talk through files in OUT, so each can be opened, re-run or replaced, and a finished step is never redone:

    OUT/pool/               the pool, and what the base answers to it
    OUT/recipes/NAME/       manifest.json, rows.parquet, train.log, losses.parquet, training.json, checkpoint/
    OUT/samples, runs, metrics, lm_eval, leaderboard: see store.py and report/
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import provenance, tasks
from harness.config import Recipe, Study, fingerprint, recorded
from harness.errors import UserError, one_line
from harness.progress import Progress
from harness.records import short
from harness.runtime import reference_answers as references
from harness.runtime.cluster import Demand, disconnect, pending_training_needs, refuse_too_large
from harness.runtime.engine_pool import EngineFailedError, EnginePool
from harness.runtime.evaluate_stage import Evaluation
from harness.runtime.gauges import Gauges
from harness.runtime.select_stage import PoolWithAnswers, linted, load_pool, select_rows
from harness.runtime.train_stage import TrainingJob, Trainings
from harness.store import Store
from harness.studies.formats import resolved
from harness.studies.inputs import check_sources
from harness.studies.runs import Run, budgets_of, model_of, recipe_identity, run_row, runs_of
from harness.thinking import AUTO

if TYPE_CHECKING:
    from harness.analysis.measure import Measured

BASE = "base"
POLL_SECONDS = 2.0  # between two polls of the cluster, with nothing to evaluate
MIN_STARVED_POLLS = 3  # consecutive polls with a pending training before idle engines stop
RESTART_DELAY_SECONDS = 20.0  # without such a poll before they restart: the next training asks within seconds
MAX_RESTART_DELAY_SECONDS = 300.0  # however long other studies' trainings are pending


@dataclass
class Outcome:
    """How a call ended."""

    num_runs: int = 0
    num_kept: int = 0  # runs that were finished before
    num_samples: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # recipe -> why
    seconds: float = 0.0
    measured: Measured | None = None  # every figure of the folder; None when it holds no sample

    def add(self, other: Outcome) -> None:
        """Take in how another model's part of the call ended."""
        self.num_runs += other.num_runs
        self.num_kept += other.num_kept
        self.num_samples += other.num_samples
        self.failures |= other.failures
        self.seconds += other.seconds


class Ablation:
    """One base model of a call of `harness ablate` or `harness evaluate`: the state of its event loop."""

    def __init__(
        self,
        study: Study,
        read: Mapping[str, tasks.Read],
        store: Store,
        progress: Progress,
        data_dir: Path | None,
        base_title: str = BASE,
    ) -> None:
        self.study, self.read, self.store, self.progress, self.data_dir = study, read, store, progress, data_dir
        self.problems = {name: one.problems for name, one in read.items()}
        self.base_title = base_title  # what the user calls the base model
        self.by_key = {f"{task}/{p.id}": p for task, items in self.problems.items() for p in items}
        store.readable_files()
        if store.quarantined:
            progress.say(f"{len(store.quarantined)} sample file(s) could not be read; moved to {store.out}/quarantine")
        self.base_identity = provenance.model_identity(study.base_model)
        self.outcome = Outcome()
        self.engines = EnginePool(
            study.base_model, Demand.of(study), study.sampling, study.thinking, store.out, progress
        )
        if study.recipes:
            progress.add("select", "select", total=len(study.recipes))
        self.trainings = Trainings(study, store.out, progress)
        for name in self.models:
            progress.add(self.stage(name), f"evaluate {self.title(name)}")
        self.waiting: list[tuple[str, str, str]] = []  # (recipe, model path, model identity) still to evaluate

    @property
    def models(self) -> tuple[str, ...]:
        """What is evaluated: the base and every recipe."""
        return (BASE, *(recipe.name for recipe in self.study.recipes))

    def title(self, recipe: str) -> str:
        """What the user calls a model of the study."""
        return self.base_title if recipe == BASE else recipe

    def stage(self, recipe: str) -> str:
        """The key of a model's evaluation in the view; folders of two models can have one name."""
        return f"evaluate {self.study.base_model if recipe == BASE else recipe}"

    def run(self) -> Outcome:
        """Do what is missing. Raises nothing for a failed recipe or run: they are in the outcome."""
        start = time.monotonic()
        try:
            self.waiting.append((BASE, self.study.base_model, self.base_identity))
            if not self.looks_finished():
                self.engines.start()
            if self.study.recipes:
                self.select_and_train()
            while self.waiting or self.trainings:
                self.wait_for_trainings()
                if self.waiting:
                    self.evaluate(*self.waiting.pop(0))
        finally:
            self.store.flush()
            self.engines.stop()
        self.outcome.seconds = time.monotonic() - start
        return self.outcome

    def looks_finished(self) -> bool:
        """Whether the folder holds as many finished runs as the study has: then the engine starts only if needed."""
        return looks_finished(self.study, self.store)

    # -- select and train

    def select_and_train(self) -> None:
        """Select every recipe's rows; start each training as soon as its rows are known, the longest first.

        A recipe whose rows cannot be selected is a failed recipe; the others go on.
        """
        study, out = self.study, self.store.out
        self.progress.update("select", "running")
        pools: dict[str, PoolWithAnswers | str] = {}
        for recipe in study.recipes:
            own = study.seen_by(recipe.name)
            if own.pool not in pools:
                pools[own.pool] = self.pool_of(own)
        read = {recipe.name: pools[study.seen_by(recipe.name).pool] for recipe in study.recipes}

        def late(recipe: Recipe) -> tuple[bool, int]:
            """What needs no model's answers starts at once, the most rows first."""
            pool = read[recipe.name]
            return (
                (True, 0) if isinstance(pool, str) else (pool.needs_answers(recipe), -(recipe.size or len(pool.rows)))
            )

        for count, recipe in enumerate(sorted(study.recipes, key=late), 1):
            pool = read[recipe.name]
            folder = out / "recipes" / recipe.name
            try:
                if isinstance(pool, str):
                    raise UserError(pool)
                if pool.needs_answers(recipe):
                    pool.answer(self.engines_of, self.progress)
                rows, manifest = select_rows(pool, recipe, study.seed, folder)
                if found := linted(rows, recipe.name, study.lint):
                    self.progress.say(f"{recipe.name}: lint: {found}")
            except (UserError, EngineFailedError) as error:
                self.fail(recipe.name, "train", str(error))
                continue
            self.progress.update("select", done=count, detail=f"{recipe.name}: {len(rows)} rows")
            own = study.seen_by(recipe.name)
            base = provenance.model_identity(own.base_model)
            identity = recipe_identity(own, base, manifest["sha256"], recipe.variant)
            self.trainings.add(TrainingJob(recipe, rows, folder, identity))
        self.progress.update("select", "done", detail="")

    def pool_of(self, study: Study) -> PoolWithAnswers | str:
        """The pool of a study as a recipe sees it, or why it cannot be read."""
        try:
            pool = load_pool(study, self.data_dir, self.store.out / "pool")
        except UserError as error:
            return str(error)
        for note in pool.notes:
            self.progress.say(note)
        return pool

    @contextmanager
    def engines_of(self, model: str) -> Iterator[EnginePool]:
        """Engines that answer as `model`: the study's own for its base, else some that end when they have answered."""
        study = self.study
        if model == study.base_model:
            yield self.engines
            return
        self.engines.make_room()
        sampling = replace(study.sampling, temperature=0.0, num_samples=1)
        config = replace(study.engine, tokenizer=None)
        folder = self.store.out / "pool"
        with references.engines_of(model, config, sampling, AUTO, folder, self.progress) as engines:
            yield engines

    def engines_for(self, recipe: str) -> EnginePool:
        """The study's engines, started anew where `recipe` has another base model or thinking format."""
        own = self.study.seen_by(recipe)
        if (own.base_model, own.thinking) != (self.engines.model, self.engines.thinking):
            self.engines.stop()
            self.engines = EnginePool(
                own.base_model, Demand.of(own), own.sampling, own.thinking, self.store.out, self.progress
            )
        return self.engines

    def wait_for_trainings(self) -> None:
        """Wait until there is a model to evaluate, or none to come.

        Meanwhile idle engines release their resources to a pending training: this study's, or another's that blocks
        this one. They restart once no training is pending, so that they do not restart after each.
        """
        self.collect_trainings()
        short, since = 0, time.monotonic()  # consecutive polls with a pending training; time of the last
        ready: float | None = None  # when the first model could be evaluated
        while self.trainings:
            now = time.monotonic()
            if self.waiting:
                ready = ready or now
                if (
                    self.engines.members
                    or now - since > RESTART_DELAY_SECONDS
                    or now - ready > MAX_RESTART_DELAY_SECONDS
                ):
                    return
            short = short + 1 if pending_training_needs(self.engines.resources) else 0
            if short == MIN_STARVED_POLLS:
                self.engines.make_room()
            if self.collect_trainings(POLL_SECONDS) or short:
                since = time.monotonic()  # also where one has ended: the next is about to be scheduled

    def collect_trainings(self, seconds: float = 0.0) -> int:
        """Take in the trainings that have ended, and say how many; wait `seconds` for one."""
        ended = list(self.trainings.ended(seconds))
        for job, result in ended:
            if isinstance(result, str):
                self.fail(job.recipe.name, "train", result)
            else:
                self.waiting.append((job.recipe.name, result.checkpoint, job.identity))
        return len(ended)

    # -- evaluate

    def evaluate(self, recipe: str, model: str, identity: str) -> None:
        """Generate and grade what is missing of one model's runs."""
        stage = self.stage(recipe)
        try:
            runs = runs_of(self.study, recipe, identity, self.problems, self.engines_for(recipe).identity(), self.read)
        except EngineFailedError as error:
            self.fail(recipe, "evaluate", f"the engine did not start: {error}")
            return
        self.store.claim_runs(run.run_id for run in runs)
        evaluation = Evaluation(self.study.seen_by(recipe), runs, self.by_key, self.store)
        self.outcome.num_runs += len(runs)
        if not evaluation.missing:
            self.outcome.num_kept += len(runs)
            self.progress.update(stage, "kept", done=evaluation.total, total=evaluation.total, detail="finished before")
            return
        before, start, tokens = len(evaluation.missing), time.monotonic(), 0

        sampled = self.engines.sampled_tokens  # by an engine that has been up for another model
        gauges = Gauges(self.study.name, self.title(recipe), self.study.engine.name)

        def meanwhile() -> None:
            nonlocal tokens
            new, tokens = evaluation.num_tokens - tokens, evaluation.num_tokens
            thought, seconds = max(0, self.engines.sampled_tokens - sampled), time.monotonic() - start
            left = evaluation.forecast.left_seconds(thought, seconds)
            self.progress.update(stage, done=evaluation.num_done, tokens=new, left_seconds=left)
            gauges.set(
                samples_done=evaluation.num_done,
                samples_planned=evaluation.total,
                tokens_per_second=thought / seconds,
                seconds_left=left,
            )
            self.collect_trainings()

        self.progress.update(stage, "running", done=evaluation.num_done, total=evaluation.total)
        evaluation.run(self.engines, model, meanwhile)
        meanwhile()
        self.outcome.num_samples += before - len(evaluation.missing)
        seconds, failed = (time.monotonic() - start) / len(runs), evaluation.failed()
        good = [run for run in runs if run.run_id not in failed]
        self.put_runs(good, status="done", error=None, seconds=seconds)
        if not failed:
            self.progress.update(stage, "done")
        for run in runs:
            if run.run_id in failed:
                self.put_runs([run], status="failed", error=failed[run.run_id], seconds=seconds)
        if failed:
            self.fail(recipe, "evaluate", f"{len(failed)} of {len(runs)} runs: {next(iter(failed.values()))}")

    # -- outcome

    def put_runs(self, runs: Sequence[Run], **outcome: Any) -> None:
        """Write the runs' rows."""
        engine = self.engines.info
        loaded = self.engines.loaded
        self.store.put_runs(
            run_row(run, self.study, len(self.problems[run.task]), engine, loaded, **outcome) for run in runs
        )

    def fail(self, recipe: str, step: str, why: str) -> None:
        """Mark a recipe failed and go on with the others."""
        self.outcome.failures[self.title(recipe)] = why
        stage = self.stage(recipe) if step == "evaluate" else f"{step} {recipe}"
        self.progress.update(stage, "failed", detail=one_line(why, most=100))
        self.progress.say(f"{step} {self.title(recipe)} failed: {why}")
        if step == "train":
            self.progress.update(self.stage(recipe), "failed", detail="not trained")


def looks_finished(study: Study, store: Store) -> bool:
    """Whether the folder holds as many finished runs as the study has."""
    models = (BASE, *(recipe.name for recipe in study.recipes))
    wanted = sum(len(budgets_of(study, name)) for name in models) * len(study.tasks)
    names = {model_of(study, name) for name in models}
    done = [run for run in store.runs() if run["status"] == "done" and run["model"] in names]
    return len(done) >= wanted


def ablate(study: Study, out: Path, data_dir: Path | None, progress: Progress, *others: Study) -> Outcome:
    """Run what is missing of `study` into `out`, then measure. Leaves `out` so that the next call continues.

    `others`: the same study of other base models. They are run one after the other; one that fails does not stop the
    next.

    Raises:
        UserError: an input is not there. Nothing has been started then, and `out` is not claimed.
    """
    if study.recipes and study.engine.name == "openai":
        raise UserError(
            "engine=openai: a server has the weights that it was started with, not those of the recipes that "
            f"'{study.name}' trains; use engine=vllm, or evaluate one checkpoint a server with `harness evaluate`"
        )
    from harness.analysis.measure import measure_cells, to_table
    from harness.analysis.settings import load
    from harness.lm_eval.log import write_logs

    read = tasks.read_all(study.tasks, data_dir, study.seed, study.max_problems, study.reading)
    for one in (study, *others):
        check_sources(one)
    studies = [resolved(one) for one in (study, *others)]
    for one in studies:
        if not looks_finished(one, Store(out)):
            refuse_too_large(Demand.of(one))
    problems = {name: one.problems for name, one in read.items()}
    with Store(out) as store:
        num_problems = {task: len(items) for task, items in problems.items()}
        identity = fingerprint(studies if others else studies[0])
        models = [one.base_model for one in studies]
        store.claim(study.name, identity, recorded(studies[0]), num_problems, models)
        outcome = Outcome()
        with progress:
            try:
                for one in studies:  # a model that nothing is trained from is called by its own name
                    title = BASE if one.recipes else short(one.base_model, models)
                    outcome.add(Ablation(one, read, store, progress, data_dir, title).run())
            finally:
                disconnect()
        store.compact()
        if any(store.samples.glob("*.parquet")):
            outcome.measured = measure_cells(load([out]))
            store.put_metrics(to_table(outcome.measured))
            write_logs(store)
        return outcome
