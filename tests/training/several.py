"""Runs stages in two processes under torchrun's own agent, forked from this one: nothing is imported anew.

A torchrun on the command line starts two pythons that import torch, transformers and trl, which costs 15 CPU seconds.
"""

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from training.__main__ import main
from training.engine.callback import JournalCallback
from training.process import prctl, torchrun

PROCESSES = 2


def run(
    run_dirs: Sequence[Path], output: Path, at_step: tuple[int, int, Callable[[], None]] | None = None
) -> tuple[int, bool]:
    """Run the stages one after the other until one does not succeed.

    `at_step` is (rank, step, what that process does at the end of this optimizer step). What the processes print goes to the file
    `output`. Returns the exit code, 0 when torchrun's agent was content, and whether a process was left.
    """
    agent = os.fork()
    if agent == 0:
        code = 70
        try:
            os.setsid()
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, 1)
            os.dup2(file, 2)
            if at_step:
                _arm(*at_step)
            _launch([str(run_dir) for run_dir in run_dirs])
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(agent, 0)[1])
    try:
        os.killpg(agent, signal.SIGKILL)
    except ProcessLookupError:
        return code, False
    return code, True


def _launch(run_dirs: list[str]) -> None:
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=PROCESSES,
        run_id="tests",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # a free port
        max_restarts=0,
        start_method="fork",
    )
    elastic_launch(config, _one_of_several)(*run_dirs)


def _one_of_several(*run_dirs: str) -> None:
    prctl.end_with_parent()
    for run_dir in run_dirs:
        code = main(Path(run_dir))
        handler: Any = signal.getsignal(signal.SIGTERM)
        if code != 0 or handler.__self__.came:  # who returns after a stop waits for results of the others
            torchrun.leave(code)


def _arm(rank: int, step: int, act: Callable[[], None]) -> None:
    original = JournalCallback.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if (args.process_index, state.global_step) == (rank, step):
            act()
        original(self, args, state, control, **kwargs)

    JournalCallback.on_step_end = on_step_end  # type: ignore[method-assign]
