"""Contamination: a stage learns from problems that a benchmark asks."""

from collections import defaultdict
from collections.abc import Iterator

from training.benchmarks import BENCHMARKS
from webapp.diagnosis.finding import Finding, Severity
from webapp.diagnosis.records import RunRecords
from webapp.runs.contamination import ContaminationCheck, learners, merged

NAMED = 10  # problems in the evidence


def contamination(records: RunRecords) -> Iterator[Finding]:
    """Each benchmark of which a source holds problems: a warning word for word, else to know.

    Of benchmarks whose problems differ from training's in their numbers alone, by design, only the first counts.
    """
    by_benchmark: defaultdict[str, list[ContaminationCheck]] = defaultdict(list)
    for one in merged((records.run.stage.name, (), row) for row in records.contamination):
        by_benchmark[one.benchmark].append(one)
    for name, checks in by_benchmark.items():
        designed = name in BENCHMARKS and BENCHMARKS[name].numbers_decide
        found = [one for one in checks if one.exact or (one.overlapping and not designed)]
        if not found:
            continue
        exact = any(one.exact for one in found)
        lines = [f"{one.source}: {one.text} ({_named(one)})" for one in found]
        yield Finding(
            kind="contamination",
            severity=Severity.WARNING if exact else Severity.INFO,
            headline=(
                f"{records.run.stage.name} learns from problems of {name}"
                if exact
                else f"{records.run.stage.name} learns from texts that share 13 words in a row with problems of {name}"
            ),
            evidence=f"{'; '.join(lines)}.",
            reading=(
                "Consistent with a result that is partly remembered: compare with and without these problems."
                if exact
                else "Consistent with problems that were written alike, or with one that was changed in its numbers."
            ),
            not_shown=(
                "Not shown: that the model remembers them, and problems that were reworded."
                + "".join(f" {said}" for said in _learners(records, found))
            ),
        )


def _learners(records: RunRecords, checks: list[ContaminationCheck]) -> Iterator[str]:
    """Which conditions learn from the texts of each source; nothing where their settings are not recorded."""
    run = records.run
    by_source = learners(run.experiment)
    every = [condition.name for condition in run.experiment.conditions.all()]
    sources: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in checks:
        for names in by_source.get((run.stage.name, one.source), ()):
            if run.condition.name in names:
                sources[names].append(one.source)
    for names, of in sources.items():
        texts = "these texts" if len(sources) == 1 else f"the texts of {' and '.join(of)}"
        others = [name for name in every if name not in names]
        if not others:
            yield f"All conditions learn from {texts}."
        else:
            learn, do = "learns" if len(names) == 1 else "learn", "does" if len(others) == 1 else "do"
            yield f"Only {' and '.join(names)} {learn} from {texts}; {' and '.join(others)} {do} not."


def _named(check: ContaminationCheck) -> str:
    ids = sorted(check.found, key=lambda one: (not check.found[one][0], one))
    more = check.exact + check.overlapping - min(len(ids), NAMED)
    return ", ".join(ids[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
