"""The plan on this installation: its own speeds, its queue and disk, what it asks; on the form and by its address."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests import factories, histories
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.launch import planning
from webapp.launch.launch import launch
from webapp.launch.planning import PlanWishes, propose
from webapp.launch.reuse import plan_launch
from webapp.launch.sample_size.power import power
from webapp.runs.models import Attempt, StageRun, State, Worker
from webapp.runs.queues import drain

pytestmark = pytest.mark.django_db
SMOKE, PHASE_6 = "/experiments/new/smoke/", "/experiments/new/phase6_grpo_20x/"
YEARS = {"stages.pretrain.steps": "10000000000"}


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


@pytest.fixture
def smoke() -> recipes.Recipe:
    return recipes.build(recipes.read("smoke"))


def add_worker(*devices: str, **fields: Any) -> Worker:
    own = {"hostname": "box", "boot_id": "b", "pid": 1, "process_started": 1.0}
    own |= {"devices": list(devices), "queues": ["default"]}
    return Worker.objects.create(name=f"worker@{Worker.objects.count()}", **(own | fields))


def succeed(run: StageRun, **series: list[float]) -> None:
    """A run that is over, with its metrics and an evaluation of 10 seconds."""
    attempt = factories.make_attempt(run, state=State.SUCCEEDED)
    factories.add_metrics(attempt, series)
    settings = factories.EVALUATION_SETTINGS
    evaluation = factories.add_evaluation(attempt, [True] * 60 + [False] * 90, settings=settings)
    evaluation.at = attempt.ended_at - timedelta(seconds=10)
    evaluation.save()


def launched(recipe: recipes.Recipe) -> dict[tuple[str, str], StageRun]:
    experiment = launch(recipe=recipe, owner=factories.make_user())
    runs = StageRun.objects.filter(experiment=experiment).select_related("stage", "condition")
    return {(run.condition.name, run.stage.name): run for run in runs}


def seconds(proposal: planning.Proposal, stage: str) -> tuple[float, bool]:
    run = next(one for one in proposal.plan.runs if one.spec.stage == stage)
    return run.seconds, run.measured


def test_speeds_come_from_earlier_runs_of_the_same_kind_size_and_device(smoke: recipes.Recipe) -> None:
    add_worker("cpu:0", "cpu:1")
    guessed = propose(smoke)
    assert (guessed.plan.hardware.key, guessed.plan.measured) == ("cpu", False)
    runs = launched(smoke)
    succeed(runs["baseline", "pretrain"], tokens_per_second=[10.0, 20_000.0, 20_000.0])
    succeed(runs["baseline", "grpo"], rollouts_per_second=[50.0, 100.0, 150.0], tokens_per_second=[1.0] * 3)

    found = propose(smoke)
    assert seconds(found, "pretrain") == (pytest.approx(40 + 140 * 16 * 96 / 20_000 + 10, abs=1), True), (
        "40 s to begin"
    )
    assert seconds(found, "grpo") == (pytest.approx(40 + 30 * 64 / 100 + 10, abs=1), True)
    assert seconds(found, "instruct")[1] is False, "nothing of its kind has run"
    assert seconds(propose(smoke, device="h200"), "pretrain")[1] is False, "another device"

    wider = recipes.build(smoke.model_dump(mode="json"), [("model.n_embd", 192)])
    assert seconds(propose(wider), "pretrain")[1] is False
    longer = recipes.build(smoke.model_dump(mode="json"), [("stages.pretrain.length", 64)])
    assert seconds(propose(longer), "pretrain")[1] is False
    StageRun.objects.get(pk=runs["baseline", "grpo"].pk).attempts.update(device="cuda:0")
    assert seconds(propose(smoke), "grpo")[1] is False


def test_an_evaluation_with_samples_tells_nothing_of_one_without(smoke: recipes.Recipe) -> None:
    add_worker("cpu:0")
    succeed(launched(smoke)["baseline", "pretrain"], tokens_per_second=[20_000.0])
    drawn = smoke.benchmarks[0].model_copy(update={"samples": 8})
    sampled = recipes.build(smoke.model_dump(mode="json"), [("benchmarks", [drawn.model_dump(mode="json")])])
    assert seconds(propose(smoke), "pretrain")[1] is True
    assert seconds(propose(sampled), "pretrain")[1] is False


def test_made_up_records_are_no_experience(smoke: recipes.Recipe) -> None:
    add_worker("cpu:0")
    runs = launched(smoke)
    succeed(runs["baseline", "pretrain"], tokens_per_second=[1.0])
    succeed(runs["baseline", "curriculum"], tokens_per_second=[1.0])
    assert propose(smoke).plan.seconds > 140 * 16 * 96
    assert "measured before" in propose(smoke).plan.cautions[0].text
    Attempt.objects.update(hostname="")  # as `mulberry seed` leaves them
    assert propose(smoke).plan.seconds < 1_000
    assert not any("measured before" in caution.text for caution in propose(smoke).plan.cautions)


def test_accuracy_and_discordance_come_from_earlier_experiments(smoke: recipes.Recipe) -> None:
    assert propose(smoke).power.discordant_from == ""  # type: ignore[union-attr]
    runs = launched(smoke)
    for condition, right in (("baseline", 6), ("mul_tokens", 30)):
        for stage in ("curriculum", "grpo"):
            attempt = factories.make_attempt(runs[condition, stage], state=State.SUCCEEDED)
            factories.add_evaluation(attempt, [i < right for i in range(150)])
    found = propose(smoke)
    (caution,) = found.plan.cautions
    assert (
        "at least so many groups are like that: 72 % in baseline (4.0 %), 17 % in mul_tokens (20.0 %)."
        in caution.text
    )
    assert found.plan.notes == []
    one, quiet = found.plan.cautions[0], replace(found.plan.cautions[0], warns=False)
    assert replace(found.plan, cautions=[replace(one, warns=True), quiet, quiet]).notes == [quiet, quiet]
    assert found.power is not None
    assert found.power.discordant == pytest.approx(24 / 150)
    assert found.power.discordant_from == "smoke-1"
    broken = launched(smoke)
    for condition in ("baseline", "mul_tokens"):
        attempt = factories.make_attempt(broken[condition, "grpo"], state=State.SUCCEEDED)
        factories.add_evaluation(attempt, [False] * 150)
    assert propose(smoke).power == found.power, "nothing differed there, which tells nothing of what could"
    binary = [("stages.grpo.rewards", [{"reward": "correct"}])]
    warned = propose(recipes.build(smoke.model_dump(mode="json"), binary)).plan.cautions
    assert [caution.warns for caution in warned] == [True, False]


def test_the_queue_and_the_slots_are_this_installations(smoke: recipes.Recipe) -> None:
    add_worker("cuda:0", "cuda:1")
    add_worker("cuda:0", heartbeat_at=timezone.now() - timedelta(minutes=5))
    add_worker("cuda:0", stopped_at=timezone.now())
    launched(smoke)
    histories.make_history("demo-1", done=6)
    found = propose(smoke)
    assert (found.site.slots, found.site.waiting, found.site.has_gpu) == (2, 8, True)
    assert found.unit == "GPU"
    assert found.elapsed == pytest.approx(found.plan.seconds / 2)


def test_rows_gather_what_costs_the_same() -> None:
    rows = propose(recipes.build(recipes.read("demo"), [("seeds", [0, 1, 2])])).rows
    assert [(row.stage, row.count) for row in rows[:2]] == [("pretrain", 6), ("instruct", 6)]
    apart = [("conditions.mul_tokens.overrides", {"mul_tokens.inject": True, "stages.grpo.prompts": 600})]
    rows = propose(recipes.build(recipes.read("demo"), apart)).rows
    assert [(row.stage, row.conditions) for row in rows[-2:]] == [
        ("grpo", ["mul_tokens"]),
        ("grpo", ["baseline"]),
    ]


def test_power_warns_of_one_seed_and_counts_the_problems(smoke: recipes.Recipe) -> None:
    one = power(smoke, wished=0.1, discordant=0.2)
    assert one is not None
    assert (one.problems, one.seeds, one.conditions) == (150, 1, None)
    assert one.checkpoints == pytest.approx(0.1012, abs=5e-4)  # by Connor's formula: 150 problems take 0.1012
    assert one.needed == 155
    assert any("two checkpoints, not two conditions" in text for text in one.sentences)
    two = power(recipes.build(smoke.model_dump(mode="json"), [("seeds", [0, 1])]))
    assert any("Three are the least" in text for text in two.sentences)  # type: ignore[union-attr]
    alone = recipes.build({**recipes.read("smoke"), "conditions": [{"name": "baseline"}]})
    assert power(alone) is None


def test_wishes_that_are_no_numbers_are_left_out_and_said(smoke: recipes.Recipe) -> None:
    wishes = PlanWishes.read({"plan.difference": "a lot", "plan.discordant": "25", "plan.device": "abacus"})
    assert "'a lot' is no share" in wishes.problem
    assert "'1e-300' is no share" in PlanWishes.read({"plan.difference": "1e-300"}).problem
    found = wishes.proposal(smoke)
    assert found.power is not None
    assert (found.power.wished, found.power.discordant) == (0.05, 0.25)
    assert found.plan.hardware.key == "rtx_4090", "no worker, and no such device"


def test_the_form_shows_the_plan_of_the_recipe(ada: Client) -> None:
    page = ada.get(PHASE_6).content.decode()
    assert page.index(">Launch<") < page.index('id="plan"'), "in sight however long the plan is"
    assert "160,000" in page and "80,000 a condition" in page
    assert "10.0 B" in page and "guess" in page and "28.7 GB" in page
    assert "two checkpoints, not two conditions" in page


def test_the_plan_says_about_how_large_the_dose_is(ada: Client, smoke: recipes.Recipe) -> None:
    said = [dose.sentence for dose in propose(smoke).doses]
    assert [text.split(" ")[0] for text in said] == ["pretrain", "instruct", "curriculum"]
    page = ada.post(f"{SMOKE}panel/", {"mul_tokens.inject": "false"}).content.decode()
    assert all(text in page for text in said)


def test_the_plan_follows_the_fields_and_creates_nothing(ada: Client) -> None:
    fields = {"scale": "1x", "seeds": "0, 1, 2", "plan.difference": "2", "plan.device": "h200"}
    answer = ada.post(f"{PHASE_6}panel/", fields)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in page
    assert "12,000 a condition" in page
    assert "on H200, guess" in " ".join(page.split())
    assert 'data-place="launch-brief"' in page and ">24 runs</span>" in page
    assert "At 2 % accuracy, at least 92 % of the groups give no signal from correctness" in page
    assert "difference of gains of 2.0 points takes 1,312" in page
    assert not Experiment.objects.exists()


def test_a_mistake_is_said_instead_of_a_plan(ada: Client) -> None:
    page = ada.post(f"{SMOKE}panel/", {"stages.grpo.prompts": "0", "plan.difference": "3"}).content.decode()
    assert "at least 1" in page and "#field-stages.grpo.prompts" in page
    assert 'name="plan.difference" value="3"' in page, "what was wished is not lost"
    huge = ada.post(f"{SMOKE}panel/", {"stages.pretrain.batch_size": "1" + "0" * 400}).content.decode()
    assert "too large to count with" in huge


def test_review_shows_the_plan_and_launches_nothing(ada: Client) -> None:
    page = ada.post(SMOKE, {"seeds": "0, 1", "review": "1"}).content.decode()
    assert "2 seeds show a difference" in page
    assert not Experiment.objects.exists()


def test_years_of_work_are_asked_about_first(ada: Client) -> None:
    add_worker("cpu:0")
    page = ada.post(SMOKE, YEARS).content.decode()
    assert "Nothing was launched" in page and "asks something first" in page
    assert "years of CPU core time; stage pretrain takes the most" in page
    assert 'name="confirmed"' in page
    assert not Experiment.objects.exists()
    confirmed = ada.post(SMOKE, {**YEARS, "stages.pretrain.save_every": "10000000000", "confirmed": "1"})
    assert confirmed.headers["Location"] == "/experiments/smoke-1/"


def test_a_full_disk_is_asked_about_first(
    ada: Client, smoke: recipes.Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert propose(smoke).questions == []
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))
    (question,) = propose(smoke).questions
    assert "MB on the disk" in question and "has 1.0 MB free" in question


def test_more_steps_than_a_database_counts_are_refused(ada: Client) -> None:
    page = ada.post(SMOKE, {"stages.pretrain.steps": "1" + "0" * 25, "confirmed": "1"}).content.decode()
    assert "optimizer steps" in page
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("gpu", "key"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA GeForce RTX 4090", "rtx_4090"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("Some Other GPU", "rtx_4090"),
        ("", "rtx_4090"),
    ],
)
def test_a_plan_is_for_the_gpu_that_the_worker_has(smoke: recipes.Recipe, gpu: str, key: str) -> None:
    add_worker("cuda:0", gpus=[gpu] if gpu else [])
    assert propose(smoke).plan.hardware.key == key


def test_a_drained_worker_is_no_room_to_run(smoke: recipes.Recipe) -> None:
    worker = add_worker("cuda:0", gpus=["NVIDIA H200"])
    assert planning.site().slots == 1
    drain(worker=worker, by="ada")
    assert (planning.site().slots, propose(smoke).plan.hardware.key) == (0, "rtx_4090")


def test_power_verdict_and_what_would_have_shown_go_by_one_level(smoke: recipes.Recipe) -> None:
    alone = power(smoke)
    assert alone is not None and (alone.comparisons, alone.alone) == (1, 0.05)
    data = smoke.model_dump(mode="json")
    more = [{"name": name, "overrides": {"mul_tokens.inject": True}} for name in ("twin", "third")]
    shared = power(recipes.build({**data, "conditions": [*data["conditions"], *more]}))
    assert shared is not None and (shared.comparisons, shared.alone) == (3, 0.05 / 3)
    assert shared.checkpoints > alone.checkpoints
    assert "With α 0.05 that 3 comparisons share" in shared.sentences[-1]
    same = {("grpo", "twin"), ("grpo", "third")}
    assert power(smoke, same={("grpo", "mul_tokens")}) is None
    assert power(recipes.build({**data, "conditions": [*data["conditions"], *more]}), same=same) == alone


def test_what_shares_a_run_is_not_counted_in_the_plan(smoke: recipes.Recipe) -> None:
    data = smoke.model_dump(mode="json")
    twin = {"name": "twin", "overrides": {"mul_tokens.inject": False}}  # as the baseline has it
    recipe = recipes.build({**data, "conditions": [*data["conditions"], twin]})
    proposal = propose(recipe, launch_plan=plan_launch(recipe))
    assert proposal.power is not None and proposal.power.comparisons == 1
    proposal = propose(recipe, launch_plan=plan_launch(recipe, reuse=False))
    assert proposal.power is not None and proposal.power.comparisons == 2
