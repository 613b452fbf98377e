"""YAML files of keys and values, each key with the line that it stands on: a mistake is told with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError, one_line


@dataclass(frozen=True)
class YamlFile:
    """The keys and values of a file, in its order."""

    path: Path
    values: dict[Any, Any]
    keys: tuple[tuple[Any, int], ...]  # as they are written, with their lines: one that is written twice is here twice

    def at(self, key: Any) -> str:
        """Where a key stands, for a message."""
        return f"{self.path}, line {dict(self.keys)[key]}"

    def once(self) -> YamlFile:
        """This. Raises `UserError` for a key that stands twice, of which YAML takes the last."""
        names = [key for key, _ in self.keys]
        if twice := next((key for key in names if names.count(key) > 1), None):
            raise UserError(f"{self.at(twice)}: {twice} is given {names.count(twice)} times; give it once")
        return self


def read(path: Path, expected: str, foreign_tags: bool = False) -> YamlFile:
    """A file's keys and values.

    Args:
        path: the file.
        expected: what it should hold, for the message about one that holds no keys.
        foreign_tags: read what stands behind a tag (`!function`) as nothing; else a tag is an error.

    Raises:
        UserError: it cannot be read, is no YAML, or holds no keys.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """A loader of its own, for its tags."""

    if foreign_tags:
        Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    try:
        loader = Loader(path.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        values = loader.construct_document(tree) if tree is not None else None
        keys = [(loader.construct_object(key, deep=True), key.start_mark.line + 1) for key, _ in _pairs(tree)]
    except (yaml.YAMLError, ValueError, OSError) as error:  # a ValueError: no UTF-8, or a date that is none
        problem = getattr(error, "problem", None) or one_line(error)
        raise UserError(f"{path}{_line(getattr(error, 'problem_mark', None))}: not YAML: {problem}") from None
    except RecursionError:
        raise UserError(f"{path}: nested too deeply; give {expected}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}{_line(getattr(tree, 'start_mark', None))}: it holds no keys; give {expected}")
    return YamlFile(path, values, tuple(keys))


def _pairs(tree: Any) -> list[tuple[Any, Any]]:
    return tree.value if tree is not None and tree.id == "mapping" else []


def _line(mark: Any) -> str:
    return "" if mark is None else f", line {mark.line + 1}"
