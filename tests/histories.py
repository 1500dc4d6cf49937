"""What training leaves behind, for tests and for looking at pages: curves, a run's records, an experiment part of the way."""

import random
from collections.abc import Sequence

import numpy as np
from django.contrib.auth.models import User

from tests.doses import kept_examples
from tests.factories import (
    add_checkpoint,
    add_evaluation,
    add_log,
    add_metrics,
    add_rollouts,
    add_samples,
    make_attempt,
    make_experiment,
    make_user,
    make_worker,
)
from tests.odd_texts import ODD, give_tokens, write_odd_texts
from tests.pages import Rows
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.results import published
from webapp.results.imports import import_history
from webapp.results.models import Evaluation
from webapp.runs.models import Attempt, StageRun, State, WorkerLog
from webapp.telemetry import search
from webapp.telemetry.models import Rollout


def curve(start: float, end: float, steps: int, seed: int = 0, noise: float = 0.05) -> list[float]:
    """A noisy approach from start to end."""
    draw = np.random.default_rng(seed)
    progress = 1 - np.exp(-4 * np.linspace(0, 1, steps))
    wobble = noise * abs(end - start) * draw.standard_normal(steps)
    return [float(value) for value in start + (end - start) * progress + wobble]


def train(attempt: Attempt, kind: str, *, steps: int = 150, seed: int = 0) -> None:
    """Metrics (and rollouts, for grpo) of one attempt, as a training run of this kind records them."""
    metrics = {
        "loss": curve(6.2, 1.1, steps, seed),
        "learning_rate": curve(4e-3, 4e-4, steps, seed, noise=0),
        "grad_norm": curve(2.0, 0.6, steps, seed, noise=0.2),
        "tokens_per_second": curve(20_000, 24_000, steps, seed, noise=0.3),
    }
    if kind == "grpo":
        metrics |= {
            "loss": curve(0.02, 0.05, steps, seed, noise=0.6),
            "reward": curve(0.45, 0.85, steps, seed),
            "reward_std": curve(0.4, 0.15, steps, seed),
            "reward/correct": curve(0.4, 0.8, steps, seed),
            "reward/partial_credit": curve(0.1, 0.03, steps, seed),
            "reward/shows_steps": curve(0.05, 0.02, steps, seed),
            "reward/repetition": curve(-0.05, -0.01, steps, seed),
            "accuracy": curve(0.45, 0.83, steps, seed),
            "kl": curve(0.0, 0.3, steps, seed),
            "entropy": curve(0.9, 0.3, steps, seed),
            "clip_ratio": curve(0.0, 0.02, steps, seed),
            "groups_without_gradient": curve(0.2, 0.55, steps, seed, noise=0.15),
            "repetition": curve(0.12, 0.03, steps, seed),
            "mul_tokens": curve(0.2, 0.7, steps, seed),
            "completion_length": curve(20, 14, steps, seed),
            "hit_limit": curve(0.2, 0.04, steps, seed),
            "logprob_mismatch": curve(2e-6, 3e-6, steps, seed),
            "rollouts_per_second": curve(180, 200, steps, seed, noise=0.3),
            "solved/none": curve(0.4, 0.1, steps, seed),
            "solved/all": curve(0.1, 0.5, steps, seed),
            "pass_at/1": curve(0.45, 0.83, steps, seed),
            "pass_at/8": curve(0.6, 0.9, steps, seed),
            "length/terminated_mean": curve(18, 13, steps, seed),
            "length/right_mean": curve(17, 13, steps, seed),
            "length/wrong_mean": curve(24, 18, steps, seed),
            "importance_ratio/ess": curve(1, 0.96, steps, seed),
            "time/sample": curve(0.3, 0.24, steps, seed),
            "time/learn": curve(0.2, 0.18, steps, seed),
        }
        metrics["solved/some"] = [
            1 - none - every
            for none, every in zip(metrics["solved/none"], metrics["solved/all"], strict=True)
        ]
        parts = zip(metrics["time/sample"], metrics["time/learn"], strict=True)
        metrics["time/step"] = [sample + learn for sample, learn in parts]
    add_log(attempt, "started from step 0 on cpu:0")
    add_metrics(attempt, metrics)
    if kind == "grpo":
        for step in range(max(1, steps - 4), steps + 1):
            add_rollouts(attempt, step=step, count=16)
    add_log(attempt, f"saved a checkpoint at step {steps}")


