"""URLs of experiments."""

from django.urls import path

from webapp.experiments import views

urlpatterns = [
    path("", views.experiments, name="experiments"),
    path("experiments/new/", views.new_experiment, name="new_experiment"),
    path("experiments/new/<str:recipe>/", views.new_from_recipe, name="new_from_recipe"),
    path(
        "experiments/new/<str:recipe>/reuse/",
        views.new_from_recipe,
        {"offers": True},
        name="reuse_for_recipe",
    ),
    path("experiments/<slug:name>/clone/", views.new_from_experiment, name="clone_experiment"),
    path("experiments/<slug:name>/clone/reuse/", views.new_from_experiment, {"offers": True}),
    path("experiments/<slug:name>/fork/<slug:stage>/", views.new_from_experiment, name="fork_experiment"),
    path("experiments/<slug:name>/fork/<slug:stage>/reuse/", views.new_from_experiment, {"offers": True}),
    path("experiments/<slug:name>/", views.experiment, name="experiment"),
    path("experiments/<slug:name>/state/", views.experiment_state, name="experiment_state"),
    path("experiments/<slug:name>/cancel/", views.cancel, name="cancel_experiment"),
    path("experiments/<slug:name>/retry/", views.retry, name="retry_experiment"),
]
