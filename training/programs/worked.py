"""Computed terms written as worked text: `(3 + 4) × 5 = 7 × 5 = 35`."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

SIGNIFICANT = 12  # digits of a number with decimals: 0.1 + 0.2 is written 0.3
MOST_LEVELS = 4  # deeper terms are worked out at once
_BINDS = {"+": 1, "-": 1, "×": 2, "/": 2, "mod": 2, "^": 3}


@dataclass(frozen=True)
class Term:
    """A value and the operation that it comes from: a sign of _BINDS, or a called function; "" for a leaf."""

    value: Any
    operation: str = ""
    operands: tuple["Term", ...] = ()

    @cached_property
    def height(self) -> int:
        """Operations between the leaves and the value."""
        return 1 + max(t.height for t in self.operands) if self.operands else 0

    @property
    def is_number(self) -> bool:
        """Whether it can be written as a number; True and False cannot."""
        return type(self.value) in (int, float)

    def worked(self) -> str:
        """The term, the innermost operations replaced by their results again and again, down to the value."""
        height = self.height
        levels = [0, *range(1, height), height] if height <= MOST_LEVELS else [0, height]
        texts = [self._text(done) for done in levels]
        return " = ".join(dict.fromkeys(texts))

    def _text(self, done: int) -> str:
        """The term with everything worked out that lies at most `done` operations above its leaves."""
        if self.height <= done:
            return number_text(self.value)
        if self.operation not in _BINDS:
            return f"{self.operation}({', '.join(t._text(done) for t in self.operands)})"
        sides = [self._side(side, done, place == 0) for place, side in enumerate(self.operands)]
        return f" {self.operation} ".join(sides)

    def _side(self, side: "Term", done: int, is_left: bool) -> str:
        text = side._text(done)
        if side.height <= done:
            negative = text.startswith("-") and (not is_left or self.operation == "^")
            return f"({text})" if negative else text
        own, other = _BINDS[self.operation], _BINDS.get(side.operation, 4)
        like = self.operation == side.operation and self.operation in "+×"
        needs = other < own or (other == own and (not is_left or own == 3) and not like)
        return f"({text})" if needs or (not is_left and text.startswith("-")) else text


def leaf(value: Any) -> Term:
    """A value that comes from nowhere."""
    return Term(value)


def number_text(value: int | float) -> str:
    """Write a number without exponent: 3.0 is 3, 0.30000000000000004 is 0.3."""
    if int(value) == value:
        return str(int(value))
    text = f"{Decimal(f'{value:.{SIGNIFICANT}g}'):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
