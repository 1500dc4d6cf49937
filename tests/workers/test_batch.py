"""Columns of rollouts and outcomes: those that the journal's rows have, in the tables too; none is dropped or made up."""

from typing import Any

import pytest
from django.db.models import Model

from training.process.journal import LEFT_OUT, RENAMED, OutcomeRow, Record, RolloutRow
from webapp.results.models import Outcome
from webapp.telemetry.models import Rollout
from workers.batch import OUTCOME, ROLLOUT, Batch

WHERE = {  # what says where a row comes from, beside what the journal says of it
    Rollout: {"id", "attempt", "seq", "index", "step", "sampled_at"},
    Outcome: {"id", "evaluation"},
}
KINDS = [(RolloutRow, ROLLOUT, Rollout), (OutcomeRow, OUTCOME, Outcome)]


def row(kind: Any) -> dict[str, Any]:
    """A row with everything that must be there."""
    made: dict[str, Any] = dict.fromkeys(kind.__required_keys__, 0)
    return made | ({"components": {}} if "components" in made else {})


def batch(kind: Any, one: dict[str, Any]) -> list[Any]:
    """Its columns as they would be copied."""
    made = Batch()
    if kind is RolloutRow:
        made.add(Record(1, 0.0, "rollouts", {"step": 1, "rows": [one]}, 10))
        return list(made.rollouts[0][4:])
    made.add(Record(1, 0.0, "outcomes", {"evaluation": "a", "rows": [one]}, 10))
    return made.outcomes[0][1]


@pytest.mark.parametrize(("kind", "columns", "model"), KINDS)
def test_the_table_has_a_column_for_each_field_of_the_journal(
    kind: Any, columns: Any, model: type[Model]
) -> None:
    fields = {field.name for field in model._meta.concrete_fields}
    assert set(columns) == set(kind.__annotations__) == fields - WHERE[model]
    for name in kind.__optional_keys__:
        field = model._meta.get_field(name)
        assert field.null if name not in LEFT_OUT else field.default == LEFT_OUT[name], name


@pytest.mark.parametrize(("kind", "columns", "model"), KINDS)
def test_a_field_that_is_missing_or_unknown_is_refused_by_name(
    kind: Any, columns: Any, model: type[Model]
) -> None:
    whole = row(kind)
    assert len(batch(kind, whole)) == len(columns)
    for name in kind.__required_keys__:
        with pytest.raises(KeyError, match=f"{kind.__name__} without {name}"):
            batch(kind, {key: value for key, value in whole.items() if key != name})
    with pytest.raises(KeyError, match=f"{kind.__name__} has no colour"):
        batch(kind, whole | {"colour": "red"})


def test_what_may_be_left_out_is_null_or_what_the_journal_says() -> None:
    found = dict(zip(OUTCOME, batch(OutcomeRow, row(OutcomeRow)), strict=True))
    assert {name: found[name] for name in OutcomeRow.__optional_keys__} == {
        "labels": None, "steps_written": None, "steps_right": None, "answer_rule": None, "sample": 0
    }  # fmt: skip


@pytest.mark.parametrize("kind", [RolloutRow, OutcomeRow])
def test_a_field_under_its_old_name_is_read_and_under_both_refused(kind: Any) -> None:
    new = {
        name: f"its {name}" if name in RENAMED[kind].values() else value for name, value in row(kind).items()
    }
    old_of = {new_name: old for old, new_name in RENAMED[kind].items()}
    assert batch(kind, {old_of.get(name, name): value for name, value in new.items()}) == batch(kind, new)
    for old in RENAMED[kind]:
        with pytest.raises(KeyError, match=f"{kind.__name__} has no {old}"):
            batch(kind, new | {old: "its"})
