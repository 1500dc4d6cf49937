"""URLs of stage runs, workers and queues."""

from django.urls import path

from webapp.runs import queue_views, views

urlpatterns = [
    path("runs/<int:run_id>/", views.run, name="run"),
    path("runs/<int:run_id>/head/", views.run_head, name="run_head"),
    path("runs/<int:run_id>/records/", views.run_records, name="run_records"),
    path("runs/<int:run_id>/log/", views.run_log, name="run_log"),
    path("runs/<int:run_id>/findings/", views.run_findings, name="run_findings"),
    path("runs/<int:run_id>/dynamics/", views.run_dynamics, name="run_dynamics"),
    path("runs/<int:run_id>/cancel/", views.cancel, name="cancel_run"),
    path("runs/<int:run_id>/retry/", views.retry, name="retry_run"),
    path("workers/", queue_views.workers, name="workers"),
    path("workers/<int:worker_id>/", queue_views.worker, name="worker"),
    path("workers/<int:worker_id>/drain/", queue_views.drain, name="drain_worker"),
    path("workers/<int:worker_id>/undrain/", queue_views.undrain, name="undrain_worker"),
    path("queues/<str:queue>/pause/", queue_views.pause, name="pause_queue"),
    path("queues/<str:queue>/resume/", queue_views.resume, name="resume_queue"),
    path("queues/<str:queue>/move/", queue_views.move, name="move_in_queue"),
]
