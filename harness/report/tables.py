"""Tables as plain data: built once from the figures, written as Markdown, HTML, CSV or to the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.analysis.intervals import Interval
from harness.console import visible
from harness.report.numbers import MISSING as MISSING
from harness.report.numbers import bounds, shown


@dataclass(frozen=True)
class Entry:
    """One cell of a table: what is shown, what it sorts by, its footnotes' numbers, and a style: "best", "tied", ..."""

    text: str
    value: float | str | None = None
    detail: str = ""  # a second, smaller line: an interval
    style: str = ""
    footnotes: tuple[int, ...] = ()
    low: float = math.nan  # drawn as a small interval on the page
    high: float = math.nan

    @property
    def marks(self) -> str:
        """Its footnotes' numbers as they are printed."""
        return ", ".join(map(str, self.footnotes))


@dataclass(frozen=True)
class Column:
    """A column's heading, whether it holds numbers, and the text that explains it."""

    name: str
    numeric: bool = False
    help: str = ""


@dataclass
class Table:
    """`notes` are printed under the table; `footnotes` are numbered from 1 and referred to by entries."""

    id: str
    title: str
    columns: list[Column]
    caption: str = ""
    rows: list[list[Entry]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)

    def add(self, *entries: Entry | str) -> None:
        """Append a row.

        Raises:
            ValueError: there are not as many entries as columns.
        """
        row = [Entry(entry, entry) if isinstance(entry, str) else entry for entry in entries]
        if len(row) != len(self.columns):
            raise ValueError(f"table {self.id}: {len(row)} entries for {len(self.columns)} columns")
        self.rows.append(row)

    def footnote(self, text: str) -> tuple[int, ...]:
        """The numbers of the footnotes that say `text`: one per fact, of which ";" parts several.

        The same fact with other counts is one footnote, which then says how many there are at least and at most.
        """
        numbers = []
        for fact in text.split("; ") if text else ():
            known = next((at for at, other in enumerate(self.footnotes) if _uncounted(other) == _uncounted(fact)), None)
            if known is None:
                self.footnotes.append(fact)
            else:
                self.footnotes[known] = _with_ranges(self.footnotes[known], fact)
            numbers.append(len(self.footnotes) if known is None else known + 1)
        return tuple(sorted(set(numbers)))


# What is counted in a footnote, or its range: "2 pair(s)", "44 to 47 of 50 problems" (of another number: another fact).
_COUNT = re.compile(r"\b(\d+)(?: to (\d+))?(?= (?:of \d|usable |paired )|(?: \w+)?\(s\)| seeds)")


def _uncounted(fact: str) -> str:
    return _COUNT.sub("#", fact)


def _with_ranges(old: str, new: str) -> str:
    """A footnote, its counts stretched to those of another that says the same."""
    counts = iter(_COUNT.finditer(new))

    def stretched(found: re.Match[str]) -> str:
        ends = [int(end) for end in (*found.groups(), *next(counts).groups()) if end]
        return f"{min(ends)} to {max(ends)}" if min(ends) < max(ends) else str(ends[0])

    return _COUNT.sub(stretched, old)


def piece(table: Table, keep: Sequence[int]) -> Table:
    """The columns `keep` of a table."""
    rows = [[row[c] for c in keep] for row in table.rows]
    return replace(table, columns=[table.columns[c] for c in keep], rows=rows)


MOST_ACROSS = 10  # columns of a table with tasks side by side, as many as a sheet of paper holds


def together(tables: Mapping[str, Table], id: str, title: str) -> Table:
    """The tables that answer one question on several tasks as one, with each footnote, caption and note once.

    Tasks are columns where rows are told apart by their leading texts and that makes at most `MOST_ACROSS` columns;
    else each row says its task.

    Args:
        tables: task -> its table.
        id: of the new table.
        title: of the new table.
    """
    whole = Table(id, title, [])
    first = next(iter(tables.values()))
    num_keys = next((at for at, column in enumerate(first.columns) if column.numeric), len(first.columns))
    keys = {task: [tuple(entry.text for entry in row[:num_keys]) for row in one.rows] for task, one in tables.items()}
    rows = {task: moved(one, whole) for task, one in tables.items()}
    leads = {key: row[:num_keys] for task in tables for key, row in zip(keys[task], rows[task], strict=True)}
    alike = all(
        one.columns == first.columns
        and len(set(keys[task])) == len(keys[task])
        and all(leads[key] == row[:num_keys] for key, row in zip(keys[task], rows[task], strict=True))
        for task, one in tables.items()
    )
    num_columns = num_keys + len(tables) * (len(first.columns) - num_keys)
    across = alike and len(tables) > 1 and num_columns <= MOST_ACROSS
    if across:
        figures = first.columns[num_keys:]
        whole.columns = [*first.columns[:num_keys]]
        whole.columns += [replace(c, name=f"{task}: {c.name}") for task in tables for c in figures]
        for key in dict.fromkeys(key for found in keys.values() for key in found):
            of_task = {task: rows[task][keys[task].index(key)] for task in tables if key in keys[task]}
            lead = next(iter(of_task.values()))[:num_keys]
            gap = [Entry(MISSING)] * len(figures)
            whole.rows.append(
                [*lead, *(e for task in tables for e in (of_task[task][num_keys:] if task in of_task else gap))]
            )
    else:
        names = list(dict.fromkeys(column for one in tables.values() for column in one.columns))
        whole.columns = [*([Column("task")] if len(tables) > 1 else []), *names]
        for task, one in tables.items():
            for row in rows[task]:
                of_column = dict(zip(one.columns, row, strict=True))
                lead = [Entry(task, task)] if len(tables) > 1 else []
                whole.rows.append([*lead, *(of_column.get(name, Entry(MISSING)) for name in names)])
    whole.notes = said_once(tables)
    return whole


