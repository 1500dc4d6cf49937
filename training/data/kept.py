"""Which examples a stage keeps and what it learns of them: counted while they are encoded, written into the journal.

The hash names the examples by their texts as the sources have them, in their order, so that it is the same in every
condition that learns the same ones, however each writes them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypedDict

from training.data.example import Example
from training.settings.shared import TextForm
from training.text import mul_tokens


class SourceDose(TypedDict):
    """What is learnt of one source, in one pass over its kept examples."""

    source: str
    examples: int
    tokens: int  # learnt ones, end-of-text with them
    mul_tokens: int  # of those
    products: int  # of single digits, written in the texts as the source has them
    replaced: int  # of those, products that stand as a mul-token in what is learnt


class KeptExamples(TypedDict):
    """One part of a stage: its only one, a step of a curriculum, a round."""

    part: str
    passes: int  # over them
    examples: int
    too_long: int  # examples that were drawn and left out, as they do not fit
    sha256: str  # of the kept ones, in order, or of pre-training's stream; empty where the stage makes its examples
    sources: list[SourceDose]


class KeptTally:
    """Counts the kept examples of one part."""

    def __init__(self, part: str, *, passes: int = 1, ids: range = range(0)) -> None:
        """`ids` are those of the mul-tokens."""
        self.part, self.passes, self.ids = part, passes, ids
        self.examples = self.too_long = 0
        self._hash = hashlib.sha256()
        self._sources: dict[str, SourceDose] = {}

    def keep(self, example: Example, learnt: Sequence[int] = (), form: TextForm | None = None) -> None:
        """Count an example as its source has it, of which these ids are learnt; `form` says how it was written."""
        self.examples += 1
        self._hash.update(example.digest)
        dose = self._sources.setdefault(
            example.source,
            SourceDose(source=example.source, examples=0, tokens=0, mul_tokens=0, products=0, replaced=0),
        )
        dose["examples"] += 1
        if learnt:
            dose["tokens"] += len(learnt)
            dose["mul_tokens"] += mul_tokens.count(learnt, self.ids.start)
            for turn in example.turns:
                found = mul_tokens.products(turn.completion, operands_stay=example.operands_stay)
                dose["products"] += found.written
                injected = example.mul_tokens or (form is not None and form.inject)
                dose["replaced"] += found.replaced if injected else 0

    def leave_out(self) -> None:
        """Count an example that does not fit."""
        self.too_long += 1

    def record(self, sha256: str | None = None) -> KeptExamples:
        """What was counted so far; `sha256` stands for a part that the stage has made itself."""
        return {
            "part": self.part,
            "passes": self.passes,
            "examples": self.examples,
            "too_long": self.too_long,
            "sha256": self._hash.hexdigest() if sha256 is None else sha256,
            "sources": list(self._sources.values()),
        }


def scaled(doses: Iterable[SourceDose], part: float) -> list[SourceDose]:
    """The doses of each source together, of which a part is learnt, rounded to whole numbers."""
    sums: dict[str, Counter[str]] = {}
    for dose in doses:
        sums.setdefault(dose["source"], Counter()).update(
            {k: v for k, v in dose.items() if isinstance(v, int)}
        )
    return [
        SourceDose(
            source=source,
            examples=round(part * found["examples"]),
            tokens=round(part * found["tokens"]),
            mul_tokens=round(part * found["mul_tokens"]),
            products=round(part * found["products"]),
            replaced=round(part * found["replaced"]),
        )
        for source, found in sums.items()
    ]
