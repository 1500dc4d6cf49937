"""What training records of each rollout and outcome is in the files too: the journal's rows are the one list of columns."""

from typing import NotRequired, TypedDict

import pytest

from training.process.journal import OutcomeRow, RolloutRow
from webapp.files.column_kinds import KIND_OF, kinds_of
from webapp.results import outcome_files
from webapp.results.models import Outcome
from webapp.telemetry import rollout_files
from webapp.telemetry.models import Rollout


@pytest.mark.parametrize(
    ("files", "row", "model", "where"),
    [
        (rollout_files, RolloutRow, Rollout, {"id", "attempt"}),
        (outcome_files, OutcomeRow, Outcome, {"id", "evaluation"}),
    ],
)
def test_a_file_has_every_column_of_the_table_and_of_the_journal(files, row, model, where):
    assert files.RECORDED.keys() == {field.name for field in model._meta.concrete_fields} - where
    assert files.RECORDED.keys() >= set(row.__annotations__)
    assert set(files.RECORDED.values()) <= {*KIND_OF.values(), "time"}


def test_the_kind_of_a_column_follows_from_its_type():
    class Row(TypedDict):
        """A row."""

        text: str
        maybe: str | None
        by_name: dict[str, float]
        left_out: NotRequired[list[float]]

    assert kinds_of(Row) == {"text": "text", "maybe": "text", "by_name": "numbers", "left_out": "figures"}


def test_a_type_that_no_kind_of_column_holds_is_refused_by_name():
    class Row(TypedDict):
        """A row."""

        moments: list[bytes]

    with pytest.raises(TypeError, match=r"Row.moments is list\[bytes\], which no kind of column holds"):
        kinds_of(Row)
