"""URLs of what people are told."""

from django.urls import path

from webapp.notifications import views

urlpatterns = [
    path("notifications/", views.notifications, name="notifications"),
    path("notifications/read/", views.read_all, name="notifications_read"),
    path("notifications/settings/", views.settings_, name="notification_settings"),
    path("notifications/secret/", views.new_webhook_secret, name="webhook_secret"),
    path("notifications/try/", views.try_webhook, name="try_webhook"),
    path("notifications/<int:notification_id>/", views.open_, name="notification"),
]
