"""The planned question: the one contrast of a recipe that is tested at the full level (no torch).

Everything else that a comparison shows is secondary or exploratory: docs/statistics.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from training.did_you_mean import nearest
from training.recipes.metric_names import AMOUNTS, METRICS, PASS_AT, metric_names
from training.settings.base import Settings
from training.settings.errors import error_at

Contrast = Literal["difference", "gain", "interaction", "equivalence"]
PairedTest = Literal["midp", "exact"]
NEEDS_START = ("gain", "interaction")  # contrasts of a stage with the one that it starts from
EARLIEST_LOOK = 3  # seeds
OLD_KEY = "primary_metric"  # what recipes said before there was more than the benchmark to say


class PlannedQuestion(Settings):
    """What decides: one metric of one benchmark, after which stage, and what is set against what."""

    benchmark: str = Field(..., description="Benchmark whose problems decide")
    metric: str = Field("accuracy", description="Metric that decides; pass_at_4 with as many samples")
    stage: str | None = Field(
        None,
        description="Stage after which it is decided. Empty: the last stage, each of them where stages branch",
    )
    contrast: Contrast = Field(
        "difference",
        description="What is tested",
        json_schema_extra={
            "options": {
                "difference": "a condition minus the baseline",
                "gain": "a stage minus the stage that it starts from, in one condition",
                "interaction": "a condition's gain minus the baseline's gain",
                "equivalence": "a condition minus the baseline lies within ± margin",
            }
        },
    )
    condition: str | None = Field(
        None,
        description="Condition that is set against the baseline; of a gain the one that gains. Empty: each, and the level "
        "is shared between them",
    )
    margin: float | None = Field(
        None,
        ge=1e-6,
        description="Of equivalence: the largest difference that counts as none; 0.05 is 5 points, of an amount in its unit",
    )
    seeds: int | None = Field(
        None,
        ge=2,
        description="How many seeds decide, the first of the list; later ones give an exploratory interval beside the verdict, "
        "which stays. Empty: all",
    )
    interim: int | None = Field(
        None,
        ge=EARLIEST_LOOK,
        description="One look before the end, after so many seeds: a p under 0.001 decides there, and the end is tested at 0.049 "
        "(of alpha 0.05). Empty: none",
    )

    def decide(self, seeds: int) -> int:
        """How many of so many seeds decide."""
        return min(self.seeds or seeds, seeds)

    @property
    def described(self) -> str:
        """What is tested, in words: accuracy on gsm8k after grpo, mul_tokens minus the baseline."""
        condition, stage = self.condition or "each condition", self.stage or "the last stage"
        where = f"{self.metric.replace('_', ' ')} on {self.benchmark}"
        match self.contrast:
            case "gain":
                return f"{where}, what {stage} changes in {condition}"
            case "interaction":
                return f"{where}, what {stage} changes in {condition} minus what it changes in the baseline"
            case "equivalence":
                assert self.margin is not None
                margin = f"{self.margin:g}" if self.metric in AMOUNTS else f"{100 * self.margin:g} points"
                return f"{where} after {stage}, {condition} within ± {margin} of the baseline"
        return f"{where} after {stage}, {condition} minus the baseline"


def from_old_key(data: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's settings with `primary` where they have `primary_metric`; both at once raise."""
    if OLD_KEY not in data:
        return dict(data)
    if "primary" in data:
        raise error_at(OLD_KEY, "is the old way to write primary.benchmark; keep primary alone")
    kept = {("primary" if key == OLD_KEY else key): value for key, value in data.items()}
    return {**kept, "primary": {"benchmark": data[OLD_KEY]}}


def path_today(path: str) -> str:
    """The dotted path of a setting that was called otherwise before."""
    return "primary.benchmark" if path == OLD_KEY else path


@dataclass(frozen=True)
class Design:
    """What an experiment has that a question can be about."""

    conditions: Sequence[str]  # the baseline first
    parents: Mapping[str, str | None]  # every stage and the one that it starts from
    changing: frozenset[str]  # stages that leave a checkpoint of their own
    samples: Mapping[
        str, int
    ]  # stages that run the question's benchmark, and completions that are drawn a problem

    def start_of(self, stage: str) -> str | None:
        """The stage that this one made another checkpoint of; None where there is none that runs the benchmark."""
        parent = self.parents[stage]
        return parent if stage in self.changing and parent in self.samples else None

    def last_stages(self) -> list[str]:
        """Stages that run the benchmark, with none behind them that runs it."""
        followed = set()
        for stage in self.samples:
            up = self.parents[stage]
            while up is not None:
                followed.add(up)
                up = self.parents[up]
        return [stage for stage in self.samples if stage not in followed]


