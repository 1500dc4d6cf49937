"""What to try, as links: the hypothesis's recipe with the experiment's seeds, and the experiment with what is advised."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from training.recipes import recipe as recipes
from webapp.diagnosis.finding import Advice, Finding, Severity
from webapp.diagnosis.grouping import FindingGroup
from webapp.diagnosis.hypotheses import D
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.trying import Try, to_try
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch

pytestmark = pytest.mark.django_db


def smoke() -> Experiment:
    recipe = recipes.build(recipes.read("smoke"), [("seeds", [3, 4]), ("alpha", 0.01)])
    return launch(recipe=recipe, owner=factories.make_user())


def tried(experiment: Experiment, *changes: tuple[str, object], run: int | None = 1) -> Try:
    advice = Advice("Raise beta.", changes=changes)
    finding = Finding("kl", Severity.WARNING, "", "", "", "", advice=(advice,), stage="grpo", run=run)
    (found,) = to_try(FindingGroup((finding,)), experiment)
    return found


def pointing(experiment: Experiment) -> Try:
    finding = Finding("kl", Severity.WARNING, "", "", "", "", advice=(Advice("Ask for less.", D),))
    (found,) = to_try(FindingGroup((finding,)), experiment)
    return found


def test_the_recipe_comes_with_the_experiments_seeds_and_level() -> None:
    found = pointing(smoke())
    assert urlsplit(found.url).path == reverse("new_from_recipe", args=["hypothesis_d_one_step"])
    assert parse_qs(urlsplit(found.url).query) == {"set": ["seeds=[3, 4]", "alpha=0.01"]}
    assert found.here == []


def test_what_is_advised_of_a_run_opens_the_fork_at_its_stage(client: Client) -> None:
    found = tried(smoke(), ("beta", 0.1), ("rewards.partial_credit.weight", 0.0))
    assert found.url == "", "it is about this experiment, and no hypothesis"
    assert urlsplit(found.here[0].url).path == reverse("fork_experiment", args=["smoke-1", "grpo"])
    assert urlsplit(found.here[0].url).fragment == "field-stages.grpo"
    client.force_login(factories.make_user())
    page = client.get(found.here[0].url).content.decode()
    assert 'name="stages.grpo.beta" type="text" value="0.1"' in page
    assert "changed; the recipe has <code>0.02</code>" in page
    assert 'name="stages.grpo.rewards.partial_credit.weight" type="text" value="0.0"' in page


def test_what_a_condition_sets_for_itself_is_changed_there(client: Client) -> None:
    changes = [("conditions.mul_tokens.overrides.stages.grpo.beta", 0.05)]
    recipe = recipes.build(recipes.read("smoke"), changes)
    experiment = launch(recipe=recipe, owner=factories.make_user())
    advice = Advice("Raise beta.", changes=(("beta", 0.1),))
    places = []
    for number, condition in enumerate(("baseline", "mul_tokens"), 1):
        finding = Finding(
            "kl", Severity.WARNING, "", "", "", "", (), (advice,), None, number, "grpo", condition, 0
        )
        (found,) = to_try(FindingGroup((finding,)), experiment)
        places.append(found.here[0].changes)
    assert places == [
        "stages.grpo.beta = 0.1",
        "conditions.mul_tokens.overrides.stages.grpo.beta = 0.1",
    ]
    client.force_login(factories.make_user())
    page = client.get(found.here[0].url).content.decode()
    assert "stages.grpo.beta" in page and 'value="0.1"' in page


def test_what_is_advised_of_an_experiment_opens_its_clone() -> None:
    found = tried(smoke(), ("seeds", [3, 4, 5]), run=None)
    assert urlsplit(found.here[0].url).path == reverse("clone_experiment", args=["smoke-1"])
    assert parse_qs(urlsplit(found.here[0].url).query) == {"set": ["seeds=[3, 4, 5]"]}


def test_published_numbers_have_nothing_to_go_on_from() -> None:
    experiment = factories.make_experiment("history-1", imported=True)
    assert tried(experiment, ("beta", 0.1)).here == []
    assert "seeds" not in pointing(experiment).url


def test_advice_is_a_multiple_of_what_the_run_had() -> None:
    run = factories.run_of(smoke(), "baseline", "grpo", 3)
    assert RunRecords(run).times("beta", 2) == (("beta", 0.04),)
    assert RunRecords(run).times("optimizer.learning_rate", 3) == (("optimizer.learning_rate", 0.0009),)
    assert RunRecords(run).times("no_such", 2) == ()
    run.spec = {}
    assert RunRecords(run).times("beta", 2) == ()
