"""Trees as JSON and back, for the pipe to the symbolic worker."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from typing import Any

from harness.grading.grammar import nodes

_KINDS = {
    kind.__name__: kind for kind in vars(nodes).values() if isinstance(kind, type) and issubclass(kind, nodes.Node)
}


def encode(value: Any) -> Any:
    """A node as ["Kind", field, ...], a tuple as ["tuple", item, ...], an exact number as ["Q", "p/q"]."""
    if isinstance(value, nodes.Node):
        return [type(value).__name__, *(encode(getattr(value, f.name)) for f in fields(value))]  # type: ignore[arg-type]
    if isinstance(value, tuple):
        return ["tuple", *(encode(part) for part in value)]
    return ["Q", str(value)] if isinstance(value, Fraction) else value


def decode(value: Any) -> Any:
    """What `encode` was given. Raises `ValueError` for what it never writes."""
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind == "Q":
        return Fraction(parts[0])
    if kind == "tuple":
        return tuple(decode(part) for part in parts)
    if kind not in _KINDS:
        raise ValueError(f"unknown node {kind!r}")
    return _KINDS[kind](*(decode(part) for part in parts))
