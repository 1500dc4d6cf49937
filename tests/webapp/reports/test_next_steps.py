"""Next steps in the report: what follows for the question that was asked, then every hypothesis in order."""

import re

import pytest

from tests import factories, histories
from tests.courses import HACKED, compared, grpo
from training.benchmarks import BENCHMARKS
from training.recipes import recipe as recipes
from webapp.diagnosis.finding import Advice, Finding, Severity
from webapp.diagnosis.hypotheses import HYPOTHESES, C, E
from webapp.diagnosis.readings import next_steps
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain
from webapp.launch.gallery import Cost
from webapp.launch.launch import launch
from webapp.reports import diagnosis_exports
from webapp.reports.report import build, report
from webapp.reports.sections import ListItem, Section
from webapp.results.imports import import_history
from webapp.results.published import read
from webapp.runs import services
from webapp.runs.models import State
from webapp.statistics import power

pytestmark = pytest.mark.django_db

QUESTION, HYPOTHESES_IN_ORDER = "Next steps for this question", "Next steps, in order"


def section(experiment: Experiment, title: str = QUESTION, problems: str | None = None) -> Section:
    (found,) = (one for one in build(experiment, problems).sections if one.title == title)
    return found


def points_of(experiment: Experiment, title: str = QUESTION, problems: str | None = None) -> list[ListItem]:
    items = section(experiment, title, problems).items
    return [
        ListItem(plain(one.text), tuple(map(plain, one.under))) for one in items if isinstance(one, ListItem)
    ]


def letters(items: list[ListItem]) -> str:
    return "".join(re.findall(r"^\(\d\) Hypothesis (\w)", "\n".join(one.text for one in items), re.MULTILINE))


def test_every_hypothesis_stands_there_with_what_it_takes() -> None:
    experiment = grpo(HACKED).experiment
    found = section(experiment, HYPOTHESES_IN_ORDER)
    items = points_of(experiment, HYPOTHESES_IN_ORDER)
    assert letters(items) == "DCABE"
    because = [one.under[0].startswith("Because: ") for one in items]
    assert because == [True, True, False, False, False]
    for one in items:
        labels = [text.split(":")[0] for text in one.under if not text.startswith("Because")]
        assert labels == ["Rationale", "Options", "Effort", "Risk", "Takes", "Decision rule"]
    assert found.paragraphs == [
        "The worst findings decide the order, then the priorities of the programme's first report (28 December 2025). "
        "No finding points to the hypotheses from (3) on; they stand in the order of that report. None of these is shown to help."
    ]


def test_without_findings_they_stand_in_the_order_of_the_first_report() -> None:
    experiment = compared([(300, 360), (303, 366), (297, 354)], 600)
    assert letters(points_of(experiment, HYPOTHESES_IN_ORDER)) == "DCABE"
    assert (
        section(experiment, HYPOTHESES_IN_ORDER)
        .paragraphs[0]
        .startswith(
            "No finding points to any of these hypotheses; they stand in the order of the programme's first report"
        )
    )


def test_published_numbers_have_only_what_findings_point_to() -> None:
    published = import_history(publication=read("phase_1_to_6"), owner=factories.make_user()).experiment
    items = points_of(published, HYPOTHESES_IN_ORDER)
    assert letters(items) == "DCAB"
    assert all(one.under[0].startswith("Because: ") for one in items)
    assert [one.text.split()[0] for one in points_of(published)] == ["Ask"], (
        "no seeds, which nothing here could add"
    )


def test_what_is_to_know_is_no_reason_but_for_prompts_that_are_solved() -> None:
    def first(kind: str, severity: Severity, advice: Advice) -> tuple[object, Severity | None]:
        step = next_steps([Finding(kind, severity, "It is so", "", "", "", advice=(advice,))])[0]
        return step.hypothesis, step.severity

    other = Advice("Mix examples.", C)
    assert first("forgetting", Severity.INFO, other) == (HYPOTHESES[3], None)
    assert first("forgetting", Severity.WARNING, other) == (C, Severity.WARNING)
    assert first("no_gradient", Severity.INFO, Advice("Go on.", E)) == (E, Severity.INFO)
    assert first("kl", Severity.CRITICAL, Advice("Raise beta.")) == (HYPOTHESES[3], None)


