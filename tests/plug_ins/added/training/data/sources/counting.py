"""Numbers and what comes after them."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from training.data.example import Example, prompt_for
from training.settings.source import Source


class CountingSource(Source):
    """Questions for the next number."""

    source: Literal["counting"]
    highest: int = Field(99, ge=1, description="Largest number that is asked about")


def examples(settings: CountingSource, *, seed: int, data_dir: Path) -> Iterator[Example]:
    """Yield questions without end."""
    rng = random.Random(f"counting {seed}")
    while True:
        number = rng.randint(1, settings.highest)
        yield Example(prompt_for(f"What comes after {number}?"), f" #### {number + 1}", str(number + 1))
