"""Which pairs of single checkpoints wait: they have no p before the planned seeds of both are in."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from webapp.comparison.alike.kept_examples import key_of
from webapp.comparison.comparisons import fate_of, joint_fate
from webapp.comparison.table import StageTable, stage_table
from webapp.experiments.models import Experiment
from webapp.experiments.planned_question import planned_question
from webapp.results.outcome_counts import latest_accuracies
from webapp.runs.models import StageRun

Pair = tuple[StageRun, StageRun]


def waiting(pairs: Sequence[Pair], runs: Iterable[StageRun], benchmark: str, metric: str) -> list[bool]:
    """Whether each pair waits for planned seeds; `runs` are all of both experiments, with their names.

    Two checkpoints of one experiment are a pair in every planned seed; each of two experiments' waits for its own seeds.
    As in a stage table, a seed that was given up is not waited for, nor is any after a stop at the planned look. One
    query, and a stage table for a pair that a look may have decided.
    """
    by_pk = {run.pk: run for run in runs}
    places = {(run.experiment_id, *key_of(run)): run for run in by_pk.values()}
    needed = [_needed(first, second, places) for first, second in pairs]
    every = {run.pk for seeds in needed for seed in seeds for run in seed}
    found = latest_accuracies(every, benchmark) if every else {}
    over = {pk for pk, one in found.items() if one.complete or one.empty}
    return [
        any(_is_to_come(seed, over, by_pk) for seed in seeds)
        and not _is_stopped(first, second, benchmark, metric)
        for (first, second), seeds in zip(pairs, needed, strict=True)
    ]


def _needed(
    first: StageRun, second: StageRun, places: Mapping[tuple[int, str, str, int], StageRun]
) -> list[Sequence[StageRun]]:
    """The runs of each planned seed that the two wait for; none of an experiment that has one seed."""
    sides = [
        [places[run.experiment_id, *key_of(run)[:2], seed] for seed in _planned(run.experiment)]
        for run in (first, second)
    ]
    if first.experiment_id == second.experiment_id:
        return list(zip(*sides, strict=True))
    return [(run,) for side in sides for run in side]


def _planned(experiment: Experiment) -> Sequence[int]:
    """The seeds that decide, of an experiment that has several; published counts wait for nothing."""
    seeds: list[int] = experiment.seeds
    several = len(seeds) > 1 and not experiment.imported
    return seeds[: planned_question(experiment).decide(len(seeds))] if several else []


def _is_to_come(seed: Sequence[StageRun], over: Collection[int], by_pk: Mapping[int, StageRun]) -> bool:
    fate = joint_fate(fate_of(_states(run, by_pk)) for run in seed)
    return fate != "given up" and not all(run.pk in over for run in seed)


def _states(run: StageRun, by_pk: Mapping[int, StageRun]) -> list[str]:
    """Its state and those of the runs that it starts from."""
    found, at = [], by_pk.get(run.pk)
    while at is not None:
        found.append(at.state)
        at = by_pk.get(at.parent_id) if at.parent_id else None
    return found


def _is_stopped(first: StageRun, second: StageRun, benchmark: str, metric: str) -> bool:
    """Whether the planned look has decided what these two are one seed of."""
    experiment = first.experiment
    question = planned_question(experiment)
    if second.experiment_id != first.experiment_id or question.interim is None:
        return False
    if (benchmark, metric) != (question.benchmark, question.metric):
        return False
    return {key_of(first)[:2], key_of(second)[:2]} in _decided(stage_table(experiment))


def _decided(table: StageTable) -> list[set[tuple[str, str]]]:
    """The pairs of (condition, stage) that a look has decided; an interaction is one of four, no pair."""
    return [
        {(cell.condition, cell.stage) for cell in one.cells[0]}
        for one in table.deciding
        if one.over_seeds is not None and one.over_seeds.stopped
    ]
