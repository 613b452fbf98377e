"""Hostile input ends in a status within its limit, in any thread, actor or process; nothing is ever run as code."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.grading import grade, grade_answer
from harness.grading.compare import symbolic as symbolic_tier
from harness.grading.compare.symbolic import Pool, SymbolicTimeoutError, WorkerStartError
from harness.grading.grader import CACHE, INTERNAL
from harness.grading.grammar.nodes_json import encode
from harness.grading.grammar.parser import parse
from harness.grading.limits import SYMBOLIC_MEMORY_MB, SYMBOLIC_SECONDS

N = 20_000
LONG = {
    "digits": "1" * 100_000,
    "nested fractions": "\\frac{1}{" * N + "5" + "}" * N,
    "nested text": "\\text{" * N,
    "nested boxes": "\\boxed{" * N + "5" + "}" * N,
    "brackets": "(" * N,
    "unclosed braces": "{" * 100_000,
    "backslashes": "\\" * 60_000,
    "stars": "*" * 80_000,
    "dollars": "$" * N,
    "cues": "Answer: " * N,
    "answer is": "answer is " * N,
    "commas": "1," * 50_000,
    "minus signs": "-" * 20_000 + "5",
    "options": "(A) is " * N,
    "quotes": "'" * N + "A",
    "control characters": "\x08\x00\x1b" * N,
    "surrogates": "\ud800" * N,
    "superscripts": "²" * N,
}
BOMBS = (
    "9**9**9**9",
    "9^{9^{9^9}}",
    "(10^9)!",
    "((3!)!)!!",
    "99999999!",
    "\\binom{1000000000}{500000000}",
    "1e999999999",
    "5^{(5^{(5^{(5^5)})})}",
    "\\dfrac{5^{\\left(5^{\\left(5^{\\left(5^5\\right)}\\right)} - 4\\right)} - 5}{16}",
    "(x+y+z)^{200}",
    "\\cos(\\frac{\\pi}{65537})",
    "\\Gamma(10^{8})",
    "1/(1-1)",
    "\\frac{0}{0}",
    "\\infty-\\infty",
    "x^{" * 30 + "x" + "}" * 30,
    "\\sin(" * 35 + "x" + ")" * 35,
    "+".join(f"\\sqrt{{{k}}}" for k in range(2, 300)),
    "\\log(\\log(10^{10^{10}}))",
    "\\gcd(10^{10000}+1, 3^{20000})",
    "\\zeta(101)",
)
ENDLESS_SUM = "\\sum_{n=1}^{10^9} \\frac{1}{n^2}"
# Whether sympy gives this one up before its deadline depends on the machine: either way it is not graded correct.
HARD_INTEGRAL = "\\int_0^1 x^x e^{x^{x}} dx"


@pytest.mark.parametrize("name", LONG)
def test_long_and_broken_input_ends_in_a_status_at_once(name: str) -> None:
    text = LONG[name]
    start = time.process_time()
    verdicts = [grade(text, "5"), grade_answer(text, "5"), grade(text, "B", "choice"), grade_answer("5", text)]
    assert time.process_time() - start < 4.0
    assert all(INTERNAL not in v.reason for v in verdicts)


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_by_their_limits_at_once(bomb: str) -> None:
    start = time.process_time()
    verdict = grade(f"The answer is \\boxed{{{bomb}}}.", "42")
    assert time.process_time() - start < 1.0
    assert verdict.correct is False and INTERNAL not in verdict.reason


@pytest.mark.parametrize(
    ("bomb", "statuses"),
    [(ENDLESS_SUM, {"undecided"}), (HARD_INTEGRAL, {"undecided"})],
)
def test_what_sympy_cannot_finish_ends_at_its_budget_of_work(bomb: str, statuses: set[str]) -> None:
    start = time.monotonic()
    assert grade_answer(bomb, "42").status in statuses
    assert time.monotonic() - start < SYMBOLIC_SECONDS
    assert grade_answer("\\int_0^2 x\\,dx", "2").status == "correct"


def test_one_input_has_one_verdict_on_an_idle_and_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget counts calls, so that neither load nor what was asked before moves it."""
    from harness.grading.compare import symbolic_worker
    from harness.grading.compare.symbolic_worker import answered

    monkeypatch.setattr(symbolic_worker, "MAX_SYMBOLIC_CALLS", 20_000)
    question = {"a": encode(parse("\\int_0^1 x^x e^{x^{x}} dx")), "b": encode(parse("42"))}
    first = answered(question)
    assert answered(question) == first
    assert "MAX_SYMBOLIC_CALLS=20000" in first["reason"]
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        assert answered(question) == first
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_timeout_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic_tier.POOL, "ask", _late)
    CACHE.verdicts.clear()
    assert grade_answer("\\int_0^1 x\\,dx", "42").status == "answer_timeout"
    assert not CACHE.verdicts


