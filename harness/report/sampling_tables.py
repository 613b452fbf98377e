"""Tables of what is bought by more than one thought: votes, searches, methods at equal tokens, and abstaining."""

from __future__ import annotations

import numpy as np

from harness.analysis.equal_tokens import tokens_per_problem
from harness.analysis.measure import Measured
from harness.analysis.selective import COVERAGES
from harness.analysis.settings import setting_name
from harness.report.names import recipe_order, row_name
from harness.report.numbers import in_percent, percent_bounds
from harness.report.study_cells import at_headline, every_setting
from harness.report.tables import MISSING, Column, Entry, Table, number, p_value, percent

BEYOND = "> N: more than the longest budget, which spends N tokens and is what stands against it"


def sampled_table(measured: Measured, study: str, task: str) -> Table:
    """pass@k and maj@k at the tokens they cost, beside one sequential generation. Empty without repeated samples."""
    cells = measured.cells.cells
    table = Table(
        f"sampled_{study}_{task}",
        f"{task}: parallel samples",
        [
            Column("recipe"),
            Column("k", True),
            Column("pass@k (cov@k)", True),
            Column("pass^k", True, "all of k are right"),
            Column("G-Pass@k", True, "at least three quarters of k are right"),
            Column("maj@k", True),
            Column("tokens", True),
        ],
        caption="Unbiased over the k-subsets of a problem's generations; pass^k: all of k are right, G-Pass@k: three "
        "quarters; tokens: all of k generations.",
    )
    for i in at_headline(measured, study, task):
        figures = measured.figures[i]
        for name in [n for n in figures if n.startswith("pass@")]:
            k = int(name.removeprefix("pass@"))
            table.add(
                row_name(cells[i], cells),
                number(k, 0),
                percent(table, figures[name]),
                percent(table, figures[f"pass^{k}"]),
                percent(table, figures[f"g_pass@{k}"]),
                percent(table, figures.get(f"maj@{k}")),
                number(k * figures["mean_total_tokens"].mean, 0),
            )
        if "bayes@n" in figures:
            b = figures["bayes@n"]
            figure = f"{in_percent(b.mean)} {percent_bounds(b.low, b.high)}"
            table.notes.append(f"{row_name(cells[i], cells)}: Bayes@N {figure} ({b.note}).")
    return table


def selective_table(measured: Measured, study: str, task: str) -> Table:
    """Accuracy where the surest answers are given alone, at each setting. Empty without log-probabilities."""
    cells = measured.cells.cells
    table = Table(
        f"selective_{study}_{task}",
        f"{task}: answering only where it is sure",
        [
            Column("recipe"),
            Column("setting"),
            Column("all", True, "accuracy of every answer"),
            *(Column(f"surest {c:.0%}", True) for c in COVERAGES if c < 1),
            Column("mean", True, "accuracy, averaged over every coverage"),
            Column("AUROC", True, "the chance that a right answer is surer than a wrong one"),
        ],
        caption="Accuracy in percent among the generations whose answer has the highest mean log-probability.",
    )
    for i in every_setting(measured, study, task):
        figures = measured.figures[i]
        if "selective_area" in figures:
            table.add(
                row_name(cells[i], cells),
                setting_name(cells[i]),
                percent(table, figures["accuracy"]),
                *(percent(table, figures[f"accuracy_at_{c:.0%}_coverage"]) for c in COVERAGES if c < 1),
                number(100 * figures["selective_area"].mean),
                number(figures["confidence_auroc"].mean, 2),
            )
    return table


def search_table(measured: Measured, study: str, task: str) -> Table:
    """A tree search's vote beside majority voting at equal total tokens. Empty without a search."""
    cells = measured.cells.cells
    table = Table(
        f"search_{study}_{task}",
        f"{task}: tree search against majority voting at equal tokens",
        [
            Column("recipe"),
            Column("setting"),
            Column("vote by reward", True),
            Column("tokens", True, "of all thoughts of a problem, discarded steps included, shared ones once"),
            Column("to majority", True, "paired difference to the vote of as many samples as these tokens buy"),
            Column("against"),
        ],
    )
    for i in sorted(range(len(cells)), key=recipe_order(measured)):
        cell, figures = cells[i], measured.figures[i]
        if (cell.study, cell.task) == (study, task) and "weighted_maj" in figures:
            gap = figures.get("difference_to_majority")
            table.add(
                row_name(cell, cells),
                setting_name(cell),
                percent(table, figures["weighted_maj"]),
                number(float(np.nanmean(tokens_per_problem(cell))), 0),
                percent(table, gap, signed=True),
                gap.reference if gap else MISSING,
            )
    return table


def compute_table(measured: Measured, study: str, task: str) -> Table:
    """Each method beside capped budgets at the same generated tokens. Empty where a recipe has one method alone."""
    cells = measured.cells.cells
    table = Table(
        f"compute_{study}_{task}",
        f"{task}: methods at equal tokens",
        [
            Column("recipe"),
            Column("method"),
            Column("setting"),
            Column("tokens", True, "generated per problem: thinking, answers, and what was thrown away"),
            Column("accuracy", True),
            Column("to budgets", True, "paired difference to capped thoughts of the same tokens"),
            Column("p", True, "exact test, Holm over the recipe's rows"),
        ],
        caption="Budgets are capped single thoughts, their accuracy read on the line between two budgets. "
        "Mean: over log tokens, where both methods were run.",
    )
    first = {(c.study, c.task, c.model, c.recipe): i for i, c in reversed(list(enumerate(cells)))}
    shown = [one for one in measured.compute if (one.study, one.task) == (study, task)]
    for one in sorted(shown, key=lambda c: recipe_order(measured)(first[c.study, c.task, c.model, c.recipe])):
        name = row_name(cells[first[one.study, one.task, one.model, one.recipe]], cells)
        for contest in one.contests:
            beyond = f"> {contest.beyond:,.0f}" if contest.beyond > 0 else ""
            span = " to ".join(f"{tokens:,.0f}" for tokens in dict.fromkeys(contest.tokens))
            table.add(
                name,
                contest.method,
                "mean" if contest.is_area else contest.setting,
                Entry(span, contest.tokens[0], detail=beyond, footnotes=table.footnote(beyond and BEYOND)),
                percent(table, contest.accuracy),
                percent(table, contest.difference, signed=True),
                p_value(contest.p_holm),
            )
    return table
