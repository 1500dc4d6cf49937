"""Every URL of the dashboard."""

from django.urls import URLPattern, URLResolver, include, path

from webapp.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("", include("webapp.home.urls")),
    path("", include("webapp.accounts.urls")),
    path("", include("webapp.notifications.urls")),
    path("", include("webapp.experiments.urls")),
    path("", include("webapp.runs.urls")),
    path("", include("webapp.telemetry.urls")),
    path("", include("webapp.results.urls")),
]
