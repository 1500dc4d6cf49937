"""Names of what conditions are compared by; the command line reads them, so this imports no package."""

import re

METRICS = (
    "accuracy",
    "repetition_rate",
    "hit_limit_rate",
    "steps_right_rate",
    "mul_tokens_per_response",
    "tokens_per_response",
)  # what conditions are compared by; and pass_at_k of so many samples as there are
AMOUNTS = ("mul_tokens_per_response", "tokens_per_response")
PASS_AT = re.compile(r"pass_at_[0-9]+")


def sizes(samples: int) -> tuple[int, ...]:
    """The k that pass@k is shown for: powers of two, and all the samples: 6 → 1, 2, 4, 6."""
    powers = [2**i for i in range(samples.bit_length()) if 2**i <= samples]
    return tuple(dict.fromkeys((*powers, *([samples] if samples else []))))


def metric_names(samples: int) -> list[str]:
    """What conditions can be compared by, of a benchmark for which so many completions are drawn."""
    return [*METRICS, *(f"pass_at_{k}" for k in sizes(samples))]
