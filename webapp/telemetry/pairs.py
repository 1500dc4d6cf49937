"""The same prompt in two runs: the visits that belong together, and where the next ones are."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet

from webapp.telemetry import groups
from webapp.telemetry.models import RolloutGroup

LOOKED_THROUGH = 500  # groups of a run, from one pair to the next
VISITS = 5_000  # of one prompt in one run


@dataclass(frozen=True)
class PromptPair:
    """A group of one run, and one of the other in which the prompt was asked."""

    mine: RolloutGroup
    other: RolloutGroup | None  # None: the prompt was never asked there
    earlier_step: RolloutGroup | None  # of mine, where both have this prompt
    later_step: RolloutGroup | None
    before: RolloutGroup | None  # of mine, another prompt that both have at one step
    after: RolloutGroup | None
    differing_before: RolloutGroup | None  # the same, of those where another number is right in the other run
    differing_after: RolloutGroup | None

    @property
    def apart(self) -> int:
        """Steps from mine to the other; 0 where they are of one step."""
        return 0 if self.other is None else self.other.step - self.mine.step

    @property
    def steps_apart(self) -> int:
        """How many, whichever is later."""
        return abs(self.apart)


def pair(mine: RolloutGroup, run: int, other_run: int) -> PromptPair:
    """The group beside the other run's visit of its prompt: that of the same step, else the nearest."""
    own, theirs = (groups.of_runs([one]) for one in (run, other_run))
    visits = _visits(theirs, mine.prompt_key)
    # of two that are as near, the later one: both have learnt as much at least
    nearest = min(visits, key=lambda one: (abs(one.step - mine.step), -one.step, one.group), default=None)
    common = {visit.step for visit in visits}
    both = [visit for visit in _visits(own, mine.prompt_key) if visit.step in common]
    return PromptPair(
        mine,
        nearest,
        next((visit for visit in reversed(both) if visit.step < mine.step), None),
        next((visit for visit in both if visit.step > mine.step), None),
        *_next_pairs(own, theirs, mine),
        *_next_pairs(own, theirs, mine, differing=True),
    )


def steps_of(run: int) -> tuple[int, int] | None:
    """The first and the last step of a run's groups; None where it has none."""
    ends = groups.of_runs([run]).aggregate(first=Min("step"), last=Max("step"))
    return None if ends["first"] is None else (ends["first"], ends["last"])


def _visits(found: QuerySet[RolloutGroup], prompt_key: int) -> Sequence[RolloutGroup]:
    return list(found.filter(prompt_key=prompt_key).order_by("step", "group")[:VISITS])


def _next_pairs(
    own: QuerySet[RolloutGroup],
    theirs: QuerySet[RolloutGroup],
    mine: RolloutGroup,
    *,
    differing: bool = False,
) -> tuple[RolloutGroup | None, RolloutGroup | None]:
    """The nearest groups of the list, before and after, whose prompt both have at one step; None in a long stretch without."""
    at, pk = mine.sampled_at, mine.pk
    earlier = own.filter(Q(sampled_at__lt=at) | Q(sampled_at=at, pk__lt=pk))
    later = own.filter(Q(sampled_at__gt=at) | Q(sampled_at=at, pk__gt=pk))
    same = theirs.filter(prompt_key=OuterRef("prompt_key"), step=OuterRef("step"))
    if differing:
        same = same.exclude(correct=OuterRef("correct"))
    return (
        _nearest(earlier.order_by("-sampled_at", "-pk"), same),
        _nearest(later.order_by("sampled_at", "pk"), same),
    )


def _nearest(ordered: QuerySet[RolloutGroup], same: QuerySet[RolloutGroup]) -> RolloutGroup | None:
    """The first of these that has such a group in the other run."""
    some = list(ordered.values_list("pk", flat=True)[:LOOKED_THROUGH])
    found = RolloutGroup.objects.filter(Exists(same), pk__in=some)
    return found.order_by(*ordered.query.order_by).first()
