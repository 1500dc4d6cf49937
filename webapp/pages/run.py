"""One stage run's page, its moving parts as fragments, and what a person may do to it."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from webapp.charts import arrangement, page
from webapp.diagnosis import readings
from webapp.live.news import encode_cursor
from webapp.pages import run_attempts
from webapp.pages.confirmation import confirmation
from webapp.pages.experiments.querysets import boxes_of
from webapp.pages.rollouts import newest_groups
from webapp.pages.run_settings import main_settings
from webapp.reports import dynamics_table
from webapp.results.models import Evaluation
from webapp.results.outcome_counts import latest_accuracies
from webapp.runs import cancelling, querysets, recomputing, services
from webapp.runs.models import Attempt, Checkpoint, Event, StageRun, State
from webapp.telemetry.models import LogLine

LINES_SHOWN = 200


@require_GET
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """One stage run: state, findings, charts, rollouts, dynamics, log, attempts."""
    found = _run(run_id)
    # The cursor is read first: what comes in while the page is made is sent again, and the page knows it by its id.
    cursor = dict(Attempt.objects.filter(stage_run=found).values_list("id", "journal_seq"))
    context = _head(found) | _records(found) | {"log": _log(found), "cursor": encode_cursor(cursor)}
    reading, is_newest = readings.of_run_at_once(found)
    context |= _reading(found, reading) | {"was_read": reading is not None, "reading_is_newest": is_newest}
    if found.experiment.imported:
        context |= {"published": Evaluation.objects.filter(attempt__stage_run=found).order_by("seq")}
    else:
        context |= page.context(found, request.GET, request.COOKIES.get(arrangement.COOKIE, ""))
        context["main_settings"] = main_settings(found)
        context["has_dynamics"] = found.stage.settings_class.has_dynamics
    if not found.experiment.imported and found.stage.settings_class.records_rollouts:
        context |= newest_groups.context(found) | {"has_rollouts": True}
    return render(request, "runs/run.html", context)


@require_GET
def run_head(request: HttpRequest, run_id: int) -> HttpResponse:
    """State, progress and actions, as a fragment."""
    return render(request, "runs/_head.html", _head(_run(run_id)))


@require_GET
def run_records(request: HttpRequest, run_id: int) -> HttpResponse:
    """Attempts, checkpoints and events, as a fragment."""
    return render(request, "runs/_records.html", _records(_run(run_id)))


@require_GET
def run_log(request: HttpRequest, run_id: int) -> HttpResponse:
    """The newest lines of the log, as a fragment."""
    found = _run(run_id)
    return render(request, "runs/_log.html", {"run": found, "log": _log(found)})


@require_GET
def run_findings(request: HttpRequest, run_id: int) -> HttpResponse:
    """The run's findings, the worst first, as a fragment."""
    found = _run(run_id)
    return render(request, "results/_findings.html", _reading(found, readings.of_run(found)))


@require_GET
def run_dynamics(request: HttpRequest, run_id: int) -> HttpResponse:
    """The dynamics table, as a fragment; empty for a kind of stage that has none."""
    found = _run(run_id)
    return render(request, "runs/_dynamics.html", _reading(found, readings.of_run(found)))


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    """Say what cancelling ends and what stays; a POST cancels the run, and with it what waits for it."""
    found = _run(run_id)
    ends, given_up = cancelling.of_run(found), found.state == State.FAILED
    if request.method != "POST":
        named = f"{found.stage.name}, {found.condition.name}, seed {found.seed}"
        title = f"{'Give up' if given_up else 'Cancel'} {named}?"
        return confirmation(request, title, ends, reverse("run", args=[run_id]), given_up=given_up)
    try:
        services.cancel(run=found, by=request.user.get_username())
    except ValueError as error:
        messages.error(request, str(error))
    else:
        text = "Given up: comparisons no longer wait for this run." if given_up else ends.done
        undo = "" if ends.running or ends.cancelling else reverse("retry_run", args=[run_id])
        messages.success(request, text, extra_tags=undo)
    return redirect("run", run_id)


@require_POST
def retry(request: HttpRequest, run_id: int) -> HttpResponse:
    """Start the run again from its newest checkpoint; one that has succeeded where its result is lost."""
    found = _run(run_id)
    start = recomputing.recompute if found.state == State.SUCCEEDED else services.retry
    try:
        start(run=found, by=request.user.get_username())
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The run starts again from its newest checkpoint.")
    return redirect("run", run_id)


def _run(run_id: int) -> StageRun:
    return get_object_or_404(querysets.for_pages(), pk=run_id)


def _head(found: StageRun) -> dict[str, object]:
    accuracies = latest_accuracies([found.pk], found.experiment.primary_metric)
    return {
        "run": found,
        "state": querysets.shown_state(found),
        "queued_before": querysets.queued_before(found),
        "may_cancel": querysets.may_cancel([found]),
        "may_retry": querysets.may_retry(found),
        "checkpoint_lost": recomputing.seems_lost(found),
        "accuracy": accuracies.get(found.pk),
        "others": querysets.others(found),
        "took": querysets.seconds_taken(found) if found.finished_at else None,
        "nav": "experiments",
    } | _under_way(found)


def _under_way(found: StageRun) -> dict[str, object]:
    """Of a run that goes on: when it will be done, by its experiment's estimate, and where it is. Two queries."""
    if found.state != State.RUNNING:
        return {}
    left = boxes_of([found.experiment])[found.experiment_id].lengths_left.get(found.pk)
    held = Attempt.objects.filter(stage_run=found, number=found.attempt_number)
    return {
        "seconds_left": left,
        "done_at": None if left is None else timezone.now() + timedelta(seconds=left),
        "place": held.values("device", "hostname").first(),
    }


def _reading(found: StageRun, reading: readings.Reading | None) -> dict[str, object]:
    """Findings and dynamics, for their fragments."""
    if reading is None:
        return {}
    decided, undecided = dynamics_table.page_views(dynamics_table.of_run(found, reading))
    return {
        "findings": readings.grouped(reading.findings),
        "dynamics": decided,
        "undecided": undecided,
        "of_run": True,
        "experiment": found.experiment,
        "run": found,
    }


def _records(found: StageRun) -> dict[str, object]:
    return {
        "run": found,
        "attempts": run_attempts.of_run(found),
        "checkpoints": Checkpoint.objects.filter(attempt__stage_run=found)
        .select_related("attempt")
        .order_by("-saved_at")[:20],
        "events": Event.objects.filter(stage_run=found).order_by("-id"),
    }


def _log(found: StageRun) -> list[LogLine]:
    """The newest lines, oldest first."""
    lines = LogLine.objects.filter(attempt__stage_run=found).select_related("attempt")
    return list(lines.order_by("-attempt_id", "-seq")[:LINES_SHOWN])[::-1]
