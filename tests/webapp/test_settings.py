"""A wrong deployment does not start, and says in one line what to set."""

import os
import subprocess
import sys

import pytest

from tests.stack import OURS, ROOT

PRODUCTION = {
    "MULBERRY_MODE": "production",
    "MULBERRY_HOSTS": "lab.example, www.lab.example",
    "DJANGO_SECRET_KEY": "x" * 50,
    "DATABASE_URL": "postgresql://mulberry:s%40crets@db:6432/lab?sslmode=require",
}


def read(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [sys.executable, "-c", f"from webapp import settings as s; {code}"],
        cwd=ROOT,
        env={**clean, **PRODUCTION, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MULBERRY_MODE", "prod"),
        ("MULBERRY_HOSTS", ""),
        ("DJANGO_SECRET_KEY", ""),
        ("DATABASE_URL", "mysql://localhost/lab"),
        ("DATABASE_URL", "postgresql://localhost:port/lab"),
        ("DATABASE_URL", "postgresql://localhost/"),
        ("MULBERRY_LAUNCHER", "docker"),
        ("MULBERRY_SLOTS", "0"),
        ("MULBERRY_EMAIL_URL", "smtp://host/"),
        ("MULBERRY_EMAIL_URL", "host:25"),
        ("MULBERRY_DEVICES_PER_SLOT", "two"),
    ],
)
def test_a_bad_value_stops_the_start(variable: str, value: str) -> None:
    started = read("", **{variable: value})
    assert started.returncode != 0
    last = started.stderr.strip().splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert variable in last


def test_production_is_read_as_written() -> None:
    said = read(
        "print(s.ALLOWED_HOSTS, s.DATABASES['default'] | {'OPTIONS': s.DATABASES['default']['OPTIONS']['sslmode']})"
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("['lab.example', 'www.lab.example'] ")
    for part in ("'NAME': 'lab'", "'PASSWORD': 's@crets'", "'PORT': '6432'", "'OPTIONS': 'require'"):
        assert part in said.stdout


def test_mail_is_sent_by_the_server_that_is_named() -> None:
    shown = read(
        "print(s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_HOST_USER, s.EMAIL_HOST_PASSWORD, s.EMAIL_USE_TLS, s.DEFAULT_FROM_EMAIL)",
        MULBERRY_EMAIL_URL="smtp://ada%40lab:p%2Fw@mail.example:2525/?from=mulberry@lab.example",
    )
    assert shown.stdout.split() == ["mail.example", "2525", "ada@lab", "p/w", "True", "mulberry@lab.example"]
    assert read("print(repr(s.EMAIL_HOST))").stdout.strip() == "''"
