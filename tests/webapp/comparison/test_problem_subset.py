"""A finished comparison restricted to a subset of problems: counted anew, exploratory, and said on page, files and report."""

from collections.abc import Sequence

import pytest
from django.test import Client

from tests import factories
from training.benchmarks import BENCHMARKS
from webapp.comparison.cells import Comparison, MeansComparison, Refusal, SeedsComparison, UnpairedComparison
from webapp.comparison.checkpoints import across
from webapp.comparison.stage_changes import last_gains
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables import stage_tables
from webapp.experiments.models import Experiment
from webapp.reports.report import report
from webapp.results import published
from webapp.results.imports import import_history
from webapp.results.models import Outcome
from webapp.runs.models import StageRun, State
from webapp.statistics.proportions import fisher, mcnemar, tango

pytestmark = pytest.mark.django_db

ASKED = 60
IDS = [one.id for one in BENCHMARKS[factories.BENCHMARK].asked(ASKED, data_dir=None)]  # type: ignore[arg-type]


def recorded(seeds: Sequence[int] = (0,)) -> Experiment:
    """Of 60 problems the baseline solves those of even places, mul_tokens all of the first 20 and none of the others."""
    experiment = factories.make_experiment(stages=(("words", "sft"), ("more", "sft")), seeds=seeds)
    for run in StageRun.objects.filter(experiment=experiment).select_related("condition", "stage"):
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        treated, start = run.condition.position == 1, run.stage.name == "words"
        right = [
            (i < 20 - run.seed if treated else i % 2 == 0) and not (start and i == 0) for i in range(ASKED)
        ]
        factories.add_evaluation(
            attempt,
            right,
            mul_tokens=run.condition.position,
            named=IDS.__getitem__,
            labels=lambda i: ["known_pair" if i < 30 else "new_pair"],
        )
    return experiment


def last(table: StageTable) -> Comparison:
    one = table.rows[-1].seeds[0].comparisons[0]
    assert isinstance(one, Comparison)
    return one


def test_the_first_problems_are_counted_and_tested_alone() -> None:
    experiment = recorded()
    table = stage_table(experiment, problems="first:20")
    cells = table.rows[-1].seeds[0].cells
    assert [(cell.count, cell.result.problems) for cell in cells] == [(10, 20), (20, 20)]
    one = last(table)
    assert (one.counts.gained, one.counts.lost, one.counts.problems) == (10, 0, 20)
    assert one.p == mcnemar(10, 0) and one.interval == tango(10, 0, 20)
    assert one.new_problems is not None, "over clusters of these problems"
    assert (
        one.family.role == "exploratory" and table.asked == "one_step_multiplication, the first 20 problems"
    )
    whole = last(stage_table(experiment))
    assert (whole.counts.gained, whole.counts.lost) == (10, 20) and whole.family.role == "primary"
    (gain, _) = last_gains(table)
    assert gain.counts is not None and (gain.counts.gained, gain.counts.problems) == (1, 20)
    outcomes = Outcome.objects.filter(evaluation=cells[0].result.evaluation, problem__in=IDS[:20])
    assert cells[0].result.tokens == sum(one.tokens for one in outcomes)


def test_a_group_of_problems() -> None:
    table = stage_table(recorded(), problems="label:new_pair")
    assert last(table).counts.problems == 30
    assert [cell.count for cell in table.rows[-1].seeds[0].cells] == [15, 0]
    assert table.asked.endswith("the problems of the group new_pair")


def test_amounts_samples_and_seeds_are_restricted_too() -> None:
    experiment = recorded(seeds=(0, 1, 2))
    amounts = stage_table(experiment, metric="mul_tokens_per_response", problems="first:20")
    (one,) = amounts.rows[-1].seeds[0].comparisons
    assert isinstance(one, MeansComparison) and one.problems == 20
    (together,) = stage_table(experiment, problems="first:20").rows[-1].over_seeds
    assert isinstance(together, SeedsComparison)
    assert together.differences == (0.5, 0.45, 0.4) and together.family.role == "exploratory"
    for run in StageRun.objects.filter(experiment=experiment):
        run.spec["benchmarks"][0]["samples"] = 2
        run.save()
        factories.add_samples(run.attempts.get().evaluations.get(), [[i < 10, True] for i in range(ASKED)])
    passed = stage_table(experiment, metric="pass_at_1", problems="first:20")
    (one,) = passed.rows[-1].seeds[0].comparisons
    assert isinstance(one, MeansComparison) and one.problems == 20
    assert passed.rows[-1].seeds[0].cells[0].rate == 0.75


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("last:5", "there is no subset 'last:5'; write first:500, or label:NAME for a group of problems"),
        ("first:0", "there is no subset 'first:0'"),
        (f"first:{'9' * 5000}", "there is no subset 'first:999"),
        (
            "first:61",
            "a finished evaluation on one_step_multiplication has only 60 of the 61 problems of first:61",
        ),
        ("label:new_pairs", "has no group 'new_pairs'; did you mean 'new_pair'?"),
    ],
)
def test_what_there_is_not_is_refused_with_what_to_do(written: str, says: str, client: Client) -> None:
    experiment = recorded()
    with pytest.raises(ValueError, match="problems: ") as raised:
        stage_table(experiment, problems=written)
    assert says in str(raised.value)
    client.force_login(experiment.owner)
    for page in ("comparison", "report"):
        answer = client.get(f"/experiments/{experiment.name}/{page}/", {"problems": written})
        assert answer.status_code == 400 and says in answer.content.decode()


