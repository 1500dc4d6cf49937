"""Generated sources: right arithmetic, nothing held out, reproducible."""

import re
from itertools import islice
from pathlib import Path

import pytest
from pydantic import ValidationError

from training.benchmarks import BENCHMARKS
from training.data.held_out import (
    UNSEEN_PAIRS,
    product_is_held_out,
    sum_is_held_out,
    triple_is_held_out,
)
from training.data.mixture import stream
from training.data.phrases import NOUNS
from training.data.sources import SOURCES
from training.data.sources.drills import DrillsSource
from training.data.sources.instructions import InstructionsSource
from training.data.sources.statements import StatementsSource
from training.data.sources.word_problems import HARD, WordProblemsSource
from training.text.mul_tokens import TOKEN, expand

pytestmark = pytest.mark.slow

EQUATION = re.compile(r"(?<![+×-] )(?<!\d)(\d+(?: [-+×] \d+)+) = (\d+)(?!\d| [×+])")
SPLIT = re.compile(r" \d+ × \d+ = [^\n]*[(×][^\n]*\n")  # 34 × 56 = (30 + 4) × (50 + 6)
WORD_PROBLEMS = WordProblemsSource(
    source="word_problems", kinds={"multiplication": 2, "addition": 1, "two_step": 1}, phrasing="mixed"
)
GENERATED = [
    WORD_PROBLEMS,
    DrillsSource(source="drills"),
    StatementsSource(source="statements"),
    InstructionsSource(source="instructions"),
]


def drawn(source, count, seed=0):
    return list(islice(SOURCES[source.source](source, seed=seed, data_dir=Path()), count))


@pytest.mark.parametrize("source", GENERATED, ids=lambda source: source.source)
def test_every_equation_is_right(source):
    equations = 0
    for example in drawn(source, 4000):
        for expression, result in EQUATION.findall(example.completion):
            assert eval(expression.replace("×", "*")) == int(result), example
            equations += 1
        if example.answer is not None:
            assert example.completion.endswith(f"\n#### {example.answer}")
            assert re.search(rf"= {example.answer}\n#### ", example.completion)
    assert equations > 400


@pytest.mark.parametrize("source", GENERATED, ids=lambda source: source.source)
def test_a_seed_says_what_is_drawn(source):
    assert drawn(source, 50, seed=3) == drawn(source, 50, seed=3)
    assert drawn(source, 50, seed=3) != drawn(source, 50, seed=4)


def test_no_training_source_yields_a_benchmark_problem_or_a_held_out_triple():
    problems = BENCHMARKS["one_step_multiplication"].problems(None, data_dir=Path())
    asked = {problem.prompt for problem in problems}
    probes = BENCHMARKS["arithmetic_probes"].problems(None, data_dir=Path())
    probed = {tuple(problem.id.split("-")[1:]) for problem in probes if not problem.id.startswith("table")}
    assert len(asked) == 1000
    products = 0
    sources = [*GENERATED, WordProblemsSource(source="word_problems", phrasing="hard")]
    for example in islice(stream(sources, seed=1, data_dir=Path()), 60_000):
        assert example.prompt not in asked
        completion = re.sub(r"\(\d+ \+ \d+\)", "", example.completion)
        for a, sign, b in re.findall(r"(?<![+×] )(?<!\d)(\d+) ([+×]) (\d+) = \d+", completion):
            assert (f"{a}{sign}{b}",) not in probed, example
            assert (f"{b}{sign}{a}",) not in probed, example
        for story in stories(example.prompt, example.completion):
            nouns = set(re.findall(r"[a-z]+", story)) & set(NOUNS)
            for a, b in re.findall(r"(?<!\d)(\d) × (\d)(?!\d)", story):
                products += 1
                assert not any(triple_is_held_out(int(a), int(b), noun) for noun in nouns), example
    assert products > 10_000


def stories(prompt: str, completion: str) -> list[str]:
    """A word problem with its answer; of running text each `That is a × b = c nouns.`"""
    return [prompt + completion] if prompt else re.findall(r"That is [^.]*\.", completion)


