"""Settings by what a person calls them: a whole path, its end where only one has it, and candidates where several do."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from training.recipes.recipe import RecipeError
from webapp.launch.fields import Field

LISTED = 6  # candidates that are named
WORDS = 90  # characters of a candidate's help


def found(text: str, known: Mapping[str, Field]) -> str:
    """The path of the setting that is meant: `beta` for stages.grpo.beta where no other setting ends so. Raises RecipeError."""
    if text in known:
        return text
    if not text:
        raise RecipeError([("conditions", "say which setting is to differ")])
    ends = [path for path in known if path.endswith(f".{text}")]
    if len(ends) == 1:
        return ends[0]
    if ends:
        said = f"{text!r} is the end of {len(ends)} settings; give one of them: {_listed(ends, known)}"
        raise RecipeError([("conditions", said)])
    raise RecipeError([("conditions", f"there is no setting {text[:200]!r}{_near(text, known)}")])


def offers(known: Mapping[str, Field]) -> list[dict[str, str]]:
    """Every setting with its words, for a person to choose from."""
    return [{"path": path, "label": one.label, "help": one.help} for path, one in known.items()]


def _near(text: str, known: Mapping[str, Field]) -> str:
    """'; did you mean …?' of whole paths, or of what ends nearly so; empty where nothing is near."""
    if close := get_close_matches(text, known, n=1, cutoff=0.5):
        return f"; did you mean {close[0]!r}?"
    last = {path.rpartition(".")[2] for path in known}
    keys = get_close_matches(text.rpartition(".")[2], last, n=2, cutoff=0.6)
    near = [path for key in keys for path in known if path.rpartition(".")[2] == key]
    if not near:
        word = text.lower()
        near = [path for path, one in known.items() if word in one.label.lower() or word in one.help.lower()]
    return f"; did you mean one of {_listed(near, known)}?" if near else ""


def _listed(paths: Iterable[str], known: Mapping[str, Field]) -> str:
    paths = list(paths)
    named = [f"{path} ({_short(known[path].help or known[path].label)})" for path in paths[:LISTED]]
    more = f" and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
    return ", ".join(named) + more


def _short(text: str) -> str:
    return text if len(text) <= WORDS else f"{text[:WORDS].rsplit(' ', 1)[0]} …"
