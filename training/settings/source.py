"""What every data source of a mixture has (pydantic, no torch)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from training.settings.base import Settings


class Source(Settings):
    """A data source in a mixture; each source's own settings stand in training/data/sources/<name>.py.

    The class variables, and what it reads and streams, are all that identity, plan and availability know of it.
    """

    source: str
    version: ClassVar[int] = 1  # of the code: raised when the same settings and seed yield other examples
    weight: float = Field(
        1.0,
        gt=0,
        description="Share of this source in the mixture, relative to the others: of the tokens in pre-training, of the "
        "examples elsewhere",
    )
    prompt_tokens: ClassVar[int] = 60  # of an example on average, in GPT-2's tokens: for the plan alone
    completion_tokens: ClassVar[int] = 100
    hub_name: ClassVar[str] = ""  # where the hub has what it reads
    has_rows: ClassVar[bool] = True  # what it reads has rows to count
    asked_by: ClassVar[str] = ""  # the benchmark that asks its problems as they are

    def reads(self) -> Sequence[str]:
        """Return files and folders below the data folder; none where it makes its examples itself or streams them."""
        return ()

    def streams(self) -> str | None:
        """Return the hub data set that it reads instead of files; None: none."""
        return None


def mean_tokens(sources: Sequence[Source]) -> tuple[float, float]:
    """Tokens of a mixture's average prompt and completion."""
    total = sum(source.weight for source in sources)
    return (
        sum(source.weight * source.prompt_tokens for source in sources) / total,
        sum(source.weight * source.completion_tokens for source in sources) / total,
    )
