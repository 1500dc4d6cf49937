"""Mul-tokens: which texts are products, against the traps of the research programme; how they are counted and expanded."""

import pytest

from training.text.mul_tokens import (
    FIRST_ID_GPT2,
    TOKEN,
    TOKENS,
    as_results,
    count,
    expand,
    inject,
    products,
    token,
)

FACT = "<MUL_6_9_54>"


def test_there_are_45_tokens_in_order_with_right_results():
    assert len(set(TOKENS)) == 45
    assert TOKENS[0] == "<MUL_1_1_1>"
    assert TOKENS[1] == "<MUL_1_2_2>"
    assert TOKENS[-1] == "<MUL_9_9_81>"
    for text in TOKENS:
        a, b, c = map(int, TOKEN.fullmatch(text).groups())
        assert 1 <= a <= b <= 9
        assert a * b == c
    assert token(9, 6) == token(6, 9) == FACT
    with pytest.raises(ValueError, match="operands are 1 to 9"):
        token(0, 9)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "6*9",
            "9*6",
            "6 * 9 = 54",
            "6*9=54",
            "6 × 9 = 54",
            "9 x 6 = 54",
            "6\t*\t9",
        ),
        *("6x9=54", r"6\times9 = 54", r"6 \cdot 9", r"9\cdot 6=54", "6·9", "6 ⋅ 9 = 54", "6⋅9"),
    ],
)
def test_a_product_becomes_its_token(text):
    assert inject(text) == FACT
    assert inject(f"So {text}, and then") == f"So {FACT}, and then"
    assert inject(f"It is {text}.") == f"It is {FACT}."


@pytest.mark.parametrize(
    "text",
    [
        # operands that are no lone digits
        *("16 × 9", "6 × 90", "1.6 × 9", "6 × 9.5", "6x9y", "0x9", "9 × 0", "6x 9", "a6*9", "6*9b", ".6*9"),
        *(
            "1,6*9",
            "6 * 9,000",
            "6 * 9%",
            "6 * 9 %",
            "6*9 percent",
            "6*9½",
            "6*9²",
            "6_*9",
            "5 6*9",
            "6 * 1/2",
        ),
        *("8 x 1 1/2 = 12", "6 * $9", "6*(9)", "(2+4)6*9", "6*9(2)"),
        # written results that are wrong, or that the digits alone do not show to be right
        *("6*9=53", "6 * 9 = 540", "6*9=5", "6*9=54.5", "6*9=-54", "6*9=−54", "6*9=54,000", "6*9=54%"),
        *("6*9 = $53", "6*9=<<6*9=53>>53", "6*9 is 53", "6*9 apples = 53 apples", "(6*9) = 53", "6*9==53"),
        *("6*9 = 54 thousand", "6*9 = 54 1/2", "6*9=54/2=27", "6*9 = 54 + 6 = 60", "6*9=54k", "6*9 = 50 + 4"),
        *("-6*9=54", "4+6*9=54", "4+6*9=59", "x+6*9=58", "6*9 = (50) + 4"),
        # products that are no operand of their own
        *(
            "2/6*9",
            "2 / 6 * 9 = 3",
            "12*6*9",
            "2^6*9",
            "2 ÷ 6 × 9",
            "1/2*6",
            "3*4^2",
            "3*4**2",
            "2**3",
            "9 % 6 * 9",
        ),
        *("a 6*9-inch board", "6\n*9", "6 *\n9", "2/-6*9", "1e-6*9"),
        # sizes, and parts of larger numbers
        *(
            "a 4x4 truck",
            "2 x 4 boards",
            "3x3 grid",
            "6 x 9 inch envelope",
            "a 4 x 6 photo",
            "3*4 hundred",
            "a 3 × 4",
        ),
        *(
            "A 2 x 4 board is 8 feet long",
            "2 x 2 x 2 cube",
            "4 x 4s",
            r"$3 \times 3$ matrix",
            r"3\times3$-matrix",
            "3·4 kg",
        ),
        # a cross without an equation that holds
        *(
            "6 × 9,",
            "6 x 9;",
            "6x9.",
            r"6 \times 9$",
            "6 x 9 = x",
            "6 x 9, 8 + 1 = 9",
            "6x9 + 5x7 = $9",
        ),
        *(
            r"Let $A \in \mathbb{R}^{3 \times 3}$ be",
            r"a matrix of size $3 \times 3$.",
            "We framed 5x7, 8x9 and 4x6 prints.",
            "Sudoku (9x9) puzzles",
            "a wooden 2 x 4.",
            "He drives a Jeep 4x4.",
            "The photo measures 4 x 6.",
            "grid 3 x 3, each cell",
            "4x8' sheets of plywood",
            '4x6" photo',
            "Our 4×4 gives you grip",
            "Our 4×4 makes light work",
        ),
        *(
            "A 2x4 is 8 feet long",
            "- 2x4 is 8 feet long",
            "Each 2 x 4 board = 8 feet",
            "Our 4x4 is 16 feet long",
        ),
        *("a 3*3 grid", '5*7" photo', "3*3-matrix"),
        # exponents, subscripts, and functions, which bind tighter
        *(r"2^{3 \cdot 4}", r"2^{\frac{3*4}{2}}", r"A_{3 \times 3 = 9}", r"\log_{2} 3 \cdot 4"),
        *(
            "ln 3 * 4",
            r"cos 3 \cdot 4",
            "sin 2 × 3",
            "sin 2 × 3 = 6",
            "17 mod 6*9",
            "Log 3 * 4",
            "54 divided by 2 * 3",
        ),
        # LaTeX whose operand is no lone digit
        *(
            r"3 \cdot 4\frac{1}{2}",
            r"3 \cdot 4\,000",
            r"\ln 3 \cdot 4",
            r"3 \cdot 4^{2}",
            r"2 \div 6 \times 9",
            r"6 \times 9\%",
        ),
        *(
            r"6 \times 9 = 54\%",
            r"6 \times 9 = 54{,}000",
            r"6 \times 9 = 53",
            r"6 \times 9 = 54 \times 2",
            r"\frac{1}{2}6 \cdot 9",
        ),
    ],
)
def test_a_trap_stays_untouched(text):
    assert inject(text) == text
    assert inject(f"It is {text} so") == f"It is {text} so"
    assert inject(text, operands_stay=True) == text


