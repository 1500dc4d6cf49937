"""Saved views: which addresses may be kept, and what a person may do with those that are."""

from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import Resolver404, resolve

from webapp.accounts.models import SavedView

PAGES = frozenset(
    {
        "overview",
        "experiments",
        "experiment",
        "run",
        "comparison",
        "report",
        "evaluation",
        "samples",
        "rollouts",
        "rollout_group",
        "rollout_pair",
        "experiment_rollouts",
        "compare",
        "flips",
        "problem_map",
        "stepper",
        "prompt_map",
        "workers",
        "worker",
    }
)  # URL names of pages that a person reads; nothing that acts, streams or downloads


def visible_to(user_id: int | None) -> QuerySet[SavedView]:
    """A person's own, then what others share."""
    return SavedView.objects.filter(Q(owner=user_id) | Q(shared=True)).select_related("owner")


def check_address(address: str) -> str:
    """The address when it leads to a page of this site; raises ValueError else."""
    parts = urlsplit(address)
    local = address.startswith("/") and not address.startswith("//") and "\\" not in address
    if parts.scheme or parts.netloc or not local or not address.isprintable():
        raise ValueError("only pages of this dashboard can be saved")
    try:
        name = resolve(parts.path).url_name
    except Resolver404:
        raise ValueError("there is no such page here") from None
    if name not in PAGES:
        raise ValueError("this page has no view to save")
    if len(address) > 2000:
        raise ValueError("this address is too long to be saved")
    return address


def save(*, owner: User, name: str, address: str, shared: bool) -> SavedView:
    """Keep a view; the same name again replaces the address. Raises ValueError with what to fix."""
    name = _named(name)
    view, _ = SavedView.objects.update_or_create(
        owner=owner, name=name, defaults={"address": check_address(address), "shared": shared}
    )
    return view


def change(*, view: SavedView, name: str, shared: bool) -> None:
    """Another name, or shared with everybody or no longer. Raises ValueError with what to fix."""
    view.name, view.shared = _named(name), shared
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "shared"])
    except IntegrityError:
        raise ValueError(f"you have a view {view.name!r} already") from None


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 100:
        raise ValueError("give it a name of up to 100 characters")
    if not name.isprintable():
        raise ValueError("a name holds printable characters")
    return name