def contrasts(question: PlannedQuestion, design: Design) -> list[tuple[str, str]]:
    """The (stage, condition) that the question is about, which share its level between them."""
    if question.condition is not None:
        conditions: Sequence[str] = [question.condition]
    else:
        conditions = design.conditions if question.contrast == "gain" else design.conditions[1:]
    return [(stage, condition) for stage in _deciding(question, design) for condition in conditions]


def _deciding(question: PlannedQuestion, design: Design) -> list[str]:
    """The stages after which it is decided."""
    stages = design.last_stages() if question.stage is None else [question.stage]
    if question.contrast in NEEDS_START:
        stages = [stage for stage in stages if design.start_of(stage)]
    return stages


def check(question: PlannedQuestion, design: Design, benchmarks: Iterable[str], seeds: int) -> None:
    """Raise where the question asks for what the design does not have."""
    if question.benchmark not in benchmarks:
        text = f"{question.benchmark!r} is not among the benchmarks{nearest(question.benchmark, benchmarks)}"
        raise error_at("primary.benchmark", text)
    _check_metric(question.metric, max(design.samples.values(), default=0))
    conditions = design.conditions
    if question.condition is not None and question.condition not in conditions:
        text = f"there is no condition {question.condition!r}{nearest(question.condition, conditions)}"
        raise error_at("primary.condition", text)
    if question.condition == conditions[0] and question.contrast != "gain":
        text = (
            f"{question.condition} is the baseline, which would be set against itself; name another condition"
        )
        raise error_at("primary.condition", text)
    if question.contrast in ("equivalence", "interaction") and len(conditions) < 2:
        text = f"{conditions[0]} is the only condition, with nothing to set against it; add one, or ask for a gain"
        raise error_at("primary.contrast", text)
    if question.stage is not None and question.stage not in design.parents:
        text = f"there is no stage {question.stage!r}{nearest(question.stage, design.parents)}"
        raise error_at("primary.stage", text)
    if question.stage is not None and question.stage not in design.samples:
        text = f"{question.benchmark} is not run after {question.stage}; name a stage after which it is"
        raise error_at("primary.stage", text)
    if question.contrast in NEEDS_START:
        named = [question.stage] if question.stage else design.last_stages()
        if not any(design.start_of(stage) for stage in named):
            text = (
                f"there is no gain: {' and '.join(named)} makes no new checkpoint of a stage after which "
                f"{question.benchmark} is run; name a stage that does"
            )
            raise error_at("primary.stage", text)
    _check_samples(question, design)
    _check_margin(question)
    if question.seeds is not None and question.seeds > seeds:
        raise error_at(
            "primary.seeds", f"{question.seeds} seeds are to decide, but {seeds} are listed; list more"
        )
    if question.interim is not None and question.interim >= question.decide(seeds):
        decide = question.decide(seeds)
        enough = ", or look earlier" if decide > EARLIEST_LOOK else ", or leave it empty"
        ends = f"the end comes after {decide} seed{'s' if decide > 1 else ''}"
        text = (
            f"a look after {question.interim} seeds is none before the end: {ends}; list more seeds{enough}"
        )
        raise error_at("primary.interim", text)


def _check_metric(metric: str, samples: int) -> None:
    known = metric_names(samples)
    if metric in known:
        return
    if PASS_AT.fullmatch(metric):
        offered = ", ".join(known[len(METRICS) :]) or "none"
        text = f"with {samples} samples a problem there is no {metric}; choose from {offered}, or raise the samples"
        raise error_at("primary.metric", text)
    raise error_at("primary.metric", f"there is no metric {metric!r}{nearest(metric, known)}")


def _check_samples(question: PlannedQuestion, design: Design) -> None:
    """Pass@k needs k samples after each stage that decides, and of a gain after the stage that it starts from."""
    if not PASS_AT.fullmatch(question.metric):
        return
    needed = int(question.metric.removeprefix("pass_at_"))
    for stage in _deciding(question, design):
        start = design.start_of(stage) if question.contrast in NEEDS_START else None
        for one in (start, stage):
            if one is not None and (drawn := design.samples[one]) < needed:
                text = (
                    f"{question.metric} needs {needed} samples a problem of {question.benchmark} after {one}, which draws "
                    f"{drawn}; raise its samples, or choose another metric or stage"
                )
                raise error_at("primary.metric", text)


def _check_margin(question: PlannedQuestion) -> None:
    if question.contrast != "equivalence":
        if question.margin is not None:
            raise error_at("primary.margin", "is for the contrast equivalence alone; leave it empty")
    elif question.margin is None:
        text = "is missing; say up to which difference two conditions count as equal, e.g. 0.05"
        raise error_at("primary.margin", text)
    elif question.metric not in AMOUNTS and question.margin >= 1:
        raise error_at("primary.margin", "must be less than 1, as shares differ; 0.05 is 5 points")
