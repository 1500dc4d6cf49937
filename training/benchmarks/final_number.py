"""The grader of all benchmarks whose answer is one number (docs/decisions/060-grader-version-2.md)."""

from training.benchmarks.benchmark import Problem
from training.text.answers import extract_answer, same_number

GRADER = "final_number/2"


def grade(problem: Problem, completion: str) -> tuple[str | None, bool]:
    """Return the completion's final number and whether it equals the reference."""
    answer = extract_answer(completion)
    return answer, same_number(answer, problem.reference)
