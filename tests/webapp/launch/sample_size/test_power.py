"""Power by what this installation has measured: seeds' spread, amounts' scatter, discordance that can be; on form and dry run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from django.test import Client

from tests import factories
from training.recipes import recipe as recipes
from webapp.launch.launch import launch
from webapp.launch.planning import propose
from webapp.launch.sample_size.measured_contrast import MeasuredContrast, measured_contrast
from webapp.launch.sample_size.power import power
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import Attempt, StageRun, State
from webapp.statistics.new_problems import Components
from webapp.statistics.power import discordance_by_chance, possible_discordance
from webapp.statistics.seeds import within_over_seeds
from workers.cli.commands import plan

pytestmark = pytest.mark.django_db
DISCORDANT, SPREAD = 0.198, 0.059  # audited: of smoke-2, 6 seeds of 150 problems
RESIDUAL = 0.15
SMOKE_2 = MeasuredContrast(
    "smoke-2", 6, 150, 0.44, DISCORDANT, Components(SPREAD**2 - RESIDUAL / 150, 0.02, RESIDUAL)
)


def smoke(*changes: tuple[str, Any], seeds: int = 6) -> recipes.Recipe:
    return recipes.build(recipes.read("smoke"), [("seeds", list(range(seeds))), *changes])


def ran(recipe: recipes.Recipe, marks: Mapping[tuple[str, int], list[bool]], stage: str = "grpo") -> None:
    experiment = launch(recipe=recipe, owner=factories.make_user())
    runs = StageRun.objects.filter(experiment=experiment, stage__name=stage).select_related("condition")
    for run in runs:
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        factories.add_evaluation(attempt, marks[run.condition.name, run.seed])


def six_seeds() -> dict[tuple[str, int], list[bool]]:
    draw, found = np.random.default_rng(0), {}
    for seed in range(6):
        for condition, share in (("baseline", 0.4), ("mul_tokens", 0.5 + draw.normal(0, 0.12))):
            found[condition, seed] = (draw.random(150) < share).tolist()
    return found


@pytest.mark.parametrize(
    ("seeds", "problems_alone", "measured"), [(3, 11.5, 18.3), (5, 6.1, 9.8), (10, 3.6, 5.9)]
)
def test_what_seeds_show_goes_by_their_measured_spread(
    seeds: int, problems_alone: float, measured: float
) -> None:
    alone = power(smoke(seeds=seeds), discordant=DISCORDANT)
    found = power(smoke(seeds=seeds), discordant=DISCORDANT, measured=SMOKE_2)
    assert (
        alone is not None
        and alone.conditions is not None
        and found is not None
        and found.conditions is not None
    )
    assert round(100 * alone.conditions, 1) == problems_alone
    assert round(100 * found.conditions, 1) == measured
    assert (
        f"of {measured} points between two conditions on these problems, as the 6 seeds of smoke-2"
        in found.sentences[1]
    )
    assert "by 5.9 points" in found.sentences[1]
    assert "only a larger one where seeds differ" in alone.sentences[1]


def test_the_grid_has_seeds_and_problems_for_the_wished_difference() -> None:
    found = power(smoke(seeds=3), measured=SMOKE_2, wished=0.1)
    assert found is not None and found.grid is not None
    grid = found.grid
    assert (grid.problems, grid.seeds) == ((150, 300, 600, 1000), (3, 5, 10))
    assert grid.lines[1][:2] == ("3 seeds", "18.3")
    assert list(grid.differences[0]) == sorted(grid.differences[0], reverse=True), "more problems show less"
    assert grid.differences[0][-1] > 0.9 * 0.183 * np.sqrt(SPREAD**2 - RESIDUAL / 150) / SPREAD, (
        "but seeds stay"
    )
    assert grid.lines[-1][:2] == ("seeds needed for 10 points", "5"), "9.8 points at 5 seeds"
    assert power(smoke(("primary.contrast", "equivalence"), ("primary.margin", 0.05))).grid is None  # type: ignore[union-attr]


def test_why_few_seeds_show_less_than_one_is_said_on_the_spot() -> None:
    found = power(smoke(seeds=1), discordant=DISCORDANT)
    assert found is not None
    assert (
        f"One seed shows a difference of {100 * found.checkpoints:.1f} points, 3 seeds one of "
        in found.more_by_seeds
    )
    assert "with one seed the interval holds for these checkpoints alone" in found.more_by_seeds
    equivalence = power(smoke(("primary.contrast", "equivalence"), ("primary.margin", 0.05)))
    assert equivalence is not None and equivalence.more_by_seeds == "", "it has no such grid"


@pytest.mark.parametrize("measured", [SMOKE_2, None])
def test_equivalence_over_seeds_is_planned_by_the_two_one_sided_tests(
    measured: MeasuredContrast | None,
) -> None:
    """The plan told the difference that 3 seeds show, 18.3 points, which is no answer to whether ± 5 points can be."""
    asked = ("primary.contrast", "equivalence"), ("primary.margin", 0.05)
    found = power(smoke(*asked, seeds=3), discordant=DISCORDANT, measured=measured)
    assert found is not None and found.equivalence is not None
    spread = SPREAD if measured else np.sqrt(DISCORDANT / 150)
    seeds = spread * np.array([-1, 0, 1])  # of this standard deviation, without a difference
    assert within_over_seeds(seeds, found.equivalence) == pytest.approx(0.05)
    told = "± 9.9 points" if measured else "± 6.1 points"
    assert f"Two one-sided tests over 3 seeds reach {told} about the mean difference" in found.sentences[1]
    assert found.sentences[1].endswith(
        " A margin below that cannot be shown; the planned one is ± 5.0 points."
    )
    assert ("as the 6 seeds of smoke-2 scatter" in found.sentences[1]) == bool(measured)
    assert "show a difference" not in found.sentences[1]
    assert power(smoke(*asked, seeds=1)).equivalence is None  # type: ignore[union-attr]
    assert power(smoke(seeds=3)).equivalence is None  # type: ignore[union-attr]


def test_spread_comes_from_the_newest_experiment_with_seeds_enough() -> None:
    assert measured_contrast(smoke()) is None
    every = six_seeds()
    ran(smoke(), every)
    ran(smoke(seeds=1), every)
    found = measured_contrast(smoke(seeds=3))
    assert found is not None and found.components is not None
    differences = np.array([np.array(every["mul_tokens", s], float) - every["baseline", s] for s in range(6)])
    assert (found.experiment, found.seeds, found.problems) == ("smoke-1", 6, 150)
    assert found.spread(150) == pytest.approx(differences.mean(axis=1).std(ddof=1))
    assert found.scatter == pytest.approx(np.sqrt(differences.var(axis=1, ddof=1).mean()))
    planned = propose(smoke(seeds=3)).power
    assert planned is not None and planned.measured == found
    assert measured_contrast(smoke(("model.n_embd", 192))) is None
    Attempt.objects.update(hostname="")  # made up, as `mulberry seed` leaves them
    assert measured_contrast(smoke()) is None


def test_a_gain_and_an_interaction_have_a_spread_of_their_own() -> None:
    recipe = smoke(("primary.contrast", "interaction"))
    ran(recipe, six_seeds())
    assert measured_contrast(recipe) is None, "nothing is known of what the stage starts from"
    before = np.random.default_rng(1).random((2, 6, 150)) < 0.3
    for run in StageRun.objects.filter(stage__name="curriculum").select_related("condition"):
        right = before[int(run.condition.name == "mul_tokens"), run.seed]
        factories.add_evaluation(factories.make_attempt(run, state=State.SUCCEEDED), right.tolist())
    every, last = before.astype(float), six_seeds()
    gains = [
        np.array([last[name, seed] for seed in range(6)], float) - every[place]
        for place, name in enumerate(("baseline", "mul_tokens"))
    ]
    found = measured_contrast(recipe)
    assert found is not None
    assert found.spread(150) == pytest.approx((gains[1] - gains[0]).mean(axis=1).std(ddof=1))
    planned = propose(recipe).power
    assert planned is not None
    assert planned.discordance == pytest.approx(((gains[1] - gains[0]) ** 2).mean())
    scatter = f"one problem’s difference of gains scattering by {100 * found.scatter:.1f} points (standard deviation, smoke-1)"
    assert scatter in planned.sentences[2]
    gain = smoke(("primary.contrast", "gain"), ("primary.condition", "mul_tokens"))
    one = measured_contrast(gain)
    assert one is not None and one.spread(150) == pytest.approx(gains[1].mean(axis=1).std(ddof=1))
    planned = propose(gain).power
    assert planned is not None and planned.discordant == pytest.approx((gains[1] != 0).mean())
    assert (
        "of the problems solved only before or only after the stage (as many as in smoke-1)"
        in planned.sentences[2]
    )


@pytest.mark.slow
def test_what_was_measured_is_of_the_planned_metric_and_condition() -> None:
    """Not the accuracy, nor of conditions that are not asked about."""
    both = [*smoke().model_dump(mode="json")["conditions"], {"name": "third"}]
    every = six_seeds()
    ran(smoke(("conditions", both)), every | {("third", seed): [True] * 150 for seed in range(6)})
    draw = np.random.default_rng(4)
    for outcome in (outcomes := list(Outcome.objects.order_by("pk"))):
        outcome.repeats = bool(draw.random() < 0.2)
    Outcome.objects.bulk_update(outcomes, ["repeats"])
    asked = ("primary.condition", "mul_tokens")
    differences = np.array([np.array(every["mul_tokens", s], int) - every["baseline", s] for s in range(6)])
    planned = propose(smoke(("conditions", both), asked)).power
    assert planned is not None and planned.discordant == pytest.approx((differences != 0).mean())
    planned = propose(smoke(("conditions", both), asked, ("primary.metric", "repetition_rate"))).power
    assert planned is not None and planned.discordant == pytest.approx(0.32, abs=0.05)
    said = "of the problems in which the repetition rate counts only one of the two (as many as in smoke-1)"
    assert said in planned.sentences[2]


def test_discordance_is_of_the_last_stage_that_runs_the_benchmark() -> None:
    """It was looked for after the last stage of the list, which may run none."""
    recipe = smoke(("stages.grpo.benchmarks", []))
    every = six_seeds()
    ran(recipe, every, "curriculum")
    planned = propose(recipe).power
    differences = np.array([np.array(every["mul_tokens", s], int) - every["baseline", s] for s in range(6)])
    assert planned is not None and planned.discordant_from == "smoke-1"
    assert planned.discordant == pytest.approx((differences != 0).mean())


def test_pass_at_k_goes_by_its_own_samples() -> None:
    asked = (("benchmarks.one_step_multiplication.samples", 4), ("primary.metric", "pass_at_4"))
    ran(smoke(*asked), six_seeds())
    assert measured_contrast(smoke(*asked)) is None, (
        "no samples yet, and greedy completions tell nothing of them"
    )
    draw = np.random.default_rng(5)
    passed: dict[tuple[str, int], np.ndarray] = {}
    for evaluation in Evaluation.objects.select_related("attempt__stage_run__condition"):
        right = draw.random((150, 4)) < 0.2
        run = evaluation.attempt.stage_run
        passed[run.condition.name, run.seed] = right.any(axis=1).astype(float)
        factories.add_samples(evaluation, right.tolist())
        factories.next_seq(evaluation.attempt)
    rows = np.array([passed["mul_tokens", seed] - passed["baseline", seed] for seed in range(6)])
    found = measured_contrast(smoke(*asked))
    assert found is not None and found.seeds == 6
    assert found.scatter == pytest.approx(np.sqrt(rows.var(axis=1, ddof=1).mean()))
    assert found.mean_square == pytest.approx((rows**2).mean())


def test_different_graders_are_neither_paired_nor_taken_together() -> None:
    every = six_seeds()
    ran(smoke(), every)
    newer = {("baseline", 0), ("baseline", 1), ("mul_tokens", 1)}
    for evaluation in Evaluation.objects.select_related("attempt__stage_run__condition"):
        run = evaluation.attempt.stage_run
        if (run.condition.name, run.seed) in newer:
            evaluation.settings["grader"] = "one_step_multiplication/2"
            evaluation.save()
    found = measured_contrast(smoke())
    assert found is not None and found.seeds == 4
    rows = np.array([np.array(every["mul_tokens", s], float) - every["baseline", s] for s in range(2, 6)])
    assert found.spread(150) == pytest.approx(rows.mean(axis=1).std(ddof=1))


def test_an_amount_has_a_power_line_in_its_unit_once_something_has_run() -> None:
    asked = ("primary.metric", "tokens_per_response")
    first = power(smoke(asked, seeds=1))
    assert first is not None
    assert first.checkpoints == pytest.approx(2.8016 / np.sqrt(150), abs=1e-4)
    assert "0.229 standard deviations of a problem’s difference" in first.sentences[0]
    assert "it is not known how many tokens that are" in first.sentences[0]
    ran(smoke(), six_seeds())
    draw = np.random.default_rng(2)
    for outcome in (outcomes := list(Outcome.objects.all())):
        outcome.tokens = int(draw.integers(10, 60))
    Outcome.objects.bulk_update(outcomes, ["tokens"])
    found = propose(smoke(asked, seeds=3)).power
    assert found is not None and found.measured is not None and found.unit == "tokens"
    assert found.checkpoints == pytest.approx(2.8016 * found.measured.scatter / np.sqrt(150), rel=1e-3)
    assert f"{found.checkpoints:.3g} tokens between two checkpoints" in found.sentences[0]
    assert "of the 6 seeds of smoke-1" not in found.sentences[0] and "seeds of smoke-1" in found.sentences[1]
    assert found.grid is not None and found.grid.unit == "tokens"


def test_an_assumed_discordance_can_occur_at_the_expected_accuracy() -> None:
    """2.2 and 4.0 % of GSM8K: 1.8 to 6.2 %, so not the 10 % that is assumed otherwise."""
    assert possible_discordance(0.022, 0.04) == pytest.approx((0.018, 0.062))
    assert possible_discordance(0.95, 0.97) == pytest.approx((0.02, 0.08))
    found = power(recipes.build(recipes.read("phase6_grpo_20x")))
    assert found is not None
    assert found.discordant == discordance_by_chance(0.022, 0.04) == pytest.approx(0.0602, abs=1e-4)
    assert "6.02 % of the problems solved by only one of the two (an assumption)" in found.sentences[-2]
    assert found.sentences[-1] == "At the expected accuracy of 2.2 and 4 % it can be 1.8 to 6.2 %."
    wished = power(recipes.build(recipes.read("phase6_grpo_20x")), discordant=0.1)
    assert wished is not None and wished.sentences[-1].endswith("it can be 1.8 to 6.2 %: 10 % cannot occur.")
    nothing = power(smoke())
    assert nothing is not None and nothing.discordant == 0.1 and nothing.possible is None
    started = power(smoke(), accuracies=[0.01, 0.02])
    assert started is not None and started.discordant == pytest.approx(0.0296)
    with pytest.raises(recipes.RecipeError, match="shares from 0 to 1"):
        smoke(("expected_accuracy", [4]))


def test_the_problems_are_those_that_the_deciding_stage_asks() -> None:
    """The recipe asks 150 problems after every other stage; they were planned with."""
    own = {
        "benchmark": "one_step_multiplication",
        "problems": 600,
        "decoding": "greedy",
        "max_new_tokens": 64,
    }
    recipe = smoke(("stages.grpo.benchmarks", [own]))
    found = power(recipe)
    assert found is not None and found.problems == 600
    assert found.sentences[0].startswith("600 problems of one_step_multiplication show a difference of ")
    before = power(recipes.build(recipe, [("primary.stage", "curriculum")]))
    assert before is not None and before.problems == 150
    elsewhere = power(recipes.build(recipe, [("benchmarks", [])]))
    assert elsewhere is not None and elsewhere.problems == 600


def test_form_and_dry_run_show_the_same(client: Client) -> None:
    ran(smoke(), six_seeds())
    client.force_login(factories.make_user("ada"))
    page = client.post(
        "/experiments/new/smoke/panel/", {"seeds": "0, 1, 2", "plan.difference": "4"}
    ).content.decode()
    proposal = propose(smoke(seeds=3), wished=0.04)
    assert proposal.power is not None and proposal.power.grid is not None
    lines = "\n".join(plan.lines(proposal))
    for text in (proposal.power.sentences[1], proposal.power.grid.title):
        assert text in page and text in lines
    assert (
        'id="power-grid"' in page
        and "seeds needed for 4 points" in page
        and "seeds needed for 4 points" in lines
    )
    assert plan.as_json(proposal)["power"]["grid"]["problems"] == (150, 300, 600, 1000)
