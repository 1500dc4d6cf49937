"""Which charts a run has: the curated ones in their order, then one for each recorded metric, by prefix."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webapp.telemetry.series import recorded_names

COMPONENTS = "reward/"  # what the metrics of the reward's components begin with
VALIDATION = (
    "validation/"  # what the metrics of validation splits begin with: validation/gsm8k/accuracy, …/problems
)
ANY = "metric:"  # what the key of a chart begins with that is one of all metrics
GENERAL = "general"  # the group of metrics without a prefix


@dataclass(frozen=True)
class Kind:
    """A chart that a run may have: one metric of all conditions, or several metrics of this run."""

    key: str
    title: str
    unit: str
    percent: bool = False
    main: bool = True  # the others are folded away
    metric: str = ""  # where the key is not its name
    group: str = ""  # of one of all metrics: its prefix
    parts: tuple[str, ...] = ()  # the metrics of several; one that ends with / stands for all that begin so
    stacked: bool = False  # the parts are areas that add up
    total: str = ""  # the metric that they add up to, where it is recorded
    trials: str = (
        ""  # the metric that says of how many things this one is the share: it has its 95 % interval
    )

    @property
    def name(self) -> str:
        """The metric that is drawn: of stacked parts their total, of other parts none."""
        return self.total if self.parts else self.metric or self.key

    def parts_in(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """(name, label) of the metrics among these that are its parts, in their order."""
        known = sorted(names, key=lambda name: (len(name) if name[-1].isdigit() else 0, name))
        found = []
        for part in self.parts:
            found += [one for one in known if (one.startswith(part) if part.endswith("/") else one == part)]
        return [(name, _label(name)) for name in found]

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


PART_LABELS = {
    "completion_length": "all",
    "importance_ratio/ess": "effective sample size",
    "advantage/positive_mean": "mean of those above 0",
    "advantage/negative_mean": "mean of those below 0",
    "advantage/std": "standard deviation",
    "length/terminated_mean": "terminated",
    "length/right_mean": "right",
    "length/wrong_mean": "wrong",
}


def _label(part: str) -> str:
    """What a part's line is called."""
    prefix, _, name = part.rpartition("/")
    if prefix == "pass_at":
        return f"pass@{name}"
    return PART_LABELS.get(part) or (name if f"{prefix}/" == COMPONENTS else name.replace("_", " "))


