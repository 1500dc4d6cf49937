"""What a person was told, and how they want to be told."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from webapp.notifications import outbox
from webapp.notifications.models import Delivery, Notification, Wishes, new_secret
from webapp.pages.notifications.forms import WishesForm

ON_A_PAGE = 40


@require_GET
def notifications(request: HttpRequest) -> HttpResponse:
    """The list, newest first, and the settings below it."""
    return _page(request, WishesForm(instance=_wishes(request)))


@require_GET
def open_(request: HttpRequest, notification_id: int) -> HttpResponse:
    """Where it is to be seen; it counts as read from then on."""
    found = get_object_or_404(Notification, pk=notification_id, user=_user(request))
    Notification.objects.filter(pk=found.pk, read_at=None).update(read_at=Now())
    return redirect(found.path)


@require_POST
def read_one(request: HttpRequest, notification_id: int) -> HttpResponse:
    """It counts as read, so that the overview shows it no more."""
    found = get_object_or_404(Notification, pk=notification_id, user=_user(request))
    Notification.objects.filter(pk=found.pk, read_at=None).update(read_at=Now())
    return redirect("overview")


@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Nothing is unread any more."""
    Notification.objects.filter(user=_user(request), read_at=None).update(read_at=Now())
    return redirect("notifications")


@require_http_methods(["GET", "POST"])
def settings_(request: HttpRequest) -> HttpResponse:
    """Save the settings, or show what to fix; a first webhook gets its secret, which is shown once. `do=try` tries it, too.

    The page may stand at this address, so that whoever opens it again is led to the notifications.
    """
    if request.method == "GET":
        return redirect("notifications")
    form = WishesForm(request.POST, instance=_wishes(request))
    if not form.is_valid():
        return _page(request, form)
    wishes = form.save(commit=False)
    secret = ""
    if wishes.webhook_url and not wishes.webhook_secret:
        secret = wishes.webhook_secret = new_secret()
    wishes.save()
    messages.success(request, "Saved.")
    if request.POST.get("do") == "try":
        _try_webhook(request, wishes)
    return _page(request, WishesForm(instance=wishes), secret) if secret else redirect("notifications")


@require_http_methods(["GET", "POST"])
def new_webhook_secret(request: HttpRequest) -> HttpResponse:
    """Replace the secret; the old one signs nothing any more. Opened again, it leads to the notifications."""
    if request.method == "GET":
        return redirect("notifications")
    wishes = _wishes(request)
    wishes.webhook_secret = new_secret()
    wishes.save()
    return _page(request, WishesForm(instance=wishes), wishes.webhook_secret)


def _try_webhook(request: HttpRequest, wishes: Wishes) -> None:
    """Send a message that is about nothing, and say what became of it."""
    test = Notification(
        user=_user(request),
        kind="test",
        title="A test message",
        text="Notifications of Mulberry arrive here.",
        path=reverse("notifications"),
        created_at=timezone.now(),
    )
    try:
        outbox.SENDERS[Delivery.Channel.WEBHOOK](test, wishes)
    except outbox.Undelivered as error:
        messages.error(request, f"The test message did not arrive: {error}.")
    else:
        messages.success(request, "The test message was sent and accepted.")


def _page(request: HttpRequest, form: WishesForm, secret: str = "") -> HttpResponse:
    every = Notification.objects.filter(user=_user(request)).select_related("experiment")
    stuck = Delivery.objects.filter(notification__user=_user(request), sent_at=None).exclude(error="")
    context = {
        "page": Paginator(every.prefetch_related("deliveries"), ON_A_PAGE).get_page(request.GET.get("page")),
        "form": form,
        "secret": secret,
        "stuck": stuck.select_related("notification").order_by("-pk")[:3],
        "email_works": bool(settings.EMAIL_HOST),
        "nav": "notifications",
    }
    answer = render(request, "notifications/notifications.html", context)
    if secret:
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else through
    return request.user


def _wishes(request: HttpRequest) -> Wishes:
    return Wishes.objects.filter(user=_user(request)).first() or Wishes(user=_user(request))
