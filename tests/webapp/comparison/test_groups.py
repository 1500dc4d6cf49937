"""Groups of problems are compared by themselves, on the page, in the report and in files."""

import pytest
from django.test import Client

from tests.factories import add_evaluation, make_attempt, make_experiment, make_user, run_of
from webapp.comparison.groups import groups, sheet
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.reports.report import report
from webapp.results.outcome_counts import pair_counts, pair_counts_by_label
from webapp.runs.models import State
from webapp.statistics import proportions
from webapp.statistics.seeds import over_seeds

pytestmark = pytest.mark.django_db
SOLVED = {"baseline": lambda i: i % 5 == 0, "mul_tokens": lambda i: i % 5 == 0 or i % 3 == 0}


def labels(i: int) -> list[str]:
    return ["new_pair" if i % 3 == 0 else "known_pair", *(["plain"] if i % 2 else [])]


@pytest.fixture
def experiment() -> Experiment:
    """Everything that mul_tokens gains is among the new pairs."""
    made = make_experiment("demo-1", stages=(("words", "sft"),))
    for condition, solved in SOLVED.items():
        attempt = make_attempt(run_of(made, condition, "words"), state=State.SUCCEEDED)
        add_evaluation(attempt, [solved(i) for i in range(300)], labels=labels)
    return made


def test_each_group_has_its_counts_and_interval(experiment: Experiment) -> None:
    found = {one.name: one for one in groups(stage_table(experiment))}
    assert list(found) == ["known_pair", "new_pair", "plain"]
    new = found["new_pair"]
    assert (new.problems, new.baseline, new.other) == (100, 20, 100)
    assert (new.counts.gained, new.counts.lost, new.delta) == (80, 0, 0.8)
    assert new.interval == proportions.tango(80, 0, 100)
    assert found["known_pair"].delta == 0
    assert found["plain"].problems == 150, "a problem counts in each group that it belongs to"


def test_the_first_columns_say_in_words_what_they_have(experiment: Experiment) -> None:
    columns = sheet(stage_table(experiment)).view.columns
    assert [column.title for column in columns][:3] == ["Stage", "Group", "Problems"]


def test_groups_that_share_no_problem_add_up_to_the_whole(experiment: Experiment) -> None:
    table = stage_table(experiment)
    pair = tuple(cell.result.evaluation for cell in table.rows[0].seeds[0].cells)
    whole, apart = pair_counts([pair])[pair], pair_counts_by_label([pair])[pair]
    for name in ("both", "gained", "lost", "neither"):
        assert getattr(whole, name) == sum(getattr(apart[one], name) for one in ("known_pair", "new_pair"))


def test_the_page_the_report_and_the_file_have_them(experiment: Experiment, client: Client) -> None:
    client.force_login(make_user())
    page = client.get("/experiments/demo-1/comparison/").content.decode()
    assert "By group of problems" in page and '<th scope="row">new_pair</th>' in page
    assert "not adjusted for how many groups" in page
    assert "## By group of problems" in report(experiment)
    text = client.get("/experiments/demo-1/tables/groups.md").content.decode()
    assert "| words | new_pair | 100 | 20.0" in text.replace("\u00a0", " ")


def test_several_seeds_have_their_mean_with_an_interval_over_seeds(client: Client) -> None:
    made = make_experiment("demo-3", stages=(("words", "sft"),), seeds=(0, 1, 2))
    for condition, solved in SOLVED.items():
        for seed in (0, 1, 2):
            right = [solved(i) and i % (7 + seed) > 0 for i in range(300)]
            attempt = make_attempt(run_of(made, condition, "words", seed), state=State.SUCCEEDED)
            add_evaluation(attempt, right, labels=labels)
    found = sheet(stage_table(made))
    assert found.page is not None
    *seeds, mean = [row for row in found.page.rows if row.name == "new_pair"]
    assert [row.seed for row in (*seeds, mean)] == [0, 1, 2, None]
    expected = over_seeds([row.delta for row in seeds])
    assert (mean.delta, mean.interval) == (pytest.approx(expected.mean), expected.interval)
    assert len(found.rows) == 9, "files have the seeds"
    client.force_login(make_user())
    page = client.get("/experiments/demo-3/comparison/").content.decode()
    part = page[page.index("By group of problems") :]
    assert '<tr class="mean">' in part and part.count(">mean</td>") >= 3


@pytest.mark.parametrize("metric", ["tokens_per_response", "mul_tokens_per_response"])
def test_a_mean_has_no_groups(experiment: Experiment, metric: str) -> None:
    assert groups(stage_table(experiment, metric=metric)) == []


def test_without_groups_nothing_is_shown(client: Client) -> None:
    made = make_experiment("demo-2", stages=(("words", "sft"),))
    for condition in SOLVED:
        add_evaluation(make_attempt(run_of(made, condition, "words"), state=State.SUCCEEDED), [True] * 9)
    assert sheet(stage_table(made)).rows == []
    client.force_login(make_user())
    assert "By group of problems" not in client.get("/experiments/demo-2/comparison/").content.decode()
    assert "By group of problems" not in report(made)
