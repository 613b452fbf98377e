"""The verdict on each clause of a study's hypothesis, in words and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.analysis.claims import CONTRADICTED, OPEN, SUPPORTED, Evidence, Finding
from harness.report.numbers import in_percent, percent_bounds
from harness.report.tables import MISSING, Column, Entry, Table, p_value, percent

STYLES = {SUPPORTED: "supported", CONTRADICTED: "contradicted", OPEN: "open"}
LEGEND = (
    "Supported: every comparison of the clause is told apart, as claimed; contradicted: one is told apart the other "
    "way. Told apart: the paired 95 % interval leaves out 0 and Holm's p over the clause is below 0.05 (of a "
    "slope, its interval alone). The same: within 2 points."
)


def claims_table(found: Sequence[Finding], study: str) -> Table:
    """A row per clause: its verdict, the comparison that decides it, and how many went which way."""
    columns = [Column("clause"), Column("verdict"), Column("decided by"), Column("points", True)]
    table = Table(f"claims_{study}", "What the rows say of the hypothesis", columns, caption=LEGEND)
    table.columns += [Column("as claimed", True), Column("the other way", True), Column("open", True)]
    for one in found:
        weakest, counts = one.weakest, _counts(one)
        gone = table.footnote(f"not run: {', '.join(one.missing)}" if one.missing else "")
        table.add(
            one.claim.text,
            Entry(one.verdict, one.verdict, style=STYLES.get(one.verdict, ""), footnotes=gone),
            f"{weakest.what} on {weakest.task}" if weakest else MISSING,
            percent(table, weakest.figure if weakest else None, signed=True),
            *(Entry(str(counts[name]), counts[name]) for name in (SUPPORTED, CONTRADICTED, OPEN)),
        )
    return table


def verdict_line(one: Finding) -> str:
    """The verdict in a line: what decides it, with its interval, and how many comparisons went which way."""
    if one.weakest is None:
        return "no rows to hold it against"
    counts = _counts(one)
    told = ", ".join(
        f"{counts[name]} {words}"
        for name, words in ((SUPPORTED, "as claimed"), (CONTRADICTED, "the other way"), (OPEN, "not distinguishable"))
        if counts[name]
    )
    gone = f"; not run: {', '.join(one.missing)}" if one.missing else ""
    num = len(one.evidence)
    return f"{_said(one.weakest)}; of {num} comparison{'s' * (num > 1)} {told}{gone}."


def _said(one: Evidence) -> str:
    figure = one.figure
    within = f" {percent_bounds(figure.low, figure.high, signed=True)}" if figure.low < figure.high else ""
    p = "" if one.p_holm is None else f", Holm p {p_value(one.p_holm).text}"
    return f"{one.what} on {one.task}: {in_percent(figure.mean, signed=True)}{within} points{p}"


def _counts(one: Finding) -> Counter[str]:
    return Counter(evidence.verdict for evidence in one.evidence)


def evidence_table(one: Finding, study: str, number: int) -> Table:
    """Every comparison of a clause, a column per task; in points with intervals."""
    tasks = sorted({evidence.task for evidence in one.evidence})
    columns = [Column("comparison"), *(Column(task, True) for task in tasks)]
    table = Table(f"claim_{number}_{study}", "", columns)
    for what in dict.fromkeys(evidence.what for evidence in one.evidence):
        found = {e.task: e for e in one.evidence if e.what == what}
        table.add(
            what,
            *(
                percent(table, found[task].figure, STYLES[found[task].verdict], signed=True)
                if task in found
                else Entry(MISSING)
                for task in tasks
            ),
        )
    return table
