"""Exports read back by independent readers equal the database, and text in them stays text."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from tests.factories import EVALUATION_SETTINGS, add_evaluation, make_attempt, make_experiment, run_of
from tests.histories import make_history
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import stage_table
from webapp.comparison.tables import stage_tables
from webapp.files import text_formats
from webapp.files.grid import Grid
from webapp.files.number_text import p_value, points
from webapp.results.models import Outcome
from webapp.runs.models import StageRun, State

pytestmark = pytest.mark.django_db
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def table():
    return stage_table(make_history("demo-1", done=6))


def outcomes(stage, condition, seed=0):
    run = StageRun.objects.get(stage__name=stage, condition__name=condition, seed=seed)
    return {o.problem: o for o in Outcome.objects.filter(evaluation__attempt__stage_run=run)}


def test_csv_equals_the_database_to_the_digit(table):
    rows = list(csv.DictReader(io.StringIO(text_formats.csv(stage_tables.stages(table)))))
    assert len(rows) == 12
    for row in rows:
        mine = outcomes(row["stage"], row["condition"])
        theirs = outcomes(row["stage"], "baseline")
        correct = sum(o.correct for o in mine.values())
        assert int(row["correct"]) == correct
        assert int(row["problems"]) == len(mine) == 600
        assert float(row["accuracy"]) == correct / 600
        assert float(row["mean_tokens"]) == sum(o.tokens for o in mine.values()) / 600
        assert float(row["mul_tokens_per_response"]) == sum(o.mul_tokens for o in mine.values()) / 600
        if row["condition"] == "baseline":
            assert row["delta"] == row["mcnemar_p"] == row["baseline"] == ""
        else:
            gained = sum(o.correct and not theirs[p].correct for p, o in mine.items())
            lost = sum(theirs[p].correct and not o.correct for p, o in mine.items())
            assert (int(row["gained"]), int(row["lost"])) == (gained, lost)
            assert float(row["delta"]) == (gained - lost) / 600
            assert float(row["delta_low"]) <= float(row["delta"]) <= float(row["delta_high"])


def test_csv_begins_with_what_people_look_for(table):
    header = text_formats.csv(stage_tables.stages(table)).splitlines()[0].split(",")
    wanted = "correct problems accuracy wilson_low wilson_high delta delta_low delta_high mcnemar_p adjusted_p role interval_level"
    wanted += " gained lost mul_tokens_per_response repetition_rate hit_limit_rate mean_tokens"
    assert set(wanted.split()) <= set(header)


def test_json_holds_the_same_rows_as_csv(table):
    document = json.loads(text_formats.json(stage_tables.stages(table, AT)))
    flat = list(csv.DictReader(io.StringIO(text_formats.csv(stage_tables.stages(table, AT)))))
    origin = stage_tables.stages(table, AT).origin
    assert [
        {k: "" if v is None else str(v) for k, v in row.items()} | {"provenance": origin}
        for row in document["rows"]
    ] == flat
    assert document["provenance"]["Recipe"] == "demo"
    assert "not two conditions" in document["answers"][0]["limits"]


def test_an_aligned_table_has_columns_of_one_width():
    grid = Grid(["Stage", "p"], [["pretrain", ""], ["grpo", "< 0.0001"]])
    assert grid.markdown(aligned=True).splitlines() == [
        "| Stage    |        p |",
        "| :------- | -------: |",
        "| pretrain |          |",
        "| grpo     | < 0.0001 |",
    ]
    assert grid.markdown().splitlines()[1] == "| :-- | --: |"


def markdown_tables(text):
    """Cells of every table in a Markdown text, the rule line left out."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("| :--")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_markdown_shows_counts_differences_and_provenance(table):
    text = text_formats.markdown(stage_tables.stages(table, AT))
    cells = markdown_tables(text)
    grpo = next(line for line in cells if line[0] == "grpo")
    correct = sum(o.correct for o in outcomes("grpo", "mul_tokens").values())
    assert grpo[2] == f"{100 * correct / 600:.1f} % ({correct}/600)"
    assert grpo[3].startswith(("+", "-", "0"))
    assert "the 5 differences after the other stages are secondary" in text
    assert "As of: 2026-01-02 03:04 UTC" in text
    assert "Seeds: 0" in text
    assert all(len(line) == 9 for line in cells[:7])


