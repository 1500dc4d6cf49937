"""A part of `make recipes`: research recipes at their tiny scale, from launch to a filled table and to the whole report."""

import re

import pytest

from tests import recipes
from tests.stack import RunningStack
from training.recipes import recipe as built
from training.recipes.recipe import Recipe

PUBLISHED = "phase6_grpo_20x"
SOME = {  # the published road, shorter than it is at this scale; a model of another architecture
    PUBLISHED: (
        "stages.pretrain.steps=8",
        "stages.curriculum.steps.drills.examples=40",
        "stages.curriculum.steps.word_problems.examples=40",
        "stages.curriculum.steps.gsm8k.examples=40",
        "stages.grpo.prompts=8",
        "benchmarks.gsm8k.max_new_tokens=16",
    ),
    "hypothesis_e_memory": (),
}
IN_THE_REPORT = (  # of what the published report has, in its order, but for the answer, which comes first
    "Results",
    "Prediction and outcome",
    "Setup",
    "Setup of each stage",
    "What the last stage changed",
    "Detailed metrics",
    "Training dynamics",
    "Findings",
    "Diagnosis",
    "What is supported, and what is not",
    "Next steps, in order",
    "Every setting",
)


def launched_as(recipe: str) -> tuple[str, ...]:
    """The arguments of a launch."""
    return recipe, *recipes.TINY, *(word for change in SOME[recipe] for word in ("--set", change))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "recipe", [pytest.param(one, marks=pytest.mark.launches(*launched_as(one))) for one in SOME]
)
def test_a_recipe_runs_to_a_filled_table(stack: RunningStack, launched: list[str], recipe: str) -> None:
    (experiment,) = launched
    assert recipes.checked(stack, recipe, experiment).complaint == ""


@pytest.mark.timeout(1500)
@pytest.mark.launches(*launched_as(PUBLISHED))
def test_the_published_road_has_all_that_the_published_report_says(
    stack: RunningStack, launched: list[str]
) -> None:
    (experiment,) = launched
    shown = stack.mulberry("report", experiment, timeout=120)
    assert shown.returncode == 0, shown.stderr
    changes = [built.parse_change(one) for one in ("scale=tiny", *SOME[PUBLISHED])]
    check_report(shown.stdout, experiment, built.build(built.shipped(PUBLISHED), changes))


def check_report(text: str, experiment: str, recipe: Recipe) -> None:
    """Section by section: what was set, what came of it after every stage, what it means, and what to try next."""
    head, *parts = re.split(r"^## ", text.replace("\\_", "_"), flags=re.MULTILINE)
    sections = {title: body for title, _, body in (part.partition("\n") for part in parts)}
    assert [title for title in sections if title in IN_THE_REPORT] == list(IN_THE_REPORT)
    conditions = [one.name for one in recipe.conditions]
    stages = [one.name for one in recipe.stages]
    check_setup(head, sections, experiment, recipe)

    results = rows(sections["Results"])
    assert [row[0] for row in results] == stages
    assert all(row[1].count("%") == 1 and row[2].count("%") == 1 for row in results), (
        "every cell has its number"
    )
    assert "Planned question: " in sections["Results"]

    before = sections["What the last stage changed"]
    changed = [row[:2] for row in rows(before)]
    assert changed == [["curriculum → grpo", name] for name in conditions]

    every, last = sections["Detailed metrics"].split("### After grpo")
    for metric in ("Accuracy", "Repetition rate", "Hit token limit", "Mul-tokens per completion"):
        found = {row[1]: row[2:] for row in rows(every) if row[0] == metric}
        assert list(found) == conditions and all(len(values) == len(stages) for values in found.values())
        assert "–" not in [value for values in found.values() for value in values], metric
        (side_by_side,) = [row for row in rows(last) if row[0] == metric]
        assert len(side_by_side) == 1 + len(conditions)

    check_dynamics(sections["Training dynamics"], conditions, recipe)

    prediction = sections["Prediction and outcome"]
    assert (
        f"Predicted at launch: {recipe.prediction}" in prediction
        and f"Prediction:** {recipe.prediction}" in head
    )
    assert re.search(
        r"Outcome of the planned question: .*grpo.*; difference of the gains .* points", prediction
    )

    assert "- " in sections["Findings"] and "None of the rules found anything" not in sections["Findings"]
    assert re.search(r"^- grpo", sections["Diagnosis"], re.MULTILINE)
    conclusion = sections["What is supported, and what is not"]
    reached = "".join(rf"(, )?{name} \d+\.\d %" for name in conditions)
    assert re.search(rf"^- Accuracy on gsm8k after grpo: {reached}\.$", conclusion, re.MULTILINE)
    assert "planned question: " in conclusion and "One seed compares two checkpoints" in conclusion
    for label in ("Rationale", "Effort", "Risk"):
        assert f"  - {label}: " in sections["Next steps, in order"]
    assert "- (1) Hypothesis " in sections["Next steps, in order"]


