"""Uploading what `publishing` wrote. The token is the hub client's own (HF_TOKEN, or `hf auth login`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.errors import UserError, one_line
from harness.report.model_card import REPOSITORY
from harness.report.publishing import Repository


def check_hub(name: str) -> None:
    """Whether org/name can be written to, before any work is done.

    Raises:
        UserError: it is no repository's name, the hub cannot be reached, or nobody is logged in.
    """
    if not REPOSITORY.fullmatch(name):
        raise UserError(f"--to hf:{name}: give hf:ORGANISATION/NAME")
    _asked(name, lambda api: api.whoami())


def upload(name: str, repositories: Sequence[Repository], *, public: bool = False) -> list[str]:
    """Upload each repository; returns their addresses. Private unless `public`."""
    found = []
    for one in repositories:
        repo, kind = name + one.suffix, one.kind
        sdk = {"space_sdk": "static"} if kind == "space" else {}

        def send(api: Any, repo: str = repo, kind: str = kind, one: Repository = one, sdk: dict[str, str] = sdk) -> str:
            api.create_repo(repo, repo_type=kind, private=not public, exist_ok=True, **sdk)
            return str(api.upload_folder(repo_id=repo, repo_type=kind, folder_path=one.folder).commit_url)

        found.append(str(_asked(repo, send)))
    return found


def _asked(name: str, ask: Callable[[Any], Any]) -> Any:
    from huggingface_hub import HfApi

    try:
        return ask(HfApi())
    except Exception as error:  # noqa: BLE001  the hub call: which HTTP library's errors come out differs by release
        raise UserError(
            f"--to hf:{name}: the hub did not take it ({type(error).__name__}: {one_line(error, most=200)}); log in by "
            "`hf auth login` or HF_TOKEN, or write a folder with --to DIR and upload it later"
        ) from None
