"""URLs of what training records, and of the live stream."""

from django.urls import path

from webapp.telemetry import views

urlpatterns = [
    path("live/", views.stream, name="live"),
    path("runs/<int:run_id>/charts.json", views.charts, name="run_charts"),
    path("runs/<int:run_id>/chart.<str:form>", views.chart_file, name="chart_file"),
    path("runs/<int:run_id>/metrics.<str:form>", views.point_file, name="point_file"),
    path("runs/<int:run_id>/rollouts/", views.rollout_list, name="rollouts"),
    path("runs/<int:run_id>/rollouts.<str:form>", views.rollout_file, name="rollout_file"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/", views.rollout_group, name="rollout_group"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/texts/", views.group_texts, name="group_texts"),
    path("runs/<int:run_id>/rollouts/newest/", views.newest_rollouts, name="newest_rollouts"),
    path("experiments/<slug:name>/rollouts/", views.experiment_rollouts, name="experiment_rollouts"),
    path(
        "experiments/<slug:name>/rollouts/newest/",
        views.newest_experiment_rollouts,
        name="newest_experiment_rollouts",
    ),
    path(
        "experiments/<slug:name>/rollouts.<str:form>",
        views.experiment_rollout_file,
        name="experiment_rollout_file",
    ),
]
