"""The sample rows of result folders as numbers, a part at a time, so that memory does not grow with them.

A first pass over a few columns says which runs, settings and problems there are; then the rows of some runs at a time
are read whole. Text is a number from the first pass on: the place of a value in its column's vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from harness.analysis.folders import RUN_FACTS, SAMPLE_COLUMNS, TEXTS, TOKENS, Folder, left_out
from harness.parquet import ENCODED, told
from harness.records import SAMPLE_SCHEMA

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
PROBLEM_FACTS = ("task", "problem_id", "question_hash", "metadata")
SURVEYED = tuple(dict.fromkeys((*RUN_FACTS, *PROBLEM_FACTS)))
NAMED = ("task", "problem_id", "question_hash")  # what tells problems apart
READ = tuple(name for name in SAMPLE_COLUMNS if name != "metadata")
NULL = np.iinfo(np.int64).min  # a whole number that is not there
ROWS_AT_ONCE = 400_000  # read whole: about 100 MB
MOST_COMBINATIONS = 200_000  # gathered before they are summed up
READ_SCHEMA = pa.schema([(n, ENCODED if n in TEXTS else SAMPLE_SCHEMA.field(n).type) for n in READ])
UNPARSED = ("no_answer", "ambiguous", "answer_unparseable", "undecided")


class Vocabulary:
    """A column's texts, numbered in the order in which they appear."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self.codes: dict[str, int] = {}

    def encode(self, column: pa.ChunkedArray) -> Whole:
        """The number of each row's text; -1 where it has none."""
        parts = [np.empty(0, np.int64)]
        for chunk in column.chunks:
            numbers = [-1 if text is None else self._number(text) for text in chunk.dictionary.to_pylist()]
            parts.append(np.array([*numbers, -1])[chunk.indices.fill_null(len(numbers)).to_numpy()])
        return np.concatenate(parts)

    def _number(self, text: str) -> int:
        found = self.codes.setdefault(text, len(self.values))
        if found == len(self.values):
            self.values.append(text)
        return found


