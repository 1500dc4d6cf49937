"""Rows for tests and for looking at pages: experiments, attempts, metrics, rollouts, evaluations.

Every function writes what ingest would write, with journal sequence numbers that go on from the attempt's last.
Whole training runs and experiments part of the way: tests/histories.py.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from tests.rows import copy, row_of
from training.process import checkpoints
from training.process.journal import OutcomeRow, RolloutRow
from training.process.run_folders import folder_name
from training.recipes.recipe import StageSpec
from webapp.experiments.models import Condition, Experiment, Stage
from webapp.results.models import Evaluation, Outcome
from webapp.runs import lifecycle
from webapp.runs.models import OVER, Attempt, Checkpoint, Event, StageRun, State, Worker
from webapp.runs.reuse import Benchmarks
from webapp.telemetry.models import LogLine, Metric, MetricChunk, Rollout

STAGES = (
    ("pretrain", "pretrain"),
    ("instruct", "sft"),
    ("drills", "sft"),
    ("words", "sft"),
    ("mixed", "sft"),
    ("grpo", "grpo"),
)
BENCHMARK = "one_step_multiplication"
EVALUATION_SETTINGS = {
    "prompt_format": "User: {question}\nAssistant:",
    "decoding": "greedy",
    "max_new_tokens": 28,
    "grader": "one_step_multiplication/1",
    "problems_sha256": "0" * 64,
}


def make_user(name: str = "ada") -> User:
    return User.objects.get_or_create(username=name)[0]


def make_experiment(
    name: str = "demo-1",
    *,
    conditions: Sequence[str] = ("baseline", "mul_tokens"),
    stages: Sequence[tuple[str, str]] = STAGES,
    seeds: Sequence[int] = (0,),
    owner: User | None = None,
    recipe: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Experiment:
    """An experiment with all its stage runs: roots ready, the others waiting; stages follow in order."""
    values: dict[str, Any] = {
        "title": "One-step multiplication, with and without mul-tokens",
        "recipe_name": name.rsplit("-", 1)[0],
        "recipe": dict(recipe or {}),
        "question": "Do multiplication-fact tokens help a small model at one-step word problems?",
        "prediction": "mul_tokens ends at least 5 points above baseline.",
        "primary_metric": BENCHMARK,
        "seeds": list(seeds),
        "owner": owner or make_user(),
    }
    experiment = Experiment.objects.create(name=name, **(values | fields))
    made = Condition.objects.bulk_create(
        Condition(
            experiment=experiment,
            name=condition,
            position=i,
            overrides={"mul_tokens.inject": True} if condition == "mul_tokens" else {},
        )
        for i, condition in enumerate(conditions)
    )
    steps = [
        Stage(pk=pk, experiment=experiment, name=stage, kind=kind, position=i)
        for i, (pk, (stage, kind)) in enumerate(zip(_new_ids(Stage, len(stages)), stages, strict=True))
    ]
    for before, after in pairwise(steps):
        after.after = before
    Stage.objects.bulk_create(steps)
    ids = iter(_new_ids(StageRun, len(made) * len(seeds) * len(steps)))
    runs: list[StageRun] = []
    for condition, seed in product(made, seeds):
        for stage in steps:
            parent = None if stage.after is None else runs[-1]
            run = StageRun(
                pk=next(ids),
                experiment=experiment,
                condition=condition,
                stage=stage,
                seed=seed,
                parent=parent,
                spec={
                    "condition": condition.name,
                    "stage": stage.name,
                    "seed": seed,
                    "benchmarks": [{"benchmark": BENCHMARK, "problems": 600}],
                },
                state=State.WAITING if parent else State.READY,
                ready_at=None if parent else timezone.now(),
            )
            runs.append(run)
    StageRun.objects.bulk_create(runs)
    return experiment


def _new_ids(model: type[Model], count: int) -> list[int]:
    """Ids from a table's sequence, so that rows that name each other are stored by one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [one for (one,) in cursor.fetchall()]


def run_of(experiment: Experiment, condition: str, stage: str, seed: int = 0) -> StageRun:
    return StageRun.objects.get(
        experiment=experiment, condition__name=condition, stage__name=stage, seed=seed
    )


def make_attempt(run: StageRun, *, state: str = State.RUNNING, first_step: int = 0, **fields: Any) -> Attempt:
    """The next attempt of a run, which is then in `state`; a run that is over has an attempt that is over."""
    now = timezone.now()
    over = state in OVER
    run.attempt_number += 1
    Event.objects.create(
        stage_run=run, attempt_number=run.attempt_number, from_state=run.state, to_state=state, text=""
    )
    run.state = state
    run.started_at = run.started_at or now - timedelta(seconds=40)
    run.finished_at = now if over else None
    run.lease_until = None if over else now + timedelta(minutes=5)
    run.save()
    values: dict[str, Any] = {
        "number": run.attempt_number,
        "device": "cpu:0",
        "hostname": "laptop",
        "pid": 4242,
        "first_step": first_step,
        "started_at": now - timedelta(seconds=40),
        "ended_at": now if over else None,
        "outcome": state if over else "",
    }
    return Attempt.objects.create(stage_run=run, **(values | fields))


