"""The stages of a recipe as a tree: what starts from what, to be drawn."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from training.recipes.recipe import Recipe
from training.settings.shared import StageSettings, TrainingStageSettings
from webapp.launch.fields import FieldGroup


@dataclass
class Node:
    """A stage and what starts from its checkpoint."""

    stage: StageSettings
    group: FieldGroup | None = None  # its settings, where there is a form of them
    followers: list["Node"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the stage."""
        return self.stage.name

    @property
    def steps(self) -> int | None:
        """Optimizer steps, where they can be counted."""
        return self.stage.planned_steps()

    @property
    def learning_rate(self) -> str:
        """As a person writes it, the range of several; empty where nothing is learnt."""
        if not isinstance(self.stage, TrainingStageSettings):
            return ""
        rates = sorted(set(self.stage.peak_rates().values()))
        return " to ".join(f"{rate:g}" for rate in dict.fromkeys((rates[0], rates[-1])))


def tree(recipe: Recipe, groups: Iterable[FieldGroup] = ()) -> list[Node]:
    """The first stages, each with its followers, in the recipe's order, and with its group of settings."""
    settings = {group.path: group for group in groups}
    nodes = {stage.name: Node(stage, settings.get(f"stages.{stage.name}")) for stage in recipe.stages}
    for stage in recipe.stages:
        if stage.after is not None:
            nodes[stage.after].followers.append(nodes[stage.name])
    return [nodes[stage.name] for stage in recipe.stages if stage.after is None]
