"""The dashboard's ASGI application, which also says at IN_FLIGHT how many requests it is answering.

Tests share one server, and each empties the database when the server has nothing more to do: uvicorn
tests.counting:application.
"""

from typing import Any

from webapp.asgi import application as dashboard

IN_FLIGHT = "/requests-in-flight"  # tests/served.py asks here
_answering = 0


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer the count, or hand the request to the dashboard and count it until it is over."""
    global _answering
    if scope["type"] != "http":
        await dashboard(scope, receive, send)
    elif scope["path"] == IN_FLIGHT:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(_answering).encode()})
    else:
        _answering += 1
        try:
            await dashboard(scope, receive, send)
        finally:
            _answering -= 1
