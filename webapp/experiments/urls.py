"""URLs of experiments."""

from django.urls import path

from webapp.experiments import views

urlpatterns = [
    path("", views.experiments, name="experiments"),
    path("experiments/new/", views.new_experiment, name="new_experiment"),
    path("experiments/new/<str:recipe>/", views.new_from_recipe, name="new_from_recipe"),
    path("experiments/new/<str:recipe>/plan/", views.plan_of_recipe, name="plan_of_recipe"),
    path("experiments/<slug:name>/", views.experiment, name="experiment"),
    path("experiments/<slug:name>/state/", views.experiment_state, name="experiment_state"),
    path("experiments/<slug:name>/cancel/", views.cancel, name="cancel_experiment"),
    path("experiments/<slug:name>/retry/", views.retry, name="retry_experiment"),
]
