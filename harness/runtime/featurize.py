"""`harness data featurize`: which steps were asked for, in which order, and what each of them reads and keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import provenance
from harness.config import Chat, EngineConfig, EngineName, Sampling
from harness.data import features
from harness.data.cache import RowCache, question_key
from harness.data.load import save
from harness.data.schema import Row, with_thinking
from harness.data.teacher import Endpoint, estimate
from harness.errors import UserError
from harness.generation.chat_files import chat_files
from harness.progress import Progress
from harness.studies.formats import read_for
from harness.thinking import AUTO

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What `harness data featurize` was asked for; see its --help."""

    base_url: str | None = None
    thinking: str = AUTO
    model: str | None = None
    traces: bool = False
    max_tokens: int = 16384
    temperature: float | None = 0.0
    samples: int = 1
    timeout: float = 600.0
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 16
    requests_per_minute: float | None = None
    max_retries: int = 6
    api_key_env: str = "OPENAI_API_KEY"
    price: tuple[float, float] = (0.0, 0.0)
    expect_tokens: int = 4000
    dry_run: bool = False
    references: tuple[str, ...] = ()
    engine: EngineName = "vllm"
    gpus: int = 0
    max_model_len: int = 32768
    max_answer_tokens: int = 2048
    domains: str | None = None
    tokenizer: str | None = None
    grade: bool = False
    work: Path | None = None
    workers: int = 1

    def endpoint(self) -> Endpoint:
        """The endpoint; raises `UserError` when an option needs one and none is named."""
        if not self.base_url or not self.model:
            raise UserError("--traces from an endpoint and --domains model need --base-url and --model")
        return Endpoint(
            self.base_url,
            self.model,
            self.max_tokens,
            self.temperature,
            extra_body=self.extra_body,
            api_key_env=self.api_key_env,
            timeout_seconds=self.timeout,
            max_retries=self.max_retries,
            concurrency=self.concurrency,
            requests_per_minute=self.requests_per_minute,
            input_price=self.price[0],
            output_price=self.price[1],
        )


def featurize(pool: Any, out: Path, options: Options, say: Say) -> None:
    """Run the asked steps over `pool` and write it to `out`. What was found out stays in the work folder."""
    work = options.work or out.with_name(out.name + ".work")
    rows: Iterable[Mapping[str, Any]] = pool
    if options.dry_run and not (options.traces and options.base_url):
        raise UserError("--dry-run estimates what calls to an endpoint cost: it goes with --traces and --base-url")
    if options.traces and options.base_url:
        endpoint = options.endpoint()
        kept = _asked(pool, endpoint, work, options, say)
        if options.dry_run:
            return
        rows = features.traces(rows, endpoint.model, kept, endpoint.key, options.samples)
    elif options.traces:
        rows = _thought(pool, work, options, say)
    stored = Stored(rows, work / "rows-1.parquet")
    if options.references:
        stored = _referenced(stored, work, options, say)
    if options.tokenizer:
        found = features.lengths(stored, options.tokenizer, options.workers)
        stored = Stored(({**row, "thinking_tokens": found.get(row["id"])} for row in stored), work / "rows-3.parquet")
    rows = stored
    if options.domains == "model":
        with _stage("domains", len(pool)) as (_, tick):
            rows = Stored(
                features.model_domains(stored, options.endpoint(), work / "domains", options.workers, tick, say),
                work / "rows-4.parquet",
            )
    elif options.domains:
        rows = features.with_domains(rows, options.domains)
    if options.grade:
        rows = features.grade_attempts(rows)
    say(f"{save((dict(row) for row in rows), out):,} rows -> {out}")


@contextmanager
def _stage(title: str, total: int) -> Iterator[tuple[Progress, features.Tick]]:
    """A live line on a terminal, plain lines otherwise, on stderr."""
    from harness.console import PlainConsole

    with Progress(PlainConsole(stderr=True)) as progress:
        progress.add(title, title, total)
        progress.update(title, "running")
        yield progress, lambda done, tokens: progress.update(title, done=done, tokens=tokens)
        progress.update(title, "done")


