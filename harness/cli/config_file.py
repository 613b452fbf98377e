"""`--config FILE.yaml`: a command's options from a file, each by its own name. What the command line gives wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from harness import yaml_file
from harness.errors import UserError, unknown

PAIRS = "="  # in the metavar of an option that takes NAME=VALUE


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--config` of a command."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_take,
        help="YAML file with any of these options, each by its name (tasks: [aime25]); the command line wins.",
    )(command)


def merged(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """NAME=VALUE pairs of the command line, and those of the file whose names it does not give."""
    names = {pair.partition("=")[0] for pair in given}
    filed = (context.default_map or {}).get(option.name or "", ())
    return (*(pair for pair in filed if pair.partition("=")[0] not in names), *given)


def _take(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Make a file's values the defaults of this call."""
    if path is None or context.resilient_parsing:
        return
    named = {_name(one): one for one in context.command.params if one is not option and one.name != "help"}
    values = {}
    file = yaml_file.read(path, "options and their values, for example `tasks: [aime25]`").once()
    for key, value in file.values.items():
        name, where = str(key).removeprefix("--").replace("_", "-"), file.at(key)
        if name not in named:
            raise UserError(f"{where}: {unknown('option', str(key), named)}")
        if value is not None:
            values[named[name].name] = _checked(
                context, named[name], _as_typed(named[name], value, f"{where}: {key}"), where
            )
    context.default_map = values


def _name(option: click.Parameter) -> str:
    """What a file calls an option or an argument: as it is typed, without its dashes."""
    if isinstance(option, click.Argument):
        return str(option.name)
    return max(option.opts, key=len).removeprefix("--")


def _as_typed(option: click.Parameter, value: Any, where: str) -> Any:
    """A value of the file as the command line would have it."""
    if getattr(option, "is_flag", False):
        if not isinstance(value, bool):
            raise UserError(f"{where}: {_text(value)}: give true or false")
        return value
    if isinstance(value, dict):
        if not _takes_pairs(option):
            raise UserError(f"{where}: give a value, not keys with values")
        return [f"{name}={_text(one)}" for name, one in value.items()]
    if option.multiple or option.nargs != 1:
        return [_text(one) if not isinstance(one, list) else [_text(x) for x in one] for one in _listed(value)]
    if isinstance(value, list):
        return ",".join(_text(one) for one in value)
    if isinstance(value, bool):
        raise UserError(f"{where}: {_text(value)}: give a value; a word such as no or on stands in quotes")
    return _text(value)


def _checked(context: click.Context, option: click.Parameter, value: Any, where: str) -> Any:
    """`value`, if it is of the option's type. Click itself would say so without the file."""
    try:
        option.type_cast_value(context, value)
    except click.BadParameter as error:
        raise UserError(f"{where}: {_name(option)}: {error.message}") from None
    return value


def _takes_pairs(option: click.Parameter) -> bool:
    return option.multiple and PAIRS in (option.metavar or "")


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """As it is typed on a command line: true, false and none as `--set` reads them."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