def test_a_hypothesis_names_its_recipes_and_its_rule() -> None:
    experiment = grpo(HACKED).experiment
    _, _, c, d, e = sorted(
        points_of(experiment, HYPOTHESES_IN_ORDER), key=lambda one: one.text.split("Hypothesis ")[1]
    )
    assert "(mulberry launch hypothesis_d_one_step)" in d.text
    assert "evaluate_existing_one_step (Existing checkpoints on one-step multiplication" in d.under[2]
    assert all(name in c.under[2] for name in ("tinygsm_100k (", "tinygsm_1m (", "sft_bridge ("))
    assert all(name in e.under[1] for name in ("hypothesis_e_memory (", "hypothesis_e_number_positions ("))
    assert "fine-tuned from published checkpoints" in e.under[2]
    assert re.search(
        r"^Takes: all 18 stage runs: .+ on one RTX 4090 \(estimated\); smaller: scale=laptop ", d.under[5]
    )
    assert d.under[6].endswith(
        "3 seeds; go on where the interval lies above +5.0 points, no-go where it lies below."
    )
    assert c.under[-1].endswith(
        "1 seed, which can show it for these checkpoints only; where it does, add seeds (3 or more) before going on, else "
        "reconsider the approach."
    )


def test_what_is_measured_is_said_of_this_machine_alone() -> None:
    cost = Cost(18, 1, 4 * 86_400.0, True, 1 / 3, "RTX 4090", False, 0, 0)
    assert cost.described == (
        "all 18 stage runs: 4 d 0 h on one device here (measured), 20 min on one RTX 4090 (estimated)"
    )
    gpu = Cost(1, 1, 1200.0, True, 1 / 3, "H200", True, 0, 0)
    assert gpu.described == "its one stage run: 20 min on one H200 (measured here)"


def test_settings_of_this_experiment_stand_with_its_question() -> None:
    run = grpo(HACKED)
    run.spec["settings"]["rewards"] = [{"reward": "uses_mul_tokens", "weight": 1.0}]
    run.save()
    (one,) = points_of(run.experiment)
    assert one.text == "Set the weight of uses_mul_tokens to 0, or reward right answers alone."
    assert one.under == (
        "Because: Reward rises while correctness is flat: uses_mul_tokens pays for it.",
        "Setting: stages.grpo.rewards.uses_mul_tokens.weight = 0.0.",
    )
    sheet = diagnosis_exports.findings(run.experiment).sheet
    (advised,) = (column.of(sheet.rows[0]) for column in sheet.columns if column.name == "what_to_try")
    assert advised == (
        "Set the weight of uses_mul_tokens to 0, or reward right answers alone. (this experiment with "
        "rewards.uses_mul_tokens.weight = 0.0) Reinforce on problems within reach, where right answers are sampled. "
        "(Hypothesis D) Teach the skill by distilled solutions before it is rewarded. (Hypothesis C)"
    )


def test_one_seed_asks_for_others_and_says_what_they_take() -> None:
    recipe = recipes.build(recipes.read("smoke"), [("seeds", [0])])
    experiment = launch(recipe=recipe, owner=factories.make_user())
    for condition, right in (("baseline", 20), ("mul_tokens", 40)):
        run = factories.run_of(experiment, condition, "grpo")
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        factories.add_evaluation(attempt, [i < right for i in range(60)])
    one = points_of(experiment)[-1]
    assert (
        one.text
        == "Add two seeds, or launch 3 new ones: one seed compares two checkpoints, not two conditions."
    )
    more, new, rule = one.under
    runs = len(recipe.stages) * len(recipe.conditions)
    assert more.startswith(
        "Seeds 0, 1, 2 (Run again with more seeds): suggestive at most, because what seed 0 shows was seen"
    )
    assert f"Takes all {2 * runs} stage runs: " in more
    assert new.startswith("Seeds 1, 2, 3, launched anew: these can support a difference")
    assert f"Takes all {3 * runs} stage runs: " in new
    assert rule.startswith(
        f"Decision rule: {recipe.primary.described}, α = 0.05, 3 seeds; go on where it is supported"
    )


def test_one_seed_that_shows_nothing_says_how_many_problems_would() -> None:
    needed = power.needed_problems(0.03, 0.03)
    first, *_, last = points_of(compared([(40, 43)], 100))
    assert 100 < needed < BENCHMARKS[factories.BENCHMARK].size
    assert first.text == (
        f"Ask more problems than these 100: if the difference of +3.0 points and the disagreements stayed as they are, about {needed} "
        "problems would show it for these checkpoints (80 % power)."
    )
    assert last.text.startswith("Add two seeds")
    assert points_of(compared([(40, 70)], 100, "demo-2"))[0].text.startswith("Add two seeds")


def test_seeds_that_show_nothing_say_how_many_would() -> None:
    (one,) = points_of(compared([(300, 360), (303, 309), (297, 318)], 600))[:1]
    assert one.text == (
        "Plan 10 new seeds before another launch: 10 show a difference of 4.8 points with this spread (80 % power)."
    )
    assert one.under[0] == "Seeds 3 to 12, launched anew, so that none of them was seen."
    assert "10 seeds; go on where it is supported" in one.under[1]
    (one,) = points_of(compared([(300, 303), (303, 300), (297, 300)], 600, "demo-2"))[:1]
    assert one.text.startswith(
        "Do not add seeds alone: a difference of 0.2 points with this spread would take more than 50"
    )


