"""Signing in by a one-time link, and out."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from webapp.accounts.models import SignInLink


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Explain where the link is; take its code, or the whole link, when it is pasted."""
    target = _target(request)
    if request.method == "POST":
        code = request.POST.get("code", "").strip().rstrip("/").rpartition("/")[2]
        return _redeem(request, code, target)
    if request.user.is_authenticated:
        return redirect(target)
    return render(request, "accounts/sign_in.html", {"next": target})


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponse:
    """Show a button, so that what fetches links in advance does not use this one up; a POST signs in."""
    if request.method == "POST":
        return _redeem(request, secret, _target(request))
    return render(request, "accounts/sign_in_link.html", {"next": _target(request)})


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("sign_in")


def _redeem(request: HttpRequest, secret: str, target: str) -> HttpResponse:
    link = SignInLink.redeem(secret) if secret else None
    if link is None or not link.user.is_active:
        messages.error(
            request,
            "This link does not work: it was used before, is older than an hour, or is incomplete. "
            "`mulberry sign-in` prints a new one.",
        )
        return render(request, "accounts/sign_in.html", {"next": target})
    login(request, link.user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponseRedirect(target)


def _target(request: HttpRequest) -> str:
    """Where to go after signing in: `next` when it leads to this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return redirect(settings.LOGIN_REDIRECT_URL).url
