"""What a report is written as. The command line offers these before there is Django: nothing of it is imported here."""

from typing import NamedTuple


class ReportFormat(NamedTuple):
    """A kind of file."""

    title: str
    content_type: str


REPORT_FORMATS = {  # the end of a file's name → what it is
    "md": ReportFormat("Markdown", "text/markdown; charset=utf-8"),
    "html": ReportFormat("HTML", "text/html; charset=utf-8"),
}
