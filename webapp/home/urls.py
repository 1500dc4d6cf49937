"""URLs of the overview and of the search."""

from django.urls import path

from webapp.home import views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("search/", views.search_page, name="search"),
    path("search.json", views.search_json, name="search_json"),
]
