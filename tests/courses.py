"""Runs whose course is known: a healthy one, or one with a fault that the diagnosis must name."""

import numpy as np

from tests import factories
from webapp.diagnosis import readings
from webapp.diagnosis.readings import Finding, Severity
from webapp.experiments.models import Experiment
from webapp.runs.models import StageRun, State
from webapp.telemetry.models import Rollout

STEPS = 150
LIMIT = 64  # tokens of a rollout


def course(start: float, end: float, noise: float = 0.0, seed: int = 0) -> list[float]:
    """A straight course with noise; shares and counts stay above 0."""
    draw = np.random.default_rng([seed, round(1000 * (abs(start) + abs(end)))])
    return (np.linspace(start, end, STEPS) + draw.normal(0, noise, STEPS)).tolist()


def healthy(seed: int = 0, noise: float = 0.02) -> dict[str, list[float]]:
    """GRPO's metrics of a run that learns: correct answers pay for the reward."""
    ends = {
        "reward": (0.45, 0.85),
        "reward/correct": (0.4, 0.8),
        "reward/partial_credit": (0.08, 0.03),
        "reward/shows_steps": (0.05, 0.02),
        "accuracy": (0.4, 0.8),
        "kl": (0.0, 0.3),
        "entropy": (0.9, 0.3),
        "groups_without_gradient": (0.2, 0.4),
        "repetition": (0.1, 0.03),
        "mul_tokens": (0.2, 0.7),
        "completion_length": (20, 14),
        "hit_limit": (0.1, 0.03),
        "logprob_mismatch": (2e-6, 3e-6),
        "loss": (0.02, 0.05),
    }
    draw = np.random.default_rng(seed)
    found = {}
    for name, (start, end) in ends.items():
        values = np.linspace(start, end, STEPS)
        found[name] = (values + noise * abs(end - start) * 5 * draw.standard_normal(STEPS)).tolist()
    return found


def grpo(changes: dict[str, list[float]] | None = None, *, seed: int = 0, group_size: int = 8) -> StageRun:
    """A finished GRPO run of one condition, with rollouts at both ends that its accuracy agrees with."""
    experiment = factories.make_experiment(
        f"demo-{seed}", conditions=("baseline",), stages=(("instruct", "sft"), ("grpo", "grpo"))
    )
    run = factories.run_of(experiment, "baseline", "grpo")
    run.spec["settings"] = {"group_size": group_size, "batch_size": 64, "max_new_tokens": LIMIT}
    run.save()
    taught(run.parent)
    attempt = factories.make_attempt(run, state=State.SUCCEEDED)
    metrics = healthy(seed) | (changes or {})
    factories.add_metrics(attempt, metrics)
    for step in (1, 2, 3, 148, 149, 150):
        factories.add_rollouts(attempt, step=step, count=32)
        wanted = max(0.0, metrics["accuracy"][step - 1])
        rows = list(Rollout.objects.filter(attempt=attempt, step=step).order_by("index"))
        for i, row in enumerate(rows):
            row.correct = i < round(wanted * len(rows))
        Rollout.objects.bulk_update(rows, ["correct"])
    return run


def taught(run: StageRun, tokens: int = 20) -> None:
    """A supervised run that is over: two steps of eight examples, of so many tokens on average, prompts included."""
    run.spec["settings"] = (run.spec.get("settings") or {}) | {"batch_size": 8}
    attempt = run.attempts.first() or factories.make_attempt(run, state=State.SUCCEEDED)
    factories.add_metrics(attempt, {"tokens": [8.0 * tokens, 16.0 * tokens]})
    run.save()


def findings(run: StageRun) -> list[Finding]:
    fresh = StageRun.objects.select_related("stage", "condition", "experiment", "parent__stage").get(
        pk=run.pk
    )
    return readings.of_run(fresh).findings


def kinds(run: StageRun) -> dict[str, Severity]:
    return {finding.kind: finding.severity for finding in findings(run)}


