"""The groups of a run's rollouts, as counts."""

from typing import NamedTuple

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from webapp.telemetry import series
from webapp.telemetry.models import GroupTally

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
    """The counted groups of a run, without those that a later attempt sampled again. Two queries, no texts."""
    counting = Q(pk__in=[])
    for attempt, limit in series.last_steps([run_id])[run_id].items():
        own = Q(attempt=attempt)
        counting |= own if limit is None else own & Q(step__lte=limit)
    found = GroupTally.objects.filter(counting).order_by("step", "attempt", "group")
    rows = list(found.values_list("step", "prompt_key", "first", "rollouts", "correct")[:READ])
    return Groups(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)
