"""URLs of experiments."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from webapp.experiments import views


def _form(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """A launch form, and the parts of it that are fetched while it is filled in."""
    return [
        path(route, view, name=name),
        path(f"{route}reuse/", view, {"part": "reuse"}, name=f"{name}_reuse"),
        path(f"{route}plan/", view, {"part": "plan"}, name=f"{name}_plan"),
    ]


urlpatterns = [
    path("", views.experiments, name="experiments"),
    path("experiments/new/", views.new_experiment, name="new_experiment"),
    *_form("experiments/new/<str:recipe>/", views.new_from_recipe, "new_from_recipe"),
    *_form("experiments/<slug:name>/clone/", views.new_from_experiment, "clone_experiment"),
    *_form("experiments/<slug:name>/fork/<slug:stage>/", views.new_from_experiment, "fork_experiment"),
    path("experiments/<slug:name>/", views.experiment, name="experiment"),
    path("experiments/<slug:name>/state/", views.experiment_state, name="experiment_state"),
    path("experiments/<slug:name>/cancel/", views.cancel, name="cancel_experiment"),
    path("experiments/<slug:name>/retry/", views.retry, name="retry_experiment"),
]
