"""Read published logs of any known format: which reader a file needs, and what its name and neighbours tell.

A broken, cut or foreign line is never fatal: it is counted, with its number and reason, and skipped. A file of which no
line can be read is refused with what it is.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.logs import inspect_logs, lighteval_logs, lm_eval_logs, record_logs, skythought_logs
from harness.analysis.logs.logged import Log, Logged, without_verdicts_of_points
from harness.analysis.logs.names import ENDINGS
from harness.analysis.logs.text_files import records, start_of
from harness.errors import UserError
from harness.files import SPECIAL, is_special
from harness.questions import question_key

KNOWN = ("lm-eval", "inspect_ai", "lighteval", *(one.name for one in record_logs.FORMATS))
SHOWN = 3


def expand(patterns: Sequence[str | Path]) -> list[Path]:
    """Files from names, globs and folders (the samples, details and .eval files in them). UserError for none.

    Of what lies together results files are read only where nothing else is a log: there they hold the samples.
    """
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if is_special(path):
            raise UserError(f"{pattern} is {SPECIAL}; write what comes through it into a file, and give that")
        if path.is_dir():
            files = sorted(one for ending in ENDINGS for one in path.rglob(f"*{ending}"))
            logs = [one for one in files if not _is_results(one)]
            named = [one for one in logs if re.search(r"samples|details", one.name) or one.suffix == ".eval"]
            matches = named or [one for one in logs if one.name.endswith((".jsonl", ".jsonl.gz"))] or logs or files
        elif path.is_file():
            matches = [path]
        else:
            matches = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True) if Path(name).is_file())
            matches = [one for one in matches if not _is_results(one)] or matches
        if len(matches) > 1:
            matches = [one for one in matches if not skythought_logs.is_summary(one)]
        if not matches:
            raise UserError(f"no such file: {pattern}; give samples JSONL files, globs or folders")
        found += matches
    return list(dict.fromkeys(found))


def _is_results(path: Path) -> bool:
    """Whether a file is lm-eval's, lighteval's or SkyThought's summary, which lies beside the samples."""
    results = path.suffix == ".json" and re.search(r"(^|_)results(_|\.)", path.name) is not None
    return results or skythought_logs.is_summary(path)


def read_log(path: Path, fields: Mapping[str, str] | None = None) -> Log:
    """All problems of one file; never raises on a line's content.

    Args:
        path: The file.
        fields: `--map`: the names of the fields of plain rows.

    Raises:
        UserError: the file cannot be opened, is of no known format, or holds log-likelihoods.
    """
    log = Log(path)
    start = start_of(path)
    if start.startswith(b"PK\x03\x04") and path.suffix == ".eval":
        inspect_logs.read(path, log)
    elif start.startswith(b"PAR1"):
        _read_parquet(path, log, fields)
    else:
        _read_text(path, log, fields)
    log.samples, log.num_split = told_apart(without_verdicts_of_points(log.samples))
    log.skipped.sort()
    return log


def _read_parquet(path: Path, log: Log, fields: Mapping[str, str] | None) -> None:
    names = lighteval_logs.columns(path)
    if fields is None and lighteval_logs.is_lighteval(names):
        lighteval_logs.read(path, log)
        return
    if {"run_id", "sample_key"} <= set(names):
        raise UserError(f"{path} is a results file of this program already: give its folder to leaderboard or compare")
    _read_records([(number, row) for number, row in enumerate(lighteval_logs.rows(path), 1)], log, fields)


def _read_text(path: Path, log: Log, fields: Mapping[str, str] | None) -> None:
    found = records(path, log)
    if fields is None and len(found) == 1 and inspect_logs.is_inspect(found[0][1]):
        inspect_logs.read(path, log)
        return
    if not found and not log.skipped:
        return
    _read_records(found, log, fields)


def _read_records(found: list[tuple[int, dict[str, Any]]], log: Log, fields: Mapping[str, str] | None) -> None:
    if fields is None and sum(lm_eval_logs.is_lm_eval(record) for _, record in found) * 2 >= max(len(found), 1):
        lm_eval_logs.read(found, log)
        return
    if fields is None:
        found = record_logs.opened(found, log)
        if found and all(lm_eval_logs.is_lm_eval(record) for _, record in found):
            lm_eval_logs.read(found, log)
            return
    chosen = record_logs.mapped_format(fields) if fields else record_logs.format_of(found)
    if chosen is not None:
        record_logs.read(found, log, chosen)
        return
    log.skipped += [(number, "of no known format") for number, _ in found]
    keys = Counter(key for _, record in found for key in record)
    if keys:
        log.name = f"unknown: rows with the fields {', '.join(name for name, _ in keys.most_common(8))}"


def unreadable(log: Log) -> str:
    """Why a file without any sample is refused, in one line."""
    reason = skipped_lines(log) or "the file is empty"
    what = f"its format is not known ({log.name.removeprefix('unknown: ')})" if log.name.startswith("unknown") else ""
    advice = f"known are {', '.join(KNOWN)}; for other rows give --map response=FIELD --map gold=FIELD"
    return f"{log.path}: no sample could be read ({reason})" + (f": {what}; {advice}" if what else "")


def skipped_lines(log: Log) -> str:
    """The lines that were left out, with the first reasons; "" for none."""
    lines = ", ".join(f"{number} ({reason})" for number, reason in log.skipped[:SHOWN])
    return f"{len(log.skipped)} line(s) skipped: {lines}" if log.skipped else ""


def told_apart(samples: Sequence[Logged]) -> tuple[list[Logged], int]:
    """The samples, with a problem id of its own for each question: a log whose ids restart names two problems alike.

    Also the number of ids that stood for several.
    """
    questions: dict[str, list[str]] = {}
    keys = [question_key(one.question, one.options) or f"={one.gold}" for one in samples]
    for sample, key in zip(samples, keys, strict=True):
        known = questions.setdefault(sample.problem_id, [])
        if key not in known:
            known.append(key)
    num_split = sum(len(known) > 1 for known in questions.values())
    if not num_split:
        return list(samples), 0
    taken = set(questions)
    names: dict[tuple[str, str], str] = {}
    for identity, known in questions.items():
        for nth, key in enumerate(known):
            name, number = identity, nth
            while nth and name in taken:
                number += 1
                name = f"{identity}.{number}"
            taken.add(name)
            names[identity, key] = name
    renamed = [replace(one, problem_id=names[one.problem_id, key]) for one, key in zip(samples, keys, strict=True)]
    return renamed, num_split


def kwargs_of(log: Log) -> dict[str, Any]:
    """The generation settings of the whole run: those of the header, and those that all rows share."""
    rows = [dict(sample.kwargs) for sample in log.samples if sample.kwargs]
    shared = (
        {key: value for key, value in rows[0].items() if all(row.get(key) == value for row in rows)} if rows else {}
    )
    return dict(log.kwargs) | shared
