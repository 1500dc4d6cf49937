"""The dynamics table of a run that has dynamics: each metric's start, end, slope with interval, and a word for its trend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from webapp.statistics.trends import Trend, trend
from webapp.telemetry.series import Series

SLOPE_STEPS = 100  # slopes are written for so many steps


@dataclass(frozen=True)
class Measure:
    """A metric of the table."""

    name: str  # as training records it
    title: str
    negligible: float  # a change over a whole run that counts as none
    chart: str  # of the run page, that shows it


COMPONENT = "reward/"  # what the metric of a reward's component begins with
PAID = 0.01  # of a component: half of what counts for the reward
SHARE = 0.02  # of rollouts or groups: less than a benchmark of 600 problems could show
MEASURES = {
    measure.name: measure
    for measure in (
        Measure("accuracy", "Accuracy of rollouts", SHARE, "accuracy"),
        Measure("reward", "Reward", 0.02, "reward"),  # half the report's rise, −0.1 to −0.06
        Measure("kl", "KL divergence", 0.001, "kl"),  # nats per token: an unmoved policy
        Measure("entropy", "Entropy", 0.05, "entropy"),  # nats per token
        Measure("groups_without_gradient", "Groups without gradient", SHARE, "groups_without_gradient"),
        Measure("repetition", "Repetition rate", SHARE, "repetition"),
        Measure("mul_tokens", "Mul-tokens per completion", 0.05, "mul_tokens"),
        Measure("completion_length", "Tokens per completion", 0.5, "completion_length"),
        Measure("hit_limit", "Hit-limit rate", SHARE, "hit_limit"),
        Measure("logprob_mismatch", "Log-probability mismatch", 0.001, "logprob_mismatch"),
        Measure("importance_ratio/ess", "Effective sample size", SHARE, "ess"),
        Measure("clip_ratio", "Clipped tokens", SHARE, "clip_ratio"),
        Measure("grad_norm", "Gradient norm", 0.01, "grad_norm"),
        Measure("loss", "Loss", 0.01, "loss"),
        Measure("validation_loss", "Validation loss", 0.01, "loss"),
    )
}
# GRPO's loss says nothing of progress
RULES_ALONE = ("importance_ratio/ess", "clip_ratio", "grad_norm", "loss", "validation_loss")
TABLE = tuple(name for name in MEASURES if name not in RULES_ALONE)


@dataclass(frozen=True)
class MetricTrend:
    """One metric of one run."""

    measure: Measure
    trend: Trend

    @property
    def slope(self) -> float | None:
        """Slope per SLOPE_STEPS steps; None where none can be told."""
        return self.trend.line.slope * SLOPE_STEPS if self.trend.line else None

    @property
    def trend_text(self) -> str:
        """The trend's word, and what it goes by where that is not the slope beside it; a turn on the way says more."""
        if self.trend.turn:
            return self.trend.turn
        by_ends = self.trend.word in ("rising", "falling") and not (
            self.trend.fitted_change and self.trend.fitted_change.excludes_zero()
        )
        return f"{self.trend.word}, by its start and end" if by_ends else self.trend.word

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of its 95 % interval."""
        if self.trend.line is None:
            return None
        low, high = self.trend.line.interval
        return low * SLOPE_STEPS, high * SLOPE_STEPS


def rows(trend_of: Callable[[str], Trend | None]) -> list[MetricTrend]:
    """The table, in the order of TABLE, of what `trend_of` knows by name."""
    return [MetricTrend(MEASURES[name], found) for name in TABLE if (found := trend_of(name)) is not None]


def component_rows(components: Mapping[str, Series]) -> list[MetricTrend]:
    """Rows of the reward's components, by name: what each pays of the reward, its weight applied."""
    return [
        MetricTrend(Measure(f"{COMPONENT}{name}", f"Reward: {name}", PAID, "components"), found)
        for name, points in components.items()
        if (found := trend(points.steps, points.values, negligible=PAID)) is not None
    ]


def place(name: str) -> tuple[int, str]:
    """Where a metric stands in the table: in the order of TABLE, components behind the reward."""
    return (TABLE.index("reward"), name) if name.startswith(COMPONENT) else (TABLE.index(name), "")


def trend_of(name: str, points: Series) -> Trend | None:
    """The trend of a metric that the table or a finding reads."""
    return trend(points.steps, points.values, negligible=MEASURES[name].negligible)
