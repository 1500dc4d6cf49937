"""The verdict sentences of planned gains and interactions."""

from collections.abc import Sequence
from statistics import fmean

from webapp.comparison.cells import Cell, Comparison, MeansComparison, Refusal, SeedsComparison
from webapp.comparison.contrasts import StageContrast
from webapp.comparison.sentences.number_strip import number_strip, scope
from webapp.comparison.sentences.wording import (
    VerdictSentence,
    border,
    corrected,
    difference,
    difference_interval,
    given_up,
    one_seed_of_several,
    reach,
    seed_notes,
    seen_note,
    speaks_for,
    undecided,
    value,
    waiting_for,
    without_a_p,
)
from webapp.comparison.table import StageTable
from webapp.files.number_text import p_is, percent_of_level
from webapp.statistics.proportions import MCNEMAR_NAMES

Found = Comparison | MeansComparison | SeedsComparison


def contrast_sentences(table: StageTable) -> list[VerdictSentence]:
    """One for each contrast of a question that is about gains or interactions."""
    return [_sentence(table, one) for one in table.contrasts]


def _sentence(table: StageTable, one: StageContrast) -> VerdictSentence:
    asked = _asked(table, one)
    if one.over_seeds is not None:
        seeds = [
            cells
            for cells, found in zip(one.cells, one.seeds, strict=True)
            if isinstance(found, Comparison | MeansComparison) and found.seed in one.over_seeds.seeds
        ]
        return _told(table, one, one.over_seeds, seeds)
    finished = [
        (cells, found) for cells, found in zip(one.cells, one.seeds, strict=True) if found is not None
    ]
    lost = given_up(table, one.cells, one.seeds)
    if not finished:
        limits = f"It needs finished evaluations on {table.benchmark} after {one.start} and {one.stage}."
        return VerdictSentence(f"{asked} {undecided(table, lost)}", "", limits, None, "primary")
    cells, found = finished[0]
    if isinstance(found, Refusal):
        return VerdictSentence(
            f"{asked} cannot be told.", "", f"Refused because {found.reason}.", None, "primary"
        )
    assert isinstance(found, Comparison | MeansComparison)
    if not table.several_seeds:
        return _told(table, one, found, [cells])
    sentence = _told(table, one, without_a_p(found), [cells])
    return VerdictSentence(
        f"{asked} {undecided(table, lost, 'one seed is in')}",
        f"So far: {sentence.numbers}",
        one_seed_of_several(table, lost, "checkpoints"),
        None,
        "primary",
        strip=(("so far", "one seed"), *sentence.strip),
    )


def _asked(table: StageTable, one: StageContrast) -> str:
    if one.kind == "gain":
        return f"What {one.stage} changed in {one.condition}"
    changed = f"{one.stage} changed {table.metric.title} in {one.condition}"
    return f"Whether {changed} by more or less than in {table.baseline}"


def _told(
    table: StageTable, one: StageContrast, found: Found, seeds: Sequence[tuple[Cell, ...]]
) -> VerdictSentence:
    metric, over = table.metric, isinstance(found, SeedsComparison)
    reached = [(one.condition, _course(seeds, -2, table))]
    if one.kind == "interaction":
        reached.append((table.baseline, _course(seeds, 0, table)))
    courses = ", ".join(f"{name} {course}" for name, course in reached)
    mean = f"Mean over {len(seeds)} seeds: " if over else ""
    what = "difference of the gains" if one.kind == "interaction" else "change"
    numbers = f"{mean}{courses}; {what} {difference(found.delta, metric)} {metric.unit}"
    if found.interval is None:
        numbers += ", the same in every seed, so there is no spread between seeds to test it by."
    else:
        interval = difference_interval(found.interval, metric)
        numbers += f", {percent_of_level(found.family.level)} {'t ' if over else ''}interval {interval}"
        numbers += "." if found.p is None else f"; {_test(table, found)}{p_is(found.p)}{corrected(found)}."
    limits = []
    if one.equals_difference:
        limits.append(
            f"Both conditions start from the same run of {one.start}, so it equals the difference after {one.stage}."
        )
    if isinstance(found, SeedsComparison):
        limits += seed_notes(found, metric, table.alpha)
    else:
        limits.append("One seed: this is about these checkpoints, not about what the stage does.")
    about = speaks_for(found, table) if found.interval is not None else ""
    limits += [note.strip() for note in (about, border(found), seen_note(found)) if note]
    return VerdictSentence(
        _headline(table, one, found),
        numbers,
        " ".join(limits),
        found.verdict,
        "primary",
        reach(found, table),
        number_strip(found, table, reached),
        scope(found),
    )


def _course(seeds: Sequence[tuple[Cell, ...]], start: int, table: StageTable) -> str:
    """Means over the seeds before and after: '30.0 % → 55.0 %'; after alone where not each seed has its start's numbers.

    An interaction whose conditions start from one run is told without them.
    """
    places = [place for place in (start, start + 1) if all(cells[place].complete for cells in seeds)]
    return " → ".join(value(fmean(cells[i].rate for cells in seeds), table.metric) for i in places)


def _test(table: StageTable, found: Found) -> str:
    if isinstance(found, Comparison):
        return f"{MCNEMAR_NAMES[table.test]} "
    return "paired mean test " if isinstance(found, MeansComparison) else ""


def _headline(table: StageTable, one: StageContrast, found: Found) -> str:
    word = found.verdict.word
    suffix = {"suggestive": ", which is suggestive only", "supported": ", which is supported"}.get(word, "")
    if isinstance(found, SeedsComparison) and found.interim:
        return f"{_asked(table, one)} is not decided yet: {waiting_for(found)}."
    if word == "not tested":
        return f"{_asked(table, one)}: the same in every seed, which is not tested."
    if word == "not distinguishable":
        if one.kind == "gain":
            return f"No change of {table.metric.title} by {one.stage} is shown in {one.condition}."
        not_shown = f"{one.stage} is not shown to change {table.metric.title} in {one.condition}"
        return f"{not_shown} by more or less than in {table.baseline}."
    if one.kind == "gain":
        side = "raised" if found.delta > 0 else "lowered"
        return f"{one.stage} {side} {table.metric.title} in {one.condition}{suffix}."
    side = "higher" if found.delta > 0 else "lower"
    changed = f"What {one.stage} changed in {table.metric.title}"
    return f"{changed} is {side} in {one.condition} than in {table.baseline}{suffix}."
