"""Whether GRPO had anything to learn from: groups without gradient, and a first policy that is hardly ever right."""

from collections.abc import Iterator

from webapp.diagnosis.finding import Advice, Finding, Severity, share
from webapp.diagnosis.hypotheses import A, B, C, D, E
from webapp.diagnosis.records import RunRecords
from webapp.statistics.proportions import wilson

MOST_GROUPS = 0.5  # from here most of the compute of a step is spent on groups that change nothing
NEARLY_ALL = 0.9  # a tenth of the batch learns: the effective batch is ten times smaller than set
LOW_ACCURACY = (
    0.05  # the report's programme began GRPO at 2 to 4 % and no gain was shown after 80,000 rollouts
)
HALF_THE_GROUPS = 0.5  # with a right answer in fewer groups, correctness has no say in most of them


def groups_without_gradient(records: RunRecords) -> Iterator[Finding]:
    """Most groups have equal rewards in the last tenth of the run, with the whole interval of their share."""
    silent, accuracy = records.trend("groups_without_gradient"), records.trend("accuracy")
    points = records.series("groups_without_gradient")
    among = records.last_share("groups_without_gradient", records.groups_per_step)
    if silent is None or points is None or among is None or among.low < MOST_GROUPS:
        return
    whole = float(points.values.mean())
    solved = accuracy is not None and accuracy.end >= 0.5
    if solved:
        severity, why = Severity.INFO, "the prompts are mostly solved, so their groups agree"
        reading = "Consistent with prompts that have become too easy: more steps on them teach little."
        advice: tuple[Advice, ...] = (Advice("Go on with harder problems: GSM8K with a scratchpad.", E),)
    else:
        severity = Severity.CRITICAL if whole >= NEARLY_ALL else Severity.WARNING
        why = "hardly any group holds a right and a wrong answer"
        reading = (
            "Consistent with a task that is too hard for the first policy: equal rewards cancel in a group."
        )
        advice = (
            Advice("Take problems that it solves now and then, so that groups differ.", D),
            Advice("Teach the skill by supervised examples first, then reinforce.", C),
        )
    start = records.since("groups_without_gradient", MOST_GROUPS)
    yield Finding(
        kind="no_gradient",
        severity=severity,
        headline=f"{share(silent.end)} of the groups give no gradient {records.by_end}",
        common="Most groups give no gradient",
        evidence=(
            f"Groups of equal rewards: {share(silent.start)} at the start, {share(silent.end)} {records.by_end} "
            f"(95 % interval {share(among.low)} to {share(among.high)}), {share(whole)} over the run"
            + (f"; accuracy of rollouts {share(accuracy.end)} {records.by_end}." if accuracy else ".")
            + f" So {why}."
        ),
        reading=reading,
        not_shown="Not shown: that larger groups alone would fix it.",
        links=(records.chart("groups_without_gradient"), *records.texts(start)),
        advice=advice,
        onset=start,
    )


def base_accuracy(records: RunRecords) -> Iterator[Finding]:
    """The first policy is right so rarely that correctness cannot be what is reinforced."""
    accuracy = records.trend("accuracy")
    if records.learns != "rewards" or (accuracy is not None and accuracy.word == "rising"):
        return  # low or not, it was enough
    correct, count = records.first_rollouts()
    source, links = f"{correct} of the first {count:,} rollouts are right", records.texts(None)
    if not count:
        before = records.tallies_before.get(records.primary)
        published = before.count("correct") if before else None
        if before is None or published is None:
            return
        correct, count = published, before.problems
        source = f"{correct} of {count:,} problems of {records.primary} are right before the stage"
        links = (records.problems(before),)
    high = wilson(correct, count).high
    group = int(records.settings.get("group_size", 0))
    groups = 1 - (1 - high) ** group if group else None
    if high >= LOW_ACCURACY and (groups is None or groups >= HALF_THE_GROUPS):
        return
    held = f"; at most {share(groups)} of groups of {group} hold a right answer" if groups is not None else ""
    yield Finding(
        kind="base_accuracy",
        severity=Severity.WARNING,
        headline="The first policy is hardly ever right: little for reinforcement to refine",
        evidence=f"{source}: at most {share(high)} (Wilson’s 95 % interval){held}.",
        reading="Consistent with a skill that the stages before did not teach: GRPO can favour only what is sampled.",
        not_shown="Not shown: what limits it, the model’s size, its pre-training or its fine-tuning.",
        links=links,
        advice=(
            Advice("Ask first whether the intervention helps on problems within reach.", D),
            Advice("Distil solutions into the model before reinforcing.", C),
            Advice("Try a model three times as large.", A),
            Advice("Put mathematics into pre-training.", B),
        ),
        onset=accuracy.first_step if accuracy else None,
    )
