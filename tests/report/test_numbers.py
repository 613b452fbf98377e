"""Figures and their bounds as they are printed."""

import pytest

from harness.analysis.intervals import Interval
from harness.report.leaderboard import _csv
from harness.report.numbers import bounds, in_percent, shown
from harness.report.tables import Entry, Table, percent, plain
from harness.report.terminal import _text


@pytest.mark.parametrize(
    ("value", "digits", "plain_text", "signed_text"),
    [
        (-0.04, 1, "0.0", "0.0"),
        (-0.0, 1, "0.0", "0.0"),
        (0.04, 1, "0.0", "0.0"),
        (-0.4, 0, "0", "0"),
        (-0.06, 1, "-0.1", "-0.1"),
        (0.06, 1, "0.1", "+0.1"),
        (-1234.56, 1, "-1,234.6", "-1,234.6"),
        (1000.0, 1, "1,000.0", "+1,000.0"),
        (100.0, 0, "100", "+100"),
    ],
)
def test_no_zero_has_a_sign(value: float, digits: int, plain_text: str, signed_text: str) -> None:
    assert shown(value, digits) == plain_text
    assert shown(value, digits, signed=True) == signed_text
    assert bounds(value, value, digits, signed=True) == f"[{signed_text}, {signed_text}]"


@pytest.mark.parametrize("signed", [False, True])
def test_a_figure_that_is_not_there_is_a_dash(signed: bool) -> None:
    assert shown(float("nan"), signed=signed) == in_percent(float("nan"), signed) == "–"


def test_the_bounds_of_tables_have_no_signed_zero() -> None:
    table = Table("t", "t", [])
    assert percent(table, Interval(0.01, -0.0003, 0.02)).detail == "[0.0, 2.0]"
    assert percent(table, Interval(-0.01, -0.02, 0.0003), signed=True).detail == "[-2.0, 0.0]"
    assert plain(table, Interval(1, -0.3, 2)).detail == "[0, 2]"
    assert str(_csv(-0.0000001)) == "0.0"


def test_bounds_of_thousands_are_grouped_as_their_figure_is_and_stay_apart_in_the_terminal() -> None:
    entry = plain(Table("t", "t", []), Interval(1016.9, 879.5, 1156.2), 1)
    assert (entry.text, entry.detail) == ("1,016.9", "[879.5, 1,156.2]")
    assert _text(entry).plain == "1,016.9 [879.5, 1,156.2]"
    assert _text(Entry("1.0", 1.0, "[0.0, 2.0]")).plain == "1.0 [0.0,2.0]"
