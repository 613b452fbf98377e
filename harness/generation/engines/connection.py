"""An OpenAI-compatible server as an engine meets it: its address, its calls, and the models that it says it serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from harness.chat_client import CallFailedError, ChatClient, RefusedError, Server
from harness.config import EngineConfig
from harness.errors import UserError

RETRIES = 6  # of one call, when the server is busy or the connection breaks
OPENING_RETRIES = 3  # of the first call: a wrong address is to be told soon
BACKOFF_SECONDS = 1.0  # before the first of them, doubled before each next one
LONGEST_WAIT_SECONDS = 60.0  # before any, whatever the server asks for
NO_LIST = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)  # of a server that has no page of its models


@dataclass(frozen=True)
class Connection:
    """One model on one server.

    client         asks it
    served_model   the server's name for the model
    max_model_len  its context there, in tokens; None where the server does not tell
    owner          who serves it, by the server's own word: vllm, sglang, ...; "" where it does not tell
    """

    client: ChatClient
    served_model: str
    max_model_len: int | None = None
    owner: str = ""


def connect(
    config: EngineConfig, model: str, say: Callable[[str], None], *, timeout_seconds: float, needs_list: bool = True
) -> Connection:
    """The connection to the server of `config`, which has to serve `model`.

    Args:
        config: Of the engine openai.
        model: What the rows are filed under; the server may call it otherwise (`config.served_name`).
        say: Told what the user should know.
        timeout_seconds: Of one call.
        needs_list: A server without a list of its models is refused.

    Raises:
        UserError: There is no such server, it wants another key, or it serves other models.
    """
    url = str(config.base_url).rstrip("/")
    server = Server(
        url if url.endswith("/v1") else url + "/v1",
        config.api_key_env,
        header_env=dict(config.header_env),
        extra_body=json.loads(config.extra_body or "{}"),
        timeout_seconds=timeout_seconds,
        max_retries=RETRIES,
        concurrency=config.max_num_seqs,
        first_wait_seconds=BACKOFF_SECONDS,
        longest_wait_seconds=LONGEST_WAIT_SECONDS,
    )
    name = config.served_name or model
    listed = _listed(server, needs_list)
    client = ChatClient(server, say=say)
    if listed is None:
        say(f"{client.shown_url} lists no models: nothing shows that it serves '{name}'")
        return Connection(client, name)
    if name not in listed:
        client.close()
        names = ", ".join(f"'{one}'" for one in list(listed)[:20]) + (", ..." if len(listed) > 20 else "")
        remedy = (
            "--served-name is one of these names"
            if config.served_name
            else f"if one of these is '{model}', say which with --served-name NAME"
        )
        raise UserError(f"the server at {client.shown_url} does not serve '{name}' but {names}; {remedy}")
    found = listed[name]
    length = found.get("max_model_len")
    told = length if isinstance(length, int) and length > 0 else None
    return Connection(client, name, told, str(found.get("owned_by") or ""))


def _listed(server: Server, needed: bool) -> dict[str, dict[str, Any]] | None:
    """What the server says of each of its models; None for one that keeps no list."""
    with ChatClient(replace(server, max_retries=OPENING_RETRIES)) as client:
        shown = client.shown_url
        try:
            answer = client.call("/models", None, dict).value
        except (RefusedError, CallFailedError) as error:
            if error.status in NO_LIST and not needed:
                return None
            if isinstance(error, RefusedError):
                raise
            raise UserError(f"no OpenAI-compatible server at {shown}: {error}") from error
    data = answer.get("data")
    found = (
        {str(one["id"]): one for one in data if isinstance(one, dict) and "id" in one} if isinstance(data, list) else {}
    )
    if not found:
        raise UserError(f"the server at {shown} serves no model")
    return found


def version_of(connection: Connection) -> str:
    """The server's version, "unknown" where it does not tell: only vLLM has a page for it."""
    client = connection.client
    try:
        answer = client.call(client.shown_url.rstrip("/").removesuffix("/v1") + "/version", None, dict).value
    except (CallFailedError, UserError):
        return "unknown"
    return str(answer.get("version", "unknown"))
