"""pass@k from stored samples: the table, the curves, what a stage did to them, their exports and the page."""

import csv
import io
import json
import re
from math import comb

import pytest
from django.test import Client

from tests.drawable import check_drawable
from tests.factories import (
    BENCHMARK,
    add_evaluation,
    add_samples,
    make_attempt,
    make_experiment,
    make_user,
    run_of,
)
from training.recipes.metric_names import AMOUNTS as AMOUNT_NAMES, metric_names, sizes
from webapp.comparison.cells import MeansComparison, Refusal
from webapp.comparison.metrics import AMOUNTS, metrics
from webapp.comparison.pass_curves import changes, curves
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables import stage_tables
from webapp.experiments.models import Experiment
from webapp.files import text_formats
from webapp.files.number_text import plain
from webapp.results.models import Outcome
from webapp.runs import services
from webapp.runs.models import StageRun, State

pytestmark = pytest.mark.django_db
STAGES = (("mixed", "sft"), ("grpo", "grpo"))
PROBLEMS, SAMPLES = 60, 6


def right(share: float, reach: float) -> list[list[bool]]:
    """Samples of 60 problems: of the first `reach` of them, `share` of the samples are right."""
    return [[i < PROBLEMS * reach and j < SAMPLES * share for j in range(SAMPLES)] for i in range(PROBLEMS)]


def sampled_experiment(name: str = "rl-1", seeds: tuple[int, ...] = (0,)) -> Experiment:
    """GRPO sharpens the baseline, and teaches the other condition something."""
    made = make_experiment(name, stages=STAGES, seeds=seeds)
    drawn = {
        ("baseline", "mixed"): right(1 / 3, 0.5),
        ("baseline", "grpo"): right(1.0, 0.5),
        ("mul_tokens", "mixed"): right(1 / 3, 0.5),
        ("mul_tokens", "grpo"): right(1 / 2, 0.9),
    }
    for run in made.runs.order_by("id"):
        run.spec["benchmarks"] = [{"benchmark": BENCHMARK, "problems": PROBLEMS, "samples": SAMPLES}]
        run.save(update_fields=["spec"])
        evaluation = add_evaluation(
            make_attempt(run, state=State.SUCCEEDED), [i < 20 for i in range(PROBLEMS)]
        )
        add_samples(evaluation, drawn[run.condition.name, run.stage.name])
    return made


@pytest.fixture
def experiment() -> Experiment:
    return sampled_experiment()


def table(experiment: Experiment, metric: str = "pass_at_4") -> StageTable:
    return stage_table(experiment, metric=metric)


def by_hand(share: float, reach: float, k: int) -> float:
    wrong = SAMPLES - round(SAMPLES * share)
    return reach * (1 - comb(wrong, k) / comb(SAMPLES, k))


def test_k_doubles_up_to_all_samples() -> None:
    assert [sizes(n) for n in (0, 1, 6, 8)] == [(), (1,), (1, 2, 4, 6), (1, 2, 4, 8)]


def test_the_table_compares_pass_at_k_problem_by_problem(experiment: Experiment) -> None:
    made = table(experiment)
    assert [metric.title for metric in made.metrics][-4:] == ["pass@1", "pass@2", "pass@4", "pass@6"]
    first, second = made.rows[1].seeds[0].cells
    assert first.rate == pytest.approx(by_hand(1.0, 0.5, 4))
    assert second.rate == pytest.approx(by_hand(0.5, 0.9, 4))
    assert second.interval and second.interval.low < second.rate < second.interval.high
    assert second.count is None
    assert second.accuracy == pytest.approx(20 / 60)  # of the greedy completions
    (comparison,) = made.rows[1].seeds[0].comparisons
    assert isinstance(comparison, MeansComparison)
    assert comparison.delta == pytest.approx(second.rate - first.rate)
    assert comparison.interval.low < comparison.delta < comparison.interval.high
    assert comparison.verdict.word == "differ"
    (equal,) = made.rows[0].seeds[0].comparisons
    assert isinstance(equal, MeansComparison)
    assert (equal.delta, equal.verdict.word) == (0, "not distinguishable")
    (sentence,) = verdict_sentences(made)
    assert sentence.headline == "After grpo, the mul_tokens checkpoint is above baseline’s."
    assert "McNemar" not in sentence.numbers
    assert "mul_tokens 90.0 % (60 × 6 samples)" in plain(sentence.numbers)


def test_unfinished_samples_have_no_number(experiment: Experiment) -> None:
    last = run_of(experiment, "mul_tokens", "grpo")
    Outcome.objects.filter(evaluation__attempt__stage_run=last, sample=3, problem="p0007").delete()
    made = table(experiment)
    assert [cell.complete for cell in made.cells()] == [True, True, True, False]
    assert table(experiment, "accuracy").complete
    assert len(curves(made)) == 3
    assert [one.after.condition for one in changes(made)] == ["baseline"]


def test_another_temperature_is_refused_for_pass_at_k_alone(experiment: Experiment) -> None:
    evaluation = run_of(experiment, "mul_tokens", "grpo").attempts.get().evaluations.get()
    evaluation.settings["temperature"] = 1.2
    evaluation.save()
    (refusal,) = table(experiment).rows[1].seeds[0].comparisons
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "the temperature differs (0.8 against 1.2)"
    assert not isinstance(table(experiment, "accuracy").rows[1].seeds[0].comparisons[0], Refusal)
    assert [one.after.condition for one in changes(table(experiment))] == ["baseline"]


