"""Chinese answers: numerals, fractions, percentages, connectors and fixed phrases as the ASCII that means the same."""

from __future__ import annotations

import re
from fractions import Fraction

_DIGITS = {c: k for k, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = "零一二三四五六七八九十百千万亿两〇"
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_WHOLE = re.compile(rf"(负?)([{_NUMERAL}]+)(?:点([零一二三四五六七八九〇]+))?")
_FRACTION = re.compile(rf"(负?)(?:([{_NUMERAL}]+)又)?([{_NUMERAL}]+)分之([{_NUMERAL}]+)")
_PERCENT = re.compile(rf"百分之([{_NUMERAL}]+(?:点[零一二三四五六七八九〇]+)?|\d+(?:\.\d+)?)")
_CONNECTORS = (
    ("或者", " or "),
    ("以及", " and "),
    ("并且", " and "),
    ("且", " and "),
    ("或", " or "),
    ("和", " and "),
    ("与", " and "),
    ("及", " and "),
)
_PHRASES = {
    "无解": "no solution",
    "没有解": "no solution",
    "无实数解": "no solution",
    "无实根": "no solution",
    "空集": "\\emptyset",
    "不存在": "does not exist",
    "是": "yes",
    "否": "no",
    "不是": "no",
    "对": "true",
    "错": "false",
    "正确": "true",
    "错误": "false",
    "奇数": "odd",
    "偶数": "even",
    "奇函数": "odd",
    "偶函数": "even",
    "全体实数": "\\mathbb{R}",
    "实数集": "\\mathbb{R}",
    "任意实数": "\\mathbb{R}",
    "无穷大": "\\infty",
    "正无穷": "\\infty",
    "负无穷": "-\\infty",
}

_MEASURES = {
    "千米": "km",
    "公里": "km",
    "米": "m",
    "分米": "dm",
    "厘米": "cm",
    "毫米": "mm",
    "平方千米": "km^2",
    "平方米": "m^2",
    "平方厘米": "cm^2",
    "立方米": "m^3",
    "立方厘米": "cm^3",
    "千克": "kg",
    "公斤": "kg",
    "克": "g",
    "毫克": "mg",
    "升": "liters",
    "毫升": "milliliters",
    "小时": "hours",
    "分钟": "minutes",
    "秒": "seconds",
    "天": "days",
    "元": "yuan",
}
_MEASURE_NAMES = "|".join(sorted(_MEASURES, key=len, reverse=True))
_MEASURED = re.compile(rf"(?<=[\d}}])\s*({_MEASURE_NAMES})(?![\u4e00-\u9fff])")
_SPELLED_MEASURE = re.compile(rf"(负?)([{_NUMERAL}]+)({_MEASURE_NAMES})")
_TIMES = re.compile(r"(?<![\d.])(\d{1,20}(?:\.\d{1,8})?)\s*([万亿])(?!\d)")
_HOURS = re.compile(r"(?<!\d)(\d{1,9})\s*(?:小时|时)\s*(\d{1,9})\s*分钟?")
_ANNOUNCED = re.compile(r"^\s*答(?:案)?\s*(?:[:：]\s*|[为是]\s*)+")
_ORDERS = (
    ("大于或等于", " \\ge "),
    ("小于或等于", " \\le "),
    ("大于等于", " \\ge "),
    ("小于等于", " \\le "),
    ("不小于", " \\ge "),
    ("不大于", " \\le "),
    ("不等于", " \\ne "),
    ("大于", " > "),
    ("小于", " < "),
)


def numeral(text: str) -> int | None:
    """The value of 二十一, 一百零五, 三万; None where it is no numeral."""
    total = section = digit = 0
    for c in text:
        if c in _DIGITS:
            digit = digit * 10 + _DIGITS[c] if digit and section == 0 and "十" not in text else _DIGITS[c]
        elif c in _UNITS:
            section += (digit or 1) * _UNITS[c]
            digit = 0
        elif c in "万亿":
            total = (total + section + digit) * (10**4 if c == "万" else 10**8)
            section = digit = 0
        else:
            return None
    return total + section + digit


def from_chinese(text: str) -> str:
    """`text` with what is Chinese about its mathematics rewritten; other texts are returned as they are."""
    if not _CHINESE.search(text):
        return text
    text = _ANNOUNCED.sub("", text)
    bare = text.strip(" 。.，,$")
    if bare in _PHRASES:
        return _PHRASES[bare]
    if match := _PERCENT.fullmatch(bare):
        value = _decimal(match.group(1))
        return text if value is None else f"{value}\\%"
    if match := _FRACTION.fullmatch(bare):
        whole = numeral(match.group(2)) if match.group(2) else 0
        bottom, top = numeral(match.group(3)), numeral(match.group(4))
        if bottom and top is not None and whole is not None:
            return f"{'-' if match.group(1) else ''}\\frac{{{whole * bottom + top}}}{{{bottom}}}"
    if match := _WHOLE.fullmatch(bare):
        value = _decimal(bare.removeprefix("负"))
        if value is not None:
            return ("-" if match.group(1) else "") + value
    if match := _SPELLED_MEASURE.fullmatch(bare):
        whole = numeral(match.group(2))
        text = bare if whole is None else f"{'-' if match.group(1) else ''}{whole}{match.group(3)}"
    text = _TIMES.sub(lambda m: f"{Fraction(m.group(1)) * (10**4 if m.group(2) == '万' else 10**8)}", text)
    text = _MEASURED.sub(
        lambda m: f"\\text{{ {_MEASURES[m.group(1)]}}}", _HOURS.sub(r"\1\\text{ hours }\2\\text{ minutes}", text)
    )
    for word, sign in _ORDERS:
        if word in text:
            text = re.sub(rf"(?:(?<=[\w)}}])|^){word}(?=[-\d\\])", sign.replace("\\", r"\\"), text)
    for word, plain in _CONNECTORS:
        if word in text:
            text = re.sub(rf"(?<=[\d\w)}}$\s]){word}(?=[\d\w\\(+\-$\s])", plain, text)
    return re.sub(r"(?<![\u4e00-\u9fff])负(?=\d)", "-", text)


def _decimal(text: str) -> str | None:
    if text.replace(".", "", 1).isascii():
        return text
    whole, _, decimals = text.partition("点")
    value = numeral(whole)
    return (
        None if value is None else str(value) + ("." + "".join(str(_DIGITS[c]) for c in decimals) if decimals else "")
    )
