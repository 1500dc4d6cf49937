"""Which version of the code this process runs (no torch)."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE = 10.0  # seconds for git's answer


@cache
def code_version() -> str:
    """Return the commit that the code was loaded from, marked + when files differ from it; else the package's version.

    It is asked for once in a process, and a process that goes on for long (web, worker, warm server) asks at its start:
    what is checked out later is not what runs. Empty where neither git nor the installed package tells.
    """
    if (CHECKOUT / ".git").exists():
        command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
        try:
            done = subprocess.run(
                command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE, check=True
            )
            return done.stdout.strip()[:100]
        except (OSError, subprocess.SubprocessError):
            pass  # no git here, or a folder that git does not trust
    try:
        return version("mulberry")
    except PackageNotFoundError:
        return ""
