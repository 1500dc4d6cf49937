"""The dose: how often the intervention acted, as training text had it, by stage, source and condition.

Counted by training while it encodes (training.data.kept), over all passes; means over the seeds that recorded it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from webapp.experiments.models import Experiment
from webapp.files.number_text import points
from webapp.files.table import Column, Sheet, Table, View
from webapp.runs import kept_examples
from webapp.runs.kept_examples import Recorded
from webapp.runs.models import StageRun
from webapp.runs.origin import origin

ALL = "all"  # sources of a stage together
MADE = "unnamed"  # of what an earlier version of a stage made itself
CAPTION = "of the texts that were learnt, over all passes; means over the seeds"


@dataclass(frozen=True)
class Dose:
    """What one condition learnt in one stage, of one source or of ALL."""

    stage: str
    source: str
    condition: str
    tokens: float  # learnt ones, end-of-text with them
    mul_tokens: float
    products: float  # of single digits, in the texts as the source has them
    replaced: float
    baseline_tokens: float | None  # what the baseline learnt there; None: not recorded
    is_baseline: bool = False

    @property
    def per_thousand(self) -> float:
        """Mul-tokens per thousand learnt tokens."""
        return 1000 * self.mul_tokens / self.tokens

    @property
    def left(self) -> float:
        """Products that stay text."""
        return self.products - self.replaced

    @property
    def against_baseline(self) -> float | None:
        """Learnt tokens more (or, below 0, fewer) than the baseline's, as a share of those."""
        if self.is_baseline or not self.baseline_tokens:
            return None
        return self.tokens / self.baseline_tokens - 1


def doses(
    recorded: Recorded,
    runs: Mapping[tuple[str, str, int], int],
    *,
    stages: Iterable[str],
    conditions: Sequence[str],
) -> list[Dose]:
    """Every stage that recorded what it learnt: its sources, where there are several, and all together."""
    sums: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = defaultdict(dict)
    seeds: Counter[tuple[str, str]] = Counter()
    for (condition, stage, _), run in runs.items():
        learnt = [(part["passes"], one) for part in recorded.get(run, []) for one in part["sources"]]
        if not any(one["tokens"] for _, one in learnt):
            continue
        seeds[stage, condition] += 1
        found = sums[stage, condition]
        for passes, one in learnt:
            amounts = np.array([one["tokens"], one["mul_tokens"], one["products"], one["replaced"]], float)
            for source in (one["source"] or MADE, ALL):
                found[source] = found.get(source, np.zeros(4)) + passes * amounts
    rows = []
    for stage in stages:
        means = {
            name: {s: a / seeds[stage, name] for s, a in sums[stage, name].items()} for name in conditions
        }
        names = list(dict.fromkeys(source for found in means.values() for source in found if source != ALL))
        for source in [*(names if len(names) > 1 else []), ALL]:
            first = means[conditions[0]].get(source)
            for condition, found in means.items():
                if source in found and found[source][0]:
                    tokens, tokens_of_products, written, replaced = found[source].tolist()
                    baseline = None if first is None else float(first[0])
                    rows.append(
                        Dose(
                            stage,
                            source,
                            condition,
                            tokens,
                            tokens_of_products,
                            written,
                            replaced,
                            baseline,
                            condition == conditions[0],
                        )
                    )
    return rows


def of_experiment(experiment: Experiment) -> list[Dose]:
    """Of all stages and conditions, in their order. Three queries and the conditions' own."""
    if experiment.imported:
        return []
    runs = StageRun.objects.filter(experiment=experiment)
    places = {
        (condition, stage, seed): run
        for condition, stage, seed, run in runs.values_list("condition__name", "stage__name", "seed", "pk")
    }
    return doses(
        kept_examples.of_experiment(experiment),
        places,
        stages=[stage.name for stage in experiment.stages.all()],
        conditions=[condition.name for condition in experiment.conditions.all()],
    )


def totals_and_sources(found: Sequence[Dose]) -> tuple[list[Dose], list[Dose]]:
    """The doses of whole stages, and those of single sources."""
    return [one for one in found if one.source == ALL], [one for one in found if one.source != ALL]


def sheet(found: Sequence[Dose]) -> Sheet:
    """The doses for programs and for people; a page that shows whole stages alone has no column of sources."""
    columns = [
        Column("stage", "text", "Stage"),
        Column("source", "text", "Source"),
        Column("condition", "text", "Condition"),
        Column("mul_tokens_per_thousand", "number", "Mul-tokens per 1,000", "{:.2f}".format, "per_thousand"),
        Column("mul_tokens", "number", "Mul-tokens", "{:,.0f}".format),
        Column("products", "number", "Products", "{:,.0f}".format),
        Column("products_left", "number", "Left as text", "{:,.0f}".format, "left"),
        Column("learnt_tokens", "number", "Learnt tokens", "{:,.0f}".format, "tokens"),
        Column("against_baseline", "number", "Against baseline", points, "against_baseline", unit="%"),
    ]
    shown = [one for one in columns if one.name != "source" or any(row.source != ALL for row in found)]
    return Sheet("dose", "Dose", columns, found, page=View(shown, found))


def table(experiment: Experiment, exported_at: datetime | None = None) -> Table:
    """The doses as a file has them."""
    return Table(
        name=f"{experiment.name}-dose",
        heading="Dose",
        about=f"of mul-tokens, {experiment.name}",
        sheet=sheet(of_experiment(experiment)),
        provenance=origin(experiment, {"Counted": CAPTION}, exported_at),
    )
