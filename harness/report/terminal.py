"""The report in the terminal: readable in 100 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.tables import Entry, Table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

LONGEST_NAME = 36  # columns of a terminal


def rendered(table: Table) -> Group:
    """One table as a rich renderable with its caption, footnotes and notes below."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable

    grid = RichTable(
        title=table.title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for place, column in enumerate(table.columns):
        texts = [row[place].text for row in table.rows]
        if column.numeric:  # where it is narrow a name is cut, never a number
            numbers = [text.partition(" ")[0] for text in texts]
            grid.add_column(column.name, justify="right", min_width=max(map(len, numbers), default=None))
        else:  # a name that would leave no room for the numbers is broken into lines
            long = max(map(len, texts), default=0) > LONGEST_NAME
            grid.add_column(column.name, no_wrap=not long, overflow="fold", max_width=LONGEST_NAME if long else None)
    for row in table.rows:
        grid.add_row(*(_text(entry) for entry in row))
    return Group(grid, below(table))


def below(table: Table) -> Group:
    """What is said below a table: its caption, footnotes and notes."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from harness.console import visible

    notes = ([table.caption] if table.caption else []) + [f"{i}) {text}" for i, text in enumerate(table.footnotes, 1)]
    said = [Padding(Text(visible(text), style="dim"), (0, 0, 0, 2)) for text in notes + table.notes]
    return Group(*said, Text(""))


def _text(entry: Entry) -> Text:
    from rich.text import Text

    from harness.console import visible

    text = Text(visible(entry.text), style="bold green" if entry.style == "best" else "")
    if entry.style == "tied":
        text.append(" ≈")
    if entry.footnotes:
        text.append(f" {entry.marks.replace(' ', '')})", style="dim")
    if entry.detail:
        detail = visible(entry.detail)
        close = detail.count(",") == 1  # with thousands apart the space tells where the second bound begins
        text.append(f" {detail.replace(', ', ',') if close else detail}", style="dim")
    return text
