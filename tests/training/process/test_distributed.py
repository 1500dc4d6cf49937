"""Several processes under torchrun do what one does: same batches, metrics and rollouts, one journal, one end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.training import several
from tests.training.conftest import KINDS, Stage, Stages
from training.__main__ import _show_gpus
from training.process import checkpoints, ranks, torchrun
from training.process.journal import records
from training.stages.evaluate.config import EvaluateSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

ROOT = Path(__file__).resolve().parents[3]
# so many steps that it is killed long before its end
LONG = [
    ("stages.sft.epochs", 10_000),
    ("stages.sft.save_every", 20),
    ("stages.sft.optimizer.learning_rate", 1e-3),
]
# more than the tiny recipe has: validation, a last step of one row, groups cut between processes
MORE: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "validated": (
        "pretrain",
        [("stages.pretrain.validation_tokens", 400), ("stages.pretrain.validate_every", 3)],
    ),
    "evaluated": (
        "sft",
        [("stages.sft.evaluate_every", 3), ("stages.sft.evaluate_problems", 7)],
    ),
    "short_step": ("sft", [("stages.sft.batch_size", 4), ("stages.sft.gradient_accumulation", 1)]),
    "cut_groups": (
        "grpo",
        [
            ("stages.grpo.gradient_accumulation", 1),
            ("stages.grpo.loss_type", "dapo"),
            ("stages.grpo.scale_rewards", "batch"),
            ("stages.grpo.iterations", 2),
        ],
    ),
}


@contextmanager
def started(run_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """torchrun with two processes, as the worker starts it; nothing of it is left afterwards."""
    process = subprocess.Popen(
        torchrun.command(run_dir, 2),
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        left = [process, *descendants(process.pid)]
        for one in left:
            with suppress(psutil.NoSuchProcess):  # it ended with the one that started it
                one.kill()
        process.communicate()


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_for(condition: Callable[[], object], seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def parent_of(finished: dict[str, Stage], kind: str) -> Path | None:
    before = KINDS.index(kind) - 1
    return finished[KINDS[before]].checkpoints / "final" if before >= 0 else None


def steps_done(stage: Stage) -> int:
    if not (stage.run_dir / "journal").exists():
        return 0
    return max((fields["step"] for fields in stage.journal.records("metrics")), default=0)


@pytest.fixture(scope="module")
def pairs(
    finished: dict[str, Stage], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Stage, Stage]]:
    """Name → (a stage run by one process, the same by two); all of the latter under one torchrun."""
    data_dir = Path(os.environ["MULBERRY_DATA"])
    ones = Stages(tmp_path_factory.mktemp("one"), data_dir)
    twos = Stages(tmp_path_factory.mktemp("two"), data_dir)
    made: dict[str, tuple[Stage, Stage]] = {}
    for kind in KINDS:
        made[kind] = finished[kind], twos.make(kind, kind, parent=parent_of(finished, kind))
    final = finished["grpo"].checkpoints / "final"
    made["again"] = finished["again"], twos.make("again", "again", parent=final)
    for name, (kind, changes) in MORE.items():
        parent = parent_of(finished, kind)
        one = ones.make(name, kind, parent=parent, changes=changes)
        assert one.run() == 0
        made[name] = one, twos.make(name, kind, parent=parent, changes=changes)
    resumed = twos.make("resumed", "curriculum", parent=parent_of(finished, "curriculum"))
    assert resumed.run_until(7, signal.SIGKILL) == -signal.SIGKILL
    made["resumed"] = finished["curriculum"], resumed
    output = twos.root / "output"
    assert several.run([two.run_dir for _, two in made.values()], output) == (0, False), output.read_text()
    return made


@pytest.mark.parametrize("name", [*KINDS, *MORE, "resumed"])
def test_two_processes_have_the_metrics_of_one(name: str, pairs: dict[str, tuple[Stage, Stage]]) -> None:
    one, two = pairs[name]
    expected, found = one.journal.metrics(), two.journal.metrics()
    assert found.keys() == expected.keys()
    for step, values in expected.items():
        # beside 1e-4 nothing but float noise: the difference of two equal log-probabilities is such
        assert found[step] == pytest.approx(values, rel=1e-4, abs=1e-5), f"step {step}"
    expected_rollouts, rollouts = one.journal.rollouts(), two.journal.rollouts()
    assert rollouts.keys() == expected_rollouts.keys()
    for step, rows in expected_rollouts.items():
        for row, other in zip(rows, rollouts[step], strict=True):
            assert other == {**row, "advantage": pytest.approx(row["advantage"], abs=1e-5)}


@pytest.mark.parametrize("name", [*KINDS, "again", *MORE])
def test_only_the_first_process_writes(name: str, pairs: dict[str, tuple[Stage, Stage]]) -> None:
    one, two = pairs[name]
    found = list(records(two.run_dir / "journal"))
    assert [record.seq for record in found] == list(range(1, len(found) + 1))
    assert [record.type for record in found].count("started") == 1
    assert found[-1].type == "finished" and found[-1].fields["status"] == "succeeded"
    for run in (one, two):
        assert not list(run.run_dir.glob("failed-*"))
    places = [(c["step"], c["final"]) for c in one.journal.records("checkpoint")]
    assert [(c["step"], c["final"]) for c in two.journal.records("checkpoint")] == places
    if name != "again":
        left = sorted(path.name for path in two.checkpoints.iterdir())
        assert left == sorted(path.name for path in one.checkpoints.iterdir())
        assert all(checkpoints.read(two.checkpoints / folder) for folder in left)


@pytest.mark.parametrize("name", [*KINDS, "again"])
def test_processes_share_the_problems_of_a_benchmark(
    name: str, pairs: dict[str, tuple[Stage, Stage]]
) -> None:
    one, two = pairs[name]
    assert one.journal.records("evaluation") == two.journal.records("evaluation")

    def outcomes(stage: Stage) -> list[dict[str, Any]]:
        rows = [row for fields in stage.journal.records("outcomes") for row in fields["rows"]]
        return sorted(rows, key=lambda row: row["problem"])

    assert outcomes(two) == outcomes(one)
    assert two.journal.records("progress")[-1] == one.journal.records("progress")[-1]


def test_stopped_it_goes_on_in_two_processes(finished: dict[str, Stage], stages: Stages) -> None:
    stage = stages.make("run", "sft", parent=parent_of(finished, "sft"))
    output = stages.root / "output"

    def stop() -> None:  # torchrun's agent is told to stop, and tells its processes
        os.kill(os.getppid(), signal.SIGTERM)

    code, left = several.run([stage.run_dir], output, (1, 4, stop))
    assert code != 0 and not left
    assert stage.journal.records("finished")[-1]["reason"] == "terminated", output.read_text()
    stopped = stage.journal.records("checkpoint")[-1]["step"]
    assert stopped >= 4

    assert several.run([stage.run_dir], output) == (0, False), output.read_text()
    assert [fields["step"] for fields in stage.journal.records("started")] == [0, stopped]
    found = stage.journal.metrics()
    for step, values in finished["sft"].journal.metrics().items():
        assert found[step] == pytest.approx(values, rel=1e-3, abs=1e-4), f"step {step}"


@pytest.mark.slow
def test_killed_by_its_parent_it_goes_on_in_one_process(finished: dict[str, Stage], stages: Stages) -> None:
    parent = parent_of(finished, "sft")
    stage = stages.make("run", "sft", parent=parent, changes=LONG)
    with started(stage.run_dir) as process:
        wait_for(lambda: steps_done(stage) >= 40)
        members = descendants(process.pid)
        assert len(members) >= 2
        process.kill()
        assert not psutil.wait_procs(members, timeout=100)[1]  # not only torchrun: its processes too

    done = steps_done(stage)
    assert stage.run_until(done + 10, signal.SIGTERM) == 75
    first, resumed = (fields["step"] for fields in stage.journal.records("started"))
    assert first == 0 and 20 <= resumed <= done and resumed % 20 == 0
    whole = stages.make("whole", "sft", parent=parent, changes=LONG)
    assert whole.run_until(done + 10, signal.SIGTERM) == 75
    found = stage.journal.metrics()
    assert found.keys() == whole.journal.metrics().keys()
    for step, values in whole.journal.metrics().items():
        assert found[step] == pytest.approx(values, rel=1e-3, abs=1e-4), f"step {step}"


def test_what_ends_another_process_is_told_in_the_journal(finished: dict[str, Stage], stages: Stages) -> None:
    stage = stages.make("run", "sft", parent=parent_of(finished, "sft"))
    output = stages.root / "output"

    def fail() -> None:
        raise MemoryError("planted")

    code, left = several.run([stage.run_dir], output, (1, 4, fail))
    assert code != 0 and not left
    (last,) = stage.journal.records("finished")
    assert (last["status"], last["reason"]) == ("failed", "out_of_memory"), output.read_text()
    assert any("planted" in fields["text"] for fields in stage.journal.records("log"))
    failure = torchrun.first_failure(stage.run_dir)
    assert failure is not None and failure["hint"] == last["hint"]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_kind_that_cannot_share_its_work_runs_in_the_first_process(
    rank: int, finished: dict[str, Stage], stages: Stages
) -> None:
    stage = stages.make("run", "again", parent=finished["grpo"].checkpoints / "final")

    def one_of_two() -> None:
        EvaluateSettings.several_processes = False
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")

    assert stage.run(one_of_two) == 0
    if rank == 0:
        assert stage.journal.records("outcomes") == finished["again"].journal.records("outcomes")
        assert stage.journal.records("log")[0]["text"] == "a stage of kind evaluate runs in one process"
    else:
        assert not (stage.run_dir / "journal").exists()


@pytest.mark.parametrize(
    ("visible", "numbers", "processes", "expected"),
    [
        (None, "1", 1, "1"),
        ("2,3", "1", 1, "3"),  # the second of those that the worker sees
        (None, "0,1,2,3", 4, "0,1,2,3"),
        ("GPU-ab,GPU-cd", "0,1", 2, "GPU-ab,GPU-cd"),
        (None, "2,3", 1, "2"),  # a kind that cannot share its work
        (None, "", 1, "0"),  # device cuda, by hand
        (None, "", 2, None),
    ],
)
def test_a_run_sees_the_gpus_of_its_slot(
    visible: str | None, numbers: str, processes: int, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    _show_gpus(numbers)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == expected
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ValueError, match="3 processes on 2 GPUs"):
        _show_gpus("0,1")


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "processes"),
    [(32, 1, 4), (32, 4, 4), (6, 4, 8), (1, 8, 2), (3, 2, 2), (2, 6, 4)],
)
def test_every_row_of_a_step_is_one_process_s(
    batch_size: int, accumulation: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = [[100 * i + j for j in range(batch_size)] for i in range(3 * accumulation)]
    plan[-1] = plan[-1][:1]  # a short pass
    monkeypatch.setattr(ranks, "count", lambda: processes)
    parts = []
    for process in range(processes):
        monkeypatch.setattr(ranks, "index", lambda process=process: process)
        parts.append(list(ranks.share(batch_size, accumulation).passes(iter(plan))))
    passes = len(parts[0]) // 3  # of a step, in each process
    assert all(len(part) == 3 * passes for part in parts)
    for step in range(3):
        rows = [row for part in parts for batch in part[step * passes : (step + 1) * passes] for row in batch]
        expected = [row for batch in plan[step * accumulation : (step + 1) * accumulation] for row in batch]
        assert sorted(rows) == expected
    sizes = {len(batch) for part in parts for batch in part[:passes]}
    assert sizes == {batch_size * accumulation // processes // passes}


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "count", lambda: 4)
    with pytest.raises(ValueError, match=r"= 6 equally; make that a multiple of 4, or run on 3 devices"):
        ranks.share(3, 2)