HACKED = {
    "reward": course(0.13, 0.43, 0.02),
    "accuracy": course(0.1, 0.1, 0.01),
    "reward/correct": course(0.1, 0.1, 0.01),
    "reward/uses_mul_tokens": course(0.0, 0.2, 0.01),
    "reward/shows_steps": course(0.03, 0.1, 0.01),
    "reward/partial_credit": course(0.0, 0.03, 0.01),
}
LOST = {  # what goes with an accuracy that does not rise, and is no fault by itself
    "reward": course(0.5, 0.5, 0.02),
    "accuracy": course(0.4, 0.4, 0.02),
    "reward/correct": course(0.4, 0.4, 0.02),
}


def stages(
    before: list[bool],
    after: list[bool],
    *,
    kind: str = "sft",
    epochs: int = 1,
    benchmark: str = factories.BENCHMARK,
    metrics: dict[str, list[float]] | None = None,
) -> StageRun:
    """A stage of one condition with a benchmark before and after it."""
    experiment = factories.make_experiment(
        conditions=("baseline",), stages=(("first", "pretrain"), ("second", kind))
    )
    first, second = (factories.run_of(experiment, "baseline", stage) for stage in ("first", "second"))
    second.spec["settings"] = {"epochs": epochs}
    second.spec["benchmarks"].append({"benchmark": "arithmetic_probes", "problems": len(after)})
    second.save()
    attempt = factories.make_attempt(first, state=State.SUCCEEDED)
    factories.add_evaluation(attempt, before, benchmark=benchmark)
    attempt = factories.make_attempt(second, state=State.SUCCEEDED)
    factories.add_metrics(attempt, {"loss": course(2.0, 0.5, 0.05)} | (metrics or {}))
    factories.add_evaluation(attempt, after, benchmark=benchmark)
    return second


def compared(shares: list[tuple[int, int]], problems: int, name: str = "demo-1") -> Experiment:
    """Two conditions after one stage; for each seed how many problems either solves, nested."""
    seeds = tuple(range(len(shares)))
    experiment = factories.make_experiment(name, stages=(("words", "sft"),), seeds=seeds)
    for seed, pair in zip(seeds, shares, strict=True):
        for condition, right in zip(("baseline", "mul_tokens"), pair, strict=True):
            attempt = factories.make_attempt(
                factories.run_of(experiment, condition, "words", seed), state=State.SUCCEEDED
            )
            factories.add_evaluation(attempt, [i < right for i in range(problems)])
    return experiment


def experiment_kinds(experiment: Experiment) -> dict[str, Severity]:
    return {one.kind: one.severity for one in readings.of_experiment(experiment)}


FAULTS: dict[str, tuple[dict[str, list[float]], dict[str, Severity]]] = {  # metrics → exactly these findings
    "healthy": ({}, {}),
    "hacked reward": (HACKED, {"reward_without_correctness": Severity.CRITICAL}),
    "collapse": (LOST | {"repetition": course(0.05, 0.75, 0.03)}, {"mode_collapse": Severity.CRITICAL}),
    "no gradient": (
        LOST | {"groups_without_gradient": course(0.93, 0.95, 0.01)},
        {"no_gradient": Severity.CRITICAL},
    ),
    "base accuracy too low": (
        {name: course(0.01, 0.01, 0.002) for name in ("reward", "accuracy", "reward/correct")},
        {"base_accuracy": Severity.WARNING},
    ),
    "cut at the limit": (LOST | {"hit_limit": course(0.05, 0.4, 0.02)}, {"hit_limit": Severity.WARNING}),
    "end-of-text never learnt": (LOST | {"hit_limit": course(0.99, 1.0)}, {"end_of_text": Severity.CRITICAL}),
    "KL runs away": (LOST | {"kl": course(0, 3, 0.05)}, {"kl_runaway": Severity.CRITICAL}),
    "KL pinned": (LOST | {"kl": course(1e-6, 2e-6, 1e-7)}, {"kl_pinned": Severity.WARNING}),
}
