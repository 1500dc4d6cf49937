"""The problem map and the stepper: the numbers of an independent count, orders, what is refused, and texts that change."""

import json
import random
import re
from collections import Counter
from html import unescape

import pytest
from django.test import Client
from django.utils.http import urlencode

from tests.factories import (
    EVALUATION_SETTINGS,
    add_evaluation,
    make_attempt,
    make_experiment,
    make_user,
    run_of,
)
from webapp.comparison.problems.map_rows import map_rows
from webapp.comparison.problems.problem_map import ORDERS, ProblemMap, natural, problem_map
from webapp.experiments.models import Experiment, Stage
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
MAP = "/experiments/demo-1/problems/"
STEPPER = "/experiments/demo-1/problems/stepper/"
STAGES = ("pretrain", "sft", "grpo")
PROBLEMS = 60


@pytest.fixture
def signed_in() -> Client:
    client = Client()
    client.force_login(make_user())
    return client


@pytest.fixture
def right(db: None) -> dict[tuple[str, int, str], list[bool]]:
    """(condition, seed, stage) → what its checkpoint says to each problem, of an experiment that has just that."""
    experiment = make_experiment(stages=tuple((stage, "sft") for stage in STAGES), seeds=(0, 1))
    draw, made = random.Random(7), {}
    for condition in ("baseline", "mul_tokens"):
        for seed in (0, 1):
            for stage in STAGES:
                marks = [draw.random() < 0.5 for _ in range(PROBLEMS)]
                attempt = make_attempt(run_of(experiment, condition, stage, seed), state=State.SUCCEEDED)
                add_evaluation(attempt, marks)
                made[condition, seed, stage] = marks
    return made


