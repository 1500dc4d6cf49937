"""What a person may do to experiments to keep them in order, as forms ask for it, and how it is said and undone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.http import QueryDict

from webapp.experiments import organising
from webapp.experiments.models import Experiment
from webapp.runs.lifecycle import notify

MOST = 500  # experiments that are changed at once
NAMED = 3  # of them, those that the message names


@dataclass(frozen=True)
class Change:
    """What was done, in words, and what takes it back."""

    text: str
    undo: str  # what is asked for to take it back; empty: there is nothing
    tag: str  # and of which tags
    experiments: Sequence[Experiment]  # those that were changed


@dataclass(frozen=True)
class _Action:
    act: Callable[[Sequence[Experiment], list[str], User], list[Experiment]]
    done: str  # with {0} for the experiments and {1} for the tags
    nothing: str
    undo: str
    tags: bool = False


ACTIONS = {
    "archive": _Action(
        lambda found, _, person: organising.archive(experiments=found, by=person.get_username()),
        "Archived {0}",
        "Archived already",
        "restore",
    ),
    "restore": _Action(
        lambda found, _, person: organising.restore(experiments=found, by=person.get_username()),
        "Out of the archive: {0}",
        "Not in the archive",
        "archive",
    ),
    "star": _Action(
        lambda found, _, person: organising.star(experiments=found, person=person),
        "Starred {0}",
        "Starred already",
        "unstar",
    ),
    "unstar": _Action(
        lambda found, _, person: organising.unstar(experiments=found, person=person),
        "No longer starred: {0}",
        "Not starred",
        "star",
    ),
    "tag": _Action(
        lambda found, words, person: organising.tag(experiments=found, words=words, by=person.get_username()),
        "Tagged {0} with {1}",
        "Tagged so already",
        "untag",
        tags=True,
    ),
    "untag": _Action(
        lambda found, words, person: organising.untag(
            experiments=found, words=words, by=person.get_username()
        ),
        "Took {1} from {0}",
        "Not tagged so",
        "tag",
        tags=True,
    ),
}


def apply(asked: QueryDict, person: User, names: Sequence[str]) -> Change:
    """Do what a form asks for to the experiments of these names. Raises ValueError with what to fix."""
    action = ACTIONS.get(asked.get("do", ""))
    if action is None:
        raise ValueError(f"there is no such change; choose {', '.join(ACTIONS)}")
    if not names:
        raise ValueError("choose experiments first")
    if len(names) > MOST:
        raise ValueError(f"{MOST} experiments at most can be changed at once")
    words = organising.tags_of(asked.get("tag", "")) if action.tags else []
    found = list(Experiment.objects.filter(name__in=names).defer("recipe", "notes"))
    if len(found) < len(set(names)):
        missing = sorted(set(names) - {one.name for one in found})
        raise ValueError(f"there is no experiment {missing[0][:100]}")
    changed = action.act(found, words, person)
    for one in changed:
        notify(experiment=one.pk)
    if not changed:
        return Change(f"{action.nothing}: nothing changed.", "", "", ())
    text = action.done.format(_named(changed), ", ".join(words))
    return Change(f"{text}.", action.undo, ", ".join(words), changed)


def _named(experiments: Sequence[Experiment]) -> str:
    if len(experiments) > NAMED:
        return f"{len(experiments)} experiments"
    names = [one.name for one in experiments]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
