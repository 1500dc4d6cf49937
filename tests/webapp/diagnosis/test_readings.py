"""Runs with a known fault get exactly its findings; healthy ones get none that is critical. Conditions: beside this."""

from typing import Any

import numpy as np
import pytest

from tests import factories, histories
from tests.courses import (
    HACKED,
    LOST,
    STEPS,
    course,
    findings,
    grpo,
    healthy,
    kinds,
    stages,
    taught,
)
from webapp.diagnosis import readings, records
from webapp.diagnosis.readings import Severity
from webapp.diagnosis.rules.collapse import distinct_bigrams
from webapp.experiments.models import Experiment, Stage
from webapp.runs.models import Attempt, StageRun, State
from webapp.telemetry.models import Rollout

pytestmark = pytest.mark.django_db


def test_a_healthy_run_has_no_finding() -> None:
    assert kinds(grpo()) == {}


def test_the_factories_healthy_history_has_nothing_critical() -> None:
    experiment = histories.make_history("demo-1", done=6)
    assert Severity.CRITICAL not in {one.severity for one in readings.of_experiment(experiment)}


def test_a_hacked_reward_is_named_with_what_pays_for_it() -> None:
    (found,) = findings(grpo(HACKED))
    assert found.kind == "reward_without_correctness"
    assert found.severity is Severity.CRITICAL
    assert found.headline == "Reward rises while correctness is flat: uses_mul_tokens pays for it"
    assert 10 <= (found.onset or 0) <= 75
    assert "uses_mul_tokens" in found.advice[0].text
    assert {link.url.rpartition("#")[2] for link in found.links} >= {"chart-components", "chart-accuracy"}


def test_a_reward_that_right_answers_pay_for_is_not_hacked() -> None:
    paid = {"reward": course(0.45, 0.49, 0.005), "accuracy": course(0.4, 0.44, 0.005)}
    paid |= {"reward/correct": course(0.4, 0.44, 0.005)}
    assert kinds(grpo(paid)) == {}


def test_collapse_by_repetition() -> None:
    run = grpo(LOST | {"repetition": course(0.05, 0.75, 0.03)})
    assert kinds(run) == {"mode_collapse": Severity.CRITICAL}


def test_repetition_from_the_start_is_a_habit_and_no_collapse() -> None:
    run = grpo(LOST | {"repetition": course(0.85, 0.84, 0.01)})
    assert kinds(run) == {"mode_collapse": Severity.WARNING}
    assert "did not fix" in findings(run)[0].reading


def test_collapse_into_one_text() -> None:
    run = grpo(LOST | {"entropy": course(0.9, 0.05, 0.01)})
    assert kinds(run) == {}, "a low entropy alone may be sharpening"
    Rollout.objects.filter(attempt__stage_run=run, step__gt=100).update(completion="it is 12 of them")
    factories.next_seq(run.attempts.get())
    assert kinds(run) == {"mode_collapse": Severity.CRITICAL}
    assert "distinct bigrams" in findings(run)[0].evidence


def test_no_gradient() -> None:
    silent = {
        "groups_without_gradient": course(0.93, 0.95, 0.01),
        "reward": course(0.1, 0.1, 0.005),
        "accuracy": course(0.01, 0.01, 0.005),
        "reward/correct": course(0.01, 0.01, 0.005),
    }
    assert kinds(grpo(silent)) == {"no_gradient": Severity.CRITICAL, "base_accuracy": Severity.WARNING}


def test_solved_prompts_are_only_to_know() -> None:
    assert kinds(grpo({"groups_without_gradient": course(0.2, 0.7, 0.02)})) == {"no_gradient": Severity.INFO}


def test_a_large_group_finds_the_right_answer_now_and_then() -> None:
    low = {name: course(0.15, 0.15, 0.01) for name in ("accuracy", "reward/correct", "reward")}
    assert kinds(grpo(low, group_size=8)) == {}
    assert kinds(grpo(low, group_size=2, seed=1)) == {"base_accuracy": Severity.WARNING}


