"""The grader of all benchmarks whose answer is one number (docs/decisions/060-grader-version-2.md)."""

from training.benchmarks.benchmark import Graded, Problem
from training.text.answers import read_answer, same_number

GRADER = "final_number/2"


def grade(problem: Problem, completion: str) -> Graded:
    """Return the completion's final number, whether it equals the reference, and the rule that found it."""
    answer, rule = read_answer(completion)
    return Graded(answer, same_number(answer, problem.reference), rule)