def test_sharpening_is_told_from_teaching(experiment: Experiment) -> None:
    sharpened, taught = changes(table(experiment, "accuracy"))
    assert (sharpened.after.condition, sharpened.word) == ("baseline", "sharpened")
    assert sharpened.at_one.mean == pytest.approx(by_hand(1.0, 0.5, 1) - by_hand(1 / 3, 0.5, 1))
    assert sharpened.at_all.mean == 0
    assert (taught.after.condition, taught.word, taught.samples) == ("mul_tokens", "reaches more", 6)
    assert taught.at_all.mean == pytest.approx(0.4)


def test_what_a_stage_did_has_no_word_before_the_planned_seeds_are_in() -> None:
    made = sampled_experiment(seeds=(0, 1))
    missing = run_of(made, "baseline", "grpo", 1)
    missing.attempts.all().delete()
    StageRun.objects.filter(pk=missing.pk).update(state=State.READY)
    found = changes(table(made))
    assert [(one.after.condition, one.after.seed, one.word) for one in found] == [
        ("baseline", 0, "interim"),
        ("mul_tokens", 0, "reaches more"),
        ("mul_tokens", 1, "reaches more"),
    ]
    services.cancel(run=missing, by="ada")
    assert changes(table(made))[0].word == "sharpened"


def test_as_many_queries_as_any_metric_takes(experiment: Experiment, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(6):
        made = table(experiment)
    with django_assert_num_queries(1):
        assert len(curves(made)) == 4


def test_two_seeds_are_compared_as_seeds_at_pass_at_k_too() -> None:
    made = table(sampled_experiment(seeds=(0, 1)))
    (together,) = made.rows[1].over_seeds
    assert together is not None
    assert together.result.interval is None  # the two seeds are equal here
    own = made.rows[1].seeds[0].comparisons[0]
    assert isinstance(own, MeansComparison)
    assert together.within == own.interval


def test_the_exports_hold_the_curves(experiment: Experiment) -> None:
    made = table(experiment)
    rows = list(csv.DictReader(io.StringIO(text_formats.csv(stage_tables.stages(made)))))
    assert float(rows[3]["rate"]) == pytest.approx(by_hand(0.5, 0.9, 4))
    assert (rows[3]["metric"], rows[3]["count"], rows[3]["correct"]) == ("pass_at_4", "", "20")
    assert (rows[3]["samples"], rows[3]["temperature"], rows[3]["mcnemar_p"]) == ("6", "0.8", "")
    assert float(rows[3]["means_p"]) < 0.01
    document = json.loads(text_formats.json(stage_tables.stages(made)))
    assert len(document["pass_at_k"]) == 4 * 4
    point = document["pass_at_k"][-1]
    assert (point["condition"], point["stage"], point["k"]) == ("mul_tokens", "grpo", 6)
    assert point["pass_at_k"] == pytest.approx(0.9)
    assert point["low"] < 0.9 < point["high"]
    text = text_formats.markdown(stage_tables.stages(made))
    assert "Chen et al. 2021" in text
    assert re.search(r"\| grpo \| mul_tokens \| 45\.0 % \| .* \| 90\.0 % \|", text)
    assert re.search(r"mixed → grpo \| baseline \| \+33\.3 .* sharpened \|", text)


def test_the_page_has_the_curves_and_what_reinforcement_did(experiment: Experiment) -> None:
    client = Client()
    client.force_login(make_user())
    page = client.get("/experiments/rl-1/comparison/?metric=pass_at_4").content.decode()
    assert '<option value="pass_at_4" selected>pass@4</option>' in page
    assert "reaches more" in page
    source = re.search(r'data-source="([^"]+)"', page)
    assert source
    found = client.get(source[1].replace("&amp;", "&")).json()["charts"]
    assert [chart["title"] for chart in found] == ["pass@4", "Δ pass@4", "baseline", "mul_tokens"]
    for chart in found:
        check_drawable(chart["figure"])
    lines = found[3]["figure"]["data"]
    assert [line["name"] for line in lines] == ["mixed", "grpo"]
    assert lines[1]["x"] == [1, 2, 4, 6]
    assert lines[1]["y"][-1] == pytest.approx(0.9)
    rows = list(
        csv.DictReader(io.StringIO(client.get("/experiments/rl-1/tables/pass_at_k.csv").content.decode()))
    )
    assert [row["k"] for row in rows[:4]] == ["1", "2", "4", "6"]
    assert client.get("/experiments/rl-1/tables/pass_at_k.doc").status_code == 404
    assert client.get("/experiments/rl-1/comparison/?metric=pass_at_5").status_code == 400


def test_without_samples_there_is_no_pass_at_k() -> None:
    made = make_experiment("plain-1", stages=STAGES)
    assert stage_table(made).samples == 0
    with pytest.raises(ValueError, match="there is no metric 'pass_at_4'"):
        table(made)
    client = Client()
    client.force_login(make_user())
    assert "pass@" not in client.get("/experiments/plain-1/comparison/").content.decode()


def test_a_recipe_can_name_every_metric_and_no_other():
    assert sorted(metrics(SAMPLES)) == sorted(metric_names(SAMPLES))
    assert set(AMOUNTS) == set(AMOUNT_NAMES)