def test_greedy_responses_collapse_while_sampled_ones_do_not() -> None:
    run = grpo(LOST)
    parent = factories.make_attempt(run.parent, state=State.SUCCEEDED)
    factories.add_evaluation(parent, [True, False] * 50)
    evaluation = factories.add_evaluation(run.attempts.get(), [True, False] * 50)
    evaluation.outcomes.update(repeats=True)
    (found,) = findings(run)
    assert (found.kind, found.severity) == ("mode_collapse", Severity.CRITICAL)
    assert "100.0\u00a0% of the 100 completions" in found.evidence
    assert "before the stage 0.0\u00a0%" in found.evidence


def test_points_beyond_what_is_loaded_at_once_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "TOGETHER", 100)
    assert kinds(grpo(HACKED)) == {"reward_without_correctness": Severity.CRITICAL}


def test_kl_runs_away() -> None:
    run = grpo(LOST | {"kl": (0.01 * np.exp(np.linspace(0, 7, STEPS))).tolist()})
    (found,) = findings(run)
    assert (found.kind, found.severity) == ("kl_runaway", Severity.CRITICAL)
    assert 95 <= (found.onset or 0) <= 105, "0.01 e^(7t) passes 1 at step 98"
    assert kinds(grpo({"kl": course(0, 2, 0.05)}, seed=1)) == {"kl_runaway": Severity.WARNING}, (
        "accuracy rose"
    )


def test_kl_pinned_at_zero() -> None:
    assert kinds(grpo(LOST | {"kl": course(1e-6, 2e-6, 1e-7)})) == {"kl_pinned": Severity.WARNING}


def test_trainer_and_sampler_disagree() -> None:
    assert kinds(grpo({"logprob_mismatch": course(0.1, 0.1, 0.01)})) == {"logprob_mismatch": Severity.WARNING}
    wrong = grpo({"logprob_mismatch": course(3, 2, 0.1)}, seed=1)
    assert kinds(wrong) == {"logprob_mismatch": Severity.CRITICAL}


def test_limit_hits_and_end_of_text() -> None:
    assert kinds(grpo({"hit_limit": course(0.05, 0.4, 0.02)})) == {"hit_limit": Severity.WARNING}
    assert kinds(grpo({"hit_limit": course(0.99, 1.0)}, seed=1)) == {"end_of_text": Severity.CRITICAL}


def test_forgetting() -> None:
    right = [True] * 200 + [False] * 200
    less = [True] * 160 + [False] * 240
    (found,) = findings(stages(right, less, benchmark="arithmetic_probes"))
    assert (found.kind, found.severity) == ("forgetting", Severity.WARNING)
    assert "50.0\u00a0% → 40.0\u00a0%: −10.0 points" in found.evidence
    assert "0 gained and 40 lost" in found.evidence


def test_a_fall_that_may_be_chance_is_no_finding() -> None:
    before = [i % 2 == 0 for i in range(400)]
    after = [i % 2 == 0 for i in range(390)] + [False] * 10  # 5 lost: Tango's interval at 95 % excludes 0
    assert kinds(stages(before, [*after[:200], True, *after[201:]])) == {}


def test_over_fitting_by_epochs_and_by_validation_loss() -> None:
    right, less = [True] * 200 + [False] * 200, [True] * 160 + [False] * 240
    assert kinds(stages(right, less, epochs=3)) == {"over_fitting": Severity.WARNING}
    Experiment.objects.all().delete()
    assert kinds(stages(right, less, epochs=1)) == {"forgetting": Severity.WARNING}, "nothing seen twice"
    Experiment.objects.all().delete()
    valley = [*course(1.5, 1.0)[:75], *course(0.7, 1.9)[75:]]
    assert kinds(stages(right, right, metrics={"validation_loss": valley})) == {
        "over_fitting": Severity.WARNING
    }


EXPLODED = [
    13.9,
    35.5,
    93.0,
    182.6,
    158.1,
    107.2,
    64.7,
    51.5,
    27.6,
    17.1,
]  # smoke's instruct at learning rate 1.0


