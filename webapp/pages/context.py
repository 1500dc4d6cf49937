"""What the bar of every page shows; asked for only by templates that show it."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.db.models import Count, Max, Q
from django.http import HttpRequest

from webapp.accounts import saved
from webapp.accounts.models import SavedView
from webapp.notifications.models import Notification

VIEWS_SHOWN = 12


def bar(request: HttpRequest) -> dict[str, Callable[[], Any]]:
    """`unread` (count and newest id of notifications), `saved_views`, and whether this page can be saved."""
    user = getattr(request, "user", None)
    person = user.pk if user is not None else None

    @cache
    def inbox() -> dict[str, int]:
        found = Notification.objects.filter(user=person).aggregate(
            unread=Count("pk", filter=Q(read_at=None)), newest=Max("pk")
        )
        return {"unread": found["unread"], "newest": found["newest"] or 0}

    @cache  # the bar has them twice, for wide and for narrow screens
    def saved_views() -> list[SavedView]:
        return list(saved.visible_to(person)[:VIEWS_SHOWN])

    def may_save() -> bool:
        match = request.resolver_match
        return match is not None and match.url_name in saved.PAGES

    return {"inbox": inbox, "saved_views": saved_views, "may_save": may_save}
