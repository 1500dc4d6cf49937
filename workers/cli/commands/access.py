"""Who may come in: the operator's account, sign-in links, API tokens."""

import argparse
import json
from typing import TYPE_CHECKING

from training.folders import home_folder
from workers.cli.commands import CommandError, database
from workers.stack.supervisor import running

if TYPE_CHECKING:  # models load only once there is a database
    from django.contrib.auth.models import User

OPERATOR = "operator"


def operator() -> "User":
    """The account of whoever started Mulberry on this machine; made without a password when missing."""
    from django.contrib.auth.models import User

    user, made = User.objects.get_or_create(username=OPERATOR, defaults={"is_superuser": True})
    if made:
        user.set_unusable_password()
        user.save()
    return user


def person(name: str) -> "User":
    """The account of this name. Raises CommandError."""
    from django.contrib.auth.models import User

    if name == OPERATOR:
        return operator()
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"there is no account {name!r}; leave --user away for the operator's")
    return found


def new_link(address: str, user: "User") -> str:
    """A link that signs this user in, once, within an hour."""
    from webapp.accounts.models import SignInLink

    return f"{address.rstrip('/')}/sign-in/{SignInLink.create_for(user.pk)}/"


def sign_in(options: argparse.Namespace) -> int:
    """Print a new one-time sign-in link."""
    database.connect()
    held = running(home_folder())
    address = options.address or (held[1] if held else "http://127.0.0.1:8000")
    print(new_link(address, person(options.user)))
    return 0


def create_token(options: argparse.Namespace) -> int:
    """Print a new API token; only its hash is kept."""
    import secrets

    database.connect()
    from webapp.accounts.models import ApiToken, digest

    secret = secrets.token_urlsafe(32)
    user = person(options.user)
    ApiToken.objects.create(user_id=user.pk, name=options.name, secret_sha256=digest(secret))
    print(json.dumps({"name": options.name, "token": secret}) if options.json else secret)
    return 0
