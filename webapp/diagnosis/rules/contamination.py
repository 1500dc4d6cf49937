"""Contamination: a stage learns from problems that a benchmark asks."""

from collections import defaultdict
from collections.abc import Iterator

from training.benchmarks import BENCHMARKS
from webapp.diagnosis.finding import Finding, Severity
from webapp.diagnosis.records import RunRecords
from webapp.runs.contamination import ContaminationCheck, merged

NAMED = 10  # problems in the evidence


def contamination(records: RunRecords) -> Iterator[Finding]:
    """Each benchmark of which a source holds problems: a warning word for word, else to know.

    Of benchmarks whose problems differ from training's in their numbers alone, by design, only the first counts.
    """
    by_benchmark: defaultdict[str, list[ContaminationCheck]] = defaultdict(list)
    for one in merged((records.run.stage.name, row) for row in records.contamination):
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
                "Not shown: that the model remembers them, and problems that were reworded. All conditions learn from these texts."
            ),
        )


def _named(check: ContaminationCheck) -> str:
    ids = sorted(check.found, key=lambda one: (not check.found[one][0], one))
    more = check.exact + check.overlapping - min(len(ids), NAMED)
    return ", ".join(ids[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
