"""URLs of what training records, and of the live stream."""

from django.urls import path

from webapp.telemetry import views

urlpatterns = [
    path("live/", views.stream, name="live"),
    path("runs/<int:run_id>/charts.json", views.charts, name="run_charts"),
    path("runs/<int:run_id>/rollouts/", views.rollout_list, name="rollouts"),
    path("runs/<int:run_id>/rollouts.<str:form>", views.rollout_file, name="rollout_file"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/", views.rollout_group, name="rollout_group"),
    path("runs/<int:run_id>/rollouts/newest/", views.newest_rollouts, name="newest_rollouts"),
]
