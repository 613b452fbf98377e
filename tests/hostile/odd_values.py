"""Odd values, lines and files, as data: what published logs, pools and folders have held or could hold."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

BIG = "9" * 5000
# A value's JSON text, put in the place of each field of a good row in turn.
VALUES: dict[str, str] = {
    "null": "null",
    "a number": "3",
    "an integer beyond 64 bits": str(2**70),
    "minus an integer beyond 64 bits": str(-(2**70)),
    "an integer of 5,000 digits": BIG,
    "1e308": "1e308",
    "1e999": "1e999",
    "-1e999": "-1e999",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-0.0": "-0.0",
    "true": "true",
    "an empty list": "[]",
    "an empty object": "{}",
    "a list of null": "[null]",
    "a list of lists": '[[["a"], []]]',
    "an object of null": '{"a": null, "": null}',
    "a list nested 90 deep": "[" * 90 + "]" * 90,
    "a list nested 10,000 deep": "[" * 10_000 + "]" * 10_000,
    "an object nested 10,000 deep": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "an empty text": '""',
    "white space": '" \\t\\n"',
    "a lone surrogate": '"a\\ud800b"',
    "a lone low surrogate": '"\\udc00"',
    "a surrogate pair": '"\\ud83d\\ude00"',
    "U+2028, U+2029, U+0085": '"a\u2028b\u2029c\u0085d"',
    "a NUL": '"a\\u0000b"',
    "control and bidi characters": '"\\u001b[31m\\u202eabc\\u2066\\u200b\\u0007"',
    "a CSV formula": "\"=cmd|' /C calc'!A0\"",
    "markup": '"[red]x[/] </script><script>alert(1)</script> ![x](http://h/) | `"',
    "a number as text": f'"{BIG}"',
    "JSON text of a lone surrogate": r'"{\"a\": \"\\ud800\"}"',
    "JSON text nested 10,000 deep": '"' + "[" * 10_000 + "]" * 10_000 + '"',
    "JSON text of NaN": '"{\\"a\\": NaN}"',
    "a path": '"../../../../etc/passwd"',
    "100,000 letters": '"' + "x" * 100_000 + '"',
    "100,000 brackets": '"' + "(" * 50_000 + ")" * 50_000 + '"',
    "100,000 carets": '"' + "2^" * 50_000 + '2"',
}
# For an option that takes a JSON object.
BODIES = (
    '{"a": NaN}',
    '{"a": 1e999}',
    '{"a": ' + "[" * 90_000 + "]" * 90_000 + "}",
    f'{{"a": {BIG}}}',
    "{",
    "[]",
    r'{"a": "\ud800"}',
    r'{"\ud800": 1}',
)
# Lines that stand between two good ones.
LINES: dict[str, bytes] = {
    "no JSON": b"{nonsense",
    "a cut line": b'{"question": "What is',
    "a list": b"[1, 2]",
    "a text": b'"x"',
    "a number": b"3",
    "null": b"null",
    "an empty object": b"{}",
    "an object of unknown keys": b'{"a": 1}',
    "an empty key": b'{"": 1}',
    "a repeated key": b'{"question": "a", "question": null}',
    "nested 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "no UTF-8": b'{"question": "\xff\xfe"}',
    "a NUL byte": b"\x00",
    "an unescaped control character": b'{"question": "a\x01"}',
    "white space only": b" \t ",
    "a byte order mark in the middle": b"\xef\xbb\xbf{}",
    "a single quote": b"{'question': 'x'}",
    "NaN": b"NaN",
    "an integer of 5,000 digits": BIG.encode(),
    "two objects": b"{} {}",
    "a comma behind": b"{},",
}


def _cut_gzip(good: bytes) -> bytes:
    return gzip.compress(good)[:-10]


# Whole files, made from the bytes of a good one; what is expected: 0 its rows are read, 2 refused in one line.
FILES: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "as it should be": (lambda good: good, 0),
    "a byte order mark": (lambda good: b"\xef\xbb\xbf" + good, 0),
    "lines end in CR LF": (lambda good: good.replace(b"\n", b"\r\n"), 0),
    "no line feed at the end": (lambda good: good.rstrip(b"\n"), 0),
    "gzip by content, not by name": (gzip.compress, 0),
    "a cut gzip file": (_cut_gzip, 0),
    "UTF-16": (lambda good: good.decode().encode("utf-16"), 2),
    "UTF-16, big end first": (lambda good: b"\xfe\xff" + good.decode().encode("utf-16-be"), 2),
    "UTF-32": (lambda good: good.decode().encode("utf-32"), 2),
    "empty": (lambda good: b"", 2),
    "blank lines": (lambda good: b"\n\n \n", 2),
    "zeros": (lambda good: bytes(5000), 2),
    "one list of all rows": (lambda good: b"[" + b",".join(good.split(b"\n")[:-1]) + b"]", 0),
    "a Parquet file's start": (lambda good: b"PAR1\x15\x04", 2),
    "a ZIP file's start": (lambda good: b"PK\x03\x04\x00", 2),
    "an HTML page": (lambda good: b"<!doctype html><html><body>404</body></html>", 2),
    "a pointer of Git LFS": (lambda good: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", 2),
}


def lines(good: dict[str, Any], odd: bytes | str) -> bytes:
    """A file of three lines: a good row, the odd line, a good row again."""
    row = json.dumps(good, ensure_ascii=False).encode()
    data = odd if isinstance(odd, bytes) else odd.encode("utf-8", "surrogatepass")
    return row + b"\n" + data + b"\n" + row.replace(b"ROW1", b"ROW2") + b"\n"


def with_value(good: dict[str, Any], key: str, value: str, number: int) -> str:
    """`good` as a line of its own `number` whose `key` has the JSON text `value`."""
    other = json.loads(json.dumps(good).replace("ROW1", f"ROW{number + 3}"))
    return json.dumps(other | {key: "@@"}, ensure_ascii=False).replace('"@@"', value)