STEP_PARTS = tuple(f"time/{part}" for part in ("sample", "grade", "score", "learn", "save", "other"))
CURATED = (
    # quality
    Kind("accuracy", "Accuracy of rollouts", "share correct", percent=True),
    Kind("kept", "Kept completions", "share of completions", percent=True),
    Kind("reward", "Reward", "mean per rollout"),
    Kind("components", "Reward by component", "this run, mean per rollout", parts=(COMPONENTS,), stacked=True, total="reward"),
    Kind("solved", "Groups solved", "this run, share of groups, stacked", True, parts=("solved/all", "solved/some", "solved/none"), stacked=True),
    Kind("pass_at_k", "pass@k of the groups", "this run, share of prompts", True, parts=("pass_at/",)),
    Kind("groups_without_gradient", "Groups without gradient", "share of groups", percent=True),
    Kind("repetition", "Repetition", "share of rollouts", percent=True),
    Kind("mul_tokens", "Mul-tokens", "per completion"),
    Kind("loss", "Loss", "nats per token"),
    Kind("validation_loss", "Validation loss", "nats per token"),
    # stability
    Kind("kl", "KL divergence", "from the reference, nats per token"),
    Kind("entropy", "Entropy", "nats per token"),
    Kind("grad_norm", "Gradient norm", "before clipping"),
    # lengths
    Kind("completion_length", "Completion length", "tokens"),
    Kind("lengths", "Length by kind", "this run, mean tokens", parts=("completion_length", "length/terminated_mean", "length/right_mean", "length/wrong_mean")),
    Kind("hit_limit", "Cut at the token limit", "share of rollouts", percent=True),
    # speed
    Kind("tokens_per_second", "Throughput", "tokens per second"),
    Kind("rollouts_per_second", "Sampling speed", "rollouts per second"),
    Kind("step_time", "Time of a step", "this run, seconds, stacked", parts=STEP_PARTS, stacked=True, total="time/step"),
    Kind("gpu_use", "GPU utilisation", "share of the time", percent=True, metric="system/gpu_utilisation"),
    Kind("gpu_memory", "GPU memory, allocated", "GiB, largest", metric="system/gpu_memory_allocated"),
    Kind("gpu_reserved", "GPU memory, reserved", "GiB, largest", metric="system/gpu_memory_reserved"),
    Kind("process_memory", "Memory of the process", "GiB", metric="system/process_memory"),
    # folded, in the same order
    Kind("reward_std", "Standard deviation of the reward", "over the rollouts of a step", main=False),
    Kind("component_spread", "Standard deviation of the components", "this run, over the rollouts of a step", main=False, parts=("reward_std/",)),
    Kind("prompts_seen", "Different prompts seen", "since the stage began", main=False, metric="prompts/seen"),
    Kind("prompt_repeats", "Repeats of the prompts", "times asked before, mean", main=False, metric="prompts/repeats"),
    Kind("reward_errors", "Rollouts without a score", "this run, share of rollouts", True, main=False, parts=("reward_errors/",)),
    Kind("cost", "Cost of the teacher's answers", "in the prices' currency", main=False),
    Kind("cache_hits", "Answers from the cache", "share of answers", percent=True, main=False),
    Kind("perplexity", "Validation perplexity", "", main=False),
    Kind("clip_ratio", "Clipped", "share of tokens", percent=True, main=False),
    Kind("clip_sides", "Clipped below and above", "this run, share of tokens", True, main=False, parts=("clip_ratio/low", "clip_ratio/high")),
    Kind("importance_ratio", "Importance ratio, policy to sampler", "this run, per token", main=False, parts=("importance_ratio/min", "importance_ratio/mean", "importance_ratio/max")),
    Kind("ess", "Effective sample size", "share of the tokens", True, main=False, metric="importance_ratio/ess"),
    Kind("logprob_mismatch", "Sampler against trainer", "nats per token", main=False),
    Kind("mismatch_kl", "KL of sampler and trainer (k3)", "nats per token", main=False, metric="logprob_mismatch/kl"),
    Kind("mismatch_max", "Sampler against trainer, largest", "nats", main=False, metric="logprob_mismatch/max"),
    Kind("advantage", "Advantages", "this run", main=False, parts=("advantage/positive_mean", "advantage/negative_mean", "advantage/std")),
    Kind("positive_tokens", "Tokens with an advantage above 0", "share of those with any", True, main=False, metric="advantage/positive_tokens"),
    Kind("grad_clipped", "Gradient at its clip", "share of steps", percent=True, main=False),
    Kind("policy_loss", "Loss without the entropy bonus", "nats per token", main=False),
    Kind("entropy_bonus", "Entropy bonus", "weight in the loss", main=False),
    Kind("learning_rate", "Learning rate", "", main=False),
    Kind("length_range", "Shortest and longest completion", "this run, tokens", main=False, parts=("length/min", "length/terminated_max", "length/max")),
    Kind("reward_time", "Time of the rewards", "this run, seconds a step", main=False, parts=("reward_time/",)),
    Kind("mfu", "Model FLOPs utilisation", "share of the device's peak", percent=True, main=False),
)  # fmt: skip


def of_metric(name: str) -> Kind:
    """The curated chart of a metric; a plain one, under the metric's own name, where there is none."""
    curated = (kind for kind in CURATED if not kind.parts and kind.name == name)
    return next(curated, Kind(name, name, ""))


def kinds(run: int) -> list[Kind]:
    """Every chart that the run has points for: curated ones, then all metrics by prefix. One or two queries."""
    names = recorded_names(run)
    return [*_curated(names), *_by_prefix(names)]


def _curated(names: set[str]) -> Iterable[Kind]:
    every = [*validations(names), *CURATED]
    return (kind for kind in every if (kind.parts_in(names) if kind.parts else kind.name in names))


def validations(names: Iterable[str]) -> Iterable[Kind]:
    """A chart for each benchmark whose validation split was asked while the stage trained."""
    for name in sorted(names):
        if name.startswith(VALIDATION) and name.endswith("/accuracy"):
            benchmark = name.split("/")[1]
            trials = f"{VALIDATION}{benchmark}/problems"
            key, unit = f"validation_{benchmark}", f"{benchmark}, 95 % interval"
            yield Kind(key, "Validation accuracy", unit, True, metric=name, trials=trials)


def _by_prefix(names: set[str]) -> Iterable[Kind]:
    shares = [kind for kind in [*validations(names), *CURATED] if kind.percent]
    for name in sorted(names, key=lambda name: (_group(name), name)):
        percent = any(name == kind.name or kind.parts_in([name]) for kind in shares)
        yield Kind(ANY + name, name, "", percent, False, name, _group(name))


def _group(name: str) -> str:
    return name.partition("/")[0] if "/" in name else GENERAL
