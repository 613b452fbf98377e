"""`harness evaluate`: any models, any method, in one call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from harness.cli import complete
from harness.cli.config_file import config_option
from harness.cli.group import (
    THINKING_HELP,
    chat_of,
    chat_options,
    data_option,
    out_option,
    reading_of,
    reading_options,
    set_option,
    track_option,
)
from harness.cli.running import default_out, run_study, show_plans
from harness.cli.talk import Talk, talk_options
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.config import EngineName
    from harness.questions import Kind

METHODS = (
    "budget_forcing, rejection_sampling, token_conditional, step_conditional, class_conditional, no_thinking, rebase, "
    "completion_cap"
)
OF_TRAINING = ("pool", "pool_size", "pool_columns", "recipes", "reference_recipe", "training", "features", "lint")
DEFAULT_METHODS = {"completions": "budget_forcing", "chat": "completion_cap"}


@click.command(short_help="A budget-forced sweep of any models, in one call.")
@click.argument("models", nargs=-1, required=True, shell_complete=complete.models)
@click.option(
    "--tasks",
    "task_names",
    required=True,
    shell_complete=complete.tasks,
    help="Comma-separated: names, FILE.jsonl, hub:ORG/NAME, lm-eval:NAME.",
)
@reading_options
@click.option(
    "--method",
    "methods",
    shell_complete=complete.methods,
    help=f"Comma-separated: {METHODS}. Default: budget_forcing; with --api chat completion_cap.",
)
@click.option("--budgets", default="auto", show_default=True, help="Thinking budgets in tokens, or auto.")
@click.option("--ignores", default="0", show_default=True, help="How often to ignore the end of thinking (at auto).")
@click.option("--ignore-str", default="Wait", show_default=True, help="What replaces the end of thinking.")
@click.option("--every", type=click.IntRange(min=1), help="Also force an answer every so many thinking tokens.")
@click.option(
    "--min-thinking", type=click.IntRange(min=0), default=0, show_default=True, help="At least so many tokens."
)
@click.option("--instructed", help="Conditional methods: the numbers told the model, or short,long.")
@click.option(
    "--force", is_flag=True, help="Conditional methods: also cap the thought, at what was told or at --budgets."
)
@click.option("--max-attempts", type=click.IntRange(min=1), help="Rejection sampling: tries per sample (64).")
@click.option("--reward", help="REBASE: a reward model (folder or hub name), or repetition, which needs none.")
@click.option("--grace", type=click.IntRange(min=0), default=0, help="Tokens beyond a budget to the end of a sentence.")
@click.option("--wrap-up", default="", help="Text put into a thought before its budget cuts it.")
@click.option(
    "--wrap-up-tokens", type=click.IntRange(min=0), default=0, help="So many tokens before; 0: directly before."
)
@click.option("--final-answer", help="What a forced end says, instead of the format's 'Final Answer:'.")
@click.option("--headline", help="The setting of the recipe table, as tables call it: 1,000 or auto+2 Wait.")
@click.option(
    "--engine",
    default="vllm",
    show_default=True,
    shell_complete=complete.engines,
    help="vllm, transformers or openai.",
)
@click.option("--tp", type=click.IntRange(min=1), help="GPUs of one engine, which share its weights (tensor parallel).")
@click.option("--gpus", type=click.IntRange(min=0), help="GPUs in all: as many engines as --tp goes into it.")
@click.option(
    "--api",
    type=click.Choice(["completions", "chat"]),
    default="completions",
    show_default=True,
    help="Of --engine openai: exact, by token ids; or one chat call per sample.",
)
@click.option("--base-url", help="The server's address, for --engine openai.")
@click.option("--served-name", help="What the server calls MODEL, where it is another name.")
@click.option("--thinking", default="auto", show_default=True, shell_complete=complete.formats, help=THINKING_HELP)
@chat_options
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Generations per problem.")
@click.option("--sampling", type=click.Choice(["card"]), help="As each model's generation_config.json recommends it.")
@click.option("--temperature", type=click.FloatRange(min=0), help="0 is greedy, the default without --sampling card.")
@click.option("--answer-logprobs", is_flag=True, help="Store how likely the extracted answer's tokens were.")
@click.option("--max-problems", type=click.IntRange(min=1), help="Only the first so many of each task.")
@click.option("--replay/--no-replay", default=True, show_default=True, help="Think once, branch the answers.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--no-thinking", is_flag=True, help="Also the plain answer without a thinking prefix.")
@click.option("--dry-run", is_flag=True, help="Print the planned runs, their tokens and cost; run nothing.")
@data_option
@out_option
@set_option
@track_option
@config_option
@talk_options
def evaluate(
    models: tuple[str, ...],
    task_names: str,
    columns: tuple[str, ...],
    kind: Kind | None,
    template: str,
    shuffle_choices: bool,
    engine: EngineName,
    tp: int | None,
    gpus: int | None,
    api: Literal["completions", "chat"],
    base_url: str | None,
    served_name: str | None,
    thinking: str,
    template_arguments: tuple[str, ...],
    system_prompt: str | None,
    instruction: str,
    samples: int,
    sampling: str | None,
    temperature: float | None,
    answer_logprobs: bool,
    max_problems: int | None,
    replay: bool,
    seed: int,
    headline: str | None,
    methods: str | None,
    dry_run: bool,
    data_dir: Path | None,
    out: Path | None,
    settings: tuple[str, ...],
    trackers: tuple[str, ...],
    talk: Talk,
    **sweep: Any,
) -> None:
    """Evaluate MODELS (folders or hub names) with budget forcing or another method: an s1-style sweep in one call."""
    from harness.config import EngineConfig, Sampling, fingerprint
    from harness.records import short
    from harness.studies import evaluate as evaluation
    from harness.studies.card import card_sampling
    from harness.studies.inputs import check_inputs, check_model
    from harness.studies.load import with_settings

    budgets = evaluation.Sweep(DEFAULT_METHODS[api] if methods is None else methods, **sweep).settings()
    server = EngineConfig(name=engine, api=api, base_url=base_url, served_name=served_name)
    server = evaluation.placed(server, tp, gpus)
    if any(not model.strip() for model in models):
        raise UserError("a MODEL is empty; give a folder or a hub name")
    for given in settings:
        key = given.partition("=")[0].partition(".")[0]
        if key in OF_TRAINING:
            raise UserError(
                f"--set {given}: evaluate trains nothing and reads no {key}; leave it out, or use `harness ablate`"
            )
    reading = reading_of(columns, kind, template, shuffle_choices)
    chat = chat_of(template_arguments, system_prompt, instruction)
    models = tuple(dict.fromkeys(models))
    studies = []
    for model in models:
        if not server.chats:
            check_model("base_model", model)
        decoding = Sampling(num_samples=samples, seed=seed, answer_logprobs=answer_logprobs)
        if sampling == "card":
            decoding = card_sampling(model, decoding)
        if temperature is not None:
            decoding = replace(decoding, temperature=temperature)
        name = evaluation.study_name(models)
        one = evaluation.study(
            model,
            task_names,
            budgets,
            decoding,
            server,
            thinking,
            chat,
            max_problems,
            replay,
            name=name,
            headline=headline,
            reading=reading,
            data_dir=data_dir,
        )
        studies.append(with_settings(one, settings))
        check_inputs(studies[-1], data_dir)
    if dry_run:
        named = [(one, short(one.base_model, [other.base_model for other in studies])) for one in studies]
        show_plans(named, data_dir, out, talk)
        return
    first, *others = studies
    identity = fingerprint(studies if others else first)
    run_study(
        first, out or default_out(f"{first.name}-{identity[:8]}"), data_dir, talk, others=others, trackers=trackers
    )
