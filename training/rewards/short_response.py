"""Short response: fewer than 150 words."""

LIMIT = 150


def score(completion: str, reference: str, *, mul_tokens: int) -> float:
    """Return 0.1 for fewer than 150 words (split at white space), else 0."""
    return 0.1 if len(completion.split()) < LIMIT else 0.0
