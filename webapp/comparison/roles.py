"""Which comparisons of a stage table answer the planned question, and in which family each is corrected."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.recipes.planned_question import Design, PlannedQuestion, contrasts
from webapp.statistics.families import Family

Place = tuple[str, str]  # stage, condition


@dataclass(frozen=True)
class Roles:
    """The families of a table: the planned contrasts, the other stages, and everything that nobody planned."""

    question: PlannedQuestion
    alpha: float
    planned: bool  # whether the table is of the question's benchmark, metric and baseline
    contrasts: tuple[
        Place, ...
    ]  # what the question is about, without what shares a run; none where nothing was planned
    others: tuple[Place, ...]  # comparisons of the table that are not among them

    def of(self, stage: str, condition: str) -> Family:
        """The family of a condition's difference from the baseline after a stage."""
        if not self.planned:
            return Family("exploratory", 1, self.alpha)
        if self.is_primary(stage, condition):
            return self.primary
        return Family("secondary", max(len(self.others), 1), self.alpha)

    def is_primary(self, stage: str, condition: str) -> bool:
        """Whether the difference after a stage is what was planned to be tested."""
        return self.planned and self.about_differences and (stage, condition) in self.contrasts

    @property
    def primary(self) -> Family:
        """The family of the planned contrasts."""
        return Family("primary", max(len(self.contrasts), 1), self.alpha, self.question.margin)

    @property
    def about_differences(self) -> bool:
        """Whether the question is about differences from the baseline, which the table has."""
        return self.question.contrast in ("difference", "equivalence")


def roles(
    question: PlannedQuestion,
    design: Design,
    *,
    alpha: float,
    planned: bool,
    stages: Sequence[str],
    others: Sequence[str],
    same: Iterable[Place],
) -> Roles:
    """The families of a table of these stages and conditions against its baseline; `same` are those that share its run."""
    shared = set(same)
    asked = [place for place in contrasts(question, design) if place not in shared] if planned else []
    every = [place for stage in stages for name in others if (place := (stage, name)) not in shared]
    primary = asked if question.contrast in ("difference", "equivalence") else []
    return Roles(
        question, alpha, planned, tuple(asked), tuple(place for place in every if place not in primary)
    )


def share_a_run(origins: Mapping[tuple[str, str, int], object], baseline: str) -> set[Place]:
    """The (stage, condition) whose result is the baseline's own, in every seed; `origins` has what computed each run."""
    seeds: dict[Place, list[bool]] = {}
    for (condition, stage, seed), origin in origins.items():
        if condition != baseline:
            same = origin is not None and origin == origins.get((baseline, stage, seed))
            seeds.setdefault((stage, condition), []).append(same)
    return {place for place, found in seeds.items() if all(found)}
