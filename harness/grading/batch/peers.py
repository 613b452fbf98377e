"""Other graders, as they grade: Math-Verify, lm-eval's `is_equiv`, s1's string rule and string equality.

They run in a process of their own (`python -m harness.grading.batch.peers`, behind the same pipes as
`symbolic`), because one of them cannot be interrupted inside C code and another sets signals. Only `--compare` and the
benchmark use them.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from harness.errors import UserError

PEER_SECONDS = 20.0  # a row beyond this is killed and counted as a timeout

# s1's fork without its LLM: the text after the first "Answer:", and only then the last box.
_S1_ANSWER = re.compile(r"(?i)Answer\s*:\s*(.*)", re.DOTALL)


def string_equality(text: str, gold: str, is_response: bool) -> bool:
    """The answer's text is the gold's, spaces apart."""
    return (_last_box(text) if is_response else text).strip() == gold.strip()


def _last_box(text: str) -> str:
    from harness.grading.extract.answer import last_box

    found = last_box(text)
    return found[2] if found else text


def s1_rule(text: str, gold: str, is_response: bool) -> bool:
    """s1's AIME task without its LLM: last box or "Answer:", integers without leading zeros, then equal strings."""
    answer = text
    if is_response:
        boxed = _last_box(text)
        match = _S1_ANSWER.search(text)
        answer = boxed if boxed != text else match.group(1) if match else text
    answer, gold = answer.strip(), gold.strip()
    if answer.isdecimal() and gold.isdecimal():
        return int(answer[:4000]) == int(gold[:4000])
    return answer == gold


def lm_eval_is_equiv(text: str, gold: str, is_response: bool) -> bool:
    """lm-eval's hendrycks_math: the last box (the whole text without one), normalised, equal strings."""
    from lm_eval.tasks.hendrycks_math.utils import is_equiv, last_boxed_only_string, remove_boxed

    answer = text
    if is_response and (boxed := last_boxed_only_string(text)) is not None:
        answer = remove_boxed(boxed)
    return bool(is_equiv(answer, gold))


def math_verify(text: str, gold: str, is_response: bool) -> bool:
    """Math-Verify: golds and bare answers as LaTeX, as its README advises; letters with its string extraction."""
    from math_verify import parse, verify
    from math_verify.parser import LatexExtractionConfig, StringExtractionConfig

    if gold.strip() in "ABCDEFGHIJ":
        letters = StringExtractionConfig(strings=tuple("ABCDEFGHIJ"))
        return bool(
            verify(parse(gold, [letters]), parse(text, [letters, LatexExtractionConfig(boxed_match_priority=0)]))
        )

    wanted = parse(gold if "$" in gold or "boxed" in gold else f"${gold}$")
    given = parse(text if is_response or "$" in text or "boxed" in text else f"${text}$")
    return bool(verify(wanted, given))


PEERS: dict[str, Callable[[str, str, bool], bool]] = {
    "string": string_equality,
    "s1": s1_rule,
    "lm_eval": lm_eval_is_equiv,
    "math_verify": math_verify,
}


def check_installed(names: list[str]) -> None:
    """Raises `UserError` naming the package that a peer lacks."""
    from importlib.util import find_spec

    for name, module in (("math_verify", "math_verify"), ("lm_eval", "lm_eval")):
        if name in names and find_spec(module) is None:
            raise UserError(f"--compare needs the package {module.replace('_', '-')}; install s1-harness[dev]")


def main() -> None:
    """Answer `{"peer", "text", "gold", "is_response"}` with `{"correct": bool | null, "seconds", "error"}`."""
    out = sys.stdout
    sys.stdout = sys.stderr  # a peer's own prints must not break the protocol
    out.write('"ready"\n')
    out.flush()
    for line in sys.stdin:
        row: dict[str, Any] = json.loads(line)
        start = time.perf_counter()
        answer: dict[str, Any] = {"correct": None, "error": ""}
        try:
            answer["correct"] = PEERS[row["peer"]](row["text"], row["gold"], row["is_response"])
        except Exception as error:  # noqa: BLE001  a peer's crash is its verdict, told on the row
            answer["error"] = f"{type(error).__name__}: {error}"[:200]
        answer["seconds"] = time.perf_counter() - start
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
