"""A section of the report: what every part of it is made of."""

from dataclasses import dataclass, field

from webapp.comparison.sentences.verdict_columns import VerdictColumns, in_columns
from webapp.comparison.sentences.wording import VerdictSentence
from webapp.experiments.notes import rendered
from webapp.files.table import Statement, View
from webapp.reports.drawings import Drawing


@dataclass(frozen=True)
class ListItem:
    """A point of a list with points of its own."""

    text: str
    under: tuple[str, ...] = ()


@dataclass
class Section:
    """A heading with answers, paragraphs, what a person wrote, points, drawings and tables, in this order."""

    title: str
    paragraphs: list[str] = field(default_factory=list)
    items: list[str | ListItem] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)  # of numbers that tables have; not in Markdown
    tables: list[tuple[str, View]] = field(default_factory=list)  # caption, table
    quoted: str = ""  # Markdown that a person wrote
    answers: list[Statement] = field(default_factory=list)  # what the numbers say, before all else
    folded: bool = False  # an appendix: a page shows its tables when it is opened
    brief_tables: list[tuple[str, View]] = field(default_factory=list)  # what a page shows in place of them
    left_out: str = ""  # what a page leaves out of them, a sentence

    @property
    def answers_in_columns(self) -> list[Statement | VerdictColumns]:
        """The answers as pages show them, of which several verdicts of a kind are one table."""
        decided = [one for one in self.answers if not isinstance(one, VerdictSentence)]
        return [*decided, *in_columns([one for one in self.answers if isinstance(one, VerdictSentence)])]

    @property
    def quoted_html(self) -> str:
        """What a person wrote as HTML."""
        return rendered(self.quoted)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that a report has to show."""
        return not (self.answers or self.paragraphs or self.items or self.tables or self.quoted)
