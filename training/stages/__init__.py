"""Kinds of stages: each is one folder with config.py (settings, no torch) and train.py (run), and one entry in KINDS."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from training.settings.registry import by_name, union
from training.settings.shared import StageSettings
from training.stages.curriculum.config import CurriculumSettings
from training.stages.distillation.config import DistillationSettings
from training.stages.evaluate.config import EvaluateSettings
from training.stages.grpo.config import GrpoSettings
from training.stages.pretrain.config import PretrainSettings
from training.stages.rejection_sampling.config import RejectionSamplingSettings
from training.stages.sft.config import SftSettings

KINDS: tuple[type[StageSettings], ...] = (
    PretrainSettings,
    SftSettings,
    CurriculumSettings,
    GrpoSettings,
    DistillationSettings,
    RejectionSamplingSettings,
    EvaluateSettings,
)
STAGES: Mapping[str, type[StageSettings]] = by_name("kind", KINDS)


def kind(name: str) -> type[StageSettings]:
    """Return what a kind says of itself in class variables; of one that is not known here, what any stage says."""
    return STAGES.get(name, StageSettings)


def kinds_where(says: Callable[[type[StageSettings]], bool]) -> list[str]:
    """Return the names of the kinds of which `says` holds, for a query of stages: stage__kind__in."""
    return [name for name, settings in STAGES.items() if says(settings)]


if TYPE_CHECKING:
    AnyStage = StageSettings
else:
    AnyStage = union("kind", KINDS)
