"""`harness evaluate`: a model and a sweep, given by flags, as a study without recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from harness import tasks
from harness.config import CAPPED, Budget, Chat, EngineConfig, Method, Sampling, Study, TaskReading
from harness.errors import UserError, unknown
from harness.records import setting
from harness.studies.smoke import fit_context


@dataclass(frozen=True)
class Sweep:
    """The settings that the flags of `harness evaluate` ask for, as they were typed.

    methods           comma-separated
    budgets, ignores  ignores are at auto, as in s1
    instructed        what the conditional methods tell the model: numbers, or short and long
    force             the conditional methods with a cap: at what was told (tokens), else at each of `budgets`
    grace, wrap_up, wrap_up_tokens, final_answer    soft ends of what a budget can cut
    """

    methods: str = "budget_forcing"
    budgets: str = "auto"
    ignores: str = "0"
    ignore_str: str = "Wait"
    every: int | None = None
    min_thinking: int = 0
    instructed: str | None = None
    force: bool = False
    max_attempts: int | None = None
    reward: str | None = None
    grace: int = 0
    wrap_up: str = ""
    wrap_up_tokens: int = 0
    final_answer: str | None = None
    no_thinking: bool = False

    def settings(self) -> tuple[Budget, ...]:
        """The budgets, no two alike. Raises `UserError` naming the flag that cannot be read or has no effect."""
        methods = self._methods()
        self._refuse_idle(methods)
        found = [Budget(method="no_thinking")] if self.no_thinking else []
        for method in methods:
            found += [self._softened(budget) for budget in self._of(method)]
        return tuple(dict.fromkeys(found))

    def _softened(self, budget: Budget) -> Budget:
        if budget.method not in CAPPED or not budget.force:
            return budget
        return replace(
            budget,
            grace_tokens=self.grace,
            wrap_up_str=self.wrap_up,
            wrap_up_tokens=self.wrap_up_tokens,
            final_answer=self.final_answer,
        )

    def _methods(self) -> list[str]:
        methods = [name.strip().replace("-", "_") for name in self.methods.split(",") if name.strip()]
        known = get_args(Method)
        if wrong := next((name for name in methods if name not in known), None):
            raise unknown("--method", wrong, known)
        if not methods:
            raise UserError("--method is empty; known: " + ", ".join(known))
        return methods

    def _refuse_idle(self, methods: Sequence[str]) -> None:
        """A flag that none of the methods reads was meant otherwise."""
        told = any(method in CONDITIONAL for method in methods)
        forced = "budget_forcing" in methods
        cuts = forced or (told and self.force)
        limited = cuts or any(method in LIMITED for method in methods)
        for flag, given, read, by in (
            ("--instructed", self.instructed is not None, told, "token_, step_ or class_conditional"),
            ("--force", self.force, told, "token_, step_ or class_conditional"),
            ("--max-attempts", self.max_attempts is not None, "rejection_sampling" in methods, "rejection_sampling"),
            ("--reward", self.reward is not None, "rebase" in methods, "rebase"),
            ("--ignores", any(parse_counts("--ignores", self.ignores)), forced, "budget_forcing"),
            ("--every", bool(self.every), forced, "budget_forcing"),
            ("--min-thinking", bool(self.min_thinking), forced, "budget_forcing"),
            ("--budgets", parse_budgets(self.budgets) != ["auto"], limited, "budget_forcing"),
            ("--grace", bool(self.grace), cuts, "budget_forcing"),
            ("--wrap-up", bool(self.wrap_up or self.wrap_up_tokens), cuts, "budget_forcing"),
            ("--final-answer", self.final_answer is not None, cuts, "budget_forcing"),
        ):
            if given and not read:
                raise UserError(f"{flag} belongs to --method {by}, not to {', '.join(methods)}; leave it out")

    def _of(self, method: str) -> list[Budget]:
        limits = parse_budgets(self.budgets)
        if method == "budget_forcing":
            return self._forced(limits)
        if method == "no_thinking":
            return [Budget(method="no_thinking")]
        if method == "completion_cap":
            return [Budget(limit, method="completion_cap") for limit in limits]
        if method == "rejection_sampling":
            attempts = self.max_attempts or Budget().max_attempts
            return [Budget(limit, method="rejection_sampling", max_attempts=attempts) for limit in limits]
        if method == "rebase":
            reward = local(self.reward or Budget().reward)
            return [Budget(limit, method="rebase", reward=reward) for limit in limits]
        return self._told(method, limits)

    def _forced(self, limits: list[Any]) -> list[Budget]:
        plain = Budget(min_thinking_tokens=self.min_thinking)
        settings = [replace(plain, max_thinking_tokens=limit) for limit in limits]
        counts = parse_counts("--ignores", self.ignores)
        settings += [replace(plain, num_ignores=count, ignore_str=self.ignore_str) for count in counts if count]
        if self.every:
            longest = max((limit for limit in limits if limit != "auto"), default=None)
            if longest is None:
                raise UserError("--every needs a number in --budgets: how far the dense curve goes")
            settings += dense_budgets(replace(plain, max_thinking_tokens=longest), self.every)
        return settings

    def _told(self, method: Any, limits: list[Any]) -> list[Budget]:
        told = self._told_to(method)
        if not self.force:
            return [Budget(method=method, instructed=one, force=False) for one in told]
        if method == "token_conditional" and limits == ["auto"]:
            return [Budget(int(one), method=method, instructed=one) for one in told]
        return [Budget(limit, method=method, instructed=one) for one in told for limit in limits]

    def _told_to(self, method: str) -> list[str]:
        """What of --instructed is for `method`: words are for a class, numbers for the others where both are asked."""
        methods = self._methods()
        given = [part.strip() for part in (self.instructed or "").split(",") if part.strip()]
        both = "class_conditional" in methods and len(set(methods) & set(CONDITIONAL)) > 1
        words = [part for part in given if not part.isdecimal()]
        if method == "class_conditional":
            return (words if both else given) or ["short", "long"]
        if both and (wrong := next((word for word in words if word not in ("short", "long")), None)):
            raise UserError(f"--instructed {self.instructed}: '{wrong}' is neither a whole number nor short or long")
        numbers = [part for part in given if part.isdecimal()] if both else given
        if not numbers:
            raise UserError(f"--method {method} needs --instructed N,..: the numbers told the model")
        return [str(count) for count in parse_counts("--instructed", ",".join(numbers))]


LIMITED = ("rejection_sampling", "rebase", "completion_cap")  # read --budgets, as budget_forcing does
CONDITIONAL = ("token_conditional", "step_conditional", "class_conditional")


def headline_of(budgets: Sequence[Budget], name: str | None) -> Budget:
    """The setting called `name`, as tables call it; None: the last one. Raises `UserError` for an unknown name."""
    named = {setting(budget): budget for budget in budgets}
    if name is not None and name not in named:
        raise unknown("--headline", name, named)
    return budgets[-1] if name is None else named[name]


def placed(engine: EngineConfig, tp: int | None, gpus: int | None) -> EngineConfig:
    """`engine` on GPUs, as `--tp` and `--gpus` say.

    Args:
        engine: where nothing is said yet.
        tp: GPUs that share one engine's weights; None: 1.
        gpus: GPUs in all; None: those of one engine.

    Returns:
        The engine with its GPUs, and as many engines as the GPUs hold.

    Raises:
        UserError: the GPUs cannot be shared out, or the engine is a server's, which has its own.
    """
    if tp is None and gpus is None:
        return engine
    if engine.name == "openai":
        raise UserError("--tp and --gpus belong to engines that run here, not to --engine openai; leave them out")
    of_one = tp or min(1, gpus or 0)
    total = of_one if gpus is None else gpus
    if total % of_one if of_one else total:
        raise UserError(f"--gpus {total} is no multiple of --tp {of_one}; give one that is, or another --tp")
    if tp and not total:
        raise UserError(f"--tp {tp} needs GPUs, and --gpus is 0; leave one of them out")
    return replace(engine, tensor_parallel_size=tp or 1, num_gpus=of_one, num_engines=total // of_one if total else 1)


def local(model: str) -> str:
    """A model folder's whole path; a hub name as it is."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def study(
    model: str,
    task_names: str,
    budgets: Sequence[Budget],
    sampling: Sampling,
    engine: EngineConfig,
    thinking: str,
    chat: Chat,
    max_problems: int | None,
    replay: bool,
    *,
    name: str | None = None,
    headline: str | None = None,
    reading: TaskReading | None = None,
    data_dir: Path | None = None,
) -> Study:
    """The study of one model, a folder or a hub name.

    `headline`: a setting's name; None: the last of `budgets`. `reading`, `data_dir`: of tasks from outside.
    """
    return fit_context(
        Study(
            name=name or study_name([model]),
            base_model=local(model),
            pool="",
            recipes=(),
            tasks=tasks.names(task_names, data_dir),
            reading=reading or TaskReading(),
            budgets=tuple(budgets),
            thinking=thinking,
            chat=chat,
            engine=engine,
            sampling=sampling,
            replay=replay,
            max_problems=max_problems,
            seed=sampling.seed,
            headline=headline_of(budgets, headline),
            reference_recipe="base",
        )
    )


