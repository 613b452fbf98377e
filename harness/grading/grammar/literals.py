"""Small readings of text below the tokens: TeX groups and decimals that repeat."""

from __future__ import annotations

from harness.grading.limits import MAX_DIGITS, TooBigError, UnreadableError


def group_end(text: str, start: int) -> int:
    """Index of the brace that closes the one at `start`; raises `UnreadableError` when there is none."""
    depth, i, n = 0, start, len(text)
    while i < n:
        c = text[i]
        if c == "\\":
            i += 2
            continue
        if c == "{":
            depth += 1
        elif c == "}":
            depth -= 1
            if not depth:
                return i
        i += 1
    raise UnreadableError("a brace is not closed")


def repeating_decimal(prefix: str, cycle: str) -> tuple[str, str]:
    """0.8 with cycle 4 as the exact fraction 38/45, written 'p/q'."""
    whole, _, decimals = prefix.partition(".")
    shift, period = 10 ** len(decimals), 10 ** len(cycle) - 1
    if len(prefix) + len(cycle) > MAX_DIGITS:
        raise TooBigError(f"a number has more than MAX_DIGITS={MAX_DIGITS} digits")
    return ("num", f"{int((whole + decimals) or 0) * period + int(cycle)}/{shift * period}")


def repeated_tail(decimals: str) -> str:
    """The shortest repeated tail of `decimals`: '1666' -> '6', '142857142857' -> '142857'.

    One digit has to show three times, a longer cycle twice; 0.577... is no repeating decimal.
    """
    for length in range(1, len(decimals) // 2 + 1):
        tail = decimals[-length:]
        if decimals[-2 * length : -length] == tail and (length > 1 or decimals[-3 * length :] == tail * 3):
            return tail
    return ""
