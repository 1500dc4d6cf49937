"""URLs of experiments."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from webapp.experiments import launching, page_views, views


def _form(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """A launch form, and the parts of it that are fetched while it is filled in."""
    return [
        path(route, view, name=name),
        path(f"{route}fields/", view, {"part": "fields"}, name=f"{name}_fields"),
        path(f"{route}panel/", view, {"part": "panel"}, name=f"{name}_panel"),
    ]


urlpatterns = [
    path("experiments/", views.experiments, name="experiments"),
    path("experiments.<str:form>", views.experiments_file, name="experiments_file"),
    path("experiments/new/", launching.new_experiment, name="new_experiment"),
    *_form("experiments/new/<str:recipe>/", launching.new_from_recipe, "new_from_recipe"),
    *_form("experiments/<slug:name>/clone/", launching.new_from_experiment, "clone_experiment"),
    *_form("experiments/<slug:name>/fork/<slug:stage>/", launching.new_from_experiment, "fork_experiment"),
    path("experiments/<slug:name>/", views.experiment, name="experiment"),
    path("experiments/<slug:name>/state/", views.experiment_state, name="experiment_state"),
    path("experiments/<slug:name>/cancel/", views.cancel, name="cancel_experiment"),
    path("experiments/<slug:name>/retry/", views.retry, name="retry_experiment"),
    path("experiments/<slug:name>/settings/", page_views.experiment_settings, name="experiment_settings"),
    path("experiments/<slug:name>/notes/", page_views.experiment_notes, name="experiment_notes"),
    path("experiments/<slug:name>/notes/edit/", page_views.edit_notes, name="edit_notes"),
]