@dataclass
class Survey:
    """What the first pass over the rows of `folders` found.

    Attributes:
        folders: that were read.
        words: column -> its vocabulary.
        settings: one row per run and setting: RUN_FACTS as numbers, and `rows`, how many there are.
        problems: one row per task, problem id, hash of the question and metadata, in order of appearance.
        runs_of: (folder, file, bunch of row groups) -> the runs in it.
    """

    folders: Sequence[Folder]
    words: dict[str, Vocabulary]
    settings: pd.DataFrame
    problems: pd.DataFrame
    runs_of: dict[tuple[int, int, int], Whole]

    def parts(self, cells: Sequence[Whole]) -> Iterator[list[int]]:
        """The cells in parts whose rows are read together, at most ROWS_AT_ONCE unless one cell has more.

        Args:
            cells: of each cell the rows of `settings` that it consists of. Cells that share a run share a part.
        """
        run, count = self.settings["run_id"].to_numpy(), self.settings["rows"].to_numpy()
        joined: dict[int, list[int]] = {}  # run -> the cells that have to be read with it
        for cell, members in enumerate(cells):
            together = [cell]
            for one in {id(group): group for r in run[members] if (group := joined.get(r))}.values():
                together += one
            for r in {*run[members], *(r for other in together for r in run[cells[other]])}:
                joined[r] = together
        part: list[int] = []
        rows = 0
        for group in {id(group): group for group in joined.values()}.values():
            more = sum(int(count[cells[cell]].sum()) for cell in group)
            if part and rows + more > ROWS_AT_ONCE:
                yield part
                part, rows = [], 0
            part, rows = part + group, rows + more
        if part:
            yield part

    def read(self, runs: Iterable[int]) -> Rows:
        """All rows of the given runs."""
        wanted = np.array(sorted(runs))
        tables = [READ_SCHEMA.empty_table()]
        for at, folder in enumerate(self.folders):
            for number, file in enumerate(folder.files):
                for bunch in range(len(file.bunches)):
                    if np.isin(self.runs_of[at, number, bunch], wanted).any():
                        table = _renamed(file.read(bunch, READ)[0], folder)
                        mine = np.isin(self.words["run_id"].encode(table["run_id"]), wanted)
                        tables.append(table if mine.all() else table.filter(pa.array(mine)))
        return self._as_rows(pa.concat_tables(tables))

    def problems_of_runs(self) -> pd.DataFrame:
        """Task, run, problem id and hash of the question as text, each combination once, in order of appearance."""
        names, found = ["task", "run_id", "problem_id", "question_hash"], list[pd.DataFrame]()
        for folder in self.folders:
            for file in folder.files:
                for bunch in range(len(file.bunches)):
                    frame = pd.DataFrame(_numbers(file.read(bunch, names)[0], self.words, names))
                    found.append(frame[_kept(frame, folder, self.words)])
                found = [pd.concat(found).drop_duplicates()]
        return self.as_text(pd.concat(found)) if found else pd.DataFrame(columns=names)

    def as_text(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Columns of numbers as what they stand for: text with its categories in order of appearance, or counts."""
        readable = {
            name: pd.Categorical.from_codes(frame[name].to_numpy(), pd.Index(self.words[name].values, dtype=object))
            if name in self.words
            else frame[name].where(frame[name] != NULL)
            for name in frame.columns
        }
        return pd.DataFrame(readable, index=frame.index)

    def _as_rows(self, table: pa.Table) -> Rows:
        """A table of READ as numbers. Repeated rows of one generation count once: the last that did not fail."""
        failed = table["error"].is_valid().to_numpy()
        numbers = _numbers(table, self.words, (*RUN_FACTS, "problem_id", "question_hash", "sample_index"))
        order = np.argsort(~failed, kind="stable") if failed.any() else np.arange(len(failed))
        generation = pd.DataFrame({name: numbers[name][order] for name in ("run_id", "problem_id", "sample_index")})
        again = generation.duplicated(keep="last").to_numpy()
        repeated, order = int((again & ~failed[order]).sum()), order[~again]
        numbers = {name: values[order] for name, values in numbers.items()}
        setting, problem = _matched(self.settings, RUN_FACTS, numbers), _matched(self.problems, NAMED, numbers)
        return numbered(table, order, setting, problem, repeated)


def _matched(known: pd.DataFrame, names: Sequence[str], numbers: Mapping[str, Whole]) -> Whole:
    """The first row of `known` that agrees with each entry of `numbers` in the columns `names`."""
    found: dict[tuple[int, ...], int] = {}
    for at, key in enumerate(zip(*(known[name] for name in names), strict=True)):
        found.setdefault(key, at)
    local = pd.DataFrame({name: numbers[name] for name in names}).groupby(list(names), sort=False).ngroup().to_numpy()
    _, first = np.unique(local, return_index=True)
    keys = zip(*(numbers[name][first] for name in names), strict=True)
    return np.array([found[key] for key in keys], dtype=np.int64)[local]


def _kept(frame: pd.DataFrame, folder: Folder, words: Mapping[str, Vocabulary]) -> pd.Series:
    codes = words["run_id"].codes
    return frame["run_id"].isin(codes.values() if folder.kept is None else [codes.get(r, -1) for r in folder.kept])


def survey(folders: Sequence[Folder], notes: list[str]) -> Survey:
    """The first pass: which runs, settings and problems the folders hold. Raises UserError for a broken file."""
    words = {name: Vocabulary() for name in SURVEYED if name in TEXTS}
    settings, problems = list[pd.DataFrame](), list[pd.DataFrame]()
    runs_of: dict[tuple[int, int, int], Whole] = {}
    for at, folder in enumerate(folders):
        for number, file in enumerate(folder.files):
            lost, nameless = 0, dict[str, None]()
            for bunch in range(len(file.bunches)):
                table, lacking, count = file.read(bunch, SURVEYED)
                lost, nameless = lost + count, nameless | dict.fromkeys(lacking)
                with told(file.path):
                    frame = pd.DataFrame(_numbers(_renamed(table, folder), words, SURVEYED))
                frame = frame[_kept(frame, folder, words)]
                runs_of[at, number, bunch] = frame["run_id"].unique()
                counts = frame.groupby(list(RUN_FACTS), sort=False).size()
                settings.append(counts.rename("rows").reset_index())
                problems.append(frame[list(PROBLEM_FACTS)].drop_duplicates())
                if sum(map(len, (*settings, *problems))) > MOST_COMBINATIONS:
                    settings, problems = [_summed(settings)], [pd.concat(problems).drop_duplicates()]
            if nameless:
                notes.append(f"{file.path.name}: {left_out(lost, list(nameless))}")
    found = pd.concat(problems).drop_duplicates().reset_index(drop=True)
    return Survey(folders, words, _summed(settings), found, runs_of)


def _summed(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    together = pd.concat(settings)
    summed: pd.DataFrame = together.groupby(list(RUN_FACTS), sort=False)["rows"].sum().reset_index()
    return summed


def _renamed(table: pa.Table, folder: Folder) -> pa.Table:
    if not folder.renamed or "study" not in table.schema.names:
        return table
    names = table["study"].cast(pa.string())
    for old, new in folder.renamed.items():
        names = pc.if_else(pc.equal(names, old), new, names)
    return table.set_column(table.schema.get_field_index("study"), "study", names.dictionary_encode())


def _numbers(table: pa.Table, words: dict[str, Vocabulary], names: Sequence[str]) -> dict[str, Whole]:
    """Columns of text and of whole numbers as whole numbers: -1 where there is no text, NULL where no number."""
    return {
        name: words[name].encode(table[name]) if name in words else table[name].fill_null(NULL).to_numpy()
        for name in names
    }


@dataclass
class Rows:
    """Rows of some runs, in the order of the files, those of failed attempts first; each array has one entry per row.

    Attributes:
        setting: the row's place in `Survey.settings`.
        problem: its problem's in `Survey.problems`.
        tokens: column -> counts, NaN where not known; a failed row has none.
        flags: forced, truncated, looping, ... -> whether.
        told: forced and looping -> whether the row tells it.
        correct: 1 or 0; NaN where the gold cannot be read or nothing was scored.
        extracted: a number per answer; -1: none was found.
        reward: NaN where no reward led the thought.
        confidence: mean log-probability of the answer, NaN where not known.
        gold_letter: place in LETTERS of a choice question's gold; -1: another question.
        letter: of its answer; the last place: no letter.
        repeated: how many rows of the same generation were left out.
        uncounted: how many have no thinking-token count.
    """

    setting: Whole
    problem: Whole
    tokens: dict[str, Floats]
    flags: dict[str, Flags]
    told: dict[str, Flags]
    correct: Floats
    extracted: Whole
    reward: Floats
    confidence: Floats
    gold_letter: Whole
    letter: Whole
    repeated: int
    uncounted: int


LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def numbered(table: pa.Table, order: Whole, setting: Whole, problem: Whole, repeated: int) -> Rows:
    """The rows `order` of a table of READ; `setting` and `problem` are theirs already."""
    failed = table["error"].is_valid().to_numpy()[order]

    def number(name: str) -> Floats:
        values: Floats = table[name].cast(pa.float64()).to_numpy()[order]
        return values

    def flag(name: str) -> tuple[Flags, Flags]:
        return table[name].fill_null(False).to_numpy()[order], table[name].is_valid().to_numpy()[order]

    def text(name: str) -> tuple[Whole, list[str]]:
        own = Vocabulary()
        return own.encode(table[name])[order], own.values

    codes, statuses = text("status")

    def status(*wanted: str) -> Flags:
        return np.isin(codes, [at for at, name in enumerate(statuses) if name in wanted])

    finishes, finish = text("thinking_finish")
    rejected = np.isin(finishes, [at for at, name in enumerate(finish) if name == "rejected"]) & ~failed
    (forced, forced_told), (looping, looping_told), (right, scored) = map(flag, ("forced_end", "looping", "correct"))
    tokens = {name: number(name) for name in TOKENS}
    uncounted = int((~(tokens["thinking_tokens"] >= 0)).sum())
    # What a failed call had generated is not known.
    tokens = {name: np.where(~failed & (values >= 0), values, np.nan) for name, values in tokens.items()}
    tokens["total_tokens"] = (
        tokens["thinking_tokens"]
        + np.nan_to_num(tokens["closing_tokens"])
        + np.nan_to_num(tokens["answer_tokens"])
        + np.nan_to_num(tokens["discarded_tokens"])
        - np.nan_to_num(tokens["shared_tokens"])
    )
    # Such a row has no thought: every token is counted, but the mean length is that of thoughts.
    tokens["thinking_tokens"] = np.where(rejected, np.nan, tokens["thinking_tokens"])
    correct = np.where(scored & ~status("gold_unparseable"), right.astype(float), np.nan)
    kinds, kind = text("kind")
    choice = np.isin(kinds, [at for at, name in enumerate(kind) if name == "choice"]) & ~np.isnan(correct) & ~failed
    extracted, answers = text("extracted")
    golds, gold = text("gold")
    place = {letter: at for at, letter in enumerate(LETTERS)}
    gold_places = np.array([*(place.get(one.strip("() ").upper(), -1) for one in gold), -1])
    places = np.array([*(place.get(one.upper(), len(LETTERS)) for one in answers), len(LETTERS)])
    return Rows(
        setting,
        problem,
        tokens,
        {
            "forced": forced,
            "truncated": status("truncated"),
            "looping": looping,
            "unparsed": status(*UNPARSED) & ~failed & ~rejected,
            "rejected": rejected,
            "timeout": status("answer_timeout"),
            "error": failed,
        },
        {"forced": forced_told, "looping": looping_told},
        correct,
        extracted,
        number("reward"),
        number("answer_logprob_mean"),
        np.where(choice, gold_places[golds], -1),
        places[extracted],
        repeated,
        uncounted,
    )
