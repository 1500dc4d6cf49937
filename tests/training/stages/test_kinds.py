"""What kinds of stages say of themselves, and that nobody asks for one of them by its name."""

import re
from pathlib import Path

import pytest

from training import stages
from training.settings.registry import by_name
from training.settings.shared import StageSettings
from training.stages.sft.config import SftSettings

ROOT = Path(__file__).resolve().parents[3]
ASKING = {"webapp": "*.py", "workers": "*.py", "templates": "*.html", "static/js": "*.js"}


def test_a_kind_says_what_pages_go_by():
    of_grpo = {"records_rollouts", "samples_every_step", "has_dynamics", "report_curves", "leaves_checkpoint"}
    says = {
        "grpo": of_grpo,
        "distillation": {"records_rollouts", "leaves_checkpoint"},
        "rejection_sampling": {"records_rollouts", "leaves_checkpoint"},
        "evaluate": set(),
    }
    for name in ("pretrain", "sft", "curriculum", *says):
        true = {
            what
            for what in of_grpo
            if name in stages.kinds_where(lambda kind, what=what: bool(getattr(kind, what)))
        }
        assert true == says.get(name, {"leaves_checkpoint"}), name
    assert all(kind.learns == "rewards" for kind in stages.KINDS if kind.samples_every_step)


def test_a_kind_that_is_not_known_here_is_any_stage():
    assert stages.kind("gone") is StageSettings


@pytest.mark.parametrize(("folder", "files"), ASKING.items())
def test_no_program_page_or_script_asks_for_a_kind_by_its_name(folder, files):
    quoted = re.compile("|".join(rf"[\"']{name}[\"']" for name in stages.STAGES))
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in sorted((ROOT / folder).rglob(files))
        if "migrations" not in file.parts and file.name != "hypotheses.py"  # whose titles are words
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if quoted.search(line)
    ]
    assert found == []


def test_a_registry_refuses_a_class_without_a_name_and_two_of_one_name():
    class Nameless(StageSettings):
        """It has no name."""

    class Again(SftSettings):
        """It has another's."""

    with pytest.raises(TypeError, match="Nameless has no name; give it the line `kind: Literal"):
        by_name("kind", [Nameless])
    with pytest.raises(TypeError, match="Again and SftSettings both are called 'sft'"):
        by_name("kind", [SftSettings, Again])
