"""What an experiment of this size could see, told before it is launched."""

from collections.abc import Collection
from dataclasses import dataclass

from training.recipes.metric_names import AMOUNTS as NO_SHARES
from training.recipes.plan import problems
from training.recipes.planned_question import Contrast, contrasts
from training.recipes.recipe import Recipe
from webapp.statistics.planned_seeds import LOOK
from webapp.statistics.power import (
    detectable,
    detectable_by_seeds,
    needed_for_equivalence,
    needed_problems,
)

ASSUMED_DISCORDANT = 0.1
WISHED = 0.05  # a difference that is worth knowing, unless somebody wishes another one
CHANCE = 0.8  # of seeing a difference that is there

WHAT = {
    "difference": ("a difference", "between two checkpoints"),
    "equivalence": ("a difference", "between two checkpoints"),
    "gain": ("a gain", "of one checkpoint over another"),
    "interaction": ("a difference of gains", "between two conditions’ checkpoints"),
}  # what is shown, and of what


@dataclass(frozen=True)
class Power:
    """The planned question's paired comparison. Shares are 0 to 1."""

    benchmark: str
    problems: int
    seeds: int
    alpha: float
    comparisons: int  # that share alpha
    contrast: Contrast
    margin: float | None  # of equivalence
    discordant: float
    discordant_from: str  # the experiment that showed it; empty: assumed
    wished: float

    @property
    def alone(self) -> float:
        """The level that each comparison is tested at: what the verdict goes by."""
        return self.alpha / self.comparisons

    @property
    def scatter(self) -> float:
        """The share of problems that scatter: an interaction has those of two gains."""
        return min(1.0, 2 * self.discordant) if self.contrast == "interaction" else self.discordant

    @property
    def checkpoints(self) -> float:
        """Smallest difference that the paired test of two checkpoints sees."""
        return detectable(self.problems, self.scatter, self.alone, CHANCE)

    @property
    def conditions(self) -> float | None:
        """Smallest difference of two conditions that the test over seeds sees; None with one seed."""
        if self.seeds < 2:
            return None
        return detectable_by_seeds(self.problems, self.scatter, self.seeds, self.alone, CHANCE)

    @property
    def needed(self) -> int:
        """Problems at which two checkpoints that differ as wished are told apart."""
        share = max(self.scatter, self.wished)
        return needed_problems(self.wished, share, self.alone, CHANCE)

    @property
    def sentences(self) -> list[str]:
        """What this means, and what it takes for granted."""
        what, between = WHAT[self.contrast]
        sees = f"{self.problems:,} problems of {self.benchmark} show {what} of {_points(self.checkpoints)} "
        sees += f"{between}; {what} of {_points(self.wished)} takes {self.needed:,}."
        if self.margin is not None:
            enough = needed_for_equivalence(self.margin, self.discordant, self.alone, CHANCE)
            sees = f"Two checkpoints that do not differ are shown to be equivalent within ± {_points(self.margin)} with "
            sees += f"{enough:,} problems; there are {self.problems:,} of {self.benchmark}."
        source = (
            f"as many as in {self.discordant_from}"
            if self.discordant_from
            else "an assumption: nothing like it has run here"
        )
        shared = f" that {self.comparisons} comparisons share" if self.comparisons > 1 else ""
        takes = f"With α {self.alpha:g}{shared}, power {CHANCE:.0%}".replace("%", " %")
        takes += (
            f" and {100 * self.discordant:.3g} % of the problems solved by only one of the two ({source})."
        )
        if self.conditions is None:
            seeds = "One seed compares two checkpoints, not two conditions: another seed may turn the result round."
        else:
            seeds = f"{self.seeds} seeds show {what} of {_points(self.conditions)} between two conditions, "
            seeds += "or only a larger one where seeds differ by more than their problems do."
            if self.seeds < 3:
                seeds += " Three are the least that can support a claim."
        return [sees, seeds, takes]


def power(
    recipe: Recipe,
    *,
    same: Collection[tuple[str, str]] = (),
    known: tuple[float, str] | None = None,
    discordant: float | None = None,
    wished: float | None = None,
) -> Power | None:
    """Power of the planned question; None where it compares nothing, or is about no yes or no.

    `same` are (stage, condition) that share the baseline's run, so that they are not compared;
    `known` is the discordant share of an earlier experiment and its name; `discordant` and `wished` go before.
    """
    asked = [b for b in recipe.benchmarks if b.benchmark == recipe.primary.benchmark]
    asked += [b for s in recipe.stages for b in s.benchmarks or [] if b.benchmark == recipe.primary.benchmark]
    compared = [place for place in contrasts(recipe.primary, recipe.design) if place not in same]
    if not asked or not compared or recipe.primary.metric in NO_SHARES:
        return None
    share, source = (discordant, "") if discordant is not None else known or (ASSUMED_DISCORDANT, "")
    return Power(
        benchmark=recipe.primary.benchmark,
        problems=problems(asked[0]),
        seeds=recipe.primary.decide(len(recipe.seeds)),
        alpha=recipe.alpha * (1 - LOOK) if recipe.primary.interim else recipe.alpha,
        comparisons=len(compared),
        contrast=recipe.primary.contrast,
        margin=recipe.primary.margin,
        discordant=share,
        discordant_from=source,
        wished=WISHED if wished is None else wished,
    )


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
