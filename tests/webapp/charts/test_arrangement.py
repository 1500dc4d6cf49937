"""Where a run's charts stand: a person's order, groups, and what is 0 throughout."""

from typing import Any

import pytest
from django.test import Client

from tests import factories, histories
from webapp.charts.arrangement import merged
from webapp.runs.models import StageRun

pytestmark = pytest.mark.django_db


def charts(client: Client, run: StageRun, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/runs/{run.pk}/charts.json?{query}").json()["charts"]
    return [chart for chart in found if chart["main"]]


@pytest.mark.parametrize(
    ("chosen", "known", "expected"),
    [
        ([], ["a", "b"], ["a", "b"]),
        (["b", "a"], ["a", "b", "c"], ["b", "c", "a"]),
        (["c", "gone", "c"], ["a", "b", "c"], ["a", "b", "c"]),
    ],
)
def test_a_chart_that_nobody_placed_stands_behind_the_one_before_it(
    chosen: list[str], known: list[str], expected: list[str]
) -> None:
    assert merged(chosen, known) == expected


def test_the_cookie_s_order_is_the_page_s_and_the_list_s(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    run = factories.make_run("grpo")
    histories.train(run.attempts.get(), "grpo", steps=5)
    client.cookies["chart_order"] = "*kl%2Closs%2Cnothing%2Creward"
    found = charts(client, run)
    assert found[0]["key"] == "kl"
    assert [chart["key"] for chart in found if chart["pinned"]] == ["kl"]
    keys = [chart["key"] for chart in found if chart["group"] == ""]
    assert keys.index("loss") < keys.index("reward")
    page = client.get(f"/runs/{run.pk}/").content.decode()
    drawn = [chart["key"] for chart in found if not chart["zero"]]  # what is 0 throughout stands behind
    places = [page.index(f'id="chart-{key}"') for key in drawn]
    assert places == sorted(places)
    assert "keys=kl%2C" in page, "what stands first is fetched first"


def test_what_is_0_in_every_run_that_is_shown_stands_in_one_line(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    experiment = factories.make_experiment(stages=(("grpo", "grpo"),))
    runs = {
        name: factories.make_run("grpo", experiment=experiment, condition=name)
        for name in ("baseline", "mul_tokens")
    }
    for run in runs.values():
        factories.add_metrics(
            run.attempts.get(), {"reward": [0.1, 0.2], "repetition": [0.0, -0.0], "hit_limit": [0.0, 0.0]}
        )
    factories.add_metrics(runs["mul_tokens"].attempts.get(), {"hit_limit": [0.5]}, first_step=3)
    zero = {chart["key"]: chart["zero"] for chart in charts(client, runs["baseline"])}
    assert zero == {"reward": False, "repetition": True, "hit_limit": False}
    assert {chart["key"] for chart in charts(client, runs["baseline"], "runs=own") if chart["zero"]} == {
        "repetition",
        "hit_limit",
    }
    page = client.get(f"/runs/{runs['baseline'].pk}/").content.decode()
    assert "1 metric was 0 throughout:" in page


def test_a_chart_of_several_metrics_is_drawn_where_one_of_them_is_not_0(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    run = factories.make_run("grpo")
    recorded = {"pass_at/1": [0.0, 0.0], "pass_at/8": [0.0, 0.5], "solved/all": [0.0, 0.0], "completion_length": [7.0, 8.0]}  # fmt: skip
    factories.add_metrics(run.attempts.get(), recorded | {"length/wrong_mean": [0.0, 0.0]})
    zero = {chart["key"]: chart["zero"] for chart in charts(client, run)}
    assert zero == {"pass_at_k": False, "solved": True, "completion_length": False, "lengths": False}
