"""A small picture of what each condition reached after every stage: SVG made here, so that a list needs no script for it."""

from dataclasses import dataclass

from webapp.comparison.answers.planned_answers import ExperimentAnswer
from webapp.files.number_text import percent

WIDTH, HEIGHT, ROOM = 72, 34, 3  # units of the picture; room for the dots at its edge


@dataclass(frozen=True)
class SparkCourse:
    """A condition's course."""

    position: int  # of the condition, which decides the colour
    paths: tuple[str, ...]  # a branch of stages each: its points as SVG takes them
    ends: tuple[tuple[float, float], ...]  # where the newest value of each branch lies


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
        of_stage = dict(known)
        branches = [
            [at(stage, of_stage[stage]) for stage in branch if stage in of_stage]
            for branch in _branches(answer)
        ]
        lines.append(
            SparkCourse(
                course.position,
                tuple(" ".join(f"{x:.1f},{y:.1f}" for x, y in one) for one in branches if len(one) > 1),
                tuple(one[-1] for one in branches if one),
            )
        )
        said.append(f"{course.condition} {', '.join(_written(answer, value) for _, value in known)}")
    stages = f"{answer.metric} after {', '.join(answer.stages)}"
    return Sparkline(tuple(lines), f"{stages}: {'; '.join(said)}")


def _branches(answer: ExperimentAnswer) -> list[list[int]]:
    """The stages as lines go through them: two that start from one stage are two lines."""
    branches: list[list[int]] = [[]]
    for stage in answer.order or range(len(answer.stages)):
        if stage is None:
            branches.append([])
        else:
            branches[-1].append(stage)
    return branches


def _written(answer: ExperimentAnswer, value: float) -> str:
    return percent(value) if answer.share else f"{value:.4g}"
