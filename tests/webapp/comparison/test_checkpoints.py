"""Checkpoints of different experiments: paired where that is right, refused where it is not, settings that differ."""

import html
import re

import pytest
from django.test import Client

from tests.factories import (
    EVALUATION_SETTINGS,
    add_evaluation,
    make_attempt,
    make_experiment,
    make_user,
    run_of,
)
from webapp.comparison.cells import Comparison, Refusal, UnpairedComparison
from webapp.comparison.checkpoints import across
from webapp.comparison.suggested_checkpoints import suggested
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import StageRun, State
from webapp.statistics.proportions import mcnemar, mcnemar_midp, tango

pytestmark = pytest.mark.django_db
STAGES = (("mixed", "sft"), ("grpo", "grpo"))


@pytest.fixture
def signed_in():
    client = Client()
    client.force_login(make_user())
    return client


def evaluated(name, right, *, settings=None, stages=STAGES, **spec):
    """An experiment whose checkpoints all have `right` of 60 problems right: those of the smallest numbers."""
    made = make_experiment(name, stages=stages)
    for run in made.runs.all():
        run.spec |= spec
        run.save()
        attempt = make_attempt(run, state=State.SUCCEEDED)
        add_evaluation(attempt, [i < right - run.condition.position for i in range(60)], settings=settings)
    return made


def test_each_is_paired_with_the_first_and_bonferroni_corrects_p_and_interval():
    for name, right in (("a-1", 20), ("b-1", 40), ("c-1", 22)):
        evaluated(name, right)
    found = across([("a-1", ""), ("b-1", ""), ("c-1", "")])
    first, second, third = found.comparisons
    assert first is None
    assert isinstance(second, Comparison)
    assert (second.counts.gained, second.counts.lost) == (20, 0)
    assert [second.p, third.p] == [
        mcnemar(20, 0),
        mcnemar(2, 0),
    ]  # the test that all three were launched with
    assert [second.adjusted_p, third.adjusted_p] == [2 * second.p, min(2 * third.p, 1)]
    assert second.interval == tango(20, 0, 60, 0.975)
    assert "which the 2 comparisons share (Bonferroni: 0.025 each, intervals at 97.5 %)" in found.corrections
    run = str(found.picks[0].run.pk)
    again = across([("a-1", run), ("a-1", str(run_of(found.picks[0].experiment, "mul_tokens", "grpo").pk))])
    assert again.family.tests == 1
    assert [pick.name for pick in found.picks][1] == "b-1: baseline after grpo, seed 0"


def test_experiments_of_different_tests_meet_at_mid_p():
    evaluated("a-1", 20)
    other = evaluated("b-1", 40)
    other.recipe["test"] = "midp"
    other.save()
    found = across([("a-1", ""), ("b-1", "")])
    assert found.comparisons[1].p == mcnemar_midp(20, 0)
    assert "mid-p McNemar" in found.how and "Fisher" not in found.how


def test_what_cannot_be_compared_takes_no_share_of_alpha():
    for name, limit in (("a-1", 28), ("b-1", 28), ("c-1", 99)):
        evaluated(name, 40 if name == "b-1" else 20, settings=EVALUATION_SETTINGS | {"max_new_tokens": limit})
    found = across([("a-1", ""), ("b-1", ""), ("c-1", "")])
    assert isinstance(found.comparisons[2], Refusal)
    assert found.family.tests == 1 and found.comparisons[1].adjusted_p == mcnemar(20, 0)
    assert found.comparisons[1].interval == tango(20, 0, 60, 0.95)


def test_the_same_experiment_twice_offers_its_next_checkpoint():
    experiment = evaluated("a-1", 20)
    found = across([("a-1", ""), ("a-1", "")])
    assert [pick.run.condition.name for pick in found.picks] == ["baseline", "mul_tokens"]
    run = run_of(experiment, "mul_tokens", "mixed")
    found = across([("a-1", str(run.pk)), ("a-1", "")])
    assert found.picks[0].run == run
    assert {run.pk for run in found.picks[0].options} == set(experiment.runs.values_list("pk", flat=True))


def test_the_nearest_checkpoint_stands_beside_the_first(signed_in):
    first = make_experiment("a-1", stages=STAGES, seeds=(0, 1))
    second = make_experiment("b-1", stages=STAGES, seeds=(0, 1))
    for run in (*first.runs.all(), *second.runs.all()):
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [True] * 60)
    asked = run_of(first, "baseline", "mixed", 1)
    found = across([("a-1", str(asked.pk)), ("a-1", ""), ("b-1", "")])
    assert [pick.run for pick in found.picks[1:]] == [
        run_of(first, "mul_tokens", "mixed", 1),
        run_of(second, "baseline", "mixed", 1),
    ]
    page = signed_in.get("/compare/?experiment1=a-1").content.decode()
    assert "Choose a second checkpoint" not in page
    for condition in ("baseline", "mul_tokens"):
        chosen = run_of(first, condition, "grpo", 0).pk
        assert f'<option value="{chosen}" selected' in page
    assert (
        "Choose a second checkpoint"
        in signed_in.get("/compare/?experiment1=a-1&experiment2=").content.decode()
    )