def make_worker(*devices: str, **fields: Any) -> Worker:
    """A worker that answers, as its report left its row; GPUs are H100s."""
    gpu = {
        "name": "NVIDIA H100 80GB HBM3",
        "used": 0.97,
        "memory_used": 12_944_670_720,
        "memory_total": 85_520_809_984,
    }
    gpus = [gpu] * sum(device.startswith("cuda") for device in devices)
    values: dict[str, Any] = {
        "name": f"worker-{Worker.objects.count():06x}@box",
        "hostname": "box",
        "boot_id": "b",
        "pid": 1,
        "process_started": 1.0,
        "queues": ["default"],
        "devices": list(devices),
        "version": "6cd2b86a1f00",
        "gpus": [one["name"] for one in gpus],
        "usage": {
            "cores": 16,
            "cpu": 0.42,
            "memory_used": 48_200_000_000,
            "memory_total": 135_000_000_000,
            "disk_free": 812_000_000_000,
            "gpus": gpus,
        },
        "usage_at": timezone.now(),
    }
    return Worker.objects.create(**(values | fields))


def make_run(
    stage: str = "grpo",
    *,
    state: str = State.RUNNING,
    experiment: Experiment | None = None,
    condition: str = "mul_tokens",
) -> StageRun:
    """One stage run with one attempt, in an experiment of its own unless one is given."""
    run = run_of(experiment or make_experiment(), condition, stage)
    make_attempt(run, state=state)
    return run


def next_seq(attempt: Attempt, records: int = 1) -> int:
    """The number of the first of so many more journal records."""
    attempt.journal_seq += records
    attempt.save(update_fields=["journal_seq"])
    return attempt.journal_seq - records + 1


def add_metrics(attempt: Attempt, series: Mapping[str, Sequence[float]], *, first_step: int = 1) -> None:
    """One chunk per metric, one point per step; all metrics share the journal's records."""
    length = max(len(values) for values in series.values())
    first_seq = next_seq(attempt, length)
    Metric.objects.bulk_create([Metric(attempt=attempt, name=name) for name in series], ignore_conflicts=True)
    metrics = {one.name: one for one in attempt.metrics.filter(name__in=series)}
    now = timezone.now().timestamp()
    chunks = []
    for name, values in series.items():
        steps = np.arange(first_step, first_step + len(values), dtype="<i8")
        chunks.append(
            MetricChunk(
                metric=metrics[name],
                first_seq=first_seq,
                last_seq=first_seq + len(values) - 1,
                first_step=int(steps[0]),
                last_step=int(steps[-1]),
                points=len(values),
                steps=steps.tobytes(),
                times=(now + np.arange(len(values), dtype="<f8")).tobytes(),
                values=np.asarray(values, dtype="<f8").tobytes(),
            )
        )
    MetricChunk.objects.bulk_create(chunks)


