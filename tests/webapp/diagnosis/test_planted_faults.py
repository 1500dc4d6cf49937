"""Each fault beside its healthy neighbour: what differs in the one thing that the rule is about."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tests import factories, histories
from tests.courses import (
    LIMIT,
    LOST,
    STEPS,
    compared,
    course,
    experiment_kinds,
    findings,
    grpo,
    healthy,
    kinds,
    stages,
)
from webapp.diagnosis import readings
from webapp.diagnosis.finding import Finding
from webapp.diagnosis.readings import Severity
from webapp.diagnosis.records import RunRecords
from webapp.runs.models import StageRun, State
from webapp.telemetry.models import Rollout

pytestmark = pytest.mark.django_db

Metrics = Mapping[str, list[float]]


def with_settings(run: StageRun, **settings: Any) -> StageRun:
    run.spec["settings"] |= settings
    run.save()
    return run


def found(run: StageRun, kind: str) -> Finding:
    (one,) = [one for one in findings(run) if one.kind == kind]
    return one


def growing(ended: tuple[float, float], cut: tuple[float, float]) -> dict[str, list[float]]:
    """Rollouts of which a share is cut at the limit; the others end after so many tokens."""
    share, tokens = np.array(course(*cut, 0.005)), np.array(course(*ended, 0.2))
    return {"hit_limit": share.tolist(), "completion_length": (share * LIMIT + (1 - share) * tokens).tolist()}


def evaluated(*shares: float) -> dict[str, list[float]]:
    """Evaluations of 100 validation problems."""
    accuracy, problems = "validation/one_step_splits/accuracy", "validation/one_step_splits/problems"
    return {accuracy: list(shares), problems: [100.0] * len(shares)}


@pytest.mark.parametrize(
    ("kind", "severity", "fault", "neighbour"),
    [
        (
            "entropy_collapse",
            Severity.WARNING,
            {"entropy": course(0.9, 0.05, 0.01)},
            {"entropy": course(0.9, 0.3, 0.01)},  # a healthy sharpening
        ),
        (
            "tokens_clipped",
            Severity.WARNING,
            {"clip_ratio": course(0.05, 0.4, 0.02)},
            {"clip_ratio": course(0.05, 0.1, 0.02)},
        ),
        (
            "effective_sample_size",
            Severity.WARNING,
            {"importance_ratio/ess": course(0.9, 0.2, 0.02)},
            {"importance_ratio/ess": course(0.9, 0.5, 0.02)},
        ),
        (
            "validation_peak",
            Severity.WARNING,
            evaluated(0.4, 0.7, 0.65, 0.4),
            evaluated(0.4, 0.55, 0.5, 0.4),  # the highest of four may be so high by chance
        ),
        (
            "gradient_clipped",
            Severity.INFO,
            {"grad_norm": course(0.9, 0.9, 0.0), "grad_clipped": course(0.7, 0.7, 0.1)},  # by single steps
            {"grad_norm": course(0.9, 0.9, 0.0), "grad_clipped": course(0.3, 0.3, 0.1)},
        ),
        (
            "length_by_truncation",
            Severity.WARNING,
            LOST | growing((20, 30), (0.02, 0.15)) | {"length/terminated_mean": course(20, 20, 0.2)},
            LOST | growing((20, 20), (0.02, 0.15)) | {"length/terminated_mean": course(20, 30, 0.2)},
        ),
        (
            "gradient_clipped",
            Severity.INFO,
            {"grad_norm": course(3.0, 2.0, 0.2)},
            {"grad_norm": course(1.4, 0.4, 0.1)},  # in the first steps alone
        ),
        (
            "length_by_truncation",
            Severity.WARNING,
            LOST | growing((20, 20), (0.02, 0.15)),
            LOST | growing((20, 30), (0.02, 0.06)),  # longer solutions, of which a few more are cut
        ),
        (
            "component_without_spread",
            Severity.INFO,
            {"reward/shows_steps": [0.0] * STEPS},
            {"reward/shows_steps": course(0.001, 0.0, 0.0001)},
        ),
    ],
)
def test_a_fault_is_found_and_its_neighbour_is_not(
    kind: str, severity: Severity, fault: Metrics, neighbour: Metrics
) -> None:
    optimizer = {"learning_rate": 1e-4, "clip": 1.0}
    rewards = [{"reward": "correct", "weight": 1.0}, {"reward": "shows_steps", "weight": 0.1}]
    run = with_settings(grpo(dict(fault)), optimizer=optimizer, rewards=rewards, iterations=4)
    assert kinds(run) == {kind: severity}
    assert "at the end" not in found(run, kind).reading and found(run, kind).advice[0].changes
    well = with_settings(grpo(dict(neighbour), seed=1), optimizer=optimizer, rewards=rewards, iterations=4)
    assert kinds(well) == {}


def test_entropy_that_falls_without_a_gain_is_for_the_rule_that_reads_texts() -> None:
    assert kinds(grpo(LOST | {"entropy": course(0.9, 0.05, 0.01)})) == {}


def test_ratios_of_whole_rollouts_are_clipped_by_design() -> None:
    run = grpo({"clip_ratio": course(0.3, 0.3, 0.02)})
    assert kinds(with_settings(run, importance_sampling="sequence")) == {}


def test_a_supervised_stage_has_its_gradient_clipped_too() -> None:
    run = stages([True] * 10, [True] * 10, metrics={"grad_norm": course(3.0, 2.0, 0.2)})
    with_settings(run, optimizer={"learning_rate": 1e-4, "clip": 1.0})
    assert kinds(run) == {"gradient_clipped": Severity.INFO}
    assert "in 100.0\u00a0% of 150 records (95 % interval" in findings(run)[0].evidence


def test_the_growth_is_told_apart_by_the_rollouts_that_end() -> None:
    evidence = found(grpo(LOST | growing((20, 20), (0.02, 0.15))), "length_by_truncation").evidence
    assert (
        "cut at the limit 2.6\u00a0% → 14.6\u00a0%; of those that end 19.9 → 19.9 (change −0.0365" in evidence
    )


@pytest.mark.parametrize(
    ("value", "says"), [(0.0, "never pays"), (0.3, "always pays"), (-0.3, "always costs")]
)
def test_a_component_that_all_rollouts_or_none_get(value: float, says: str) -> None:
    (one,) = findings(grpo({"reward/uses_mul_tokens": [value] * STEPS}))
    assert one.headline == f"The reward’s component uses_mul_tokens {says}"


def test_what_a_condition_cannot_earn_is_nothing_to_leave_out() -> None:
    run = grpo({"reward/uses_mul_tokens": [0.0] * STEPS})
    assert found(run, "component_without_spread").advice == ()
    run.spec["mul_tokens"] = {"inject": True}
    run.save()
    factories.next_seq(run.attempts.get())
    (advice,) = found(run, "component_without_spread").advice
    assert advice.text.startswith("Leave uses_mul_tokens out")


def by_prompt(run: StageRun, name: str, value: Callable[[Rollout], float]) -> StageRun:
    """A run whose recorded rollouts have this much of a component."""
    rows = list(Rollout.objects.filter(attempt__stage_run=run))
    for row in rows:
        row.components[name] = value(row)
    Rollout.objects.bulk_update(rows, ["components"])
    return run


@pytest.mark.parametrize("scale", ["group", "batch"])
def test_a_component_that_the_prompt_alone_decides_is_found(scale: str) -> None:
    half = {"reward/short_prompt": course(0.05, 0.05, 0.001)}
    run = by_prompt(grpo(half), "short_prompt", lambda row: 0.1 * (row.group % 2))
    (one,) = findings(with_settings(run, scale_rewards=scale))
    assert (one.kind, one.severity) == ("component_without_spread", Severity.INFO)
    assert one.headline == "The reward’s component short_prompt differs between prompts alone"
    assert one.evidence == (
        "In each of the last 24 groups all rollouts have the same of short_prompt; between groups it goes from "
        "0.00 to 0.100."
    )
    assert ("It makes all of them smaller" in one.reading) == (scale == "batch")


def test_a_balanced_component_of_prompts_is_not_said_to_be_paid_always() -> None:
    run = by_prompt(
        grpo({"reward/short_prompt": [0.05] * STEPS}), "short_prompt", lambda row: 0.1 * (row.group % 2)
    )
    assert found(run, "component_without_spread").headline.endswith("differs between prompts alone")


@pytest.mark.parametrize(
    "value",
    [
        lambda row: 0.1 * (row.group % 2) * (row.index != 9),  # in one group of four completions differ
        lambda row: 0.1,  # all have it by now
    ],
)
def test_a_component_that_completions_decide_is_not(value: Callable[[Rollout], float]) -> None:
    assert kinds(by_prompt(grpo({"reward/short": course(0.05, 0.1, 0.001)}), "short", value)) == {}


def test_few_groups_that_agree_may_do_so_by_chance() -> None:
    run = by_prompt(
        grpo({"reward/short": course(0.05, 0.05, 0.001)}), "short", lambda row: 0.1 * (row.group % 2)
    )
    Rollout.objects.filter(step__lt=148).delete()
    assert kinds(run) == {}


def test_groups_that_the_bound_may_cut_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    records = RunRecords(grpo())
    assert [len(group) for group in records.last_groups] == [8] * 24
    monkeypatch.setattr("webapp.diagnosis.records.GRADED", 20)
    assert [len(group) for group in RunRecords(records.run).last_groups] == [8, 8]


def test_a_component_without_a_weight_is_not_missed() -> None:
    rewards = [{"reward": "uses_mul_tokens", "weight": 0.0}]
    assert kinds(with_settings(grpo({"reward/uses_mul_tokens": [0.0] * STEPS}), rewards=rewards)) == {}


def test_seeds_that_differ_more_than_their_mean_are_too_few() -> None:
    experiment = compared([(300, 360), (303, 309), (297, 318)], 600)  # +10, +1, +3.5 points
    (one,) = [one for one in readings.of_experiment(experiment) if one.kind == "too_few_seeds"]
    assert (one.severity, one.headline) == (Severity.WARNING, "3 seeds are too few for how far they differ")
    assert (
        "is +4.8 points on average and differs from seed to seed by 4.6 (standard deviation)" in one.evidence
    )
    assert "3 seeds show 14.4 points or more (80 % power, α = 0.05); 4.8 take 10 seeds" in one.evidence
    assert one.advice[0].changes == (("seeds", list(range(10))),)


def test_seeds_that_agree_are_enough() -> None:
    assert experiment_kinds(compared([(300, 360), (303, 366), (297, 354)], 600)) == {}


def test_no_seed_is_missed_where_nobody_claims_a_difference() -> None:
    nothing = compared([(300, 303), (303, 300), (297, 297)], 600)  # +0.5, −0.5, 0 points
    assert "too_few_seeds" not in experiment_kinds(nothing)


@pytest.mark.slow
def test_forty_eight_healthy_runs_have_nothing_critical() -> None:
    kinds_of_stages = ("pretrain", "sft", "curriculum", "grpo")
    experiment = factories.make_experiment(stages=[(one, one) for one in kinds_of_stages], seeds=range(6))
    runs = StageRun.objects.filter(experiment=experiment).select_related("stage", "condition")
    assert len(runs) == 48
    for run in runs:
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        noise = 0.008 * (6 * run.condition.position + run.seed + 1)  # up to 0.096: twelve times the least
        metrics = healthy(run.pk, noise=noise) if run.stage.kind == "grpo" else {}
        loss = histories.curve(6.2, 1.1, STEPS, run.pk)
        factories.add_metrics(
            attempt, metrics or {"loss": loss, "tokens": [160.0 * i for i in range(1, STEPS)]}
        )
        right = 20 * kinds_of_stages.index(run.stage.kind) + 10 * run.condition.position + run.seed
        factories.add_evaluation(attempt, [5 * i < right for i in range(20)])
    found = readings.of_experiment(experiment)
    assert {one.severity for one in found} <= {Severity.INFO, Severity.WARNING}
    assert [(one.kind, one.where) for one in found if one.run is not None] == []
