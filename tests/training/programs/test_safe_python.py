"""Solutions in Python: worked out as Python would compute them, and nothing else that a program may try."""

import math
import resource
import time

import pytest
from hypothesis import given, settings, strategies as st

from training.programs.safe_python import Refused, calculate, run
from training.text import mul_tokens

BENIGN = [
    "trays = 10\n    cost = 50\n    result = trays * cost\n    return result",
    "a, b = 3, 4\n    a, b = b, a\n    return a * 10 + b",
    "import math\n    boxes = math.ceil(17 / 5)\n    return boxes + math.floor(2.9)",
    "total = 0\n    for i in range(1, 6):\n        if i % 2 == 0:\n            continue\n        total += i\n    return total",
    "n = 100\n    days = 0\n    while n > 3:\n        n = n // 2\n        days += 1\n    return days",
    "n = 0\n    while n < 50:\n        n += 7\n        if n > 20:\n            break\n    return n",
    "prices = [3, 4.5, 10]\n    prices.append(2)\n    return sum(prices) / len(prices)",
    "xs = [i * 2 for i in range(5) if i != 2]\n    return max(xs) - min(xs) + xs[1]",
    "share: float = 0.25\n    left = round(37 * (1 - share), 1)\n    return left",
    "x = -3\n    y = abs(x) ** 2\n    return y if y > 5 and not x == 3 else 0",
    "return int(100 * 0.1 + 0.2) + 7 // 2 - (2 - 5)",
    "half = float(7) / 2\n    return round(half) + int(half) + max(1, 2, half)",
    "x = 5\n    if x > 10:\n        y = 1\n    elif x > 3:\n        y = 2\n    else:\n        y = 3\n    return y * 1000000",
    "total = sum(x * x for x in [1, 2, 3])\n    return total - 20",
    "a = 0.1 + 0.2\n    return a",
]


def program(body: str) -> str:
    return f'def simple_math_problem() -> int:\n    """How many?"""\n    {body}\n'


def oracle(source: str) -> float:
    """What Python itself computes: these programs stand in this file, nobody else wrote them."""
    names: dict = {"math": math}
    exec(source, names)
    return names["simple_math_problem"]()


@pytest.mark.parametrize("body", BENIGN)
def test_the_value_is_what_python_computes(body):
    solution = run(program(body))
    assert solution.value == oracle(program(body))
    assert solution.question == "How many?"
    assert solution.lines


def test_the_work_is_written_out():
    body = "bags = 3\n    marbles = bags * 7\n    lost_ones = 2\n    result = (marbles - lost_ones) / 4\n    return result"
    assert run(program(body)).lines == (
        "bags = 3",
        "marbles = 3 × 7 = 21",
        "lost ones = 2",
        "result = (21 - 2) / 4 = 19 / 4 = 4.75",
    )
    assert mul_tokens.inject(run(program(body)).lines[1]) == "marbles = <MUL_3_7_21>"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("2 - (3 - 4)", "2 - (3 - 4) = 2 - (-1) = 3"),
        ("(2 - 3) * 4", "(2 - 3) × 4 = -1 × 4 = -4"),
        ("12 / (2 * 3)", "12 / (2 × 3) = 12 / 6 = 2"),
        ("2 * (3 * 4)", "2 × 3 × 4 = 2 × 12 = 24"),
        ("(-2) ** 2", "(-2) ^ 2 = 4"),
        ("7 // 2", "floor(7 / 2) = floor(3.5) = 3"),
        ("6 // 2", "6 / 2 = 3"),
        ("7 % 4", "7 mod 4 = 3"),
        ("( 76.0 - 25.0 )", "76 - 25 = 51"),
        ("round(2.456, 2)", "round(2.456, 2) = 2.46"),
        ("1 / 8", "1 / 8 = 0.125"),
        ("1 / 3", "1 / 3 = 0.333333333333"),
        ("5", "5"),
    ],
)
def test_expressions_are_worked_from_the_inside(expression, text):
    assert calculate(expression).worked() == text


