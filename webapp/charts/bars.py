"""Small drawings beside rollouts: a reward as a stacked bar around zero, a prompt's accuracy by step as a curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.rewards import REWARDS
from webapp.files.number_text import signed
from webapp.telemetry.reward_histogram import BARS

WIDTH = 100.0  # of the drawing; one unit of reward is a third of it, so that −1 … 2 fits
UNIT, ZERO = WIDTH / 3, WIDTH / 3
NONE = "no component counts"
CURVE = (600.0, 60.0)  # width and height of a curve's drawing
COLUMN = (10.0, 40.0)  # width and height of a histogram's highest column, the gap to the next one included


@dataclass(frozen=True)
class Segment:
    """One component in the drawing."""

    name: str
    colour: int  # 0…7: its place among the rewards
    value: float
    x: float
    width: float


def bar(components: Mapping[str, float]) -> list[Segment]:
    """The components that are not 0, each beside the one before; what would leave the drawing ends at its edge."""
    right = left = ZERO
    segments = []
    for name, value in components.items():
        if not value:
            continue
        if value > 0:
            start, right = right, min(right + value * UNIT, WIDTH)
            x, width = start, right - start
        else:
            end, left = left, max(left + value * UNIT, 0.0)
            x, width = left, end - left
        segments.append(Segment(name, colour(name), value, round(x, 2), round(width, 2)))
    return segments


def label(components: Mapping[str, float]) -> str:
    """What the bar of these components shows, in words: 'correct +1.00, format −0.50'."""
    return ", ".join(f"{name} {signed(value, 2)}" for name, value in components.items() if value) or NONE


def box(groups: Sequence[Mapping[str, float]]) -> str:
    """The part of the drawing that bars of these components need: where none is negative, that from zero."""
    if any(value < 0 for components in groups for value in components.values()):
        return f"0 0 {WIDTH:g} 8"
    return f"{ZERO:.2f} 0 {WIDTH - ZERO:.2f} 8"


def legend(groups: Sequence[Mapping[str, float]]) -> list[tuple[str, int]]:
    """Name and colour of every component that any of the rollouts has."""
    names = {name for components in groups for name, value in components.items() if value}
    order = {name: place for place, name in enumerate(REWARDS)}
    return [
        (name, colour(name)) for name in sorted(names, key=lambda name: (order.get(name, len(order)), name))
    ]


def colour(name: str) -> int:
    """A component's colour, the same on every page."""
    known = list(REWARDS)
    return (known.index(name) if name in known else len(known) + sum(map(ord, name)) % 2) % 8


def curve(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """(step, share) in order → x, y in a drawing of CURVE's size, share 1 at the top; a lone one stands in the middle."""
    if not points:
        return []
    (first, _), (last, _) = points[0], points[-1]
    width, height = CURVE
    span = last - first
    return [
        (round(width * ((step - first) / span if span else 0.5), 1), round(height * (1 - share), 1))
        for step, share in points
    ]


def column(place: int, count: int, most: int) -> tuple[float, float, float, float]:
    """x, y and height of a histogram's column, which can be seen where there is anything, and its middle in % of the width."""
    width, height = COLUMN
    tall = max(height * count / most, 1.0)
    return place * width, round(height - tall, 1), round(tall, 1), round(100 * (place + 0.45) / BARS, 2)


def with_counts(counts: Mapping[int, int]) -> set[int]:
    """The places of a histogram's columns that have room for their number above them: two digits, or more beside nothing."""
    return {
        place
        for place, count in counts.items()
        if count < 100 or (count < 10_000 and not {place - 1, place + 1} & counts.keys())
    }
