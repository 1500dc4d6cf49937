"""What a person chooses above the charts; it stands in the page's address, so that a link shows the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

XS = {"step": "step", "rollouts": "rollouts", "tokens": "tokens", "time": "relative time"}
RUNS = {"conditions": "conditions (all seeds)", "own": "this run"}
MOST_SMOOTHING = 0.99
SMOOTHING = 0.6  # as trainers' dashboards begin; the recorded points lie behind
POINTS = 600  # of a curve on a chart of ordinary size
MOST_POINTS = 4_000


@dataclass(frozen=True)
class ChartChoices:
    """How the charts are drawn; what is not chosen has these values."""

    x: str = "step"
    runs: str = "conditions"
    smooth: float = SMOOTHING
    hide: tuple[str, ...] = ()  # conditions that are left out
    hide_seeds: tuple[int, ...] = ()
    logx: bool = False
    logy: bool = False
    clip: bool = False  # the y axis ends at the 1st and the 99th percentile
    between: tuple[float, float] | None = None  # the part of the x axis that is looked at
    points: int = POINTS


def read(query: Mapping[str, str]) -> ChartChoices:
    """The choices in an address; raises ValueError, with what could stand there instead."""
    return ChartChoices(
        x=_one_of("x", query.get("x", "step"), XS),
        runs=_one_of("runs", query.get("runs", "conditions"), RUNS),
        smooth=_number("smooth", query.get("smooth", str(SMOOTHING)), 0, MOST_SMOOTHING),
        hide=tuple(filter(None, query.get("hide", "").split(","))),
        hide_seeds=_whole_numbers("hide_seeds", query.get("hide_seeds", "")),
        logx=_switch("logx", query),
        logy=_switch("logy", query),
        clip=_switch("clip", query),
        between=_between(query.get("between", "")),
        points=int(_number("points", query.get("points", str(POINTS)), 50, MOST_POINTS)),
    )


def _one_of(name: str, value: str, known: Mapping[str, str]) -> str:
    if value not in known:
        raise ValueError(f"{name} is {value!r}; choose {', '.join(known)}")
    return value


def _number(name: str, text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise ValueError(f"{name} is {text!r}; give a number from {least:g} to {most:g}")
    return value


def _whole_numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise ValueError(f"{name} is {text!r}; give whole numbers: 0,1") from None


def _switch(name: str, query: Mapping[str, str]) -> bool:
    return _one_of(name, query.get(name, "0"), {"0": "off", "1": "on"}) == "1"


def _between(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = float("nan")
    if not (isfinite(low) and isfinite(high) and low < high):
        raise ValueError(f"between is {text!r}; give two numbers, the smaller first: 100,200")
    return low, high