def test_page_files_and_report_say_it(client: Client) -> None:
    experiment = recorded()
    client.force_login(experiment.owner)
    address = f"/experiments/{experiment.name}"
    page = client.get(f"{address}/comparison/", {"problems": "first:20"}).content.decode()
    assert (
        "one_step_multiplication, the first 20 problems" in page
        and 'name="problems" value="first:20"' in page
    )
    assert "Restricted to the first 20 problems of one_step_multiplication, which nobody planned" in page
    assert "on all problems, and these are the first 20 problems, which nobody planned" in page
    assert "problems=first%3A20" in page, "downloads and the report are of the same"
    table = stage_tables.stages(stage_table(experiment, problems="first:20"))
    assert table.name == "demo-1-one_step_multiplication-first-20"
    assert table.about.startswith("on one_step_multiplication, the first 20 problems, ")
    assert table.provenance["Problems"] == "the first 20 problems (first:20), not planned: exploratory"
    assert {row["problem_subset"] for sheet in table.sheets for row in sheet.records()} == {"first:20"}
    text = report(experiment, problems="first:20").replace("\\_", "_")
    assert "**Problems:** one_step_multiplication, the first 20 problems, not planned: exploratory" in text
    assert "### Accuracy on one_step_multiplication, the first 20 problems; Δ is against baseline" in text
    assert "| more | 50.0 % (10/20) | 100.0 % (20/20) |" in text


def test_no_go_is_decided_on_a_subset() -> None:
    experiment = recorded()
    experiment.recipe |= {"go_threshold": 0.05, "conditions": [{"name": "baseline"}, {"name": "mul_tokens"}]}
    experiment.save()
    assert stage_tables.stages(stage_table(experiment)).statements["decisions"]
    assert not stage_tables.stages(stage_table(experiment, problems="first:20")).statements["decisions"]


def test_a_run_of_more_problems_stands_beside_published_counts_and_pairs_with_a_run_of_fewer() -> None:
    experiment = factories.make_experiment(stages=(("grpo", "grpo"),), primary_metric="gsm8k")
    for run, asked in zip(experiment.runs.all(), (1319, 500), strict=True):
        settings = factories.EVALUATION_SETTINGS | {
            "problems_sha256": str(asked),
            "grader": "final_number/2",
            "max_new_tokens": 256,
        }
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        right = [i % 20 == 0 for i in range(asked)]
        factories.add_evaluation(
            attempt, right, benchmark="gsm8k", settings=settings, named="test-{:04d}".format
        )
    report_of = import_history(publication=published.read("phase_1_to_6"), owner=experiment.owner).experiment
    baseline, treated = experiment.runs.all()
    theirs = report_of.runs.get(stage__name="grpo_20x_shaped", condition__name="mul_tokens")
    chosen = [
        (experiment.name, str(baseline.pk)),
        (report_of.name, str(theirs.pk)),
        (experiment.name, str(treated.pk)),
    ]
    whole = across(chosen, "gsm8k")
    assert isinstance(whole.comparisons[2], Refusal), "1,319 problems against 500"
    found = across(chosen, "gsm8k", "first:500")
    assert [(pick.cell.count, pick.cell.result.problems) for pick in found.picks] == [
        (25, 500),
        (20, 500),
        (25, 500),
    ]
    _, unpaired, paired = found.comparisons
    assert isinstance(unpaired, UnpairedComparison) and unpaired.p == fisher(25, 500, 20, 500)
    assert isinstance(paired, Comparison) and (paired.counts.both, paired.counts.problems) == (25, 500)
    assert "not planned, on the first 500 problems (published counts are of the problems" in found.corrections
    with pytest.raises(ValueError, match="published counts are of the problems that they are of"):
        stage_table(report_of, problems="first:500")
