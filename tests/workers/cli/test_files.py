"""`mulberry table` and `mulberry export`: the format follows the file's name, and a file is whole or not there."""

import csv
import io
import json

import openpyxl
import pyarrow.parquet as pq
import pytest

from tests.factories import add_rollouts, make_attempt, run_of
from tests.histories import make_history
from webapp.files import long_tables
from webapp.results.models import Outcome
from webapp.telemetry.models import Rollout
from workers.cli.main import main

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment():
    return make_history("demo-1", done=1)


def test_a_table_is_written_as_its_name_says(experiment, tmp_path):
    for format in ("csv", "md", "tex", "xlsx", "parquet", "json"):
        assert main(["table", "demo-1", "-o", str(tmp_path / f"table.{format}")]) == 0
    accuracies = [row["accuracy"] for row in json.loads((tmp_path / "table.json").read_text())["rows"]]
    assert pq.read_table(tmp_path / "table.parquet").column("accuracy").to_pylist() == accuracies
    sheet = openpyxl.load_workbook(tmp_path / "table.xlsx")["Stage table"]
    assert [row[14].value for row in sheet.iter_rows(min_row=2)] == accuracies
    assert (tmp_path / "table.tex").read_text().startswith(r"% Needs \usepackage{array,booktabs")
    assert main(["table", "demo-1", "--format", "csv", "-o", str(tmp_path / "table.txt")]) == 0
    assert (tmp_path / "table.txt").read_text().startswith("experiment,recipe,")


def test_a_table_and_the_report_are_restricted_to_some_problems(experiment, capsys):
    assert main(["table", "demo-1", "--problems", "first:100"]) == 0
    assert capsys.readouterr().out.startswith(
        "## Accuracy on one_step_multiplication, the first 100 problems, demo-1"
    )
    assert main(["report", "demo-1", "--problems", "first:100"]) == 0
    assert "0.0 % (0/100)" in capsys.readouterr().out
    assert main(["table", "demo-1", "--problems", "first:700"]) != 0
    assert "has only 600 of the 700 problems of first:700; choose fewer" in capsys.readouterr().err


def test_a_table_is_printed_without_a_file(experiment, capsysbinary):
    assert main(["table", "demo-1"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"## Accuracy")
    assert main(["table", "demo-1", "--format", "xlsx"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"PK")


def test_outcomes_and_rollouts_are_exported_whole(experiment, tmp_path, capsysbinary):
    run = run_of(experiment, "mul_tokens", "grpo")
    add_rollouts(make_attempt(run), count=16)
    assert main(["export", "demo-1", "-o", str(tmp_path / "all.parquet")]) == 0
    found = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert len(found) == Outcome.objects.count() == 1_200
    assert sum(row["correct"] for row in found) == Outcome.objects.filter(correct=True).count()
    assert main(["export", "demo-1", "--what", "rollouts"]) == 0
    printed = list(csv.DictReader(io.StringIO(capsysbinary.readouterr().out.decode(), newline="")))
    assert [float(row["reward"]) for row in printed] == list(
        Rollout.objects.order_by("index").values_list("reward", flat=True)
    )
    other = run_of(experiment, "baseline", "pretrain").pk
    assert main(["export", "demo-1", "--run", str(other), "--format", "jsonl"]) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert len(lines) == 600 and {json.loads(line)["condition"] for line in lines} == {"baseline"}


def test_what_cannot_be_written_is_said_in_one_line(experiment, tmp_path, capsys, monkeypatch):
    def said(*arguments):
        assert main(arguments) == 1
        return capsys.readouterr().err

    assert "did you mean 'demo-1'" in said("export", "demo-2")
    assert "did you mean 'one_step_multiplication'" in said(
        "export", "demo-1", "--benchmark", "one_step_multiplicaton"
    )
    assert "demo-1 has no run 0" in said("export", "demo-1", "--run", "0")
    assert "No such file or directory" in said("table", "demo-1", "-o", str(tmp_path / "none" / "x.csv"))

    def broken(table):
        yield b"a beginning"
        raise ValueError("the database is gone")

    monkeypatch.setitem(long_tables.FORMATS, "csv", long_tables.FORMATS["csv"]._replace(write=broken))
    assert "the database is gone" in said("export", "demo-1", "-o", str(tmp_path / "half.csv"))
    assert list(tmp_path.iterdir()) == []