def make_history(
    name: str, *, done: int, seeds: Sequence[int] = (0,), owner: User | None = None
) -> Experiment:
    """An experiment whose first `done` stages are over in every condition and whose next one runs."""
    accuracies = (0.0, 0.0, 0.03, 0.58, 0.63, 0.85)
    experiment = make_experiment(name, seeds=seeds, owner=owner)
    for run in StageRun.objects.filter(experiment=experiment).select_related("stage", "condition"):
        place, condition = run.stage.position, run.condition.position
        if place > done:
            continue
        over = place < done
        attempt = make_attempt(run, state=State.SUCCEEDED if over else State.RUNNING)
        run.progress_total, run.progress_unit, run.progress_phase = 150, "steps", "train"
        run.progress_done = 150 if over else 60
        run.save()
        train(attempt, run.stage.kind, steps=run.progress_done, seed=condition + run.seed)
        if over:
            draw = random.Random(f"{name} {run.pk}")
            share = accuracies[place] + (0.04 if condition and accuracies[place] > 0.1 else 0)
            add_evaluation(
                attempt, [draw.random() < share for _ in range(600)], step=150, mul_tokens=condition
            )
            add_checkpoint(attempt, step=150)
    return experiment


NOTES = (
    "# A\n\n[link](https://example.com) `code`\n\n| a | b |\n|---|---|\n| 1 | "
    + "wide" * 60
    + " |\n\n> said\n"
)


def make_every_page() -> Rows:
    """Make an experiment of two seeds that is nearly over, with everything a page shows, and an imported one."""
    experiment = make_history("demo-1", done=5, seeds=(0, 1))
    for position in (0, 1):
        learning = Attempt.objects.filter(
            stage_run__stage__kind="sft", stage_run__condition__position=position
        )
        learning.update(examples=kept_examples(mul_tokens=position))
    running = StageRun.objects.get(
        experiment=experiment, stage__kind="grpo", condition__name="mul_tokens", seed=0
    )
    for attempt in Attempt.objects.filter(stage_run__stage__kind="grpo", ended_at=None):
        attempt.metrics.filter(name="hit_limit").delete()
        add_metrics(attempt, {"hit_limit": [0.02] * 20 + [0.6] * 40})  # a finding, of both seeds
    resumed = make_attempt(running, first_step=40)
    add_metrics(resumed, {"reward": [0.7] * 20, "accuracy": [0.6] * 20}, first_step=41)
    add_rollouts(resumed, step=60, count=16)
    write_odd_texts(Rollout.objects.filter(attempt=resumed).order_by("index"))
    give_tokens(Rollout.objects.filter(attempt=resumed))
    while search.index_texts(seconds=5):
        pass
    evaluation = Evaluation.objects.filter(attempt__stage_run__experiment=experiment).last()
    assert evaluation is not None
    add_samples(evaluation, [[i % 3 == 0, i % 2 == 0] for i in range(evaluation.problems)])
    for problem, text in zip(
        ("p0000", "p0001"), (ODD["piled marks"] + ODD["override"], ODD["long"]), strict=True
    ):
        evaluation.outcomes.filter(problem=problem).update(completion=text, prompt=text)
    smoke = recipes.build(recipes.read("smoke"), [("stages.grpo.temperature", 0.8)])
    launched = launch(recipe=smoke, owner=make_user(), reuse=False)
    Experiment.objects.filter(pk=launched.pk).update(notes=NOTES, notes_by="ada", notes_version=1)
    make_experiment("a_name_that_takes_quite_some_room-1")
    history = import_history(publication=published.read("phase_1_to_6"), owner=make_user())
    worker = make_worker("cpu:0", "cpu:1")
    running.attempts.update(worker=worker, device="cpu:0")
    WorkerLog.objects.create(worker=worker, text="a line of the log " * 30 + "\n" * 3 + "x" * 300)
    return Rows(
        experiment=experiment.name,
        launched=launched.name,
        run=running.pk,
        rollout=Rollout.objects.filter(attempt__stage_run=running).latest("pk").pk,
        evaluation=evaluation.pk,
        problem="p0000",
        published=history.experiment.name,
        worker=worker.pk,
    )
