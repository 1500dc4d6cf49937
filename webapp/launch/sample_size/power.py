"""What an experiment of this size could see, told before it is launched."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from training.benchmarks import BENCHMARKS
from training.recipes.metric_names import AMOUNTS, PASS_AT
from training.recipes.plan import problems
from training.recipes.planned_question import NEEDS_START, Contrast, contrasts
from training.recipes.recipe import Recipe
from webapp.launch.sample_size.measured_contrast import MeasuredContrast
from webapp.launch.sample_size.power_grid import MOST_SEEDS, PowerGrid
from webapp.statistics.intervals import Interval
from webapp.statistics.planned_seeds import LOOK
from webapp.statistics.power import (
    detectable,
    detectable_by_seeds,
    detectable_by_spread,
    detectable_mean,
    discordance_by_chance,
    equivalence_by_spread,
    needed_for_equivalence,
    needed_for_mean,
    needed_problems,
    needed_seeds_by_spread,
    possible_discordance,
)
from webapp.statistics.verdicts import FEWEST

ASSUMED_DISCORDANT = 0.1
WISHED = 0.05  # a difference that is worth knowing, unless somebody wishes another one
CHANCE = 0.8  # of seeing a difference that is there
SEEDS = (3, 5, 10)  # of the grid, beside those that are planned

WHAT = {
    "difference": ("a difference", "between two checkpoints"),
    "equivalence": ("a difference", "between two checkpoints"),
    "gain": ("a gain", "of one checkpoint over another"),
    "interaction": ("a difference of gains", "between two conditions’ checkpoints"),
}  # what is shown, and of what


@dataclass(frozen=True)
class Power:
    """The planned question's paired comparison. Shares are 0 to 1, amounts in their unit."""

    benchmark: str
    problems: int
    available: int  # problems that the benchmark has
    seeds: int
    alpha: float
    comparisons: int  # that share alpha
    contrast: Contrast
    margin: float | None  # of equivalence
    discordant: float  # of shares: between the two, of an interaction between before and after in each
    discordant_from: str  # the experiment that showed it; empty: assumed or wished
    wished: float
    measured: MeasuredContrast | None = None
    metric: str = "accuracy"
    unit: str = "points"
    expected: tuple[float, float] | None = None  # accuracies of baseline and condition

    @property
    def of_amounts(self) -> bool:
        """Whether the metric is no yes or no."""
        return self.unit != "points"

    @property
    def alone(self) -> float:
        """The level that each comparison is tested at: what the verdict goes by."""
        return self.alpha / self.comparisons

    @property
    def discordance(self) -> float:
        """The share of problems that scatter: an interaction has those of two gains."""
        return min(1.0, 2 * self.discordant) if self.contrast == "interaction" else self.discordant

    @property
    def scatter(self) -> float:
        """Standard deviation of one problem's difference; of an amount that nothing here has measured 1, which is then the unit."""
        if self.of_amounts:
            return self.measured.scatter if self.measured else 1.0
        return sqrt(self.discordance)

    @property
    def checkpoints(self) -> float:
        """Smallest difference that the paired test of two checkpoints sees."""
        if self.of_amounts:
            return detectable_mean(self.problems, self.scatter, self.alone, CHANCE)
        return detectable(self.problems, self.discordance, self.alone, CHANCE)

    @property
    def conditions(self) -> float | None:
        """Smallest difference of two conditions that the test over seeds sees; None with one seed."""
        return None if self.seeds < 2 else self.seen_by(self.seeds, self.problems)

    @property
    def equivalence(self) -> float | None:
        """Margin that the planned seeds show around a mean difference of 0; None with one seed, and of other contrasts."""
        if self.margin is None or self.seeds < 2:
            return None
        spread = self.measured.spread(self.problems) if self.measured else None
        if spread is None:
            spread = self.scatter / sqrt(self.problems)
        return equivalence_by_spread(spread, self.seeds, self.alone)

    def seen_by(self, seeds: int, problems: int) -> float:
        """Smallest difference that so many seeds show: by their measured spread, else were problems the only noise."""
        spread = self.measured.spread(problems) if self.measured else None
        if spread is None and not self.of_amounts:
            return detectable_by_seeds(problems, self.discordance, seeds, self.alone, CHANCE)
        spread = self.scatter / sqrt(problems) if spread is None else spread
        found = detectable_by_spread(spread, seeds, self.alone, CHANCE)
        return found if self.of_amounts else min(found, 1.0)

    @property
    def needed(self) -> int:
        """Problems at which two checkpoints that differ as wished are told apart."""
        if self.of_amounts:
            return needed_for_mean(self.wished, self.scatter, self.alone, CHANCE)
        return needed_problems(self.wished, max(self.discordance, self.wished), self.alone, CHANCE)

    @property
    def possible(self) -> Interval | None:
        """Discordant shares that there can be at the expected accuracies; None: these are not known, or it is about amounts."""
        return None if self.expected is None or self.of_amounts else possible_discordance(*self.expected)

    @property
    def grid(self) -> PowerGrid | None:
        """Seeds and problems for the wished difference; None of equivalence, which has none to show."""
        if self.margin is not None:
            return None
        sizes = (self.problems, 2 * self.problems, 4 * self.problems, self.available)
        columns = tuple(sorted({min(one, self.available) for one in sizes} | {self.problems}))
        rows = tuple(sorted({*SEEDS, self.seeds} - {1}))
        return PowerGrid(
            columns,
            rows,
            tuple(tuple(self.seen_by(seeds, one) for one in columns) for seeds in rows),
            self.wished,
            tuple(self._needed_seeds(one) for one in columns),
            self.unit if self.measured or not self.of_amounts else "standard deviations",
            1 if self.of_amounts else 100,
            self.measured is not None and self.measured.components is not None,
        )

    @property
    def more_by_seeds(self) -> str:
        """Why the fewest seeds of the grid show less than one checkpoint of each condition; empty where they do not."""
        if self.grid is None:
            return ""
        seeds = self.grid.seeds[0]
        seen = self.seen_by(seeds, self.problems)
        if seen <= self.checkpoints:
            return ""
        what, _ = WHAT[self.contrast]
        return (
            f"One seed shows {what} of {self._text(self.checkpoints)}, {seeds} seeds one of {self._text(seen)}: with one seed "
            "the interval holds for these checkpoints alone, with several it covers other seeds, too."
        )

    def _needed_seeds(self, problems: int) -> int | None:
        spread = self.measured.spread(problems) if self.measured else None
        if spread is None:
            variance = self.scatter**2 - (0 if self.of_amounts else min(self.wished, self.scatter**2) ** 2)
            spread = sqrt(variance / problems)
        found = needed_seeds_by_spread(self.wished, spread, self.alone, CHANCE, MOST_SEEDS)
        return found and max(found, FEWEST)

    @property
    def sentences(self) -> list[str]:
        """What this means, and what it takes for granted."""
        return [self._sees(), self._seeds(), *filter(None, [self.sharing]), *self._takes()]

    @property
    def sharing(self) -> str:
        """What it costs that several comparisons share the level; empty for one comparison."""
        if self.comparisons < 2:
            return ""
        said = f"{self.comparisons} comparisons share α {self.alpha:g}: each is tested at {self.alone:.2g} (Bonferroni)"
        if self.margin is not None:
            return f"{said}, which takes more problems and seeds than one comparison alone."
        one = replace(self, comparisons=1)
        if self.conditions is None or one.conditions is None:
            what, now, alone = "checkpoints", self.checkpoints, one.checkpoints
        else:
            what, now, alone = "conditions", self.conditions, one.conditions
        return f"{said}, so that two {what} must differ by {self._text(now)} instead of the {self._text(alone)} of one alone."

    def _sees(self) -> str:
        what, between = WHAT[self.contrast]
        if self.margin is not None:
            if self.of_amounts:
                return f"There are {self.problems:,} problems of {self.benchmark}; how many show equivalence is told for shares alone."
            enough = needed_for_equivalence(self.margin, self.discordant, self.alone, CHANCE)
            return (
                f"Two checkpoints that do not differ are shown to be equivalent within ± {self._text(self.margin)} with "
                f"{enough:,} problems; there are {self.problems:,} of {self.benchmark}."
            )
        sees = f"{self.problems:,} problems of {self.benchmark} show {what} of {self._text(self.checkpoints)} {between}"
        if self.of_amounts and self.measured is None:
            return f"{sees}; nothing like it has run here, so it is not known how many {self.unit} that are."
        return f"{sees}; {what} of {self._text(self.wished)} takes {self.needed:,} problems."

    def _seeds(self) -> str:
        what, _ = WHAT[self.contrast]
        if self.conditions is None:
            return "One seed compares two checkpoints, not two conditions: another seed may turn the result round."
        scatter = self._seeds_scatter()
        if self.equivalence is not None and self.margin is not None:
            seeds = (
                f"Two one-sided tests over {self.seeds} seeds reach ± {self._text(self.equivalence)} about the mean difference "
                f"between two conditions on these problems, {scatter or 'or farther where seeds differ by more than their problems do.'}"
                " A margin below that cannot be shown"
            )
            known = self.measured or not self.of_amounts  # else the two are in different units
            seeds += f"; the planned one is ± {self._text(self.margin)}." if known else "."
        else:
            seeds = (
                f"{self.seeds} seeds show {what} of {self._text(self.conditions)} between two conditions on these problems, "
                f"{scatter or 'or only a larger one where seeds differ by more than their problems do.'}"
            )
        return f"{seeds} Three are the least that can support a claim." if self.seeds < FEWEST else seeds

    def _seeds_scatter(self) -> str:
        """How the seeds of an earlier experiment did; empty where none tells."""
        spread = self.measured.spread(self.problems) if self.measured else None
        if spread is None or self.measured is None:
            return ""
        return (
            f"as the {self.measured.seeds} seeds of {self.measured.experiment} scatter: by {self._text(spread)} "
            f"(standard deviation of a seed’s difference, at {self.problems:,} problems)."
        )

    def _takes(self) -> list[str]:
        shared = f" that {self.comparisons} comparisons share" if self.comparisons > 1 else ""
        takes = f"With α {self.alpha:g}{shared}, power {CHANCE:.0%}".replace("%", " %")
        of_means = self.of_amounts or self.contrast == "interaction" or PASS_AT.fullmatch(self.metric)
        if of_means and self.measured and (self.of_amounts or self.discordant_from):
            what = "difference of gains" if self.contrast == "interaction" else "difference"
            scatter = f"{self._text(self.measured.scatter)} (standard deviation, {self.measured.experiment})"
            return [f"{takes} and one problem’s {what} scattering by {scatter}."]
        if self.of_amounts:
            return [f"{takes}."]
        source = "an assumption: nothing like it has run here"
        if self.discordant_from:
            source = f"as many as in {self.discordant_from}"
        elif self.expected and self.discordant != ASSUMED_DISCORDANT:
            source = "an assumption"
        said = [
            f"{takes} and {100 * self.discordant:.3g} % of the problems {self._discordant_word} ({source})."
        ]
        if self.expected and (possible := self.possible) and not self.discordant_from:
            rates = " and ".join(f"{100 * one:.3g}" for one in dict.fromkeys(self.expected))
            ends = " to ".join(f"{100 * one:.3g}" for one in possible)
            impossible = not possible.low - 1e-9 <= self.discordant <= possible.high + 1e-9
            cannot = f": {100 * self.discordant:.3g} % cannot occur" if impossible else ""
            said.append(f"At the expected accuracy of {rates} % it can be {ends} %{cannot}.")
        return said

    @property
    def _discordant_word(self) -> str:
        right = self.metric == "accuracy" or PASS_AT.fullmatch(self.metric)
        counts = f"in which the {self.metric.replace('_', ' ')} counts"
        if self.discordant_from and self.contrast in NEEDS_START:
            return f"{'solved' if right else counts} only before or only after the stage"
        return f"{'solved by' if right else counts} only one of the two"

    def _text(self, of: float) -> str:
        if not self.of_amounts:
            return f"{100 * of:.1f} points"
        return f"{of:.3g} {self.unit if self.measured else 'standard deviations of a problem’s difference'}"


