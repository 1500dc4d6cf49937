"""Correct answer: 1 when the final number equals the reference."""

from training.answers import extract_answer, same_number


def score(completion: str, reference: str, *, mul_tokens: int) -> float:
    """Return 1.0 for the right final number, else 0."""
    return float(same_number(extract_answer(completion), reference))
