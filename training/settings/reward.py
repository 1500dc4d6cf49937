"""What a component of the GRPO reward is (no torch)."""

from pydantic import Field

from training.settings.base import Settings


class Reward(Settings):
    """A component of the GRPO reward; each one's settings and score stand in training/rewards/<name>.py or a plug-in.

    A component's class has a docstring, which the form shows as its help, `reward: Literal["<name>"]`, its own
    settings, each with a default and a description, and `score`. It imports neither torch nor transformers.
    """

    reward: str
    weight: float = Field(1.0, description="Factor on the component's own value")

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return the component's own value for one completion; `mul_tokens` were counted from its token ids."""
        raise NotImplementedError
