"""Which part of a response is its answer, whatever the thinking format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.grading import grade
from harness.grading.extract.answer import extract_answer
from harness.grading.extract.parts import answer_part

CORPUS = Path(__file__).parent / "corpus"
EXTRACTED = [  # (response, answer)
    ("The answer is \\boxed{42}.", "42"),
    ("<|im_start|>think\n\\boxed{6}?\n<|im_start|>answer\nThe answer is \\boxed{5}.", "5"),
    ("It might be \\boxed{6}. Wait\n<|im_start|>answer\nFinal Answer: 42", "42"),
    ("<think>maybe \\boxed{6}</think>\n5", "5"),
    ("<|begin_of_thought|>\\boxed{1}<|end_of_thought|>\n<|begin_of_solution|>\\boxed{2}<|end_of_solution|>", "2"),
    ("\\boxed{\\frac{1}{\\sqrt{2}}}", "\\frac{1}{\\sqrt{2}}"),
    ("\\fbox{7}", "7"),
    ("\\boxed 5", "5"),
    ("\\boxed\\frac12", "\\frac12"),
    ("\\boxed{6}, wait, \\boxed{5}", "5"),
    ("\\boxed{(98,2)} \\quad \\text{and} \\quad \\boxed{(99,503)}", "(98,2), (99,503)"),
    ("**Final Answer**\n\n5", "5"),
    ("Answer: x = 5\n\nLet me know if you have questions!", "x = 5"),
    ("Final Answer: The final answer is $5$. I hope it is correct.", "$5$."),
    ("#### 18", "18"),
    ("It takes 2/2=1, total 3. #### 3", "3"),
    ("so 3+4 = 7 #### $7,000.50 ", "$7,000.50"),
    ("3+4 = 7 apples #### 8\nShe has 3 left. #### -3", "-3"),
    ("The rule of part #### 3 is used. So the answer is 5.", "5."),
    ("<answer>18</answer>", "18"),
    ('{"answer": "18"}', "18"),
    ("Respuesta final: 5", "5"),
    ("La respuesta es 18.", "18."),
    ("Die Antwort ist 18.", "18."),
    ("La réponse est 18.", "18."),
    ("答案：42", "42"),
    ("答案是6，不是5。", "6"),
    ("答えは18です。", "18です。"),
    ("Ответ: 18", "18"),
    ("So x = 3.\n\n$$x = 3$$", "$$x = 3$$"),
]


@pytest.mark.parametrize(("response", "answer"), EXTRACTED)
def test_the_stated_answer_is_found(response: str, answer: str) -> None:
    assert extract_answer(response).text == answer


@pytest.mark.parametrize(
    "response",
    [
        "<|im_start|>think\nIt might be \\boxed{5}. Wait",
        "<think>the answer is \\boxed{5}",
        "<|begin_of_thought|>\n\\boxed{5} perhaps, but",
        "<think>a</think> so <think>\\boxed{5}",
    ],
)
def test_a_thought_cut_before_any_answer_is_truncated(response: str) -> None:
    verdict = grade(response, "5")
    assert verdict.status == "truncated" and verdict.extracted is None and verdict.correct is False


@pytest.mark.parametrize(
    "response",
    [
        "",
        "   \n",
        "\\boxed{}",
        "I have run out of time. We have 12 cases left, and 5",
        "The answer is not 5.",
        "<think>\\boxed{5}</think> I give up.",
        "It is definitely not \\boxed{5}; I cannot solve this.",
        "I cannot.",
        "Sorry, I can't.",
        "<think>It may be \\boxed{5}.</think>\n\nI cannot.",
    ],
)
def test_no_stated_answer_is_no_answer(response: str) -> None:
    assert grade(response, "5").status == "no_answer"


def test_a_generation_cut_by_its_cap_is_truncated_unless_it_stated_an_answer() -> None:
    assert grade("We sum up and so the total is 5", "5", final=False).status == "truncated"
    assert grade("The answer is \\boxed{5}. Let me check", "5", final=False).status == "correct"


def test_what_a_program_prints_is_not_the_answer() -> None:
    response = "So \\boxed{8}.\n```python\nresult = f(3)\nprint(result)  # Answer: 9\n```"
    assert extract_answer(response).text == "8"


def test_the_answer_part_ends_where_the_next_turn_begins() -> None:
    assert answer_part("<|im_start|>answer\n5<|im_end|>\n<|im_start|>user\n6")[0].strip() == "5"


def test_thinking_delimiters_in_the_prompt_do_not_matter() -> None:
    """The harness's responses start inside the thought, since the prompt holds its start."""
    assert grade("hmm \\boxed{3}\n<|im_start|>answer\nFinal Answer: \\boxed{4}", "4").correct is True


