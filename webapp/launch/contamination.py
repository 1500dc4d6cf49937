"""What a plan can say of problems of benchmarks in what its stages will learn.

That is what earlier runs found in the same sources, and else what stands in the first examples of each.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from training.data import identity
from training.data.first_examples import EXAMPLES
from training.process.journal import CONTAMINATION_SECONDS
from training.recipes import sampled_contamination
from training.recipes.recipe import StageSpec
from training.settings.shared import BenchmarkSettings
from training.settings.source import Source
from webapp.runs.contamination import ContaminationCheck, merged
from webapp.runs.models import Attempt

ATTEMPTS = 50  # the newest that are read: a plan must not wait
NAMED = 3  # problems of a source and a benchmark; the report of a run lists more


def sentences(specs: Iterable[StageSpec], *, database: bool) -> list[str]:
    """A sentence for each source in which something was found, by earlier runs first, and one for the others."""
    stages = {(spec.stage, spec.condition): spec for spec in reversed(list(specs))}  # seeds learn the same
    wanted: dict[tuple[str, str, str], str] = {}  # content, source, benchmark → the first stage that has it
    sources: dict[tuple[str, str], tuple[Source, list[BenchmarkSettings]]] = {}
    for (name, _), spec in reversed(stages.items()):
        for mixture in spec.settings.mixtures().values():
            for source in mixture:
                content = _content(source)
                if content is None:
                    continue  # what is missing is told elsewhere
                sources.setdefault((content, source.source), (source, spec.checked))
                for benchmark in spec.checked:
                    wanted.setdefault((content, source.source, benchmark.benchmark), name)
    if not wanted:
        return []
    known = _known() if database else {}
    whole = [_check(stage, known[key]) for key, stage in wanted.items() if key in known]
    sampled = []
    left: dict[str, None] = {}
    for place, (source, asked) in sources.items():
        names = {one.benchmark for one in asked if (*place, one.benchmark) not in known}
        if not names:
            continue
        found = sampled_contamination.rows(source, asked, settings.MULBERRY_DATA)
        if found is None:
            left[f"the files of {source.source} are large, on the hub or cannot be read"] = None
            continue
        sampled += [_check("", row) for row in found if row["benchmark"] in names]
        if unseen := sorted(names - {row["benchmark"] for row in found}):
            left[f"the benchmark {', '.join(unseen)} is large or cannot be read"] = None
    return _said(whole, sampled, list(left), len(wanted))


def _said(
    whole: list[ContaminationCheck], sampled: list[ContaminationCheck], left: list[str], pairs: int
) -> list[str]:
    of_pairs = f"of {pairs} pairs of a source and a benchmark"
    early = [one for one in whole if one.exact or one.overlapping]
    first = [one for one in sampled if one.found]
    said = [f"{one.source}: {one.text}, as an earlier run found." for one in early]
    said += [
        f"{one.source}: {one.counts}, in the first {one.looked_at:,} examples, which this plan looked at: {_names(one)}."
        for one in first
    ]
    if clean := len(whole) - len(early):
        said.append(f"{clean} {of_pairs}: nothing was found by earlier runs.")
    if clean := len(sampled) - len(first):
        said.append(
            f"{clean} {of_pairs}: nothing was found in the first {EXAMPLES} examples of the source, which this plan looked at."
        )
    new = pairs - len(whole)
    if left:
        said.append(f"{new - len(sampled)} {of_pairs} were not looked at yet: {'; '.join(left)}.")
    if new:
        said.append(
            f"Each stage looks at every text that it draws while it prepares its data, for {CONTAMINATION_SECONDS:g} s at most, "
            "and says what it found."
        )
    return said


def _check(stage: str, row: Mapping[str, Any]) -> ContaminationCheck:
    (check,) = merged([(stage, (), row)])
    return check


def _names(check: ContaminationCheck) -> str:
    """The first problems, those word for word before the others."""
    names = sorted(check.found, key=lambda name: not check.found[name][0])
    more = check.exact + check.overlapping - len(names[:NAMED])
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _content(source: Source) -> str | None:
    """What tells whether two sources hold the same; None: its files are missing."""
    if source.streams() is not None:
        return source.model_dump_json()  # the hub is not asked for a plan
    try:
        return identity.of_source("", source, settings.MULBERRY_DATA, count_rows=False)["sha256"]
    except ValueError:
        return None


def _known() -> dict[tuple[str, str, str], Mapping[str, Any]]:
    rows = Attempt.objects.filter(contamination__isnull=False).order_by("-pk")
    found: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for contamination in rows.values_list("contamination", flat=True)[:ATTEMPTS]:
        for row in contamination or []:
            key = row["sha256"], row["source"], row["benchmark"]
            if key not in found or row["looked_at"] > found[key]["looked_at"]:
                found[key] = row
    return found
