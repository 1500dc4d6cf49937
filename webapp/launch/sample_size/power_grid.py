"""Seeds and problems for a wished difference: what each number of them shows."""

from dataclasses import dataclass

MOST_SEEDS = 100  # that it names


@dataclass(frozen=True)
class PowerGrid:
    """Smallest differences that the test over seeds sees, in the metric's unit (shares: 0 to 1)."""

    problems: tuple[int, ...]
    seeds: tuple[int, ...]
    differences: tuple[
        tuple[float, ...], ...
    ]  # a row for each of the seeds, a column for each of the problems
    wished: float
    needed: tuple[int | None, ...]  # seeds that show the wished difference; None: more than MOST_SEEDS
    unit: str  # of the figures as they are written
    factor: int  # that they are written by
    measured: bool  # whether seeds scatter as they did here; else by their problems alone

    @property
    def title(self) -> str:
        """What it shows."""
        noise = "" if self.measured else ", were problems the only noise"
        return f"Smallest difference in {self.unit} that is seen, by seeds and problems{noise}"

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """Every row as text, the heading first."""
        rows = zip(self.seeds, self.differences, strict=True)
        needed = (str(one) if one else f"> {MOST_SEEDS}" for one in self.needed)
        return [
            ("problems", *(f"{one:,}" for one in self.problems)),
            *((f"{seeds} seeds", *(f"{self.factor * one:.1f}" for one in row)) for seeds, row in rows),
            (f"seeds needed for {self.factor * self.wished:g} {self.unit}", *needed),
        ]
