"""Titles, tags, stars and the archive from the command line."""

import argparse
from collections.abc import Sequence

from webapp.experiments import organising
from webapp.experiments.models import Experiment
from webapp.experiments.templatetags.humane import size
from webapp.runs import deleting
from workers.cli.commands import CommandError, access, database
from workers.cli.commands.listing import find


def rename(options: argparse.Namespace) -> int:
    """Another title; the name in addresses stays."""
    database.connect()
    one, by = find(options.experiment), access.person(options.user).get_username()
    done = organising.rename(experiment=one, title=options.title, by=by)
    print(f"{one.name}: {one.title}" if done else f"{one.name}: is called so already")
    return 0


def tag(options: argparse.Namespace) -> int:
    """Add tags, or take them away."""
    found, words = _found(options), organising.tags_of(options.words)
    by = access.person(options.user).get_username()
    act = organising.untag if options.remove else organising.tag
    changed = act(experiments=found, words=words, by=by)
    return _said(found, changed, f"{'no longer ' if options.remove else ''}tagged {', '.join(words)}")


def star(options: argparse.Namespace) -> int:
    """Mark for a person, or take the mark away."""
    found = _found(options)
    act = organising.unstar if options.undo else organising.star
    changed = act(experiments=found, person=access.person(options.user))
    return _said(found, changed, "no longer starred" if options.undo else "starred")


def archive(options: argparse.Namespace) -> int:
    """Into the archive, or out of it."""
    found, by = _found(options), access.person(options.user).get_username()
    act = organising.restore if options.undo else organising.archive
    changed = act(experiments=found, by=by)
    return _said(found, changed, "out of the archive" if options.undo else "archived")


def delete(options: argparse.Namespace) -> int:
    """For good, after saying what goes and what stays; without --yes only that is said."""
    by = access.person(options.user)
    left = 0
    for one in _found(options):
        if not deleting.may_delete(one, by):
            raise CommandError(f"{one.name} is {one.owner.get_username()}'s; --user says who deletes it")
        plan = deleting.planned(one)
        kept = f"; {len(plan.kept)} checkpoints stay for {', '.join(plan.kept_for)}" if plan.kept else ""
        away = f"; what lies on {', '.join(plan.elsewhere)} stays there" if plan.elsewhere else ""
        print(f"{one.name}: {plan.runs} runs, {size(plan.bytes)} in {len(plan.removed)} folders{kept}{away}")
        if options.yes:
            deleting.delete(experiment=one, by=by.get_username())
            print(f"{one.name}: deleted")
        left += not options.yes
    if left:
        print("nothing is deleted yet; --yes deletes for good, `mulberry archive` only hides")
    return 0


def _found(options: argparse.Namespace) -> list[Experiment]:
    """All of them, or a CommandError before anything is changed."""
    database.connect()
    return [find(name) for name in dict.fromkeys(options.experiments)]


def _said(found: Sequence[Experiment], changed: Sequence[Experiment], done: str) -> int:
    new = {one.pk for one in changed}
    for one in found:
        print(f"{one.name}: {done}" if one.pk in new else f"{one.name}: nothing to change")
    return 0
