"""Grading, ours beside the peers, in one run: accuracy on the labelled cases, then speed on real model outputs.

    python benchmarks/grading.py [--shared DIR] [--rows N] [--only cases|speed|policy]

Accuracy: ../shared/cases, rows that hang on a convention apart. Speed: whole responses of ../shared/data/outputs, one
core each; the peers run one pair after another in their own process, the clock runs inside it. Ours is measured with
its caches cold (every pair is new) and includes extraction. Expectation: median under 100 microseconds, p99
under 10 ms, at least 20 times Math-Verify's pairs per second.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.grading import grade, grade_answer
from harness.grading.batch.agreement import peer_verdict
from harness.grading.compare.symbolic import Pool
from harness.grading.conventions import table

GROUPS = {  # files of ../shared/cases, as the issue groups them
    "real answers": ("real_pairs",),
    "real responses": ("responses",),
    "gold mutations": ("math500_gold_mutations",),
    "families": ("families",),
    "peers' tests": ("unit", "issues"),
    "adversarial": ("adversarial",),
}
PEERS = ("string", "s1", "lm_eval", "math_verify")
CASE_SECONDS = 10.0  # a peer that needs longer for one row is killed and counted as "not equal"
OUTPUTS = ("math500_Qwen2.5-14B-Instruct", "math500_Qwen2.5-Math-7B", "qwen25math_maj8")


def cases(shared: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(group, row) of every labelled case; letters have the group "letters"."""
    for path in sorted((shared / "cases").glob("*.jsonl")):
        group = next((name for name, files in GROUPS.items() if path.stem in files), "letters")
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            yield ("letters" if row["task"] == "mcq" else group), row


def ours(row: dict[str, Any]) -> bool:
    kind = "choice" if row["task"] == "mcq" else "math"
    judge = grade if row["kind"] == "response" else grade_answer
    return bool(judge(row["response_or_answer"], row["gold"], kind).correct)  # type: ignore[arg-type]


def peer(pool: Pool, name: str, row: dict[str, Any]) -> bool:
    key = "response" if row["kind"] == "response" else "answer"
    given = {key: row["response_or_answer"], "gold": row["gold"]}
    return bool(peer_verdict(pool, name, given, CASE_SECONDS)["correct"])


def accuracy(shared: Path) -> list[str]:
    """The accuracy table: per grader the share of right verdicts by group, then false accepts and refusals of math."""
    rows = list(cases(shared))
    pool = Pool("harness.grading.batch.peers", size=1)
    groups = [*GROUPS, "letters"]
    counts = {g: sum(group == g and not row["policy"] for group, row in rows) for g in groups}
    lines = [
        "| grader | " + " | ".join(f"{g} ({counts[g]})" for g in groups) + " | all math (FP / FN) | conventions |",
        "|" + "---|" * (len(groups) + 3),
    ]
    for name in (*PEERS, "ours"):
        right = dict.fromkeys(groups, 0)
        wrong = {True: 0, False: 0}  # by verdict: False accepts, False refusals
        conventions = [0, 0]
        for group, row in rows:
            verdict = ours(row) if name == "ours" else peer(pool, name, row)
            good = verdict == row["label"]
            if row["policy"]:
                conventions[0] += good
                conventions[1] += 1
            else:
                right[group] += good
                if group != "letters" and not good:
                    wrong[verdict] += 1
        total = sum(counts[g] for g in GROUPS)
        shares = " | ".join(f"{100 * right[g] / counts[g]:.1f}" for g in groups)
        math = 100 * sum(right[g] for g in GROUPS) / total
        kept = f"{100 * conventions[0] / conventions[1]:.0f}"
        bold = "**" if name == "ours" else ""
        lines.append(f"| {bold}{name}{bold} | {shares} | {math:.1f} ({wrong[True]} / {wrong[False]}) | {kept} |")
    pool.close()
    return lines


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
    parser.add_argument("--only", choices=("cases", "speed", "policy"))
    options = parser.parse_args()
    if options.only in (None, "policy"):
        print("\n".join(table()), end="\n\n")
    if options.only in (None, "cases"):
        print("\n".join(accuracy(options.shared)), end="\n\n")
    if options.only in (None, "speed"):
        print("\n".join(speed(options.shared, options.rows)))


if __name__ == "__main__":
    main()
