"""About how often the intervention would act: from the first examples of each source, before anything is launched (no torch).

Learnt tokens are taken to be those of the source's average example, as in the rest of the plan; products are counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from training.data import first_examples
from training.data.first_examples import SourceState
from training.recipes.specs import StageSpec
from training.settings.source import Source
from training.settings.work_estimate import percent
from training.text import mul_tokens

NEAR_NONE = 1.0  # mul-tokens per 1,000 learnt ones; GSM8K's answers have about 3, drills about 80


@dataclass(frozen=True)
class DoseEstimate:
    """One stage in the conditions that have mul-tokens and learn alike there."""

    stage: str
    conditions: tuple[str, ...]
    per_thousand: (
        float | None
    )  # mul-tokens per 1,000 learnt tokens; None: none of its sources could be looked at
    left: float  # share of the products that stay text
    unknown: tuple[str, ...]  # sources that were not looked at: large files, or the hub's

    @property
    def near_none(self) -> bool:
        """Whether the conditions would hardly differ there."""
        return self.per_thousand is not None and not self.unknown and self.per_thousand < NEAR_NONE

    @property
    def sentence(self) -> str:
        """What a plan says of it."""
        where = f"{self.stage} ({', '.join(self.conditions)})"
        others = f"; not looked at: {', '.join(self.unknown)}" if self.unknown else ""
        if self.per_thousand is None:
            return f"{where}: not estimated{others}"
        text = f"{where}: about {self.per_thousand:.1f} mul-tokens per 1,000 learnt tokens"
        if self.left:
            text += f", {percent(self.left)} of the products stay text"
        return text + (", so the conditions hardly differ there" if self.near_none else "") + others


def estimates(specs: Iterable[StageSpec], data_dir: Path) -> list[DoseEstimate]:
    """Of every stage that learns from its sources' texts, in conditions with mul-tokens. Reads the first examples of each source.

    What a stage samples itself, and prompts, are not known before.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    chosen: dict[tuple[str, str], StageSpec] = {}
    for spec in specs:
        settings = spec.settings
        if (
            spec.mul_tokens.inject
            and settings.learns in ("text", "completions")
            and not settings.records_rollouts
        ):
            key = spec.stage, repr(spec.drawing)
            found.setdefault(key, {})[spec.condition] = None
            chosen.setdefault(key, spec)
    return [_of(spec, tuple(found[key]), data_dir) for key, spec in chosen.items()]


def _of(spec: StageSpec, conditions: tuple[str, ...], data_dir: Path) -> DoseEstimate:
    whole_text = spec.settings.learns == "text"
    tokens = total = written = replaced = 0.0
    unknown = []
    mixtures: Sequence[Sequence[Source]] = list(spec.settings.mixtures().values())
    for mixture in mixtures:
        for source in mixture:
            counted = _counted(source, data_dir)
            if counted is None:
                unknown.append(source.source)
                continue
            learnt = source.completion_tokens + (source.prompt_tokens if whole_text else 0) + 1
            # a share of the tokens where whole texts are learnt, of the examples elsewhere; parts count alike
            share = source.weight / sum(one.weight for one in mixture) / (learnt if whole_text else 1)
            tokens += share * learnt
            total += share * counted.tokens / counted.examples
            written += share * counted.products / counted.examples
            replaced += share * counted.replaced / counted.examples
    per_thousand = 1000 * total / tokens if tokens else None
    left = 1 - replaced / written if written else 0.0
    return DoseEstimate(spec.stage, conditions, per_thousand, left, tuple(dict.fromkeys(unknown)))


@dataclass(frozen=True)
class _Counted:
    """What some examples of a source hold."""

    examples: int
    tokens: int  # mul-tokens
    products: int
    replaced: int


def _counted(source: Source, data_dir: Path) -> _Counted | None:
    """What its first examples hold; None where they cannot be looked at quickly."""
    state = first_examples.state_of(source, data_dir)
    try:
        return None if state is None else _first(state)
    except (OSError, ValueError):
        return None  # the plan says elsewhere what is broken


@lru_cache(maxsize=256)
def _first(state: SourceState) -> _Counted | None:
    tokens = written = replaced = 0
    examples = first_examples.drawn(state)
    for example in examples:
        for turn in example.turns:
            injected = mul_tokens.inject(turn.completion, operands_stay=example.operands_stay)
            tokens += len(mul_tokens.TOKEN.findall(injected))
            found = mul_tokens.products(turn.completion, operands_stay=example.operands_stay)
            written, replaced = written + found.written, replaced + found.replaced
    return _Counted(len(examples), tokens, written, replaced) if examples else None