def check_setup(head: str, sections: dict[str, str], experiment: str, recipe: Recipe) -> None:
    """The facts above, the setup, and each stage's own."""
    assert head.startswith(f"# {recipe.title}\n")
    for fact in (
        f"**Experiment:** {experiment}",
        "**Started:** ",
        "**Finished:** ",
        f"**Question:** {recipe.question}",
    ):
        assert fact in head
    assert "**Status:** 8 of 8 evaluations finished" in head
    setup = sections["Setup"]
    for line in (
        "Condition baseline: ",
        "Condition mul_tokens: mul_tokens.inject = true",
        "Seeds: 0",
        "Benchmark gsm8k: 20 problems",
    ):
        assert f"- {line}" in setup
    assert f"; {recipe.model.parameters(50_349):,} parameters; vocabulary of 50,349 entries" in setup
    overview = {row[0]: row[3] for row in rows(setup)}
    assert overview == {one.name: one.size() for one in recipe.stages}
    per_stage = re.split(r"^- Stage ", sections["Setup of each stage"], flags=re.MULTILINE)[1:]
    described = {name: body for name, _, body in (one.partition("\n") for one in per_stage)}
    assert list(described) == [one.name for one in recipe.stages]
    for body in described.values():
        for label in ("Data", "Optimizer", "Effective batch", "Token limits", "Precision", "Time"):
            assert f"  - {label}: " in body
    for label in ("Sampling", "Loss", "Rewards and weights", "Rollouts compared"):
        assert f"  - {label}: " in described["grpo"]
    assert "(gsm8k), each falling " in described["curriculum"]


def check_dynamics(section: str, conditions: list[str], recipe: Recipe) -> None:
    """GRPO's metrics in every condition, the reward's components among them; too few records for a slope."""
    (grpo,) = [one for one in recipe.stages if one.kind == "grpo"]
    components = [f"Reward: {one.reward}" for one in grpo.rewards]  # type: ignore[attr-defined]
    metrics = (
        "Accuracy of rollouts",
        "Reward",
        *components,
        "KL divergence",
        "Entropy",
        "Repetition rate",
        "Hit-limit rate",
    )
    found = rows(section)
    assert "Stage grpo; Seed 0. " in section, "what all rows share stands above them"
    for metric in metrics:
        lines = [row for row in found if row[0] == metric]
        assert [row[1] for row in lines] == conditions, metric
        for row in lines:
            assert re.fullmatch(r".+ \(\d+\)", row[4]), "the peak with its step"
            assert row[5:] == ["–", "–", "not decided"]
            shares = metric in ("Accuracy of rollouts", "Repetition rate", "Hit-limit rate")
            assert all(value.endswith(" %") == shares for value in row[2:4])
    assert "below 60 records no slope is given" in section


def rows(section: str) -> list[list[str]]:
    """The cells of its tables' rows, without headings and the rules below them."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    rules = {place for place, line in enumerate(lines) if set(line) <= set("|:- ")}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for place, line in enumerate(lines)
        if place not in rules and place + 1 not in rules
    ]


def test_every_research_recipe_has_a_tiny_scale() -> None:
    assert len(recipes.tiny()) >= 12
