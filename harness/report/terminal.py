"""The report in the terminal: readable in 100 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.tables import Entry, Table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text


def rendered(table: Table) -> Group:
    """One table as a rich renderable with its caption, footnotes and notes below."""
    from rich import box
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    from harness.console import visible

    grid = RichTable(
        title=table.title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for place, column in enumerate(table.columns):
        numbers = [row[place].text.partition(" ")[0] for row in table.rows] if column.numeric else []
        grid.add_column(
            column.name,
            justify="right" if column.numeric else "left",
            no_wrap=not column.numeric,
            min_width=max(map(len, numbers), default=None),  # where it is narrow a name is cut, never a number
        )
    for row in table.rows:
        grid.add_row(*(_text(entry) for entry in row))
    notes = ([table.caption] if table.caption else []) + [f"{i}) {text}" for i, text in enumerate(table.footnotes, 1)]
    below = [Padding(Text(visible(text), style="dim"), (0, 0, 0, 2)) for text in notes + table.notes]
    return Group(grid, *below, Text(""))


def _text(entry: Entry) -> Text:
    from rich.text import Text

    from harness.console import visible

    text = Text(visible(entry.text), style="bold green" if entry.style == "best" else "")
    if entry.style == "tied":
        text.append(" ≈")
    if entry.footnote:
        text.append(f" {entry.footnote})", style="dim")
    if entry.detail:
        detail = visible(entry.detail)
        close = detail.count(",") == 1  # with thousands apart the space tells where the second bound begins
        text.append(f" {detail.replace(', ', ',') if close else detail}", style="dim")
    return text
