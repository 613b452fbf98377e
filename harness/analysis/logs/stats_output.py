"""How sample statistics are shown and written: a table for people, s1's own lines, JSON, Parquet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from harness.analysis.logs.sample_stats import FileStats, Stats, as_json
from harness.errors import UserError
from harness.files import atomic, write_json

SHOWN_LINES = 5


def as_text(stats: Stats) -> str:
    """One block a file with the names of s1's script, for a terminal or a log."""
    head = f"tokenizer: {stats.tokenizer}" + (", counted as s1 does" if stats.compat else "")
    return "\n\n".join([head, *(_block(file, stats) for file in stats.files)])


def _block(file: FileStats, stats: Stats) -> str:
    about = "≈ " if stats.approximate else ""

    def mean(value: float | None) -> str:
        return "–" if value is None else f"{about}{round(value, 1)}"

    several = file.num_responses != file.num_samples
    lines = [
        f"== {file.file}",
        f"# samples: {file.num_samples}" + (f" ({file.num_responses} responses)" if several else ""),
        f"avg steps: {mean(file.mean_steps).removeprefix('≈ ')}",
        *(
            []
            if stats.compat and file.mean_step_tokens is None
            else [f"avg step tokens: {mean(file.mean_step_tokens)}"]
        ),
        f"min total thinking tokens: {about}{file.min_thinking_tokens}",
        f"max total thinking tokens: {about}{file.max_thinking_tokens}",
        f"sorted total thinking tokens: {file.sorted_thinking_tokens}",
        f"sorted correct: {[None if c is None else int(c) for c in file.sorted_correct]}",
        f"avg total thinking tokens: {mean(file.mean_thinking_tokens)}",
        f"avg total answer tokens: {mean(file.mean_answer_tokens)}",
        f"avg total tokens: {mean(file.mean_total_tokens)}",
    ]
    if file.num_too_many_steps is not None:
        lines.append(f"samples w/ too many steps: {file.num_too_many_steps}")
    if stats.compat and stats.budget is None:  # what s1's script prints where it reads no budget from the path
        lines.append("samples w/ too many thinking tokens: 0")
    elif file.num_too_many_thinking_tokens is not None:
        lines.append(f"samples w/ too many thinking tokens: {file.num_too_many_thinking_tokens}")
    elif file.num_too_many_steps is None:
        lines.append("samples w/ too many thinking tokens: unknown (give --budget)")
    lines += [
        f"samples w/ too many tokens: {file.num_too_many_tokens}",
        f"samples w/o answer: {file.num_without_answer}",
        f"samples w/o thinking: {file.num_without_thinking}",
    ]
    if file.accuracy is not None:
        lines.append(f"accuracy in the log: {file.accuracy:.3f}")
    if file.num_repeated:
        lines.append(f"lines that repeat a generation under another filter, left out: {file.num_repeated}")
    if file.skipped:
        shown = "; ".join(f"line {number}: {reason}" for number, reason in file.skipped[:SHOWN_LINES])
        more = f"; and {len(file.skipped) - SHOWN_LINES} more" if len(file.skipped) > SHOWN_LINES else ""
        lines.append(f"lines skipped: {len(file.skipped)} ({shown}{more})")
    return "\n".join(lines)


def write(stats: Stats, out: Path) -> Path:
    """Write the figures as .json, or the responses as .parquet (one row each). UserError for another ending."""
    if out.suffix == ".json":
        write_json(out, as_json(stats))
    elif out.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [asdict(row) | {"step_tokens": list(row.step_tokens)} for row in stats.responses]
        table = pa.Table.from_pylist([row | {"tokenizer": stats.tokenizer, "compat": stats.compat} for row in rows])
        with atomic(out) as file:
            pq.write_table(table, file)
    else:
        raise UserError(f"--out {out}: use a name that ends in .json or .parquet")
    return out
