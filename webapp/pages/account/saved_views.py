"""Pages of saved views: the list, and what is done to one."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts import saved
from webapp.accounts.models import SavedView


@require_GET
def saved_views(request: HttpRequest) -> HttpResponse:
    """A person's own views, to be renamed and deleted, and those that others share."""
    found = list(saved.visible_to(request.user.pk))
    context = {
        "own": [view for view in found if view.owner_id == request.user.pk],
        "others": [view for view in found if view.owner_id != request.user.pk],
        "nav": "saved_views",
    }
    return render(request, "accounts/saved_views.html", context)


@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep the posted address under a name, and go on there."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else through
    try:
        view = saved.save(
            owner=request.user,
            name=request.POST.get("name", ""),
            address=request.POST.get("address", ""),
            shared="shared" in request.POST,
        )
    except ValueError as error:
        messages.error(request, f"The view was not saved: {error}.")
        return redirect("saved_views")
    messages.success(
        request, f"Saved as “{view.name}”: Views in the bar, the overview and the search lead here."
    )
    return redirect(view.address)


@require_POST
def change_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """Rename an own view, share it or no longer."""
    view = get_object_or_404(SavedView, pk=view_id, owner=request.user.pk)
    try:
        saved.change(view=view, name=request.POST.get("name", ""), shared="shared" in request.POST)
    except ValueError as error:
        messages.error(request, f"Nothing was changed: {error}.")
    else:
        messages.success(request, f"“{view.name}” is changed.")
    return redirect("saved_views")


@require_POST
def delete_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget an own view."""
    view = get_object_or_404(SavedView, pk=view_id, owner=request.user.pk)
    view.delete()
    messages.success(request, f"“{view.name}” is deleted.")
    return redirect("saved_views")
