"""What comparisons say of problems that were not asked: over clusters of problems, and over seeds and problems together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from training.benchmarks import BENCHMARKS
from training.benchmarks.clusters import ClusterVariable
from webapp.comparison.cells import Comparison, MeansComparison, SeedsComparison
from webapp.comparison.comparisons import Compared, Comparisons, Key
from webapp.results.marks import marked, prompts
from webapp.results.token_counts import Measured
from webapp.statistics.new_problems import FEWEST_SEEDS, ForNewProblems, for_new_problems

Place = tuple[str, str]  # condition, stage
PAIRED = Comparison | MeansComparison
One = TypeVar("One", bound=Comparison | MeansComparison | SeedsComparison)


def cluster_variable(benchmark: str) -> ClusterVariable | None:
    """What a benchmark's problems share; None where that is nothing, or not known."""
    return BENCHMARKS[benchmark].clusters if benchmark in BENCHMARKS else None


def with_new_problems(
    own: Comparisons,
    benchmark: str,
    compared: Mapping[Key, Compared],
    together: Mapping[Place, SeedsComparison],
    differences: Mapping[Key, Measured] | None = None,
) -> tuple[dict[Key, Compared], dict[Place, SeedsComparison]]:
    """The same comparisons with their intervals for new problems: of single seeds over clusters, of FEWEST_SEEDS or more crossed.

    `differences` has one difference a problem by comparison; None: the condition's less the baseline's, by one query, and
    one more for the prompts where clusters are read from them. Before the planned seeds are in there is no crossed one.
    """
    variable = cluster_variable(benchmark)
    seeds = {
        place: [(*place, seed) for seed in one.seeds]
        for place, one in together.items()
        if len(one.seeds) >= FEWEST_SEEDS and one.interval is not None and not one.interim
    }
    wanted = {key for key, one in compared.items() if isinstance(one, PAIRED)} if variable else set()
    wanted |= {key for keys in seeds.values() for key in keys}
    if not wanted:
        return dict(compared), dict(together)
    values = _differences(own, wanted) if differences is None else differences
    problems = {problem for one in values.values() for problem in one.problems}
    clusters = _clusters(variable, problems, own.cell(next(iter(values))).result.evaluation)

    def found(one: One, keys: list[Key]) -> One:
        asked = {values[key].problems for key in keys}
        if len(asked) > 1:
            return one
        (problems,) = asked
        wider = for_new_problems(
            np.array([values[key].values for key in keys]),
            one.family.level,
            clusters=[clusters[problem] for problem in problems] if clusters else None,
            largest=own.largest or own.metric.largest,
            margin=one.family.margin,
        )
        return replace(one, new_problems=wider)

    singly: dict[Key, Compared] = dict(compared)
    for key, one in compared.items():
        if clusters and key in wanted and isinstance(one, PAIRED):
            singly[key] = found(one, [key])
    over = {place: found(one, seeds[place]) if place in seeds else one for place, one in together.items()}
    return singly, over


def _differences(own: Comparisons, keys: Iterable[Key]) -> dict[Key, Measured]:
    """The condition's less the baseline's, a problem each. One query, for a metric that counts completions."""
    pairs = {key: (own.cell((own.conditions[0], *key[1:])), own.cell(key)) for key in keys}
    if own.metric.kind != "share":
        return {
            key: Measured(second.problems, second.each - first.each) for key, (first, second) in pairs.items()
        }
    ids = {key: [cell.result.evaluation for cell in pair] for key, pair in pairs.items()}
    subset = next((first.result.subset for first, _ in pairs.values()), None)
    marks = marked({one for pair in ids.values() for one in pair}, own.metric.column, subset)
    return {
        key: Measured(marks[second].problems, marks[second].values - marks[first].values)
        for key, (first, second) in ids.items()
    }


def of_pairs(
    pairs: Sequence[tuple[int, int]],
    benchmark: str,
    column: str,
    level: float,
    subset: Collection[str] | None = None,
) -> ForNewProblems | None:
    """Of the second evaluation less the first, a pair a seed, by one of YES_OR_NO; None where they asked different problems.

    One query, and one more for the prompts where clusters are read from them.
    """
    marks = marked({one for pair in pairs for one in pair}, column, subset)
    if len({one.problems for one in marks.values()}) > 1:
        return None
    problems = marks[pairs[0][0]].problems
    clusters = _clusters(cluster_variable(benchmark), set(problems), pairs[0][0])
    return for_new_problems(
        np.array([marks[second].values - marks[first].values for first, second in pairs]),
        level,
        clusters=[clusters[problem] for problem in problems] if clusters else None,
        largest=1.0,
    )


def _clusters(variable: ClusterVariable | None, problems: Collection[str], evaluation: int) -> dict[str, str]:
    """Problem → its cluster; empty where one of them is in none that is known, or none has two problems."""
    if variable is None:
        return {}
    texts = {problem: problem for problem in problems}
    if variable.reads == "prompt":
        texts = prompts([evaluation])
    named = {problem: variable.of(texts.get(problem, "")) for problem in problems}
    found = {problem: name for problem, name in named.items() if name is not None}
    return found if len(found) == len(named) > len(set(found.values())) else {}
