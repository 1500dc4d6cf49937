"""The workers' pages, and what a person does there: pause a queue, move an experiment, drain a worker."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from webapp.experiments.models import Experiment
from webapp.runs import queues, workers as pages
from webapp.runs.models import Worker, WorkerLog
from webapp.runs.queues import Move


@require_GET
@vary_on_headers("HX-Request")
def workers(request: HttpRequest) -> HttpResponse:
    """Every worker with what it runs, and every queue; a fragment when htmx asks."""
    context = {
        "workers": pages.workers(),
        "stopped": pages.stopped_workers(),
        "queues": pages.queue_views(),
        "events": pages.events(),
        "nav": "workers",
    }
    fragment = "HX-Request" in request.headers
    return render(request, "runs/_workers.html" if fragment else "runs/workers.html", context)


@require_GET
@vary_on_headers("HX-Request")
def worker(request: HttpRequest, worker_id: int) -> HttpResponse:
    """One worker: its devices, its machine, the end of its log; a fragment when htmx asks."""
    found = get_object_or_404(Worker, pk=worker_id)
    context = {
        "view": pages.worker_view(found),
        "worker": found,
        "lately": pages.lately(found),
        "log": WorkerLog.objects.filter(worker=found).first(),
        "events": pages.events(worker=found),
        "nav": "workers",
    }
    fragment = "HX-Request" in request.headers
    return render(request, "runs/_worker.html" if fragment else "runs/worker.html", context)


@require_POST
def pause(request: HttpRequest, queue: str) -> HttpResponse:
    """Pause a queue."""
    said = f"The queue {queue} is paused: nothing new starts. What runs goes on to its end."
    return _do(request, lambda by: queues.pause(queue=queue, by=by), said)


@require_POST
def resume(request: HttpRequest, queue: str) -> HttpResponse:
    """Resume a queue."""
    said = f"The queue {queue} is resumed: workers take runs from it again."
    return _do(request, lambda by: queues.resume(queue=queue, by=by), said)


@require_POST
def move(request: HttpRequest, queue: str) -> HttpResponse:
    """Move an experiment in a queue: to the front, up or down."""
    experiment = get_object_or_404(Experiment, name=request.POST.get("experiment", ""))
    if request.POST.get("to") not in list(Move):
        return HttpResponse("to is front, up or down", status=400, content_type="text/plain")
    to = Move(request.POST["to"])
    said = f"{experiment.name} is moved {'to the front' if to is Move.FRONT else to}."
    return _do(request, lambda by: queues.move(experiment=experiment, queue=queue, to=to, by=by), said)


@require_POST
def drain(request: HttpRequest, worker_id: int) -> HttpResponse:
    """Drain a worker."""
    found = get_object_or_404(Worker, pk=worker_id)
    said = f"{found.name} takes nothing new and ends what it runs."
    return _do(request, lambda by: queues.drain(worker=found, by=by), said)


@require_POST
def undrain(request: HttpRequest, worker_id: int) -> HttpResponse:
    """Let a drained worker take runs again."""
    found = get_object_or_404(Worker, pk=worker_id)
    return _do(request, lambda by: queues.undrain(worker=found, by=by), f"{found.name} takes runs again.")


def _do(request: HttpRequest, action: Callable[[str], None], said: str) -> HttpResponseRedirect:
    """Do it, say so, and go back to where the button was."""
    try:
        action(request.user.get_username())
    except ValueError as error:
        text = str(error)
        messages.error(request, f"{text[0].upper()}{text[1:]}.")
    else:
        messages.success(request, said)
    back = request.POST.get("next", "")
    here = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(back if here else "workers")
