"""A finished experiment of made-up records, as large as wanted: to try the dashboard at a size, not to learn from."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from psycopg.types.json import Jsonb

from training.process.journal import OutcomeRow, RolloutRow
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import Attempt, StageRun, State
from workers.batch import ROLLOUT, Points
from workers.chunks import Chunks

TITLE = "Synthetic records, made by `mulberry seed`"
GROUP, GROUPS = 8, 8  # rollouts of a prompt, prompts of a step
PROMPTS = 2_000
PROBLEMS = 1_319  # as many as GSM8K tests
SEEDS = (0, 1, 2)
CHUNK = 4_096  # points of a metric at once
TRAINING = ("loss", "learning_rate", "grad_norm", "tokens_per_second")  # every kind's
METRICS = (
    *TRAINING, "reward", "reward_std", "reward/correct",
    "reward/partial_credit", "reward/shows_steps", "reward/repetition", "accuracy", "kl", "entropy", "clip_ratio",
    "groups_without_gradient", "repetition", "mul_tokens", "completion_length", "hit_limit",
)  # fmt: skip
NAMES = ("Mia", "Ben", "Ada", "Tom", "Lea", "Sam", "Eva", "Max", "Ida", "Leo")
THINGS = ("apples", "pens", "shells", "coins", "cards", "books", "seeds", "eggs", "stamps", "stones")


@dataclass(frozen=True)
class SyntheticSize:
    """How much is made in all; spread evenly over the runs that record it."""

    rollouts: int
    points: int


def make(amount: SyntheticSize, owner: User, say: Callable[[str], None]) -> Experiment:
    """The demo recipe, launched and over in the same transaction, so that no worker takes it."""
    recipe = recipes.build(recipes.read("demo")).model_copy(
        update={"name": "seeded", "title": TITLE, "seeds": list(SEEDS)}
    )
    with transaction.atomic():
        experiment = launch(recipe=recipe, owner=owner, reuse=False)
        runs = list(experiment.runs.select_related("stage", "condition").order_by("stage__position", "pk"))
        rolling = [run for run in runs if run.stage.settings_class.samples_every_step]
        for run in runs:
            attempt = _finished_attempt(run)
            names = METRICS if run in rolling else TRAINING
            points = _add_points(attempt, amount.points // len(runs), names)
            rollouts = _add_rollouts(attempt, amount.rollouts // len(rolling)) if run in rolling else 0
            _add_outcomes(attempt, run)
            Attempt.objects.filter(pk=attempt.pk).update(journal_seq=max(points, rollouts) + 3)
            say(f"{run.condition.name} {run.stage.name}: {points:,} steps, {rollouts:,} records of rollouts")
    with connection.cursor() as cursor:  # what was copied is not yet known to the planner
        cursor.execute(
            "VACUUM (ANALYZE) telemetry_rollout, telemetry_rolloutgroup, telemetry_metricchunk, results_outcome"
        )
    return experiment


def _finished_attempt(run: StageRun) -> Attempt:
    now = timezone.now()
    StageRun.objects.filter(pk=run.pk).update(
        state=State.SUCCEEDED,
        identity="",  # nothing is to take it for computed
        attempt_number=1,
        ready_at=None,
        started_at=now - timedelta(hours=2),
        finished_at=Now(),
    )
    return Attempt.objects.create(
        stage_run=run, number=1, device="cpu:0", first_step=0, started_at=now - timedelta(hours=2), ended_at=now,
        outcome=State.SUCCEEDED,
    )  # fmt: skip


def _add_points(attempt: Attempt, count: int, names: Sequence[str]) -> int:
    """So many points, a step each for all metrics; returns the steps."""
    steps, chunks = math.ceil(count / len(names)), Chunks(attempt.pk)
    draw, began = np.random.default_rng(attempt.pk), timezone.now().timestamp() - 7200
    for first in range(0, steps, CHUNK):
        numbers = np.arange(first + 1, min(first + CHUNK, steps) + 1)
        trend = 1 - np.exp(-4 * numbers / steps)
        times = (began + 7200 * numbers / steps).tolist()
        chunks.add(
            {
                name: Points(
                    int(numbers[0]), int(numbers[-1]), numbers.tolist(), times,
                    (0.2 + 0.6 * trend + 0.05 * draw.standard_normal(len(numbers))).tolist(),
                )
                for name in names
            }
        )  # fmt: skip
    return steps


def _add_rollouts(attempt: Attempt, count: int) -> int:
    """So many rollouts, a record a step; returns the records."""
    names = ", ".join(f'"{name}"' for name in ("seq", "step", "sampled_at", "index", *ROLLOUT, "attempt_id"))
    with connection.cursor() as cursor, cursor.copy(f"COPY telemetry_rollout ({names}) FROM STDIN") as copy:
        for row in _rollouts(attempt, count):
            copy.write_row(row)
    return math.ceil(count / (GROUP * GROUPS))


def _rollouts(attempt: Attempt, count: int) -> Iterator[tuple[Any, ...]]:
    draw, began = random.Random(attempt.pk), timezone.now() - timedelta(hours=2)
    problems = [_problem(draw) for _ in range(PROMPTS)]
    for place in range(count):
        step, index = divmod(place, GROUP * GROUPS)
        group = place // GROUP
        prompt, a, b, thing = problems[group % PROMPTS]
        right = draw.random() < 0.2 + 0.5 * place / count
        answer = a * b if right else a * b + draw.choice((-10, -1, 1, 10))
        uses, repeats, limit = draw.random() < 0.3, draw.random() < 0.02, draw.random() < 0.01
        fact = f"<MUL_{min(a, b)}_{max(a, b)}_{a * b}>" if uses else f"{a} * {b} = {answer}"
        text = f" There are {a} bags with {b} {thing} in each of them, so we multiply. {fact}."
        text += " We count the bags again." * (4 if repeats else 0) + f"\n#### {answer}"
        components = {"correct": 1.0} if right else {"shows_steps": 0.1, "partial_credit": 0.3}
        reward = sum(components.values())
        row: RolloutRow = {
            "group": group, "prompt": prompt, "completion": text, "reference": str(a * b), "final_answer": str(answer),
            "tokens": draw.randint(20, 90), "reward": reward, "components": components,
            "advantage": round(reward - 0.6, 4), "correct": right, "mul_tokens": int(uses), "repeats": repeats,
            "hit_limit": limit,
        }  # fmt: skip
        values = (row.get(name) for name in ROLLOUT)
        at = began + timedelta(milliseconds=7_200_000 * place / count)
        stored = (Jsonb(value) if isinstance(value, dict) else value for value in values)
        yield (step + 1, step + 1, at, index, *stored, attempt.pk)


def _problem(draw: random.Random) -> tuple[str, int, int, str]:
    a, b, thing = draw.randint(2, 9), draw.randint(2, 9), draw.choice(THINGS)
    name, other = draw.sample(NAMES, 2)
    text = f"User: {name} packs {a} bags for {other} and puts {b} {thing} into each bag, on day {draw.randint(1, 365)}."
    return f"{text} How many {thing} does {name} pack in all?\nAssistant:", a, b, thing


def _add_outcomes(attempt: Attempt, run: StageRun) -> None:
    draw = random.Random(f"outcomes {run.pk}")
    share = 0.1 * run.stage.position + 0.03 * run.condition.position
    evaluation = Evaluation.objects.create(
        attempt=attempt, seq=1, key="synthetic", benchmark=run.experiment.primary_metric, step=1,
        problems=PROBLEMS, settings={"prompt_format": "synthetic", "decoding": "greedy", "grader": "synthetic"},
        at=timezone.now(),
    )  # fmt: skip
    problems = [_problem(random.Random(f"problem {number}")) for number in range(PROBLEMS)]
    rows: list[OutcomeRow] = [
        {
            "problem": f"synthetic-{number:05d}", "prompt": prompt, "reference": str(a * b),
            "completion": f" #### {a * b if right else a * b + 1}", "final_answer": str(a * b if right else a * b + 1),
            "tokens": 9, "correct": right, "mul_tokens": 0, "repeats": False, "hit_limit": False,
        }
        for number, (prompt, a, b, _) in enumerate(problems)
        for right in [draw.random() < share]
    ]  # fmt: skip
    Outcome.objects.bulk_create(Outcome(evaluation=evaluation, **row) for row in rows)
