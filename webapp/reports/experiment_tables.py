"""Every table of an experiment, for the page and the command line alike."""

from collections.abc import Callable
from dataclasses import dataclass

from training.settings.did_you_mean import nearest
from webapp.comparison import exports
from webapp.comparison.table import StageTable, refuse_unknown, stage_table
from webapp.experiments.models import Experiment
from webapp.files.table import Table
from webapp.reports import diagnosis_exports
from webapp.runs.models import StageRun

SEEDS = {"apart": "apart, and their mean", "together": "together: their mean alone"}


@dataclass(frozen=True)
class Choices:
    """What is wanted of an experiment's table."""

    experiment: Experiment
    benchmark: str | None = None  # the primary one
    baseline: str | None = None  # the first condition
    metric: str = "accuracy"
    seeds: str = "apart"  # one of SEEDS
    run: StageRun | None = None  # all of them

    @property
    def together(self) -> bool:
        """Whether of several seeds the means alone are wanted."""
        return self.seeds == "together"

    def stage_table(self) -> StageTable:
        """The comparison that is wanted; raises ValueError for a choice that there is not."""
        refuse_unknown("way to show seeds", self.seeds, SEEDS)
        return stage_table(
            self.experiment, benchmark=self.benchmark, baseline=self.baseline, metric=self.metric
        )


TABLES: dict[str, Callable[[Choices], Table]] = {
    "stages": lambda wanted: exports.stages(wanted.stage_table(), together=wanted.together),
    "details": lambda wanted: exports.details(wanted.stage_table()),
    "groups": lambda wanted: exports.by_group(wanted.stage_table()),
    "pass_at_k": lambda wanted: exports.pass_at_k(wanted.stage_table()),
    "dynamics": lambda wanted: diagnosis_exports.dynamics(wanted.experiment, wanted.run),
    "findings": lambda wanted: diagnosis_exports.findings(wanted.experiment, wanted.run),
}


def build(what: str, wanted: Choices) -> Table:
    """One of TABLES. Raises ValueError for another name, or for a choice that there is not."""
    if what not in TABLES:
        raise ValueError(f"there is no table {what!r}{nearest(what, list(TABLES))}")
    return TABLES[what](wanted)
