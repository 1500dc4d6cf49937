"""URLs of the results: comparison within and across experiments, exports, report, the problems of an evaluation."""

from django.urls import path

from webapp.results import across_views, flip_views, views

urlpatterns = [
    path("compare/", across_views.page, name="compare"),
    path("compare.<str:form>", across_views.file, name="compare_file"),
    path("experiments/<slug:name>/comparison/", views.comparison, name="comparison"),
    path("experiments/<slug:name>/table.<str:form>", views.table_file, name="table_file"),
    path("experiments/<slug:name>/tables/<str:what>.<str:form>", views.table_file, name="any_table_file"),
    path("experiments/<slug:name>/pass-at-k.json", views.pass_charts, name="pass_charts"),
    path("experiments/<slug:name>/outcomes.<str:form>", views.outcomes_file, name="outcomes_file"),
    path("experiments/<slug:name>/flips/", flip_views.page, name="flips"),
    path("experiments/<slug:name>/flips.<str:form>", flip_views.file, name="flips_file"),
    path("experiments/<slug:name>/findings/", views.findings, name="findings"),
    path("experiments/<slug:name>/report/", views.report, name="report"),
    path("experiments/<slug:name>/report.<str:form>", views.report_file, name="report_file"),
    path("evaluations/<int:evaluation_id>/", views.evaluation, name="evaluation"),
    path(
        "evaluations/<int:evaluation_id>/outcomes.<str:form>", views.evaluation_file, name="evaluation_file"
    ),
    path("evaluations/<int:evaluation_id>/samples/", views.samples, name="samples"),
]
