"""The tokens of a group's completions, coloured by one measure, and that measure along the position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.http import QueryDict
from django.utils.safestring import SafeString, mark_safe

from webapp.files.number_text import signed
from webapp.pages.rollouts.token_measures import MEASURES, TokenMeasure, number, percent
from webapp.pages.written_text import written
from webapp.telemetry.models import Rollout

SHOWN_AT_FIRST = 4  # completions, until others are chosen
MOST_TOKENS = 2_000  # of a completion on the page
CHART_HEIGHT = 100.0  # of the drawing; its width is the most tokens
MOST_TICKS = 10  # along it
LINE_END = '<span class="odd" data-sign="↵" title="line end"><i></i></span>\n'
PART = mark_safe('<span class="odd" data-sign="…" title="part of the next character"><i></i></span>')


@dataclass(frozen=True)
class ShownToken:
    """One token as the page shows it."""

    place: int  # from 1
    html: SafeString
    shade: int
    masked: bool
    value: str  # of the chosen measure
    words: str  # every value


@dataclass(frozen=True)
class ShownCompletion:
    """One completion of the group, or several that are the same."""

    rollout: Rollout
    number: int  # from 1, the best first
    times: int
    chosen: bool  # whether its tokens are shown
    line: int  # its line in the chart, from 0

    @property
    def left(self) -> int:
        """How many of its tokens are not shown."""
        return max(0, len(self.rollout.pieces or ()) - MOST_TOKENS)


@dataclass(frozen=True)
class TokenView:
    """What the page shows of a group's tokens."""

    measure_key: str
    completions: Sequence[ShownCompletion]
    query: str  # that shows it again

    @property
    def measure(self) -> TokenMeasure:
        """What the tokens are coloured by."""
        return MEASURES[self.measure_key]

    @property
    def measures(self) -> list[tuple[str, TokenMeasure, bool]]:
        """Each measure with whether it was recorded."""
        rollouts = [one.rollout for one in self.completions]
        return [
            (key, one, any(one.values(rollout) is not None for rollout in rollouts))
            for key, one in MEASURES.items()
        ]

    @property
    def chosen(self) -> list[ShownCompletion]:
        """Those whose tokens are shown."""
        return [one for one in self.completions if one.chosen]

    @cached_property
    def shown(self) -> list[tuple[ShownCompletion, list[ShownToken]]]:
        """They with their tokens."""
        return [(one, shown_tokens(one.rollout, self.measure)) for one in self.chosen]

    @property
    def recorded(self) -> bool:
        """Whether the measure was recorded of any that is shown."""
        return any(self.measure.values(one.rollout) is not None for one in self.chosen)

    @cached_property
    def chart(self) -> "TokenChart | None":
        """The measure along the position; None where there is nothing to draw."""
        found = [
            (one, list(values[:MOST_TOKENS]))
            for one in self.chosen
            if (values := self.measure.values(one.rollout))
        ]
        known = [value for _, values in found for value in values if value is not None]
        return TokenChart(self.measure, found) if self.measure.drawn and known else None


@dataclass(frozen=True)
class PlaceTick:
    """A position that is named below the drawing."""

    place: int  # from 1
    x: float  # in the drawing
    share: float  # the same in % of its width


class TokenChart:
    """Values against position: a line for each completion, in a drawing of `width` (tokens) × CHART_HEIGHT."""

    def __init__(
        self, measure: TokenMeasure, found: Sequence[tuple[ShownCompletion, list[float | None]]]
    ) -> None:
        known = [value for _, values in found for value in values if value is not None]
        low, high = min(known), max(known)
        if measure.zero == "middle":
            high = max(abs(low), abs(high), 0.01)
            low = -high
        else:
            low, high = min(low, 0.0), max(high, 0.0)
        self.span = high - low or 1.0
        self.high = high
        self.width = max(len(values) for _, values in found)
        self.top, self.bottom = number(high), number(low)
        self.zero = round(CHART_HEIGHT * high / self.span, 1)
        self.lines = [(one, self._strokes(values)) for one, values in found]
        self.ticks = [
            PlaceTick(place, place - 0.5, round(100 * (place - 0.5) / self.width, 2))
            for place in ticks(self.width)
        ]

    def _strokes(self, values: Sequence[float | None]) -> list[str]:
        """The points of each stretch of known values, as SVG has them."""
        strokes: list[list[str]] = [[]]
        for place, value in enumerate(values):
            if value is None:
                strokes.append([])
                continue
            y = round(CHART_HEIGHT * (self.high - value) / self.span, 1)
            strokes[-1].append(f"{place + 0.5},{y}")
        return [" ".join(stroke * 2 if len(stroke) == 1 else stroke) for stroke in strokes if stroke]


