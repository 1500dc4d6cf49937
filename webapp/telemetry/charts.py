"""Figures of a run's page: metric series → Plotly figures as plain dicts, small enough to send.

Colours are names of the style sheet's tokens ("--condition-0"); static/js/charts.js puts in the value for light or dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

from webapp.runs.models import StageRun
from webapp.telemetry.series import Series, series

MOST_POINTS = 1000  # a curve on a chart
COLOURS = 6  # --condition-0 … --condition-5


@dataclass(frozen=True)
class Kind:
    """A chart that a run may have: metrics of one unit on one pair of axes."""

    key: str
    title: str
    unit: str
    metrics: tuple[str, ...]  # one that ends in "/" stands for every metric that starts so
    percent: bool = False
    main: bool = True  # the others are folded away


KINDS = (
    Kind("accuracy", "Accuracy of rollouts", "share correct", ("accuracy",), percent=True),
    Kind("kept", "Kept responses", "share of responses", ("kept",), percent=True),
    Kind("reward", "Reward", "mean per rollout", ("reward",)),
    Kind("components", "Reward by component", "mean per rollout", ("reward/",)),
    Kind("loss", "Loss", "nats per token", ("loss",)),
    Kind("validation_loss", "Validation loss", "nats per token", ("validation_loss",)),
    Kind("kl", "KL divergence from the reference", "nats per token", ("kl",)),
    Kind("repetition", "Repetition", "share of rollouts", ("repetition",), percent=True),
    Kind("mul_tokens", "Mul-tokens", "per completion", ("mul_tokens",)),
    Kind(
        "groups_without_gradient",
        "Groups without gradient",
        "share of groups",
        ("groups_without_gradient",),
        True,
    ),
    Kind("completion_length", "Completion length", "tokens", ("completion_length",)),
    Kind("entropy", "Entropy", "nats per token", ("entropy",)),
    Kind("logprob_mismatch", "Sampler against trainer", "nats per token", ("logprob_mismatch",)),
    Kind("hit_limit", "Cut at the token limit", "share of rollouts", ("hit_limit",), True, main=False),
    Kind("reward_std", "Standard deviation of the reward", "within groups", ("reward_std",), main=False),
    Kind("clip_ratio", "Clipped", "share of tokens", ("clip_ratio",), True, main=False),
    Kind("cost", "Cost of the teacher's answers", "in the prices' currency", ("cost",), main=False),
    Kind("cache_hits", "Answers from the cache", "share of answers", ("cache_hits",), True, main=False),
    Kind("entropy_bonus", "Entropy bonus", "weight in the loss", ("entropy_bonus",), main=False),
    Kind("learning_rate", "Learning rate", "", ("learning_rate",), main=False),
    Kind("grad_norm", "Gradient norm", "before clipping", ("grad_norm",), main=False),
    Kind("tokens_per_second", "Speed", "tokens per second", ("tokens_per_second",), main=False),
    Kind("mfu", "Model FLOPs utilisation", "share of the device's peak", ("mfu",), True, main=False),
    Kind("perplexity", "Validation perplexity", "", ("perplexity",), main=False),
    Kind(
        "rollouts_per_second", "Sampling speed", "rollouts per second", ("rollouts_per_second",), main=False
    ),
)


@dataclass(frozen=True)
class Chart:
    """A chart with its curves: this run's, and faintly the same stage's of the other conditions."""

    kind: Kind
    traces: list[dict[str, Any]] = field(default_factory=list)

    @property
    def latest(self) -> float | None:
        """The newest value of this run's curve; None where there are several."""
        own = [trace for trace in self.traces if trace["meta"]["own"]]
        return own[0]["y"][-1] if len(own) == 1 else None

    def figure(self) -> dict[str, Any]:
        """The figure for Plotly.react."""
        several = len(self.traces) > 1
        layout = {
            "margin": {"l": 52, "r": 12, "t": 8, "b": 36},
            "height": 232 if several else 208,
            "showlegend": several,
            "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 11}},
            "hovermode": "x unified",
            "xaxis": {"title": {"text": "step", "standoff": 4}, "zeroline": False, "rangemode": "tozero"},
            "yaxis": {
                "tickformat": ".1~%" if self.kind.percent else "",
                "rangemode": "nonnegative" if self.kind.percent else "normal",  # a flat 0 is not around 0
                "exponentformat": "e",
                "zeroline": False,
                "nticks": 5,
            },
        }
        return {"data": self.traces, "layout": layout}

    def as_json(self) -> dict[str, Any]:
        """What charts.js reads."""
        kind = self.kind
        text = {
            "key": kind.key,
            "title": kind.title,
            "unit": kind.unit,
            "percent": kind.percent,
            "main": kind.main,
        }
        return text | {"latest": self.latest, "figure": self.figure()}