def drawn(client: Client, query: str = "") -> dict:
    page = client.get(f"{MAP}?{query}").content.decode()
    found = re.search(r'<script id="map-data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def moved(before: bool | None, now: bool) -> str:
    if before is None or before == now:
        return "r" if now else "w"
    return "g" if now else "l"


def test_every_cell_is_what_was_answered(right, signed_in):
    for order in ORDERS:
        data = drawn(signed_in, f"order={order}")
        assert [(one["seed"], one["condition"]) for one in data["blocks"]] == [
            (seed, condition) for seed in (0, 1) for condition in ("baseline", "mul_tokens")
        ]
        assert sorted(data["problems"]) == [f"p{i:04d}" for i in range(PROBLEMS)]
        for block in data["blocks"]:
            of = [right[block["condition"], block["seed"], stage] for stage in STAGES]
            for row, problem in enumerate(data["problems"]):
                marks = [column[int(problem[1:])] for column in of]
                expected = [moved(a, b) for a, b in zip([None, *marks], marks, strict=False)]
                assert [column[row] for column in block["columns"]] == expected


def test_the_counts_are_those_of_an_independent_count(right, signed_in):
    found = problem_map(Experiment.objects.get())
    for place, counts in enumerate(found.counts()):
        for block, one in zip(found.blocks, counts, strict=True):
            of = [right[block.condition.name, block.seed, stage] for stage in STAGES]
            pairs = Counter(zip(of[place - 1], of[place], strict=True)) if place else Counter()
            assert (one.asked, one.right) == (PROBLEMS, sum(of[place]))
            assert (one.gained, one.lost) == (pairs[False, True], pairs[True, False])
    for block, patterns in zip(found.blocks, found.pattern_counts(), strict=True):
        of = [right[block.condition.name, block.seed, stage] for stage in STAGES]
        assert patterns["always"] == sum(map(all, zip(*of, strict=True)))
        assert patterns["never"] == sum(not any(marks) for marks in zip(*of, strict=True))
        assert patterns.total() == PROBLEMS


def test_problems_of_one_history_lie_together(right):
    found = problem_map(Experiment.objects.get(), conditions=["mul_tokens"], seeds=["1"])
    histories = [found.history(problem) for problem in found.problems]
    assert histories == sorted(histories)
    assert len(found.blocks) == 1
    by_solved = problem_map(Experiment.objects.get(), order="solved")
    solved = [by_solved.solved(problem) for problem in by_solved.problems]
    assert solved == sorted(solved)
    assert set(solved) == {0, 1, 2, 3, 4}


def test_problems_whose_conditions_end_otherwise_come_first(right):
    found = problem_map(Experiment.objects.get(), order="differ", seeds=["0"])
    first, other = (right[condition, 0, STAGES[-1]] for condition in ("baseline", "mul_tokens"))
    apart = [other[int(name[1:])] - first[int(name[1:])] for name in found.problems]
    assert set(apart) == {1, -1, 0}
    assert apart == sorted(apart, key=[1, -1, 0].index), "gained, lost, then what is the same"
    both = problem_map(Experiment.objects.get(), order="differ")
    assert sorted(both.problems) == sorted(found.problems)


def answered(experiment: Experiment, letters: dict[str, str]) -> ProblemMap:
    """The map of what the baseline's checkpoints of seed 0 say after each stage: a letter a problem, r where it is right."""
    for stage, said in letters.items():
        of = Evaluation.objects.get(attempt__stage_run=run_of(experiment, "baseline", stage, 0))
        for place, letter in enumerate(said):
            of.outcomes.filter(problem=f"p{place:04d}").update(correct=letter == "r")
    return problem_map(experiment, conditions=["baseline"], seeds=["0"])


def test_problems_that_never_change_fold_into_bands(right, signed_in):
    wrong, gained, lost = "w" * 40, "wwwwr" * 2, "rrrrr" * 2
    letters = {"pretrain": wrong + gained + lost, "sft": wrong + lost + lost, "grpo": wrong + lost + lost}
    found = answered(Experiment.objects.get(), letters)
    rows = map_rows(found)
    assert (rows.folded, rows.unchanged) == (True, 52)
    assert [(row.problems, row.says) for row in rows.rows] == [
        (40, "40 wrong everywhere"), *[(1, "")] * 8, (12, "12 right everywhere"),
    ]  # fmt: skip
    assert [(one.row, one.rows, one.says) for one in rows.labels(5)] == [
        (0, 1, "40 wrong everywhere"), (1, 8, "8 problems"), (9, 1, "12 right everywhere"),
    ]  # fmt: skip
    each = map_rows(found, "each")
    assert (each.folded, len(each.rows)) == (False, PROBLEMS)
    assert [one.says for one in each.labels(9)] == ["40 wrong everywhere", "12 right everywhere"]
    query = "conditions=baseline&seeds=0"
    data = drawn(signed_in, query)
    assert data["heights"] == [24, *[6] * 8, 24]
    assert data["blocks"][0]["columns"] == ["w" * 9 + "r", "w" + "g" * 8 + "r", "w" + "r" * 9]
    page = signed_in.get(f"{MAP}?{query}").content.decode()
    assert "unchanged=each" in page
    assert "Draw one row for each of the 52 that never change" in page
    assert "Fold the 52 that never change" in signed_in.get(f"{MAP}?{query}&unchanged=each").content.decode()
    assert len(drawn(signed_in, f"{query}&unchanged=each")["problems"]) == PROBLEMS


def test_few_that_never_change_fold_only_when_asked(right):
    found = problem_map(Experiment.objects.get(), conditions=["baseline"], seeds=["0"])
    never = [one for one in found.problems if len(set("".join(found.history(one)))) == 1]
    assert 0 < len(never) < PROBLEMS / 2
    assert not map_rows(found).folded
    folded = map_rows(found, "folded")
    assert folded.bands == 2
    assert sum(row.problems for row in folded.rows) == PROBLEMS
    assert {found.problems[row.place] for row in folded.rows[1:-1]} == {*found.problems} - {*never}


def test_the_benchmark_counts_its_problems_in_tens():
    assert sorted(["a-10", "a-9", "b", "a-1x"], key=natural) == ["a-1x", "a-9", "a-10", "b"]


def test_a_stage_moves_what_the_stage_that_it_goes_on_from_left(right):
    first, second, last = Stage.objects.order_by("position")
    last.after = first
    last.save()
    found = problem_map(Experiment.objects.get(), seeds=["0"], conditions=["baseline"])
    assert found.before == (None, 0, 0)
    assert found.line == (0, 2)
    Evaluation.objects.filter(attempt__stage_run__stage=second).delete()
    assert [stage.name for stage in problem_map(Experiment.objects.get()).stages] == ["pretrain", "grpo"]


def test_what_was_asked_other_problems_or_otherwise_is_said(right):
    experiment = Experiment.objects.get()
    odd = Evaluation.objects.filter(attempt__stage_run=run_of(experiment, "baseline", "grpo", 1))
    odd.update(settings=EVALUATION_SETTINGS | {"max_new_tokens": 99})
    assert "(the token limit)" in problem_map(experiment).caution
    odd.update(settings=EVALUATION_SETTINGS | {"problems_sha256": "1" * 64})
    found = problem_map(experiment)
    assert found.caution == "1 evaluation of other problems are left out."
    assert found.blocks[2].evaluations[2] is None
    assert set(found.columns[2][2]) == {"-"}


def test_a_map_takes_few_queries_and_no_text(right, signed_in, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        assert signed_in.get(MAP).status_code == 200
    with django_assert_max_num_queries(15):
        assert signed_in.get(f"{STEPPER}?problem=p0003").status_code == 200


@pytest.mark.parametrize("url", [MAP, STEPPER])
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("order=sideways", "there is no order"),
        ("unchanged=some", "there is no way to draw what never changes"),
        ("conditions=nobody", "there is no condition"),
        ("seeds=7", "there is no seed"),
        ("seeds=x", "there is no seed"),
        ("benchmark=nothing", "there is no benchmark"),
    ],
)
def test_an_unknown_choice_is_named(right, signed_in, url, query, reason):
    answer = signed_in.get(f"{url}?{query}")
    assert answer.status_code == 400
    assert reason in answer.content.decode()


