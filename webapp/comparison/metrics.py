"""What the stage table can be about: shares of the completions, pass@k, amounts in a completion.

The command line names them before there is Django: nothing of it is imported here.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

from training.recipes.metric_names import sizes


@dataclass(frozen=True)
class ComparisonMetric:
    """What is said yes or no of each problem's greedy completion; or pass@k, a chance for each problem; or an amount."""

    name: str
    title: str
    column: str  # of Tally, and of outcome_counts.YES_OR_NO or token_counts.COLUMNS
    positive: str = ""  # what the counted completions do
    k: int | None = None  # of pass@k
    unit: str = "points"  # of a difference
    digits: int = 1  # decimals of a value as it is written

    @property
    def kind(self) -> Literal["share", "pass@k", "mean"]:
        """Share of the completions, mean of a chance, or mean of an amount in each completion."""
        if self.k is not None:
            return "pass@k"
        return "share" if self.positive else "mean"

    @property
    def largest(self) -> float:
        """The largest difference that there can be."""
        return inf if self.kind == "mean" else 1.0

    @property
    def factor(self) -> int:
        """What a difference is multiplied by to be in its unit."""
        return 1 if self.kind == "mean" else 100


METRICS = {
    metric.name: metric
    for metric in (
        ComparisonMetric("accuracy", "Accuracy", "correct", "right"),
        ComparisonMetric("repetition_rate", "Repetition rate", "repeats", "repeating"),
        ComparisonMetric("hit_limit_rate", "Hit-limit rate", "hit_limit", "cut at the token limit"),
        ComparisonMetric(
            "steps_right_rate", "All steps right", "all_steps_right", "right in every written step"
        ),
    )
}
AMOUNTS = {
    metric.name: metric
    for metric in (
        ComparisonMetric(
            "mul_tokens_per_response", "Mul-tokens per completion", "mul_tokens", unit="mul-tokens", digits=3
        ),
        ComparisonMetric("tokens_per_response", "Tokens per completion", "tokens", unit="tokens"),
    )
}


def metrics(samples: int) -> dict[str, ComparisonMetric]:
    """The metrics of a benchmark for which so many completions are drawn, by name."""
    return (
        METRICS
        | AMOUNTS
        | {
            f"pass_at_{k}": ComparisonMetric(f"pass_at_{k}", f"pass@{k}", "correct", "right", k)
            for k in sizes(samples)
        }
    )
