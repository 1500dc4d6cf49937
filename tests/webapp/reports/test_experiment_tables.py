"""LaTeX, Excel and Parquet of the stage table: independent readers find the database's numbers, and text stays text."""

import io
import json
import re
import unicodedata
from datetime import UTC, datetime
from xml.etree import ElementTree
from zipfile import ZipFile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.factories import BENCHMARK, add_evaluation, add_samples, make_attempt, make_experiment, run_of
from tests.histories import make_history
from tests.typeset import INSTALLED, typeset
from tests.webapp.comparison.tables.test_stage_tables import HOSTILE
from webapp.comparison.table import stage_table
from webapp.comparison.tables import stage_tables
from webapp.comparison.tables.stage_sheets import stage_sheet
from webapp.files import latex
from webapp.files.excel import workbook
from webapp.files.formats import FORMATS
from webapp.files.parquet import parquet
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HOSTILE = [*HOSTILE, r"\input{x} $x^2$ #~ -- ?` ,, ''", "Škoda naïve ß 漢 α−β…", "*", "[1]"]


@pytest.fixture
def table():
    return stage_table(make_history("demo-1", done=6))


def hostile_table(name):
    experiment = make_experiment(conditions=("baseline", name), stages=(("drills", "sft"),))
    for condition, right in (("baseline", 2), (name, 1)):
        attempt = make_attempt(run_of(experiment, condition, "drills"), state=State.SUCCEEDED)
        add_evaluation(attempt, [i < right for i in range(3)])
    return stage_table(experiment)


def sheet_rows(written, title="Stage table"):
    sheet = openpyxl.load_workbook(io.BytesIO(written))[title]
    header, *lines = sheet.iter_rows()
    return [{top.value: cell.value for top, cell in zip(header, line, strict=True)} for line in lines]


