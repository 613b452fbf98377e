"""A study's hypothesis, clause by clause, held against the measured rows: supported, not distinguishable, contradicted.

The differences and their intervals are the board's own (`measure.paired_figures`), of the pairs that a clause names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.analysis.compare import MARGIN
from harness.analysis.intervals import Interval
from harness.analysis.measure import Measured, distinguishable, paired_figures
from harness.analysis.settings import Cell, setting_name, setup_of
from harness.checked import from_plain
from harness.config import Claim
from harness.errors import UserError

SUPPORTED, OPEN, CONTRADICTED, UNKNOWN = "supported", "not distinguishable", "contradicted", "not run"
GAP = "difference_to_reference"


@dataclass(frozen=True)
class Evidence:
    """One comparison that a clause makes.

    Attributes:
        task: on which problems.
        what: what is compared: "full - s1k", "s1k, per doubling", "s1k, auto+1 Wait - auto".
        figure: the difference, or the slope, as a fraction.
        p_holm: of the exact test, Holm over the clause's comparisons; None for a slope.
        verdict: of this comparison.
    """

    task: str
    what: str
    figure: Interval
    p_holm: float | None
    verdict: str


@dataclass(frozen=True)
class Finding:
    """What the rows say of one clause: every comparison, and the verdict over all."""

    claim: Claim
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...]  # recipes that have no row

    @property
    def verdict(self) -> str:
        """Supported where every comparison is; contradicted where one is; else not distinguishable."""
        found = {one.verdict for one in self.evidence}
        if not found:
            return UNKNOWN
        if CONTRADICTED in found:
            return CONTRADICTED
        return SUPPORTED if found == {SUPPORTED} and not self.missing else OPEN

    @property
    def is_answered(self) -> bool:
        """Whether the rows bear on all of the clause: two runs of a study do so on few of its clauses."""
        return bool(self.evidence) and not self.missing

    @property
    def weakest(self) -> Evidence | None:
        """The comparison that decides: the one with the least support."""
        sign = -1 if self.claim.expected == "less" else 1
        order = (CONTRADICTED, OPEN, SUPPORTED)

        def key(one: Evidence) -> tuple[int, float]:
            mean = one.figure.mean
            return order.index(one.verdict), -abs(mean) if self.claim.expected == "same" else sign * mean

        return min(self.evidence, key=key, default=None)


def claims_of(measured: Measured, study: str) -> tuple[Claim, ...]:
    """The clauses that were stored with a study's rows; what cannot be read as one is left out."""
    stored = (cell.config.get("claims") for cell in measured.cells.cells if cell.study == study)
    found = []
    for plain in next((claims for claims in stored if claims), ()):
        try:
            found.append(from_plain(Claim, plain, "a stored claim: "))
        except (UserError, TypeError, ValueError):  # rows of another version, or of somebody else
            continue
    return tuple(found)


def hypothesis_of(measured: Measured, study: str) -> str:
    """What a study asks and expects, in its own words; empty where its rows do not say."""
    cells = (cell for cell in measured.cells.cells if cell.study == study)
    return next((str(cell.config["hypothesis"]) for cell in cells if cell.config.get("hypothesis")), "")


def findings(measured: Measured, study: str) -> list[Finding]:
    """What the rows of a study say of each of its clauses."""
    return [_finding(measured, study, claim) for claim in claims_of(measured, study)]


def _finding(measured: Measured, study: str, claim: Claim) -> Finding:
    known = {cell.recipe for cell in measured.cells.cells if cell.study == study}
    if claim.measure == "slope":
        evidence = tuple(_slopes(measured, study, claim))
    else:
        evidence = tuple(
            _compared(measured, claim, (_rivals if claim.measure == "accuracy" else _waits)(measured, study, claim))
        )
    named = dict.fromkeys((*claim.recipes, *claim.than))
    return Finding(claim, evidence, tuple(name for name in named if name not in known))


def _rivals(measured: Measured, study: str, claim: Claim) -> dict[tuple[int, int], str]:
    """Each recipe against each rival at the headline setting: pairs of cells, and what they are called."""
    cells = measured.cells.cells
    at = {(task, recipe): i for (s, task, _, recipe), i in measured.headlines.items() if s == study}
    tasks = sorted({task for task, _ in at})
    pairs = [
        (at[task, a], at[task, b])
        for task in tasks
        for a in claim.recipes
        for b in claim.than
        if a != b and (task, a) in at and (task, b) in at
    ]
    return {(a, b): f"{cells[a].recipe} - {cells[b].recipe}" for a, b in pairs}


def _waits(measured: Measured, study: str, claim: Claim) -> dict[tuple[int, int], str]:
    """Each number of ignored ends against none, all else equal."""
    cells = measured.cells.cells
    members = [i for i, cell in enumerate(cells) if cell.study == study and cell.recipe in claim.recipes]
    plain = {_without_waits(cells[i]): i for i in members if not cells[i].num_ignores}
    members.sort(key=lambda i: (cells[i].task, claim.recipes.index(cells[i].recipe), cells[i].num_ignores))
    pairs = [(i, plain[key]) for i in members if cells[i].num_ignores and (key := _without_waits(cells[i])) in plain]
    return {(a, b): f"{cells[a].recipe}, {setting_name(cells[a])} - {setting_name(cells[b])}" for a, b in pairs}


def _without_waits(cell: Cell) -> tuple[object, ...]:
    """What two cells have to share for a Wait to be all that sets them apart."""
    plain = replace(cell.budget, num_ignores=0, ignore_str="Wait", round_temperatures=())
    return cell.task, cell.model, cell.recipe, setup_of(cell.config), plain


def _compared(measured: Measured, claim: Claim, pairs: dict[tuple[int, int], str]) -> Iterator[Evidence]:
    cells = measured.cells.cells
    figures = paired_figures(cells, list(pairs), measured.variances, GAP)
    for ((i, _), what), found in zip(pairs.items(), figures, strict=True):
        figure = found[GAP]
        if figure.mean == figure.mean:
            p = found["p_holm_to_reference"].mean
            yield Evidence(cells[i].task, what, figure, p, _verdict(claim, figure, distinguishable(found, GAP)))


def _slopes(measured: Measured, study: str, claim: Claim) -> Iterator[Evidence]:
    """The least-squares slope of each recipe's sweep, in points per doubling of its thinking tokens."""
    sweeps = [s for s in measured.sweeps if s.study == study and s.recipe in claim.recipes and len(s.cells) > 1]
    for sweep in sorted(sweeps, key=lambda s: (s.task, claim.recipes.index(s.recipe))):
        figure = sweep.figures["scaling_ols_per_doubling"]
        if figure.mean == figure.mean:
            shown = figure.low < figure.high and not figure.low <= 0 <= figure.high
            what = f"{sweep.recipe}, {sweep.label} per doubling"
            yield Evidence(sweep.task, what, figure, None, _verdict(claim, figure, shown))


def _verdict(claim: Claim, figure: Interval, shown: bool) -> str:
    """`shown`: the figure is told from 0."""
    if claim.expected == "same":
        if figure.low < figure.high and figure.low >= -MARGIN and figure.high <= MARGIN:
            return SUPPORTED
        return CONTRADICTED if shown else OPEN
    if not shown:
        return OPEN
    return SUPPORTED if (figure.mean > 0) == (claim.expected == "more") else CONTRADICTED
