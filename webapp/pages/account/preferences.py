"""A person's account page, and the theme that they chose."""

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.models import Preferences


@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """Who is signed in, the theme, keyboard shortcuts, and where their other settings are."""
    return render(request, "accounts/account.html", {"nav": "account"})


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep `theme` (light, dark, or empty: the system's) for this person; go back to `next`, or say nothing to a script."""
    assert request.user.pk is not None  # LoginRequiredMiddleware lets nobody else through
    theme = request.POST.get("theme", "")
    if theme not in Preferences.Theme.values:
        return HttpResponseBadRequest("theme is light, dark or empty\n", content_type="text/plain")
    Preferences.objects.update_or_create(user_id=request.user.pk, defaults={"theme": theme})
    if "HX-Request" in request.headers:
        return HttpResponse(status=204)
    back = request.POST.get("next", "")
    own = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if own else "account")
