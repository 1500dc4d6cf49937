"""Run one stage: `python -m training RUN_DIR`; RUN_DIR holds spec.json and gets the journal and checkpoints.

In several processes: `torchrun --standalone --nproc-per-node N -m training RUN_DIR`. The first one writes.
Exit codes: 0 succeeded; 1 failed; 75 stopped early, at a checkpoint after TERM, or past the deadline.
"""

import argparse
import importlib
import os
import signal
import traceback
import warnings
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from training.code_version import code_version
from training.engine.run_context import Run, Stopped
from training.process import collector, disk, memory, openmp, prctl, ranks, torchrun
from training.process.journal import Journal, Silent
from training.recipes.recipe import RunSpec

SUCCEEDED, FAILED, STOPPED = 0, 1, 75  # 75: EX_TEMPFAIL of sysexits.h


def main(run_dir: Path) -> int:
    """Run the stage of a run directory to its end and return the exit code; the outcome is in the journal."""
    stop_signals = _StopSignals()
    code_version()  # before the heavy imports, which take long enough for a checkout
    first = torchrun.rank() == 0
    journal = Journal(run_dir / "journal") if first else Silent()
    torchrun.forget_failure(run_dir)
    try:
        run_spec = _spec(run_dir)
        if torchrun.processes() > 1 and not run_spec.spec.settings.several_processes:
            if not first:
                return SUCCEEDED
            journal.log(f"a stage of kind {run_spec.spec.settings.kind} runs in one process")
            torchrun.go_alone()
        with collector.paused_for_imports():
            _prepare_process(run_spec)
            run = Run.open(run_dir, run_spec, journal)
            stop_signals.passed_on_to(run)
            stage = importlib.import_module(f"training.stages.{run.spec.settings.kind}.train")
        stage.run(run)
    except Stopped as stopped:
        hint = {
            "terminated": "stopped on request; start it again to go on from its checkpoint",
            "deadline": "the worker's lease was not renewed in time; another attempt goes on from the checkpoint",
        }[stopped.reason]
        journal.append("finished", status="stopped", reason=stopped.reason, hint=hint)
        return STOPPED if first else SUCCEEDED  # at another's failure torchrun would end the first one
    # The one place that catches everything: whatever a stage raises must become a line that the user reads.
    except Exception as error:
        traceback.print_exc()
        reason, hint = _explained(error, run_dir)
        failure = {"reason": reason, "hint": hint, "trace": traceback.format_exc()}
        if not first:
            torchrun.report_failure(run_dir, **failure)
            return FAILED
        if ranks.lost_another(error):
            failure = torchrun.first_failure(run_dir) or failure
        journal.log(failure["trace"], level="error")
        journal.append("finished", status="failed", reason=failure["reason"], hint=failure["hint"])
        return FAILED
    else:
        journal.append("finished", status="succeeded", reason="", hint="")
        return SUCCEEDED
    finally:
        journal.close()


def _spec(run_dir: Path) -> RunSpec:
    path = run_dir / "spec.json"
    if not path.is_file():
        raise ValueError(f"there is no spec.json in {run_dir}; write the run's spec there first")
    try:
        return RunSpec.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(key) for key in first["loc"])
        raise ValueError(f"{path}: {where}: {first['msg']}") from error


def _prepare_process(run_spec: RunSpec) -> None:
    """The visible GPUs or the allocator, the set number of threads, quiet libraries; then meet the other processes."""
    kind, _, numbers = run_spec.device.partition(":")
    if kind == "cuda":
        _show_gpus(numbers)
    else:
        memory.keep_what_is_freed()
    os.environ["OMP_NUM_THREADS"] = str(run_spec.threads)  # accelerate would choose where this is missing
    openmp.wait_briefly()
    import torch
    import transformers

    torch.set_num_threads(run_spec.threads)
    # cuDNN's attention makes a plan for every new shape, a tenth of a second or more each; lengths differ in most batches
    torch.backends.cuda.enable_cudnn_sdp(False)
    transformers.utils.logging.disable_progress_bar()
    # TRL's own arguments raise these about transformers' next version; nobody who reads output.txt can act on them
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    ranks.join(kind)


def _show_gpus(numbers: str) -> None:
    """Leave visible the GPUs with these numbers, of those that are; a single process gets one of them.

    With more, transformers would drive all of them by one process. Raises ValueError when they are too few.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    chosen = numbers.split(",") if numbers else []
    if torchrun.processes() == 1:
        chosen = chosen[:1] or ["0"]
    if chosen and len(chosen) < torchrun.processes():
        raise ValueError(
            f"{torchrun.processes()} processes on {len(chosen)} GPUs; start as many as there are GPUs"
        )
    if chosen:
        names = [visible[int(n)] if int(n) < len(visible) and visible[0] else n for n in chosen]
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)


class _StopSignals:
    """The TERM and Ctrl-C handlers; what came before there is a Run is kept for it."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.came = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, _: Any) -> None:
        self.came = True
        if self.run is not None:
            self.run.terminated = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # the second Ctrl-C ends at once

    def passed_on_to(self, run: Run) -> None:
        self.run = run
        run.terminated = self.came


def _explained(error: Exception, run_dir: Path) -> tuple[str, str]:
    """The reason code and one line: what happened and what to do."""
    import torch

    if disk.is_host_fault(error):
        return "host_fault", _host_fault(error, run_dir)

    text = (str(error).splitlines() or [""])[0]
    no_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(
        error
    )
    if no_memory:
        return "out_of_memory", (
            "the device ran out of memory; halve batch_size and double gradient_accumulation, "
            "or take a smaller model or length"
        )
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # a disk may come back
        return "bad_setting", text
    if ranks.lost_another(error):
        return "error", (
            "another process of this stage ended; if nobody killed it, the machine ran out of memory"
        )
    return "error", f"{type(error).__name__}: {text}; the log has the whole trace"


def _host_fault(error: Exception, run_dir: Path) -> str:
    """One text for all that a full disk makes libraries say."""
    if isinstance(error, disk.DiskFull):
        return error.text
    text = (str(error).splitlines() or [""])[0]
    try:
        return disk.full(run_dir) or f"this machine cannot write or read a file: {text}"
    except OSError:
        return f"this machine cannot write or read a file: {text}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m training", description="Run one stage.")
    parser.add_argument("run_dir", type=Path, help="folder with spec.json; gets journal and checkpoints")
    arguments = parser.parse_args()
    if torchrun.started_this():
        prctl.end_with_parent()  # its ranks have sessions of their own: nobody else would end them
    if not arguments.run_dir.is_dir():
        parser.error(f"there is no folder {arguments.run_dir}")
    torchrun.leave(main(arguments.run_dir.resolve()))
