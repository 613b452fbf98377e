"""Inline styles as classes of one style sheet, which the page's policy can allow by its hash."""

from __future__ import annotations

import re
from html import unescape

ATTRIBUTE = re.compile(r' style="([^"]*)"')


class Styles:
    """The sheet of one page: a class for each style that was asked for."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, declarations: str) -> str:
        """The class of `declarations`, such as "left:12%;width:3%"."""
        return self._names.setdefault(declarations, f"y{len(self._names)}")

    def moved(self, svg: str) -> str:
        """A figure of our own with classes where it has style attributes; matplotlib gives no element both."""
        return ATTRIBUTE.sub(lambda found: f' class="{self.name(unescape(found[1]))}"', svg)

    @property
    def sheet(self) -> str:
        """All classes as CSS."""
        return "".join(f".{name}{{{declarations}}}\n" for declarations, name in self._names.items())