def study_name(models: Sequence[str]) -> str:
    """What an evaluation of `models` is called: by them, or by the first and the number of others."""
    names = [Path(model).resolve().name if Path(model).is_dir() else model.replace("/", "--") for model in models]
    return "evaluate-" + (names[0] if len(names) == 1 else f"{names[0]}+{len(names) - 1}")


def parse_budgets(text: str) -> list[Any]:
    """`500,1000,auto` as budgets."""
    limits: list[Any] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part != "auto" and not part.isdecimal():
            raise UserError(f"--budgets {text}: '{part}' is neither a number of tokens nor 'auto'")
        limits.append("auto" if part == "auto" else int(part))
    if not limits:
        raise UserError("--budgets is empty; give numbers of tokens, or auto")
    return limits


def parse_counts(flag: str, text: str) -> list[int]:
    """`0,1,2` as numbers."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if wrong := next((part for part in parts if not part.isdecimal()), None):
        raise UserError(f"{flag} {text}: '{wrong}' is not a whole number")
    return [int(part) for part in parts]


def dense_budgets(longest: Budget, every: int, start: int = 0) -> tuple[Budget, ...]:
    """The budgets `start`, `start` + `every`, ... up to that of `longest`, which is always among them.

    Past a thought's own end they all stop there and share its answer, at no cost. Raises `UserError`.
    """
    last = longest.max_thinking_tokens
    if last == "auto":
        raise UserError("a dense curve needs max_thinking_tokens as a number: where it ends")
    if every <= 0 or start < 0:
        raise UserError(
            f"a dense curve takes steps of 1 token or more from 0 or more; got every={every}, start={start}"
        )
    counts = [*range(start, last, every), last]
    return tuple(replace(longest, max_thinking_tokens=count) for count in counts)
