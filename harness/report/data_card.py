"""README.md of a published data set: which studies' rows it holds, what they ask, and which file is which part."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.analysis.claims import hypothesis_of
from harness.analysis.measure import Measured
from harness.dataset_card import card
from harness.report.study_tables import studies
from harness.report.tables import escaped


def data_card(measured: Measured, present: Mapping[str, tuple[str, str]]) -> str:
    """The card of the parts `present` (`dataset_card.PARTS`), named after the studies of their rows."""
    names = [study for study, _ in studies(measured)]
    about = "\n".join(_asks(measured, study, tasks) for study, tasks in studies(measured))
    return card(present, escaped(", ".join(names)), about)


def _asks(measured: Measured, study: str, tasks: list[str]) -> str:
    """What a study holds and asks, in its own words."""
    recipes = dict.fromkeys(cell.recipe for cell in measured.cells.cells if cell.study == study)
    lines = [f"## {escaped(study)}\n", f"Tasks: {escaped(', '.join(tasks))}. Recipes: {escaped(', '.join(recipes))}.\n"]
    paragraphs = re.split(r"\n\s*\n", hypothesis_of(measured, study).strip())
    quoted = "\n>\n".join(f"> {escaped(' '.join(one.split()))}" for one in paragraphs if one)
    return "\n".join([*lines, *(["What it asks, and its hypothesis:\n", f"{quoted}\n"] if quoted else [])])
