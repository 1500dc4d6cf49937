"""Tables as downloads: short ones at once, long ones sent while they are made."""

from collections.abc import AsyncIterator, Collection, Iterator

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http import Http404, HttpResponse, StreamingHttpResponse

from webapp.files import long_tables
from webapp.files.formats import FORMATS
from webapp.files.table import Table


def check(format: str, formats: Collection[str] = long_tables.FORMATS) -> None:
    """Raise Http404 that names the formats there are, where this is none of them."""
    if format not in formats:
        raise Http404(f"there is no export {format!r}; choose {', '.join(formats)}")


def table_response(table: Table, format: str) -> HttpResponse:
    """A table as a file of one of formats.FORMATS."""
    check(format, FORMATS)
    chosen = FORMATS[format]
    disposition = f'attachment; filename="{table.name}.{format}"'
    return HttpResponse(
        chosen.content(table),
        content_type=chosen.content_type,
        headers={"Content-Disposition": disposition},
    )


def rows_response(rows: long_tables.LongTable, format: str, name: str) -> StreamingHttpResponse:
    """The rows as a file of this name and format that is sent while it is made."""
    chosen = long_tables.FORMATS[format]
    return parts_response(chosen.write(rows), chosen.content_type, f"{name}.{format}")


def parts_response(parts: Iterator[bytes], content_type: str, name: str) -> StreamingHttpResponse:
    """A file of this name that is sent while it is made."""
    response = StreamingHttpResponse(_sent(parts), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _sent(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The parts one by one, each made when the one before is taken: an ordinary iterator would be read whole."""
    while (part := await sync_to_async(_next)(parts)) is not None:
        yield part


def _next(parts: Iterator[bytes]) -> bytes | None:
    """Make a part and give the connection back: the reader may be slow."""
    try:
        return next(parts, None)
    finally:
        close_old_connections()
