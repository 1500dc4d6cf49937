"""Whether the dashboard can serve: the database answers and its tables are those of this code."""

import logging

from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

log = logging.getLogger("mulberry.health")
_migrated = False  # once true, it stays true for this process's code


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """200 "ok", or 503 and one line that says what is missing."""
    global _migrated
    try:
        if not _migrated:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return HttpResponse("migrations are missing; run manage.py migrate\n", "text/plain", 503)
            _migrated = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError as error:
        log.warning("the database does not answer: %s", str(error).strip())  # it names host and user
        return HttpResponse(
            "the database does not answer; see the log of the web process\n", "text/plain", 503
        )
    return HttpResponse("ok\n", "text/plain")
