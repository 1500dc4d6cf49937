"""Runs stages one after the other in the processes of one torchrun, whose start costs more than they do.

`FAIL=RANK@STEP` in the environment makes that process run out of memory at the end of that step.
"""

import os
import sys
from pathlib import Path
from typing import Any

from training.__main__ import main
from training.engine.callback import JournalCallback
from training.process import prctl, torchrun


def fail_when_told() -> None:
    """Arm the failure that the environment asks for."""
    rank, _, step = os.environ.get("FAIL", "").partition("@")
    original = JournalCallback.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if (str(args.process_index), str(state.global_step)) == (rank, step):
            raise MemoryError("planted")
        original(self, args, state, control, **kwargs)

    JournalCallback.on_step_end = on_step_end  # type: ignore[method-assign]


if __name__ == "__main__":
    fail_when_told()
    prctl.end_with_parent()
    for run_dir in sys.argv[1:]:
        if (code := main(Path(run_dir))) != 0:
            break
    torchrun.leave(code)
