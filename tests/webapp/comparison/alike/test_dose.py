"""The dose from what training recorded: on the experiment's page, in files, in the report, and as findings."""

import pytest
from django.urls import reverse

from tests.factories import add_evaluation, make_attempt, make_experiment, make_user, run_of
from webapp.comparison.alike import dose
from webapp.diagnosis import readings
from webapp.reports import report
from webapp.reports.experiment_tables import TableChoices, build
from webapp.runs.models import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client):
    client.force_login(make_user())
    return client


STAGES = (("instruct", "sft"), ("drills", "curriculum"), ("grpo", "grpo"))


def part(name, *sources, passes=1):
    names = ("source", "examples", "tokens", "mul_tokens", "products", "replaced")
    found = [dict(zip(names, one, strict=True)) for one in sources]
    return {
        "part": name,
        "passes": passes,
        "examples": 8,
        "too_long": 0,
        "sha256": "a" * 64,
        "sources": found,
    }


def history(**kept):
    """An experiment of two seeds; what each condition recorded in each stage, by `condition__stage`."""
    experiment = make_experiment(stages=STAGES, seeds=(0, 1))
    for condition in ("baseline", "mul_tokens"):
        for stage, _ in STAGES:
            for seed in (0, 1):
                parts = kept.get(f"{condition}__{stage}")
                attempt = make_attempt(
                    run_of(experiment, condition, stage, seed), state=State.SUCCEEDED, examples=parts
                )
                add_evaluation(attempt, [True, False] * 10)
    return experiment


PROMPTS = [part("prompts", ("gsm8k", 8, 0, 0, 0, 0))]


@pytest.fixture
def experiment():
    return history(
        baseline__instruct=[part("train", ("tulu", 100, 40_000, 0, 9, 0))],
        mul_tokens__instruct=[part("train", ("tulu", 100, 39_900, 4, 9, 4))],
        baseline__drills=[part("a", ("drills", 10, 1_000, 0, 90, 0), passes=2), part("b", ("gsm8k", 5, 500, 0, 8, 0))],
        mul_tokens__drills=[part("a", ("drills", 10, 800, 90, 90, 90), passes=2), part("b", ("gsm8k", 5, 490, 6, 8, 5))],
        baseline__grpo=PROMPTS,
        mul_tokens__grpo=PROMPTS,
    )  # fmt: skip


def test_tokens_and_products_are_added_up_over_parts_and_passes(experiment):
    found = {(one.stage, one.source, one.condition): one for one in dose.of_experiment(experiment)}
    assert list(found)[:2] == [("instruct", "all", "baseline"), ("instruct", "all", "mul_tokens")]
    drills = found["drills", "all", "mul_tokens"]
    assert (drills.tokens, drills.mul_tokens, drills.products, drills.left) == (2_090, 186, 188, 3)
    assert drills.per_thousand == pytest.approx(1000 * 186 / 2_090)
    assert drills.against_baseline == pytest.approx(2_090 / 2_500 - 1)
    assert found["drills", "gsm8k", "mul_tokens"].left == 3
    assert found["drills", "drills", "baseline"].left == 180
    assert not [one for one in found if one[0] == "grpo"]  # it learns from no text


def test_it_stands_on_the_page_in_files_and_in_the_report(experiment, ada):
    page = ada.get(reverse("experiment", args=[experiment.name])).content.decode()
    assert 'id="dose-table"' in page and 'id="dose-sources"' in page  # folded under the stages
    totals, _, sources = page.partition('id="dose-table"')[2].partition('id="dose-sources"')
    assert "Source" not in totals and "Source" in sources
    assert "89.00" in page and "−16.4" in page
    records = build("dose", TableChoices(experiment)).sheet.records()
    assert records[1]["mul_tokens_per_thousand"] == pytest.approx(1000 * 4 / 39_900)
    assert "## Dose" in report.report(experiment)


def test_what_recorded_nothing_has_no_dose(ada):
    experiment = history()
    assert dose.of_experiment(experiment) == []
    assert "dose-table" not in ada.get(reverse("experiment", args=[experiment.name])).content.decode()
    assert not {"dose_near_none", "learnt_tokens_differ"} & {
        one.kind for one in readings.of_experiment(experiment)
    }


def test_hardly_any_dose_and_unequal_tokens_are_findings(experiment):
    found = readings.of_experiment(experiment)
    (none,) = [one for one in found if one.kind == "dose_near_none"]
    assert (none.stage, none.condition, none.severity.word) == ("instruct", "mul_tokens", "info")
    assert "4 mul-tokens in 39,900 learnt tokens, 0.10 per 1,000" in none.evidence
    (unequal,) = [one for one in found if one.kind == "learnt_tokens_differ"]
    assert unequal.headline == "mul_tokens learnt fewer tokens than baseline"
    assert "2,090 against 2,500 learnt tokens in drills, 16.4 % fewer" in unequal.evidence.replace(
        "\xa0", " "
    )


def test_no_dose_anywhere_is_a_warning():
    experiment = history(
        baseline__instruct=[part("train", ("tulu", 100, 40_000, 0, 9, 0))],
        mul_tokens__instruct=[part("train", ("tulu", 100, 40_000, 0, 9, 0))],
    )
    (none,) = [one for one in readings.of_experiment(experiment) if one.kind == "dose_near_none"]
    assert none.severity.word == "warning"
    assert "write them in a way that is not replaced" in none.reading


@pytest.mark.parametrize(
    ("state", "word"), [(State.WAITING, "info"), (State.RUNNING, "info"), (State.FAILED, "warning")]
)
def test_no_dose_yet_is_no_warning_while_stages_are_to_come(state, word):
    """As after pre-training on web text, before the drills."""
    experiment = history(
        baseline__instruct=[part("train", ("tulu", 100, 40_000, 0, 9, 0))],
        mul_tokens__instruct=[part("train", ("tulu", 100, 40_000, 0, 9, 0))],
    )
    experiment.runs.filter(stage__name="grpo").update(state=State.WAITING)  # it learns from no texts
    experiment.runs.filter(stage__name="drills").update(state=state)
    (none,) = [one for one in readings.of_experiment(experiment) if one.kind == "dose_near_none"]
    assert none.severity.word == word
