"""URLs of signing in and out, and of saved views."""

from django.urls import path

from webapp.accounts import saved_views, views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-in/<str:secret>/", views.sign_in_link, name="sign_in_link"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("views/", saved_views.saved_views, name="saved_views"),
    path("views/save/", saved_views.save_view, name="save_view"),
    path("views/<int:view_id>/change/", saved_views.change_view, name="change_view"),
    path("views/<int:view_id>/delete/", saved_views.delete_view, name="delete_view"),
]
