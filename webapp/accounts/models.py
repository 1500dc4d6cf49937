"""Sign-in links and API tokens, of which only hashes are stored; views that people keep, and how they want the pages."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


def digest(secret: str) -> str:
    """SHA-256 of a secret of full entropy, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


class SignInLink(models.Model):
    """A link that signs its user in, once, within an hour."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    secret_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"link for {self.user_id}"

    @classmethod
    def create_for(cls, user_id: int, lifetime: timedelta = timedelta(hours=1)) -> str:
        """Store a new link and return its secret, which is shown once."""
        secret = secrets.token_urlsafe(24)
        cls.objects.create(
            user_id=user_id, secret_sha256=digest(secret), expires_at=timezone.now() + lifetime
        )
        return secret

    @classmethod
    def redeem(cls, secret: str) -> "SignInLink | None":
        """Use a link up; None when it is unknown, used or expired."""
        live = cls.objects.filter(secret_sha256=digest(secret), used_at=None, expires_at__gt=Now())
        if live.update(used_at=Now()) != 1:
            return None
        return cls.objects.get(secret_sha256=digest(secret))


class ApiToken(models.Model):
    """A bearer token for scripts."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    secret_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class SavedView(models.Model):
    """A page with its choices under a name: its address on this site, without the host."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="views")
    name = models.CharField(max_length=100)
    address = models.CharField(max_length=2000, help_text="path, query and fragment")
    shared = models.BooleanField(default=False, help_text="everyone sees it; only its owner changes it")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="view_name_once")]

    def __str__(self) -> str:
        return self.name


class Preferences(models.Model):
    """How a person wants the pages, and how far they are with the first steps; without a row the defaults hold."""

    class Theme(models.TextChoices):
        """Light or dark; the default is what the reader's system has."""

        SYSTEM = "", "System"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="preferences"
    )
    theme = models.CharField(max_length=5, blank=True, choices=Theme.choices, default=Theme.SYSTEM)
    read_demo_at = models.DateTimeField(null=True, help_text="first step: the demo's answer was opened")
    compared_at = models.DateTimeField(
        null=True, help_text="third step: a comparison of their own was opened"
    )
    steps_hidden_at = models.DateTimeField(null=True, help_text="since then the first steps are not shown")

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"
