"""Flips: counted as the stage table counts them, narrowed, refused with the reason, exported to the digit."""

import csv
import io
import json
import re
from html import unescape

import pyarrow.parquet as pq
import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from tests.factories import (
    EVALUATION_SETTINGS,
    add_evaluation,
    make_attempt,
    make_experiment,
    make_user,
    run_of,
)
from webapp.comparison.problems.flips import flips
from webapp.comparison.table import stage_table
from webapp.experiments.models import Stage
from webapp.results.models import Outcome
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
URL = "/experiments/demo-1/flips"


@pytest.fixture
def signed_in():
    client = Client()
    client.force_login(make_user())
    return client


@pytest.fixture
def experiment():
    """Three stages in two conditions; run p of six has those problems right whose number p + 2 divides."""
    made = make_experiment(stages=(("first", "sft"), ("second", "sft"), ("grpo", "grpo")))
    for place, run in enumerate(made.runs.order_by("id")):
        attempt = make_attempt(run, state=State.SUCCEEDED)
        add_evaluation(attempt, [i % (place + 2) == 0 for i in range(60)])
    return made


@pytest.fixture(autouse=True)
def one_connection(monkeypatch):
    """A download would give the test's own connection back."""
    monkeypatch.setattr("webapp.pages.file_responses.close_old_connections", lambda: None)


def content(response):
    """The whole of a response, streamed or not."""

    async def read():
        return b"".join([part async for part in response.streaming_content])

    return async_to_sync(read)() if response.streaming else response.content


def test_the_counts_are_the_stage_tables(experiment):
    found = flips(experiment)
    (row,) = [row for row in stage_table(experiment).rows if row.stage == "grpo"]
    assert found.counts == row.seeds[0].comparisons[0].counts
    assert (found.delta, found.p) == (row.seeds[0].comparisons[0].delta, row.seeds[0].comparisons[0].p)
    assert len(found.chosen("gained")) == found.counts.gained
    # 4 divides 60 // 4 = 15 times, 7 divides 9 times; both 0, 28 and 56
    assert (found.counts.gained, found.counts.lost, found.counts.both) == (6, 12, 3)


def test_the_page_begins_with_the_two_by_two_whose_cells_narrow_the_list(experiment, signed_in):
    page = unescape(content(signed_in.get(f"{URL}/?only=lost")).decode())
    table = page.split('class="numbers pair-table"')[1].split("</table>")[0]
    cells = re.findall(
        r'<a href="([^"]*)"\s+(aria-current="true")?><strong>(\d+)</strong>\s*<span>([^<]*)</span>', table
    )
    assert [(current, count, words) for _, current, count, words in cells] == [
        ("", "3", "both right"),
        ('aria-current="true"', "12", "only baseline right"),
        ("", "6", "only mul_tokens right"),
        ("", "39", "both wrong"),
    ]
    assert cells[2][0] == "?only=gained#problems"
    assert "<dt>mul_tokens − baseline</dt>" in page
    assert (
        page.index("pair-table") < page.index("Compare another pair") < page.index("Paths through the stages")
    )
    assert page.index("baseline after grpo") < page.index("mul_tokens after grpo"), "in the order of the form"
    for query, difference in (
        ("first=baseline&first_stage=first&second=baseline&second_stage=grpo", "grpo − first"),
        ("first_stage=first&second_stage=grpo", "mul_tokens after grpo − baseline after first"),
    ):
        assert f"<dt>{difference}</dt>" in content(signed_in.get(f"{URL}/?{query}")).decode()


def test_two_stages_of_one_condition(experiment):
    found = flips(experiment, first=("baseline", "first"), second=("baseline", "grpo"))
    assert (found.counts.gained, found.counts.lost, found.counts.both) == (0, 15, 15)
    assert [way.condition.name for way in found.ways] == ["baseline"]
    assert found.ways[0].stages == ("first", "second", "grpo")
    assert found.pattern_counts()[0].total() == 60
    # right after the second stage only: 3 divides it, 2 does not
    assert [one.id for one in found.chosen(pattern="gained_lost")] == [f"p{i:04d}" for i in range(3, 60, 6)]


