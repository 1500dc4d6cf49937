"""`mulberry seed`: as many records as asked for, of an experiment that is over."""

import pytest
from django.test import Client

from tests import factories
from webapp.results.models import Outcome
from webapp.runs.models import State
from webapp.telemetry import series
from webapp.telemetry.models import Rollout
from workers.cli import synthetic


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # VACUUM runs in no transaction
def test_a_seeded_experiment_has_what_was_asked_for(client: Client) -> None:
    ada = factories.make_user("ada")
    made = synthetic.make(synthetic.SyntheticSize(rollouts=1_992, points=109_440), ada, lambda text: None)
    runs = list(made.runs.all())
    assert {run.state for run in runs} == {State.SUCCEEDED}
    assert Rollout.objects.count() == 1_992
    found = series.series([run.pk for run in runs])
    assert sum(len(one.steps) for one in found.values()) == 109_440
    rolling = sum(run.stage.kind == "grpo" for run in made.runs.select_related("stage"))
    others = len(runs) - rolling
    assert len(found) == rolling * len(synthetic.METRICS) + others * len(synthetic.TRAINING)
    assert Outcome.objects.count() == len(runs) * synthetic.PROBLEMS
    grpo = next(run for run in runs if series.rollouts([run.pk]).exists())
    client.force_login(ada)
    for path in ("/", f"/experiments/{made.name}/", f"/experiments/{made.name}/comparison/"):
        assert client.get(path).status_code == 200
    for path in (f"/runs/{grpo.pk}/", f"/runs/{grpo.pk}/charts.json", f"/runs/{grpo.pk}/rollouts/"):
        assert client.get(path).status_code == 200
