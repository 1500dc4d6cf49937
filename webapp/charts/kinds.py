"""Which charts a run has: the curated ones in their order, then one for each recorded metric, by prefix."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webapp.telemetry.series import recorded_names

COMPONENTS = "reward/"  # what the metrics of the reward's components begin with
ANY = "metric:"  # what the key of a chart begins with that is one of all metrics
GENERAL = "general"  # the group of metrics without a prefix


@dataclass(frozen=True)
class Kind:
    """A chart that a run may have: one metric, or the reward with its components stacked."""

    key: str
    title: str
    unit: str
    percent: bool = False
    main: bool = True  # the others are folded away
    metric: str = ""  # where the key is not its name
    group: str = ""  # of one of all metrics: its prefix

    @property
    def stacked(self) -> bool:
        """Whether it is the reward made up of its components."""
        return self.metric == COMPONENTS

    @property
    def name(self) -> str:
        """The metric that is drawn."""
        return self.metric or self.key

    def as_json(self) -> dict[str, Any]:
        """What charts.js makes the chart's frame of."""
        return {
            "key": self.key,
            "title": self.title,
            "unit": self.unit,
            "percent": self.percent,
            "main": self.main,
            "group": self.group,
        }


CURATED = (
    Kind("accuracy", "Accuracy of rollouts", "share correct", percent=True),
    Kind("kept", "Kept completions", "share of completions", percent=True),
    Kind("reward", "Reward", "mean per rollout"),
    Kind("components", "Reward by component", "this run, mean per rollout", metric=COMPONENTS),
    Kind("kl", "KL divergence from the reference", "nats per token"),
    Kind("entropy", "Entropy", "nats per token"),
    Kind("groups_without_gradient", "Groups without gradient", "share of groups", percent=True),
    Kind("repetition", "Repetition", "share of rollouts", percent=True),
    Kind("mul_tokens", "Mul-tokens", "per completion"),
    Kind("completion_length", "Completion length", "tokens"),
    Kind("hit_limit", "Cut at the token limit", "share of rollouts", percent=True),
    Kind("loss", "Loss", "nats per token"),
    Kind("validation_loss", "Validation loss", "nats per token"),
    Kind("tokens_per_second", "Throughput", "tokens per second"),
    Kind("rollouts_per_second", "Sampling speed", "rollouts per second"),
    Kind("gpu_use", "GPU utilisation", "share of the time", percent=True, metric="system/gpu_utilisation"),
    Kind("gpu_memory", "GPU memory, allocated", "GiB, largest", metric="system/gpu_memory_allocated"),
    Kind("gpu_reserved", "GPU memory, reserved", "GiB, largest", metric="system/gpu_memory_reserved"),
    Kind("process_memory", "Memory of the process", "GiB", metric="system/process_memory"),
    Kind("logprob_mismatch", "Sampler against trainer", "nats per token", main=False),
    Kind("reward_std", "Standard deviation of the reward", "within groups", main=False),
    Kind("clip_ratio", "Clipped", "share of tokens", percent=True, main=False),
    Kind("cost", "Cost of the teacher's answers", "in the prices' currency", main=False),
    Kind("cache_hits", "Answers from the cache", "share of answers", percent=True, main=False),
    Kind("entropy_bonus", "Entropy bonus", "weight in the loss", main=False),
    Kind("learning_rate", "Learning rate", "", main=False),
    Kind("grad_norm", "Gradient norm", "before clipping", main=False),
    Kind("mfu", "Model FLOPs utilisation", "share of the device's peak", percent=True, main=False),
    Kind("perplexity", "Validation perplexity", "", main=False),
)


def of_metric(name: str) -> Kind:
    """The curated chart of a metric; a plain one, under the metric's own name, where there is none."""
    return next((kind for kind in CURATED if kind.name == name), Kind(name, name, ""))


def kinds(run: int) -> list[Kind]:
    """Every chart that the run has points for: curated ones, then all metrics by prefix. One or two queries."""
    names = recorded_names(run)
    return [*_curated(names), *_by_prefix(names)]


def _curated(names: set[str]) -> Iterable[Kind]:
    stacked = any(name.startswith(COMPONENTS) for name in names)
    return (kind for kind in CURATED if (stacked if kind.stacked else kind.name in names))


def _by_prefix(names: set[str]) -> Iterable[Kind]:
    percents = {kind.name for kind in CURATED if kind.percent}
    grouped = sorted(
        ((name.rpartition("/")[0] and name.partition("/")[0]) or GENERAL, name) for name in names
    )
    return (Kind(ANY + name, name, "", name in percents, False, name, group) for group, name in grouped)
