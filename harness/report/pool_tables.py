"""Tables over a pool and its selections: stage counts, sources like the paper's Table 7, domains, lengths, overlap."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from harness.data.sources import SOURCES
from harness.report.tables import Column, Table
from harness.report.tables import markdown as as_markdown

Cells = Sequence[str]
PAPER_STAGES = {  # s1, section 2.2 and its Algorithm 1
    "pool": 59029,
    "without API errors": 54116,
    "well formatted": 51581,
    "not solved by a reference model": 24496,
    "benchmark-like": 384,
    "selected": 1000,
}


def markdown(title: str, header: Cells, rows: Iterable[Cells]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    table = Table(title.lower(), title, [Column(name, numeric=at > 0) for at, name in enumerate(header)])
    for row in rows:
        table.add(*row)
    return as_markdown(table)


def length_of(row: Mapping[str, Any], in_tokens: bool) -> int:
    """A trace's length, in tokens where the whole pool knows them, else in characters."""
    return int(row["thinking_tokens"] or 0) if in_tokens else len(row["thinking"])


def sources(rows: Iterable[Mapping[str, Any]], in_tokens: bool) -> str:
    """Rows and mean trace length by source, beside the paper's Table 7 where it has the source."""
    lengths: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        lengths[row["source"].split("/")[0] or "(none)"].append(length_of(row, in_tokens))
    unit = "tokens" if in_tokens else "characters"
    table: list[Cells] = []
    for name, found in sorted(lengths.items(), key=lambda item: -len(item[1])):
        samples, mean = SOURCES[name].table7 if name in SOURCES else (0, 0.0)
        table.append(
            (
                name,
                f"{len(found):,}",
                f"{statistics.fmean(found):,.0f}",
                f"{samples:,}" if samples else "",
                f"{1000 * mean:,.0f}" if samples else "",
            )
        )
    everything = [length for found in lengths.values() for length in found]
    table.append(("all", f"{len(everything):,}", f"{statistics.fmean(everything):,.0f}", "59,029", "3,600"))
    header = ("source", "rows", f"mean thinking {unit}", "Table 7 rows", "Table 7 mean tokens")
    return markdown("Sources", header, table)


def stages(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Rows left after each stage of each selection, beside the paper's."""
    names = list(dict.fromkeys(name for manifest in manifests for name in manifest["stages"]))
    names = sorted(names, key=lambda name: name == "selected")
    table = [
        (
            name,
            *(f"{m['stages'][name]:,}" if name in m["stages"] else "" for m in manifests),
            f"{PAPER_STAGES[name]:,}" if name in PAPER_STAGES else "",
        )
        for name in names
    ]
    return markdown("Stages", ("rows", *map(title, manifests), "s1K, paper"), table)


def title(manifest: Mapping[str, Any]) -> str:
    """A selection's name in a table's head."""
    return f"{manifest['selection']} {manifest['size']:,} seed {manifest['seed']}"


def domains(rows: Iterable[Mapping[str, Any]], manifests: Sequence[Mapping[str, Any]], most: int = 24) -> str:
    """Rows by domain in the pool and in each selection; the rarest together in one line, as in the paper's Table 6."""
    pool = Counter(row["domain"] or "(none)" for row in rows)
    picked = [Counter({name or "(none)": count for name, count in m["domains"].items()}) for m in manifests]
    shown = [name for name, _ in pool.most_common(most)]
    table = [(name, f"{pool[name]:,}", *(f"{one[name]:,}" for one in picked)) for name in shown]
    if len(pool) > len(shown):
        rest = [[one[name] for name in one if name not in shown] for one in (pool, *picked)]
        table.append((f"other {len(pool) - len(shown)} domains", *(f"{sum(counts):,}" for counts in rest)))
    table.append(("all", *(f"{sum(one.values()):,}" for one in (pool, *picked))))
    table.append(("domains", *(str(len(one)) for one in (pool, *picked))))
    return markdown("Domains", ("domain", "pool", *map(title, manifests)), table)


def lengths(rows: Iterable[Mapping[str, Any]], manifests: Sequence[Mapping[str, Any]], in_tokens: bool) -> str:
    """Quartiles of the trace lengths in the pool and in each selection."""
    found = {row["id"]: length_of(row, in_tokens) for row in rows if row["thinking"]}
    groups = [("pool", list(found.values()))]
    groups += [(title(m), [found[row_id] for row_id in m["ids"] if row_id in found]) for m in manifests]
    table = [
        (
            name,
            *(
                f"{value:,.0f}"
                for value in (
                    min(some),
                    _quantile(some, 0.25),
                    _quantile(some, 0.5),
                    _quantile(some, 0.75),
                    max(some),
                    statistics.fmean(some),
                    sum(some),
                )
            ),
        )
        for name, some in groups
        if some
    ]
    unit = "tokens" if in_tokens else "characters"
    header = ("", "least", "25%", "median", "75%", "most", "mean", "sum")
    return markdown(f"Thinking, in {unit}", header, table)


def _quantile(values: list[int], at: float) -> int:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(at * len(ordered)))]


def overlap(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Rows that two selections share, and that share of their union (Jaccard)."""
    table = []
    for one, other in combinations(manifests, 2):
        a, b = set(one["ids"]), set(other["ids"])
        table.append((f"{title(one)} and {title(other)}", f"{len(a & b):,}", f"{len(a & b) / len(a | b):.1%}"))
    return markdown("Overlap", ("selections", "shared rows", "of their union"), table)