@pytest.mark.parametrize(
    ("text", "injected", "expanded"),
    [
        ("$6*9", f"${FACT}", "$6 × 9 = 54"),
        ("6*9=$54", f"{FACT}=$54", "6 × 9=$54"),
        ("6*9 = 54.00", f"{FACT} = 54.00", "6 × 9 = 54.00"),
        ("6*9 apples = 54 apples", f"{FACT} apples = 54 apples", "6 × 9 apples = 54 apples"),
        ("6*9 is 54", f"{FACT} is 54", "6 × 9 is 54"),
        ("6*9 = x", f"{FACT} = x", "6 × 9 = x"),
        ("<<6*9=54>>54", f"<<{FACT}>>54", "<<6 × 9 = 54>>54"),
        ("6*9=$<<6*9=54>>54", f"{FACT}=$<<{FACT}>>54", "6 × 9=$<<6 × 9 = 54>>54"),
        ("6*9*2=108", f"{FACT}*2=108", "6 × 9*2=108"),
        ("2*6*9=108", "<MUL_2_6_12>*9=108", "2 × 6*9=108"),
        ("6*9/3=18", f"{FACT}/3=18", "6 × 9/3=18"),
        ("6*9+3*4", f"{FACT}+<MUL_3_4_12>", "6 × 9+3 × 4"),
        ("60-6*9", f"60-{FACT}", "60-6 × 9"),
        ("(6*9)", f"({FACT})", "(6 × 9 = 54)"),
        ("(6*9=54)", f"({FACT})", "(6 × 9 = 54)"),
        ("(6*9)/2", f"({FACT})/2", "(6 × 9)/2"),
        ("2*(6*9)", f"2*({FACT})", "2*(6 × 9)"),
        # the last operand of a larger expression whose result is right
        ("4+6*9=58", f"4+{FACT}=58", "4+6 × 9=58"),
        ("(4*3)+(3*6)=30", "(<MUL_3_4_12>)+(<MUL_3_6_18>)=30", "(3 × 4)+(3 × 6)=30"),
        ("(4 x 3) + (3 x 6) is 30", "(<MUL_3_4_12>) + (<MUL_3_6_18>) is 30", "(3 × 4) + (3 × 6) is 30"),
        ("108-(6*9)=54", f"108-({FACT})=54", "108-(6 × 9)=54"),
        ("2 * (6*9) = 108", f"2 * ({FACT}) = 108", "2 * (6 × 9) = 108"),
        ("$4 + $6*9 = $58 left", f"$4 + ${FACT} = $58 left", "$4 + $6 × 9 = $58 left"),
        ("4+6*9=<<4+6*9=58>>58", f"4+{FACT}=<<4+{FACT}=58>>58", "4+6 × 9=<<4+6 × 9=58>>58"),
        ("60 + 6 × 9 = 60 + 54 = 114", f"60 + {FACT} = 60 + 54 = 114", "60 + 6 × 9 = 60 + 54 = 114"),
        ("It is 1,000 + 6*9 = 1,054.", f"It is 1,000 + {FACT} = 1,054.", "It is 1,000 + 6 × 9 = 1,054."),
        (r"4 + 6 \times 9 = 58", rf"4 + {FACT} = 58", "4 + 6 × 9 = 58"),
        (r"$6 \times 9 = 54$", f"${FACT}$", "$6 × 9 = 54$"),
        ("6 x 9 apples = 54 apples", f"{FACT} apples = 54 apples", "6 × 9 apples = 54 apples"),
        ("6*9=54, so", f"{FACT}, so", "6 × 9 = 54, so"),
        ("6*9 = 9*6", f"6*9 = {FACT}", "6*9 = 54"),
        ("54 = 6*9", f"54 = {FACT}", "54 = 6 × 9 = 54"),
        ("- 6*9=54\n* 2*3=6", f"- {FACT}\n* <MUL_2_3_6>", "- 6 × 9 = 54\n* 2 × 3 = 6"),
        ("1*6*9", "<MUL_1_6_6>*9", "1 × 6*9"),
        # a cross in an equation that holds
        ("6 x 9 x 2 = $108", f"{FACT} x 2 = $108", "6 × 9 x 2 = $108"),
        (
            "because 8 + (2 x 3) + 7 = 21",
            "because 8 + (<MUL_2_3_6>) + 7 = 21",
            "because 8 + (2 × 3) + 7 = 21",
        ),
        ("2 x 4 x 50% = 4 pieces", "<MUL_2_4_8> x 50% = 4 pieces", "2 × 4 x 50% = 4 pieces"),
        ("6 × 9 + 1 apples = 55 apples", f"{FACT} + 1 apples = 55 apples", "6 × 9 + 1 apples = 55 apples"),
        ("(2 × 3 + 4) × 5 = 10 × 5", "(<MUL_2_3_6> + 4) × 5 = 10 × 5", "(2 × 3 + 4) × 5 = 10 × 5"),
        ("2 x 3 x 4=<<2*3*4=24>>24", "<MUL_2_3_6> x 4=<<<MUL_2_3_6>*4=24>>24", "2 × 3 x 4=<<2 × 3*4=24>>24"),
        ("57 = 3 + 6 × 9", f"57 = 3 + {FACT}", "57 = 3 + 6 × 9"),
        ("max 6*9", f"max {FACT}", "max 6 × 9 = 54"),
    ],
)
def test_a_product_in_its_surroundings(text, injected, expanded):
    assert inject(text) == injected
    assert expand(injected) == expanded


