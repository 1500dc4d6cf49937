"""What goes out of the page: signed webhooks and e-mails, tried again with growing waits until they arrive."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from datetime import timedelta
from smtplib import SMTPException
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.mail import send_mail
from django.db import DatabaseError
from django.db.models.functions import Now
from django.utils import timezone

from webapp.notifications.models import Delivery, Notification, Wishes
from webapp.notifications.news import tell

WAITS = (10, 60, 300, 1800, 7200, 21600)  # seconds before each next try; then it is given up
TIMEOUT = httpx.Timeout(5.0)  # of a step; a server may send a byte just before it is over, again and again
LONGEST = 20.0  # seconds of a try
TEXT_LIMIT = 2000
log = logging.getLogger("mulberry.notifications")


for _name in ("httpx", "httpcore"):  # they write whole addresses, with what is secret in them
    logging.getLogger(_name).setLevel(logging.WARNING)


class Undelivered(Exception):
    """A try failed; the text says why and names neither the secret nor the address's path."""


class Unwanted(Undelivered):
    """There is nowhere to send it any more, so it is not tried again."""


def deliver_due(*, seconds: float = 1.0) -> None:
    """Tell what is new, then send what is due for so many seconds. One caller at a time."""
    tell()
    end = time.monotonic() + seconds
    while time.monotonic() < end and (due := _next_due()) is not None:
        _deliver(due)


def _next_due() -> Delivery | None:
    due = Delivery.objects.filter(due_at__lte=Now()).select_related("notification__experiment")
    return due.order_by("due_at", "pk").first()


def _deliver(delivery: Delivery) -> None:
    """One try. Its next one is written down first, so that a process killed in between loses nothing."""
    tries = delivery.tries + 1
    again = timezone.now() + timedelta(seconds=WAITS[tries - 1]) if tries <= len(WAITS) else None
    Delivery.objects.filter(pk=delivery.pk).update(tries=tries, due_at=again)
    mine = Delivery.objects.filter(pk=delivery.pk)
    wishes = Wishes.objects.filter(user=delivery.notification.user_id).first() or Wishes()
    try:
        SENDERS[Delivery.Channel(delivery.channel)](delivery.notification, wishes)
    except Unwanted as error:
        mine.update(error=str(error), due_at=None)
    except Undelivered as error:
        mine.update(error=str(error)[:300])
        log.warning(
            "notification %s by %s, try %s: %s", delivery.notification_id, delivery.channel, tries, error
        )
    except DatabaseError:
        raise
    except Exception as error:  # a fault of ours about this one, which keeps no other back
        mine.update(error=f"it cannot be sent: {type(error).__name__}")
        log.exception("notification %s by %s, try %s", delivery.notification_id, delivery.channel, tries)
    else:
        mine.update(sent_at=Now(), due_at=None, error="")


def check_webhook(url: str) -> str:
    """The address as it is asked; raises ValueError that says what is wrong with it."""
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError as error:
        raise ValueError(f"this is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("give a whole address: https://host/path")
    if parts.username or parts.password:
        raise ValueError("leave name and password out of the address: messages are signed instead")
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        raise ValueError(f"{parts.hostname} is no host name") from None
    allowed = settings.MULBERRY_WEBHOOK_HOSTS
    if allowed and parts.hostname not in allowed:
        raise ValueError(f"webhooks may go to {', '.join(allowed)} here (MULBERRY_WEBHOOK_HOSTS)")
    return url.strip()


def payload(notification: Notification) -> dict[str, Any]:
    """What a webhook says; a test message is of no experiment and has no number."""
    return {
        "id": notification.pk,
        "event": notification.kind,
        "title": notification.title,
        "text": notification.text[:TEXT_LIMIT],
        "experiment": notification.experiment.name if notification.experiment_id else None,
        "run": notification.run_id,
        "url": address_of(notification.path),
        "at": notification.created_at.isoformat(),
    }


def address_of(path: str) -> str:
    """A path with the dashboard's own address before it, where that is known (MULBERRY_ORIGINS)."""
    origins = settings.CSRF_TRUSTED_ORIGINS
    return f"{origins[0].rstrip('/')}{path}" if origins else path


def signature(secret: str, at: int, body: bytes) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 of "<seconds>.<body>"; the time keeps an old message from being replayed."""
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


def _by_webhook(notification: Notification, wishes: Wishes) -> None:
    if not wishes.webhook_url:
        raise Unwanted("no webhook is set any more")
    try:
        url = check_webhook(wishes.webhook_url)
    except ValueError as error:
        raise Undelivered(str(error)) from None
    body = json.dumps(payload(notification)).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Mulberry",
        "Mulberry-Delivery": str(notification.pk or notification.kind),
        "Mulberry-Signature": signature(wishes.webhook_secret, int(time.time()), body),
    }
    try:
        status = asyncio.run(_post(url, body, headers))
    except TimeoutError:
        raise Undelivered(f"{urlsplit(url).hostname}: no answer within {LONGEST:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise Undelivered(f"{urlsplit(url).hostname}: {type(error).__name__}") from None
    if not 200 <= status < 300:
        raise Undelivered(f"{urlsplit(url).hostname} answered {status}")


async def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer; follows no redirect. Raises TimeoutError after LONGEST, and httpx's errors."""
    async with (
        asyncio.timeout(LONGEST),
        httpx.AsyncClient(timeout=TIMEOUT) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer.status_code


def _by_email(notification: Notification, wishes: Wishes) -> None:
    if not wishes.email:
        raise Unwanted("no e-mail address is set any more")
    if not settings.EMAIL_HOST:
        raise Undelivered("e-mail is not set up: MULBERRY_EMAIL_URL")
    text = f"{notification.text}\n\n{address_of(notification.path)}\n"
    subject = " ".join(f"[Mulberry] {notification.title}".split())
    try:
        send_mail(subject, text, None, [wishes.email])
    except (SMTPException, OSError) as error:
        raise Undelivered(f"the mail server refused: {type(error).__name__}") from None


SENDERS = {Delivery.Channel.WEBHOOK: _by_webhook, Delivery.Channel.EMAIL: _by_email}