def test_problems_first_right_after_a_stage(experiment, signed_in):
    found = flips(experiment)
    ways = {  # stage by stage, as the fixture has them: the numbers that divide
        "baseline": (2, 3, 4),
        "mul_tokens": (5, 6, 7),
    }
    for way, divisors in zip(found.ways, ways.values(), strict=True):
        place = found.ways.index(way)
        for at, stage in enumerate(("first", "second", "grpo")):
            expected = [
                f"p{i:04d}"
                for i in range(60)
                if i % divisors[at] == 0 and all(i % earlier for earlier in divisors[:at])
            ]
            assert [one.id for one in found.chosen(way=place, since=stage)] == expected
            assert found.since_counts()[place][stage] == len(expected)
    kept = found.chosen(pattern="kept", way=1, since="grpo")
    assert (
        len(kept)
        == found.pattern_counts(since="grpo")[1]["kept"]
        == found.since_counts(pattern="kept")[1]["grpo"]
    )
    page = content(signed_in.get(f"{URL}/?pattern=kept&since=grpo&of=mul_tokens")).decode()
    assert len(re.findall(r'<article class="outcome flip"', page)) == len(kept)
    assert "first right after grpo in mul_tokens" in page
    assert f"Download {len(kept)} rows" in page
    assert "Download all 60 rows" in page
    assert 'only=gained#problems"' in unescape(page)
    file = content(signed_in.get(f"{URL}.csv?pattern=kept&since=grpo&of=mul_tokens")).decode()
    assert sorted(one["problem"] for one in csv.DictReader(io.StringIO(file))) == [one.id for one in kept]


def test_the_way_leaves_out_other_branches(experiment):
    first, second, grpo = Stage.objects.filter(experiment=experiment)
    grpo.after = first
    grpo.save()
    found = flips(experiment, second=("mul_tokens", "grpo"))
    assert found.ways[0].stages == ("first", "grpo")
    assert flips(experiment, second=("mul_tokens", second.name)).ways[0].stages == ("first", "second")


def test_a_page_takes_few_queries(experiment, signed_in, django_assert_max_num_queries):
    with django_assert_max_num_queries(18):
        assert signed_in.get(f"{URL}/").status_code == 200


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("first=baseline&second=baseline&first_stage=grpo&second_stage=grpo", "the same checkpoint"),
        ("second_stage=second&first_stage=second", "the token limit differs"),
        ("first_stage=grpo&second_stage=grpo&benchmark=nothing", "there is no benchmark"),
        ("seed=7", "there is no seed"),
        ("first=nobody", "there is no condition"),
        ("first_stage=nowhere", "there is no stage"),
        ("only=some", "there is no kind"),
        ("pattern=zigzag", "there is no pattern"),
        ("since=nowhere", "there is no stage"),
        ("metric=tempo", "there is no metric"),
    ],
)
def test_what_cannot_be_compared_says_why(experiment, signed_in, query, reason):
    other = run_of(experiment, "mul_tokens", "second").attempts.get().evaluations.get()
    other.settings = EVALUATION_SETTINGS | {"max_new_tokens": 99}
    other.save()
    for address in (f"{URL}/", f"{URL}.csv"):
        response = signed_in.get(f"{address}?{query}")
        assert response.status_code in (200, 400)
        assert reason in content(response).decode()


def test_conditions_that_share_a_run_are_the_same_run(experiment, signed_in):
    run = run_of(experiment, "mul_tokens", "first")
    run.reused_from = run_of(experiment, "baseline", "first")
    run.save()
    asked = "first_stage=first&second_stage=first"
    assert "Both are the same run" in signed_in.get(f"{URL}/?{asked}").content.decode()
    assert flips(experiment, first=("", "first"), second=("", "first")).problems == ()
    assert flips(experiment, first=("", "first"), second=("", "grpo")).refusal == ""


