"""What a batch's rewards took, and which of other packages' gave none."""

import time
from collections import Counter, defaultdict
from collections.abc import Collection

from training.settings.reward import Reward


class RewardTally:
    """Seconds of each component, and how often one that may fail raised an error or returned None, which pays nothing."""

    def __init__(self, may_fail: Collection[str]) -> None:
        self.may_fail = may_fail
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failures = Counter[str]()
        self.last: dict[str, str] = {}  # what it raised or returned, the last time

    def score(self, one: Reward, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Score by one component, without its weight. Raises what a component raises that may not fail."""
        began = time.perf_counter()
        try:
            found = one.score(completion, reference, mul_tokens=mul_tokens)
            if found is None and one.reward in self.may_fail:
                raise ValueError("it returned None")
        # Whatever a package raises on one completion must not end a run of days; it is told and counted.
        except Exception as error:
            if one.reward not in self.may_fail:
                raise
            found = 0.0
            self.failures[one.reward] += 1
            self.last[one.reward] = f"{type(error).__name__}: {error}"
        self.seconds[one.reward] += time.perf_counter() - began
        return found
