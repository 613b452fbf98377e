"""What published files call the folders and machines of the place they were made at: one rule for every file.

    OUT                                          OUT
    OUT/recipes/full/checkpoint                  recipes/full/checkpoint, as every folder that ends so
    .../harness/quickstart/model                 harness/quickstart/model
    .../models--org--name/snapshots/COMMIT       org/name@COMMIT
    .../site-packages/vllm/engine.py             vllm/engine.py
    /home/me/models/tiny                         local:tiny, as a model, pool, tokenizer or file is known by its name
    /scratch/me, as training.checkpoint_dir      local:checkpoint_dir, as another folder by what it is for
    http://node7:8000/v1                         http://server/v1

A path has one name wherever it stands, and no two models share one: what joins by it still joins. What a model, a
question or an answer says is no business of this module.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
import shlex
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

STUDY = "OUT"  # the study's folder, as the documentation calls it
LOCAL = "local:"  # no name on the hub holds a colon
# Keys and columns whose paths are known by their last part, and what they are of. Only here may a path hold spaces.
NAMED = {
    "model": "model",
    "models": "model",
    "base_model": "model",
    "served_model": "model",
    "references": "model",
    "reward": "model",
    "pretrained": "model",
    "name_or_path": "model",
    "_name_or_path": "model",
    "base_model_name_or_path": "model",
    "tokenizer": "tokenizer",
    "tokenizer_name": "tokenizer",
    "pool": "pool",
}
KINDS = frozenset(NAMED.values())
# Columns and keys of what a model is asked and says: kept to the letter, as token ids, hashes and keys belong to it.
SAID = frozenset(
    {"question", "gold", "choices", "prompt", "thinking", "closing", "answer", "extracted", "logged_extracted"}
    | {"chat", "chat_template", "content", "stop", "ignore_str", "final_answer", "wrap_up_str", "template"}
)
MESSAGES = ("error", "faults", "summary", "note")  # keys of what a machine or a library said
COMMAND = "command"
OPTIONS = {"--out": STUDY, "--data-dir": "DATA_DIR"}  # of a command line: their folders have no other name

PART = r"[^\s/\"'`<>|;,(){}\[\]\\]"
BEFORE = r"(?:(?<![\w./])|(?<=[\s\"',]-[A-Za-z]))"  # no part of a relative path; or a compiler's flag, as -I
PATH = rf"(?:~[\w.-]*(?:/{PART}+)+|(?:/{PART}+){{2,}}|\.\.(?:/{PART}+)+)/?"
QUOTED = "|".join(rf"(?<={mark})~?/[^{mark}\n\\/]+/[^{mark}\n\\]*(?={mark})" for mark in "'\"")  # with spaces
URL = r"\b(?:https?|wss?|grpc|tcp|ray)://[^\s\"'`<>\\]+"
ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?!\.?\w)")
RECIPE = re.compile(r"(?:^|/)(recipes/[^/]+/checkpoint(?:/.*)?)$")
SHIPPED_MODEL = "harness/quickstart/model"  # `quickstart.TINY_MODEL`, in a checkout and in an installation
SHIPPED = re.compile(rf"/({SHIPPED_MODEL}(?:/.*)?)$")
PACKAGE = re.compile(r"/(?:site|dist)-packages/(.+)$")
SNAPSHOT = re.compile(r"/(?:models|datasets)--([^/]+)/snapshots/([0-9a-f]{7,40})(/.*)?$")
PRIVATE = (".local", ".internal", ".lan", ".home", ".intranet", ".localdomain", ".svc")  # ends of hosts' names
# Names of users and hosts that many share: they tell nothing, and are words of messages.
COMMON = {"root", "user", "users", "admin", "home", "host", "localhost", "ubuntu", "debian", "runner", "test", "data"}
SHORTEST = 3  # characters of a name that is looked for among words


class Places:
    """The names of one published study. Ask for its models first: what a message says of one is named after it."""

    def __init__(self, *roots: Path, taken: Iterable[str] = ()) -> None:
        """`roots`: the study's folder, and other spellings of it. `taken`: what its rows call their models."""
        spelled = [str(form) for root in roots for form in (root.absolute(), Path(os.path.realpath(root)))]
        self._roots = tuple(dict.fromkeys(spelled))
        self._names = dict.fromkeys(self._roots, STUDY)
        self._taken = {name: name for name in taken}
        above = (str(parent) for root in (*self._roots, os.getcwd()) for parent in (Path(root), *Path(root).parents))
        self._folders = list(dict.fromkeys([os.path.expanduser("~"), *above]))  # they may hold spaces
        self._hosts = _hosts()
        self._words = _words(_users(), self._hosts)
        self._compile()

    def place(self, text: str, kind: str = "folder") -> str:
        """The name of a path; a text that is no path of one machine as it is.

        Args:
            text: a path, a name on the hub, anything.
            kind: what it is of. Models, tokenizers and pools are known by their own names, other folders by their kind.
        """
        if not _is_local(text):
            return text
        path = _plain(text)
        if path not in self._names and kind in KINDS:
            self._names[path] = self._free(self._name(path, kind), path)
            self._compile()
        return self._names.get(path) or self._name(path, kind)

    def text(self, text: str, *, strictly: bool = False) -> str:
        """A text with the paths in it named, and private servers called `server`.

        `strictly`: every server that is not asked by https.
        """
        return self._found.sub(lambda match: self._token(match[0], strictly), text) if "/" in text else text

    def message(self, text: str) -> str:
        """What a machine said: as `text`, and without the names of its user and host, and addresses of the network."""
        named = ADDRESS.sub(
            lambda match: "address" if _is_address(match[0]) else match[0], self.text(text, strictly=True)
        )
        return self._words.sub(lambda match: match.lastgroup or "", named)

    def command(self, text: str) -> str:
        """A command line with the paths among its words and settings named."""
        try:
            words = shlex.split(text)
        except ValueError:
            return self.message(text)
        named, before = [], ""
        for word in words:
            setting, equals, value = word.partition("=")
            if not equals or _is_local(word):
                named.append(OPTIONS.get(before) or self._word(word, before))
            else:
                named.append(f"{setting}={OPTIONS.get(setting) or self._word(value, setting)}")
            before = word
        return shlex.join(named)

    def value(self, value: Any, key: str = "") -> Any:
        """A JSON value with the paths in it named, those in its keys too. `key`: what it stands under."""
        if key in SAID:
            return value
        if isinstance(value, dict):
            return {self.text(name): self.value(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self.value(one, key) for one in value]
        if not isinstance(value, str):
            return value
        if key == COMMAND:
            return self.command(value)
        if key in MESSAGES:
            return self.message(value)
        if _is_local(value) and (key in NAMED or (_is_path(value) and not re.search(r"\s", value))):
            return self.place(value, NAMED.get(key, key or "folder"))
        return self.text(value, strictly=key == "base_url")

    def named_in(self, data: bytes) -> str:
        """A folder of this machine that a file's bytes name; empty where none does."""
        known = (path for path in (*self._names, *self._folders) if path.startswith("/") and path.count("/") > 1)
        return next((path for path in known if os.fsencode(path) in data), "")

    def _compile(self) -> None:
        known = sorted((path for path in (*self._names, *self._folders) if path.count("/") > 1), key=len, reverse=True)
        exact = "".join(rf"{re.escape(path)}(?![\w-])(?:/{PART}+)*|" for path in known)
        self._found = re.compile(rf"{QUOTED}|{URL}|(?:\b(?:file|unix)://|{BEFORE})(?:{exact}{PATH})")

    def _token(self, text: str, strictly: bool) -> str:
        if re.match(URL, text):
            return self._url(text, strictly)
        path = text.rstrip(".:!?/")
        plain = _plain(re.sub(r"^\w+://", "", path))
        above = next((one for one in (plain, *map(str, Path(plain).parents)) if one in self._names), None)
        if above in (None, *self._roots) and plain not in self._roots:
            name = self._name(plain, "folder")
        else:
            name = self._names[str(above)] + plain[len(str(above)) :]
        return name + text[len(path) :]

    def _word(self, word: str, before: str) -> str:
        key = before.rpartition(".")[2].lstrip("-").replace("-", "_")
        if _is_local(word) and (key in NAMED or _is_path(word)):
            return self.place(word, NAMED.get(key, key if before.startswith("--") or "." in before else "folder"))
        return self.message(word)

    def _name(self, path: str, kind: str) -> str:
        for root in self._roots:
            if path.startswith(root + os.sep):
                return path[len(root) + 1 :]
        if found := RECIPE.search(path) or SHIPPED.search(path) or PACKAGE.search(path):
            return found[1]
        if found := SNAPSHOT.search(path):
            return f"{found[1].replace('--', '/')}@{found[2][:12]}{found[3] or ''}"
        leaf = os.path.basename(path)
        known = kind in KINDS or "." in leaf.strip(".")
        return LOCAL + (leaf if known and leaf and not self._words.search(leaf) else kind)

    def _free(self, name: str, path: str) -> str:
        number, tried = 1, name
        while self._taken.setdefault(tried, path) != path:
            number += 1
            tried = f"{name}-{number}"
        return tried

    def _url(self, text: str, strictly: bool) -> str:
        try:
            parts = urlsplit(text)
            host = (parts.hostname or "").lower()
        except ValueError:
            return text
        ours = any(host == name or host.startswith(f"{name}.") for name in self._hosts)
        private = "." not in host or host.endswith(PRIVATE) or _is_address(host) or ours
        if private or (strictly and parts.scheme not in ("https", "wss")):
            return parts._replace(netloc="server").geturl()
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else text


def _is_local(text: str) -> bool:
    """Whether a text can be a path of one machine alone: absolute, in a home, or out of the working folder."""
    return text.startswith(("/", "~/", "../")) and "\n" not in text and text not in ("/", "/dev/null")


def _is_path(text: str) -> bool:
    """Whether a text that begins like a path is one: `/no_think` is a word of a prompt."""
    return len([part for part in text.split("/") if part]) > 1 or os.path.exists(text)


def _plain(path: str) -> str:
    return os.path.normpath(os.path.expanduser(path))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition(":")[0] if text.count(":") == 1 else text)
    except ValueError:
        return False
    return True


def _words(users: Iterable[str], hosts: Iterable[str]) -> re.Pattern[str]:
    """Finds the names as words, a host's with its domain; the group that matched says what they are."""

    def of(names: Iterable[str]) -> str:
        return "|".join(map(re.escape, sorted(names, key=len, reverse=True))) or "(?!)"

    ends = r"(?![a-z0-9])"
    host, user = rf"(?P<host>(?:{of(hosts)}){ends}(?:\.[\w-]+)*)", rf"(?P<user>(?:{of(users)}){ends})"
    return re.compile(rf"(?<![a-z0-9])(?:{host}|{user})", re.IGNORECASE)


def _users() -> set[str]:
    return _telling([_asked(getpass.getuser), os.path.basename(os.path.expanduser("~"))])


def _hosts() -> set[str]:
    full = _asked(socket.gethostname)
    return _telling([full, full.partition(".")[0]])


def _telling(names: Iterable[str]) -> set[str]:
    found = {name.lower() for name in names}
    return {name for name in found if len(name) >= SHORTEST and name not in COMMON and not name.isdigit()}


def _asked(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (OSError, KeyError, ImportError):  # a user that the system does not know
        return ""
