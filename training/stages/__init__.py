"""Kinds of stages: each is one folder with config.py (settings, no torch) and train.py (run)."""

from typing import Annotated

from pydantic import Field

from training.settings import StageSettings
from training.stages.curriculum.config import CurriculumSettings
from training.stages.evaluate.config import EvaluateSettings
from training.stages.grpo.config import GrpoSettings
from training.stages.pretrain.config import PretrainSettings
from training.stages.sft.config import SftSettings

STAGES: dict[str, type[StageSettings]] = {
    "pretrain": PretrainSettings,
    "sft": SftSettings,
    "curriculum": CurriculumSettings,
    "grpo": GrpoSettings,
    "evaluate": EvaluateSettings,
}

AnyStage = Annotated[
    PretrainSettings | SftSettings | CurriculumSettings | GrpoSettings | EvaluateSettings,
    Field(discriminator="kind"),
]