FELL_AND_ROSE = [*course(2.0, 0.5, 0.05)[:100], *course(3.0, 2.5, 0.2)[:50]]


@pytest.mark.parametrize(
    ("loss", "kind", "severity"),
    [
        (EXPLODED, "sft", Severity.CRITICAL),
        (EXPLODED, "curriculum", Severity.CRITICAL),
        (FELL_AND_ROSE, "sft", Severity.WARNING),
        (FELL_AND_ROSE, "curriculum", None),  # its next step
        (FELL_AND_ROSE, "rejection_sampling", None),  # its next round
        ([7.0, 5.3, 4.5, 4.6, 4.0, 3.7, 3.9, 3.9, 3.7, 3.5], "sft", None),  # at 0.1: bad, and learning
        (course(6.9, 6.6, 0.05), "pretrain", None),  # random weights, hardly trained
        (course(9.0, 6.6), "pretrain", None),  # wide random weights
        (course(0.1, 0.25, 0.02), "sft", None),  # little, and little more
        ([0.3, 6.0, 5.9, 0.4, 0.3, 6.1, 0.2, 0.3, 0.2, 5.8, 0.2, 0.3], "sft", None),  # two kinds of answers
        ([1.5, 9.0, 9.0], "sft", None),  # too few points
    ],
)
def test_a_loss_that_diverged(loss: list[float], kind: str, severity: Severity | None) -> None:
    run = stages([False] * 100, [False] * 100, kind=kind, metrics={"loss": loss})
    run.spec["tokenizer"] = {"kind": "small_bpe", "entries": 648}
    run.spec["settings"] |= {"optimizer": {"learning_rate": 1.0}}
    if kind == "curriculum":
        run.spec["settings"]["steps"] = [{"name": "drills", "epochs": 1}]
    if kind == "rejection_sampling":
        run.spec["settings"]["rounds"] = 3
    run.save()
    assert kinds(run) == ({} if severity is None else {"loss_diverged": severity})
    if severity is not None:
        (found,) = findings(run)
        assert "guessing every token alike gives 6.47" in found.evidence
        assert found.onset in ((1,) if severity is Severity.CRITICAL else (99, 100, 101))
        assert [advice.changes for advice in found.advice] == [
            () if kind == "curriculum" else (("optimizer.learning_rate", 0.1),)
        ]
        run.attempts.get().evaluations.get().outcomes.update(hit_limit=True)
        factories.next_seq(run.attempts.get())
        assert ("hit_limit" in kinds(run)) == (severity is Severity.WARNING), (
            "worse than guessing it has its cause"
        )


def never_ends(*, repeats: bool = False, limit: int = 28, cut_in_child: float | None = None) -> StageRun:
    """An SFT stage whose examples have 20 tokens, and whose completions are all cut; GRPO samples from it, where asked."""
    run = stages([False] * 100, [False] * 100)
    taught(run)
    evaluation = run.attempts.get().evaluations.get()
    evaluation.outcomes.update(hit_limit=True, repeats=repeats)
    evaluation.settings |= {"max_new_tokens": limit}
    evaluation.save()
    if cut_in_child is not None:
        stage = Stage.objects.create(
            experiment=run.experiment, name="grpo", kind="grpo", position=2, after=run.stage
        )
        child = StageRun.objects.create(
            experiment=run.experiment, condition=run.condition, stage=stage, seed=0, parent=run, spec={}
        )
        attempt = factories.make_attempt(child, state=State.RUNNING)
        factories.add_metrics(attempt, {"hit_limit": [cut_in_child] * STEPS})
    return run


