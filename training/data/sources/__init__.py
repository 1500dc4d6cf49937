"""Data sources: one module each, listed here; a source yields examples from its settings and a seed."""

from typing import Annotated

from pydantic import Field

from training.data.sources.decompositions import DecompositionsSource
from training.data.sources.drills import DrillsSource
from training.data.sources.fineweb_edu import FinewebEduSource
from training.data.sources.gsm8k import Gsm8kSource
from training.data.sources.instructions import InstructionsSource
from training.data.sources.open_web_math import OpenWebMathSource
from training.data.sources.plain_text import PlainTextSource
from training.data.sources.proof_pile import ProofPileSource
from training.data.sources.statements import StatementsSource
from training.data.sources.svamp import SvampSource
from training.data.sources.tinygsm import TinyGsmSource
from training.data.sources.tulu import TuluSource
from training.data.sources.word_problems import WordProblemsSource

AnySource = Annotated[
    DecompositionsSource
    | DrillsSource
    | FinewebEduSource
    | Gsm8kSource
    | InstructionsSource
    | OpenWebMathSource
    | PlainTextSource
    | ProofPileSource
    | StatementsSource
    | SvampSource
    | TinyGsmSource
    | TuluSource
    | WordProblemsSource,
    Field(discriminator="source"),
]
