"""Parts of an experiment's page that a person works with: its notes and its settings; and all of it as one archive."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from webapp.experiments import notes
from webapp.experiments.models import Experiment
from webapp.pages import file_responses
from webapp.pages.experiment.settings_table import SettingsFilter, settings_table
from webapp.reports.bundle import bundle


@require_GET
def bundle_file(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """Report, tables, figures and provenance as one archive, sent while it is made."""
    found = get_object_or_404(Experiment, name=name)
    return file_responses.parts_response(bundle(found), "application/zip", f"{name}.zip")


@require_GET
@vary_on_headers("HX-Request")
def experiment_settings(request: HttpRequest, name: str) -> HttpResponse:
    """The settings' table as chosen; the address of the page follows."""
    found = get_object_or_404(Experiment.objects.select_related("origin"), name=name)
    choice = SettingsFilter.read(request.GET)
    address = choice.address(found)
    if "HX-Request" not in request.headers:
        return redirect(f"{address}#settings")
    context = {"choice": choice, "table": settings_table(found, choice), "address": address}
    return render(request, "experiments/_settings_table.html", context)


@require_GET
@vary_on_headers("HX-Request")
def experiment_notes(request: HttpRequest, name: str) -> HttpResponse:
    """The notes as they are stored."""
    found = get_object_or_404(Experiment, name=name)
    if "HX-Request" not in request.headers:
        return redirect(f"{reverse('experiment', args=[name])}#notes")
    return render(request, "experiments/_notes.html", {"experiment": found})


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def edit_notes(request: HttpRequest, name: str) -> HttpResponse:
    """The notes as a form: `do=preview` shows them as they would be, `do=save` stores them unless they are stale."""
    found = get_object_or_404(Experiment, name=name)
    context: dict[str, object] = {
        "experiment": found,
        "text": found.notes,
        "version": found.notes_version,
        "nav": "experiments",
    }
    if request.method == "POST":
        text = request.POST.get("text", "")
        version = request.POST.get("version", "")
        if not version.isdecimal() or len(version) > 9:
            return HttpResponse("version is a number", status=400, content_type="text/plain")
        context |= {"text": text, "version": int(version)}
        if request.POST.get("do") == "preview":
            context["preview"] = True
        else:
            try:
                notes.save(experiment=found, text=text, version=int(version), by=request.user.get_username())
            except notes.StaleNotesError:
                # What was entered stays in the form; saving it again is then on purpose, over what is shown beside it.
                found.refresh_from_db()
                context |= {"stale": True, "version": found.notes_version}
            except ValueError as error:
                context["problem"] = str(error)
            else:
                return redirect("experiment_notes", name)
    fragment = "HX-Request" in request.headers
    return render(request, "experiments/_notes_form.html" if fragment else "experiments/notes.html", context)
