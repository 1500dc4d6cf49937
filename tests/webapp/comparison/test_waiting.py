"""Single seeds while planned ones are still to come: no p, whatever is compared and wherever it is looked at."""

import pytest

from tests.factories import BENCHMARK, add_evaluation, make_attempt, make_experiment, run_of
from training.benchmarks import BENCHMARKS
from webapp.comparison.cells import Comparison
from webapp.comparison.checkpoints import across
from webapp.comparison.problems.flips import flips
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation
from webapp.runs import services
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
STAGE = (("drills", "sft"),)
IDS = [one.id for one in BENCHMARKS[BENCHMARK].asked(60, data_dir=None)]
OTHER_BENCHMARK = {"benchmark": "arithmetic_probes"}


def part_of_the_way() -> Experiment:
    """Two of three planned seeds are in, after both stages and on two benchmarks."""
    recipe = {"primary": {"benchmark": BENCHMARK}, "test": "midp"}
    made = make_experiment(stages=(("mixed", "sft"), *STAGE), seeds=range(3), recipe=recipe)
    for run in made.runs.select_related("condition"):
        run.spec["benchmarks"].append(OTHER_BENCHMARK)
        run.save()
        if run.seed < 2:
            attempt = make_attempt(run, state=State.SUCCEEDED)
            for benchmark in (BENCHMARK, "arithmetic_probes"):
                right = [i < 20 + 20 * run.condition.position for i in range(60)]
                add_evaluation(attempt, right, benchmark=benchmark, named=IDS.__getitem__)
    return made


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"baseline": "mul_tokens"},
        {"problems": "first:50"},
        {"metric": "repetition_rate"},
        OTHER_BENCHMARK,
    ],
)
def test_no_single_seed_has_a_p_before_the_planned_ones_are_in(choice):
    made = part_of_the_way()

    def single_seeds():
        rows = [seed for row in stage_table(made, **choice).rows for seed in row.seeds]
        return [one for seed in rows for one in seed.comparisons if isinstance(one, Comparison)]

    assert [(one.verdict.word, one.p, one.adjusted_p, one.new_problems) for one in single_seeds()] == [
        ("interim", None, None, None)
    ] * 4
    services.cancel(run=run_of(made, "mul_tokens", "mixed", 2), by="ada")
    decided = single_seeds()
    assert len(decided) == 4 and all(one.p is not None and one.verdict.word != "interim" for one in decided)


@pytest.mark.parametrize("first", [("baseline", "drills"), ("mul_tokens", "mixed"), ("baseline", "mixed")])
def test_nor_have_flips_and_chosen_checkpoints(first, django_assert_max_num_queries):
    made, second = part_of_the_way(), ("mul_tokens", "drills")
    alone = make_experiment("demo-2", stages=STAGE)
    for run in alone.runs.all():
        add_evaluation(
            make_attempt(run, state=State.SUCCEEDED), [i < 50 for i in range(60)], named=IDS.__getitem__
        )
    published = make_experiment("demo-3", stages=STAGE, imported=True, seeds=(0, 1))
    one = add_evaluation(
        make_attempt(run_of(published, "baseline", "drills"), state=State.SUCCEEDED), [], problems=60
    )
    Evaluation.objects.filter(pk=one.pk).update(published={"correct": 50})
    of_others = [("demo-2", ""), ("demo-2", ""), ("demo-3", "")]
    picks = [("demo-1", str(run_of(made, *place).pk)) for place in (first, second)]

    def chosen():
        there, back = across([*picks, *of_others]), across([*of_others, *picks])
        return [*there.comparisons[1:], *back.comparisons[3:]], there.corrections

    compared, corrections = chosen()
    assert [(one.verdict.word, one.p) for one in compared] == [("interim", None)] * 6
    assert "before they are in a comparison of single seeds has no p" in corrections
    assert all(one.p is not None for one in across(of_others).comparisons[1:]), (
        "one seed, and published counts"
    )
    with django_assert_max_num_queries(7):
        there = flips(made, first=first, second=second)
    assert there.p is flips(made, first=second, second=first).p is None
    services.cancel(run=run_of(made, "baseline", "mixed", 2), by="ada")
    services.cancel(run=run_of(made, "mul_tokens", "mixed", 2), by="ada")
    compared, corrections = chosen()
    assert all(one.p is not None and one.verdict.word != "interim" for one in compared)
    assert "planned seeds" not in corrections
    assert flips(made, first=first, second=second).p is not None
