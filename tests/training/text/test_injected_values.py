"""What injection leaves unchanged in any text: what surrounds a product, and the value of every expression."""

import ast
import json
import re
from fractions import Fraction
from operator import add, mul, sub, truediv

import pytest
from hypothesis import given, strategies as st

from tests.training.text import injection_1
from training.data.sources.gsm8k import MARKS, read
from training.text.mul_tokens import TOKEN, as_results, expand, inject


@given(st.text(alphabet="0123456789*×x/+-=().,$% \nab<>", max_size=30))
def test_any_text_keeps_what_surrounds_a_product(text):
    assert_only_right_products_replaced(text, inject(text))


@given(st.lists(st.sampled_from([*"123456789", "12", "*", "×", "/", "+", "-", "(", ")"]), max_size=12))
def test_any_expression_keeps_its_value(parts):
    text = "".join(parts)
    before = value_of(text)
    if before is not None:
        assert value_of(as_results(inject(text))) == before
        assert value_of(re.sub(r" = \d+", "", expand(inject(text)))) == before


@pytest.mark.parametrize("calculator_marks", ["strip", "keep"])
def test_every_gsm8k_training_answer_says_the_same(data_dir, calculator_marks):
    problems = read("train", data_dir=data_dir)
    tokens = 0
    for _, answer in problems:
        text = MARKS.sub("", answer) if calculator_marks == "strip" else answer
        injected = inject(text)
        tokens += len(TOKEN.findall(injected))
        assert_only_right_products_replaced(text, injected)
        assert statements(expand(injected)) == statements(text)
        assert injected.partition("####")[2] == text.partition("####")[2]
    assert tokens > 0.2 * len(
        problems
    )  # in all 1,673 products are followed by "=" at once, nearly all of them right


@pytest.mark.parametrize(
    ("calculator_marks", "counted"), [("strip", (2146, 2165, 21)), ("keep", (4969, 5013, 46))]
)
def test_version_2_differs_from_version_1_in_ends_of_sums_and_sizes_alone(
    whole_data, calculator_marks, counted
):
    """Every answer of GSM8K, line by line; `counted`: tokens of version 1, of version 2, and those of ends of sums."""
    before = after = more = 0
    fewer = []
    for _, answer in [*read("train", data_dir=whole_data), *read("test", data_dir=whole_data)]:
        for line in answer.split("\n"):
            text = MARKS.sub("", line) if calculator_marks == "strip" else line
            old, new = injection_1.inject(text), inject(text)
            tokens = [len(TOKEN.findall(one)) for one in (old, new)]
            before, after = before + tokens[0], after + tokens[1]
            if tokens[1] > tokens[0]:
                more += tokens[1] - tokens[0]
                assert re.search(r"[-+*][ (]*<MUL_\d_\d_\d+>[ )]*([a-z]+ )?=", new), new
            elif old != new:
                fewer.append(re.search(r"\d x \d\S*", new)[0])
    assert (before, after, more) == counted
    assert fewer == ["2 x 4's", "2 x 8's"], "boards, which are cut"


def test_formulas_keep_their_value_and_no_product_is_passed_over(data_dir):
    """An oracle that knows nothing of injection: Python's parser, and fractions; GSM8K's marks and SVAMP's equations."""
    marks = [mark[2:-2] for _, answer in read("train", data_dir=data_dir) for mark in MARKS.findall(answer)]
    problems = json.loads((data_dir / "svamp" / "SVAMP.json").read_text())
    equations = [f"{one['Equation'].replace('.0', '')}={one['Answer']:g}" for one in problems]
    written = replaced = 0
    for formula in {*marks, *equations}:
        left, _, right = formula.partition("=")
        value, products_parsed = oracle(left)
        if value is None or value != oracle(right)[0]:
            continue
        for signs in ("*", r" \times ", " x "):
            text = formula.replace("*", signs)
            tokens = TOKEN.findall(inject(text))
            shown, _, result = as_results(inject(text).replace(signs, "*")).partition("=")
            assert oracle(shown)[0] == value, text
            assert not result or oracle(result)[0] == value, text
            assert len(tokens) <= products_parsed, text
            if signs == "*":  # spaced, 6 × 1/2 may be six halves
                written, replaced = written + products_parsed, replaced + len(tokens)
    assert replaced == written > 0


