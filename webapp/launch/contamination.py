"""What a plan can say of problems of benchmarks in what its stages will learn: what earlier runs found in the same sources."""

from collections.abc import Iterable

from django.conf import settings

from training.data import identity
from training.process.journal import CONTAMINATION_SECONDS
from training.recipes.recipe import StageSpec
from webapp.runs.contamination import merged
from webapp.runs.models import Attempt

ATTEMPTS = 50  # the newest that are read: a plan must not wait


def sentences(specs: Iterable[StageSpec], *, database: bool) -> list[str]:
    """A sentence for each source that an earlier run looked at, in whatever experiment, and one for the others."""
    stages = {(spec.stage, spec.condition): spec for spec in reversed(list(specs))}  # seeds learn the same
    wanted: dict[tuple[str, str, str], str] = {}  # content, source, benchmark → the first stage that has it
    named: dict[tuple[str, str, str], str] = {}
    for (name, _), spec in reversed(stages.items()):
        for mixture in spec.settings.mixtures().values():
            for source in mixture:
                if source.streams() is not None:
                    content = source.model_dump_json()  # the hub is not asked for a plan
                else:
                    try:
                        content = identity.of_source("", source, settings.MULBERRY_DATA, count_rows=False)[
                            "sha256"
                        ]
                    except ValueError:
                        continue  # what is missing is told elsewhere
                for benchmark in spec.checked:
                    wanted.setdefault((content, source.source, benchmark.benchmark), name)
    if not wanted:
        return []
    known = _known() if database else {}
    for key, stage in wanted.items():
        if key in known:
            named[key] = stage
    checks = merged((stage, (), known[key]) for key, stage in named.items())
    said = [
        f"{one.source}: {one.text}, as an earlier run found."
        for one in checks
        if one.exact or one.overlapping
    ]
    clean = len(checks) - len(said)
    if clean:
        said.append(
            f"{clean} of {len(wanted)} pairs of a source and a benchmark: nothing was found by earlier runs."
        )
    if new := len(wanted) - len(checks):
        said.append(
            f"{new} of {len(wanted)} pairs of a source and a benchmark were not looked at yet: each stage looks while it prepares "
            f"its data, for {CONTAMINATION_SECONDS:g} s at most, and says what it found."
        )
    return said


def _known() -> dict[tuple[str, str, str], dict[str, object]]:
    rows = Attempt.objects.filter(contamination__isnull=False).order_by("-pk")
    found: dict[tuple[str, str, str], dict[str, object]] = {}
    for contamination in rows.values_list("contamination", flat=True)[:ATTEMPTS]:
        for row in contamination or []:
            key = row["sha256"], row["source"], row["benchmark"]
            if key not in found or row["looked_at"] > found[key]["looked_at"]:
                found[key] = row
    return found
