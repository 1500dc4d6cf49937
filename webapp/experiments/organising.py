"""How people keep experiments in order: a title, tags, a star of their own, the archive. Each change is an event of the experiment.

Nothing here touches what an experiment computes; its name, which addresses hold, stays. Each function says which of the
experiments it changed: those that were so already are left as they are, without an event.
"""

from collections.abc import Iterable, Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from webapp.experiments.models import Experiment, ExperimentEvent, Star

LONGEST_TITLE = 200
LONGEST_TAG = 40
MOST_TAGS = 20


def rename(*, experiment: Experiment, title: str, by: str) -> bool:
    """Give it another title; False when it has that one already. Raises ValueError with what to fix."""
    title = " ".join(title.split())
    if not title or len(title) > LONGEST_TITLE:
        raise ValueError(f"a title has 1 to {LONGEST_TITLE} characters")
    if not title.isprintable():
        raise ValueError("a title holds printable characters")
    with transaction.atomic():
        (found,) = _locked([experiment])
        if found.title == title:
            return False
        _log([found], by, f"renamed, before: {found.title}")
        found.title = title
        found.save(update_fields=["title"])
    experiment.title = title
    return True


def tag_of(text: str) -> str:
    """A tag as it is stored. Raises ValueError for what is none."""
    word = " ".join(text.split())
    if not word or len(word) > LONGEST_TAG or not word.isprintable() or "," in word:
        raise ValueError(f"a tag has 1 to {LONGEST_TAG} printable characters and no comma, not {text!r}")
    return word


def tags_of(text: str) -> list[str]:
    """Tags that are separated by commas. Raises ValueError where there is none."""
    words = [tag_of(part) for part in text.split(",") if part.strip()]
    if not words:
        raise ValueError("write a tag, or several with commas between them")
    return list(dict.fromkeys(words))


def tag(*, experiments: Iterable[Experiment], words: Sequence[str], by: str) -> list[Experiment]:
    """Add tags, in whichever case each is written there already. Raises ValueError when one would have too many."""
    changed = []
    with transaction.atomic():
        for one in _locked(experiments):
            known = {word.casefold() for word in one.tags}
            new = [word for word in words if word.casefold() not in known]
            if not new:
                continue
            if len(one.tags) + len(new) > MOST_TAGS:
                raise ValueError(f"{one.name} would have more than {MOST_TAGS} tags; take some away first")
            one.tags = [*one.tags, *new]
            one.save(update_fields=["tags"])
            _log([one], by, f"tagged {', '.join(new)}")
            changed.append(one)
    return changed


def untag(*, experiments: Iterable[Experiment], words: Sequence[str], by: str) -> list[Experiment]:
    """Take tags away."""
    changed, away = [], {word.casefold() for word in words}
    with transaction.atomic():
        for one in _locked(experiments):
            gone = [word for word in one.tags if word.casefold() in away]
            if not gone:
                continue
            one.tags = [word for word in one.tags if word not in gone]
            one.save(update_fields=["tags"])
            _log([one], by, f"no longer tagged {', '.join(gone)}")
            changed.append(one)
    return changed


def star(*, experiments: Iterable[Experiment], person: User) -> list[Experiment]:
    """Mark them for this person."""
    with transaction.atomic():
        found = list(_locked(experiments).exclude(stars__person=person))
        Star.objects.bulk_create(Star(experiment=one, person=person) for one in found)
        _log(found, person.get_username(), "starred")
    return found


def unstar(*, experiments: Iterable[Experiment], person: User) -> list[Experiment]:
    """Take this person's mark away."""
    with transaction.atomic():
        marked = Star.objects.filter(person=person).values("experiment")
        found = list(_locked(experiments).filter(pk__in=marked))
        Star.objects.filter(person=person, experiment__in=found).delete()
        _log(found, person.get_username(), "no longer starred")
    return found


def archive(*, experiments: Iterable[Experiment], by: str) -> list[Experiment]:
    """Lists, overview, searches and choices leave them out from now on; their pages and files stay, and what runs goes on."""
    with transaction.atomic():
        found = list(_locked(experiments).filter(archived_at=None))
        _those(found).update(archived_at=Now(), archived_by=by)
        _log(found, by, "archived")
    return found


def restore(*, experiments: Iterable[Experiment], by: str) -> list[Experiment]:
    """Out of the archive again."""
    with transaction.atomic():
        found = list(_locked(experiments).filter(archived_at__isnull=False))
        _those(found).update(archived_at=None, archived_by="")
        _log(found, by, "out of the archive")
    return found


def every_tag() -> list[str]:
    """Each tag that some experiment has, in order. One query."""
    rows = Experiment.objects.exclude(tags=[]).values_list("tags", flat=True)
    return sorted({word for tags in rows for word in tags}, key=str.casefold)


def _those(experiments: Iterable[Experiment]) -> QuerySet[Experiment]:
    return Experiment.objects.filter(pk__in=[one.pk for one in experiments]).order_by("pk")


def _locked(experiments: Iterable[Experiment]) -> QuerySet[Experiment]:
    return _those(experiments).select_for_update(of=("self",)).defer("recipe", "notes")


def _log(experiments: Iterable[Experiment], by: str, text: str) -> None:
    ExperimentEvent.objects.bulk_create(
        ExperimentEvent(experiment=one, by=by, text=text) for one in experiments
    )
