"""Components of the reward that never differ, so that no advantage comes from them."""

from collections.abc import Iterator

import numpy as np

from webapp.diagnosis.finding import Advice, Finding, Severity, figure
from webapp.diagnosis.records import RunRecords

FEWEST = 10  # points
MUL_TOKENS = "uses_mul_tokens"  # which only a condition that learns mul-tokens can earn
EQUAL = 1e-9  # of the reward: rounding of means


def component_without_spread(records: RunRecords) -> Iterator[Finding]:
    """Each component with a weight whose mean is the same in every step: all rollouts get it, or none does."""
    weights = {one.get("reward"): one.get("weight", 1.0) for one in records.settings.get("rewards") or []}
    for name, points in records.components.items():
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
            evidence=f"Its mean is {'0' if never else figure(value)} in each of {len(values):,} records.",
            reading=(
                f"Consistent with completions that {'never have' if never else 'all have'} what it looks for: advantages compare "
                "within a group, so it adds nothing to them."
                + (" This condition learns no mul-tokens, so it cannot earn it." if by_design else "")
            ),
            not_shown="Not shown: that it could not have an effect with other prompts, or another policy.",
            links=(records.chart("components"),),
            advice=(
                Advice(
                    f"Leave {name} out, or choose prompts on which completions differ in it.",
                    changes=((f"rewards.{name}.weight", 0.0),) if records.settings else (),
                ),
            )
            if not by_design
            else (),
        )
