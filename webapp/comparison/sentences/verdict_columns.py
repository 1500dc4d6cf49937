"""Several verdicts of the same kind as the rows of one table, so that their numbers stand below each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from webapp.comparison.sentences.number_strip import Numbers
from webapp.comparison.sentences.wording import VerdictSentence

ITS_OWN = "its result"  # above what the condition of each row reached
SEEDS = "seeds"
RUNS = re.compile("([0-9]+) runs?( per condition)")  # of published numbers, which say no seed


@dataclass(frozen=True)
class VerdictColumns:
    """Verdicts of one role whose numbers are of the same kinds."""

    role_label: str
    labels: tuple[str, ...]  # of the columns
    rows: tuple[tuple[VerdictSentence, Numbers], ...]  # each verdict, and its number in each column

    @property
    def shared_caveats(self) -> list[str]:
        """What none of them says, sentence by sentence."""
        first, *others = (one.caveats for one, _ in self.rows)
        return [text for text in first if all(text in caveats for caveats in others)]

    @property
    def lines(self) -> list[tuple[VerdictSentence, Numbers, str]]:
        """Each row with what it alone does not say."""
        shared = self.shared_caveats
        return [
            (one, numbers, " ".join(text for text in one.caveats if text not in shared))
            for one, numbers in self.rows
        ]


def in_columns(sentences: Sequence[VerdictSentence]) -> list[VerdictSentence | VerdictColumns]:
    """The sentences in their order; two or more in a row that share role and kinds of numbers are one table."""
    found: list[VerdictSentence | VerdictColumns] = []
    for (role_label, labels), group in groupby(sentences, lambda one: (one.label, _labels(one))):
        alike = tuple(group)
        if len(alike) == 1 or not labels:
            found += alike
        else:
            found.append(VerdictColumns(role_label, labels, tuple((one, _numbers(one)) for one in alike)))
    return found


def _labels(one: VerdictSentence) -> tuple[str, ...]:
    return tuple(label for label, _ in _numbers(one))


def _numbers(one: VerdictSentence) -> Numbers:
    """The numbers under labels that other rows can share: units and the name of the row's own condition are in neither."""
    kinds = [label for label, _ in one.strip]
    own = len(kinds) - 2 if "" in kinds and len(kinds) - kinds.index("") > 2 else None
    found = []
    for place, (label, number) in enumerate(one.strip):
        if label == "Δ":
            number, _, unit = number.partition(" ")
            found.append((f"Δ {unit}", number))
        elif not label and (runs := RUNS.fullmatch(number)):
            found.append(("runs", f"{runs[1]}{runs[2]}"))
        elif not label:
            found.append((SEEDS, number.removesuffix("s").removesuffix(" seed")))
        else:
            found.append((ITS_OWN if place == own else label, number))
    return tuple(found)
