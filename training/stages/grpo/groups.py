"""How often a group's rollouts are all right or all wrong, so that advantages are zero and nothing is learnt."""

from math import ceil, log, log1p


def expected_without_gradient(accuracy: float, group_size: int) -> float:
    """Share of groups whose rollouts are equally right: p^G + (1 − p)^G, 0 to 1.

    Every prompt is taken to be as hard as the average one. Prompts that differ make the share larger, because
    the formula is convex in p (Jensen): it is the least to expect.
    """
    return accuracy**group_size + (1 - accuracy) ** group_size


def half_without_gradient(group_size: int) -> float:
    """The accuracy, up to 1/2, at which half of the groups are equally right; most are below it."""
    low, high = 0.0, 0.5
    for _ in range(60):  # falls from 1 at p = 0 to 2^(1 − G) at 1/2
        middle = (low + high) / 2
        low, high = (middle, high) if expected_without_gradient(middle, group_size) > 0.5 else (low, middle)
    return high


def enough_for_half(accuracy: float, group_size: int) -> int | None:
    """The least group size at which half of the groups have a gradient; None where this one is enough, or none is."""
    rarer = min(accuracy, 1 - accuracy)
    if rarer <= 0 or expected_without_gradient(accuracy, group_size) <= 0.5:
        return None
    size = ceil(log(0.5) / log1p(-rarer))  # by the larger term alone
    while expected_without_gradient(accuracy, size) > 0.5:
        size += 1
    return size
