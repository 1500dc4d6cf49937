"""Whether two conditions learnt from the same examples: else they differ in more than their settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from training.recipes.recipe import StageSpec
from webapp.runs import kept_examples
from webapp.runs.kept_examples import Recorded
from webapp.runs.models import StageRun

Key = tuple[str, str, int]  # condition, stage, seed


class OtherExamples(NamedTuple):
    """A stage in which two conditions with one seed did not keep the same examples."""

    stage: str
    parts: tuple[str, ...]
    hashes: tuple[str, str]  # of the first of these parts, of either condition
    asked: bool  # their own settings ask for that


@dataclass(frozen=True)
class ExamplesOfRuns:
    """What each run of an experiment kept."""

    recorded: Recorded
    runs: Mapping[Key, int]
    starts: Mapping[str, str | None]  # what each stage starts from

    def differ(self, first: Key, second: Key) -> list[OtherExamples]:
        """The stages, on the way to both of two checkpoints with one seed, whose examples are not the same."""
        found: list[OtherExamples] = []
        of_first = self._line(first[1])
        for stage in self._line(second[1]):
            if stage not in of_first:
                continue
            pair = (first[0], stage, first[2]), (second[0], stage, second[2])
            one, other = (kept_examples.hashes(self.recorded.get(self.runs.get(key, 0), [])) for key in pair)
            parts = tuple(part for part in {**one, **other} if one.get(part) != other.get(part))
            if one and other and parts:
                shown = one.get(parts[0], "none"), other.get(parts[0], "none")
                found.insert(0, OtherExamples(stage, parts, shown, self._asked(*pair)))
        return found

    def _line(self, stage: str) -> list[str]:
        """A stage and those on the way to it, the last one first."""
        line, at = [], stage or None
        while at is not None:
            line.append(at)
            at = self.starts.get(at)
        return line

    def why_not_alike(self, first: Key, second: Key) -> str:
        """Why two conditions must not be compared: they learnt from other examples, and nobody asked for that."""
        unasked = [one for one in self.differ(first, second) if not one.asked]
        return "; ".join(
            f"they learnt from different examples in {one.stage} ({', '.join(one.parts)}: {one.hashes[0][:8]} against "
            f"{one.hashes[1][:8]}), though no setting of theirs asks for that"
            for one in unasked
        )

    def _asked(self, first: Key, second: Key) -> bool:
        drawings = [self._specs[self.runs[key]].drawing for key in (first, second)]
        return drawings[0] != drawings[1]

    @cached_property
    def _specs(self) -> dict[int, StageSpec]:
        """Asked for only where something differs."""
        rows = StageRun.objects.filter(pk__in=self.recorded).values_list("pk", "spec")
        return {pk: StageSpec.model_validate(spec) for pk, spec in rows}


def examples_of(runs: Iterable[StageRun], recorded: Recorded) -> ExamplesOfRuns:
    """What the runs of one experiment kept, each read with its condition and stage, from what is `recorded` of them."""
    found = list(runs)
    names = {run.stage_id: run.stage.name for run in found}
    return ExamplesOfRuns(
        recorded,
        {key_of(run): run.pk for run in found},
        {run.stage.name: names.get(run.stage.after_id or 0) for run in found},
    )


def key_of(run: StageRun) -> Key:
    """What a run is called in its experiment."""
    return run.condition.name, run.stage.name, run.seed
