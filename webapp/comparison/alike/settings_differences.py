"""In which settings checkpoints differ: those of their own stage and of every stage before it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from webapp.runs import kept_examples
from webapp.runs.kept_examples import Recorded
from webapp.runs.models import StageRun

SHARED = ("model", "tokenizer", "mul_tokens", "text")  # of a stage's spec: the same for the whole line
ABSENT = "–"
OF_STAGE = "stage "  # before the name of a stage that not every line has
EXAMPLES = "examples kept (SHA-256)"


class SettingDifference(NamedTuple):
    """A setting and what it is in each checkpoint, in their order."""

    name: str
    values: tuple[str, ...]
    of_stage: bool = False  # not a setting but a whole stage, which not all have


def of(run: StageRun, runs: Mapping[int, StageRun], recorded: Recorded) -> dict[str, dict[str, str]]:
    """The settings of a run's line, by part: `shared`, then each stage from the last one up. `runs`: by id.

    The examples that a stage kept stand among its settings, by their hash, where they are `recorded`.
    """
    spec = run.spec
    shared = dict(_flat({name: spec[name] for name in SHARED if name in spec}))
    line: dict[str, dict[str, str]] = {"": shared | {"seed": str(run.seed)}}
    at: StageRun | None = run
    while at is not None:
        stage = dict(_flat(at.spec.get("settings", {}))) | {"kind": at.stage.kind}
        if name := kept_examples.name_of(recorded.get(at.pk, [])):
            stage[EXAMPLES] = name[:12]
        line.setdefault(at.stage.name, stage)  # a run that waits for another condition's has it as its parent
        at = runs.get(at.parent_id) if at.parent_id is not None else None
    return line


def between(lines: Sequence[Mapping[str, Mapping[str, str]]]) -> tuple[SettingDifference, ...]:
    """Only what differs; a stage that not every line has is one difference."""
    found = []
    for part in dict.fromkeys(part for line in lines for part in line):
        if not all(part in line for line in lines):
            kinds = tuple(line[part]["kind"] if part in line else ABSENT for line in lines)
            found.append(SettingDifference(f"{OF_STAGE}{part}", kinds, of_stage=True))
            continue
        for name in dict.fromkeys(name for line in lines for name in line[part]):
            values = tuple(line[part].get(name, ABSENT) for line in lines)
            if len(set(values)) > 1:
                found.append(SettingDifference(f"{part}.{name}" if part else name, values))
    return tuple(found)


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each setting by its dotted path, as a recipe writes it; in a list of parts a part goes by its place."""
    for name, value in settings.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            value = {str(place): one for place, one in enumerate(value)}
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{before}{name}", text