def ticks(last: int) -> list[int]:
    """Positions from 1 to the last one that are named: all of few, else 1 and the multiples of a round number."""
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    step = next(one for one in steps if last // one <= MOST_TICKS)
    return list(dict.fromkeys([1, *range(step, last + 1, step)]))


def of_group(chosen: Rollout, alike: Sequence[Sequence[Rollout]], query: QueryDict) -> TokenView | None:
    """The tokens of a group's completions, by ?measure= and ?completion=, ids; None where none were recorded.

    `alike` are the completions, those that are the same together. Raises ValueError.
    """
    found = [same for same in alike if same[0].pieces]
    if not found:
        return None
    key = query.get("measure", "") or next(iter(MEASURES))
    if key not in MEASURES:
        raise ValueError(f"there is no measure {key!r}; take one of {', '.join(MEASURES)}")
    wanted = query.getlist("completion")
    if unknown := set(wanted) - {str(rollout.pk) for same in found for rollout in same}:
        raise ValueError(f"this group has no completion {min(unknown)!r} with tokens; leave it out")
    first = sorted(found, key=lambda same: chosen not in same)[:SHOWN_AT_FIRST]
    at_first = {str(same[0].pk) for same in first}
    wanted = wanted or sorted(at_first)
    completions, lines = [], 0
    for number_, same in enumerate(found, 1):
        shown = any(str(rollout.pk) in wanted for rollout in same)
        completions.append(ShownCompletion(same[0], number_, len(same), shown, lines if shown else 0))
        lines += shown
    again = QueryDict(mutable=True)
    again["measure"] = key
    chosen_ids = [str(one.rollout.pk) for one in completions if one.chosen]
    if set(chosen_ids) != at_first:
        again.setlist("completion", chosen_ids)
    return TokenView(key, completions, again.urlencode())


def shown_tokens(rollout: Rollout, measure: TokenMeasure, most: int = MOST_TOKENS) -> list[ShownToken]:
    """The first tokens of a completion."""
    pieces = (rollout.pieces or [])[:most]
    unknown = [None] * len(pieces)
    by_measure = {key: one.values(rollout) or unknown for key, one in MEASURES.items()}
    values = measure.values(rollout) or unknown
    return [
        ShownToken(
            place + 1,
            html_of(piece),
            measure.shade(values[place]),
            masked=by_measure["mask"][place] == 1,
            value=number(values[place]),
            words=in_words({key: of[place] for key, of in by_measure.items()}),
        )
        for place, piece in enumerate(pieces)
    ]


def table(rollout: Rollout) -> list[tuple[int, SafeString, list[str]]]:
    """Place, text and every measure but the advantage of each token."""
    by_measure = [(key, one.values(rollout)) for key, one in MEASURES.items() if key != "advantage"]
    return [
        (place + 1, html_of(piece), [_cell(key, of[place] if of else None) for key, of in by_measure])
        for place, piece in enumerate(rollout.pieces or ())
    ]


def html_of(piece: str) -> SafeString:
    """A token's text, with line ends that can be seen; part of a character has none yet."""
    if not piece:
        return PART
    return mark_safe(written(piece).replace("\n", LINE_END))  # noqa: S308 - escaped by written


def in_words(values: Mapping[str, float | None]) -> str:
    """Every known value of a token."""
    known = {key: value for key, value in values.items() if value is not None}
    parts = [
        f"{key} {number(known[key])} ({percent(known[key])})"
        for key in ("sampler", "trainer")
        if key in known
    ]
    parts += [f"{key} {number(known[key])}" for key in ("difference", "entropy") if key in known]
    if "advantage" in known:
        parts.append(f"advantage {signed(known['advantage'], 2)}")
    if "mask" in known:
        parts.append("masked" if known["mask"] else "learnt from")
    return ", ".join(parts) or "nothing recorded"


def _cell(key: str, value: float | None) -> str:
    if key == "mask" and value is not None:
        return "masked" if value else "learnt from"
    return number(value)
