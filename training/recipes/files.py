"""Recipes as they are written: those that are shipped, and YAML files (no torch)."""

from pathlib import Path
from typing import Any

from training.did_you_mean import nearest
from training.settings.errors import RecipeError
from training.settings.yaml_text import UNREADABLE, DepthError, TwiceError, load

RECIPES = Path(__file__).parent / "shipped"


def names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def shipped(name: str) -> dict[str, Any]:
    """Return a shipped recipe as written; never another file, whatever the name. Raises RecipeError."""
    if name not in names():
        raise RecipeError([("recipe", f"there is no recipe {name!r}{nearest(name, names())}")])
    return _read(RECIPES / f"{name}.yaml", name)


def blank_text() -> str:
    """A small recipe that says what each part of it is: what a person's own begins with."""
    return (RECIPES.parent / "blank.yaml").read_text(encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    """Return a shipped recipe, or one from a YAML file, as written. Raises RecipeError."""
    return _read(Path(name), name) if name.endswith((".yaml", ".yml")) else shipped(name)


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        data = load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            [("recipe", f"cannot read {name} ({_why(error)}); give a text file in YAML")]
        ) from None
    except (TwiceError, DepthError) as error:
        raise RecipeError([("recipe", f"{name}: {error}")]) from None
    except UNREADABLE as error:
        raise RecipeError([("recipe", f"{name} is not YAML: {error}".replace("\n", " "))]) from None
    if not isinstance(data, dict):
        raise RecipeError([("recipe", f"{name} holds no mapping of settings")])
    return data


def _why(error: OSError | UnicodeDecodeError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else error.reason
