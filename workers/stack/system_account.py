"""The system account that PostgreSQL runs under when root starts it, and what that account can reach."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

NAME = "mulberry"


class AccountError(RuntimeError):
    """No account can be used; the message says what to do."""


def system_account() -> pwd.struct_passwd:
    """The account `mulberry`, made as a system account without a login when missing (root only)."""
    try:
        account = pwd.getpwnam(NAME)
    except KeyError:
        account = _create()
    if account.pw_uid >= 1000 and not account.pw_shell.endswith(("nologin", "false")):
        raise AccountError(
            f"the account {NAME!r} belongs to a person, so it cannot own the database; "
            "start as an ordinary user, or set DATABASE_URL"
        )
    return account


def _create() -> pwd.struct_passwd:
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise AccountError(
            "PostgreSQL does not run as root and there is no useradd to make it an account; "
            "start as an ordinary user, or set DATABASE_URL"
        )
    made = subprocess.run(
        [program, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],
        capture_output=True,
        text=True,
    )
    try:
        return pwd.getpwnam(NAME)  # there is one too when another process was faster
    except KeyError:
        raise AccountError(
            f"useradd could not make the account {NAME!r} ({made.stderr.strip()}); "
            "start as an ordinary user, or set DATABASE_URL"
        ) from None


def can_reach(account: pwd.struct_passwd | None, path: Path, how: str = "x") -> bool:
    """Whether an account (None: this process's) may read ("r"), write ("w") or enter and run ("x") a path."""
    if account is None:
        return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[how])
    tried = subprocess.run(
        ["/usr/bin/test", f"-{how}", str(path)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
    )
    return tried.returncode == 0
