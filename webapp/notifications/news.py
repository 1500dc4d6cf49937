"""From the events of runs to notifications: read by a cursor, so that a move itself stays one short transaction.

Ids of events commit out of order. So the mark moves only over events that are older than a transaction takes, and what
is younger is read again at every look; a notification's key sees to it that nobody is told twice.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Max, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from webapp.comparison.answers import kept_answers
from webapp.diagnosis import readings
from webapp.experiments.models import Experiment
from webapp.notifications.models import Delivery, Mark, Notification, Wishes
from webapp.runs.lifecycle import notify
from webapp.runs.models import OVER, Event, StageRun, State

SETTLED = timedelta(minutes=5)  # the longest that a transaction with a move is taken to be open
RESULTS_TOLD = 3  # differences in the news of an end
Kind = Notification.Kind
log = logging.getLogger("mulberry.notifications")


@dataclass(frozen=True)
class NotifiableEvent:
    """Something that happened, before it is known whom to tell."""

    kind: Notification.Kind
    key: str
    experiment: Experiment
    run: int | None
    title: str
    text: str
    path: str


def tell() -> int:
    """Read the events after the mark and write a notification for everyone who wants it; returns how many."""
    mark = Mark.objects.first() or Mark.objects.create()
    settled = Event.objects.filter(pk__gt=mark.event, at__lt=timezone.now() - SETTLED).aggregate(
        last=Max("pk")
    )["last"]
    new = Event.objects.filter(pk__gt=mark.event, stage_run__experiment__imported=False)
    told = sum(_tell_or_log(news) for news in _news(new))
    if settled:
        Mark.objects.filter(pk=mark.pk).update(event=settled)
    return told


def _news(new: QuerySet[Event]) -> Iterator[NotifiableEvent]:
    failed = new.filter(to_state=State.FAILED).order_by("pk")
    known = set(
        Notification.objects.filter(key__in=[f"failed:{pk}" for pk in failed.values_list("pk", flat=True)])
        .values_list("key", flat=True)
        .distinct()
    )
    names = ("stage_run__experiment", "stage_run__condition", "stage_run__stage")
    for event in failed.select_related(*names):
        if f"failed:{event.pk}" not in known:
            yield _failure(event)
    moved = new.filter(to_state__in=OVER).values_list("stage_run__experiment", flat=True)
    for experiment in _over(set(moved)):
        last = Event.objects.filter(stage_run__experiment=experiment, to_state__in=OVER).aggregate(
            last=Max("pk")
        )
        key = f"ended:{experiment.pk}:{last['last']}"
        if not Notification.objects.filter(key=key).exists():
            yield from _criticals(experiment, f"critical:{experiment.pk}:{last['last']}")
            yield _end(experiment, key)  # the last, because its key says that all of them were told


def _over(experiments: Iterable[int]) -> QuerySet[Experiment]:
    """Those of which no run moves any more."""
    moving = StageRun.objects.filter(experiment__in=experiments).exclude(state__in=OVER).values("experiment")
    return Experiment.objects.filter(pk__in=experiments).exclude(pk__in=moving).order_by("pk")


def _failure(event: Event) -> NotifiableEvent:
    run = event.stage_run
    where = f"{run.stage.name}, {run.condition.name}, seed {run.seed}"
    return NotifiableEvent(
        Kind.FAILED,
        f"failed:{event.pk}",
        run.experiment,
        run.pk,
        f"{run.experiment.name}: {where} failed",
        run.error or event.text,
        reverse("run", args=[run.pk]),
    )


def _end(experiment: Experiment, key: str) -> NotifiableEvent:
    states = Counter(StageRun.objects.filter(experiment=experiment).values_list("state", flat=True))
    counted = ", ".join(f"{states[state]} {state}" for state in OVER if states[state])
    done = states[State.SUCCEEDED] == states.total()
    return NotifiableEvent(
        Kind.ENDED,
        key,
        experiment,
        None,
        f"{experiment.name} {'is done' if done else 'ended'}",
        " ".join([f"Runs: {counted}.", *_results(experiment)]),
        reverse("experiment", args=[experiment.name]),
    )


def _results(experiment: Experiment) -> Iterator[str]:
    """Its planned differences, a sentence each."""
    try:
        found = kept_answers.answers([experiment])[0][experiment.pk].contrasts
    except DatabaseError:
        raise
    except Exception:  # what cannot be compared must not keep everybody's news back
        log.exception("the answer of %s cannot be read; its end is told without it", experiment.name)
        return
    for one in [one for one in found if one.said][:RESULTS_TOLD]:
        yield f"{one.said}{f', {one.verdict.word}' if one.verdict else ''}."


def _criticals(experiment: Experiment, key: str) -> Iterator[NotifiableEvent]:
    """One for all critical findings of an experiment."""
    critical = readings.Severity.CRITICAL
    try:
        found = [finding for finding in readings.of_experiment(experiment) if finding.severity is critical]
    except DatabaseError:
        raise
    except Exception:  # a fault of one rule, which must not keep everybody's news back
        log.exception("the findings of %s cannot be computed; its end is told without them", experiment.name)
        return
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield NotifiableEvent(
            Kind.CRITICAL,
            key,
            experiment,
            found[0].run,
            f"{experiment.name}: {found[0].headline}"[:280] + more,
            f"{found[0].where}: {found[0].evidence}" if found[0].where else found[0].evidence,
            f"{reverse('experiment', args=[experiment.name])}#findings",
        )


def _tell_or_log(news: NotifiableEvent) -> int:
    """What cannot be told, by whatever fault of its own, keeps no other news back."""
    try:
        return _tell(news)
    except (OperationalError, InterfaceError):  # the database is out of reach
        raise
    except Exception:
        log.exception("%s cannot be told", news.key)
        return 0


def _tell(news: NotifiableEvent) -> int:
    """Write it for each recipient, with what goes out of the page, in one transaction; wakes their open pages."""
    told = 0
    with transaction.atomic():
        for user, wishes in recipients(news.experiment):
            if not wishes.wants(news.kind):
                continue
            notification, new = Notification.objects.get_or_create(
                user=user,
                key=news.key,
                defaults={
                    "kind": news.kind,
                    "experiment": news.experiment,
                    "run_id": news.run,
                    "title": news.title[:300],
                    "text": news.text,
                    "path": news.path,
                },
            )
            if new:
                told += 1
                Delivery.objects.bulk_create(
                    Delivery(notification=notification, channel=way) for way in ways(wishes)
                )
                notify(user=user.pk)
    return told


def ways(wishes: Wishes) -> Sequence[str]:
    """Where a person is told beside the page."""
    channels = {Delivery.Channel.WEBHOOK: wishes.webhook_url, Delivery.Channel.EMAIL: wishes.email}
    return [str(channel) for channel, address in channels.items() if address]


def recipients(experiment: Experiment) -> Iterator[tuple[User, Wishes]]:
    """Its owner, and whoever wants to hear of everybody's experiments."""
    wanted = Q(pk=experiment.owner_id) | Q(wishes__everybody=True)
    users = list(User.objects.filter(wanted, is_active=True).order_by("pk"))
    known = {wishes.user_id: wishes for wishes in Wishes.objects.filter(user__in=users)}
    for user in users:
        yield user, known.get(user.pk) or Wishes(user=user)
