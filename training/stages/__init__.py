"""Kinds of stages: each is one folder with config.py (settings, no torch) and train.py (run)."""

from typing import Annotated

from pydantic import Field

from training.settings.shared import StageSettings
from training.stages.curriculum.config import CurriculumSettings
from training.stages.distillation.config import DistillationSettings
from training.stages.evaluate.config import EvaluateSettings
from training.stages.grpo.config import GrpoSettings
from training.stages.pretrain.config import PretrainSettings
from training.stages.rejection_sampling.config import RejectionSamplingSettings
from training.stages.sft.config import SftSettings

STAGES: dict[str, type[StageSettings]] = {
    "pretrain": PretrainSettings,
    "sft": SftSettings,
    "curriculum": CurriculumSettings,
    "grpo": GrpoSettings,
    "distillation": DistillationSettings,
    "rejection_sampling": RejectionSamplingSettings,
    "evaluate": EvaluateSettings,
}

AnyStage = Annotated[
    PretrainSettings
    | SftSettings
    | CurriculumSettings
    | GrpoSettings
    | DistillationSettings
    | RejectionSamplingSettings
    | EvaluateSettings,
    Field(discriminator="kind"),
]
