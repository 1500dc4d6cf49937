"""The groups of a run's rollouts as arrays, for what reads all of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webapp.telemetry import series
from webapp.telemetry.models import RolloutGroup

READ = 250_000  # groups of one run; of more the earliest

Numbers = NDArray[np.int64]


class Groups(NamedTuple):
    """Groups in the order of their steps; the arrays have one length."""

    steps: Numbers
    prompts: Numbers  # hash of each one's prompt
    first: Numbers  # id of a rollout of it
    rollouts: Numbers
    right: Numbers


def groups(run_id: int) -> Groups:
    """The groups of a run, without those that a later attempt sampled again. Two queries, no texts."""
    found = RolloutGroup.objects.filter(series.counting([run_id])).order_by("step", "attempt", "group")
    rows = list(found.values_list("step", "prompt_key", "first_id", "rollouts", "correct")[:READ])
    return Groups(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)
