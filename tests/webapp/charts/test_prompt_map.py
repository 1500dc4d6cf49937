"""The prompt map: groups as they were sampled, what recurs, bands and their courses, resumed attempts."""

import json
import re

import numpy as np
import pytest
from django.test import Client

from tests.factories import (
    add_evaluation,
    add_rollouts,
    make_attempt,
    make_experiment,
    make_run,
    make_user,
    run_of,
)
from webapp.charts.prompt_map import BANDS, PromptMap, made, prompt_map
from webapp.results.models import Outcome
from webapp.runs.models import Attempt, State
from webapp.telemetry.group_arrays import Groups, groups
from webapp.telemetry.models import Rollout

pytestmark = pytest.mark.django_db
PROMPTS = ("User: 2 bags?", "User: 3 bags?", "User: 4 <bags>?")


def sampled(attempt: Attempt, step: int, right: dict[str, int], group_size: int = 4) -> None:
    """One group a prompt, so many of whose rollouts are right."""
    seq = add_rollouts(attempt, step=step, count=group_size * len(right), group_size=group_size)
    rows = Rollout.objects.filter(attempt=attempt, seq=seq).order_by("index")
    for place, row in enumerate(rows):
        row.prompt, count = list(right.items())[place // group_size]
        row.correct = place % group_size < count
        row.save()


@pytest.fixture
def attempt() -> Attempt:
    made = make_run("grpo", condition="baseline").attempts.get()
    sampled(made, 1, dict(zip(PROMPTS, (0, 1, 4), strict=True)))
    sampled(made, 2, {PROMPTS[0]: 2, PROMPTS[2]: 3})
    sampled(made, 3, {PROMPTS[0]: 4})
    return made


def mapped(attempt: Attempt) -> PromptMap:
    found = prompt_map(attempt.stage_run)
    assert found is not None
    return found


def test_the_map_has_the_hardest_prompt_first(attempt):
    found = mapped(attempt)
    assert (found.prompts, found.recurring, found.groups) == (3, 2, 6)
    assert [(row.prompt, row.difficulty, BANDS[row.band]) for row in found.rows] == [
        (PROMPTS[0], 0.0, "never solved"),
        (PROMPTS[2], 1.0, "always solved"),
    ]
    assert [(cell.row, cell.column, cell.right, cell.rollouts) for cell in found.cells] == [
        (0, 0, 0, 4), (1, 0, 4, 4), (0, 1, 2, 4), (1, 1, 3, 4), (0, 2, 4, 4),
    ]  # fmt: skip
    for cell in found.cells:
        chosen = Rollout.objects.get(pk=cell.first)
        assert (chosen.prompt, chosen.step) == (found.rows[cell.row].prompt, cell.column + 1)
    assert found.columns == ((1, 1), (2, 2), (3, 3))
    assert [(one.first, one.none, one.some, one.all) for one in found.blocks] == [
        (1, 1, 1, 1),
        (2, 0, 2, 0),
        (3, 0, 0, 1),
    ]


def test_a_bands_course_leaves_out_the_visit_that_chose_it(attempt):
    never, _, _, always = mapped(attempt).bands
    assert never.points == ((2.0, 0.5), (3.0, 1.0))
    assert always.points == ((2.0, 0.75),)
    assert (never.prompts, always.prompts) == (1, 1)
    assert sum(groups for _, groups in never.parts) == 2


def test_the_parent_says_how_difficult_a_prompt_is(attempt):
    run = attempt.stage_run
    evaluation = add_evaluation(make_attempt(run.parent, state=State.SUCCEEDED), [True, False])
    Outcome.objects.filter(evaluation=evaluation).update(prompt=PROMPTS[0])
    found = mapped(attempt)
    assert (found.by_parent, found.rows[0].difficulty, found.rows[0].by_parent) == (1, 0.5, True)
    assert found.bands[2].points == ((1.0, 0.0), (2.0, 0.5), (3.0, 1.0))


def test_what_a_later_attempt_sampled_again_does_not_count(attempt):
    later = make_attempt(attempt.stage_run, first_step=1)
    sampled(later, 2, {PROMPTS[1]: 4})
    found = mapped(attempt)
    assert (found.groups, found.recurring, found.last_step) == (4, 1, 2)
    assert found.rows[0].prompt == PROMPTS[1]


def test_a_group_of_two_records_is_one(attempt):
    for _ in range(2):
        seq = add_rollouts(attempt, step=9, count=2)
        Rollout.objects.filter(attempt=attempt, seq=seq).update(group=77, prompt=PROMPTS[0], correct=True)
    found = groups(attempt.stage_run_id)
    assert (found.rollouts[-1], found.right[-1]) == (4, 4)


def test_many_groups_are_cut_to_what_can_be_drawn():
    draw, count = np.random.default_rng(0), 40_000
    found = made(
        Groups(
            np.sort(draw.integers(1, 5_000, count)), draw.integers(0, 2_000, count), np.arange(count),
            np.full(count, 8), draw.integers(0, 9, count),
        ),
        {},
    )  # fmt: skip
    assert len(found.rows) == 400
    assert len(found.cells) <= 12_000
    assert len(found.columns) <= 240
    assert found.columns[-1][1] == found.last_step
    assert sum(block.groups for block in found.blocks) == count
    assert [row.difficulty for row in found.rows] == sorted(row.difficulty for row in found.rows)


def test_the_page_shows_each_condition_and_says_where_nothing_recurs(attempt, django_assert_max_num_queries):
    client = Client()
    client.force_login(make_user())
    other = make_attempt(run_of(attempt.stage_run.experiment, "mul_tokens", "grpo"), first_step=0)
    add_rollouts(other, step=1, count=8)
    with django_assert_max_num_queries(30):
        page = client.get(f"/runs/{attempt.stage_run_id}/prompts/").content.decode()
    assert "6 groups of 3" in page
    assert re.search(r"mul_tokens: none of\s+\d prompts? was asked more than once", page)
    assert page.count("By difficulty") == 1, "only where there are courses"
    assert page.count('class="solved-plot"') == 2
    assert re.search(r'<th scope="col">Steps \d', page) and "Part 1" not in page
    assert page.count('class="map-keys rate-keys small"') == 1, "the shades stand with the one map"
    assert "<bags>" not in page
    data = re.search(
        rf'<script id="prompts-{attempt.stage_run_id}" type="application/json">(.*?)</script>', page
    )
    assert data
    assert json.loads(data[1])["prompts"][0] == [PROMPTS[0], "never solved", 0.0]
    answer = client.get(f"/runs/{attempt.stage_run.parent_id}/prompts/")
    assert answer.status_code == 404
    assert "samples no rollouts" in answer.content.decode()


def test_few_that_recur_are_said_in_one_sentence_once(attempt):
    client = Client()
    client.force_login(make_user())
    runs = (attempt, make_attempt(run_of(attempt.stage_run.experiment, "mul_tokens", "grpo"), first_step=0))
    for one in runs:
        Rollout.objects.filter(attempt=one).delete()
        sampled(one, 1, {f"User: {number}?": number % 5 for number in range(41)})
        sampled(one, 2, {"User: 3?": 4})
        assert mapped(one).few
    page = " ".join(client.get(f"/runs/{attempt.stage_run_id}/prompts/").content.decode().split())
    assert (
        page.count("1 of 41 prompts was asked more than once, so there is no course of a prompt to draw.")
        == 1
    )
    assert "<canvas" not in page
    assert "By difficulty" not in page
    assert page.count('class="solved-plot"') == 2
    first = "".join(f"<td>{share}</td>" for share in ("22.0 %", "58.5 %", "19.5 %"))
    assert page.count(f'<th scope="row">1</th> {first}') == 2, "9, 24 and 8 of 41"
    assert '<th scope="row">2</th> <td>0.0 %</td><td>0.0 %</td><td>100.0 %</td>' in page
    sampled(attempt, 3, {"User: 4?": 4, "User: 2?": 1})
    assert not mapped(attempt).few


def test_prompts_that_the_parent_was_asked_have_bands_without_a_second_visit(attempt):
    run = attempt.stage_run
    Rollout.objects.filter(attempt=attempt).delete()
    sampled(attempt, 1, {f"User: {number}?": number % 5 for number in range(30)})
    evaluation = add_evaluation(make_attempt(run.parent, state=State.SUCCEEDED), [True, False])
    Outcome.objects.filter(evaluation=evaluation, problem="p0000").update(prompt="User: 1?")
    Outcome.objects.filter(evaluation=evaluation, problem="p0001").update(prompt="User: 2?")
    found = mapped(attempt)
    assert (found.few, found.banded) == (True, True)


def test_a_run_without_rollouts_has_no_map():
    experiment = make_experiment()
    assert prompt_map(run_of(experiment, "baseline", "grpo")) is None
    assert not len(groups(run_of(experiment, "baseline", "grpo").pk).steps)
