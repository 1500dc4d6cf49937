"""The report's section on problems of benchmarks in what was learnt."""

from webapp.experiments.models import Experiment
from webapp.files.table import words
from webapp.reports.sections import ListItem, Section
from webapp.runs.contamination import METHOD, ContaminationCheck, of_experiment

NAMED = 20  # problems with the text that they were found in


def section(experiment: Experiment) -> Section:
    """Every source against every benchmark, and the problems that were found, one by one."""
    checks = of_experiment(experiment)
    if not checks:
        return Section("Contamination")
    apart = any(one.conditions for one in checks)
    lines = [
        [
            one.stage,
            *([", ".join(one.conditions) or "all"] if apart else []),
            one.source,
            one.benchmark,
            one.looked,
            f"{one.exact:,} of {one.problems:,}",
            f"{one.overlapping:,}",
            f"{one.taught:,}" if one.taught else "–",
        ]
        for one in checks
    ]
    conditions = ["Conditions"] if apart else []
    header = [
        "Stage",
        *conditions,
        "Source",
        "Benchmark",
        "Looked at",
        "Word for word",
        "13 words",
        "Meant to be taught",
    ]
    named = [
        f"{one.benchmark} {problem}, {'word for word' if exact else 'by 13 words'}, in {_where(one)}: "
        f"“{' '.join(text.split())}”"
        for one in checks
        for problem, (exact, text) in sorted(one.found.items(), key=lambda item: (not item[1][0], item[0]))
    ]
    items: list[str | ListItem] = [*named[:NAMED]]
    if len(named) > NAMED:
        items.append(f"… and {len(named) - NAMED:,} more.")
    return Section(
        "Contamination", paragraphs=[METHOD], items=items, tables=[("", words(header, lines, left=3 + apart))]
    )


def _where(one: ContaminationCheck) -> str:
    of = f" ({', '.join(one.conditions)})" if one.conditions else ""
    return f"{one.source} of {one.stage}{of}"
