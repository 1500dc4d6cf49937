"""Uses mul-tokens: the response has at least one."""


def score(completion: str, reference: str, *, mul_tokens: int) -> float:
    """Return 0.2 when at least one mul-token was generated (counted from token ids), else 0."""
    return 0.2 if mul_tokens > 0 else 0.0
