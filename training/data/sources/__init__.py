"""Data sources: one module each, and one entry in KINDS; a source yields examples from its settings and a seed."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from training.data.example import Example
from training.data.sources import (
    decompositions,
    drills,
    fineweb_edu,
    gsm8k,
    instructions,
    open_web_math,
    plain_text,
    proof_pile,
    statements,
    svamp,
    tinygsm,
    tulu,
    word_problems,
)
from training.settings.registry import by_name, union
from training.settings.source import Source

Examples = Callable[..., Iterator[Example]]  # of (settings, *, seed, data_dir), and skip where it is seekable

KINDS: tuple[tuple[type[Source], Examples], ...] = (
    (decompositions.DecompositionsSource, decompositions.examples),
    (drills.DrillsSource, drills.examples),
    (fineweb_edu.FinewebEduSource, fineweb_edu.examples),
    (gsm8k.Gsm8kSource, gsm8k.examples),
    (instructions.InstructionsSource, instructions.examples),
    (open_web_math.OpenWebMathSource, open_web_math.examples),
    (plain_text.PlainTextSource, plain_text.examples),
    (proof_pile.ProofPileSource, proof_pile.examples),
    (statements.StatementsSource, statements.examples),
    (svamp.SvampSource, svamp.examples),
    (tinygsm.TinyGsmSource, tinygsm.examples),
    (tulu.TuluSource, tulu.examples),
    (word_problems.WordProblemsSource, word_problems.examples),
)
_CLASSES = tuple(settings for settings, _ in KINDS)
_BY_NAME = by_name("source", _CLASSES)
SOURCES: dict[str, Examples] = dict(zip(_BY_NAME, (examples for _, examples in KINDS), strict=True))
HUBS = {name: settings.hub_name for name, settings in _BY_NAME.items() if settings.hub_name}

if TYPE_CHECKING:
    AnySource = Source
else:
    AnySource = union("source", _CLASSES)