def _late(question: object) -> None:
    raise SymbolicTimeoutError("the symbolic worker was killed at its deadline")


def test_what_lies_in_the_working_folder_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for name in ("random", "json", "sympy"):
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\nraise SystemExit(1)\n")
    root = Path(symbolic_tier.__file__).resolve().parents[3]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from harness.grading import grade_answer; print(grade_answer('\\\\int_0^2 x\\\\,dx', '2').status)"
    )
    out = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "correct" and not marker.exists()


def test_a_worker_that_cannot_start_is_a_fault_of_the_installation_not_a_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(symbolic_tier, "POOL", Pool("harness.grading.no_such_module"))
    CACHE.verdicts.clear()
    with pytest.raises(WorkerStartError, match="no_such_module"):
        grade_answer("\\int_0^2 x\\,dx", "2")


def test_a_verdict_is_remembered_by_content() -> None:
    CACHE.verdicts.clear()
    first = grade_answer("\\sqrt{8}", "2\\sqrt{2}")
    assert grade("so \\boxed{\\sqrt{8}}", "2\\sqrt{2}") is first
    assert grade_answer("\\sqrt{8}", "2\\sqrt{2}", strict=True) is not first


def test_code_is_never_run(tmp_path: Path) -> None:
    target = tmp_path / "pwned"
    for attack in (
        f"__import__('os').system('touch {target}')",
        f"open('{target}','w')",
        f"\\sum_{{k=1}}^{{2}} __import__('os').system('touch {target}')",
        f"\\int_0^1 exec(\"open('{target}','w')\") dx",
        "().__class__.__base__.__subclasses__()",
        "\\input{/etc/passwd}",
    ):
        assert grade_answer(attack, "5").correct is False
        assert grade(f"\\boxed{{{attack}}}", "5").correct is False
    assert not target.exists()


def test_it_works_in_threads_that_share_the_workers() -> None:
    CACHE.verdicts.clear()
    results: dict[int, bool | None] = {}

    def work(n: int) -> None:
        results[n] = grade_answer(f"\\int_0^{{{n}}} 2x\\,dx", str(n * n)).correct

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(2, 6), True)


def _in_child(queue: multiprocessing.Queue[str]) -> None:
    queue.put(grade_answer("\\int_0^7 2x\\,dx", "49").status)


def test_a_forked_process_starts_its_own_workers() -> None:
    assert grade_answer("\\int_0^5 2x\\,dx", "25").correct is True
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == "correct"
    child.join()


def test_workers_end_with_their_process() -> None:
    code = (
        "from harness.grading import grade_answer; from harness.grading.compare.symbolic import POOL;"
        "grade_answer('\\\\int_0^3 2x dx', '9'); print(POOL._idle[0].process.pid)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(out.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_worker_killed_from_outside_costs_one_timeout() -> None:
    pool = Pool(size=1)
    question = {"a": ["Num", ["Q", "1"], None], "b": ["Num", ["Q", "1"], None]}
    assert pool.ask(question)["equal"] is True
    pool._idle[0].process.kill()
    pool._idle[0].process.wait()
    with pytest.raises(SymbolicTimeoutError):
        pool.ask(question)
    assert pool.ask(question)["equal"] is True
    pool.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux tells another process's limits")
def test_a_worker_cannot_take_more_memory_than_its_limit() -> None:
    pool = Pool(size=1)
    assert pool.ask({"a": encode(parse("1")), "b": encode(parse("1"))})["equal"] is True
    limit = resource.prlimit(pool._idle[0].process.pid, resource.RLIMIT_AS)
    assert limit == (SYMBOLIC_MEMORY_MB << 20, SYMBOLIC_MEMORY_MB << 20)  # the kernel's own word
    tower = parse("\\int (((x+y+z)^{400}+y+z)^{400}+x+z)^{400}\\,dx")
    try:
        answer = pool.ask({"a": encode(tower), "b": encode(parse("7"))})
        assert answer["equal"] is not True
    except SymbolicTimeoutError as error:
        assert "killed" in str(error) or "limit" in str(error)  # noqa: PT017  either end is right
    pool.close()
    assert symbolic_tier.POOL.size >= 1
