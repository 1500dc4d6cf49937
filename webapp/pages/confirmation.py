"""What is asked before work is stopped: a page of its own, or the same in the dialog of static/js/ask.js."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from webapp.runs.cancelling import Cancelling


def confirmation(
    request: HttpRequest, title: str, ends: Cancelling, back: str, *, given_up: bool = False
) -> HttpResponse:
    """What cancelling at this address ends and keeps, with a button that does it; a fragment when a script asks.

    `back` is the page that it was asked on; `given_up` says that a failed run is given up, which ends nothing.
    """
    fragment = "HX-Request" in request.headers
    context = {
        "title": title,
        "ends": ends,
        "back": back,
        "given_up": given_up,
        "action": request.path,
        "in_dialog": fragment,
        "nav": "experiments",
    }
    answer = render(request, "runs/_cancel.html" if fragment else "runs/cancel.html", context)
    patch_vary_headers(answer, ["HX-Request"])
    return answer