def test_an_experiment_without_outcomes_says_so(signed_in):
    make_experiment()
    assert "No checkpoint of these has answered a problem" in signed_in.get(MAP).content.decode()
    answer = signed_in.get(STEPPER)
    assert answer.status_code == 404
    assert "has answered a problem of" in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("problem=p9999", 404, "was asked a problem 'p9999'"),
        ("problem=%3Cb%3E%2F..%00", 404, "a problem '<b>/..'"),
        ("problem=p0003&change=some", 400, "there is no change 'some'"),
        ("problem=p0003&seed=9", 400, "there is no seed '9'"),
        ("problem=p0003&stage=nowhere", 400, "there is no stage 'nowhere'"),
        ("problem=p0003&flips=first%3Dnobody", 400, "there is no condition 'nobody'"),
    ],
)
def test_a_problem_that_there_is_not_gets_words(right, signed_in, query, status, words):
    answer = signed_in.get(f"{STEPPER}?{query}")
    assert answer.status_code == status
    assert words in unescape(answer.content.decode())
    assert "<b>/" not in answer.content.decode()


def test_the_stepper_goes_through_the_list_that_it_was_opened_from(right, signed_in):
    page = signed_in.get(f"{STEPPER}?problem=p0009&order=benchmark").content.decode()
    assert "10 of 60</span>" in page
    assert "in the order of the" in page
    assert re.search(r'rel="next"[^>]*problem=p0010', page)
    pairs = zip(right["baseline", 0, "grpo"], right["mul_tokens", 0, "grpo"], strict=True)
    gained = [f"p{i:04d}" for i, (a, b) in enumerate(pairs) if b and not a]
    query = urlencode({"problem": gained[1], "flips": "only=gained&seed=0"})
    page = signed_in.get(f"{STEPPER}?{query}").content.decode()
    assert f"2 of {len(gained)}</span>" in page
    assert re.search(rf'rel="next"[^>]*problem={gained[2]}', page)
    assert "/flips/?only=gained&amp;seed=0#problems" in page


