"""A table as CSV, JSON and Markdown; text never becomes a formula or markup."""

import csv as csv_format
import io
import json as json_format
from typing import Any

from webapp.files.grid import escaped
from webapp.files.long_tables import csv_cell, json_value
from webapp.files.number_text import plain
from webapp.files.table import Statement, Table


def csv(table: Table) -> str:
    """RFC 4180 with a header: the sheet that was asked for. The last column says in each row where it comes from.

    Text cells that a spreadsheet would compute get an apostrophe in front.
    """
    buffer = io.StringIO()
    writer = csv_format.writer(buffer)
    writer.writerow([*(column.name for column in table.sheet.columns), "provenance"])
    for row in table.sheet.values:
        cells = [csv_cell(value, column.kind) for value, column in zip(row, table.sheet.columns, strict=True)]
        writer.writerow([*cells, table.origin])
    return buffer.getvalue()


def json(table: Table) -> str:
    """The same rows, the other sheets by name, what they say in words, and where they come from."""
    return json_format.dumps(
        {
            "title": table.title,
            "provenance": dict(table.provenance),
            **{kind: [_spoken(one) for one in every] for kind, every in table.statements.items()},
            "warnings": list(table.warnings),
            "rows": table.sheet.records(),
            **{sheet.name: sheet.records() for sheet in table.more},
        },
        indent=2,
        ensure_ascii=False,
        default=json_value,
    )


def markdown(table: Table) -> str:
    """What the numbers say, every sheet, and the provenance, as GitHub-flavoured Markdown."""
    said = [one for every in table.statements.values() for one in every]
    words = [
        f"**{escaped(one.headline)}** {escaped(one.numbers)} {escaped(one.limits)}".strip() for one in said
    ]
    footer = [f"{label}: {escaped(text)}" for label, text in table.provenance.items()]
    parts = [
        f"## {escaped(table.title)}",
        "\n\n".join(words),
        table.sheet.grid.markdown(),
        *map(escaped, table.warnings),
        *(part for sheet in table.more for part in (f"### {escaped(sheet.title)}", sheet.grid.markdown())),
        "---",
        "  \n".join(footer),
    ]
    return plain("\n\n".join(part for part in parts if part)) + "\n"


def _spoken(one: Statement) -> dict[str, Any]:
    found: dict[str, Any] = {key: plain(getattr(one, key)) for key in ("headline", "numbers", "limits")}
    word = getattr(one, "word", None)  # of a decision
    if word is None:
        return found
    return {"word": word, "suggestive": getattr(one, "suggestive", False)} | found
