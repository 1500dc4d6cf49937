"""What a table says of problems that were not asked: over operand pairs, over seeds and problems; on page, in report and files."""

import re
import string
from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client

from tests.factories import BENCHMARK, add_evaluation, make_attempt, make_experiment, make_user, run_of
from webapp.comparison.cells import Comparison, MeansComparison, SeedsComparison
from webapp.comparison.checkpoints import across
from webapp.comparison.decisions import decisions
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.wording import difference_interval
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables import checkpoint_tables, stage_tables
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain
from webapp.reports.report import report
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import StageRun, State
from webapp.statistics.new_problems import for_new_problems

pytestmark = pytest.mark.django_db
STAGES = (("mixed", "sft"), ("grpo", "grpo"))
PROBLEMS = 150
PAIRS = [place // 5 for place in range(PROBLEMS)]  # 30 of 5


def pair(place: int) -> str:
    return f"{place:04d}-{PAIRS[place] % 10 + 2}x{PAIRS[place] // 10 + 12}-pens-plain0"


def marks(seed: int, gain: float, scatter: float) -> dict[tuple[str, str], np.ndarray]:
    """Right and wrong: after the last stage the second condition mends, by chances of each operand pair's own."""
    draw, own = np.random.default_rng(seed), np.random.default_rng(99)
    chance = np.clip(gain + scatter * own.standard_normal(30), 0, 1)[PAIRS]
    before = np.random.default_rng(7).random(PROBLEMS) < 0.3
    after = before | (draw.random(PROBLEMS) < chance)
    return {
        ("baseline", "mixed"): before,
        ("mul_tokens", "mixed"): before,
        ("baseline", "grpo"): before ^ (draw.random(PROBLEMS) < 0.05),
        ("mul_tokens", "grpo"): after,
    }


def experiment_of(
    *every: dict[tuple[str, str], np.ndarray],
    name: str = "demo-1",
    named: Callable[[int], str] = pair,
    **question: object,
) -> Experiment:
    recipe = {"primary": {"benchmark": BENCHMARK} | question, "test": "midp"}
    made = make_experiment(name, stages=STAGES, seeds=range(len(every)), recipe=recipe)
    for seed, one in enumerate(every):
        for (condition, stage), right in one.items():
            attempt = make_attempt(run_of(made, condition, stage, seed), state=State.SUCCEEDED)
            add_evaluation(attempt, right.tolist(), named=named)
    return made


def together(table: StageTable) -> SeedsComparison:
    (found,) = table.rows[-1].over_seeds
    assert found is not None
    return found


def difference(one: dict[tuple[str, str], np.ndarray]) -> np.ndarray:
    return one["mul_tokens", "grpo"].astype(float) - one["baseline", "grpo"]


def test_one_seed_is_compared_over_operand_pairs_beside_mcnemar():
    one = marks(0, 0.02, 0.2)
    table = stage_table(experiment_of(one))
    found = table.rows[-1].seeds[0].comparisons[0]
    assert isinstance(found, Comparison)
    assert found.new_problems == for_new_problems(difference(one), clusters=PAIRS, largest=1.0)
    assert found.new_problems is not None and found.new_problems.clusters == 30
    assert found.p < 0.05 <= found.new_problems.p and found.not_for_new_problems
    (sentence,) = [one for one in verdict_sentences(table) if one.role == "primary"]
    assert (
        "takes the 150 problems as drawn one by one; they share 30 operand pairs, and with these"
        in sentence.limits
    )
    assert sentence.reach == "For new operand pairs it is not shown."
    assert sentence.limits.endswith(sentence.reach)
    row = stage_tables.rows(table)[-1]
    assert (row["clusters"], row["cluster_variable"]) == (30, "operand pairs")
    assert (
        row["new_problems_low"] == found.new_problems.interval.low
        and row["new_problems_p"] > row["mcnemar_p"]
    )
    assert "CR2" in stage_tables.provenance(table)["Test"]


def test_from_five_seeds_on_seeds_and_pairs_are_crossed():
    every = [marks(seed, 0.2, 0.3) for seed in range(5)]
    made = experiment_of(*every)
    table = stage_table(made)
    found = together(table)
    expected = for_new_problems(np.array([difference(one) for one in every]), clusters=PAIRS, largest=1.0)
    assert found.new_problems == expected and expected is not None
    assert found.interval is not None
    assert expected.interval.low < found.interval.low and found.interval.high < expected.interval.high
    sentence = verdict_sentences(table)[0]
    assert (
        "speaks for these 150 problems, which all seeds share; with 30 operand pairs drawn anew"
        in sentence.limits
    )
    assert sentence.reach == "It holds for new operand pairs, too."
    written = report(made)
    assert "It holds for new operand pairs, too." in written.split("What is supported")[1]
    assert "for new problems +" in plain(written)
    client = Client()
    client.force_login(make_user())
    page = client.get("/experiments/demo-1/comparison/").content.decode()
    assert re.search(r'data-label="new problems">\s*\+', page)
    assert "with 30 operand pairs drawn anew as well as seeds" in page
    assert f"for new operand pairs</span> <b>{difference_interval(expected.interval, table.metric)}" in page
    made.recipe |= {"go_threshold": 0.02, "conditions": [{"name": "baseline"}]}
    (decision,) = decisions(stage_table(made))
    assert (
        "Its interval speaks for these 150 problems, which all seeds share; for new problems the"
        in decision.limits
    )
    means = [row for row in stage_tables.rows(table) if row["over_seeds"] and row["baseline"]]
    assert means[-1]["new_problems_high"] == expected.interval.high


def test_without_clusters_problems_are_drawn_one_by_one_and_four_seeds_are_too_few():
    every = [marks(seed, 0.2, 0.3) for seed in range(5)]
    found = together(stage_table(experiment_of(*every, named="p{:04d}".format)))
    assert found.new_problems == for_new_problems(np.array([difference(one) for one in every]), largest=1.0)
    four = stage_table(experiment_of(*every[:4], name="demo-2", named="p{:04d}".format))
    assert together(four).new_problems is None
    sentence = verdict_sentences(four)[0]
    assert "which all seeds share; from 5 seeds on an interval for new problems" in sentence.limits
    assert sentence.reach == "It holds for these problems."


def test_gains_and_interactions_speak_for_new_problems_too():
    every = [marks(seed, 0.2, 0.3) for seed in range(5)]
    (gain,) = stage_table(experiment_of(*every, contrast="gain", condition="mul_tokens")).contrasts
    gains = [one["mul_tokens", "grpo"].astype(float) - one["mul_tokens", "mixed"] for one in every]
    assert gain.over_seeds is not None
    assert gain.over_seeds.new_problems == for_new_problems(np.array(gains), clusters=PAIRS, largest=1.0)
    (first, *_) = gain.seeds
    assert isinstance(first, Comparison) and first.new_problems is not None
    table = stage_table(experiment_of(*every, name="demo-2", contrast="interaction"))
    (more,) = table.contrasts
    both = [
        gain - one["baseline", "grpo"] + one["baseline", "mixed"]
        for gain, one in zip(gains, every, strict=True)
    ]
    assert more.over_seeds is not None
    assert more.over_seeds.new_problems == for_new_problems(np.array(both), clusters=PAIRS, largest=2.0)
    assert isinstance(more.seeds[0], MeansComparison) and more.seeds[0].new_problems is not None
    assert "with 30 operand pairs drawn anew as well as seeds" in verdict_sentences(table)[0].limits


def test_before_the_planned_seeds_are_in_nothing_is_said_of_new_problems():
    every = [marks(seed, 0.2, 0.3) for seed in range(6)]
    made = experiment_of(*every)
    run_of(made, "baseline", "grpo", 5).attempts.all().delete()
    table = stage_table(made)
    assert together(table).interim and together(table).new_problems is None


def test_stories_are_read_from_the_prompts_of_one_evaluation(django_assert_num_queries):
    one = marks(0, 0.2, 0.3)
    made = experiment_of(one, named="chal-{:03d}-addition".format)
    for outcome in (outcomes := list(Outcome.objects.order_by("problem"))):
        story = string.ascii_letters[PAIRS[int(outcome.problem[5:8])]]
        outcome.prompt = f"User: Box {story} holds {outcome.pk} pens. How many pens?\nAssistant:"
    Outcome.objects.bulk_update(outcomes, ["prompt"])
    for run in StageRun.objects.all():
        run.spec["benchmarks"][0]["benchmark"] = "svamp"
        run.save()
    Evaluation.objects.update(benchmark="svamp")
    made.recipe["primary"]["benchmark"] = made.primary_metric = "svamp"
    made.save()
    with django_assert_num_queries(8):
        table = stage_table(made)
    found = table.rows[-1].seeds[0].comparisons[0]
    assert isinstance(found, Comparison) and found.new_problems is not None
    assert found.new_problems == for_new_problems(difference(one), clusters=PAIRS, largest=1.0)
    assert "they share 30 stories" in verdict_sentences(table)[0].limits


def test_checkpoints_of_any_experiments_have_it_too():
    made = experiment_of(marks(0, 0.2, 0.3))
    picked = [(made.name, str(run_of(made, name, "grpo").pk)) for name in ("baseline", "mul_tokens")]
    found = across(picked)
    assert isinstance(found.comparisons[1], Comparison) and found.comparisons[1].new_problems is not None
    assert checkpoint_tables.checkpoints(found).sheet.records()[1]["clusters"] == 30