def run_charts(run: StageRun) -> list[Chart]:
    """The charts that a run has data for; other conditions' runs of the stage and seed lie behind its curves."""
    siblings = list(
        StageRun.objects.filter(stage=run.stage_id, seed=run.seed)
        .exclude(pk=run.pk)
        .select_related("condition")
        .order_by("condition__position")
    )
    found: dict[int, dict[str, Series]] = {run.pk: {}, **{sibling.pk: {} for sibling in siblings}}
    for (owner, name), points in series(found).items():
        found[owner][name] = points
    charts = []
    for kind in KINDS:
        names = matching(kind, found[run.pk])
        if not names:
            continue
        if len(names) > 1:
            traces = [_component(found[run.pk][name], name, i) for i, name in enumerate(names)]
        else:
            others = [(s, found[s.pk][names[0]]) for s in siblings if names[0] in found[s.pk]]
            traces = [_curve(sibling, points, own=False) for sibling, points in others]
            traces.append(_curve(run, found[run.pk][names[0]], own=True))
        charts.append(Chart(kind, traces))
    return charts


def matching(kind: Kind, present: dict[str, Series]) -> list[str]:
    """Names of the metrics on a chart that have points."""
    return [
        name
        for name, points in sorted(present.items())
        if len(points.steps)
        and any(name.startswith(m) if m.endswith("/") else name == m for m in kind.metrics)
    ]


def thinned(points: Series, most: int = MOST_POINTS) -> tuple[list[int], list[float | None]]:
    """Steps and values of at most `most` points that keep extremes and shape (MinMaxLTTB).

    Values that are no numbers become None: JSON has no NaN, and Plotly leaves a gap.
    """
    steps, values = points.steps, points.values
    finite = np.isfinite(values)
    if len(steps) > most:
        kept = _kept(steps[finite], values[finite], most)
        steps, values = steps[finite][kept], values[finite][kept]
        finite = np.ones(len(steps), dtype=bool)
    shown = [float(f"{v:.6g}") if ok else None for v, ok in zip(values.tolist(), finite, strict=True)]
    return steps.tolist(), shown


def _kept(steps: NDArray[np.int64], values: NDArray[np.float64], most: int) -> NDArray[np.uint64]:
    contiguous = np.ascontiguousarray(steps), np.ascontiguousarray(values)
    kept: NDArray[np.uint64] = MinMaxLTTBDownsampler().downsample(*contiguous, n_out=most)
    return kept


def _curve(run: StageRun, points: Series, *, own: bool) -> dict[str, Any]:
    x, y = thinned(points)
    colour = f"--condition-{min(run.condition.position, COLOURS - 1)}"
    return _trace(
        x, y, run.condition.name, colour, own=own, width=2.0 if own else 1.25, opacity=1.0 if own else 0.55
    )


def _component(points: Series, name: str, place: int) -> dict[str, Any]:
    x, y = thinned(points)
    dash: Sequence[str] = ("solid", "dash", "dot", "dashdot")
    trace = _trace(x, y, name.partition("/")[2], f"--condition-{place % COLOURS}", own=True)
    trace["line"]["dash"] = dash[place % len(dash)]
    return trace


def _trace(
    x: list[int],
    y: list[float | None],
    name: str,
    colour: str,
    *,
    own: bool,
    width: float = 1.75,
    opacity: float = 1.0,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 1 else "markers",
        "name": name,
        "x": x,
        "y": y,
        "opacity": opacity,
        "line": {"color": colour, "width": width},
        "marker": {"color": colour},
        "meta": {"own": own},
    }
