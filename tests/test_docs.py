"""README and docs, held against what ships: links open, commands and options exist, Python runs as printed."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from harness import PUBLIC
from harness.cli.main import cli
from harness.cli.results import sample_stats
from harness.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES]


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands(page: Path) -> list[list[str]]:
    """The words of every `harness` and `compute_sample_stats` command in a page's shell blocks and in its prose."""
    text = "\n".join(blocks(page, "bash", "sh", "console")).replace("\\\n", " ")
    text += "\n" + "\n".join(re.findall(r"`(harness [a-z][^`]*--[^`]*)`", page.read_text(encoding="utf-8")))
    found = []
    for line in text.splitlines():
        for part in re.split(r"&&|\s\|\s(?=jq)|\s--\s(?=harness|python)", line):
            words = shlex.split(part, comments=True)
            if words[:3] == ["python", "-m", "harness"]:
                words = words[2:]
            if words[:1] in (["harness"], ["compute_sample_stats"]) and len(words) > 1:
                found.append(words)
    return found


def test_the_readme_is_read_in_two_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 140


@pytest.mark.parametrize("page", NAMED)
def test_every_link_opens(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = (link for link in LINK.findall(page.read_text(encoding="utf-8")) if link.endswith(".md"))
        waiting += [new for link in links if (new := (page.parent / link).resolve()) not in reached and new.exists()]
    assert set(PAGES) - reached == set()


def test_every_page_of_docs_is_in_the_menu_of_the_site() -> None:
    listed = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(["index.md", *(page.name for page in PAGES[1:])])  # index.md is README.md


def test_every_public_name_is_in_the_api_reference() -> None:
    listed = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [f"{module}.{name}" for name, module in PUBLIC.items()]


def parsed(words: list[str]) -> None:
    """Parse a command without running it. A file that is not here is no fault of the page; an option is."""
    command: click.Command = cli if words[0] == "harness" else sample_stats
    context: click.Context | None = None
    words = words[1:]
    while isinstance(command, click.Group) and not words[0].startswith("-"):
        name, found, words = command.resolve_command(click.Context(command, parent=context), words)
        assert found is not None, f"no command {name}"
        context, command = click.Context(command, parent=context), found
    try:
        command.make_context("command", words, parent=context)
    except (click.MissingParameter, click.exceptions.Exit):
        return  # prose names an option of a command, not a whole call; --help ends by itself
    except click.BadParameter as error:
        if "does not exist" not in error.format_message():
            raise


@pytest.mark.parametrize("page", NAMED)
def test_every_command_is_understood(page: Path) -> None:
    for words in commands(page):
        parsed(words)


def test_a_command_with_an_option_that_is_not_there_is_found() -> None:
    with pytest.raises(click.NoSuchOption):
        parsed(["harness", "ablate", "quickstart", "--no-such-option"])


@pytest.mark.parametrize("page", NAMED)
def test_every_python_session_prints_what_is_printed_here(page: Path) -> None:
    text = "\n".join(block for block in blocks(page, "python") if ">>>" in block)
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(test)
    assert results.failed == 0


def write_files(page: Path, folder: Path) -> None:
    """The blocks whose first line names a file (`# my/file.py`), as these files."""
    for block in blocks(page, "python"):
        if named := re.match(r"# (\S+\.py)\n", block):
            (folder / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / named[1]).write_text(block)


SHOWN = re.compile(r">>>|^def \w+\(\) -> Study:", re.MULTILINE)


@pytest.mark.parametrize("page", NAMED)
def test_every_other_python_block_runs_as_printed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that are no session and no study: one after the other, with the page's own files beside them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.tasks.TASKS", dict(TASKS))  # a page may add one
    write_files(page, tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page, "python"):
        if not SHOWN.search(block):
            exec(compile(block, str(page), "exec"), names)  # what a reader would paste


@pytest.mark.parametrize("page", NAMED)
def test_every_yaml_block_is_a_configuration_that_is_understood(page: Path, tmp_path: Path) -> None:
    """One that says its name and its command on the first line is tried with that; others are YAML."""
    for block in blocks(page, "yaml"):
        yaml.load(block, Loader=yaml.BaseLoader)
        if named := re.match(r"# (\S+): harness (.*)\n", block):
            name, command = named.groups()
            (tmp_path / name).write_text(block)
            parsed(["harness", *(str(tmp_path / name) if word == name else word for word in command.split())])


@pytest.mark.parametrize("page", NAMED)
def test_every_study_runs_as_printed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each `def NAME() -> Study` of a page, in a file of its own, planned by `harness ablate FILE:NAME --dry-run`."""
    monkeypatch.chdir(tmp_path)
    write_files(page, tmp_path)
    for block in blocks(page, "python"):
        for name in re.findall(r"^def (\w+)\(\) -> Study:", block, re.MULTILINE):
            file = tmp_path / f"{name}.py"
            file.write_text(block)
            cli.main(["ablate", f"{file}:{name}", "--dry-run"], standalone_mode=False)
            assert name in capsys.readouterr().out