def add_rollouts(
    attempt: Attempt, *, step: int = 1, count: int = 8, group_size: int = 8, seed: int = 0
) -> int:
    """One journal record of rollouts, a prompt a group; returns its seq."""
    run = attempt.stage_run
    # not by the attempt's id, which other tests decide: what is drawn is the same whenever a test runs
    draw = random.Random(f"{run.condition.position} {run.seed} {attempt.number} {step} {seed}")
    seq = next_seq(attempt)
    rows = []
    a = b = 0
    for index in range(count):
        drawn = draw.randint(2, 9), draw.randint(2, 9)
        a, b = (a, b) if index % group_size else drawn
        correct, uses = draw.random() < 0.6, draw.random() < 0.5
        low, high = sorted((a, b))
        answer = a * b if correct else a * b + draw.choice((-1, 1, 10))
        fact = f"<MUL_{low}_{high}_{a * b}>" if uses else f"{a} × {b} = {answer}"
        components = {"correct": 1.0} if correct else {"shows_steps": 0.1, "partial_credit": 0.3}
        rows.append(
            row_of(
                RolloutRow,
                group=step * max(1, count // group_size) + index // group_size,
                prompt=f"User: Mia has {a} bags with {b} apples in each bag. How many apples?\nAssistant:",
                completion=f" {fact}\n#### {answer}",
                reference=str(a * b),
                final_answer=str(answer),
                tokens=draw.randint(6, 28),
                reward=sum(components.values()),
                components=components,
                advantage=draw.gauss(0, 1),
                correct=correct,
                mul_tokens=int(uses),
                repeats=draw.random() < 0.1,
                hit_limit=draw.random() < 0.1,
            )
        )
    where = {"attempt": attempt.pk, "seq": seq, "step": step, "sampled_at": timezone.now()}
    copy(Rollout, [{**where, "index": index, **row} for index, row in enumerate(rows)])
    return seq


def add_evaluation(
    attempt: Attempt,
    correct: Sequence[bool],
    *,
    benchmark: str = BENCHMARK,
    problems: int | None = None,
    step: int = 100,
    mul_tokens: int = 0,
    settings: Mapping[str, Any] | None = None,
    labels: Callable[[int], Sequence[str]] | None = None,
    named: Callable[[int], str] = "p{:04d}".format,
) -> Evaluation:
    """An evaluation with one outcome for each of `correct`; complete unless `problems` is larger.

    `labels` says which groups a problem belongs to, by its place; `named` its id.
    """
    evaluation = Evaluation.objects.create(
        attempt=attempt,
        seq=next_seq(attempt, records=2),  # where it begins and where it ends
        key=f"{benchmark}@{step}",
        benchmark=benchmark,
        step=step,
        problems=len(correct) if problems is None else problems,
        settings=dict(settings or EVALUATION_SETTINGS),
        at=timezone.now(),
    )
    rows = [
        row_of(
            OutcomeRow,
            problem=named(i),
            prompt=f"User: Ben has {i % 8 + 2} boxes of {i % 7 + 2} pens. How many pens?\nAssistant:",
            completion=f" #### {(i % 8 + 2) * (i % 7 + 2) + (not right)}",
            reference=str((i % 8 + 2) * (i % 7 + 2)),
            final_answer=str((i % 8 + 2) * (i % 7 + 2) + (not right)),
            tokens=9,
            correct=right,
            mul_tokens=mul_tokens,
            answer_rule="mark",
            labels=None if labels is None else list(labels(i)),
        )
        for i, right in enumerate(correct)
    ]
    copy(Outcome, [{"evaluation": evaluation.pk, **row} for row in rows])
    return evaluation


def add_samples(
    evaluation: Evaluation, correct: Sequence[Sequence[bool]], *, temperature: float = 0.8
) -> Evaluation:
    """Sampled completions beside the greedy ones: for each problem in order one a bool."""
    evaluation.settings |= {"samples": len(correct[0]), "temperature": temperature}
    evaluation.save(update_fields=["settings"])
    greedy = evaluation.outcomes.filter(sample=0).order_by("problem")
    rows = [
        row_of(
            OutcomeRow,
            problem=one.problem,
            sample=place,
            prompt=one.prompt,
            completion=f" about {place}\n#### {int(one.reference) + (not right)}",
            reference=one.reference,
            final_answer=str(int(one.reference) + (not right)),
            tokens=11,
            correct=right,
            repeats=True,
            hit_limit=True,
            steps_written=1,
            steps_right=0,
            answer_rule="mark",
        )
        for one, drawn in zip(greedy, correct, strict=True)
        for place, right in enumerate(drawn, 1)
    ]
    copy(Outcome, [{"evaluation": evaluation.pk, **row} for row in rows])
    return evaluation


def add_log(attempt: Attempt, text: str, level: str = "info") -> LogLine:
    return LogLine.objects.create(
        attempt=attempt, seq=next_seq(attempt), at=timezone.now(), level=level, text=text
    )


def add_checkpoint(attempt: Attempt, *, step: int = 100, final: bool = True) -> Checkpoint:
    return Checkpoint.objects.create(
        attempt=attempt,
        seq=next_seq(attempt),
        step=step,
        path=f"/storage/{attempt.stage_run_id}/{'final' if final else f'step-{step:08d}'}",
        final=final,
        manifest_sha256="0" * 64,
        bytes=1_234_567,
        saved_at=timezone.now(),
    )


def finish(run: StageRun, folder: Path, *, right: Sequence[bool] = ()) -> Attempt:
    """A launched run as a worker leaves it: succeeded, with a checkpoint in `folder` and all its benchmarks."""
    spec = StageSpec.model_validate(run.spec)
    attempt = make_attempt(run, state=State.RUNNING, ended_at=timezone.now(), outcome=State.SUCCEEDED)
    if spec.settings.leaves_checkpoint:
        own = folder / folder_name(run.pk, run.key)
        with checkpoints.write(own, checkpoints.FINAL, step=7) as made:
            (made / "model.safetensors").write_text(f"weights of run {run.pk}")
        saved = checkpoints.Own(own).final()
        assert saved is not None
        add_checkpoint(attempt, step=7)
        Checkpoint.objects.filter(attempt=attempt).update(
            path=str(saved.path), manifest_sha256=saved.manifest_sha256
        )
    known = Benchmarks()
    for benchmark in spec.benchmarks:
        problems = benchmark.problems or 1
        correct = [*right, *[False] * problems][:problems]
        add_evaluation(attempt, correct, benchmark=benchmark.benchmark, settings=known.wanted(benchmark))
    assert lifecycle.move(run.pk, State.RUNNING, State.SUCCEEDED, attempt=attempt.number)
    run.refresh_from_db()
    return attempt
