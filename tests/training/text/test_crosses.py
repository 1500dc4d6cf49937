r"""What tells a product that is written with x, × or \times from a size: every kind, with both."""

import pytest

from training.text.mul_tokens import TOKEN, expand, inject, products

FACT = "<MUL_6_9_54>"


@pytest.mark.parametrize(
    ("text", "injected"),
    [
        # its own right result
        ("6 x 9 is 54", f"{FACT} is 54"),
        ("so 6 x 9 makes 54, and", f"so {FACT} makes 54, and"),
        ("6x9 gives 54.", f"{FACT} gives 54."),
        ("each 6 x 9 = 54", f"each {FACT}"),
        (r"6 \times 9 = \boxed{54}", rf"{FACT} = \boxed{{54}}"),
        (r"$6 \times 9 = \boxed{54}$.", rf"${FACT} = \boxed{{54}}$."),
        (r"6 * 9 = \boxed{54}", rf"{FACT} = \boxed{{54}}"),
        (r"6 \times 9 = \$54", rf"{FACT} = \$54"),
        (r"$6 \times 9$ = 54", f"${FACT}$ = 54"),
        # that of the expression
        (r"4 + 6 \times 9 = \boxed{58}", rf"4 + {FACT} = \boxed{{58}}"),
        (r"6 \times 9 \times 2 = \boxed{108}", rf"{FACT} \times 2 = \boxed{{108}}"),
        (r"6 \times 9 + 1 = \boxed{55}", rf"{FACT} + 1 = \boxed{{55}}"),
        # beside +, - or /
        ("4 + 6 x 9", f"4 + {FACT}"),
        ("It is 4 + 6 x 9.", f"It is 4 + {FACT}."),
        ("6 x 9 + 4,", f"{FACT} + 4,"),
        ("4 + 6 × 9 apples", f"4 + {FACT} apples"),
        ("(3 x 4) + (6 x 9)", f"(<MUL_3_4_12>) + ({FACT})"),
        ("(3x4) + (6x9)", f"(<MUL_3_4_12>) + ({FACT})"),
        ("(6 × 9) - 2", f"({FACT}) - 2"),
        ("(6 x 9) / 2.", f"({FACT}) / 2."),
        ("6 × 9 ÷ 2", f"{FACT} ÷ 2"),
        ("They had 60 - 6 × 9.", f"They had 60 - {FACT}."),
        (r"$4 + 6 \times 9$", f"$4 + {FACT}$"),
        (r"\frac{6 \times 9}{2}", rf"\frac{{{FACT}}}{{2}}"),
        # words that say so
        ("total = 6 x 9", f"total = {FACT}"),
        ("The total cost of them = $6 × 9", f"The total cost of them = ${FACT}"),
        ("So we need 6 × 9.", f"So we need {FACT}."),
        ("n = 6 × 9", f"n = {FACT}"),
        ("Multiply 6 x 9 to get", f"Multiply {FACT} to get"),
        ("the product of 6 × 9.", f"the product of {FACT}."),
        (r"She has $6 \times 9$ apples.", f"She has ${FACT}$ apples."),
        ("It took 6 × 9 minutes", f"It took {FACT} minutes"),
    ],
)
def test_a_cross_that_multiplies(text, injected):
    assert inject(text) == injected
    assert products(text).replaced == len(TOKEN.findall(injected))
    assert products(text).written == products(text).replaced
    assert inject(expand(injected)).count("<MUL_") == injected.count("<MUL_")


@pytest.mark.parametrize(
    "text",
    [
        # sizes in sentences that are like the above
        *("6 x 9 is 54 feet long", "Our 6x9 is 54.", "each 6 x 9 = 54 feet", "The 6 x 9 gives 54, too"),
        *("2 x 4 - 8 feet long", "1 - 2 × 4", "Model 3x4-2", "2x4 + 2x6", "4x4/2x4 trucks", "2 x 4 / 2 x 6"),
        *("3 × 4 + 2 × 6 boards", "3 x 4 + 2 x 6 timbers", "A4 + 6 × 9", "Room 3 - 4 × 5 m", "2 × 4 / 2 × 6"),
        *(
            "conv 3 × 3 / 2",
            "conv 3 × 3 - 64",
            "H × W = 3 × 4",
            r"$m \times n = 3 \times 4$",
            "final product of 3 x 3 x 3 sides",
        ),
        *("size = 4 x 6", "product size = 4 x 6", "dimensions = 4 × 6", "total = 4x6", "area = 4 x 6 feet"),
        *(
            "We need 6 × 9, 5 × 7 and 4 × 6 prints.",
            "So we need 6 × 9, 5 × 7 and",
            "So we need 6 × 9 prints.",
        ),
        *("So we need 6 x 9.", "6 × 9 books", "2 photos, 4 × 6 each", "2 x 2 x 2 cube", "the 6 × 9 apples"),
        *("Multiply 3 x 3 matrices", "Calculate 3 × 3 determinants"),
        *(r"a $1 \times 2$ domino", r"Tile it with $1 \times 2$ dominoes.", r"the $3 \times 3$ coins"),
        *(r"$R^{3 \times 3 + 1}$", r"the answer is \boxed{3 \times 3}"),
        # results that are wrong, or cannot be judged
        *("6 x 9 is 53", "6 x 9 is 54.5", "each 6 x 9 = 53", "(6 x 9) + 2 = 15", "4 + 6 × 9 = x"),
        *(r"6 \times 9 = \boxed{53}", r"6 \times 9 = \boxed{54} + 3", r"4 + 6 \times 9 = \boxed{54}"),
        *(r"6 * 9 = \boxed{53}", r"6 \times 9 = \boxed{54{,}000}", r"6 \times 9 = \$53"),
    ],
)
def test_a_cross_that_may_be_a_size(text):
    assert inject(text) == text
    assert inject(f"It is so:\n{text}") == f"It is so:\n{text}"
    assert inject(text, operands_stay=True) == text


def test_only_results_are_replaced_where_operands_stay():
    assert inject("each 6 x 9 = 54", operands_stay=True) == f"each 6 x 9 = {FACT}"
    for text in ("4 + 6 x 9", "6 x 9 is 54", r"6 \times 9 = \boxed{54}", "So we need 6 × 9."):
        assert inject(text, operands_stay=True) == text
