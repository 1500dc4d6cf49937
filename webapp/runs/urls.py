"""URLs of stage runs."""

from django.urls import path

from webapp.runs import views

urlpatterns = [
    path("runs/<int:run_id>/", views.run, name="run"),
    path("runs/<int:run_id>/head/", views.run_head, name="run_head"),
    path("runs/<int:run_id>/records/", views.run_records, name="run_records"),
    path("runs/<int:run_id>/log/", views.run_log, name="run_log"),
    path("runs/<int:run_id>/findings/", views.run_findings, name="run_findings"),
    path("runs/<int:run_id>/dynamics/", views.run_dynamics, name="run_dynamics"),
    path("runs/<int:run_id>/cancel/", views.cancel, name="cancel_run"),
    path("runs/<int:run_id>/retry/", views.retry, name="retry_run"),
]
