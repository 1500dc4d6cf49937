"""Deployment, read once from the environment; a bad value stops the start with a hint."""

import os
import secrets
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from training.folders import IS_CHECKOUT, SOURCE, data_folder, home_folder

ROOT = SOURCE
ASSETS = ROOT if IS_CHECKOUT else Path(__file__).resolve().parent  # of templates/ and static/
MODE = os.environ.get("MULBERRY_MODE", "local")
if MODE not in ("local", "production"):
    raise ImproperlyConfigured(f"MULBERRY_MODE is {MODE!r}; use 'local' or 'production'")
PRODUCTION = MODE == "production"
MULBERRY_HOME = home_folder()
MULBERRY_STORAGE = os.environ.get("MULBERRY_STORAGE", str(MULBERRY_HOME / "storage"))
MULBERRY_CACHE = Path(os.environ.get("MULBERRY_CACHE", MULBERRY_HOME / "cache")).resolve()
MULBERRY_DATA = data_folder()


def _listed(text: str) -> list[str]:
    """The parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _secret_key() -> str:
    if key := os.environ.get("DJANGO_SECRET_KEY"):
        return key
    if PRODUCTION:
        raise ImproperlyConfigured(
            "DJANGO_SECRET_KEY is not set; production needs one of 50 characters or more"
        )
    path = MULBERRY_HOME / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(50))
        except FileExistsError:
            pass  # another process made it between the two calls
    return path.read_text()


def database(url: str) -> dict[str, object]:
    """Django's settings from postgresql://user:password@host:port/name?option=…; host may be a socket folder."""
    try:
        found = dict(dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True))
    except (dj_database_url.ParseError, dj_database_url.UnknownSchemeError):
        found = {}
    if found.get("ENGINE") != "django.db.backends.postgresql" or not found["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL must read postgresql://user:password@host:5432/name")
    # a dead network is noticed
    options = {
        "connect_timeout": 5,
        "tcp_user_timeout": 20_000,
        **cast("dict[str, object]", found.get("OPTIONS", {})),
    }
    host, port = options.pop("host", None), options.pop("port", "")
    return {**found, "HOST": host or found["HOST"], "PORT": str(found["PORT"] or port), "OPTIONS": options}


def database_url() -> str:
    """DATABASE_URL, or where `mulberry up` said that its embedded PostgreSQL listens."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    announced = MULBERRY_HOME / "database_url"
    if announced.exists():
        return announced.read_text().strip()
    return "postgresql://mulberry@localhost/mulberry"


SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS = _listed(os.environ.get("MULBERRY_HOSTS", "" if PRODUCTION else "127.0.0.1,localhost,[::1]"))
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("MULBERRY_HOSTS is empty; name the hosts that the dashboard answers to")
CSRF_TRUSTED_ORIGINS = _listed(os.environ.get("MULBERRY_ORIGINS", ""))
DATABASES = {"default": database(database_url())}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "filesystem://")
MULBERRY_LAUNCHER = os.environ.get("MULBERRY_LAUNCHER", "warm")
if MULBERRY_LAUNCHER not in ("warm", "direct"):
    raise ImproperlyConfigured(f"MULBERRY_LAUNCHER is {MULBERRY_LAUNCHER!r}; use 'warm' or 'direct'")
MULBERRY_SLOTS = os.environ.get("MULBERRY_SLOTS", "")
if MULBERRY_SLOTS and not (MULBERRY_SLOTS.isdecimal() and int(MULBERRY_SLOTS)):
    raise ImproperlyConfigured(
        f"MULBERRY_SLOTS is {MULBERRY_SLOTS!r}; give the number of runs at once, 1 or more"
    )
_per_slot = os.environ.get("MULBERRY_DEVICES_PER_SLOT", "1")
if not (_per_slot.isdecimal() and int(_per_slot)):
    raise ImproperlyConfigured(
        f"MULBERRY_DEVICES_PER_SLOT is {_per_slot!r}; give the number of GPUs or cores of a run, 1 or more"
    )
MULBERRY_DEVICES_PER_SLOT = int(_per_slot)

MULBERRY_WEBHOOK_HOSTS = _listed(os.environ.get("MULBERRY_WEBHOOK_HOSTS", ""))


def _email(url: str) -> dict[str, object]:
    """Django's settings from smtp://user:password@host:587/?from=mulberry@lab.example; smtps: TLS from the start."""
    if not url:
        return {"EMAIL_HOST": ""}
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or "@" not in query.get("from", ""):
        raise ImproperlyConfigured(
            "MULBERRY_EMAIL_URL must read smtp://user:password@host:587/?from=mulberry@lab.example"
        )
    own = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and not own,  # nothing listens between a machine and itself
        "EMAIL_TIMEOUT": 10,
        "DEFAULT_FROM_EMAIL": query["from"],
    }


globals().update(_email(os.environ.get("MULBERRY_EMAIL_URL", "")))

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "csp",
    "webapp.accounts",
    "webapp.experiments",
    "webapp.runs",
    "webapp.telemetry",
    "webapp.results",
    "webapp.annotations",
    "webapp.notifications",
    "webapp.pages",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "webapp.middleware.NoNulMiddleware",
]
ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ASSETS / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "csp.context_processors.nonce",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.pages.context.bar",
            ]
        },
    }
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "overview"
STATIC_URL = "static/"
STATICFILES_DIRS = [ASSETS / "static"]
STATIC_ROOT = MULBERRY_HOME / "static"
WHITENOISE_USE_FINDERS = True
LOGGING = {  # Django's own default tells nobody about an error when DEBUG is off
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"output": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["output"], "level": "WARNING"},
    "loggers": {"django": {"handlers": ["output"], "level": "ERROR", "propagate": False}},
}
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "style-src-attr": ["'unsafe-inline'"],  # Plotly positions its labels by style attributes
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
