"""Which problems of benchmarks the stages of an experiment learnt from, as training found them (see journal.ContaminationRow)."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt, StageRun

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
    conditions: tuple[str, ...] = ()  # that learn from it; empty: all
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
    def where(self) -> str:
        """'gsm8k in sft', 'tinygsm in pretrain of maths': source, stage, and conditions where not all learn from it."""
        of = f" of {' and '.join(self.conditions)}" if self.conditions else ""
        return f"{self.source} in {self.stage}{of}"

    @property
    def looked(self) -> str:
        """'7,473 texts', '61,000 of 9,100,000 texts, then the time was used up'."""
        if self.stopped_early:
            return f"{self.looked_at:,} of {self.texts:,} texts, then the time was used up"
        return f"{self.texts:,} texts"

    @property
    def text(self) -> str:
        """One line: '0 of 1,319 problems of gsm8k word for word, 7 by 13 words in a row, in 7,473 texts'."""
        return f"{self.counts}, in {self.looked}"

    @property
    def counts(self) -> str:
        """How many problems, without the texts."""
        meant = f" ({self.taught:,} more are meant to be taught)" if self.taught else ""
        return (
            f"{self.exact:,} of {self.problems:,} problems of {self.benchmark} word for word{meant}, "
            f"{self.overlapping:,} by 13 words in a row"
        )


def of_experiment(experiment: Experiment) -> list[ContaminationCheck]:
    """Every source of every stage against every benchmark, apart for conditions that learn otherwise. Two queries."""
    rows = (
        Attempt.objects.filter(stage_run__experiment=experiment, contamination__isnull=False)
        .order_by("stage_run__stage__position", "stage_run_id", "number")
        .values_list("stage_run__stage__name", "stage_run__condition__name", "stage_run_id", "contamination")
    )
    newest = {run: (stage, condition, found or []) for stage, condition, run, found in rows}
    alike, every = learners(experiment), experiment.conditions.count() if newest else 0

    def apart(stage: str, condition: str, source: str) -> tuple[str, ...]:
        own = next((names for names in alike.get((stage, source), ()) if condition in names), ())
        return own if len(own) < every else ()

    return merged(
        (stage, apart(stage, condition, row["source"]), row)
        for stage, condition, found in newest.values()
        for row in found
    )


def learners(experiment: Experiment) -> dict[tuple[str, str], list[tuple[str, ...]]]:
    """Stage and source → the conditions that learn from it as launched, apart where they have it with other settings. One query.

    Its weight in the mixture is none of them. Of an experiment whose settings are not recorded nothing is there.
    """
    found: defaultdict[tuple[str, str], defaultdict[str, dict[str, None]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    runs = StageRun.objects.filter(experiment=experiment).order_by("condition__position")
    for stage, condition, settings in runs.values_list(
        "stage__name", "condition__name", "spec__settings"
    ).distinct():
        own: defaultdict[str, set[str]] = defaultdict(set)
        for source in _sources(settings):
            kept = {key: value for key, value in source.items() if key != "weight"}
            own[source["source"]].add(json.dumps(kept, sort_keys=True))
        for name, ways in own.items():
            found[stage, name][json.dumps(sorted(ways))][condition] = None
    return {key: [tuple(names) for names in ways.values()] for key, ways in found.items()}


def _sources(settings: Any) -> Iterator[dict[str, Any]]:
    """What a stage draws its data from, wherever its settings have it."""
    if isinstance(settings, dict) and isinstance(settings.get("source"), str):
        yield settings
    elif isinstance(settings, dict | list):
        for one in settings.values() if isinstance(settings, dict) else settings:
            yield from _sources(one)


def merged(rows: Iterable[tuple[str, Sequence[str], Mapping[str, Any]]]) -> list[ContaminationCheck]:
    """A check for each (stage, conditions, source, benchmark) of rows with stage and conditions: problems that any run found."""
    checks: dict[tuple[str, str, str, tuple[str, ...]], ContaminationCheck] = {}
    for stage, conditions, row in rows:
        key = (stage, row["source"], row["benchmark"], tuple(conditions))
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
    found = [f"{one.where}: {one.text}" for one in checks if one.exact or one.overlapping]
    early = sum(one.stopped_early for one in checks)
    benchmarks = ", ".join(dict.fromkeys(one.benchmark for one in checks))
    said = "; ".join(found) or f"no problem of {benchmarks} in any source"
    return f"{said}; {early} of {len(checks)} checks ended before the last text" if early else said
