"""The results pages: the verdict sentence first, every number opens its problems, bad choices are explained."""

import csv
import io
import re

import pytest
from django.test import Client

from tests.factories import add_evaluation, add_samples, make_attempt, make_experiment, make_user, run_of
from tests.histories import make_history
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in():
    client = Client()
    client.force_login(make_user())
    return client


@pytest.fixture
def experiment():
    """Two stages, both over in both conditions."""
    made = make_experiment(stages=(("mixed", "sft"), ("grpo", "grpo")))
    for place, run in enumerate(made.runs.order_by("id")):
        attempt = make_attempt(run, state=State.SUCCEEDED)
        add_evaluation(attempt, [i % 5 < place for i in range(60)])
    return made


def text_of(response):
    """What a reader sees: no tags, single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace("&#x27;", "'")


def test_the_comparison_answers_first(signed_in, experiment):
    response = signed_in.get("/experiments/demo-1/comparison/")
    page = response.content.decode()
    assert response.status_code == 200
    assert page.index("One seed: this compares two checkpoints") < page.index('id="stage-table"')
    correct = Outcome.objects.filter(
        correct=True, evaluation__attempt__stage_run=run_of(experiment, "mul_tokens", "grpo")
    ).count()
    assert f"{100 * correct / 60:.1f} {correct}/60" in text_of(response)


def test_every_accuracy_opens_its_problems(signed_in, experiment):
    page = signed_in.get("/experiments/demo-1/comparison/").content.decode()
    links = set(re.findall(r'href="(/evaluations/\d+/)"', page))
    assert links == {f"/evaluations/{pk}/" for pk in Evaluation.objects.values_list("pk", flat=True)}
    assert signed_in.get(links.pop()).status_code == 200


def test_htmx_gets_only_what_changes(signed_in, experiment):
    whole = signed_in.get("/experiments/demo-1/comparison/")
    part = signed_in.get("/experiments/demo-1/comparison/", headers={"HX-Request": "true"})
    assert b"<html" in whole.content
    assert b"<html" not in part.content
    assert b'id="stage-table"' in part.content
    assert "HX-Request" in whole.headers["Vary"]


def test_a_running_experiment_shows_states_and_what_is_known_so_far(signed_in):
    experiment = make_history("demo-2", done=5)
    attempt = run_of(experiment, "baseline", "grpo").attempts.get()
    add_evaluation(attempt, [True] * 40, problems=600)
    page = text_of(signed_in.get("/experiments/demo-2/comparison/"))
    assert "is not decided yet" in page
    assert "so far, after mixed" in page
    assert "40/600 evaluated" in page
    assert "running" in page


def test_an_experiment_without_results_has_a_page(signed_in):
    make_experiment("new-1")
    assert "is not decided yet" in text_of(signed_in.get("/experiments/new-1/comparison/"))
    assert signed_in.get("/experiments/new-1/report/").status_code == 200


def test_choices_change_the_table_and_its_exports(signed_in, experiment):
    query = "baseline=mul_tokens&metric=hit_limit_rate"
    response = signed_in.get(f"/experiments/demo-1/comparison/?{query}")
    assert "baseline − mul_tokens" in text_of(response)
    assert f"/experiments/demo-1/table.csv?{query.replace('&', '&amp;')}" in response.content.decode()
    exported = signed_in.get(f"/experiments/demo-1/table.csv?{query}")
    rows = list(csv.DictReader(io.StringIO(exported.content.decode())))
    assert {row["metric"] for row in rows} == {"hit_limit_rate"}
    assert rows[1]["baseline"] == "mul_tokens"
    assert 'filename="demo-1-one_step_multiplication.csv"' in exported.headers["Content-Disposition"]


@pytest.mark.parametrize("query", ["benchmark=gsm9k", "baseline=nobody", "metric=speed"])
@pytest.mark.parametrize("address", ["comparison/", "table.csv"])
def test_unknown_choices_are_explained(signed_in, experiment, query, address):
    response = signed_in.get(f"/experiments/demo-1/{address}?{query}")
    assert response.status_code == 400
    assert "there is no" in response.content.decode()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("table.csv", "text/csv"),
        ("table.md", "text/markdown"),
        ("table.json", "application/json"),
        ("report.md", "text/markdown"),
        ("report.html", "text/html"),
    ],
)
def test_downloads(signed_in, experiment, address, kind):
    response = signed_in.get(f"/experiments/demo-1/{address}")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith(kind)
    assert "attachment" in response.headers["Content-Disposition"]


def test_what_does_not_exist_is_not_found(signed_in, experiment):
    for address in ("table.exe", "report.pdf"):
        assert signed_in.get(f"/experiments/demo-1/{address}").status_code == 404
    assert signed_in.get("/experiments/none/comparison/").status_code == 404
    assert signed_in.get("/evaluations/999999/").status_code == 404


def test_results_are_for_people_who_are_signed_in(experiment):
    for address in ("comparison/", "table.csv", "report/"):
        response = Client().get(f"/experiments/demo-1/{address}")
        assert response.status_code == 302
        assert "/sign-in/" in response.headers["Location"]


@pytest.fixture
def evaluation():
    experiment = make_experiment(stages=(("drills", "sft"),))
    attempt = make_attempt(run_of(experiment, "mul_tokens", "drills"), state=State.SUCCEEDED)
    return add_evaluation(attempt, [i % 3 > 0 for i in range(120)])


def shown(response):
    return re.findall(r'<tr data-problem="(p\d+)"', response.content.decode())


def test_the_problems_can_be_filtered_and_paged(signed_in, evaluation):
    address = f"/evaluations/{evaluation.pk}/"
    everything = signed_in.get(address)
    assert len(shown(everything)) == 25
    assert "66.7 % (80/120)" in text_of(everything).replace("\u00a0", " ").replace("( ", "(")
    assert len(shown(signed_in.get(f"{address}?page=5"))) == 20
    wrong = signed_in.get(f"{address}?only=wrong")
    assert shown(wrong) == [f"p{i:04d}" for i in range(0, 75, 3)]
    assert len(shown(signed_in.get(f"{address}?only=correct&page=4"))) == 5
    assert "No problem here is" in text_of(signed_in.get(f"{address}?only=repeats"))
    assert len(shown(signed_in.get(f"{address}?only=nonsense&page=x"))) == 25


def test_texts_are_shown_as_text(signed_in, evaluation):
    outcome = evaluation.outcomes.get(problem="p0000")
    outcome.completion = "<script>alert(1)</script> <MUL_6_9_54>"
    outcome.final_answer, outcome.answer_rule = None, "words"
    outcome.save()
    response = signed_in.get(f"/evaluations/{evaluation.pk}/")
    page = response.content.decode()
    assert "<script>alert" not in page
    assert '<mark class="mul">' in page
    assert "none found (behind “the answer is”)" in text_of(response)
    other = signed_in.get(f"/evaluations/{evaluation.pk}/?problem=p0001")
    assert "(behind the mark ####)" in text_of(other)


def test_a_problem_is_read_beside_the_list_that_holds_it(
    signed_in, evaluation, django_assert_max_num_queries
):
    address = f"/evaluations/{evaluation.pk}/"
    page = signed_in.get(f"{address}?only=wrong&problem=p0090")
    assert shown(page)[0] == "p0075" and "p0090" in shown(page)
    assert re.findall(r'<tr data-problem="(p\d+)" aria-current="true">', page.content.decode()) == ["p0090"]
    assert '<article class="outcome" id="p0090">' in page.content.decode()
    assert 'href="?only=wrong&amp;problem=p0093&amp;page=2#problem"' in page.content.decode()
    one = signed_in.get(f"{address}?problem=p0002&page=1", headers={"HX-Request": "true"})
    assert shown(one) == [] and '<article class="outcome" id="p0002">' in one.content.decode()
    assert f'data-address="{address}?problem=p0002&amp;page=1"' in one.content.decode()
    assert signed_in.get(f"{address}?problem=none").status_code == 404
    with django_assert_max_num_queries(15):
        signed_in.get(address)


def test_the_samples_of_a_problem_stand_beside_its_greedy_completion(signed_in, evaluation):
    add_samples(evaluation, [[i == 0, True, i == 0] for i in range(120)])
    page = signed_in.get(f"/evaluations/{evaluation.pk}/")
    assert shown(page) == [f"p{i:04d}" for i in range(25)]  # a problem each, whatever its samples
    assert "Samples right 3 of 3" in text_of(page)
    assert "Samples right 1 of 3" in text_of(signed_in.get(f"/evaluations/{evaluation.pk}/?problem=p0001"))
    assert "3/3" in text_of(page) and "1/3" in text_of(page)
    assert "Samples a problem 3" in text_of(page)
    reached = signed_in.get(f"/evaluations/{evaluation.pk}/?only=only_sampled")
    assert shown(reached)[0] == "p0000"
    assert len(shown(reached)) == 25
    every = signed_in.get(f"/evaluations/{evaluation.pk}/samples/?problem=p0001")
    assert "1 of 3 samples right at temperature 0.8" in text_of(every)
    assert re.findall(r'<article class="outcome" id="([^"]+)"', every.content.decode()) == [
        "greedy",
        "sample-1",
        "sample-2",
        "sample-3",
    ]
    assert signed_in.get(f"/evaluations/{evaluation.pk}/samples/?problem=none").status_code == 404


def test_wrong_steps_behind_right_answers_are_found(signed_in, evaluation):
    evaluation.outcomes.update(steps_written=2, steps_right=2)
    evaluation.outcomes.filter(problem__in=["p0001", "p0003"]).update(steps_right=1)
    address = f"/evaluations/{evaluation.pk}/"
    assert shown(signed_in.get(f"{address}?only=wrong_step")) == ["p0001", "p0003"]
    assert shown(signed_in.get(f"{address}?only=right_with_wrong_step")) == ["p0001"]
    assert "Steps right 1 of 2" in text_of(signed_in.get(f"{address}?problem=p0001"))
    assert "right in a sample only" not in text_of(signed_in.get(address))
