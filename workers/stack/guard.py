"""Run a command that must not outlive who started it: it is stopped when standard input closes.

A process of its own, because a killed supervisor can tell nobody anything; the kernel closes its pipes for it. Should this
process itself be killed, the kernel signals the command.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from pwd import struct_passwd


def start(
    command: Sequence[str],
    *,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    grace: float = 20,
    account: struct_passwd | None = None,
    environment: Mapping[str, str] | None = None,
    keep_open: Sequence[int] = (),
    share: bool = False,
    remove: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a guarded command in a process group of its own; its output is appended to `log`.

    Closing the returned process's `stdin` (or dying) sends `stop_signal`, and SIGKILL after `grace` seconds.
    The process ends with the command's exit status. `keep_open` are descriptors that the guard holds until
    then (a lock file), and with `share` the command, too. `remove` is a folder that goes with the end asked for.
    When the guard is killed, the command is killed with it; without `share` it gets `stop_signal`.
    """
    options = [f"--signal={int(stop_signal)}", f"--grace={grace}"]
    if share:
        options.append(f"--share={','.join(map(str, keep_open))}")
    if account:
        options.append(f"--user={account.pw_uid}:{account.pw_gid}")
    if remove:
        options.append(f"--remove={remove}")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", __file__, *options, "--", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            process_group=0,  # Ctrl-C in the terminal reaches the supervisor alone, which stops all in order
            pass_fds=tuple(keep_open),
        )


def stop(guarded: subprocess.Popen[bytes], timeout: float | None = None) -> int:
    """Ask for the end of a guarded command and wait for it; return its exit status."""
    if guarded.stdin is not None:
        guarded.stdin.close()
    return guarded.wait(timeout)


def end_orphan(guarded: subprocess.Popen[bytes]) -> None:
    """End what a killed guard left where no kernel did: the command is in the guard's process group."""
    if guarded.returncode is not None and guarded.returncode < 0:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(guarded.pid, signal.SIGKILL)


def _stop_at_end_of_input(
    child: subprocess.Popen[bytes], stop_signal: int, grace: float, asked: threading.Event
) -> None:
    while os.read(0, 4096):
        pass
    asked.set()
    child.send_signal(stop_signal)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        child.kill()


def main() -> int:
    """Run the command line that `start` builds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signal", type=int, required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("--user", help="uid:gid to run the command as")
    parser.add_argument("--remove", type=Path)
    parser.add_argument("--share", help="descriptors that the command gets")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    uid, gid = map(int, options.user.split(":")) if options.user else (None, None)
    sys.path.insert(0, str(Path(__file__).parents[2]))  # -I leaves it out
    from training.process import prctl

    guard = os.getpid()

    def end_with_guard() -> None:
        """In the new process, after it has changed its account, which would undo it."""
        prctl.end_with_parent(options.signal if options.share is None else signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)

    child = subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        user=uid,
        group=gid,
        extra_groups=[] if options.user else None,
        pass_fds=[int(number) for number in (options.share or "").split(",") if number],
        preexec_fn=end_with_guard,
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: child.send_signal(options.signal))
    asked = threading.Event()
    watched = (child, options.signal, options.grace, asked)
    threading.Thread(target=_stop_at_end_of_input, args=watched, daemon=True).start()
    status = child.wait()
    if options.remove and asked.is_set():
        shutil.rmtree(options.remove, ignore_errors=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
