"""Headless Chromium for tests and benchmarks, without a window where Debian's package for that is installed."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

# The first draws no window: each new context of the others makes one, with processes of its own.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def start_browser(playwright: Playwright) -> Browser:
    """The first of PROGRAMS that there is, started. Raises FileNotFoundError that says what to install."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise FileNotFoundError(
            "no Chromium; `make test` installs it as root, else install the package chromium"
        )
    arguments = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    return playwright.chromium.launch(executable_path=program, args=arguments)
