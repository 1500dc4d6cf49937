"""What the frame of every page shows; asked for only by templates that show it."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Max, Q
from django.http import HttpRequest

from webapp.accounts import saved
from webapp.accounts.models import Preferences, SavedView

VIEWS_SHOWN = 12


def bar(request: HttpRequest) -> dict[str, Any]:
    """`inbox` (count of unread notifications and newest id), `theme`, `saved_views`, and whether this page can be saved."""
    user = getattr(request, "user", None)
    person = user.pk if user is not None else None

    @cache  # one query for the inbox and for the theme
    def known() -> dict[str, Any]:
        nobody: dict[str, Any] = {"unread": 0, "newest": None, "preferences__theme": None}
        if person is None:
            return nobody
        found = User.objects.filter(pk=person).order_by()
        notes = {
            "unread": Count("notifications", filter=Q(notifications__read_at=None)),
            "newest": Max("notifications"),
        }
        counted = found.values("preferences__theme").annotate(**notes)
        return dict(counted[0]) if counted else nobody

    def inbox() -> dict[str, int]:
        return {"unread": known()["unread"], "newest": known()["newest"] or 0}

    def theme() -> str:
        return known()["preferences__theme"] or ""

    @cache  # the bar has them twice, for wide and for narrow screens
    def saved_views() -> list[SavedView]:
        return list(saved.visible_to(person)[:VIEWS_SHOWN])

    def may_save() -> bool:
        match = request.resolver_match
        return match is not None and match.url_name in saved.PAGES

    lazy: dict[str, Callable[[], Any]] = {
        "inbox": inbox,
        "theme": theme,
        "saved_views": saved_views,
        "may_save": may_save,
    }
    return {**lazy, "themes": Preferences.Theme.choices}
