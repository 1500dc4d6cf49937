"""Every URL of the dashboard."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from webapp.health import healthz, readyz
from webapp.pages import (
    annotations,
    charts,
    checkpoints,
    evaluations,
    flips,
    launch,
    live,
    problem_map,
    prompt_map,
    run,
    stepper,
    texts,
    workers,
)
from webapp.pages.account import preferences, saved_views, views as account
from webapp.pages.comparison import views as comparison
from webapp.pages.experiment import organising, parts, views as experiment
from webapp.pages.experiments import views as experiments
from webapp.pages.help import views as help_pages
from webapp.pages.notifications import views as notifications
from webapp.pages.overview import views as overview
from webapp.pages.rollouts import group_page, pairs, views as rollouts
from webapp.pages.search import views as search


def _form(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """A launch form, and the parts of it that are fetched while it is filled in."""
    return [
        path(route, view, name=name),
        path(f"{route}fields/", view, {"part": "fields"}, name=f"{name}_fields"),
        path(f"{route}panel/", view, {"part": "panel"}, name=f"{name}_panel"),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("", overview.overview, name="overview"),
    path("first-steps/hide/", overview.hide_first_steps, name="hide_first_steps"),
    path("first-steps/<slug:step>/", overview.first_step, name="first_step"),
    path("search/", search.search_page, name="search"),
    path("search.json", search.search_json, name="search_json"),
    path("sign-in/", account.sign_in, name="sign_in"),
    path("sign-in/<str:secret>/", account.sign_in_link, name="sign_in_link"),
    path("sign-out/", account.sign_out, name="sign_out"),
    path("account/", preferences.account, name="account"),
    path("account/theme/", preferences.set_theme, name="set_theme"),
    path("help/", help_pages.index, name="help"),
    path("help/keyboard-shortcuts/", help_pages.shortcuts, name="help_shortcuts"),
    path("help/<slug:name>/", help_pages.page, name="help_page"),
    path("views/", saved_views.saved_views, name="saved_views"),
    path("views/save/", saved_views.save_view, name="save_view"),
    path("views/<int:view_id>/change/", saved_views.change_view, name="change_view"),
    path("views/<int:view_id>/delete/", saved_views.delete_view, name="delete_view"),
    path("notifications/", notifications.notifications, name="notifications"),
    path("notifications/read/", notifications.read_all, name="notifications_read"),
    path("notifications/settings/", notifications.settings_, name="notification_settings"),
    path("notifications/secret/", notifications.new_webhook_secret, name="webhook_secret"),
    path("notifications/<int:notification_id>/", notifications.open_, name="notification"),
    path("notifications/<int:notification_id>/read/", notifications.read_one, name="notification_read"),
    path("experiments/", experiments.experiments, name="experiments"),
    path("experiments.<str:format>", experiments.experiments_file, name="experiments_file"),
    path("experiments/organise/", experiments.organise, name="organise"),
    path("experiments/new/", launch.new_experiment, name="new_experiment"),
    *_form("experiments/new/own/", launch.new_from_text, "new_from_text"),
    *_form("experiments/new/<str:recipe>/", launch.new_from_recipe, "new_from_recipe"),
    *_form("experiments/<slug:name>/clone/", launch.new_from_experiment, "clone_experiment"),
    *_form("experiments/<slug:name>/fork/<slug:stage>/", launch.new_from_experiment, "fork_experiment"),
    path("experiments/<slug:name>/", experiment.experiment, name="experiment"),
    path("experiments/<slug:name>/organise/", organising.organise_experiment, name="organise_experiment"),
    path("experiments/<slug:name>/bundle.zip", parts.bundle_file, name="bundle_file"),
    path("experiments/<slug:name>/state/", experiment.experiment_state, name="experiment_state"),
    path("experiments/<slug:name>/cancel/", experiment.cancel, name="cancel_experiment"),
    path("experiments/<slug:name>/delete/", experiment.delete, name="delete_experiment"),
    path("experiments/<slug:name>/retry/", experiment.retry, name="retry_experiment"),
    path("experiments/<slug:name>/regrade/", experiment.regrade, name="regrade_experiment"),
    path("experiments/<slug:name>/settings/", parts.experiment_settings, name="experiment_settings"),
    path("experiments/<slug:name>/notes/", parts.experiment_notes, name="experiment_notes"),
    path("experiments/<slug:name>/notes/edit/", parts.edit_notes, name="edit_notes"),
    path("runs/<int:run_id>/", run.run, name="run"),
    path("runs/<int:run_id>/head/", run.run_head, name="run_head"),
    path("runs/<int:run_id>/records/", run.run_records, name="run_records"),
    path("runs/<int:run_id>/log/", run.run_log, name="run_log"),
    path("runs/<int:run_id>/findings/", run.run_findings, name="run_findings"),
    path("runs/<int:run_id>/dynamics/", run.run_dynamics, name="run_dynamics"),
    path("runs/<int:run_id>/cancel/", run.cancel, name="cancel_run"),
    path("runs/<int:run_id>/retry/", run.retry, name="retry_run"),
    path("annotations/<str:kind>/<int:row>/", annotations.annotate, name="annotate"),
    path("workers/", workers.workers, name="workers"),
    path("workers/<int:worker_id>/", workers.worker, name="worker"),
    path("workers/<int:worker_id>/drain/", workers.drain, name="drain_worker"),
    path("workers/<int:worker_id>/undrain/", workers.undrain, name="undrain_worker"),
    path("queues/<str:queue>/pause/", workers.pause, name="pause_queue"),
    path("queues/<str:queue>/resume/", workers.resume, name="resume_queue"),
    path("queues/<str:queue>/move/", workers.move, name="move_in_queue"),
    path("live/", live.stream, name="live"),
    path("runs/<int:run_id>/charts.json", charts.charts, name="run_charts"),
    path("runs/<int:run_id>/chart.<str:format>", charts.chart_file, name="chart_file"),
    path("runs/<int:run_id>/metrics.<str:format>", charts.point_file, name="point_file"),
    path("runs/<int:run_id>/rollouts/", rollouts.rollout_list, name="rollouts"),
    path("runs/<int:run_id>/rollouts.<str:format>", rollouts.rollout_file, name="rollout_file"),
    path("runs/<int:run_id>/prompts/", prompt_map.page, name="prompt_map"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/tokens/", group_page.group_tokens, name="group_tokens"),
    path(
        "runs/<int:run_id>/rollouts/<int:rollout_id>/tokens/table/",
        group_page.token_table,
        name="token_table",
    ),
    path("runs/<int:run_id>/rollouts/newest/", rollouts.newest_rollouts, name="newest_rollouts"),
    path("runs/<int:run_id>/rollouts/groups/", rollouts.group_rows, name="group_rows"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/", group_page.rollout_group, name="rollout_group"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/pane/", group_page.group_pane, name="group_pane"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/texts/", group_page.group_texts, name="group_texts"),
    path("runs/<int:run_id>/rollouts/<int:rollout_id>/pair/", pairs.rollout_pair, name="rollout_pair"),
    path("experiments/<slug:name>/rollouts/", rollouts.experiment_rollouts, name="experiment_rollouts"),
    path(
        "experiments/<slug:name>/rollouts/groups/",
        rollouts.experiment_group_rows,
        name="experiment_group_rows",
    ),
    path(
        "experiments/<slug:name>/rollouts.<str:format>",
        rollouts.experiment_rollout_file,
        name="experiment_rollout_file",
    ),
    path("compare/", checkpoints.page, name="compare"),
    path("compare.<str:format>", checkpoints.file, name="compare_file"),
    path("experiments/<slug:name>/comparison/", comparison.comparison, name="comparison"),
    path("experiments/<slug:name>/benchmarks/", comparison.benchmarks, name="benchmarks"),
    path("experiments/<slug:name>/table.<str:format>", comparison.table_file, name="table_file"),
    path(
        "experiments/<slug:name>/tables/<str:what>.<str:format>", comparison.table_file, name="any_table_file"
    ),
    path("experiments/<slug:name>/charts.json", comparison.comparison_charts, name="comparison_charts"),
    path("experiments/<slug:name>/outcomes.<str:format>", comparison.outcomes_file, name="outcomes_file"),
    path("experiments/<slug:name>/flips/", flips.page, name="flips"),
    path("experiments/<slug:name>/flips.<str:format>", flips.file, name="flips_file"),
    path("experiments/<slug:name>/problems/", problem_map.page, name="problem_map"),
    path("experiments/<slug:name>/problems/stepper/", stepper.page, name="stepper"),
    path("experiments/<slug:name>/answer/", comparison.experiment_answer, name="experiment_answer"),
    path("experiments/<slug:name>/answer.json", comparison.experiment_charts, name="experiment_charts"),
    path("experiments/<slug:name>/findings/", comparison.findings, name="findings"),
    path("experiments/<slug:name>/report/", comparison.report, name="report"),
    path("experiments/<slug:name>/report.<str:format>", comparison.report_file, name="report_file"),
    path("evaluations/<int:evaluation_id>/", evaluations.evaluation, name="evaluation"),
    path(
        "evaluations/<int:evaluation_id>/outcomes.<str:format>",
        evaluations.evaluation_file,
        name="evaluation_file",
    ),
    path("evaluations/<int:evaluation_id>/samples/", evaluations.samples, name="samples"),
    path("texts/<str:kind>/<int:row_id>/<str:field>/", texts.whole_text, name="whole_text"),
]

handler500 = "webapp.health.fault"
