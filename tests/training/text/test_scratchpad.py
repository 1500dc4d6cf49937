"""The scratchpad format: working out between marks, and an answer that is read behind them only."""

from itertools import islice
from typing import Any

import pytest

from tests.training.conftest import TINY, Stages
from training.data.example import Example
from training.engine import stage_helpers
from training.engine.run_context import Run
from training.process.journal import Journal
from training.recipes import recipe
from training.recipes.recipe import RunSpec
from training.rewards import REWARDS, components
from training.text.answers import extract_answer
from training.text.scratchpad import Parts, parts, wrapped
from webapp.launch.forms import RecipeForm


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        (" 2 × 4 = 8\n#### 8", " [[ 2 × 4 = 8 ]]\n#### 8"),
        (" 3 × 9 = 27\n27 + 7 = 34\n#### 34", " [[ 3 × 9 = 27\n27 + 7 = 34 ]]\n#### 34"),
        (" <MUL_2_4_8>\n#### 8", " [[ <MUL_2_4_8> ]]\n#### 8"),
        (" Jack has cookies.", " Jack has cookies."),
        ("\n#### 8", "\n#### 8"),
        ("", ""),
    ],
)
def test_working_out_goes_between_marks(plain: str, expected: str) -> None:
    assert wrapped(plain) == expected
    assert wrapped(expected) == expected
    assert extract_answer(expected) == extract_answer(plain)


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (" [[ 2 × 4 = 8 ]]\n#### 8", Parts("2 × 4 = 8", "\n#### 8")),
        (" [[ 2 × 4 = 8", Parts("2 × 4 = 8", "")),
        ("[[]] 5", Parts("", " 5")),
        (" 2 × 4 = 8\n#### 8", Parts(None, " 2 × 4 = 8\n#### 8")),
        (" The matrix [[1, 2], [3, 4]] has 4 entries", Parts(None, " The matrix [[1, 2], [3, 4]] has 4 entries")),
    ],
)  # fmt: skip
def test_a_completion_is_taken_apart(completion: str, expected: Parts) -> None:
    assert parts(completion) == expected


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (" [[ 2 × 4 = 8 ]]\n#### 9", "9"),
        (" [[ #### 8 ]] so 9", "9"),
        (" [[ 2 × 4 = 8", None),  # never came to its answer
        (" [[ 2 × 4 = 8 ]]", None),
    ],
)
def test_what_stands_in_the_scratchpad_is_no_answer(completion: str, answer: str | None) -> None:
    assert extract_answer(completion) == answer
    found = components(completion, "8", mul_tokens=0, rewards=[REWARDS["correct"](reward="correct")])
    assert found == {"correct": 0.0}


def drawn(stages: Stages, name: str, changes: list[tuple[str, Any]], condition: str) -> list[Example]:
    made = stages.make(name, "sft", condition=condition, changes=[*changes, ("stages.sft.after", None)])
    spec = RunSpec.model_validate_json((made.run_dir / "spec.json").read_text())
    journal = Journal(made.run_dir / "journal")
    run = Run.open(made.run_dir, spec, journal)
    examples = list(islice(stage_helpers.examples(run, spec.spec.settings.data), 40))
    journal.close()
    return [example.written(spec.spec.form) for example in examples]


@pytest.mark.parametrize("condition", ["baseline", "mul_tokens"])
def test_only_the_format_differs(condition: str, stages: Stages) -> None:
    plain = drawn(stages, "plain", [], condition)
    written = drawn(stages, "written", [("text.format", "scratchpad")], condition)
    assert [e.prompt for e in written] == [e.prompt for e in plain]
    assert [e.completion for e in written] == [wrapped(e.completion) for e in plain]
    assert sum(e.completion.startswith(" [[ ") for e in written) > 30


def test_a_condition_and_the_form_have_the_format() -> None:
    conditions = [{"name": "baseline"}, {"name": "working", "overrides": {"text.format": "scratchpad"}}]
    specs = recipe.resolve(recipe.build({**TINY, "conditions": conditions}))
    assert {s.condition: s.text.format for s in specs} == {"baseline": "plain", "working": "scratchpad"}
    fields = {one.path: one for group in RecipeForm(TINY).groups for one in group.every_field()}
    assert [value for value, _ in fields["text.format"].choices] == ["plain", "scratchpad"]
