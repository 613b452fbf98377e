"""Grading, ours beside the peers, in one run: accuracy on labelled cases, which tier decided, speed on real outputs.

    python benchmarks/grading.py [--shared DIR] [--rows N] [--only own|cases|tiers|speed|policy]

`own`: the labelled corpus in tests/grading/corpus/kinds.jsonl, which needs nothing beside the checkout. `cases`:
DIR/cases (not part of the repository), without rows that hang on a convention, split in two by the SHA-256 of each
row's id: the *worked* half was open while the grader was written, the *held-out* half was measured once before anybody
looked into it (NOTES.md has that figure). `tiers`: how often each tier decided on real outputs. `speed`: whole
responses of DIR/data/outputs, one core each; the peers run one pair after another in their own process, the clock runs
inside it. Ours is measured with its caches cold (every pair is new) and includes extraction.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.grading import grade, grade_answer
from harness.grading.batch.agreement import peer_verdict
from harness.grading.compare.symbolic import Pool
from harness.grading.conventions import table

GROUPS = {  # files of DIR/cases, and the beds of fresh.jsonl
    "real answers": ("real_pairs",),
    "real responses": ("responses",),
    "gold mutations": ("math500_gold_mutations",),
    "families": ("families",),
    "peers' tests": ("unit", "issues"),
    "adversarial": ("adversarial",),
    "fresh: peers": ("fresh/peers",),
    "fresh: adversarial": ("fresh/adversarial",),
    "fresh: extraction": ("fresh/extraction",),
}
LETTERS = ("letters", "fresh: letters")
PEERS = ("string", "s1", "lm_eval", "math_verify")
CASE_SECONDS = 10.0  # a peer that needs longer for one row is killed and counted as "not equal"
OUTPUTS = ("math500_Qwen2.5-14B-Instruct", "math500_Qwen2.5-Math-7B", "qwen25math_maj8")
OWN = Path(__file__).resolve().parents[1] / "tests" / "grading" / "corpus" / "kinds.jsonl"


def held_out(row_id: str) -> bool:
    """Whether a row belongs to the half that stays closed while the grader is worked on."""
    return hashlib.sha256(row_id.encode()).digest()[0] % 2 == 1


def cases(shared: Path) -> Iterator[dict[str, Any]]:
    """Every labelled case as {group, held, id, gold, answer | response, kind, choices, label, policy}."""
    for path in sorted((shared / "cases").glob("*.jsonl")):
        for number, line in enumerate(path.open(encoding="utf-8")):
            row = json.loads(line)
            name = f"fresh/{row['bed']}" if "bed" in row else path.stem
            choice = row["kind"] == "choice" or row.get("task") == "mcq"
            letters = "fresh: letters" if "bed" in row else "letters"
            group = letters if choice else next(g for g, files in GROUPS.items() if name in files)
            whole = "response" if "response" in row or row["kind"] == "response" else "answer"
            text = row.get(whole, row.get("response_or_answer"))
            yield {
                "group": group,
                "held": held_out(str(row.get("id", f"{path.stem}/{number}"))),
                "gold": row["gold"],
                whole: text,
                "kind": "choice" if choice else "math",
                "choices": row.get("choices") or (),
                "label": row["label"],
                "policy": row["policy"],
            }


def own_cases() -> Iterator[dict[str, Any]]:
    """The project's own corpus in the same form; its kinds are the groups."""
    for line in OWN.open(encoding="utf-8"):
        row = json.loads(line)
        kind = "choice" if "choices" in row else "math"
        yield {"choices": (), **row, "group": row["kind"], "kind": kind, "label": row["correct"], "policy": None}


def ours(row: dict[str, Any]) -> bool:
    if "response" in row:
        return bool(grade(row["response"], row["gold"], row["kind"], choices=row["choices"]).correct)
    return bool(grade_answer(row["answer"], row["gold"], row["kind"], choices=row["choices"]).correct)


