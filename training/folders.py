"""Where an installation keeps its things: the home folder, and the folder of real data."""

import os
from pathlib import Path

from platformdirs import user_data_path

SOURCE = (
    Path(__file__).resolve().parent.parent
)  # what holds the packages: a checkout, or an environment's own folder
IS_CHECKOUT = all((SOURCE / name).is_file() for name in ("manage.py", "pyproject.toml"))


def home_folder() -> Path:
    """MULBERRY_HOME, absolute; without it `var` in a checkout, and the user's data folder where Mulberry is installed."""
    if given := os.environ.get("MULBERRY_HOME"):
        return Path(given).resolve()
    return SOURCE / "var" if IS_CHECKOUT else user_data_path("mulberry").resolve()


def data_folder() -> Path:
    """MULBERRY_DATA, absolute; without it `data` in the home folder."""
    given = os.environ.get("MULBERRY_DATA")
    return Path(given).resolve() if given else home_folder() / "data"
