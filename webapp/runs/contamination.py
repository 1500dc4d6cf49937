"""Which problems of benchmarks the stages of an experiment learnt from, as training found them (see journal.ContaminationRow)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt

METHOD = (
    "Each text that a stage learns from was compared with each problem: word for word, and by 13 words in a row with numbers "
    "masked (Brown et al. 2020)."
)


@dataclass
class ContaminationCheck:
    """What the texts of one source of one stage hold of one benchmark, over all of its runs."""

    stage: str
    source: str
    benchmark: str
    problems: int = 0
    texts: int = 0  # of the run that drew most
    looked_at: int = 0
    taught: int = 0  # exact ones that are meant
    exact: int = 0
    overlapping: int = 0
    found: dict[str, tuple[bool, str]] = field(default_factory=dict)  # problem → (exact, training text)

    @property
    def stopped_early(self) -> bool:
        """Whether its time was used up before the last text."""
        return self.looked_at < self.texts

    @property
    def looked(self) -> str:
        """'7,473 texts', '61,000 of 9,100,000 texts, then the time was used up'."""
        if self.stopped_early:
            return f"{self.looked_at:,} of {self.texts:,} texts, then the time was used up"
        return f"{self.texts:,} texts"

    @property
    def text(self) -> str:
        """One line: '0 of 1,319 problems of gsm8k word for word, 7 by 13 words in a row, in 7,473 texts'."""
        meant = f" ({self.taught:,} more are meant to be taught)" if self.taught else ""
        return (
            f"{self.exact:,} of {self.problems:,} problems of {self.benchmark} word for word{meant}, "
            f"{self.overlapping:,} by 13 words in a row, in {self.looked}"
        )


def of_experiment(experiment: Experiment) -> list[ContaminationCheck]:
    """Every source of every stage against every benchmark. One query."""
    rows = (
        Attempt.objects.filter(stage_run__experiment=experiment, contamination__isnull=False)
        .order_by("stage_run__stage__position", "stage_run_id", "number")
        .values_list("stage_run__stage__name", "stage_run_id", "contamination")
    )
    newest = {run: (stage, found or []) for stage, run, found in rows}
    return merged((stage, row) for stage, found in newest.values() for row in found)


def merged(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[ContaminationCheck]:
    """A check for each (stage, source, benchmark) of rows with their stages: problems that any of its runs found."""
    checks: dict[tuple[str, str, str], ContaminationCheck] = {}
    for stage, row in rows:
        key = (stage, row["source"], row["benchmark"])
        one = checks.setdefault(key, ContaminationCheck(*key))
        if row["texts"] >= one.texts:
            one.texts, one.looked_at = row["texts"], row["looked_at"]
        one.problems, one.taught = max(one.problems, row["problems"]), max(one.taught, row["taught"])
        for found in row["found"]:
            known = one.found.get(found["problem"])
            if known is None or (found["exact"] and not known[0]):
                one.found[found["problem"]] = (found["exact"], found["text"])
        exact = sum(is_exact for is_exact, _ in one.found.values())
        one.exact = max(one.exact, row["exact"], exact)
        one.overlapping = max(one.overlapping, row["overlapping"], len(one.found) - exact)
    return list(checks.values())


def summary(checks: list[ContaminationCheck]) -> str:
    """What a file says of it in one line; empty where nothing was recorded."""
    if not checks:
        return ""
    found = [f"{one.source} in {one.stage}: {one.text}" for one in checks if one.exact or one.overlapping]
    early = sum(one.stopped_early for one in checks)
    benchmarks = ", ".join(dict.fromkeys(one.benchmark for one in checks))
    said = "; ".join(found) or f"no problem of {benchmarks} in any source"
    return f"{said}; {early} of {len(checks)} checks ended before the last text" if early else said