def test_the_stepper_begins_at_what_the_last_stage_changed_and_is_narrowed(right, signed_in):
    moved = {"gained": (False, True), "lost": (True, False)}
    of = {
        kind: {
            f"p{i:04d}"
            for condition in ("baseline", "mul_tokens")
            for i in range(PROBLEMS)
            if (right[condition, 0, "sft"][i], right[condition, 0, "grpo"][i]) == pair
        }
        for kind, pair in moved.items()
    }
    of = {"changed": of["gained"] | of["lost"], **of}
    for kind, problems in of.items():
        page = signed_in.get(f"{STEPPER}{'' if kind == 'changed' else f'?change={kind}'}").content.decode()
        first = re.search(r"<h1[^>]*>\s*(p\d+)", page)
        assert first and first[1] in problems
        assert f"1 of {len(problems)}</span>" in page
        assert re.search(rf'aria-current="true">{kind}\s', page)
        following = re.search(r'rel="next" data-keeps href="([^"]*)"', page)
        assert following and f"change={kind}" in following[1]
    everything = signed_in.get(f"{STEPPER}?change=&seed=1").content.decode()
    assert f"1 of {PROBLEMS}</span>" in everything


def test_the_stepper_begins_with_the_first_problem_where_nothing_changed(signed_in):
    experiment = make_experiment(stages=(("pretrain", "sft"), ("grpo", "sft")))
    for run in experiment.runs.all():
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [True, False])
    page = signed_in.get(STEPPER).content.decode()
    assert "1 of 2</span>" in page
    assert "changed by grpo 0" in page


def test_the_stepper_shows_every_mark_and_what_changed(right, signed_in):
    experiment = Experiment.objects.get()
    for stage, text in (
        ("pretrain", "3 and <b> 4\n#### 7"),
        ("sft", "3 and <b> 4\n#### 7"),
        ("grpo", "5 and <b> 4\n#### 9"),
    ):
        of = Evaluation.objects.get(attempt__stage_run=run_of(experiment, "baseline", stage, 1))
        Outcome.objects.filter(evaluation=of, problem="p0003").update(completion=text, final_answer=text[-1])
    page = signed_in.get(f"{STEPPER}?problem=p0003&seed=1").content.decode()
    assert "<b> 4" not in page
    assert "<del>3</del><ins>5</ins> and &lt;b&gt; 4\n#### <del>7</del>" in page
    assert '<ins><span class="final">9</span></ins>' in page
    assert "The same as after the stage before" in page
    answers = re.findall(r'<span\s+class="track-answer"><bdi[^>]*>([^<]*)</bdi></span>', page)
    assert len(answers) == 12
    assert answers[6:9] == ["7", "7", "9"], "of the baseline with seed 1"
    signs = re.findall(
        r'data-stage="(\w+)".*?<span class="visually-hidden">(right|wrong)</span>', page, re.DOTALL
    )
    blocks = [(condition, seed) for seed in (0, 1) for condition in ("baseline", "mul_tokens")]
    assert signs == [
        (stage, "right" if right[(*block, stage)][3] else "wrong") for block in blocks for stage in STAGES
    ]


def test_outcomes_and_flips_lead_to_the_stepper(right, signed_in):
    evaluation = Evaluation.objects.get(
        attempt__stage_run=run_of(Experiment.objects.get(), "mul_tokens", "sft", 1)
    )
    for page in (f"/evaluations/{evaluation.pk}/", "/experiments/demo-1/flips/?only=gained"):
        links = re.findall(r'href="([^"]*problems/stepper/[^"]*)"', signed_in.get(page).content.decode())
        assert links
        assert signed_in.get(unescape(links[-1])).status_code == 200
