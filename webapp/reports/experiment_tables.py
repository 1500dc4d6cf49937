"""Every table of an experiment, for the page and the command line alike.

The command line offers them before there is Django, so what makes a table is imported when it does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.did_you_mean import nearest

if TYPE_CHECKING:
    from webapp.comparison.table import StageTable
    from webapp.experiments.models import Experiment
    from webapp.files.table import Table
    from webapp.runs.models import StageRun

SEEDS = {"apart": "apart, and their mean", "together": "together: their mean alone"}


@dataclass(frozen=True)
class TableChoices:
    """What is wanted of an experiment's table."""

    experiment: "Experiment"
    benchmark: str | None = None  # the primary one
    baseline: str | None = None  # the first condition
    metric: str | None = None  # the primary one
    seeds: str = "apart"  # one of SEEDS
    problems: str | None = None  # a subset: results/problem_subset.py; all of them
    run: "StageRun | None" = None  # all of them

    @property
    def together(self) -> bool:
        """Whether of several seeds the means alone are wanted."""
        return self.seeds == "together"

    def stage_table(self) -> "StageTable":
        """The comparison that is wanted; raises ValueError for a choice that there is not."""
        from webapp.comparison.table import refuse_unknown, stage_table

        refuse_unknown("way to show seeds", self.seeds, SEEDS)
        return stage_table(
            self.experiment,
            benchmark=self.benchmark,
            baseline=self.baseline,
            metric=self.metric,
            problems=self.problems,
        )


def _stages(wanted: TableChoices) -> "Table":
    from webapp.comparison.tables import stage_tables

    return stage_tables.stages(wanted.stage_table(), together=wanted.together)


def _details(wanted: TableChoices) -> "Table":
    from webapp.comparison.tables import stage_tables

    return stage_tables.details(wanted.stage_table())


def _groups(wanted: TableChoices) -> "Table":
    from webapp.comparison.tables import stage_tables

    return stage_tables.by_group(wanted.stage_table())


def _benchmarks(wanted: TableChoices) -> "Table":
    from webapp.comparison.tables import benchmark_table

    if wanted.problems:
        raise ValueError("problems: every benchmark is shown with all of its problems; leave this out")
    return benchmark_table.table(wanted.experiment, wanted.baseline)


def _pass_at_k(wanted: TableChoices) -> "Table":
    from webapp.comparison.tables import stage_tables

    return stage_tables.pass_at_k(wanted.stage_table())


def _dose(wanted: TableChoices) -> "Table":
    from webapp.comparison.alike import dose

    return dose.table(wanted.experiment)


def _dynamics(wanted: TableChoices) -> "Table":
    from webapp.reports import diagnosis_exports

    return diagnosis_exports.dynamics(wanted.experiment, wanted.run)


def _findings(wanted: TableChoices) -> "Table":
    from webapp.reports import diagnosis_exports

    return diagnosis_exports.findings(wanted.experiment, wanted.run)


TABLES: dict[str, Callable[[TableChoices], "Table"]] = {
    "stages": _stages,
    "details": _details,
    "groups": _groups,
    "benchmarks": _benchmarks,
    "pass_at_k": _pass_at_k,
    "dose": _dose,
    "dynamics": _dynamics,
    "findings": _findings,
}


def build(what: str, wanted: TableChoices) -> "Table":
    """One of TABLES. Raises ValueError for another name, or for a choice that there is not."""
    if what not in TABLES:
        raise ValueError(f"there is no table {what!r}{nearest(what, list(TABLES))}")
    return TABLES[what](wanted)
