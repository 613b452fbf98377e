"""The terminal: text from data is shown as text, never as colour, as an order to the terminal, or turned around."""

from __future__ import annotations

import json
import re
from typing import Any

from rich.console import Console
from rich.text import Text

PLAIN_WIDTH = 110
# What a terminal obeys or a reader does not see: C0 and C1 controls but tab and line feed, separators of lines that
# only some programs end a line at, soft hyphens, marks of direction, zero-width letters, tags.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""`text` with its control, direction and zero-width characters as escapes, such as \x1b and \u202e."""
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub(_escape, text)


def visible_json(text: str) -> str:
    """JSON that says the same as `text`, with those characters, which stand in strings alone, as JSON's own escapes."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class PlainConsole(Console):
    """A console to which a text is what it says: no markup, no emoji names, nothing invisible."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does, of what is visible, without markup."""
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})


def plain_console(*, stderr: bool = False) -> PlainConsole:
    """Standard output or error; a pipe or a file, which has no width of its own, gets `PLAIN_WIDTH` columns."""
    console = PlainConsole(stderr=stderr)
    return console if console.is_terminal else PlainConsole(stderr=stderr, width=PLAIN_WIDTH)