def test_what_is_supported_is_repeated_on_new_problems() -> None:
    (one,) = points_of(compared([(300, 360), (303, 366), (297, 354)], 600))
    assert one.text == (
        "Repeat it with problems that were not asked, then go on: the planned question has its answer, supported."
    )
    assert one.under[0].startswith("It holds for these problems.")
    (one,) = points_of(compared([(300, 360), (300, 361)], 600, "demo-2"))
    assert one.text.startswith("Launch it again with 3 new seeds, all of them planned beforehand")


def test_what_is_not_finished_is_waited_for() -> None:
    experiment = factories.make_experiment(stages=(("words", "sft"),), seeds=(0, 1, 2))
    for run in experiment.runs.exclude(condition__name="mul_tokens", seed__gt=0):
        factories.add_evaluation(factories.make_attempt(run, state=State.SUCCEEDED), [True] * 20)
    (one,) = points_of(experiment)
    assert one.text == (
        "Wait for what is still to come, without which there is no verdict: words mul_tokens seed 1 (queued), "
        "words mul_tokens seed 2 (queued)."
    )
    failed = factories.run_of(experiment, "mul_tokens", "words", 1)
    factories.make_attempt(failed, state=State.FAILED)
    assert points_of(experiment)[0].text == (
        "Retry what failed, or give it up; the verdict waits for words mul_tokens seed 1 (failed)."
    )
    for seed in (1, 2):
        services.cancel(run=factories.run_of(experiment, "mul_tokens", "words", seed), by="ada")
    (one,) = points_of(experiment)
    assert one.text == "Launch it again: too few of the planned seeds can be compared for a verdict."
    assert one.under[0].startswith("Seeds 3, 4, 5, launched anew")


def test_checkpoints_that_there_were_have_no_other_seed() -> None:
    experiment = factories.make_experiment(stages=(("existing", "evaluate"),))
    for run in experiment.runs.select_related("condition"):
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        factories.add_evaluation(attempt, [i < 30 + 30 * run.condition.position for i in range(100)])
    (one,) = points_of(experiment)
    assert one.text.startswith(
        "Train the conditions with 3 seeds or more: this evaluates checkpoints that there were"
    )


def two_gains(name: str, *gained: tuple[int, int, int]) -> Experiment:
    """How many of 100 problems more GRPO solves: of the baseline and of mul_tokens, in three seeds."""
    recipe = {"primary": {"benchmark": factories.BENCHMARK, "contrast": "gain"}}
    experiment = factories.make_experiment(
        name, stages=(("words", "sft"), ("grpo", "grpo")), seeds=(0, 1, 2), recipe=recipe
    )
    for run in experiment.runs.select_related("condition", "stage"):
        right = 40 + run.seed + run.stage.position * gained[run.condition.position][run.seed]
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        factories.add_evaluation(attempt, [i < right for i in range(100)])
    return experiment


def test_several_contrasts_are_told_apart_and_decided_by_one_rule() -> None:
    first, second, rule = points_of(two_gains("demo-1", (0, 0, 0), (20, 21, 22)))
    assert rule.text.startswith("Decision rule: ")
    assert first.text.startswith(
        "baseline after grpo: Do not add seeds alone: their mean difference is 0. Look for"
    )
    assert second.text.startswith("mul_tokens after grpo: Repeat it with problems that were not asked")
    first, second, once, *_ = points_of(two_gains("demo-2", (2, 9, 4), (1, 14, 6)))
    few, many = (int(re.search(r"Plan (\d+) new seeds", one.text)[1]) for one in (first, second))  # type: ignore[index]
    assert few < many and not first.under + second.under
    assert once.text == f"Launch it anew once, with {many} seeds: the most that any of these asks for."
    assert once.under[0].startswith(f"Seeds 3 to {many + 2}, launched anew")
    assert f"{many} seeds; go on where" in once.under[1]


def test_conditions_that_cannot_be_compared_are_launched_again() -> None:
    experiment = compared([(40, 60)], 100)
    evaluation = factories.run_of(experiment, "mul_tokens", "words").attempts.get().evaluations.get()
    evaluation.settings |= {"decoding": "sampled"}
    evaluation.save()
    (one,) = points_of(experiment)
    assert one.text.startswith(
        "Launch it again with conditions that can be compared; here they cannot, because the decoding "
    )


def test_a_subset_of_problems_decides_no_next_step() -> None:
    experiment = histories.make_history("demo-1", done=6)
    assert points_of(experiment, problems="first:50")[0].text == (
        "No next step follows from these results: they are of the first 50 problems, which nobody planned, and exploratory."
    )


def test_a_stage_without_findings_is_told_too() -> None:
    text = report(grpo(HACKED).experiment)
    assert "- instruct: no rule found anything.\n- grpo (" in text
