"""The grader of all benchmarks whose answer is one number."""

from training.benchmarks.benchmark import Problem
from training.text.answers import extract_answer, same_number

GRADER = "final_number/1"


def grade(problem: Problem, response: str) -> tuple[str | None, bool]:
    """Return the response's final number and whether it equals the reference."""
    answer = extract_answer(response)
    return answer, same_number(answer, problem.reference)