@pytest.mark.parametrize(
    ("planted", "wanted"),
    [
        ({}, {"end_of_text": Severity.CRITICAL}),
        ({"cut_in_child": 1.0}, {"end_of_text": Severity.CRITICAL}),
        ({"cut_in_child": 0.125}, {"hit_limit": Severity.WARNING}),  # 7 of 8 end by themselves
        ({"limit": 19}, {"hit_limit": Severity.WARNING}),  # shorter than what it learnt
        ({"repeats": True}, {"hit_limit": Severity.WARNING, "mode_collapse": Severity.WARNING}),
    ],
)
def test_an_sft_stage_that_ends_no_completion(planted: dict[str, Any], wanted: dict[str, Severity]) -> None:
    assert kinds(stages([False] * 100, [False] * 100)) == {}
    Experiment.objects.all().delete()
    run = never_ends(**planted)
    assert kinds(run) == wanted
    (found,) = [one for one in findings(run) if one.kind in ("end_of_text", "hit_limit")]
    assert "the examples that taught it have 20 on average, prompts included" in found.evidence
    if cut := planted.get("cut_in_child"):
        assert f"Of the first rollouts of grpo, from the same checkpoint, {100 * cut:.1f}" in found.evidence


def test_without_the_length_of_what_it_learnt_no_end_is_only_a_warning() -> None:
    run = never_ends()
    run.attempts.get().metrics.filter(name="tokens").delete()
    assert kinds(run) == {"hit_limit": Severity.WARNING}


def test_rollouts_that_end_in_a_child_are_news_for_what_was_read_before() -> None:
    run = never_ends(cut_in_child=1.0)
    assert kinds(run) == {"end_of_text": Severity.CRITICAL}
    child = StageRun.objects.get(parent=run)
    child.attempts.get().metrics.all().delete()
    factories.add_metrics(child.attempts.get(), {"hit_limit": [0.1] * 20})
    assert kinds(run) == {"hit_limit": Severity.WARNING}


def test_rollouts_that_loop_or_have_little_room_may_have_learnt_to_end() -> None:
    cut = {"hit_limit": course(0.99, 1.0)}
    looping = grpo(cut | {"repetition": course(0.8, 0.8, 0.01)})
    assert kinds(looping) == {"hit_limit": Severity.WARNING, "mode_collapse": Severity.WARNING}
    run = grpo(cut, seed=1)
    assert kinds(run) == {"end_of_text": Severity.CRITICAL}
    run.spec["settings"]["max_new_tokens"] = 19
    run.save()
    factories.next_seq(run.attempts.get())
    assert kinds(run) == {"hit_limit": Severity.WARNING}


def test_a_running_stage_has_no_end() -> None:
    faults = LOST | {"groups_without_gradient": course(0.7, 0.75, 0.01), "hit_limit": course(0.3, 0.4, 0.01)}
    faults |= {"kl": course(0, 3, 0.05), "logprob_mismatch": course(0.1, 0.1, 0.01)}
    run = grpo(faults)
    wanted = {"no_gradient", "hit_limit", "kl_runaway", "logprob_mismatch"}
    assert set(kinds(run)) == wanted
    assert sum("at the end" in f"{one.headline} {one.evidence}" for one in findings(run)) == 4
    StageRun.objects.filter(pk=run.pk).update(state=State.RUNNING)
    assert set(kinds(run)) == wanted, "no record came in, and yet it is read anew"
    for one in findings(run):
        assert "at the end" not in f"{one.headline} {one.topic} {one.evidence}"
        assert "so far" in one.evidence


def test_few_groups_give_no_warning_that_more_give() -> None:
    """Half of two groups a step over ten steps, against three quarters of 8 groups over 150."""
    few = {name: values[:10] for name, values in (healthy() | LOST).items()}
    run = grpo(LOST | {"groups_without_gradient": course(0.7, 0.75, 0.01)})
    (found,) = findings(run)
    assert found.kind == "no_gradient" and "95 % interval 6" in found.evidence
    run.attempts.get().metrics.all().delete()
    factories.add_metrics(run.attempts.get(), few | {"groups_without_gradient": [0.5] * 10})
    run.spec["settings"] |= {"batch_size": 16}
    run.save()
    assert "no_gradient" not in kinds(run)


def test_distinct_bigrams() -> None:
    assert distinct_bigrams(["a b c", "a b d"]) == 3 / 4
    assert distinct_bigrams(["a"]) is None


def test_a_run_without_records_says_nothing() -> None:
    run = factories.make_run("grpo")
    assert readings.of_run(run) == readings.Reading([], [])
    Attempt.objects.all().delete()
