"""Data sources: one module each, listed here; a source yields examples from its settings and a seed."""

from typing import Annotated

from pydantic import Field

from training.data.decompositions import DecompositionsSource
from training.data.drills import DrillsSource
from training.data.fineweb_edu import FinewebEduSource
from training.data.gsm8k import Gsm8kSource
from training.data.instructions import InstructionsSource
from training.data.open_web_math import OpenWebMathSource
from training.data.plain_text import PlainTextSource
from training.data.proof_pile import ProofPileSource
from training.data.statements import StatementsSource
from training.data.svamp import SvampSource
from training.data.tinygsm import TinyGsmSource
from training.data.tulu import TuluSource
from training.data.word_problems import WordProblemsSource

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
