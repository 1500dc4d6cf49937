"""The verdict sentences above a table: what answers the planned question, then what was compared after the last stages."""

from dataclasses import replace
from statistics import fmean

from webapp.comparison.cells import (
    Cell,
    Comparison,
    MeansComparison,
    Refusal,
    SameRun,
    SeedsComparison,
    UnpairedComparison,
)
from webapp.comparison.sentences.contrast_sentences import contrast_sentences
from webapp.comparison.sentences.number_strip import number_strip, scope
from webapp.comparison.sentences.wording import (
    SEEN,
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
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.files.number_text import UNBROKEN, p_is, percent, percent_of_level, points, points_interval
from webapp.statistics import power
from webapp.statistics.proportions import MCNEMAR_NAMES


def verdict_sentences(table: StageTable) -> list[VerdictSentence]:
    """What answers the planned question, then what else was compared after the last stages.

    Of published numbers, of which nothing was planned here, what came last goes first.
    """
    places = [
        (row, position)
        for row in table.rows
        for position, name in enumerate(table.others)
        if row.last or table.roles.is_primary(row.stage, name)
    ]
    order = {row.stage: place for place, row in enumerate(table.rows)}
    said = [
        replace(
            _verdict_sentence(table, row, position),
            role=table.roles.of(row.stage, table.others[position]).role,
        )
        for row, position in (
            sorted(places, key=lambda at: -order[at[0].stage]) if table.imported else places
        )
    ]
    return [*contrast_sentences(table), *sorted(said, key=lambda one: one.role != "primary")]


def _verdict_sentence(table: StageTable, row: StageRow, position: int) -> VerdictSentence:
    name = table.others[position]
    if all(isinstance(seed.comparisons[position], SameRun) for seed in row.seeds):
        return VerdictSentence(
            f"After {row.stage}, {name} and {table.baseline} are the same run.",
            "",
            "Both have the settings and the seed of one run, so there is nothing to compare: it counts in no family.",
            None,
        )
    if table.several_seeds and (together := row.over_seeds[position]):
        return _over_seeds(table, row, position, together)
    finished = [(seed, seed.comparisons[position]) for seed in row.seeds if seed.comparisons[position]]
    lost = given_up(
        table,
        [(seed.cells[0], seed.cells[position + 1]) for seed in row.seeds],
        [seed.comparisons[position] for seed in row.seeds],
    )
    if not finished:
        before = _so_far(table, row, position)
        headline = f"After {row.stage}, {name} against {table.baseline} {undecided(table, lost)}"
        if before is None:
            return VerdictSentence(
                headline, "", f"Both need a finished evaluation on {table.benchmark}.", None
            )
        stage, so_far = before
        said = ((f"so far, after {stage}", so_far.verdict.word), *so_far.strip) if so_far.verdict else ()
        numbers = f"So far: {so_far.headline} {so_far.numbers}"
        return VerdictSentence(headline, numbers, so_far.limits, None, strip=said)
    seed, comparison = finished[0]
    if isinstance(comparison, Refusal):
        return VerdictSentence(
            f"After {row.stage}, {name} and {table.baseline} cannot be compared.",
            "",
            f"Refused because {comparison.reason}.",
            None,
        )
    assert comparison is not None and not isinstance(comparison, SameRun)
    if isinstance(comparison, UnpairedComparison):
        return _unpaired(table, comparison)
    cells = seed.cells[0], seed.cells[position + 1]
    if not table.several_seeds:
        return _one_seed(table, *cells, comparison)
    sentence = _one_seed(table, *cells, without_a_p(comparison))
    compared = [one for _, one in finished if not isinstance(one, Refusal)]
    why = "one seed is in" if len(compared) < 2 else "its seeds cannot be taken together"
    return VerdictSentence(
        f"After {row.stage}, {name} against {table.baseline} {undecided(table, lost, why)}",
        f"So far, seed {seed.seed}: {sentence.numbers}",
        one_seed_of_several(table, lost, "two checkpoints"),
        None,
        strip=(("so far", f"seed {seed.seed}"), *sentence.strip),
    )


def _so_far(table: StageTable, row: StageRow, position: int) -> tuple[str, VerdictSentence] | None:
    """The nearest stage before this one that has a comparison of two runs, and its verdict sentence."""
    by_name = {one.stage: one for one in table.rows}
    while (before := by_name.get(row.after or "")) is not None:
        found = [one for seed in before.seeds if (one := seed.comparisons[position])]
        if any(not isinstance(one, SameRun) for one in found):
            return before.stage, _verdict_sentence(table, before, position)
        row = before
    return None


def _one_seed(
    table: StageTable, first: Cell, second: Cell, comparison: Comparison | MeansComparison
) -> VerdictSentence:
    metric = table.metric
    if comparison.family.margin is not None:
        headline = f"After {comparison.stage}, the {second.condition} and {first.condition} checkpoints {_equal(table, comparison)}."
    elif comparison.verdict.word != "not distinguishable":
        side = "ahead of" if comparison.delta > 0 else "behind"
        if table.metric.name != "accuracy":
            side = "above" if comparison.delta > 0 else "below"
        headline = (
            f"After {comparison.stage}, the {second.condition} checkpoint is {side} {first.condition}’s"
            f"{', which is suggestive only' if comparison.verdict.word == 'suggestive' else ''}."
        )
    else:
        headline = (
            f"After {comparison.stage}, the {second.condition} and {first.condition} checkpoints "
            "are not distinguishable."
        )
    numbers = (
        f"{second.condition} {value(second.rate, metric)} ({second.fraction}), "
        f"{first.condition} {value(first.rate, metric)} ({first.fraction}): "
        f"{difference(comparison.delta, metric)} {metric.unit}, {percent_of_level(comparison.family.level)} interval "
        f"{difference_interval(comparison.interval, metric)}"
    )
    if comparison.p is not None:
        numbers += f"; {_test(table, comparison)}{p_is(comparison.p)}{corrected(comparison)}"
    numbers += "."
    limits = f"One seed: this compares two checkpoints, not two conditions.{_missing(comparison)}"
    limits += f" {speaks_for(comparison, table)}{border(comparison)}{seen_note(comparison)}"
    return VerdictSentence(
        headline,
        numbers,
        limits,
        comparison.verdict,
        reach=reach(comparison, table),
        strip=number_strip(
            comparison,
            table,
            [(one.condition, f"{value(one.rate, metric)} ({one.fraction})") for one in (second, first)],
        ),
        scope=scope(comparison),
    )


def _test(table: StageTable, one: Comparison | MeansComparison) -> str:
    if one.family.margin is not None:
        return "two one-sided tests "
    return f"{MCNEMAR_NAMES[table.test]} " if isinstance(one, Comparison) else ""


def _equal(table: StageTable, one: Comparison | MeansComparison | SeedsComparison) -> str:
    """What two one-sided tests say, as a predicate."""
    assert one.family.margin is not None
    metric = table.metric
    within = f"within ± {difference(one.family.margin, metric).lstrip('+')} {metric.unit}"
    return {
        "equivalent": f"are equivalent {within}",
        "suggestive": f"may be equivalent {within}, which is suggestive only",
        "not tested": "differ by the same in every seed, which is not tested",
    }.get(one.verdict.word, f"are not shown to be equivalent {within}")


def _unpaired(table: StageTable, one: UnpairedComparison) -> VerdictSentence:
    assert one.p is not None  # published counts wait for no seed
    first, second = one.first / one.first_problems, one.second / one.second_problems
    size = f"n = {one.sizes}".replace(" ", UNBROKEN)
    if one.verdict.positive:
        side = "above" if one.delta > 0 else "below"
        headline = f"After {one.stage}, {one.condition} is {side} {table.baseline} at {size}, unpaired."
    else:
        headline = f"After {one.stage}, {one.condition} and {table.baseline} are not distinguishable at {size}, unpaired."
    reached = [
        (one.condition, f"{percent(second, 2)} ({one.second:,}/{one.second_problems:,})"),
        (table.baseline, f"{percent(first, 2)} ({one.first:,}/{one.first_problems:,})"),
    ]
    numbers = (
        f"{', '.join(f'{name} {number}' for name, number in reached)}: "
        f"{points(one.delta, 2)} points, Newcombe’s {percent_of_level(one.family.level)} interval {points_interval(one.interval, 2)}; "
        f"Fisher’s exact {p_is(one.p)}{corrected(one)}."
    )
    limits = "" if one.verdict.positive else _needed(first, second, one.family.alone)
    limits += (
        "Imported, counts only: without each problem’s outcome the completions cannot be paired. "
        "One run per condition: this compares two checkpoints, not two conditions."
    )
    if one.first_problems != one.second_problems:
        limits += " The two were not asked the same number of problems."
    return VerdictSentence(headline, numbers, limits, one.verdict, strip=number_strip(one, table, reached))


def _needed(first: float, second: float, alpha: float) -> str:
    """How many problems a difference of this size takes; nothing where there is none."""
    if first == second:
        return ""
    needed = power.needed_problems_unpaired(first, second, alpha)
    about = f"About {50 * round(needed / 50):,}" if needed > 100 else str(needed)
    return f"{about} problems a condition would be needed to see this difference (80 % power). "


def _missing(comparison: Comparison | MeansComparison) -> str:
    if comparison.verdict.word != "not distinguishable" or isinstance(comparison, MeansComparison):
        return ""
    smallest = power.detectable(comparison.counts.problems, comparison.discordant, comparison.family.alone)
    return (
        f" {comparison.counts.problems} problems would have shown a difference of about "
        f"{points(smallest).lstrip('+')} points (80 % power)."
    )


def _over_seeds(
    table: StageTable, row: StageRow, position: int, together: SeedsComparison
) -> VerdictSentence:
    metric = table.metric
    name, count = together.condition, len(together.differences)
    words = {
        "supported": f"After {row.stage}, a difference between {name} and {table.baseline} is supported.",
        "suggestive": f"After {row.stage}, a difference between {name} and {table.baseline} is suggestive only.",
        "not tested": f"After {row.stage}, {name} and {table.baseline} differ by the same in every seed, which is not tested.",
    }
    headline = words.get(
        together.verdict.word, f"After {row.stage}, {name} and {table.baseline} are not distinguishable."
    )
    if together.interim:
        headline = (
            f"After {row.stage}, {name} against {table.baseline} is not decided yet: {waiting_for(together)}."
        )
    elif together.family.margin is not None:
        headline = f"After {row.stage}, {name} and {table.baseline} {_equal(table, together)}."
    paired = Comparison | MeansComparison
    compared = [
        seed
        for seed in row.seeds
        if seed.seed in together.seeds and isinstance(seed.comparisons[position], paired)
    ]
    first, second = (fmean(seed.cells[i].rate for seed in compared) for i in (0, position + 1))
    result = together.result
    numbers = (
        f"{'So far, mean' if together.interim else 'Mean'} over {count} seeds: {name} {value(second, metric)}, {table.baseline} {value(first, metric)}; "
        f"paired difference {difference(result.mean, metric)} {metric.unit}"
    )
    level = percent_of_level(together.family.level)
    if result.interval is not None:
        numbers += f", {level} t interval {difference_interval(result.interval, metric)}"
        test = "" if together.family.margin is None else "two one-sided t tests "
        numbers += "." if together.p is None else f"; {test}{p_is(together.p)}{corrected(together)}."
    else:
        numbers += (
            ", the same in every seed, so there is no spread between seeds to test it by; over their problems the "
            f"seeds’ own {level} intervals lie within {difference_interval(together.within, metric)}."
        )
    verdict = None if together.interim else together.verdict
    reached = [
        (f"mean of {name}", value(second, metric)),
        (f"mean of {table.baseline}", value(first, metric)),
    ]
    return VerdictSentence(
        headline,
        numbers,
        _limits_over_seeds(table, together),
        verdict,
        reach=reach(together, table),
        strip=number_strip(together, table, reached),
        scope=scope(together),
    )


def _limits_over_seeds(table: StageTable, together: SeedsComparison) -> str:
    limits = seed_notes(together, table.metric, table.alpha)
    if together.verdict.word == "not tested":
        limits.insert(
            0,
            "A test over seeds needs seeds that differ; each seed’s own comparison is in its row. Add seeds to test it.",
        )
    if together.interval is not None:
        limits.append(speaks_for(together, table))
    if together.seen:
        limits.append(SEEN)
    return " ".join(limits)