def oracle(formula: str) -> tuple[Fraction | None, int]:
    """The value of a formula, and its products of two digits as they are parsed; (None, 0) for what is no formula."""
    if not re.fullmatch(r"[\d.+\-*/() ]+", formula) or "**" in formula or "//" in formula:
        return None, 0
    try:
        tree = ast.parse(re.sub(r"(?<![\d.])0+(?=\d)", "", formula.strip()), mode="eval").body
        return _value_of(tree), sum(map(_is_fact, ast.walk(tree)))
    except (SyntaxError, ZeroDivisionError, TypeError):
        return None, 0


def _is_fact(node: ast.AST) -> bool:
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return False
    digits = [one.value for one in (node.left, node.right) if isinstance(one, ast.Constant)]
    return len(digits) == 2 and all(type(one) is int and 1 <= one <= 9 for one in digits)


def _value_of(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=value):
            return Fraction(str(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value_of(operand)
        case ast.BinOp(left=left, op=op, right=right):
            sign = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}[type(op)]
            return sign(_value_of(left), _value_of(right))
    raise TypeError(node)


def assert_only_right_products_replaced(text: str, injected: str) -> None:
    """Walk both texts: between tokens they are equal; under a token lies a right single-digit product."""
    place = 0
    pieces = re.split(r"(<MUL_\d_\d_\d+>)", injected)
    for i, piece in enumerate(pieces):
        if not TOKEN.fullmatch(piece):
            assert text.startswith(piece, place), (text, injected)
            place += len(piece)
            continue
        a, b, c = map(int, TOKEN.fullmatch(piece).groups())
        found = re.compile(r"([1-9])[ \t]*[*×x][ \t]*([1-9])(?:[ \t]*=[ \t]*(\d+))?").match(text, place)
        assert found, (text, injected)
        assert sorted([int(found[1]), int(found[2])]) == [a, b]
        assert a * b == c
        assert not re.search(r"[\w.]\Z", text[:place]), (text, injected)
        follows = "".join(pieces[i + 1 : i + 2])
        swallowed = (
            found[3] is not None
            and text.startswith(follows, found.end())
            and not follows.lstrip().startswith("=")
        )
        if swallowed:
            assert int(found[3]) == c
        place = found.end() if swallowed else found.end(2)
    assert place == len(text)


def statements(text: str) -> list[str]:
    """A text with its products written one way, and with right bare results of lone products left out."""
    text = re.sub(r"(?<=\d)[ \t]*[*×][ \t]*(?=\d)|(?<=\d)[ \t]+x[ \t]+(?=\d)|(?<=\d)x(?=\d)", "×", text)
    text = re.sub(r"(?<![\d.])([1-9])×([1-9])(?![\d.,])", lambda m: "×".join(sorted(m.groups())), text)
    lone = re.compile(r"(?<![\d.])([1-9])×([1-9])[ \t]*=[ \t]*(\d+)(?![\d])")
    text = lone.sub(lambda m: f"{m[1]}×{m[2]}" if int(m[1]) * int(m[2]) == int(m[3]) else m[0], text)
    return text.split()


def value_of(expression: str) -> Fraction | None:
    """Value by the usual precedence; None for what is no expression."""
    if not re.fullmatch(r"[\d+\-*×/() ]*", expression) or re.search(r"\*\*|//|\d\s+\d", expression):
        return None
    plain = re.sub(r"\d+", lambda m: f"Fraction({int(m[0])})", expression.replace("×", "*"))
    try:
        found = eval(plain, {"Fraction": Fraction})
    except (SyntaxError, ZeroDivisionError, TypeError):
        return None
    return found if isinstance(found, Fraction) else None
