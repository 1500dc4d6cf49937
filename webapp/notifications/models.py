"""Notification, how a person wants to be told, the outbox of what goes out, and how far events were read."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Notification(models.Model):
    """Something a person is told of; `key` names what happened, so that nobody is told of it twice."""

    class Kind(models.TextChoices):
        """What is told."""

        ENDED = "ended", "An experiment ended"
        FAILED = "failed", "A run failed"
        CRITICAL = "critical", "A finding is critical"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(max_length=100)
    experiment = models.ForeignKey("experiments.Experiment", on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey("runs.StageRun", null=True, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    path = models.CharField(max_length=300, help_text="where it is to be seen")
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="told_once")]
        indexes = [
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="notification_unread"),
        ]

    def __str__(self) -> str:
        return self.title


def new_secret() -> str:
    """What a webhook's messages are signed with."""
    return secrets.token_urlsafe(32)


class Wishes(models.Model):
    """What a person wants to be told of, and where; without a row the defaults hold."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="wishes")
    ended = models.BooleanField("An experiment ended", default=True)
    failed = models.BooleanField("A run failed", default=True)
    critical = models.BooleanField("A finding is critical", default=True)
    everybody = models.BooleanField(
        "Also experiments that others launched", default=False, help_text="else only your own"
    )
    webhook_url = models.CharField("Webhook", max_length=1000, blank=True)
    webhook_secret = models.CharField(
        max_length=100, blank=True, help_text="signs what is sent, so it is kept as it is; shown once"
    )
    email = models.EmailField("E-mail", blank=True)

    def __str__(self) -> str:
        return f"wishes of {self.user_id}"

    def wants(self, kind: str) -> bool:
        """Whether to tell of this kind."""
        return {"ended": self.ended, "failed": self.failed, "critical": self.critical}[kind]


class Delivery(models.Model):
    """The outbox: a notification on its way to one place; a row until it arrived or was given up."""

    class Channel(models.TextChoices):
        """The ways out of the page."""

        WEBHOOK = "webhook"
        EMAIL = "email", "e-mail"

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, db_default=Now(), help_text="next try; empty: none any more")
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, help_text="of the last try; names no secret")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["notification", "channel"], name="sent_once")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="delivery_due")
        ]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.notification_id} by {self.channel}"


class Mark(models.Model):
    """The one row that says up to which event everybody was told for good."""

    event = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.event)
