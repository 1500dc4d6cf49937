"""Answer extraction, comparison of numbers, and repetition; docs/decisions/060 argues each notation."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from training.data.sources.gsm8k import read
from training.text.answers import RULES, extract_answer, read_answer, same_number, value
from training.text.repetition import repeats


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so 5\n#### 42", "42"),
        ("#### 42 and then 7", "42"),
        ("#### 1,234,567", "1234567"),
        ("#### $1,000.00", "1000"),
        ("#### 72.", "72"),
        ("#### -5", "-5"),
        ("#### −5", "-5"),
        ("#### $-5", "-5"),
        ("#### -$5", "-5"),
        ("#### +5", "5"),
        ("#### .5", "0.5"),
        ("#### 2.50", "2.5"),
        ("####7", "7"),
        ("The answer is 12. Then 3 more", "12"),
        ("the answer is: $12", "12"),
        ("THE ANSWER IS -3", "-3"),
        ("3 + 4 = 7", "7"),
        ("she has 10-3", "3"),
        ("it is 5 below: -5", "-5"),
        ("#### none, but 8", "8"),
        ("<MUL_6_9_54>", "54"),
        ("2 + <MUL_6_9_54>\n#### <MUL_7_8_56>", "56"),
        ("100.0", "100"),
        ("-0", "0"),
        ("no number", None),
        ("", None),
    ],
)
def test_the_final_number_is_found_and_normalised(text, answer):
    assert extract_answer(text) == answer


NOTATIONS = {
    "1/2": "0.5", "3/4 of a cup": "0.75", "1/3": "1/3", "-1/2": "-0.5", "84/2": "42", "10 / 2": "5", "1∕2": "0.5",
    r"\frac{1}{2}": "0.5", r"\dfrac{3}{4}": "0.75", r"\tfrac 1 4": "0.25", r"\frac12": "0.5", r"-\frac{1}{2}": "-0.5",
    r"\frac{-1}{2}": "-0.5", r"2\frac{1}{2}": "2.5", "1 1/2": "1.5", "-1 1/2": "-1.5", "1½": "1.5", "½": "0.5", "2 ⅓": "7/3",
    "1e3": "1000", "1E+3": "1000", "1.5e-3": "0.0015", r"1.5 \times 10^{3}": "1500", "10^3": "1000", "3 × 10⁻²": "0.03",
    "1,234": "1234", "1{,}234": "1234", r"1,\!234": "1234", r"1\,234": "1234", "1\u202f234": "1234", "1'234'567": "1234567",
    "1_000": "1000", "1 000 000": "1000000", "1.234.567": "1234567", "1.234,50": "1234.5", "12,34": "1234",
    "−5": "-5", "–5": "-5", "‑5": "-5", "－5": "-5", "$-5": "-5", "-$5": "-5", "(-5)": "-5", "--5": "5",
    "60%": "60", r"50\%": "50", "€5": "5", "5 €": "5", "£1,000.50": "1000.5", "US$5": "5", "USD 5": "5", r"\$42": "42", "50 cents": "50",
    "42.": "42", "42!": "42", "**42**": "42", "`42`": "42", "$42$": "42", r"\(42\)": "42", r"\textbf{42}": "42", "~42": "42",
    "42 apples": "42", "5km": "5", "25 cm^2": "25", "25 cm²": "25", r"15 \text{ cm}^2": "15", "60 km/h": "60", "5 million": "5",
    "４２": "42", "１，２３４．５": "1234.5", "٤٢": "42", "4\u200b2": "42", "00042": "42", "-0.0": "0", "x = 42": "42",
    "\x1b[1;32m42\x1b[0m": "42", "4\x1b[31m2": "42", r"\033[1m42\033[0m": "42", "[1;32m42[0m": "42", "\x1b]8;;http://a1.b\x1b\\42": "42",
    "<MUL_2_9_18>": "18", "-<MUL_2_9_18>": "-18", "$<MUL_2_9_18>.": "18",
    "$<MUL_6_7_42>.00": "42", "<MUL_6_7_42>.00": "42", "<MUL_6_7_42>.0.": "42",
}  # fmt: skip


@pytest.mark.parametrize("before", ["#### ", "The answer is ", "so we get = ", r"so \boxed{"])
@pytest.mark.parametrize("written", NOTATIONS)
def test_a_notation_means_the_same_wherever_it_stands(before, written):
    after = "}" if before.endswith("{") else ""
    assert extract_answer(f"2 of 3.\n{before}{written}{after}") == NOTATIONS[written]


NO_NUMBERS = [
    "10:30", "10:30 pm", "10:30:15", "3:4", "2024-01-15", "1/15/2024", "1.2.3", "1/0", r"\frac{1}{0}", "5^2", "5²", "1e999999",
    r"\sqrt{16}", r"\sqrt 16", "√16", r"2\sqrt{3}", "2 √9", r"\sqrt[3]{27}",
    "1<MUL_2_9_18>", "<MUL_2_9_18>0", "1.<MUL_2_9_18>", "<MUL_2_9_18>.5", "<MUL_2_9_18>.05", "<MUL_2_9_18>.00.5", "<MUL_2_9_18>,000",
]  # fmt: skip


@pytest.mark.parametrize("written", NO_NUMBERS)
def test_what_only_looks_like_a_number_is_no_answer(written):
    assert read_answer(f"5 + 3 = 8\n#### {written}") == (None, "mark")
    assert read_answer(f"5 + 3 = 8. The answer is {written}") == (None, "words")
    assert extract_answer(f"5 + 3 = 8, at {written}") == "8"
    assert extract_answer(written) is None
    assert value(written) is None


@pytest.mark.parametrize(
    "name",
    [
        "<|unused_420|>", "<|unused_420", "<unused42>", "<extra_id_7>", "<0x0A>", "[unused12]", "<|reserved_special_token_9|>",
        "<MUL_9_2_18>", "<MUL_2_9_17>", "<MUL_2_9", "x2", "x_2", "x_{2}", "H2O", "cm^2", "\x1b[31m", "\x1b[0m", "\x1b[4", r"\x1b[33m",
    ],
)  # fmt: skip
def test_digits_of_names_and_codes_are_no_answer(name):
    assert extract_answer(name) is None
    assert extract_answer(f"it is 5 {name}") == "5"


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        ("#### 6 * 7 = 42", "42", "mark"),
        ("#### 6×7=<MUL_6_7_42>", "42", "mark"),
        ("#### 6*7=<<6*7=42>>42", "42", "mark"),
        ("#### 6 boxes * 7 = 42 apples", "42", "mark"),
        ("#### 42 = 6 * 7", "42", "mark"),
        ("#### 6 + 7 = 13 - 1 = 12", "12", "mark"),
        ("#### 2 × 3 = 6, 6 + 1 = 7", "7", "mark"),
        ("#### 84 / 2 = 42", "42", "mark"),
        ("#### 84 : 2 = 42", "42", "mark"),
        (r"#### \sqrt{16} = 4", "4", "mark"),
        ("#### 3 : 4", None, "mark"),
        ("The answer is 3 : 4", None, "words"),
        ("Step 1 : 5", "5", "last_number"),
        ("#### 42 : as asked", "42", "mark"),
        ("#### 8 1 = 12", "12", "mark"),
        ("#### 1000-10-20 = 970", "970", "mark"),
        ("#### 6 * 7", None, "mark"),
        ("#### 6 * 7 =", None, "mark"),
        ("#### 5-7", None, "mark"),
        ("#### 42 apples - 7 more than before", "42", "mark"),
        ("#### 42 - that is it", "42", "mark"),
        ("#### 42, as 6 + 6 = 12", "42", "mark"),
        ("#### 42\n6 * 8 = 48", "42", "mark"),
        ("The answer is 6 * 7 = 42.", "42", "words"),
        ("#### $12/hour * 8 hours = $96", "96", "mark"),
        ("#### 2 hours * 60 miles/hour = 120 miles", "120", "mark"),
        ("The answer is 9 eggs/day * $2/egg = $18/day", "18", "words"),
        ("#### 3/4 of 20 = 15", "15", "mark"),
        ("#### 3/4 of 20", "0.75", "mark"),
        ("The answer is 20% of 50 = 10", "10", "words"),
        ("The answer is 3 times 4 = 12", "12", "words"),
        ("The answer is 3 times (2 + 2) = 12", "12", "words"),
        ("The answer is 5 plus 6 equals 11.", "11", "words"),
        ("The answer is 5 apples plus 6 pears", "5", "words"),
        ("The answer is 8 hours a day * 5 days = 40 hours", "40", "words"),
        ("#### 5 cm^2 + 3 cm^2 = 8 cm^2", "8", "mark"),
        ("#### 2x = 10, x = 5", "5", "mark"),
        ("#### 10 = 5x, so x = 2", "2", "mark"),
        ("#### x = 5, y = 3", "5", "mark"),
        ("#### 42 (6 * 8 = 48)", "42", "mark"),
        ("#### 42 because 6 * 8 = 48", "42", "mark"),
        ("#### 42 - the sum of 6 + 7 = 13", "42", "mark"),
        ("The answer is 5 at x = 3", "5", "words"),
        ("The answer is 42 apples. 6 * 8 = 48", "42", "words"),
        ("The answer is 60 minutes = 1 hour", "1", "words"),
        ("#### 1.5 hours = 1 hour 30 minutes", "1.5", "mark"),
        ("#### 1.5 hours = 1 hour, 30 minutes", "1.5", "mark"),
        ("#### 1 hour and 30 minutes = 90 minutes", "90", "mark"),
        ("#### 60 minutes = 1 hour and 5 more", "1", "mark"),
        ("#### 1 hour 30 minutes", "1", "mark"),
        ("The answer is 5. No wait, the answer is 6.", "6", "words"),
        ("The answer is 5. No wait, it is 6.", "6", "words"),
        ("The answer is 5. Actually, it should be 6", "6", "words"),
        ("The answer is 5, no, 6.", "6", "words"),
        ("The answer is 5. Correction: 6", "6", "words"),
        ("The answer is 5. Oops, I meant $6 for 3", "6", "words"),
        ("The answer is 5. Actually, that's 6, 1 more", "6", "words"),
        ("The answer is 5. Actually, the total is 6, 1 more", "6", "words"),
        ("The answer is 5. Wait, it is not 5 but 6", "6", "words"),
        ("The answer is 5. Wait, it is 6, because 3 + 4 = 7 is 1 more", "6", "words"),
        ("The answer is 5. Wait, it is 3 days, so 3 * 4 = 12", "12", "words"),
        ("The answer is 5. Wait, 3 + 3 = 6 in 2 days", "6", "words"),
        ("The answer is 5. Actually 5 eggs broke, so 18 - 5 = 13.", "13", "words"),
        ("The answer is 5. Wait, that's not right: 3 * 2 = 6", "6", "words"),
        ("The answer is 5. Wait, 6 * 7", "5", "words"),
        (
            "The answer is 18. Let me double check: 9*2=18. Actually that's right since 16-7=9.",
            "18",
            "words",
        ),
        ("The answer is $18.\nActually, I can verify: 18/2 = 9.", "18", "words"),
        ("The answer is 18. Wait, I should double-check with 16 eggs.", "18", "words"),
        ("The answer is 18, actually it is $18 per day for 1 day", "18", "words"),
        ("The answer is 5, rather than 6.", "5", "words"),
        ("The answer is 10. Sorry for 2 mistakes", "10", "words"),
        ("The answer is 5.\nThe final answer is 6.", "6", "words"),
        ("The answer is 12. They wait 3 days", "12", "words"),
        ("**Final Answer:** 42 after 3 days", "42", "words"),
        ("### Final Answer\n42 after 3 days", "42", "words"),
        ("ANSWER: 42\n7", "42", "words"),
        ("Answer: $42$, for 3", "42", "words"),
        ("The answer to the question is 42, not 43", "42", "words"),
        ("The answer is that she has 12 apples and 3 pears", "12", "words"),
        ("convert the answer to weeks: 28 days / 7 = 4 weeks", "4", "last_number"),
        ("the answer is not 5 but 6", "6", "last_number"),
        ("the answer isn't 5; 6", "6", "last_number"),
        (r"\boxed{5} then \boxed{x = 6}, 7 left", "6", "boxed"),
        (r"The answer is \boxed{\frac{3}{4}} of 8", "0.75", "boxed"),
        (r"\boxed{A} so 6", "6", "last_number"),
        (r"\fbox{5} of 6", "5", "boxed"),
        (r"\boxed{5" + "\n#### 6", "6", "mark"),
        ("#### 5\n#### 6", "5", "mark"),
        ("#### 5\nWait, #### 6", "6", "mark"),
        ("#### 5. No wait, the answer is 6.", "5", "mark"),
        ("#### none\n#### 6", "6", "mark"),
        ("##### 42 of 43", "42", "mark"),
        ("#### -> 42 of 43", "42", "mark"),
        ("#### <42> of 43", "42", "mark"),
        ("The answer is, of course, 42, not 43", "42", "words"),
        ("#### - 5", "-5", "mark"),
        ("####\n42", "42", "mark"),
        ("#### 3rd", "3", "mark"),
        ("5 on the 3rd", "5", "last_number"),
        ("- 5 apples\n- 7 pears", "7", "last_number"),
        ("x = - 5", "-5", "last_number"),
        ("10 -3", "-3", "last_number"),
        ("from 5 – 7", "7", "last_number"),
        ("5–7", "7", "last_number"),
        ("well—5", "5", "last_number"),
        ("No.5", "5", "last_number"),
        ("5 2/1", "2", "last_number"),
        ("350 000 people", "350000", "last_number"),
        ("5 100 dollar bills", "100", "last_number"),
        ("<MUL_6_9_54><MUL_7_8_56>", "56", "last_number"),
        ("so 6*9=<<6*9=54>>.", "54", "last_number"),
        ("so 5\nUser: What is 3 + 4?\nAssistant: 7", "5", "last_number"),
        ("The answer is 5.\nQuestion: 3 + 4?\nThe answer is 7", "5", "words"),
        ("so 5<|endoftext|>The 3", "5", "last_number"),
        ("0." + "3" * 5000, "0." + "3" * 1998, "last_number"),
        ("nothing", None, "none"),
    ],
)
def test_the_rule_that_found_an_answer_is_told(text, answer, rule):
    assert read_answer(text) == (answer, rule)


@pytest.mark.parametrize(
    "part",
    ["1 ", "1/", "1,", "1.", "1e", "1:", "1 : ", "√", "1 √", r"\sqrt{", "1 and ", "1*", "1 1/2 ", "<", "<|", "<<", "-", "{", "$", " ", "½", "²", "\x1b[", r"\frac{", r"\boxed{",
     r"\text{", "#### ", "#### 1 + ", "the answer is ", "the answer is 5. wait ", "wait, it is 6 * ", "wait = 10:30 ", "1 of ", "1 hour ", "a=", "<MUL_2_9_18>", "1'000", "9"],
)  # fmt: skip
def test_reading_a_text_that_repeats_takes_time_in_proportion(part):
    """Several times what a GRPO rollout holds; a pattern that backtracks would take hours."""
    assert read_answer("#### 42\n" + part * 3000) == ("42", "mark")
    assert read_answer("so 42\n" + part * 3000).rule in RULES
    assert read_answer("The answer is 42.\n" + part * 3000).rule in RULES


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("42", "42.0", True),
        ("1,000", "1000", True),
        ("$5", "5", True),
        ("-5", "5", False),
        ("−5", "-5", True),
        ("5.", "5", True),
        ("0.1", "0.10", True),
        ("54", "54.5", False),
        (".5", "1/2", True),
        ("1/3", "2/6", True),
        ("1/3", "0.3333", False),
        ("1e3", "1,000", True),
        ("5 apples", "5", False),
        ("5", "5 6", False),
        (None, "5", False),
        (None, None, False),
        ("abc", "abc", False),
        ("nan", "nan", False),
        ("Infinity", "Infinity", False),
    ],
)
def test_numbers_are_compared_by_value(a, b, same):
    assert same_number(a, b) is same


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_grader_agrees_with_every_published_answer(data_dir, split):
    """The reference is the published evaluation code: `#### (-?[0-9.,]+)` without its commas."""
    problems = read(split, data_dir=data_dir)
    assert problems
    for _, text in problems:
        reference = re.search(r"#### (\-?[0-9\.\,]+)", text)[1].replace(",", "")
        assert same_number(extract_answer(text), reference), text
        assert float(extract_answer(text)) == float(reference)


def test_the_grader_agrees_with_published_labels():
    """OpenAI's labels of four models' solutions to GSM8K's test problems: a sample, with every one that reads fractions."""
    file = Path(__file__).parents[2] / "data" / "gsm8k" / "example_model_solutions.jsonl"
    problems = [json.loads(line) for line in file.read_text().splitlines()]
    graded = [
        (
            extract_answer(solution["solution"]),
            extract_answer(problem["ground_truth"]),
            solution["is_correct"],
        )
        for problem in problems
        for solution in problem.values()
        if isinstance(solution, dict)
    ]
    assert len(graded) == 4 * len(problems) >= 160
    assert {label for *_, label in graded} == {True, False}
    assert [label for given, right, label in graded if same_number(given, right) != label] == []


def test_a_value_is_exact():
    assert value("0.1") == Fraction(1, 10)
    assert value("-1 1/3") == Fraction(-4, 3)


def test_a_word_trigram_three_times_is_repetition():
    assert repeats("a b c a b c a b c")
    assert repeats("x x x x x")
    assert not repeats("x x x x")
    assert not repeats("a b c d a b c e a b")
    assert repeats("one two three, one two three, one two three,")
    assert not repeats("")
