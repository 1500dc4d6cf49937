"""The list of experiments, narrowed and ordered by its URL."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests import factories, histories
from webapp.experiments.models import Experiment
from webapp.pages.experiments.listing import SORTS
from webapp.pages.experiments.querysets import summaries
from webapp.runs.models import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def listed(client: Client, query: str) -> list[str]:
    page = client.get(f"/experiments/?{query}", headers={"HX-Request": "true"}).content.decode()
    return re.findall(r'href="/experiments/([\w-]+)/" data-row', page)


def test_every_experiment_is_found_under_the_state_that_the_list_says(ada: Client) -> None:
    stages = [("pretrain", "pretrain")]
    for first in State:
        for second in State:
            experiment = factories.make_experiment(f"{first}-{second}", stages=stages)
            for run, state in zip(experiment.runs.order_by("pk"), (first, second), strict=True):
                experiment.runs.filter(pk=run.pk).update(state=state)
    factories.make_experiment("published", stages=stages, imported=True)
    said = {summary.experiment.name: summary.state for summary in summaries(Experiment.objects.all())}
    for state in ("running", "ready", "failed", "cancelled", "succeeded", "imported"):
        pages = [*listed(ada, f"state={state}"), *listed(ada, f"state={state}&page=2")]
        assert set(pages) == {name for name, word in said.items() if word == state}, state


def test_words_recipe_and_owner_narrow_together(ada: Client) -> None:
    factories.make_experiment("demo-1", title="Big one")
    factories.make_experiment("demo-2", owner=factories.make_user("bob"))
    factories.make_experiment("smoke-1", title="Big two")
    assert listed(ada, "q=big") == ["smoke-1", "demo-1"]
    assert listed(ada, "q=big&recipe=demo") == ["demo-1"]
    assert listed(ada, "owner=bob") == ["demo-2"]
    assert listed(ada, "sort=oldest") == ["demo-1", "demo-2", "smoke-1"]
    assert listed(ada, "sort=name&owner=ada") == ["demo-1", "smoke-1"]


def test_a_choice_that_does_not_exist_is_said(ada: Client) -> None:
    factories.make_experiment("demo-1")
    page = ada.get("/experiments/?state=asleep").content.decode()
    assert "Select a valid choice" in page
    assert "No experiment fits" in page


def test_a_row_begins_with_the_difference_that_is_shown(ada: Client) -> None:
    experiment = factories.make_experiment(
        "demo-1", stages=[("pretrain", "pretrain")], conditions=["baseline", "a", "b", "c"], seeds=(0,)
    )
    for name, right in (("baseline", 10), ("a", 12), ("b", 45), ("c", 8)):
        attempt = factories.make_attempt(
            factories.run_of(experiment, name, "pretrain"), state=State.SUCCEEDED
        )
        factories.add_evaluation(attempt, [i < right for i in range(100)])
    ada.get("/experiments/")
    page = " ".join(ada.get("/experiments/").content.decode().split())
    assert "<b>+35.0</b>" in page and ">1 of 3 differ</a>" in page
    assert "b − baseline, pretrain" in page and "<b>+2.0</b>" not in page
    assert 'class="number none" data-column="disk"' in page, "a phone leaves it out"


def test_the_pages_of_a_list_keep_its_choices(ada: Client) -> None:
    for number in range(31):
        factories.make_experiment(f"demo-{number}", stages=[])
    page = ada.get("/experiments/?q=demo&page=1").content.decode()
    assert 'href="?page=2&amp;q=demo"' in page


def organise(client: Client, **asked: object) -> str:
    answer = client.post("/experiments/organise/", asked, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_archive_is_left_out_everywhere_and_found_again(ada: Client) -> None:
    for number in (1, 2):
        histories.make_history(f"demo-{number}", done=6)
    page = organise(ada, do="archive", experiment=["demo-1"], back="q=demo")
    assert "Archived demo-1." in page and 'name="do" value="restore"' in page
    assert 'id="row-demo-2"' in page and 'id="row-demo-1"' not in page
    assert listed(ada, "") == ["demo-2"]
    assert listed(ada, "archived=only") == ["demo-1"]
    assert listed(ada, "archived=with") == ["demo-2", "demo-1"]
    for path in ("/", "/compare/", "/search/?q=demo"):
        named = re.findall(
            r"/experiments/(demo-[12])/|<option[^>]*>(demo-[12])<", ada.get(path).content.decode()
        )
        assert {a or b for a, b in named} == {"demo-2"}, path
    assert "Archived by ada" in ada.get("/experiments/demo-1/").content.decode()
    ada.post("/experiments/demo-1/organise/", {"do": "restore"})
    assert listed(ada, "") == ["demo-2", "demo-1"]


def test_several_are_tagged_and_starred_and_found_by_it(ada: Client) -> None:
    for number in (1, 2, 3):
        factories.make_experiment(f"demo-{number}", stages=[])
    organise(ada, do="tag", tag="paper", experiment=["demo-1", "demo-3"])
    organise(ada, do="star", experiment=["demo-3"])
    assert listed(ada, "tag=paper") == listed(ada, "q=pap") == ["demo-3", "demo-1"]
    assert listed(ada, "starred=on") == ["demo-3"]
    ada.force_login(factories.make_user("bob"))
    assert listed(ada, "starred=on") == []


def test_what_a_form_cannot_mean_changes_nothing_and_is_said(ada: Client) -> None:
    factories.make_experiment("demo-1", stages=[])
    for asked, says in (
        ({"do": "delete", "experiment": ["demo-1"]}, "there is no such change"),
        ({"do": "archive"}, "choose experiments first"),
        ({"do": "archive", "experiment": ["demo-1", "<b>"]}, "there is no experiment &lt;b&gt;"),
        ({"do": "tag", "experiment": ["demo-1"], "tag": "x" * 50}, "a tag has 1 to 40"),
    ):
        assert says in organise(ada, **asked)
    assert listed(ada, "") == ["demo-1"]
    answer = ada.post("/experiments/demo-1/organise/", {"do": "rename", "title": " "}, follow=True)
    assert "a title has 1 to 200 characters" in answer.content.decode()
    assert ada.post("/experiments/none/organise/", {"do": "star"}).status_code == 404
    assert ada.get("/experiments/organise/").status_code == 405


def test_the_search_finds_conditions_and_changed_settings(ada: Client) -> None:
    factories.make_experiment("demo-1", conditions=["baseline", "beta_high"], stages=[])
    changed = [["stages.grpo.beta", "0.1", "0.04"]]
    factories.make_experiment("demo-2", differences=changed, origin_note="fork of demo-1 at grpo", stages=[])
    factories.make_experiment("demo-3", stages=[])
    assert listed(ada, "q=beta") == ["demo-2", "demo-1"]
    page = ada.get("/experiments/?q=beta+fork").content.decode()
    assert "fork of demo-1 at grpo" in page
    assert re.search(r'title="stages.grpo.beta">beta <b>0.1</b> <span class="muted">\(0.04\)', page)


def test_the_list_is_ordered_by_its_headers(ada: Client) -> None:
    for number, seconds in ((1, 10), (2, 60), (3, 30)):
        experiment = factories.make_experiment(f"demo-{number}", stages=[("pretrain", "pretrain")])
        begun = timezone.now() - timedelta(seconds=seconds)
        run = factories.run_of(experiment, "baseline", "pretrain")
        attempt = factories.make_attempt(run, state=State.SUCCEEDED, started_at=begun)
        factories.add_checkpoint(attempt)
        factories.add_evaluation(attempt, [True] * number + [False])
    assert listed(ada, "sort=-device") == ["demo-2", "demo-3", "demo-1"]
    assert listed(ada, "sort=device") == ["demo-1", "demo-3", "demo-2"]
    listed(ada, "")
    assert listed(ada, "sort=-reached") == ["demo-3", "demo-2", "demo-1"]
    for sort in SORTS:
        assert len(listed(ada, f"sort={sort}")) == 3, sort
    page = ada.get("/experiments/?sort=-device&q=demo").content.decode()
    assert 'aria-sort="descending"' in page
    assert 'href="/experiments/?q=demo&amp;sort=device"' in page
    assert page.count("aria-sort") == 1
    assert "1 min 0 s" in page


def test_an_answer_has_its_interval_and_what_it_is_limited_to(ada: Client) -> None:
    histories.make_history("demo-1", done=6)
    for path in ("/", "/experiments/"):
        page = ada.get(path).content.decode()
        assert re.search(r'>[+−]?[0-9.]+ to [+−]?[0-9.]+(<span class="of-problems">)?,', page), path
        assert re.search(r"n = \d", page) and "1 seed" in page, path


def test_the_list_is_grouped_by_recipe_where_that_is_asked_for(ada: Client) -> None:
    for number, recipe in enumerate(("smoke", "demo", "smoke")):
        factories.make_experiment(f"{recipe}-{number}", stages=[], recipe_name=recipe)
    grouped = ada.get("/experiments/?sort=recipe").content.decode()
    assert re.findall(r'scope="rowgroup"[^>]*>\s*(\w+)\s*<', grouped) == ["demo", "smoke"]
    assert 'scope="rowgroup"' not in ada.get("/experiments/").content.decode()


def test_experiments_that_differ_in_their_seed_alone_are_taken_together(ada: Client) -> None:
    def make(name: str, seed: int, gained: int, width: int = 64) -> None:
        recipe = {"conditions": [{"name": "baseline"}], "seeds": [seed], "model": {"width": width}}
        experiment = factories.make_experiment(
            name, stages=[("pretrain", "pretrain")], seeds=[seed], recipe=recipe
        )
        for run in experiment.runs.all():
            right = 10 + gained * run.condition.position
            factories.add_evaluation(
                factories.make_attempt(run, state=State.SUCCEEDED), [i < right for i in range(100)]
            )

    make("demo-1", 0, 10)
    make("demo-2", 1, 20)
    make("demo-3", 2, 30)
    make("demo-4", 3, 60, width=128)
    make("demo-5", 2, 30)
    while "Reading the answers" in ada.get("/experiments/?sort=recipe").content.decode():
        pass  # once; then they are kept
    page = " ".join(ada.get("/experiments/?sort=recipe").content.decode().split())
    assert "demo-1, demo-2, demo-5 (seeds 0, 1, 2) together, mul_tokens − baseline after pretrain:" in page
    assert page.count("together, ") == 1
    assert "<b>+20.0</b> points" in page and "(−4.8 to +44.8)" in page, "t with 2 degrees of freedom: 4.303"
    assert "together, " not in ada.get("/experiments/").content.decode()


def test_a_fork_names_its_parent_and_the_parent_its_forks(ada: Client) -> None:
    parent = factories.make_experiment("demo-1", stages=[])
    differences = [["stages.grpo.beta", "0.1", "0.04"]]
    note = "fork of demo-1 at grpo"
    factories.make_experiment("demo-2", stages=[], origin=parent, origin_note=note, differences=differences)
    child = ada.get("/experiments/demo-2/").content.decode()
    assert re.search(r'href="/experiments/demo-1/">Fork of demo-1 at grpo</a>', child)
    assert "beta <b>0.1</b>" in child
    own = ada.get("/experiments/demo-1/").content.decode()
    assert re.search(r'Forks and clones:.*href="/experiments/demo-2/".*beta <b>0.1</b>', own, re.DOTALL)
