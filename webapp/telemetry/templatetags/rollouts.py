"""A rollout's tokens, each with how likely the sampler thought it; a group as squares, right or wrong."""

import math
from dataclasses import dataclass

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from webapp.telemetry.models import Rollout, RolloutGroup

register = template.Library()
SHADES = (0.9, 0.5, 0.2, 0.05)  # a token is shaded the more of these its probability is below
SIZES = ((16, ""), (32, "fine"), (64, "finest"))  # up to so many squares, and what makes room for them
VISIBLE = {"\n": "⏎", "\t": "⇥"}  # as what is otherwise not seen


@dataclass(frozen=True)
class Token:
    """One token as the page shows it."""

    piece: str
    logprob: float | None  # None: the sampler's was no number

    @property
    def probability(self) -> float:
        """Between 0 and 1; NaN where it is not known."""
        return math.nan if self.logprob is None else math.exp(self.logprob)

    @property
    def shade(self) -> int:
        """0 (likely) to 4 (unlikely)."""
        return sum(self.probability < limit for limit in SHADES)

    @property
    def percent(self) -> str:
        """The probability in words: 12.3 %, or less than what can be written so."""
        if self.logprob is None:
            return "unknown"
        return "< 0.1 %" if self.probability < 0.001 else f"{100 * self.probability:.1f} %"

    @property
    def logprob_text(self) -> str:
        """The log-probability with a real minus."""
        return "none" if self.logprob is None else f"{self.logprob:.3f}".replace("-", "−")

    @property
    def shown(self) -> str:
        """The text, with spaces and line ends that can be seen; part of a character is none yet."""
        visible = "".join(VISIBLE.get(sign, sign) for sign in self.piece)
        return visible.replace(" ", "␣") or "part of the next"


@register.filter
def tokens(rollout: Rollout) -> list[Token]:
    """The rollout's tokens in order; none where they were not recorded."""
    return [
        Token(piece, logprob)
        for piece, logprob in zip(rollout.pieces or (), rollout.logprobs or (), strict=True)
    ]


@register.filter
def squares(group: RolloutGroup) -> SafeString:
    """A square a rollout, the right ones first and filled; of very many a part. The figures stand beside it."""
    most = SIZES[-1][0]
    shown = min(group.rollouts, most)
    right = round(group.correct * shown / group.rollouts)
    size = next((name for limit, name in SIZES if shown <= limit), "")
    marks = "<i data-right></i>" * right + "<i></i>" * (shown - right)
    return format_html(
        '<span class="squares-row {}" aria-hidden="true">{}</span>',
        size,
        mark_safe(marks),  # noqa: S308 - no text of anybody
    )