def power(
    recipe: Recipe,
    *,
    same: Collection[tuple[str, str]] = (),
    measured: MeasuredContrast | None = None,
    accuracies: Sequence[float] = (),
    discordant: float | None = None,
    wished: float | None = None,
) -> Power | None:
    """Power of the planned question; None where it compares nothing.

    `same` are (stage, condition) that share the baseline's run, so that they are not compared; `measured` is how the
    contrast scattered in an earlier experiment; `accuracies` are what the conditions start from, where the recipe says
    nothing of what is expected; `discordant` and `wished` go before.
    """
    asked = recipe.primary_benchmark_by_stage
    compared = [place for place in contrasts(recipe.primary, recipe.design) if place not in same]
    if not asked or not compared:
        return None
    fewest = min(problems(asked[stage]) for stage, _ in compared)  # last stages may ask different numbers
    metric = recipe.primary.metric
    expected = _expected(recipe.expected_accuracy or accuracies) if metric == "accuracy" else None
    assumed = (
        ASSUMED_DISCORDANT if expected is None else min(ASSUMED_DISCORDANT, discordance_by_chance(*expected))
    )
    share, source = assumed if discordant is None else discordant, ""
    if discordant is None and measured and metric not in AMOUNTS:
        gains = 2 if recipe.primary.contrast == "interaction" else 1
        share, source = measured.mean_square / gains, measured.experiment
    return Power(
        benchmark=recipe.primary.benchmark,
        problems=fewest,
        available=max(BENCHMARKS[recipe.primary.benchmark].size, fewest),
        seeds=recipe.primary.decide(len(recipe.seeds)),
        alpha=recipe.alpha * (1 - LOOK) if recipe.primary.interim else recipe.alpha,
        comparisons=len(compared),
        contrast=recipe.primary.contrast,
        margin=recipe.primary.margin,
        discordant=share,
        discordant_from=source,
        wished=_wished(wished, metric, measured),
        measured=measured,
        metric=metric,
        unit=metric.removesuffix("_per_response").replace("_", "-") if metric in AMOUNTS else "points",
        expected=expected,
    )


def _expected(accuracies: Sequence[float]) -> tuple[float, float] | None:
    """Of the baseline and of the condition that is expected to be farthest from it; None where nothing is."""
    if not accuracies:
        return None
    first, *others = accuracies
    return first, max(others or [first], key=lambda one: abs(one - first))


def _wished(wished: float | None, metric: str, measured: MeasuredContrast | None) -> float:
    """Shares as they are; of an amount, which is entered as points are, in its unit: a tenth of its scatter unless it is said."""
    if metric not in AMOUNTS:
        return WISHED if wished is None else wished
    scatter = measured.scatter if measured else 1.0
    return 0.1 * scatter if wished is None else 100 * wished