def test_an_unfinished_evaluation_is_not_listed(experiment, signed_in):
    Outcome.objects.filter(
        evaluation__attempt__stage_run=run_of(experiment, "mul_tokens", "grpo"), problem="p0003"
    ).delete()
    page = signed_in.get(f"{URL}/?first_stage=grpo&second_stage=grpo").content.decode()
    assert "mul_tokens has no finished evaluation after grpo yet" in page
    assert "selected>second" in signed_in.get(f"{URL}/").content.decode()


def test_the_list_is_narrowed_and_paged(experiment, signed_in):
    ids = re.findall(
        r'<article class="outcome flip" id="(p\d+)"', content(signed_in.get(f"{URL}/?only=lost")).decode()
    )
    assert ids == [f"p{i:04d}" for i in range(0, 60, 4) if i % 7]
    second = content(signed_in.get(f"{URL}/?only=neither&page=2")).decode()
    assert len(re.findall(r'<article class="outcome flip"', second)) == 39 - 25


def test_texts_are_escaped_and_mul_tokens_marked(experiment, signed_in):
    Outcome.objects.filter(problem="p0004").update(
        completion="<script>x</script> <MUL_6_9_54>", final_answer="<b>"
    )
    page = signed_in.get(f"{URL}/?only=lost").content.decode()
    assert "<script>x" not in page
    assert "<b>" not in page
    assert '<mark class="mul">&lt;MUL_6_9_54&gt;</mark>' in page


def test_files_have_the_whole_list(experiment, signed_in):
    Outcome.objects.filter(problem="p0004").update(completion='=HYPERLINK("x")')
    lines = list(csv.DictReader(io.StringIO(content(signed_in.get(f"{URL}.csv?only=lost")).decode())))
    assert [one["problem"] for one in lines] == [f"p{i:04d}" for i in range(0, 60, 4) if i % 7]
    assert {one["flip"] for one in lines} == {"lost"}
    assert lines[0]["first_completion"] == '\'=HYPERLINK("x")'
    objects = [json.loads(line) for line in content(signed_in.get(f"{URL}.jsonl")).decode().splitlines()]
    assert len(objects) == 60
    assert [one["flip"] for one in objects] == ["gained"] * 6 + ["lost"] * 12 + ["both"] * 3 + [
        "neither"
    ] * 39
    (four,) = [one for one in objects if one["problem"] == "p0004"]
    assert (four["first_yes"], four["second_yes"], four["first_completion"]) == (
        True,
        False,
        '=HYPERLINK("x")',
    )
    assert four["first_way"] == ["first: yes", "second: no", "grpo: yes"]
    assert four["first_pattern"] == "regained"
    table = pq.read_table(io.BytesIO(content(signed_in.get(f"{URL}.parquet?only=gained"))))
    assert table.num_rows == 6
    assert b"exact McNemar" in table.schema.metadata[b"provenance"]
    experiment.recipe |= {"test": "midp", "alpha": 0.01}
    experiment.alpha = 0.01
    experiment.save()
    table = pq.read_table(io.BytesIO(content(signed_in.get(f"{URL}.parquet?only=gained"))))
    assert b"mid-p McNemar" in table.schema.metadata[b"provenance"]
    assert re.search(r"points</strong>.*? \(99 % ", content(signed_in.get(f"{URL}/")).decode(), re.DOTALL)
    assert signed_in.get(f"{URL}.docx").status_code == 404


def test_gained_and_lost_open_their_problems(experiment, signed_in):
    page = unescape(
        signed_in.get(
            "/experiments/demo-1/comparison/?metric=hit_limit_rate&baseline=mul_tokens"
        ).content.decode()
    )
    table = page.partition('id="stage-table"')[2].partition("</table>")[0]
    links = re.findall(r'href="([^"]*/flips/[^"]*only=[^"]*)"', table)
    assert len(links) == 6
    assert "first=mul_tokens&first_stage=grpo&second=baseline&second_stage=grpo&only=lost" in links[-1]
    assert "metric=hit_limit_rate" in links[-1]
    assert signed_in.get(links[-1]).status_code == 200
