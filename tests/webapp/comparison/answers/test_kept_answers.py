"""An experiment's answer is read once, then kept until something new came in."""

import pytest

from tests import factories, histories
from webapp.comparison.answers import kept_answers
from webapp.experiments.models import Experiment
from webapp.pages.experiments.sparklines import sparkline
from webapp.results.models import KeptAnswer
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
QUERIES = 1  # of answers that are all kept, whatever their number


def answer(experiment: Experiment) -> kept_answers.ExperimentAnswer:
    return kept_answers.answers([experiment])[0][experiment.pk]


def test_what_is_kept_is_what_is_read_and_news_replace_it(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    experiment = factories.make_experiment("demo-1", stages=[("pretrain", "pretrain")])
    first, second = experiment.runs.order_by("condition__position")
    factories.add_evaluation(factories.make_attempt(first, state=State.SUCCEEDED), [True] * 10 + [False] * 90)
    before = answer(experiment)
    assert [one.note for one in before.contrasts] == ["not decided yet"]
    assert [course.values for course in before.courses] == [(0.1,), (None,)]
    with django_assert_num_queries(QUERIES):
        assert answer(experiment) == before
    factories.add_evaluation(
        factories.make_attempt(second, state=State.SUCCEEDED), [True] * 40 + [False] * 60
    )
    after = answer(experiment)
    assert [(one.delta, one.number) for one in after.contrasts] == [("+30.0", pytest.approx(30))]
    [one] = after.contrasts
    assert one.said == f"mul_tokens − baseline after pretrain: +30.0 points, {one.interval}"
    assert (one.problems, one.one_seed) == ("100", True)
    row = KeptAnswer.objects.get()
    assert (row.delta, row.reached) == (pytest.approx(30), 0.4)


def test_a_reading_without_time_gives_what_was_kept() -> None:
    experiments = [histories.make_history(f"demo-{number}", done=1) for number in (1, 2)]
    assert kept_answers.answers(experiments, seconds=0) == ({}, 2)
    known, left = kept_answers.answers(experiments[:1])
    assert left == 0
    factories.make_attempt(
        experiments[0].runs.filter(state=State.READY).first() or experiments[0].runs.first()
    )
    assert kept_answers.answers(experiments, seconds=0) == (known, 2)
    kept_answers.read_some(seconds=60)
    assert KeptAnswer.objects.count() == 2


def test_the_latest_of_the_last_stages_comes_first_and_branches_are_drawn_apart() -> None:
    experiment = factories.make_experiment(
        "fork-1", stages=[("sft", "sft"), ("short", "grpo"), ("long", "grpo")]
    )
    experiment.stages.filter(name="long").update(after=experiment.stages.get(name="sft"))
    for run in experiment.runs.order_by("stage__position"):
        right = 10 * run.stage.position + 5 * run.condition.position + 1
        factories.add_evaluation(
            factories.make_attempt(run, state=State.SUCCEEDED), [i < right for i in range(60)]
        )
    found = answer(experiment)
    assert [one.stage for one in found.contrasts] == ["long", "short"]
    assert found.order == (0, 1, None, 0, 2)
    drawn = sparkline(found)
    assert drawn is not None
    assert [(len(line.paths), len(line.ends)) for line in drawn.lines] == [(2, 2), (2, 2)]


def test_an_experiment_without_stages_or_conditions_to_compare_has_an_answer() -> None:
    assert answer(factories.make_experiment("none-1", stages=[])).contrasts == ()
    assert answer(factories.make_experiment("one-1", conditions=["baseline"])).contrasts == ()


def test_an_answer_that_cannot_be_read_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = kept_answers.answer
    fine, newest = (histories.make_history(f"demo-{number}", done=1) for number in (1, 2))

    def broken(experiment: Experiment) -> object:
        if experiment == newest:
            raise KeyError("a fault of ours")
        return read(experiment)

    monkeypatch.setattr(kept_answers, "answer", broken)
    monkeypatch.setattr(kept_answers, "AT_ONCE", 1)
    monkeypatch.setattr(kept_answers, "_unreadable", set())
    for _ in range(2):
        kept_answers.read_some(seconds=60)
    assert list(KeptAnswer.objects.values_list("experiment", flat=True)) == [fine.pk]
    assert set(kept_answers.answers([fine, newest])[0]) == {fine.pk}
