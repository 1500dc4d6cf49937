"""Every table of an experiment, and the forms that any table is handed out in, for the page and the command line alike.

The command line offers them before there is Django, so what makes a table or writes a file is imported when it does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from training.did_you_mean import nearest

if TYPE_CHECKING:
    from django.http import HttpResponse

    from webapp.comparison.table import StageTable
    from webapp.experiments.models import Experiment
    from webapp.files.table import Table
    from webapp.runs.models import StageRun

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Form(NamedTuple):
    """A kind of file."""

    title: str
    content_type: str
    write: Callable[["Table"], str | bytes]

    def content(self, table: "Table") -> bytes:
        """The file's bytes."""
        written = self.write(table)
        return written.encode() if isinstance(written, str) else written


def _csv(table: "Table") -> str:
    from webapp.files.text_formats import csv

    return csv(table)


def _markdown(table: "Table") -> str:
    from webapp.files.text_formats import markdown

    return markdown(table)


def _latex(table: "Table") -> str:
    from webapp.files.latex import latex

    return latex(table)


def _excel(table: "Table") -> bytes:
    from webapp.files.excel import workbook

    return workbook(table)


def _parquet(table: "Table") -> bytes:
    from webapp.files.parquet import parquet

    return parquet(table)


def _json(table: "Table") -> str:
    from webapp.files.text_formats import json

    return json(table)


FORMS = {  # the end of a file's name → what it is
    "csv": Form("CSV", "text/csv; charset=utf-8", _csv),
    "md": Form("Markdown", "text/markdown; charset=utf-8", _markdown),
    "tex": Form("LaTeX", "application/x-tex; charset=utf-8", _latex),
    "xlsx": Form("Excel", EXCEL, _excel),
    "parquet": Form("Parquet", "application/vnd.apache.parquet", _parquet),
    "json": Form("JSON", "application/json", _json),
}
SEEDS = {"apart": "apart, and their mean", "together": "together: their mean alone"}


@dataclass(frozen=True)
class Choices:
    """What is wanted of an experiment's table."""

    experiment: "Experiment"
    benchmark: str | None = None  # the primary one
    baseline: str | None = None  # the first condition
    metric: str = "accuracy"
    seeds: str = "apart"  # one of SEEDS
    run: "StageRun | None" = None  # all of them

    @property
    def together(self) -> bool:
        """Whether of several seeds the means alone are wanted."""
        return self.seeds == "together"

    def stage_table(self) -> "StageTable":
        """The comparison that is wanted; raises ValueError for a choice that there is not."""
        from webapp.comparison.table import refuse_unknown, stage_table

        refuse_unknown("way to show seeds", self.seeds, SEEDS)
        return stage_table(
            self.experiment, benchmark=self.benchmark, baseline=self.baseline, metric=self.metric
        )


def _stages(wanted: Choices) -> "Table":
    from webapp.comparison import exports

    return exports.stages(wanted.stage_table(), together=wanted.together)


def _details(wanted: Choices) -> "Table":
    from webapp.comparison import exports

    return exports.details(wanted.stage_table())


def _groups(wanted: Choices) -> "Table":
    from webapp.comparison import exports

    return exports.by_group(wanted.stage_table())


def _pass_at_k(wanted: Choices) -> "Table":
    from webapp.comparison import exports

    return exports.pass_at_k(wanted.stage_table())


def _dynamics(wanted: Choices) -> "Table":
    from webapp.reports import diagnosis_exports

    return diagnosis_exports.dynamics(wanted.experiment, wanted.run)


def _findings(wanted: Choices) -> "Table":
    from webapp.reports import diagnosis_exports

    return diagnosis_exports.findings(wanted.experiment, wanted.run)


TABLES: dict[str, Callable[[Choices], "Table"]] = {
    "stages": _stages,
    "details": _details,
    "groups": _groups,
    "pass_at_k": _pass_at_k,
    "dynamics": _dynamics,
    "findings": _findings,
}


def build(what: str, wanted: Choices) -> "Table":
    """One of TABLES. Raises ValueError for another name, or for a choice that there is not."""
    if what not in TABLES:
        raise ValueError(f"there is no table {what!r}{nearest(what, list(TABLES))}")
    return TABLES[what](wanted)


def download(table: "Table", form: str) -> "HttpResponse":
    """A table as a file of one of FORMS."""
    from django.http import HttpResponse

    disposition = f'attachment; filename="{table.name}.{form}"'
    content_type = FORMS[form].content_type
    return HttpResponse(
        FORMS[form].content(table), content_type=content_type, headers={"Content-Disposition": disposition}
    )
