"""Our verdicts beside the peers': who agrees how often, and every disagreement by row (`harness grade --compare`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.grading.batch.peers import PEER_SECONDS, PEERS, check_installed
from harness.grading.compare.symbolic import Pool, SymbolicTimeoutError

MAX_DISAGREEMENTS = 200  # listed
_SHOWN_CHARS = 70


def peer_verdict(pool: Pool, peer: str, row: dict[str, Any], seconds: float = PEER_SECONDS) -> dict[str, Any]:
    """{"correct": bool | None, "seconds": float, "error": str} of one peer on one row; a hang is killed."""
    is_response = row.get("response") is not None
    text = str(row["response"] if is_response else row["answer"])
    question = {"peer": peer, "text": text, "gold": str(row["gold"]), "is_response": is_response}
    try:
        answer: dict[str, Any] = pool.ask(question, seconds)
    except SymbolicTimeoutError:
        return {"correct": None, "seconds": seconds, "error": f"killed after {seconds:.0f} s"}
    return answer


def add_peers(rows: Sequence[dict[str, Any]], peers: Sequence[str] = tuple(PEERS)) -> list[dict[str, Any]]:
    """The graded rows with a column `peers`: {name: true | false | null}; null where a peer crashed or hung."""
    check_installed(list(peers))
    pool = Pool("harness.grading.batch.peers", size=1)
    out = []
    try:
        for row in rows:
            verdicts = {name: peer_verdict(pool, name, row)["correct"] for name in peers}
            out.append({**row, "peers": verdicts})
    finally:
        pool.close()
    return out


def report(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Agreement per peer as a Markdown table, then the disagreements by row number (from 1) in the file's order."""
    names = list(rows[0]["peers"]) if rows else []
    scored = [(number, row) for number, row in enumerate(rows, 1) if row["correct"] is not None]
    lines = ["| peer | agrees | only we accept | only it accepts | no verdict |", "|---|---|---|---|---|"]
    listed: list[str] = []
    for name in names:
        ours_only = [n for n, row in scored if row["correct"] and row["peers"][name] is False]
        theirs_only = [n for n, row in scored if not row["correct"] and row["peers"][name]]
        silent = sum(row["peers"][name] is None for _, row in scored)
        judged = len(scored) - silent
        share = 1 - (len(ours_only) + len(theirs_only)) / judged if judged else float("nan")
        lines.append(f"| {name} | {100 * share:.1f}% of {judged} | {len(ours_only)} | {len(theirs_only)} | {silent} |")
    for number, row in scored:
        apart = [name for name in names if row["peers"][name] not in (None, row["correct"])]
        if apart:
            ours = "correct" if row["correct"] else row["status"]
            listed.append(
                f"row {number}: ours {ours}, against {', '.join(apart)}; gold {_short(row['gold'])}, "
                f"answer {_short(row['extracted'])} ({row['reason'][:80]})"
            )
    lines += ["", f"{len(listed)} rows with a disagreement:", *listed[:MAX_DISAGREEMENTS]]
    if len(listed) > MAX_DISAGREEMENTS:
        lines.append(f"... and {len(listed) - MAX_DISAGREEMENTS} more; the column `peers` of the output has them all")
    return lines


def _short(text: Any) -> str:
    shown = " ".join(str(text).split())
    return repr(shown if len(shown) <= _SHOWN_CHARS else shown[: _SHOWN_CHARS - 3] + "...")