def _asked(pool: Any, endpoint: Endpoint, work: Path, options: Options, say: Say) -> RowCache:
    """The endpoint's traces; with a dry run only their estimate is printed."""
    kept = RowCache(work / "traces")
    questions = [row["question"] for row in pool if not with_thinking(row)]
    wanted = [(question, sample) for question in questions for sample in range(options.samples)]
    left = (question for question, sample in wanted if endpoint.key(question, sample) not in kept)
    cost = estimate(endpoint, left, options.expect_tokens)
    say(
        f"traces: {cost.questions:,} to ask, {len(wanted) - cost.questions:,} kept; about {cost.input_tokens:,} "
        f"tokens in and {cost.output_tokens:,} out, ${cost.dollars:,.2f}"
    )
    if options.dry_run:
        return kept
    with _stage("traces", cost.questions) as (_, tick):
        outcome = features.ask_all(endpoint, questions, kept, options.workers, tick, options.samples)
    say(f"traces: {features.told(outcome)}")
    if outcome.short["cut"]:
        say(f"traces: {outcome.short['cut']:,} replies ended at their limit and fill no row; raise --max-tokens")
    return kept


def _thought(pool: Any, work: Path, options: Options, say: Say) -> Iterator[Row]:
    """The pool with a local model's traces."""
    from harness.runtime import reference_answers as references

    if not options.model:
        raise UserError("--traces needs a teacher: give --model (and --base-url for an endpoint)")
    model = options.model
    style = read_for(options.thinking, chat_files(model), Chat()).thinking.spec
    sampling = Sampling(temperature=options.temperature or 0.0, max_answer_tokens=options.max_answer_tokens)
    missing = [row for row in pool if not with_thinking(row)]
    say(f"traces: {len(missing):,} rows for {model}")
    kept = _local(references.think, missing, model, work / "traces", sampling, style, "traces", options, say)
    return features.traces(pool, model, kept, lambda q, _: references.trace_key(q, model, sampling, style))


def _local(
    ask: Callable[..., dict[str, str]],
    rows: Sequence[Row],
    model: str,
    folder: Path,
    sampling: Sampling,
    thinking: str,
    title: str,
    options: Options,
    say: Say,
) -> RowCache:
    """What a local model says to `rows`, cached in `folder`.

    `ask` is one of the functions of harness.runtime.reference_answers.
    """
    from harness.runtime import reference_answers as references
    from harness.runtime.engine_pool import EngineFailedError

    kept = RowCache(folder)
    engine = EngineConfig(
        name=options.engine, max_model_len=options.max_model_len, num_gpus=options.gpus, num_engines=options.workers
    )
    with _stage(title, len(rows)) as (progress, tick):
        try:
            with references.engines_of(model, engine, sampling, thinking, folder, progress) as engines:
                failed = ask(rows, model, engines, kept, tick)
        except EngineFailedError as error:
            raise UserError(f"{title}: {error}") from None
    if failed:
        say(f"{title}: {len(failed):,} failed (first: {next(iter(failed.values()))}); the same call asks them again")
    return kept


class Stored:
    """Rows that are read more than once: written to a file the first time, so that they are not in memory."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], path: Path) -> None:
        save((dict(row) for row in rows), path)
        self.path = path

    def __iter__(self) -> Iterator[Row]:
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(self.path).iter_batches(batch_size=1000):
            yield from batch.to_pylist()


def _referenced(rows: Stored, work: Path, options: Options, say: Say) -> Stored:
    from harness.runtime import reference_answers as references

    sampling = Sampling(max_answer_tokens=options.max_answer_tokens)
    questions = [{name: row[name] for name in ("question", "answer", "metadata")} for row in rows]
    answers = []
    for model in options.references:
        # A folder's answers are its weights', not its path's: a model trained again is asked again.
        identity = provenance.model_identity(model)
        name = model.strip("/").replace("/", "--") + ("" if identity == model else f"-{identity}")
        folder, title = work / "references" / name, f"reference {model}"
        kept = _local(references.answer, questions, model, folder, sampling, AUTO, title, options, say)
        right = sum((kept.get(question_key(row)) or {}).get("correct") is True for row in questions)
        say(f"{title}: {right:,} of {len(questions):,} questions solved")
        answers.append(kept)
    return Stored(references.with_references(rows, answers), work / "rows-2.parquet")
