"""Settings that are checked when they are made: types, ranges, choices. One line says what is wrong and what to give.

`checked` turns a class into a frozen pydantic dataclass whose errors are `UserError`s, so that Python, a study file,
`--set` and JSON say the same about the same mistake. Each field also declares, by `Text[...]` and its siblings, what it
means for the identity of a run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, wraps
from typing import Annotated, Any, TypeVar, dataclass_transform, get_args, get_type_hints

from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from harness.errors import UserError, near, unknown

T = TypeVar("T")


class Part(Enum):
    """What a field means for the identity of a run."""

    TEXT = "text"  # can change what is generated: hashed
    SEED = "seed"  # hashed too; runs that differ in seeds alone are averaged
    SOURCE = "source"  # hashed by what it yields: a model's files, the selected rows, the problems, this run's budget
    PLACEMENT = "placement"  # where it runs, and how many at a time
    LABEL = "label"  # for readers: what is compared with what, and why


Text = Annotated[T, Part.TEXT]
Seed = Annotated[T, Part.SEED]
Source = Annotated[T, Part.SOURCE]
Placement = Annotated[T, Part.PLACEMENT]
Label = Annotated[T, Part.LABEL]

Whole = Annotated[int, Strict()]
Natural = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
NonNegative = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
SeedNumber = Annotated[int, Field(strict=True, ge=0, lt=2**63)]  # a column of 64 bits holds it
ShortSeed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]  # numpy's generators take no more
AboveZero = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]  # of something, and not nothing
Flag = Annotated[bool, Strict()]
Name = Annotated[str, Field(strict=True, min_length=1)]

# pydantic's error types in a user's words; {}: the error's context.
ADVICE = {
    "int_type": "give a whole number",
    "float_type": "give a number",
    "finite_number": "give a finite number",
    "bool_type": "give true or false",
    "string_type": "give a text (in quotes, if it looks like a number)",
    "string_too_short": "give a name",
    "tuple_type": "give a list",
    "literal_error": "give {expected}",
    "greater_than": "give more than {gt}",
    "greater_than_equal": "give {ge} or more",
    "less_than": "give less than {lt}",
    "less_than_equal": "give {le} or less",
    "string_pattern_mismatch": "give a text of the form {pattern}",
    "too_short": "give {min_length} or more",
    "too_long": "give {max_length} or fewer",
    "dataclass_type": "give its fields",
    "missing": "is missing",
}


@cache
def parts(cls: type) -> dict[str, Part]:
    """The part that each field of `cls` plays. Raises TypeError for a field whose declaration does not say."""
    hints = get_type_hints(cls, include_extras=True)
    found = {}
    for field in fields(cls):
        marks = [mark for mark in getattr(hints[field.name], "__metadata__", ()) if isinstance(mark, Part)]
        if len(marks) != 1:
            raise TypeError(f"{cls.__name__}.{field.name} does not say what it is for a run's identity: Text[...], ...")
        found[field.name] = marks[0]
    return found


def is_checked(value: Any) -> bool:
    """Whether `value` is a setting: of a class that `checked` made."""
    return is_dataclass(value) and hasattr(type(value), "__pydantic_validator__")


@dataclass_transform(frozen_default=True)
def checked(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass that checks its fields. Raises `UserError` for a wrong value, however it comes."""
    made: Any = dataclass(frozen=True, config=ConfigDict(extra="forbid"))(cls)
    init = made.__init__

    @wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  it becomes the method of that name
        try:
            init(self, *args, **kwargs)
        except ValidationError as error:
            raise as_user_error(error, made, f"{made.__name__}: ") from None

    made.__init__ = __init__
    final: type[T] = made
    return final


def from_plain(cls: type[T], plain: Mapping[str, Any], where: str) -> T:
    """`plain` (JSON types) as a `cls`.

    Raises:
        UserError: a key is unknown or missing, or a value is wrong; one line that begins with `where`.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(plain))
    except ValidationError as error:
        raise as_user_error(error, cls, where) from None


def as_user_error(error: ValidationError, cls: type, where: str) -> UserError:
    """The first mistake that `error` holds, in one line: where, the key, its value, and what to give instead."""
    found = error.errors(include_url=False)
    path, owner = _path(cls, found[0]["loc"])
    first, key = found[0], ".".join(str(step) for step in path)
    if (inner := first.get("ctx", {}).get("error")) is not None:  # a cross check of ours
        return UserError(f"{where}{key}: {inner}" if key else f"{where}{inner}")
    if first["type"] == "unexpected_keyword_argument":
        return UserError(f"{where}{unknown('key', str(path[-1]), (field.name for field in fields(owner)))}")
    if first["type"] == "missing":
        return UserError(f"{where}{key} is missing")
    members = [one for one in found if _path(cls, one["loc"])[0] == path]  # of the union that the field may be
    advice = " or ".join(dict.fromkeys(_advice(one) for one in members)).replace(" or give ", " or ")
    return UserError(f"{where}{key}={_shown(first['input'])}: {advice}")


def _path(cls: type, loc: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], type]:
    """The fields and positions in pydantic's `loc`, without the union members it tried; and the last field's class."""
    path: list[int | str] = []
    owner, current = cls, cls if is_dataclass(cls) else None
    for position, step in enumerate(loc):
        if isinstance(step, int) and not position:
            step = fields(cls)[step].name
        if isinstance(step, int):
            path.append(step)
        elif current is not None:
            path.append(step)
            owner = current
            hint = get_type_hints(current).get(step)
            current = next((one for one in (hint, *get_args(hint)) if is_dataclass(one)), None)  # type: ignore[assignment]
    return tuple(path), owner


def _advice(error: Any) -> str:
    context = error.get("ctx", {})
    choices = re.findall(r"'([^']*)'", context.get("expected", ""))
    if isinstance(error["input"], str) and (match := near(error["input"], choices)):
        return f"did you mean '{match}'?"
    numbers = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    return str(ADVICE.get(error["type"], error["msg"]).format(**numbers))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
