"""harness.data.collect: raw records of the 16 sources become rows.

The records below are made up, with the column names of the published releases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.collect import collect
from harness.data.sources import SOURCES, name_of
from harness.errors import UserError

GPQA = {
    "Record ID": "rec1",
    "Question": "Which?",
    "Correct Answer": "right",
    "Incorrect Answer 1": "w1",
    "Incorrect Answer 2": "w2",
    "Incorrect Answer 3": "w3",
    "Explanation": "E",
    "High-level domain": "Physics",
}
# source -> (records: those to keep first, how many are kept, question of the first, source of the first)
RAW: dict[str, tuple[list[dict[str, Any]], int, str, str]] = {
    "NuminaMATH": (
        [
            {"problem": "Q1", "solution": "S", "source": "aops_forum"},
            {"problem": "Q2", "solution": "S", "source": "cn_k12"},
        ],
        1,
        "Q1",
        "NuminaMATH/aops_forum",
    ),
    "MATH": ([{"problem": "Q", "solution": "S", "answer": "4", "subject": "Algebra"}], 1, "Q", "MATH/Algebra"),
    "OlympicArena": (
        [
            {"problem": "Q", "solution": "S", "subject": "CS", "language": "EN", "modality": "text-only"},
            {"problem": "R", "solution": "S", "subject": "CS", "language": "ZH", "modality": "text-only"},
            {"problem": "T", "solution": "S", "subject": "CS", "language": "EN", "modality": "multi"},
        ],
        1,
        "Q",
        "OlympicArena/CS",
    ),
    "OmniMath": ([{"problem": "Q", "solution": "S", "answer": "1"}], 1, "Q", "OmniMath"),
    "AGIEval": (
        [
            {"passage": "P", "question": "Q", "options": ["(A) a", "(B) b"], "subset": "lsat_rc"},
            {"question": "Easy", "subset": "math_agieval", "level": 2},
            {"question": "Hard", "subset": "math_agieval", "level": 5},
        ],
        2,
        "P\n\nQ\n(A) a\n(B) b",
        "AGIEval/lsat_rc",
    ),
    "xword": (
        [{"input": "x ### Clue: River (4)", "output": "NILE"}],
        1,
        "Solve the crossword clue. The number of letters of the answer is in brackets.\n\nRiver (4)",
        "xword",
    ),
    "OlympiadBench": (
        [{"context": "C", "question": "Q", "solution": ["S"], "final_answer": ["7"], "subject": "Physics"}],
        1,
        "C\n\nQ",
        "OlympiadBench/Physics",
    ),
    "AIME 1983-2021": (
        [
            {"ID": "1999-3", "Year": 1999, "Question": "Q", "Answer": "25"},
            {"ID": "2024-I-1", "Year": 2024, "Question": "New", "Answer": "1"},
        ],
        1,
        "Q",
        "AIME 1983-2021",
    ),
    "TheoremQA": (
        [
            {"Question": "Q", "Answer": "2", "Answer_type": "integer", "Picture": None},
            {"Question": "R", "Answer": "2", "Answer_type": "integer", "Picture": "png"},
        ],
        1,
        "Q",
        "TheoremQA/integer",
    ),
    "USACO": ([{"question": " Q "}], 1, "Q", "USACO"),
    "JEEBench": ([{"question": "Q", "gold": "AB", "subject": "phy"}], 1, "Q", "JEEBench/phy"),
    "GPQA": ([GPQA], 1, "Which?", "GPQA/Physics"),
    "SciEval": (
        [
            {"question": "Which?\n\nA. a\n\nAnswer:", "answer": ["A"], "category": "biology"},
            {"question": "base: X\nOptimal solvent:", "answer": ["Y"], "category": "chemistry"},
            {"question": "Open", "answer": None, "category": "chemistry"},
        ],
        2,
        "",
        "",
    ),
    "s1-prob": ([{"question": "Q", "solution": "S"}], 1, "Q", "s1-prob"),
    "LiveCodeBench": (
        [{"question_content": "Q", "difficulty": "hard"}, {"question_content": "R", "difficulty": "easy"}],
        1,
        "Q",
        "LiveCodeBench",
    ),
    "s1-teasers": ([{"Question": "Q", "Answer": "A"}], 1, "Q", "s1-teasers"),
}


def write(folder: Path, name: str, records: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / f"{name.replace(' ', '_')}.jsonl").write_text(lines)


def test_every_source_of_table_7_is_known_and_they_add_up() -> None:
    assert len(SOURCES) == 16
    assert set(RAW) == set(SOURCES)
    assert sum(source.table7[0] for source in SOURCES.values()) == 59029


@pytest.mark.parametrize("name", RAW)
def test_a_sources_records_become_rows(tmp_path: Path, name: str) -> None:
    records, kept, question, source = RAW[name]
    write(tmp_path, name, records)
    stream, counts = collect([name], tmp_path)
    rows = list(stream)
    assert len(rows) == counts[name].kept == kept
    assert counts[name].read == len(records)
    assert counts[name].not_wanted == len(records) - kept
    if question:
        assert rows[0]["question"].startswith(question)
        assert rows[0]["source"] == source
    assert all(row["id"] and not row["thinking"] for row in rows)


def test_scieval_slots_are_asked_as_questions(tmp_path: Path) -> None:
    write(tmp_path, "SciEval", RAW["SciEval"][0])
    questions = {row["question"]: row["answer"] for row in collect(["SciEval"], tmp_path)[0]}
    assert questions == {"Which?\n\nA. a": "A", "base: X\nWhat is the optimal solvent?": "Y"}


def test_gpqa_options_stand_in_an_order_of_the_question_and_the_gold_is_their_letter(tmp_path: Path) -> None:
    write(tmp_path, "GPQA", [GPQA])
    row = next(collect(["GPQA"], tmp_path)[0])
    line = next(line for line in row["question"].splitlines() if line.endswith(" right"))
    assert line[0] == row["answer"]
    assert json.loads(row["metadata"])["kind"] == "choice"


def test_repeated_questions_are_dropped_over_sources_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "MATH", [{"problem": "What is $1 + 1$?"}, {"problem": "what is $1+1$"}, {"problem": "Other"}])
    write(tmp_path, "s1-prob", [{"question": "Other!"}, {"question": "New"}])
    stream, counts = collect(["MATH", "s1-prob"], tmp_path)
    assert [row["question"] for row in stream] == ["What is $1 + 1$?", "Other", "New"]
    assert (counts["MATH"].repeated, counts["s1-prob"].repeated) == (1, 1)


def test_a_sampled_source_is_drawn_by_seed_whatever_its_order(tmp_path: Path) -> None:
    records = [{"input": f"### Clue: Word {n}", "output": str(n)} for n in range(1100)]
    write(tmp_path, "xword", records)
    stream, counts = collect(["xword"], tmp_path, seed=5)
    first = {row["id"] for row in stream}
    assert len(first) == 1000
    assert counts["xword"].not_drawn == 100
    write(tmp_path, "xword", records[::-1])
    assert {row["id"] for row in collect(["xword"], tmp_path, seed=5)[0]} == first
    assert {row["id"] for row in collect(["xword"], tmp_path, seed=6)[0]} != first


def test_repairs_and_missing_figures_are_counted_and_kept_on_the_row(tmp_path: Path) -> None:
    write(tmp_path, "MATH", [{"problem": "Find \x08inom{4}{2} in the figure below."}, {"problem": ""}])
    stream, counts = collect(["MATH"], tmp_path)
    row = next(stream)
    assert row["question"] == "Find \\binom{4}{2} in the figure below."
    assert json.loads(row["metadata"]) == {"missing_figure": True, "repairs": ["control characters"]}
    assert list(stream) == []
    assert counts["MATH"].repairs == {"control characters": 1}
    assert (counts["MATH"].missing_figures, counts["MATH"].broken) == (1, 1)


def test_a_source_that_cannot_be_read_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    write(tmp_path, "s1-prob", [{"question": "Q"}])
    stream, counts = collect(["MATH", "s1-prob"], tmp_path)
    assert len(list(stream)) == 1
    assert counts["MATH"].error == f"no MATH.jsonl and no MATH.parquet in {tmp_path}"
    assert counts["s1-prob"].error is None
    with pytest.raises(UserError, match="unknown source 'Numina'; did you mean 'NuminaMATH'"):
        collect(["Numina"])


@pytest.mark.parametrize(
    ("source_type", "name"),
    [
        ("qfq/openaimath/Algebra", "MATH"),
        ("AI-MO/NuminaMath-CoT/aops_forum", "NuminaMATH"),
        ("qq8933/AIME_1983_2024", "AIME 1983-2021"),
        ("Idavidrein/gpqa", "GPQA"),
        ("qfq/stats_qual", "s1-prob"),
        ("LiveCodeBench/release_v3", "LiveCodeBench"),
        ("someone/else", "someone/else"),
    ],
)  # source: the source_type values of s1's published 59K set
def test_s1s_source_types_get_the_papers_names(source_type: str, name: str) -> None:
    assert name_of(source_type) == name
