"""The gallery of recipes where many runs have ended: server time of the page, also just after another run has ended.

    python -m benchmarks.gallery [--experiments 100] [--repeats 9]

Each experiment has the 24 runs of the demo's recipe with two seeds, all over, each with a speed and an evaluation's time. The limit:
300 ms of server time, asked in this process (no network).
"""

import argparse
import os
import statistics
import sys
import time
from datetime import timedelta

from tests.stack import ROOT, RunningStack

SECONDS = 0.3
PATH = "/experiments/new/"
SEEDS = (0, 1)


def main() -> int:
    """Print a line for each state; 1 when one of them is over the limit, the first request of an installation aside."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    os.environ.setdefault("MULBERRY_DATA", str(ROOT.parent / "shared" / "data"))
    stack = RunningStack({"MULBERRY_SLOTS": "1"})
    try:
        stack.start()
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "DATABASE_URL": stack.database_url(),
            "MULBERRY_HOME": str(stack.home),
        }
        import django

        django.setup()
        began = time.perf_counter()
        runs = _make(arguments.experiments)
        print(f"{runs:,} runs made in {time.perf_counter() - began:.0f} s", flush=True)
        over = _ask(arguments.repeats)
        stack.stop()
    finally:
        stack.remove()
    return int(over)


def _make(experiments: int) -> int:
    import numpy as np
    from django.db import connection
    from django.utils import timezone

    from tests import factories
    from training.recipes import recipe as recipes
    from webapp.experiments.models import Condition, Experiment, Stage
    from webapp.results.models import Evaluation
    from webapp.runs.models import Attempt, StageRun, State
    from webapp.telemetry.models import Metric, MetricChunk

    recipe = recipes.build(recipes.read("demo"), [("seeds", list(SEEDS))])
    owner, now = factories.make_user(), timezone.now()
    specs = [(spec, spec.model_dump(mode="json")) for spec in recipes.resolve(recipe)]
    point = {
        "points": 1, "first_seq": 1, "last_seq": 1, "first_step": 1, "last_step": 1, "steps": np.array([1], "<i8").tobytes(),
        "times": np.array([now.timestamp() - 30], "<f8").tobytes(), "values": np.array([500.0], "<f8").tobytes(),
    }  # fmt: skip
    for number in range(experiments):
        one = Experiment.objects.create(
            name=f"many-{number}", title="Many", recipe_name="many", recipe=recipe.model_dump(mode="json"),
            primary_metric=factories.BENCHMARK, seeds=list(SEEDS), owner=owner,
        )  # fmt: skip
        arms = {
            arm.name: Condition.objects.create(experiment=one, name=arm.name, position=place)
            for place, arm in enumerate(recipe.conditions)
        }
        stages = {
            stage.name: Stage.objects.create(experiment=one, name=stage.name, kind=stage.kind, position=place)
            for place, stage in enumerate(recipe.stages)
        }
        runs = StageRun.objects.bulk_create(
            StageRun(
                experiment=one, condition=arms[spec.condition], stage=stages[spec.stage], seed=spec.seed, spec=dumped,
                state=State.SUCCEEDED, attempt_number=1, started_at=now, finished_at=now,
            )
            for spec, dumped in specs
        )  # fmt: skip
        attempts = Attempt.objects.bulk_create(
            Attempt(
                stage_run=run, number=1, outcome=State.SUCCEEDED, device="cpu:0", hostname="box", first_step=0,
                started_at=now - timedelta(seconds=40), ended_at=now,
            )
            for run in runs
        )  # fmt: skip
        metrics = Metric.objects.bulk_create(
            Metric(attempt=attempt, name=f"{spec.settings.unit}_per_second")
            for attempt, (spec, _) in zip(attempts, specs, strict=True)
        )
        MetricChunk.objects.bulk_create(MetricChunk(metric=metric, **point) for metric in metrics)
        Evaluation.objects.bulk_create(
            Evaluation(
                attempt=attempt, seq=1, key="e", benchmark=factories.BENCHMARK, step=1, problems=150,
                settings=factories.EVALUATION_SETTINGS, at=now - timedelta(seconds=5),
            )
            for attempt in attempts
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return experiments * len(specs)


def _ask(repeats: int) -> bool:
    from django.contrib.auth.models import User
    from django.test import Client

    from webapp.runs.models import Attempt

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username="ada"))

    def took() -> tuple[float, float]:
        began, cpu = time.perf_counter(), time.process_time()
        assert client.get(PATH).status_code == 200
        return time.perf_counter() - began, time.process_time() - cpu

    def ended() -> tuple[float, float]:
        """Another run has ended since the page was asked for."""
        newest = Attempt.objects.select_related("stage_run").latest("pk")
        Attempt.objects.create(
            stage_run=newest.stage_run, number=newest.number + 1, outcome=newest.outcome, device=newest.device,
            hostname=newest.hostname, first_step=0, started_at=newest.started_at, ended_at=newest.ended_at,
        )  # fmt: skip
        return took()

    print(f"{'state':30} fastest  median  slowest      CPU   load {os.getloadavg()[0]:.1f}")
    states = {
        "the first request ever": [took()],
        "nothing has ended since": [took() for _ in range(repeats)],
        "a run has ended since": [ended() for _ in range(repeats)],
    }
    medians = []
    for name, asked in states.items():
        times, computed = zip(*asked, strict=True)
        medians.append(statistics.median(times))
        print(
            f"{name:30} {min(times):6.3f}s {medians[-1]:6.3f}s {max(times):7.3f}s {statistics.median(computed):7.3f}s",
            flush=True,
        )
    return any(median > SECONDS for median in medians[1:])


if __name__ == "__main__":
    sys.exit(main())