def test_an_answer_in_words_is_read_and_a_denied_one_is_not() -> None:
    assert grade("Therefore, the minimum error increases by 100%.", "100\\%").correct is True
    assert grade("42 is not the answer.", "42").correct is False


def test_latex_whose_backslashes_became_control_characters_is_read() -> None:
    assert grade("\x08oxed{\x0crac{1}{2}}", "0.5").correct is True


LANGUAGES = [  # (response, gold)
    ("Paso 1: 16 - 3 - 4 = 9.\nPor lo tanto, Janet gana $18 cada día en el mercado.", "18"),
    ("La respuesta final es **18 dólares**.", "18"),
    (
        "Cuesta 50.000 más las reparaciones, y por eso el valor de la casa es de 200.000.\nLa respuesta es 70.000.",
        "70000",
    ),
    ("La réponse est donc **18 dollars**.", "18"),
    ("Elle gagne donc 9 * 2 = 18 $ par jour.", "18"),
    ("Réponse finale : 1 250 €", "1250"),
    ("Die Antwort lautet: 18 Dollar.", "18"),
    ("Das Haus und die Reparaturen kosten zusammen 130.000 Dollar.\nAlso ist der Gewinn 70.000 Dollar.", "70000"),
    ("Sie hat also insgesamt 18 Dollar verdient.", "18"),
    ("Таким образом, она зарабатывает 18 долларов в день.", "18"),
    ("Ответ: 18 долларов.", "18"),
    ("所以，她每天在农贸市场赚 18 美元。", "18"),
    ("因此，答案是 $18$ 美元。", "18"),
    ("答案：\\boxed{18}个", "18"),
    ("したがって、彼女は毎日18ドルを稼ぎます。", "18"),
    ("よって、答えは 18 ドルです。", "18"),
    ("คำตอบคือ 18 ดอลลาร์", "18"),
    ("Kwa hivyo, jibu ni $18.", "18"),
    ("উত্তর: ১৮", "18"),
    ("సమాధానం: 18", "18"),
    ("정답은 18입니다.", "18"),
    ("الإجابة هي 18.", "18"),
]


@pytest.mark.parametrize(("response", "gold"), LANGUAGES)
def test_the_answer_is_read_in_the_languages_of_mgsm(response: str, gold: str) -> None:
    verdict = grade(response, gold)
    assert verdict.correct is True, verdict


def test_a_decimal_point_in_the_response_keeps_dots_decimal() -> None:
    response = "El precio es de 3.50 dólares para cada una, por eso las dos cuestan 7.000 dólares."
    assert grade(response, "7").correct is True
    assert grade(response, "7000").correct is False


def test_what_a_response_states_is_read_and_what_it_does_not_state_is_not() -> None:
    """Responses written blind, in four styles, labelled by reading before they were run."""
    wrong = []
    for line in (CORPUS / "stated_answers.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        verdict = grade(row["response"], row["gold"], question=row.get("question", ""), final=row.get("final", True))
        if (verdict.correct is True) != row["correct"]:
            wrong.append((row, verdict))
    assert not wrong


@pytest.mark.parametrize(("wanted", "value"), [("perimeter", "40"), ("area", "96")])
def test_the_question_says_which_of_several_values_is_the_answer(wanted: str, value: str) -> None:
    for response in ("The perimeter is 40, the area is 96.", "The area is 96 and the perimeter is 40."):
        assert extract_answer(response, question=f"Find the {wanted} of the rectangle.").text == value


def test_a_loss_is_no_gain() -> None:
    response = "She made a loss of $30."
    assert grade(response, "30", question="What is her profit in dollars?").correct is False
    assert grade(response, "-30", question="What is her profit in dollars?").correct is True
    assert grade(response, "30", question="How much did she lose?").correct is True


def test_an_exclamation_mark_is_no_factorial_where_nothing_speaks_of_one() -> None:
    assert grade("The answer is 10!", "10").correct is True
    assert grade("There are $10!$ orders.", "3628800").correct is True
    assert grade("The number of permutations is 5!", "120").correct is True
