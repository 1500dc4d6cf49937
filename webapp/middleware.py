"""What is asked becomes text that PostgreSQL can hold."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.deprecation import MiddlewareMixin

NUL = "\0"


class NoNulMiddleware(MiddlewareMixin):
    """Leaves NUL characters out of queries and forms: nobody types one, and no column takes it."""

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """When the form has been read anyway, to see that it may be sent."""
        if _has_nul(request.GET):
            request.GET = _without_nul(request.GET)  # type: ignore[assignment]
        if _has_nul(request.POST):
            request.POST = _without_nul(request.POST)  # type: ignore[assignment]


def _has_nul(data: QueryDict) -> bool:
    return any(NUL in text for name, values in data.lists() for text in (name, *values))


def _without_nul(data: QueryDict) -> QueryDict:
    clean = QueryDict(mutable=True)
    for name, values in data.lists():
        clean.setlist(name.replace(NUL, ""), [value.replace(NUL, "") for value in values])
    clean._mutable = False
    return clean
