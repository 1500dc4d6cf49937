"""The report's own case: the reward rises, correctness does not, and a component that is no answer pays for it."""

from collections.abc import Iterator

from webapp.diagnosis.finding import Advice, Finding, Severity, figure
from webapp.diagnosis.hypotheses import C, D
from webapp.diagnosis.records import RunRecords
from webapp.statistics.trends import Trend, trend

LEAST_GAIN = 0.05  # of accuracy: what the recipes predict of GRPO at least, and 600 problems show
CORRECTS_PART = 0.5  # of the reward's rise: where right answers pay for most, the reward works
SMALL_CHANGE = 0.05  # of the reward's rise: what is not worth naming
NEXT_TO_NOTHING = 0.2  # below, right answers have no part in it that matters


def reward_without_correctness(records: RunRecords) -> Iterator[Finding]:
    """Reward rising, accuracy's interval below any gain that matters, and most of the rise not from *correct*."""
    reward, accuracy = records.trend("reward"), records.trend("accuracy")
    if reward is None or reward.word != "rising" or accuracy is None or accuracy.fitted_change is None:
        return
    if accuracy.fitted_change.high >= LEAST_GAIN:
        return
    paid = _changes(records)
    rise = reward.change
    part = paid.get("correct", 0.0) / rise if rise > 0 else 1.0
    if part > CORRECTS_PART:
        return
    payers = [
        name for name in sorted(paid, key=lambda name: -paid[name]) if name != "correct" and paid[name] > 0
    ]
    by = f": {payers[0]} pays for it" if payers else ""
    course = {"falling": "falls", "rising": "hardly does"}.get(accuracy.word, "is flat")
    start = records.left_start("reward")
    yield Finding(
        kind="reward_without_correctness",
        severity=Severity.CRITICAL if part <= NEXT_TO_NOTHING else Severity.WARNING,
        headline=f"Reward rises while correctness {course}{by}",
        evidence=f"{_moved('Reward', reward)}; {_moved('accuracy', accuracy)}. {_shares(paid, payers, rise)}",
        reading=(
            "Consistent with a policy that learns what the reward pays for besides right answers "
            "(a hacked reward)."
        ),
        not_shown="Not shown: that the same compute under a reward for right answers alone would have taught the skill.",
        links=(
            *((records.chart("components"),) if paid else ()),
            records.chart("accuracy"),
            *records.texts(start, label="" if start is None else f"rollouts of step {start:,}"),
            *records.texts(reward.last_step),
        ),
        advice=(
            Advice(
                f"Set the weight of {payers[0]} to 0, or reward right answers alone."
                if payers
                else "Reward right answers alone.",
                changes=((f"rewards.{payers[0]}.weight", 0.0),) if payers and records.settings else (),
            ),
            Advice("Reinforce on problems within reach, where right answers are sampled.", D),
            Advice("Teach the skill by distilled solutions before it is rewarded.", C),
        ),
        onset=start,
    )


def _changes(records: RunRecords) -> dict[str, float]:
    """Component → end minus start."""
    found = {name: trend(points.steps, points.values) for name, points in records.components.items()}
    return {name: one.change for name, one in found.items() if one is not None}


def _moved(name: str, found: Trend) -> str:
    text = f"{name} {figure(found.start)} → {figure(found.end)}"
    if found.shift is not None:
        text += f" ({figure(found.change)}, 95 % interval {figure(found.shift.low)} to {figure(found.shift.high)})"
    return text


def _shares(paid: dict[str, float], payers: list[str], rise: float) -> str:
    if not paid:
        return "The reward’s components were not recorded, so what pays for it is not known."
    parts = [
        f"{name} {figure(paid[name])} ({100 * paid[name] / rise:.0f}\u00a0%)"
        for name in payers
        if paid[name] >= SMALL_CHANGE * rise
    ]
    parts.append(f"correct {figure(paid.get('correct', 0.0))}")
    return f"Of the rise of {figure(rise)}: {', '.join(parts)}."
