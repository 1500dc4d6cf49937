"""Grading anew: beside the old outcomes, counted, and once."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from webapp.comparison.alike import graders
from webapp.comparison.cells import Refusal, graders_of
from webapp.comparison.table import stage_table
from webapp.diagnosis import readings
from webapp.experiments.models import Experiment
from webapp.reports.report import report
from webapp.results.models import Evaluation, KeptReading, Outcome
from webapp.results.outcome_counts import latest_accuracies, latest_tallies
from webapp.results.regrade import outdated, regrade
from webapp.runs.models import StageRun, State
from webapp.runs.reuse import left_by
from workers.ingest import Ingest

pytestmark = pytest.mark.django_db

OLD = factories.EVALUATION_SETTINGS | {"grader": "final_number/1"}
TEXTS = (  # completion, reference, what version 1 read of it, the rule of version 2
    (" #### 1/2", "0.5", "1", "0.5", "mark"),
    (" #### 6 * 7 = 42", "42", "6", "42", "mark"),
    (" they meet at 10:30", "30", "30", None, "none"),
    (" so 5 <|unused_420|>", "7", "420", "5", "last_number"),
    (" #### 9", "9", "9", "9", "mark"),
    (" #### 8", "9", "8", "8", "mark"),
)


def graded_by_version_1(run: StageRun, texts=TEXTS) -> Evaluation:
    attempt = factories.make_attempt(run, state=State.SUCCEEDED)
    evaluation = factories.add_evaluation(attempt, [False] * len(texts), settings=OLD)
    for outcome, (text, right, read, *_) in zip(evaluation.outcomes.order_by("problem"), texts, strict=True):
        outcome.completion, outcome.reference, outcome.final_answer = text, right, read
        outcome.correct, outcome.answer_rule = read == right, None
        outcome.save()
    return evaluation


@pytest.fixture
def experiment() -> Experiment:
    made = factories.make_experiment(stages=(("instruct", "sft"),))
    for run in made.runs.all():
        graded_by_version_1(run)
    return made


def recorded(evaluation: Evaluation) -> list[tuple[object, ...]]:
    columns = ("problem", "completion", "tokens", "final_answer", "correct", "answer_rule")
    return list(evaluation.outcomes.order_by("sample", "problem").values_list(*columns))


def test_the_new_version_stands_beside_the_old_and_counts(experiment):
    old = Evaluation.objects.filter(attempt__stage_run__condition__name="baseline").get()
    before = recorded(old)
    done = regrade(experiment)
    assert done.sentence == (
        "2 evaluations graded anew by final_number/2: 6 of 12 outcomes changed (4 now right, 2 now wrong), "
        "8 final answers read differently"
    )
    assert recorded(old) == before
    new = Evaluation.objects.get(attempt=old.attempt, grading=1)
    assert [row[3:] for row in recorded(new)] == [
        (answer, answer == right, rule) for _, right, _, answer, rule in TEXTS
    ]
    assert [row[:3] for row in recorded(new)] == [row[:3] for row in before]
    assert (new.grader, old.grader) == ("final_number/2", "final_number/1")
    assert (new.at, new.step, new.seq, new.problems) == (old.at, old.step, old.seq, old.problems)
    run = old.attempt.stage_run_id
    assert latest_tallies([run], old.benchmark)[run].evaluation == new.pk
    accuracy = latest_accuracies([run], old.benchmark)[run]
    assert (accuracy.evaluation, accuracy.correct, accuracy.counted) == (new.pk, 3, len(TEXTS))
    assert stage_table(experiment).rows[0].seeds[0].cells[0].result.correct == 3


def test_a_second_time_there_is_nothing_to_do(experiment):
    regrade(experiment)
    assert outdated(experiment) == []
    assert regrade(experiment).sentence == (
        "nothing to grade anew: every finished evaluation has its grader’s newest version"
    )
    assert Evaluation.objects.count() == 4
    assert Outcome.objects.count() == 4 * len(TEXTS)


def test_samples_are_graded_too(experiment):
    evaluation = Evaluation.objects.first()
    for place in (1, 2):
        Outcome.objects.bulk_create(
            Outcome(**{field.name: getattr(one, field.name) for field in Outcome._meta.concrete_fields
                       if field.name not in ("id", "sample")}, sample=place)
            for one in evaluation.outcomes.filter(sample=0)
        )  # fmt: skip
    evaluation.settings |= {"samples": 2, "temperature": 0.8}
    evaluation.save()
    assert regrade(experiment).outcomes == 4 * len(TEXTS)
    new = Evaluation.objects.get(attempt=evaluation.attempt, grading=1)
    assert new.outcomes.filter(sample=2, correct=True).count() == 3


def test_what_is_unfinished_published_or_a_choice_is_left(experiment):
    unfinished, choice = Evaluation.objects.order_by("pk")
    unfinished.problems += 1
    unfinished.save()
    choice.benchmark = "hellaswag"
    choice.save()
    assert outdated(experiment) == []
    for grader in ("final_number/2", "final_number/3", "other/1", "synthetic", None):
        Evaluation.objects.update(benchmark="gsm8k", problems=len(TEXTS), settings=OLD | {"grader": grader})
        assert outdated(experiment) == []
    Evaluation.objects.update(settings=OLD)
    assert len(outdated(experiment)) == 2


def test_versions_are_not_compared(experiment):
    baseline = Evaluation.objects.get(attempt__stage_run__condition__name="baseline")
    baseline.problems += 1  # so that it is left
    baseline.save()
    regrade(experiment)
    Evaluation.objects.filter(pk=baseline.pk).update(problems=len(TEXTS))
    (compared,) = stage_table(experiment).rows[0].seeds[0].comparisons
    assert isinstance(compared, Refusal)
    assert "the grader differs (final_number/1 against final_number/2)" in compared.reason


def test_seeds_of_different_versions_are_not_taken_together(client):
    experiment = factories.make_experiment(stages=(("instruct", "sft"),), seeds=(0, 1))
    for run in experiment.runs.all():
        graded_by_version_1(run)
    assert stage_table(experiment).rows[0].over_seeds[0] is not None
    Evaluation.objects.filter(attempt__stage_run__seed=1).update(problems=1 + len(TEXTS))
    regrade(experiment)
    Evaluation.objects.update(problems=len(TEXTS))
    table = stage_table(experiment)
    assert not any(table.rows[0].over_seeds)
    assert graders_of(table.cells()) == ("final_number/1", "final_number/2")
    client.force_login(experiment.owner)
    page = client.get(f"/experiments/{experiment.name}/comparison/").content.decode()
    assert "graded by different versions (final_number/1, final_number/2)" in page
    assert "graded by different versions" in report(experiment)
    regrade(experiment)
    table = stage_table(experiment)
    assert table.rows[0].over_seeds[0] is not None
    assert graders.mixed(table) == ""
    assert (
        "<dt>Grader</dt><dd>final_number/2</dd>"
        in client.get(f"/experiments/{experiment.name}/comparison/").content.decode()
    )


def test_an_evaluations_page_names_its_version_and_the_others(experiment, client):
    regrade(experiment)
    old, new = Evaluation.objects.filter(attempt=Evaluation.objects.first().attempt).order_by("grading")
    client.force_login(experiment.owner)
    page = client.get(f"/evaluations/{new.pk}/").content.decode()
    assert "<dt>Grader</dt><dd>final_number/2</dd>" in page
    assert f'<a href="/evaluations/{old.pk}/">final_number/1</a>' in page
    assert "newer: it counts" not in page
    assert "newer: it counts" in client.get(f"/evaluations/{old.pk}/").content.decode()


def test_a_person_grades_anew_from_the_experiments_page(experiment, client):
    address = f"/experiments/{experiment.name}/regrade/"
    client.post(address)  # not signed in
    assert len(outdated(experiment)) == 2
    client.force_login(experiment.owner)
    before = " ".join(client.get(f"/experiments/{experiment.name}/").content.decode().split())
    assert "2 finished evaluations were graded by an older version" in before
    assert client.get(address).status_code == 405
    page = client.post(address, follow=True).content.decode()
    assert "demo-1: 2 evaluations graded anew by final_number/2: 6 of 12 outcomes changed" in page
    assert "graded by an older version" not in page


def test_a_regraded_evaluation_counts_as_there_for_reuse(experiment):
    regrade(experiment)
    run = experiment.runs.first()
    first, *_ = left_by([run])[run.pk].evaluations
    assert first.grader == "final_number/2"


def test_ingest_goes_on_with_the_evaluation_as_it_ran(experiment):
    evaluation = Evaluation.objects.first()
    regrade(experiment)
    assert Ingest(evaluation.attempt_id)._evaluations == {evaluation.key: evaluation.pk}


def test_what_the_diagnosis_read_is_read_anew(experiment):
    readings.of_experiment(experiment)
    assert KeptReading.objects.count() == 2
    regrade(experiment)
    assert KeptReading.objects.count() == 0


def test_it_stops_between_evaluations_when_the_time_is_up(experiment):
    done = regrade(experiment, seconds=-1)
    assert (done.evaluations, done.left) == (0, 2)
    assert done.sentence.endswith("; 2 evaluations still to do: do it again")
    assert regrade(experiment).evaluations == 2


def test_texts_do_not_travel_back(experiment):
    with CaptureQueriesContext(connection) as asked:
        regrade(experiment)
    written = [query["sql"] for query in asked if "INSERT INTO results_outcome" in query["sql"]]
    assert len(written) == 2
    assert not any("they meet" in sql for sql in written)


def test_the_command_says_it_in_one_line(experiment, capsys, monkeypatch):
    from workers.cli.commands import database
    from workers.cli.main import main

    monkeypatch.setattr(database, "set_up", lambda: None)
    monkeypatch.setattr(database, "connect", lambda: None)
    assert main(["regrade", experiment.name]) == 0
    assert capsys.readouterr().out.startswith("demo-1: 2 evaluations graded anew by final_number/2: 6 of 12")
    assert main(["regrade", experiment.name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["evaluations"] == 0