def test_the_workbook_holds_the_rows_to_the_digit(table):
    wanted = stage_tables.rows(table, AT)
    written = workbook(stage_tables.stages(table, AT))
    assert sheet_rows(written) == [
        {k: v.isoformat() if isinstance(v, datetime) else None if v == "" else v for k, v in row.items()}
        for row in wanted
    ]
    assert {row["what"]: row["says"] for row in sheet_rows(written, "Provenance")}["Recipe"] == "demo"
    with ZipFile(io.BytesIO(written)) as archive:  # 17 digits, without openpyxl in between
        cells = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml")).findall(".//{*}c")
        numbers = [float(cell.findtext("{*}v")) for cell in cells if cell.get("t") == "n"]
    assert numbers == [
        value
        for row in wanted
        for value in row.values()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def test_parquet_holds_the_rows_typed_and_says_where_they_come_from(table):
    found = pq.read_table(pa.BufferReader(parquet(stage_tables.stages(table, AT))))
    wanted = stage_tables.rows(table, AT)
    rows = found.to_pylist()
    assert rows == wanted
    assert {row["exported_at"] for row in rows} == {AT}
    types = {field.name: str(field.type) for field in found.schema}
    assert [types[name] for name in ("condition", "correct", "accuracy", "seed")] == [
        "string",
        "int64",
        "double",
        "int64",
    ]
    assert json.loads(found.schema.metadata[b"provenance"]) == stage_tables.provenance(table, AT)


def test_the_mean_over_seeds_is_marked_where_seeds_are_numbers():
    table = stage_table(make_history("seeds-1", done=4, seeds=(0, 1, 2)))
    rows = pq.read_table(pa.BufferReader(parquet(stage_tables.stages(table)))).to_pylist()
    means = [row for row in rows if row["over_seeds"]]
    wanted = [row for row in stage_tables.rows(table) if row["over_seeds"]]
    assert [row["delta"] for row in means] == [row["delta"] for row in wanted]
    assert len(means) == 8 and {row["seed"] for row in means} == {None}
    assert sum(row["over_seeds"] for row in sheet_rows(workbook(stage_tables.stages(table)))) == 8


def test_samples_have_a_sheet_and_a_table():
    experiment = make_experiment(stages=(("drills", "sft"),))
    for condition in ("baseline", "mul_tokens"):
        run = run_of(experiment, condition, "drills")
        run.spec["benchmarks"] = [{"benchmark": BENCHMARK, "problems": 2, "samples": 2}]
        run.save()
        attempt = make_attempt(run, state=State.SUCCEEDED)
        add_samples(add_evaluation(attempt, [True, False]), [[True, False], [False, False]])
    table = stage_table(experiment)
    assert [row["pass_at_k"] for row in sheet_rows(workbook(stage_tables.stages(table)), "pass@k")] == [
        0.25,
        0.5,
    ] * 2
    assert r"\caption{pass@k on one\_step\_multiplication, demo-1.}" in latex.latex(
        stage_tables.stages(table)
    )


def on_one_line(text):
    return text.replace("\n", " ")


def latex_cells(text):
    """The cells of every tabular, read back by rules of their own; refuses what does not balance."""
    check_structure(text)
    found = re.findall(r"\\toprule\n(.*?)\\midrule\n(.*?)\\bottomrule", text, re.DOTALL)
    return [
        [
            [shown(cell.strip()) for cell in re.split(r"(?<!\\)&", line)]
            for line in "".join(parts).strip().removesuffix(r"\\").split("\\\\\n")
        ]
        for parts in found
    ]


def shown(source):
    """What LaTeX would set for the source of a cell."""
    marks = {"\\v": "\u030c", '\\"': "\u0308"}
    source = re.sub(r'(\\v|\\")\{(\w)\}', lambda found: found[2] + marks[found[1]], source)
    source = re.sub(r"\\symbol\{(\d+)\}", lambda found: chr(int(found[1])), source)
    commands = {
        "textbackslash": "\0", "textasciicircum": "^", "textasciitilde": "\1", "textless": "<", "textgreater": ">",
        "textbar": "|", "ldots": "…", "ss": "ß",
    }  # fmt: skip
    for command, sign in commands.items():
        source = source.replace(f"\\{command}{{}}", sign)
    for command, sign in {
        "$-$": "−",
        r"$\alpha$": "α",
        r"$\beta$": "β",
        r"$\Delta$": "Δ",
        "U+6F22": "漢",
    }.items():
        source = source.replace(command, sign)
    source = re.sub(r"(?<=[-,'])\{\}(?=[-,'])", "", source)
    source = source.replace("{*}", "*").replace("{[}", "[").replace("{]}", "]").replace("~", "\u00a0")
    source = re.sub(r"\\([&%$#_{}])", r"\1", source)
    return unicodedata.normalize("NFC", source).replace("\0", "\\").replace("\1", "~")


def check_structure(text):
    """Braces balance, environments nest, every row has as many cells, no bare special character is left."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", body):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        assert kind == "begin" or opened.pop() == name
        opened += [name] * (kind == "begin")
    assert opened == [] and body.isascii()
    assert not re.search(r"(?<!\\)[#^\"]", re.sub(r'\\"', "", body))
    assert len(re.findall(r"(?<!\\)\$", body)) % 2 == 0


def test_latex_shows_the_table_as_people_read_it(table):
    text = latex.latex(stage_tables.stages(table, AT))
    grid = stage_sheet(table).grid
    assert latex_cells(text)[0] == [grid.header, *grid.lines]
    for label, value in stage_tables.provenance(table, AT).items():
        assert f"% {label}: {value}\n" in text
        assert shown(latex.escaped(f"{label}: {value}")) == f"{label}: {value}"
        assert latex.escaped(f"{label}: {value}") in text.split(r"\footnotesize")[1]
    assert r"\label{tab:demo-1-one-step-multiplication-stages}" in text


@pytest.mark.slow
def test_latex_compiles(tmp_path):
    """Where pdflatex is installed; what it compiles is checked for its structure everywhere."""
    tables = [
        latex.latex(stage_tables.stages(hostile_table_named(name, number)))
        for number, name in enumerate(HOSTILE)
    ]
    tables.append(
        latex.latex(stage_tables.stages(stage_table(make_history("seeds-1", done=4, seeds=(0, 1)))))
    )
    for text in tables:
        check_structure(text)
    if not INSTALLED:
        pytest.skip("no pdflatex here: only the structure was checked")
    for encoding in ("OT1", "T1"):
        typeset(tables, tmp_path, encoding)


def hostile_table_named(name, number):
    experiment = make_experiment(
        f"hostile-{number}", conditions=("baseline", name), stages=(("drills", "sft"),)
    )
    for condition in ("baseline", name):
        add_evaluation(make_attempt(run_of(experiment, condition, "drills"), state=State.SUCCEEDED), [True])
    return stage_table(experiment)


def test_every_format_is_downloaded_with_the_pages_choices(client, table):
    client.force_login(table.experiment.owner)
    page = client.get("/experiments/demo-1/comparison/?metric=hit_limit_rate").content.decode()
    for format, kind in FORMATS.items():
        address = f"/experiments/demo-1/table.{format}?metric=hit_limit_rate"
        assert f'href="{address}"' in page
        answer = client.get(address)
        assert answer.headers["Content-Type"] == kind.content_type
        assert answer.headers["Content-Disposition"].endswith(f'one_step_multiplication.{format}"')
        if format == "xlsx":
            assert {row["metric"] for row in sheet_rows(answer.content)} == {"hit_limit_rate"}
    assert client.get("/experiments/demo-1/table.doc").status_code == 404


def test_an_empty_experiment_has_an_empty_table():
    table = stage_table(make_experiment())
    assert sheet_rows(workbook(stage_tables.stages(table))) == []
    assert pq.read_table(pa.BufferReader(parquet(stage_tables.stages(table)))).num_rows == 0
    check_structure(latex.latex(stage_tables.stages(table)))