def test_an_empty_page_suggests_conditions_of_recent_experiments(signed_in, django_assert_num_queries):
    done, running, archived = (make_experiment(name, stages=STAGES) for name in ("a-1", "b-1", "c-1"))
    make_experiment("new-1")
    for run in (*done.runs.all(), *running.runs.filter(stage__name="mixed"), *archived.runs.all()):
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [True] * 60)
    ends_first = run_of(running, "baseline", "grpo")
    add_evaluation(make_attempt(ends_first, state=State.SUCCEEDED), [True] * 60)
    archived.archived_at = archived.created_at
    archived.save()
    with django_assert_num_queries(2):
        found = suggested()
    said = [
        (one.experiment.name, one.runs[0].stage.name, [run.condition.name for run in one.runs])
        for one in found
    ]
    assert said == [
        ("b-1", "mixed", ["baseline", "mul_tokens"]),  # after grpo there is one alone
        ("a-1", "grpo", ["baseline", "mul_tokens"]),
    ]
    StageRun.objects.filter(pk=run_of(done, "mul_tokens", "grpo").pk).update(
        reused_from=run_of(done, "baseline", "grpo")
    )
    assert [one.runs[0].stage.name for one in suggested()] == ["mixed", "mixed"]  # not a run beside itself
    page = signed_in.get("/compare/").content.decode()
    links = [html.unescape(one) for one in re.findall(r'<li><a href="(/compare/[^"]+)"', page)]
    assert len(links) == 2
    assert "Tango’s interval" in signed_in.get(links[1]).content.decode()
    assert [signed_in.get(link).content.decode().count(" selected>") for link in links] == [5, 5]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"max_new_tokens": 99}, "the token limit differs (28 against 99)"),
        ({"grader": "other/2"}, "the grader differs"),
        ({"problems_sha256": "1" * 64}, "the problems differ"),
        ({"decoding": "sampled"}, "the decoding differs"),
        ({"prompt_format": "Q: {question}"}, "the prompt format differs"),
    ],
)
def test_what_must_be_shared_and_is_not_is_refused(signed_in, changed, reason):
    evaluated("a-1", 20)
    evaluated("b-1", 40, settings=EVALUATION_SETTINGS | changed)
    (_, refused) = across([("a-1", ""), ("b-1", "")]).comparisons
    assert isinstance(refused, Refusal)
    assert reason in refused.reason
    assert reason in signed_in.get("/compare/?experiment1=a-1&experiment2=b-1").content.decode()


def test_what_was_not_evaluated_on_the_same_is_said(signed_in):
    evaluated("a-1", 20)
    other = evaluated("b-1", 40)
    for run in other.runs.all():
        add_evaluation(run.attempts.get(), [True] * 60, benchmark="arithmetic_probes")
    path = "/compare/?experiment1=a-1&experiment2=b-1&benchmark=arithmetic_probes"
    page = signed_in.get(path).content.decode()
    assert "not evaluated on this" in page and "the first was not evaluated on arithmetic_probes" in page
    assert "not finished" not in page and 'data-state="succeeded"' not in page


def test_published_counts_are_compared_unpaired(signed_in):
    evaluated("a-1", 20)
    other = evaluated("b-1", 40)
    for run in other.runs.all():
        one = run.attempts.get().evaluations.get()
        Outcome.objects.filter(evaluation=one).delete()
        one.published = {"correct": 40}
        one.problems = 500
        one.save()
    (_, unpaired) = across([("a-1", ""), ("b-1", "")]).comparisons
    assert isinstance(unpaired, UnpairedComparison)
    assert unpaired.sizes == "60 and 500"
    page = signed_in.get("/compare/?experiment1=a-1&experiment2=b-1").content.decode()
    assert "unpaired" in page
    row = re.findall(r"<tr>.*?</tr>", page, re.S)[2]
    assert len(re.findall(r"<t[dh]", row)) == 8
    assert row.index('class="text verdict-cell"') < row.index('data-label="interval"'), (
        "beside the difference"
    )
    for format in ("md", "tex", "csv"):
        text = signed_in.get(f"/compare.{format}?experiment1=a-1&experiment2=b-1").content.decode()
        assert "40/500" in text or ",40,500," in text, format
        assert "unpaired" in text and "b-1" in text, format


def test_an_unfinished_checkpoint_is_shown_and_not_compared():
    evaluated("a-1", 20)
    other = evaluated("b-1", 40)
    run = run_of(other, "baseline", "grpo")
    Outcome.objects.filter(evaluation__attempt__stage_run=run, problem="p0001").delete()
    found = across([("a-1", ""), ("b-1", str(run.pk))])
    assert found.comparisons == (None, None)
    assert not found.picks[1].cell.complete