MALICIOUS = {
    "import": [
        "import os\n    return 1",
        "from math import ceil\n    return 1",
        "import math as sum\n    return 1",
        "import math, sys\n    return 1",
    ],
    "call": [
        "return __import__('os').system('true')",
        "return ().__class__.__bases__[0].__subclasses__()",
        "return eval('1')",
        "return open('/etc/passwd').read()",
        "return math.factorial(100000)",
        "return getattr(1, 'real')",
        "return (lambda: 1)()",
    ],
    "Attribute": ["x = (1).__class__\n    return 1", "return math.__dict__"],
    "endless loop": ["while True:\n        pass\n    return 1", "while 1:\n        break\n    return 1"],
    "too many steps": [
        "x = 1\n    while x > 0:\n        x\n        pass\n    return 1".replace("        x\n", ""),
        "x = 0\n    for a in range(100):\n        for b in range(100):\n            pass\n    return 1",
    ],
    "too large": [
        "return 9**9**9",
        "return 10**20",
        "return 999999999 * 999999999",
        "x = 1e400\n    return x",
        "return 2 ** 0.5 ** -900",
        "return round(1.5, 10**9)",
    ],
    "too much text": ["x = 1\n    for i in range(60):\n        x = x + 1\n    return x"],
    "too long": ["return sum(range(10**12))", "return len(range(10**15))", "x = 1\n    " + "x = 1\n    " * 2000 + "return x"],
    "no number": ["return 'a' * 10**9", "return [0] * 10**9", "return (-8) ** 0.5", "return 'text'", "return 1 > 0"],
    "nested list": ["x = [[1], [2]]\n    return 1"],
    "fails": ["return 1 / 0", "return [1][5]", "return min([])", "return max(1, 2)(3)".replace("(3)", "") + " / 0"],
    "name": ["return nothing", "sum = 3\n    return sum", "__builtins__ = 1\n    return 1"],
    "too deep": ["return " + "-(" * 60 + "1" + ")" * 60],
    "syntax": ["return (", "return " + "(" * 2500 + ")" * 2500, "return " + "-" * 5000 + "1", "break", "return 1\0"],
    "no result": ["x = 1"],
    "ClassDef": ["class A: pass\n    return 1"],
    "With": ["with 1:\n        pass\n    return 1"],
    "JoinedStr": ["x = f'{1:>1000000000}'\n    return 1"],
    "NamedExpr": ["return (x := 3)"],
    "Assign": ["x = y = 3\n    return x"],
    "append": ["x = [1]\n    x.append(x)\n    return 1"],
}  # fmt: skip


@pytest.mark.parametrize(("reason", "body"), [(r, b) for r, bodies in MALICIOUS.items() for b in bodies])
def test_everything_else_is_refused_with_its_reason(reason, body):
    with pytest.raises(Refused) as refused:
        run(program(body))
    assert str(refused.value) == reason


def test_what_stands_around_the_function_is_refused():
    for source in (
        "import os\n" + program("return 1"),
        program("return 1") + "print(simple_math_problem())",
        program("return 1") * 2,
        "@cached\n" + program("return 1"),
        "def f(x=9**9**9):\n    return 1",
        "",
    ):
        with pytest.raises(Refused):
            run(source)
    assert run("import math\n" + program("return 1")).value == 1


@pytest.mark.parametrize(
    "body",
    [
        "x = 1\n    while x > 0:\n        x = sum([1] + [1])\n    return x",
        "xs = [i for i in range(100)]\n    x = 0\n    while x < 1:\n        y = sum([sum(xs), sum(xs), sum(xs)]) * 0\n    return 1",
        "x = 1\n    while x > 0:\n        x = max([9**50 for i in range(100)])\n    return x",
        "x = 3\n    while x < 10**15:\n        x = x * x\n    return x",
    ],
)
def test_no_program_takes_more_than_its_share(body):
    """Processor time of this thread and growth of memory, far above what is used and far below what is asked."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.thread_time()
    with pytest.raises(Refused):
        run(program(body))
    assert time.thread_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


numbers = st.integers(-50, 50) | st.sampled_from([0.5, 0.25, 1.5, 2.75])
expressions = st.recursive(
    numbers.map(lambda n: f"({n})") | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner)
        | st.builds("{}({}, {})".format, st.sampled_from(["max", "min"]), inner, inner)
        | st.builds("{}({})".format, st.sampled_from(["abs", "int", "round", "-"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(a=numbers, b=numbers, first=expressions, second=expressions)
@pytest.mark.slow
def test_random_arithmetic_equals_pythons(a, b, first, second):
    source = program(f"a = {a}\n    b = {b}\n    b = {first}\n    a += {second}\n    return a - b")
    try:
        expected = oracle(source)
    except ArithmeticError:
        with pytest.raises(Refused):
            run(source)
        return
    try:
        assert run(source).value == expected
    except Refused as refused:  # bounds and floats that no text could say; never another number
        assert str(refused) in ("too large", "float", "too much text", "fails")
