"""Components of the reward that never differ, so that no advantage comes from them."""

from collections.abc import Iterator

import numpy as np

from webapp.diagnosis.finding import Advice, Finding, Severity, figure
from webapp.diagnosis.records import RunRecords

FEWEST = 10  # points
FEWEST_GROUPS = 20  # of the last steps: fewer may agree by chance
MUL_TOKENS = "uses_mul_tokens"  # which only a condition that learns mul-tokens can earn
EQUAL = 1e-9  # of the reward: rounding of means


def component_without_spread(records: RunRecords) -> Iterator[Finding]:
    """Each component with a weight that is equal within all groups of the last steps, or whose mean is the same in every step.

    The one goes by the prompt alone; the other all rollouts get, or none does.
    """
    weights = {one.get("reward"): one.get("weight", 1.0) for one in records.settings.get("rewards") or []}
    for name, points in records.components.items():
        if weights.get(name) != 0 and (by_prompt := _by_prompt(records, name)) is not None:
            yield by_prompt
            continue
        values = points.values[np.isfinite(points.values)]
        if weights.get(name) == 0 or len(values) < FEWEST or float(np.ptp(values)) > EQUAL:
            continue
        value = float(values[0])
        never = abs(value) <= EQUAL
        by_design = never and name == MUL_TOKENS and not records.injects
        pays = "costs" if (weights.get(name) or value) < 0 else "pays"
        yield Finding(
            kind="component_without_spread",
            severity=Severity.INFO,
            headline=f"The reward’s component {name} {'never' if never else 'always'} {pays}",
            evidence=f"The mean of {name} is {'0' if never else figure(value)} in each of {len(values):,} records.",
            reading=(
                f"Consistent with completions that {'never have' if never else 'all have'} what it looks for: advantages compare "
                "within a group, so it adds nothing to them."
                + (" This condition learns no mul-tokens, so it cannot earn it." if by_design else "")
            ),
            not_shown="Not shown: that it could not have an effect with other prompts, or another policy.",
            links=(records.chart("components"),),
            advice=() if by_design else (_left_out(records, name),),
            common=f"Components of the reward that {'never' if never else 'always'} {pays.removesuffix('s')}",
            named=name,
        )


def _by_prompt(records: RunRecords, name: str) -> Finding | None:
    """A component that all rollouts of a prompt get alike, but not all prompts: read from the rollouts of the last steps."""
    groups = [[one.get(name, 0.0) for one in group] for group in records.last_groups if len(group) > 1]
    if len(groups) < FEWEST_GROUPS or any(max(group) - min(group) > EQUAL for group in groups):
        return None
    of_prompts = [group[0] for group in groups]
    low, high = min(of_prompts), max(of_prompts)
    if high - low <= EQUAL:
        return None
    divided = (
        " It makes all of them smaller, since they are divided by the spread of the whole step’s rewards."
        if records.settings.get("scale_rewards") == "batch"
        else ""
    )
    return Finding(
        kind="component_without_spread",
        severity=Severity.INFO,
        headline=f"The reward’s component {name} differs between prompts alone",
        evidence=(
            f"In each of the last {len(groups):,} groups all rollouts have the same of {name}; between groups it goes from "
            f"{figure(low)} to {figure(high)}."
        ),
        reading=(
            "Consistent with a component that the prompt alone decides: advantages compare within a group, so it adds nothing "
            f"to them.{divided}"
        ),
        not_shown="Not shown: that completions of one prompt could not differ in it with other prompts, or another policy.",
        links=(records.chart("components"), *records.texts(None)),
        advice=(_left_out(records, name),),
        common="Components of the reward that differ between prompts alone",
        named=name,
    )


def _left_out(records: RunRecords, name: str) -> Advice:
    return Advice(
        f"Leave {name} out, or choose prompts on which completions differ in it.",
        changes=((f"rewards.{name}.weight", 0.0),) if records.settings else (),
    )