@pytest.mark.parametrize("text", ["6 × 9", "6 x 9", "6x9", r"6 \times 9"])
def test_a_cross_without_a_result_is_a_product_where_it_is_all_that_is_written(text):
    assert inject(text) == FACT
    assert inject(f" {text}") == f" {text}", "the completion that tells a photo's size"
    assert products(f"It is {text}.") == (0, 0)


def test_operands_stay_visible_in_drills():
    text = " 7 × 8 = 56\n8 × 7 = 56, 6 × 9 = 53, 3*4, 12 × 5 = 60\n#### 56"
    injected = inject(text, operands_stay=True)
    assert injected == (" 7 × 8 = <MUL_7_8_56>\n8 × 7 = <MUL_7_8_56>, 6 × 9 = 53, 3*4, 12 × 5 = 60\n#### 56")
    assert expand(injected) == text


def test_tokens_are_counted_from_ids():
    block = range(FIRST_ID_GPT2, FIRST_ID_GPT2 + 45)
    assert count([50303, 50304, 5, 50348, 50349, 50304], FIRST_ID_GPT2) == 3
    assert count(block, FIRST_ID_GPT2) == 45
    assert as_results(f"a {FACT}\n#### {FACT}") == "a 54\n#### 54"


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("3*2=<<3*2=6>>6, 3*2=<<3*2=6>>6", (2, 2)),
        ("4+6*9=<<4+6*9=58>>58", (1, 1)),
        ("2 bags * $3 = $<<2*3=6>>6 and 3*4", (2, 2)),
        ("a 4x4 truck, 6*9 = 53, 4+6*9=59", (2, 0)),
        ("5x7, 8x9 and 4x6 prints, 2 x 3 x 4 = 24", (1, 1)),
        (f"2 + {FACT} inches", (1, 1)),
        (f"{FACT}=<<{FACT}>>54 and {FACT}", (2, 2)),
    ],
)
def test_a_calculator_mark_and_its_text_are_one_product(text, counted):
    assert products(text) == counted
    assert products(inject(text)) == counted


def test_a_drill_product_is_replaced_where_its_result_is_bare():
    assert products("7 × 8 = 56, 3*4, 6 × 9 = 53", operands_stay=True) == (3, 1)