def test_the_held_out_share_is_about_a_fifth_of_the_pairs_that_training_sees():
    assert len(UNSEEN_PAIRS) == 8
    seen = [(a, b) for a in range(2, 10) for b in range(a, 10) if (a, b) not in UNSEEN_PAIRS]
    held = [triple_is_held_out(a, b, noun) for a, b in seen for noun in NOUNS]
    assert 0.15 < sum(held) / len(held) < 0.25
    assert all(triple_is_held_out(a, b, noun) for a, b in UNSEEN_PAIRS for noun in NOUNS)
    assert all(
        triple_is_held_out(a, b, noun) == triple_is_held_out(b, a, noun) for a, b in seen for noun in NOUNS
    )
    sums = [sum_is_held_out(a, b) for a in range(10, 100) for b in range(1, 10)]
    assert 0.15 < sum(sums) / len(sums) < 0.25
    assert not any(sum_is_held_out(a, b) or product_is_held_out(a, b) for a in range(10) for b in range(10))


def test_the_unseen_pairs_are_taught_by_drills_and_statements_alone():
    text = " ".join(e.completion for e in drawn(DrillsSource(source="drills"), 20_000))
    running = " ".join(e.completion for e in drawn(StatementsSource(source="statements"), 5000))
    for a, b in UNSEEN_PAIRS:
        assert f" {a} × {b} = {a * b}" in text
        assert f"{a} × {b} = {a * b}" in running


def test_plain_word_problems_are_never_hard_ones():
    text = {e.prompt for e in drawn(WordProblemsSource(source="word_problems"), 5000)}
    shapes = [re.sub(r"\\\{\w+\\\}", r"[\\w]+", re.escape(phrasing)) for phrasing in HARD]
    hard = re.compile("|".join(f"User: {shape}" for shape in shapes))
    assert not [prompt for prompt in text if hard.match(prompt)]
    asked = drawn(WordProblemsSource(source="word_problems", phrasing="hard"), 200)
    assert all(hard.match(example.prompt) for example in asked)


def test_kinds_are_drawn_by_their_shares():
    source = WordProblemsSource(
        source="word_problems", kinds={"multiplication": 35, "addition": 20, "two_step": 20}
    )
    completions = [e.completion for e in drawn(source, 3000)]
    multiplications = sum("×" in c and c.count("\n") == 1 for c in completions)
    two_steps = sum(c.count("\n") == 2 for c in completions)
    assert abs(multiplications / 3000 - 35 / 75) < 0.03
    assert abs(two_steps / 3000 - 20 / 75) < 0.03
    with pytest.raises(ValidationError, match="give one kind a share"):
        WordProblemsSource(source="word_problems", kinds={"multiplication": 0})


def test_drills_keep_their_operands_and_the_token_stands_for_the_result():
    source = DrillsSource(source="drills", tiers=["one_digit_products"])
    for example in drawn(source, 300):
        injected = example.injected()
        assert injected.prompt == example.prompt
        assert re.fullmatch(r" \d × \d = <MUL_\d_\d_\d+>\n#### \d+", injected.completion)
        assert expand(injected.completion) == example.completion


def test_word_problems_hold_the_token_alone():
    for example in drawn(WordProblemsSource(source="word_problems"), 300):
        injected = example.injected()
        assert injected.prompt == example.prompt
        assert re.fullmatch(r" <MUL_\d_\d_\d+>\n#### \d+", injected.completion)


def test_tiers_choose_the_drills():
    shapes = {
        "one_digit_sums": r" \d [-+] \d = \d+\n",
        "one_digit_products": r" \d × \d = \d+\n",
        "two_digit_sums": r" \d\d [-+] \d = \d+\n",
        "two_digit_times_one_digit": r" \d × \d = \d+",
        "two_digit_times_two_digit": r" \d\d × \d\d = ",
    }
    for tier, shape in shapes.items():
        for example in drawn(DrillsSource(source="drills", tiers=[tier]), 300):
            assert re.match(shape, example.completion), example
            assert example.answer is not None


def test_larger_products_are_split_until_every_pair_is_single_digit():
    source = DrillsSource(source="drills", tiers=["two_digit_times_two_digit"])
    for example in drawn(source, 500):
        products = example.completion.split("\n")[1]
        assert re.fullmatch(r"\d × \d = \d+(, \d × \d = \d+)*", products), example
        facts = len(products.split(", "))
        assert len(TOKEN.findall(example.injected().completion)) == facts