def test_only_settings_that_differ_are_listed_the_whole_line_up():
    evaluated("a-1", 20, model={"layers": 4, "width": 128}, settings=None)
    other = evaluated("b-1", 20, model={"layers": 6, "width": 128})
    parent = run_of(other, "baseline", "mixed")
    parent.spec |= {"settings": {"optimizer": {"learning_rate": 0.001}}}
    parent.save()
    evaluated("c-1", 20, model={"layers": 4, "width": 128}, stages=(("mixed", "sft"),))
    found = {one.name: one.values for one in across([("a-1", ""), ("b-1", "")]).differences}
    assert found == {"model.layers": ("4", "6"), "mixed.optimizer.learning_rate": ("–", "0.001")}
    found = {one.name: one.values for one in across([("a-1", ""), ("c-1", "")]).differences}
    assert found == {"stage grpo": ("grpo", "–")}


def test_a_part_of_a_list_of_settings_is_one_difference():
    for name, phrasing in (("a-1", "mixed"), ("b-1", "plain")):
        evaluated(name, 20, settings=None, text={"parts": [{"source": "drills", "phrasing": phrasing}]})
    found = {one.name: one.values for one in across([("a-1", ""), ("b-1", "")]).differences}
    assert found == {"text.parts.0.phrasing": ("mixed", "plain")}


def test_what_can_be_compared_is_offered_first(signed_in):
    evaluated("a-1", 20)
    other = evaluated("b-1", 20, settings=EVALUATION_SETTINGS | {"problems_sha256": "1" * 64})
    shared = run_of(other, "baseline", "mixed")
    Evaluation.objects.filter(attempt__stage_run=shared).update(settings=EVALUATION_SETTINGS)
    found = across([("a-1", ""), ("b-1", "")])
    assert found.picks[1].run == shared
    assert found.picks[1].other_problems == set(other.runs.exclude(pk=shared.pk).values_list("pk", flat=True))
    assert "(other problems)" in signed_in.get("/compare/?experiment1=a-1&experiment2=b-1").content.decode()
    Evaluation.objects.filter(attempt__stage_run=shared).update(benchmark="arithmetic_probes")
    add_evaluation(
        run_of(found.picks[0].experiment, "baseline", "grpo").attempts.get(),
        [True] * 60,
        benchmark="arithmetic_probes",
    )
    assert across([("a-1", ""), ("b-1", "")]).benchmark == "arithmetic_probes"


def test_each_checkpoint_has_its_colour_and_a_reason_stands_where_a_verdict_would(signed_in):
    evaluated("a-1", 20)
    evaluated("b-1", 40, settings=EVALUATION_SETTINGS | {"grader": "other/2"})
    page = signed_in.get("/compare/?experiment1=a-1&experiment2=b-1").content.decode()
    first, second = re.findall(r"<tr>.*?</tr>", page, re.S)[1:3]
    assert 'data-condition="0"' in first and 'data-condition="1"' in second
    assert re.search(r'<td class="text verdict-cell">.*not compared.*the grader differs', second, re.S)


def test_bad_choices_are_explained(signed_in):
    evaluated("a-1", 20)
    make_experiment("new-1")
    for query, reason in (
        ("experiment1=nobody", "there is no experiment"),
        ("experiment1=a-1&benchmark=gsm9k", "evaluated on"),
        ("experiment1=new-1", "has been evaluated yet"),
    ):
        response = signed_in.get(f"/compare/?{query}")
        assert response.status_code == 400
        assert reason in response.content.decode()
    assert signed_in.get("/compare/").status_code == 200
    assert signed_in.get("/compare/?experiment1=a-1&run1=999999").status_code == 200


def test_it_takes_few_queries(signed_in, django_assert_max_num_queries):
    for name in ("a-1", "b-1", "c-1", "d-1"):
        evaluated(name, 20)
    with django_assert_max_num_queries(12):
        signed_in.get("/compare/?experiment1=a-1&experiment2=b-1&experiment3=c-1&experiment4=d-1")


def test_it_is_linked(signed_in):
    evaluated("a-1", 20)
    assert (
        'href="/compare/"'
        in signed_in.get("/experiments/").content.decode() + signed_in.get("/").content.decode()
    )
    assert "/compare/?experiment1=a-1" in signed_in.get("/experiments/a-1/comparison/").content.decode()


def test_flips_of_one_experiment_are_opened_and_stages_of_one_side_are_a_sentence(signed_in):
    made = evaluated("a-1", 20)
    evaluated("c-1", 20, stages=(("mixed", "sft"),))
    first, second = (run_of(made, name, "grpo").pk for name in ("baseline", "mul_tokens"))
    page = signed_in.get(
        f"/compare/?experiment1=a-1&run1={first}&experiment2=a-1&run2={second}"
    ).content.decode()
    (opened,) = re.findall(r'href="([^"]*flips[^"]*only=lost)"', page)
    listed = signed_in.get(html.unescape(opened)).context
    assert (listed["only"], listed["page"].paginator.count) == ("lost", 1)
    assert "add a checkpoint …" in page
    page = signed_in.get("/compare/?experiment1=a-1&experiment2=c-1").content.decode()
    assert "Only a-1 has the stage grpo." in page and "<code>stage grpo</code>" not in page
    assert "/flips/" not in page