def test_several_seeds_get_rows_of_their_own_and_a_mean():
    table = stage_table(make_history("seeds-1", done=4, seeds=(0, 1, 2)))
    rows = [row for row in stage_tables.rows(table) if row["stage"] == "words"]
    assert [row["seed"] for row in rows] == [0, 0, 1, 1, 2, 2, None, None]
    assert [row["over_seeds"] for row in rows] == [False] * 6 + [True] * 2
    deltas = [row["delta"] for row in rows if row["condition"] == "mul_tokens"]
    assert deltas[3] == pytest.approx(sum(deltas[:3]) / 3)
    assert rows[7]["mcnemar_p"] is None
    assert 0 <= rows[7]["t_p"] <= 1
    assert "words, mean" in text_formats.markdown(stage_tables.stages(table))
    assert "one paired difference a seed" in text_formats.markdown(stage_tables.stages(table))
    apart = [line[0] for line in stage_tables.stages(table).sheet.grid.lines]
    assert [name.partition(", ")[2] for name in apart] == ["seed 0", "seed 1", "seed 2", "mean"] * 4
    together = stage_tables.stages(table, together=True)
    assert {row["over_seeds"] for row in together.sheet.records()} == {True}
    assert all(line[0].endswith(", mean") for line in together.sheet.grid.lines) and together.sheet.grid.lines


HOSTILE = [
    '=HYPERLINK("x")',
    "a & b_c %",
    "<script>alert(1)</script>",
    "+1",
    "-1",
    "@x",
    "a|b\nc",
    "_x_*y*[z](q)",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(name):
    experiment = make_experiment(conditions=("baseline", name), stages=(("drills", "sft"),))
    for condition in ("baseline", name):
        attempt = make_attempt(run_of(experiment, condition, "drills"), state=State.SUCCEEDED)
        add_evaluation(attempt, [True, False])
    table = stage_table(experiment)
    row = list(csv.DictReader(io.StringIO(text_formats.csv(stage_tables.stages(table)))))[1]
    assert row["condition"].lstrip("'") == name
    assert row["condition"][0] not in "=+-@" or name in ("+1", "-1"), "a number with its sign is no formula"
    assert float(row["delta"]) == 0.0
    assert json.loads(text_formats.json(stage_tables.stages(table)))["rows"][1]["condition"] == name
    text = text_formats.markdown(stage_tables.stages(table))
    assert "<script" not in text
    assert len(markdown_tables(text)[1]) == 9
    assert "[z](q)" not in text


def test_negative_numbers_stay_numbers():
    experiment = make_experiment(stages=(("drills", "sft"),))
    for condition, right in (("baseline", 9), ("mul_tokens", 2)):
        attempt = make_attempt(run_of(experiment, condition, "drills"), state=State.SUCCEEDED)
        add_evaluation(attempt, [i < right for i in range(10)])
    assert (
        float(
            list(csv.DictReader(io.StringIO(text_formats.csv(stage_tables.stages(stage_table(experiment))))))[
                1
            ]["delta"]
        )
        == -0.7
    )


def test_a_refused_comparison_says_why_in_every_export():
    experiment = make_experiment(stages=(("drills", "sft"),))
    for condition, limit in (("baseline", 28), ("mul_tokens", 64)):
        attempt = make_attempt(run_of(experiment, condition, "drills"), state=State.SUCCEEDED)
        add_evaluation(attempt, [True] * 5, settings=EVALUATION_SETTINGS | {"max_new_tokens": limit})
    table = stage_table(experiment)
    for text in (
        text_formats.csv(stage_tables.stages(table)),
        text_formats.markdown(stage_tables.stages(table)),
        text_formats.json(stage_tables.stages(table)),
    ):
        assert "the token limit differs (28 against 64)" in text
    assert verdict_sentences(table)[0].verdict is None


def test_an_empty_experiment_exports_its_header():
    table = stage_table(make_experiment())
    assert text_formats.csv(stage_tables.stages(table)).count("\n") == 1
    assert "is not decided yet" in text_formats.markdown(stage_tables.stages(table))
    assert json.loads(text_formats.json(stage_tables.stages(table)))["rows"] == []


def test_numbers_are_written_for_people():
    assert [p_value(p) for p in (0.0000001, 0.00391, 0.1433, 1.0)] == ["< 0.0001", "0.0039", "0.143", "1.000"]
    assert [points(d) for d in (0.1172, -0.0049, -0.0001, 0.0)] == ["+11.7", "−0.5", "0.0", "0.0"]