def said_once(tables: Mapping[str, Table]) -> list[str]:
    """The captions and notes of tables that answer one question on several tasks; what not all say names its tasks."""
    said: dict[str, list[str]] = {}
    for task, one in tables.items():
        for text in ([one.caption] if one.caption else []) + one.notes:
            said.setdefault(text, []).append(task)
    return [text if len(of) == len(tables) else f"{', '.join(of)}: {text}" for text, of in said.items()]


def moved(table: Table, whole: Table) -> list[list[Entry]]:
    """The rows of a table with their footnotes in `whole`."""
    return [[_moved(entry, table, whole) for entry in row] for row in table.rows]


def _moved(entry: Entry, old: Table, new: Table) -> Entry:
    """An entry of one table in another, with its footnote."""
    facts = "; ".join(old.footnotes[number - 1] for number in entry.footnotes)
    return replace(entry, footnotes=new.footnote(facts)) if facts else entry


def number(value: float, digits: int = 1) -> Entry:
    """A plain number; a dash where there is none."""
    return Entry(shown(value, digits), sortable(value))


def p_value(p: float) -> Entry:
    """A p-value as it is printed; below 0.001 only that."""
    return Entry(MISSING) if math.isnan(p) else Entry("<0.001" if p < 0.001 else f"{p:.3f}", p)


def percent(table: Table, figure: Interval | None, style: str = "", signed: bool = False) -> Entry:
    """A fraction in percent with its 95 % interval; a missing value or bound carries its reason as a footnote."""
    return _scaled(table, figure, 100, 1, style, signed)


def plain(table: Table, figure: Interval | None, digits: int = 0) -> Entry:
    """A figure in its own unit with its interval."""
    return _scaled(table, figure, 1, digits, "", False)


def _scaled(table: Table, figure: Interval | None, factor: float, digits: int, style: str, signed: bool) -> Entry:
    if figure is None:
        return Entry(MISSING)
    value, low, high = factor * figure.mean, factor * figure.low, factor * figure.high
    if math.isnan(value):
        return Entry(MISSING, footnotes=table.footnote(figure.note or "no value"))
    bounded = low < high  # equal bounds would claim certainty
    detail = bounds(low, high, digits, signed) if bounded else ""
    unusual = figure.note if any(word in figure.note for word in UNUSUAL) else ""
    if not bounded and not unusual:
        unusual = "no interval: every resample gives this value"
    return Entry(shown(value, digits, signed), value, detail, style, table.footnote(unusual), low, high)


# A figure's note becomes a footnote when it says that the figure is not what a reader expects.
UNUSUAL = (
    "no interval",
    "paired over",
    "left out",
    "within 3.5",
    "without a",
    "un-prompted",
    "no slope",
    " seed",
    "many tie",
)


def sortable(value: float) -> float | None:
    """What a figure sorts by; nothing where there is none."""
    return None if math.isnan(value) else value


def markdown(table: Table) -> str:
    """GitHub-flavoured Markdown with footnote marks as superscript numbers."""
    lines = [f"### {escaped(table.title)}", ""]
    if table.caption:
        lines += [escaped(table.caption), ""]
    lines.append("| " + " | ".join(_escaped(c.name) for c in table.columns) + " |")
    lines.append("|" + "|".join("---:" if c.numeric else "---" for c in table.columns) + "|")
    for row in table.rows:
        lines.append("| " + " | ".join(_markdown_entry(entry) for entry in row) + " |")
    lines += [""] + [f"<sup>{i}</sup> {escaped(text)}  " for i, text in enumerate(table.footnotes, 1)]
    lines += [f"{escaped(note)}  " for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_entry(entry: Entry) -> str:
    text = _escaped(entry.text)
    text = f"**{text}**" if entry.style == "best" else text + (" ≈" if entry.style == "tied" else "")
    text += f" {_escaped(entry.detail)}" if entry.detail else ""
    return text + (f"<sup>{marks}</sup>" if (marks := entry.marks) else "")


# What a reader of Markdown would make something else of: a tag, a link or a picture, a code span.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=[(\[:])")


def escaped(text: str) -> str:
    """`text` as Markdown shows it: no HTML, links or pictures from data, nothing invisible, on one line."""
    return _LINK.sub(r"\]", _TAG.sub("&lt;", visible(text.replace("\n", " ")))).replace("`", "\\`")


def _escaped(text: str) -> str:
    return escaped(text).replace("|", "\\|")
