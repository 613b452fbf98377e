"""A trained model's card: what it was trained on and how, what it scores with intervals, and what the audit said."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.analysis.measure import Measured, reference_name
from harness.analysis.settings import setting_name
from harness.report.made import made, stored
from harness.report.places import SHIPPED_MODEL
from harness.report.tables import Column, Table, escaped, markdown, number, percent

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")  # a name on the hub, with its owner
DIGEST = re.compile(r"[0-9a-f]{16}")  # of a folder's files, as `provenance.model_identity` has it
TAGS = ["s1-harness", "test-time-scaling", "budget-forcing"]


def model_card(measured: Measured, published: Path, training: Path, recipe: str) -> str:
    """The card of the model that `recipe` trained, as README.md with metadata that huggingface_hub reads.

    Args:
        measured: every figure of the results.
        published: the results folder as it is published.
        training: the folder with the manifest and the figures of the model's training.
        recipe: its name.
    """
    from huggingface_hub import ModelCardData

    cells = [cell for cell in measured.cells.cells if cell.recipe == recipe]
    config: dict[str, Any] = next((dict(cell.config) for cell in cells), {})
    study = str(config.get("study", ""))
    origin, chosen = _origin(measured, config), dict(config.get("recipe_config") or {})
    data = ModelCardData(
        model_name=f"{study}-{recipe}",
        base_model=origin.hub or None,
        datasets=[pool] if _on_hub(pool := str(chosen.get("pool") or _pool(published))) else None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=TAGS,
        eval_results=_results(measured, recipe),
    )
    parts = [
        f"---\n{data.to_yaml()}\n---\n",
        f"# {escaped(study)}: {escaped(recipe)}\n",
        f"Trained and evaluated by s1-harness from {origin.text}.\n",
        "## Data\n",
        _listed({**{k: v for k, v in chosen.items() if v not in (None, [], "")}, **_manifest(training)}),
        "## Training\n",
        _listed(
            {
                **{k: v for k, v in dict(config.get("training") or {}).items() if v != ""},
                **stored(training / "figures.json"),
            }
        ),
        "## Evaluation\n",
        markdown(evaluation_table(measured, recipe)),
        "## How it was made\n",
        _listed(dict(made(measured, study, [published]))),
    ]
    return "\n".join(parts)


def evaluation_table(measured: Measured, recipe: str) -> Table:
    """Accuracy, with its interval and thinking tokens, of a recipe at every setting of every task."""
    mine = [i for i, cell in enumerate(measured.cells.cells) if cell.recipe == recipe]
    to = Column(f"to {reference_name(measured.cells.cells, mine)}", True)
    columns = [Column("task"), Column("setting"), Column("accuracy, %", True), to]
    table = Table("evaluation", "Accuracy", [*columns, Column("thinking", True), Column("problems", True)])
    table.caption = "95 % intervals over problems; differences are paired, in points."
    for cell, figures in zip(measured.cells.cells, measured.figures, strict=True):
        if cell.recipe == recipe:
            table.add(
                cell.task,
                setting_name(cell),
                percent(table, figures["accuracy"]),
                percent(table, figures.get("difference_to_reference"), signed=True),
                number(figures["mean_thinking_tokens"].mean, 0),
                number(cell.num_problems, 0),
            )
    return table


def _results(measured: Measured, recipe: str) -> list[EvalResult]:
    """The headline accuracies as the hub's model index has them, in percent."""
    from huggingface_hub import EvalResult

    found = []
    for i in measured.headlines.values():
        cell, accuracy = measured.cells.cells[i], measured.figures[i]["accuracy"]
        if cell.recipe == recipe and accuracy.mean == accuracy.mean:
            bounds = [round(100 * x, 1) for x in (accuracy.low, accuracy.high) if x == x]
            found.append(
                EvalResult(
                    task_type="text-generation",
                    dataset_name=cell.task,
                    **_dataset(cell.config.get("task_source"), cell.task),
                    metric_type="accuracy",
                    metric_name=f"accuracy, {setting_name(cell)}",
                    metric_value=round(100 * accuracy.mean, 1),
                    metric_args={"interval_95": bounds, "num_problems": cell.num_problems},
                )
            )
    return found


def _dataset(source: object, task: str) -> dict[str, Any]:
    """Which data set of the hub a task's rows are, as a model index names it; a task from elsewhere by its own name."""
    told = source if isinstance(source, Mapping) else {}
    if not REPOSITORY.fullmatch(str(told.get("hub"))):
        return {"dataset_type": task}
    named = {"dataset_config": "config", "dataset_split": "split", "dataset_revision": "revision"}
    return {"dataset_type": told["hub"]} | {ours: told[key] for ours, key in named.items() if told.get(key)}


@dataclass(frozen=True)
class Origin:
    """What a model was trained from: its name on the hub, if it has one, and the words of the card."""

    hub: str
    text: str


def _origin(measured: Measured, config: Mapping[str, Any]) -> Origin:
    """The base of a trained model, by its run's configuration; in older rows the base's own run tells its identity."""
    base, study = str(config.get("base_model", "")), config.get("study")
    if not base:
        return Origin("", "a model that the rows do not name")
    cells = (cell.config for cell in measured.cells.cells if (cell.recipe, cell.study) == ("base", study))
    of_base = (str(one.get("model_identity", "")) for one in cells if one.get("base_model") == base)
    identity = str(config.get("base_identity") or next(of_base, ""))
    is_digest = DIGEST.fullmatch(identity) is not None
    name, _, commit = (identity if identity.startswith(f"{base}@") else base).partition("@")
    if REPOSITORY.fullmatch(name) and (commit or not (is_digest or Path(name).exists())):
        link = f"[{escaped(name)}](https://huggingface.co/{quote(name)})"
        return Origin(
            name, f"{link} at commit {escaped(commit)}" if commit else f"{link} (at which commit is not known)"
        )
    digest = f"the digest of its files is {identity}" if is_digest else "its digest is not known"
    if base == SHIPPED_MODEL:
        return Origin("", f"the model that ships with s1-harness ({base}; {digest})")
    return Origin("", f"a local model, {escaped(base)} ({digest})")


def _on_hub(name: str) -> bool:
    """Whether a name can be a repository of the hub, and is no file here."""
    return REPOSITORY.fullmatch(name) is not None and not Path(name).exists()


def _pool(out: Path) -> str:
    return str(dict(stored(out / "study.json").get("study") or {}).get("pool", ""))


def _manifest(folder: Path) -> dict[str, Any]:
    """Of the manifest what identifies the rows; the rows' ids stand in the file beside the card."""
    found = stored(folder / "manifest.json")
    kept = {name: found[name] for name in ("stages", "domains", "sha256", "pool_fingerprint") if name in found}
    return kept | ({"rows": len(found["ids"])} if isinstance(found.get("ids"), list) else {})


def _listed(values: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        return escaped(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

    return "\n".join(f"- {escaped(name)}: {shown(value)}" for name, value in values.items()) + "\n"
