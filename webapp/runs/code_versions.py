"""Which version of the code computed what: each attempt records its own, and an experiment may have several."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt


def contributing(attempts: Iterable[Attempt]) -> list[str]:
    """Return the versions behind a run's result, the first one first, from all of its attempts in order.

    An attempt counts unless a later one began where it began, or before: then nothing of it is left.
    """
    found: list[str] = []
    begun: int | None = None
    for attempt in reversed(list(attempts)):
        first = attempt.first_step or 0
        if attempt.code_version and (begun is None or first < begun or attempt.number == 0):
            found = [*attempt.code_version.split(", "), *found]
        if attempt.first_step is not None:
            begun = first if begun is None else min(begun, first)
    return list(dict.fromkeys(found))


def of_experiments(experiments: Iterable[Experiment]) -> dict[int, "Versions"]:
    """Return what each of these experiments was computed by, by its id. One query."""
    experiments = list(experiments)
    attempts = (
        Attempt.objects.filter(stage_run__experiment__in=experiments, code_version__gt="")
        .order_by("stage_run_id", "number")
        .select_related("stage_run")
        .only("number", "first_step", "code_version", "stage_run__experiment_id")
    )
    by_run: dict[int, dict[int, list[str]]] = {one.pk: {} for one in experiments}
    for run, found in groupby(attempts, key=lambda attempt: attempt.stage_run):
        by_run[run.experiment_id][run.pk] = contributing(found)
    return {one.pk: Versions(one.code_version, by_run[one.pk]) for one in experiments}


def of_experiment(experiment: Experiment) -> "Versions":
    """Return what one experiment was computed by. One query."""
    return of_experiments([experiment])[experiment.pk]


@dataclass(frozen=True)
class Versions:
    """The versions behind one experiment's results."""

    launched: str  # of the process that launched it; empty: not recorded
    by_run: Mapping[int, list[str]]  # of each run that has recorded one

    def of_run(self, run: int | None) -> str:
        """Return what a file says of a run: `abc`, `abc, def`; of a run without a record the version that launched it."""
        return ", ".join(self.by_run[run]) if run is not None and run in self.by_run else self.launched

    def of_attempt(self, attempt: Attempt) -> str:
        """Return what a file says of one attempt."""
        return attempt.code_version or self.launched

    @property
    def computed_by(self) -> list[str]:
        """Every version that computed something that counts, each once."""
        return list(dict.fromkeys(one for versions in self.by_run.values() for one in versions))

    @property
    def differ(self) -> bool:
        """Whether the results of the experiment come from different code."""
        return len(self.computed_by) > 1

    @property
    def short(self) -> str:
        """Return what a file says of the whole experiment: `abc, def`."""
        return ", ".join(self.computed_by) or self.launched

    @property
    def text(self) -> str:
        """All of it in words: `abc`, or `abc, def: its runs were computed by different code; launched by abc`."""
        if not self.computed_by:
            return self.launched or "not recorded"
        said = self.short
        if self.differ:
            said += ": its runs were computed by different code"
        return (
            f"{said}; launched by {self.launched}" if self.launched not in ("", *self.computed_by) else said
        )