def accuracy(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Per grader the share of right verdicts by group, then wrong accepts and wrong refusals of open answers."""
    pool = Pool("harness.grading.batch.peers", size=1)
    scored = [row for row in rows if not row["policy"]]
    groups = list(dict.fromkeys(row["group"] for row in scored))
    counts = Counter(row["group"] for row in scored)
    lines = [
        "| grader | "
        + " | ".join(f"{g} ({counts[g]})" for g in groups)
        + " | open answers (wrong accepts / refusals) |",
        "|" + "---|" * (len(groups) + 2),
    ]
    for name in (*PEERS, "ours"):
        right: Counter[str] = Counter()
        wrong = {True: 0, False: 0}  # by verdict
        for row in scored:
            verdict = ours(row) if name == "ours" else bool(peer_verdict(pool, name, row, CASE_SECONDS)["correct"])
            right[row["group"]] += verdict == row["label"]
            if row["kind"] != "choice" and verdict != row["label"]:
                wrong[verdict] += 1
        shares = " | ".join(f"{100 * right[g] / counts[g]:.1f}" for g in groups)
        total = sum(row["kind"] != "choice" for row in scored)
        open_share = 100 * (1 - (wrong[True] + wrong[False]) / total)
        bold = "**" if name == "ours" else ""
        lines.append(f"| {bold}{name}{bold} | {shares} | {open_share:.1f} ({wrong[True]} / {wrong[False]}) |")
    pool.close()
    return lines


def tiers(shared: Path) -> list[str]:
    """How often each tier decided on the real outputs."""
    counts: Counter[str] = Counter()
    for response, gold in pairs(shared, 10**9):
        counts[grade(response, gold).tier] += 1
    total = sum(counts.values())
    shown = ", ".join(f"{tier} {100 * n / total:.1f}%" for tier, n in counts.most_common())
    return [f"{total} real responses, decided by: {shown}"]


def pairs(shared: Path, limit: int) -> list[tuple[str, str]]:
    """(response, gold) of the real outputs, the files interleaved, at most `limit`."""
    files = []
    for name in OUTPUTS:
        lines = (shared / "data" / "outputs" / f"{name}.jsonl").open(encoding="utf-8")
        rows = [json.loads(line) for line in lines]
        files.append([(code, str(row.get("answer", row["gt"]))) for row in rows for code in row["code"]])
    mixed = [pair for group in zip(*(f[: min(map(len, files))] for f in files), strict=True) for pair in group]
    return mixed[:limit]


def percentiles(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.99)]
    return f"{1e3 * at[0]:.3f} ms | {1e3 * at[1]:.2f} ms | {1e3 * ordered[-1]:.1f} ms"


def speed(shared: Path, limit: int) -> list[str]:
    """Pairs per second and latency of ours and Math-Verify on the same real responses."""
    sample = pairs(shared, limit)
    mine = []
    for response, gold in sample:
        start = time.perf_counter()
        grade(response, gold)
        mine.append(time.perf_counter() - start)
    pool = Pool("harness.grading.batch.peers", size=1)
    theirs = [peer_verdict(pool, "math_verify", {"response": r, "gold": g})["seconds"] for r, g in sample]
    pool.close()
    ratio = sum(theirs) / sum(mine)
    return [
        "| grader | pairs/s | median | p99 | longest |",
        "|---|---|---|---|---|",
        f"| Math-Verify | {len(sample) / sum(theirs):.0f} | {percentiles(theirs)} |",
        f"| **ours** | {len(sample) / sum(mine):.0f} | {percentiles(mine)} |",
        "",
        f"{len(sample)} real responses, one core each, in one run: {ratio:.0f} times Math-Verify's pairs per second",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[2] / "shared")
    parser.add_argument("--rows", type=int, default=1_500, help="real responses to time")
    parser.add_argument("--only", choices=("own", "cases", "tiers", "speed", "policy"))
    options = parser.parse_args()
    if options.only in (None, "policy"):
        print("\n".join(table()), end="\n\n")
    if options.only in (None, "own"):
        print("\n".join(["Own corpus", "", *accuracy(list(own_cases()))]), end="\n\n")
    if options.only in (None, "cases"):
        rows = list(cases(options.shared))
        for held, title in ((False, "Worked half"), (True, "Held-out half")):
            print("\n".join([title, "", *accuracy([row for row in rows if row["held"] is held])]), end="\n\n")
    if options.only in (None, "tiers"):
        print("\n".join(tiers(options.shared)), end="\n\n")
    if options.only in (None, "speed"):
        print("\n".join(speed(options.shared, options.rows)))


if __name__ == "__main__":
    main()
