"""The list of experiments and the overview of an installation with many experiments: queries and server time.

    python -m benchmarks.many [--experiments 1000] [--problems 100] [--repeats 9] [--explain]

Each experiment has 36 runs (two conditions, six stages, three seeds), all over but for the newest's, and an evaluation of each run.
The limit: 20 queries (28 of the overview) and 300 ms of server time, asked in this process (no network). --explain shows the plans of slow queries.
"""

import argparse
import os
import statistics
import sys
import time

from tests.stack import ROOT, RunningStack

SECONDS = 0.3
PAGES = {
    "list": "/experiments/",
    "list, second page": "/experiments/?page=2",
    "list, succeeded": "/experiments/?state=succeeded",
    "list, searched": "/experiments/?q=beta+many-7",
    "list, by difference": "/experiments/?sort=-delta",
    "list, by device time": "/experiments/?sort=-device",
}
PAGES |= {"overview": "/", "experiment": "/experiments/many-7/", "workers": "/workers/"}
LIMITED = {  # page → queries
    "list": 20,
    "list, second page": 20,
    "list, succeeded": 20,
    "list, searched": 20,
    "list, by difference": 20,
    "overview": 28,
}
SEEDS = (0, 1, 2)
NOTES = "What was seen, and why it was tried. " * 50


def main() -> int:
    """Print a line a page; 1 when the list or the overview is over a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--problems", type=int, default=100, help="of each evaluation")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--explain", action="store_true")
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
        _make(arguments.experiments, arguments.problems)
        print(f"{arguments.experiments} experiments made in {time.perf_counter() - began:.0f} s", flush=True)
        over = _ask(arguments.repeats, explain=arguments.explain)
        stack.stop()
    finally:
        stack.remove()
    return int(over)


def _make(experiments: int, problems: int) -> None:
    from django.db import connection
    from django.db.models import F
    from django.utils import timezone

    from tests import factories
    from training.recipes import recipe as recipes
    from webapp.experiments.models import Condition, Experiment, Stage
    from webapp.results.models import Evaluation
    from webapp.runs.models import Attempt, StageRun, State

    recipe = recipes.build(recipes.read("demo")).model_dump(mode="json")
    owner, now = factories.make_user(), timezone.now()
    made = Experiment.objects.bulk_create(
        Experiment(
            name=f"many-{number}", title="One-step multiplication", recipe_name="many", recipe=recipe, notes=NOTES,
            primary_metric=factories.BENCHMARK, seeds=list(SEEDS), owner=owner, tags=["many", f"tag-{number % 7}"],
            differences=[["stages.grpo.beta", str(number / 1000), "0.04"], ["seeds", "0, 1, 2", "0"]],
        )
        for number in range(experiments)
    )  # fmt: skip
    arms = Condition.objects.bulk_create(
        Condition(experiment=one, name=name, position=place)
        for one in made
        for place, name in enumerate(("baseline", "mul_tokens"))
    )
    before: dict[tuple[int, int], StageRun] = {}  # condition and seed → the run that comes before
    steps: dict[int, Stage] = {}  # of an experiment, the newest
    for place, (name, kind) in enumerate(factories.STAGES):
        stages = Stage.objects.bulk_create(
            Stage(experiment=one, name=name, kind=kind, position=place, after=steps.get(one.pk))
            for one in made
        )
        steps = {stage.experiment_id: stage for stage in stages}
        runs = StageRun.objects.bulk_create(
            StageRun(
                experiment_id=arm.experiment_id, condition=arm, stage=steps[arm.experiment_id], seed=seed, spec=recipe,
                parent=before.get((arm.pk, seed)), state=State.READY if place == 0 else State.WAITING,
                ready_at=now if place == 0 else None, queue="nobody",  # so that the stack's worker takes none
            )
            for arm in arms
            for seed in SEEDS
        )  # fmt: skip
        before = {(run.condition_id, run.seed): run for run in runs}
    newest = made[-1]
    older = StageRun.objects.exclude(experiment=newest)
    older.update(
        state=State.SUCCEEDED,
        attempt_number=1,
        started_at=timezone.now(),
        finished_at=timezone.now(),
        spec=recipe,
    )
    Attempt.objects.bulk_create(
        Attempt(
            stage_run_id=run,
            number=1,
            outcome=State.SUCCEEDED,
            ended_at=timezone.now(),
            journal_seq=9,
            first_step=0,
        )
        for run in older.values_list("pk", flat=True)
    )
    Evaluation.objects.bulk_create(
        Evaluation(
            attempt_id=attempt, seq=1, key="e", benchmark=factories.BENCHMARK, step=1, problems=problems,
            settings=factories.EVALUATION_SETTINGS, at=timezone.now(),
        )
        for attempt in Attempt.objects.annotate(place=F("stage_run")).order_by("place").values_list("pk", flat=True)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO results_outcome (evaluation_id, problem, sample, prompt, completion, reference, final_answer, tokens,"
            " correct, mul_tokens, repeats, hit_limit)"
            " SELECT e.id, 'p' || n, 0, repeat('How many apples? ', 10), ' #### 42', '42', '42', 9,"
            " mod(hashint4(n * 31 + e.id::int), 3) = 0, 0, false, false FROM results_evaluation e, generate_series(1, %s) n",
            [problems],
        )
        cursor.execute("VACUUM (ANALYZE)")


def _ask(repeats: int, *, explain: bool) -> bool:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client, over = Client(headers={"host": "localhost"}), False
    client.force_login(User.objects.get(username="ada"))
    print(
        f"{'page':20} queries  first  fastest  median  slowest      CPU   in the database   load {os.getloadavg()[0]:.1f}"
    )
    for name, path in PAGES.items():
        began = time.perf_counter()
        assert client.get(path).status_code == 200, path
        first, times, computed = time.perf_counter() - began, [], []
        while b"Reading the answers" in client.get(path).content:  # what is kept is measured
            pass
        for _ in range(repeats):
            began, cpu = time.perf_counter(), time.process_time()
            assert client.get(path).status_code == 200, path
            times.append(time.perf_counter() - began)
            computed.append(time.process_time() - cpu)
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        took, asked = statistics.median(times), [float(one["time"]) for one in queries]
        beyond = name in LIMITED and (len(queries) >= LIMITED[name] or took >= SECONDS)
        over |= beyond
        print(
            f"{name:20} {len(queries):7} {first:5.2f}s {min(times):7.3f}s {took:6.3f}s {max(times):7.3f}s {statistics.median(computed):7.3f}s {sum(asked):10.3f}s"
            f"{'  over the limit' if beyond else ''}",
            flush=True,
        )
        for one in queries if explain else ():
            if float(one["time"]) > 0.01:
                print(f"  {one['time']} s: {one['sql'][:300]}")
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {one['sql']}")
                    print("\n".join(f"      {line}" for (line,) in cursor.fetchall()[:25]))
    return over


if __name__ == "__main__":
    sys.exit(main())
