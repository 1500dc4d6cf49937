"""Written equations: the right ones, the wrong ones, and those that nobody can judge."""

import pytest
from hypothesis import given, strategies as st

from training.data.sources.gsm8k import read
from training.text.written_equations import Steps, check


@pytest.mark.parametrize(
    ("text", "written", "right"),
    [
        ("7 × 8 = 56", 1, 1),
        ("7 × 8 = 54", 1, 0),
        ("bags = 3 × 7 = 21", 1, 1),
        ("bags = 3", 0, 0),
        ("total cost = 10 × (50 + 2) = 10 × 52 = 520", 2, 2),
        ("total cost = 10 × (50 + 2) = 10 × 51 = 520", 2, 0),
        ("1/2 of 20 + 4 = 14", 0, 0),
        ("Now (3 + 4 = 7) and so -12 + 2 = -10.", 2, 2),
        ("5 apples - 3 = 2", 0, 0),
        ("34 × 6 = (30 + 4) × 6 = 30 × 6 + 4 × 6 = 180 + 24 = 204", 4, 4),
        ("3 × 6 = 18, 4 × 6 = 25", 2, 1),
        ("He has 48/2 = <<48/2=24>>24 clips.\nIn all 48+24 = <<48+24=72>>72.", 2, 2),
        ("That is 5 * $1,200.50 = $6,002.50.", 1, 1),
        ("<MUL_7_8_56>\n#### 56", 1, 1),
        ("7 × 8 = <MUL_7_8_56>", 1, 1),
        ("7 × 9 = <MUL_7_8_56>", 2, 1),
        ("5 - 1 - 1/2 = 3 1/2", 0, 0),
        ("<MUL_7_8_56> + 4 = 60", 1, 1),
        ("10 / 3 = 3.33", 1, 1),
        ("10 / 3 = 3.34", 1, 0),
        ("10 / 3 = 3", 1, 0),
        ("6 x 9 = 54 and 6 x 8 = 49", 2, 1),
        ("- 3 + 4 = 7\n* 3 + 4 = 8\n1. 2 + 2 = 4", 3, 2),
        ("-12 + 2 = -10", 1, 1),
        ("2 - (-3) = 5", 1, 1),
        ("2^3 = 8", 1, 1),
        ("20 × 50% = 10", 0, 0),
        ("3(4 + 1) = 15", 1, 1),
        ("50% of 20 = 10", 0, 0),
        ("5 apples + 3 = 8", 0, 0),
        ("x + 3 = 8", 0, 0),
        ("3x + 4 = 10", 0, 0),
        ("2 + 2 = 3x", 0, 0),
        ("2 + 2 = 4 apples", 1, 1),
        ("half = floor(21 / 2) = floor(10.5) = 10", 0, 0),
        ("day 2 = 5", 0, 0),
        ("1 / 0 = 0", 0, 0),
        ("9**9**9 = 1", 0, 0),
        ("#### 56", 0, 0),
        ("", 0, 0),
        ("= = =", 0, 0),
    ],
)
def test_equations_are_found_and_checked(text, written, right):
    assert check(text) == Steps(written, right)


def test_none_written_is_neither_right_nor_wrong():
    assert [check(text).all_right for text in ("", "2 + 2 = 4", "2 + 2 = 5\n2 + 2 = 4")] == [
        None,
        True,
        False,
    ]


@given(a=st.integers(-99, 99), b=st.integers(0, 99), sign=st.sampled_from("+-*/"), off=st.integers(1, 9))
def test_a_wrong_result_is_never_right(a, b, sign, off):
    if sign == "/" and (b == 0 or a % b):
        return
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[sign]
    assert check(f"So {abs(a)} {sign} {b} = {result}").written == 1
    assert check(f"{a} {sign} {b} = {result}") == Steps(1, 1)
    assert check(f"{a} {sign} {b} = {result + off}") == Steps(1, 0)


@given(st.text(alphabet="0123456789+-*/=()., x×%$<>a\n", max_size=60))
def test_any_text_can_be_checked(text):
    steps = check(text)
    assert 0 <= steps.right <= steps.written


def test_gsm8ks_published_answers_are_nearly_all_right(data_dir):
    found = [check(answer) for _, answer in read("test", data_dir=data_dir)]
    assert sum(steps.written for steps in found) > 2.2 * len(found)
    assert sum(steps.right for steps in found) / sum(steps.written for steps in found) > 0.97
