"""Settings of distillation (no torch)."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from training.settings.work_estimate import Work
from training.teacher.config import SolutionSettings, TeacherSettings


class DistillationSettings(SolutionSettings):
    """A teacher answers each problem `samples` times; up to `keep` right and different answers are learnt."""

    kind: Literal["distillation"]
    teacher: TeacherSettings = Field(..., description="Who answers the problems")

    def work(self) -> Work:
        """What an endpoint generates costs nothing here."""
        return self.work_of(rounds=1, generates=self.teacher.kind == "local")

    def models(self) -> Sequence[str]:
        """The teacher's, where it has one of its own."""
        local = self.teacher.kind == "local" and self.teacher.checkpoint
        return [local] if local else []

    def environment(self) -> Sequence[str]:
        """The endpoint's key."""
        variable = self.teacher.endpoint.key_variable
        return [variable] if self.teacher.kind == "endpoint" and variable else []
