"""A small picture of what each condition reached after every stage: SVG made here, so that a list needs no script for it."""

from dataclasses import dataclass

from webapp.comparison.answers.planned_answers import ExperimentAnswer
from webapp.files.number_text import percent

WIDTH, HEIGHT, ROOM = 96, 30, 3  # units of the picture; room for the dots at its edge


@dataclass(frozen=True)
class SparkCourse:
    """A condition's course."""

    position: int  # of the condition, which decides the colour
    path: str  # points as SVG takes them
    end: tuple[float, float]  # where its newest value lies


@dataclass(frozen=True)
class Sparkline:
    """The picture, and what it says in words."""

    lines: tuple[SparkCourse, ...]
    said: str
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(answer: ExperimentAnswer) -> Sparkline | None:
    """Every condition's values from the least to the largest of all; None where no condition has two."""
    values = [value for course in answer.courses for value in course.values if value is not None]
    if max((sum(v is not None for v in one.values) for one in answer.courses), default=0) < 2:
        return None
    low, high, last = min(values), max(values), len(answer.stages) - 1
    span = (high - low) or 1.0

    def at(stage: int, value: float) -> tuple[float, float]:
        across = ROOM + (WIDTH - 2 * ROOM) * stage / last
        return across, HEIGHT - ROOM - (HEIGHT - 2 * ROOM) * (value - low) / span

    lines, said = [], []
    for course in answer.courses:
        known = [(stage, value) for stage, value in enumerate(course.values) if value is not None]
        if not known:
            continue
        points = [at(stage, value) for stage, value in known]
        lines.append(
            SparkCourse(course.position, " ".join(f"{x:.1f},{y:.1f}" for x, y in points), points[-1])
        )
        said.append(f"{course.condition} {', '.join(_written(answer, value) for _, value in known)}")
    stages = f"{answer.metric} after {', '.join(answer.stages)}"
    return Sparkline(tuple(lines), f"{stages}: {'; '.join(said)}")


def _written(answer: ExperimentAnswer, value: float) -> str:
    return percent(value) if answer.share else f"{value:.4g}"
