"""Every table in every format: independent readers find its rows to the digit, people its grid, and text stays text.

The cases are those of the registries, so a new table or a new format is held to the same.
"""

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from xml.etree import ElementTree
from zipfile import ZipFile

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.test import Client
from markdown_it import MarkdownIt
from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, get_default_latex_context_db
from pylatexenc.latexwalker import LatexWalker, get_default_latex_context_db as walker_db
from pylatexenc.macrospec import LatexContextDb, MacroSpec

from tests import factories, histories
from tests.doses import kept_examples
from tests.typeset import INSTALLED, typeset
from tests.webapp.reports.test_experiment_tables import HOSTILE
from webapp.comparison.checkpoints import MOST, across
from webapp.comparison.tables import checkpoint_tables
from webapp.experiments.models import Experiment
from webapp.files.formats import FORMATS
from webapp.files.grid import Grid
from webapp.files.long_tables import would_be_computed
from webapp.files.number_text import plain
from webapp.files.table import Table
from webapp.pages.experiments import files
from webapp.reports.experiment_tables import TABLES, TableChoices, build
from webapp.runs.models import StageRun, State
from webapp.telemetry.series import series

pytestmark = pytest.mark.django_db

EVERY = [*TABLES, "experiments", "checkpoints"]
NAMES = ('=HYPERLINK("x")', "a & b_c %", "<script>")
OTHERS = [name for name in HOSTILE if name not in NAMES]


def recorded(*others: str, name: str = "demo-1", seeds: Sequence[int] = (0, 1)) -> Experiment:
    """Seeds of these and baseline, an SFT and a GRPO stage, samples to each problem, and something to find."""
    experiment = factories.make_experiment(
        name, conditions=("baseline", *others), stages=(("instruct", "sft"), ("grpo", "grpo")), seeds=seeds
    )
    for run in StageRun.objects.filter(experiment=experiment).select_related("stage", "condition"):
        run.spec["benchmarks"] = [{"benchmark": factories.BENCHMARK, "problems": 6, "samples": 2}]
        run.identity = f"{run.pk:064x}"
        run.save()
        examples = kept_examples(mul_tokens=run.condition.position)
        attempt = factories.make_attempt(run, state=State.SUCCEEDED, examples=examples)
        if run.stage.kind == "grpo":
            histories.train(attempt, "grpo", steps=40, seed=run.seed)
            attempt.metrics.filter(name="hit_limit").delete()
            factories.add_metrics(attempt, {"hit_limit": [0.02] * 10 + [0.6 + run.seed / 30] * 30})
        right = [i < 3 + run.condition.position + run.seed for i in range(6)]
        evaluation = factories.add_evaluation(
            attempt, right, mul_tokens=1, labels=lambda i: ["new_pair" if i % 2 else "known_pair"]
        )
        factories.add_samples(evaluation, [[i < 2, i < 4] for i in range(6)])
    return experiment


def made(what: str, experiment: Experiment) -> Table:
    if what == "experiments":
        return files.experiments(Experiment.objects.all())
    if what == "checkpoints":
        runs = experiment.runs.order_by("-stage__position", "-seed", "condition__position")[:MOST]
        return checkpoint_tables.checkpoints(across([(experiment.name, str(run.pk)) for run in runs]))
    return build(what, TableChoices(experiment))


@pytest.fixture
def experiment() -> Experiment:
    return recorded("mul_tokens")


# A reader for each format: what a program finds in it


def of_csv(content: bytes, table: Table) -> list[dict[str, object]]:
    found = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert {row.pop("provenance") for row in found} == {table.origin}
    return [
        {column.name: typed(row[column.name], column.kind) for column in table.sheet.columns} for row in found
    ]


def typed(text: str, kind: str) -> object:
    if text == "":
        return None
    if kind == "text" and text.startswith("'") and would_be_computed(text[1:]):
        return text[1:]
    read = {
        "integer": int,
        "number": float,
        "truth": lambda word: word == "True",
        "time": datetime.fromisoformat,
    }
    return read.get(kind, str)(text)


def of_json(content: bytes, table: Table) -> list[dict[str, object]]:
    document = json.loads(content)
    assert document["provenance"] == dict(table.provenance)
    assert [document[sheet.name] for sheet in table.more] == [
        as_json(sheet.records()) for sheet in table.more
    ]
    times = [column.name for column in table.sheet.columns if column.kind == "time"]
    return [
        row | {name: datetime.fromisoformat(row[name]) for name in times if row[name]}
        for row in document["rows"]
    ]


def as_json(records: list[dict[str, object]]) -> list[dict[str, object]]:
    return json.loads(json.dumps(records, default=datetime.isoformat))  # type: ignore[no-any-return]


def of_xlsx(content: bytes, table: Table) -> list[dict[str, object]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert {cell.data_type for sheet in book for line in sheet.iter_rows() for cell in line} <= {
        "s",
        "n",
        "b",
    }
    assert {
        row[0].value: row[1].value for row in book["Provenance"].iter_rows()
    }.items() >= table.provenance.items()
    header, *lines = book[table.sheet.title].iter_rows()
    assert [cell.value for cell in header] == [column.name for column in table.sheet.columns]
    for cell in (cell for line in lines for cell in line if cell.data_type == "s"):
        assert cell.quotePrefix == would_be_computed(cell.value)
    exact = iter(seventeen_digits(content))
    rows = [
        [next(exact) if cell.data_type == "n" and cell.value is not None else cell.value for cell in line]
        for line in lines
    ]
    return [
        {
            column.name: datetime.fromisoformat(value) if column.kind == "time" and value else value
            for column, value in zip(table.sheet.columns, row, strict=True)
        }
        for row in rows
    ]


def seventeen_digits(content: bytes) -> list[float]:
    """The numbers of the first sheet without openpyxl in between, which keeps sixteen."""
    with ZipFile(io.BytesIO(content)) as archive:
        cells = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml")).findall(".//{*}c")
    return [
        float(cell.findtext("{*}v") or "")
        for cell in cells
        if cell.get("t") == "n" and cell.find("{*}v") is not None
    ]


def of_parquet(content: bytes, table: Table) -> list[dict[str, object]]:
    found = pq.read_table(pa.BufferReader(content))
    assert json.loads(found.schema.metadata[b"provenance"]) == dict(table.provenance)
    return found.to_pylist()  # type: ignore[no-any-return]


# and what people find in those that are to be read


def of_md(content: bytes, table: Table) -> list[list[list[str]]]:
    html = MarkdownIt("commonmark").enable("table").render(content.decode())
    root = ElementTree.fromstring(f"<x>{html}</x>")
    assert not root.findall(".//script") and not root.findall(".//a")
    said = on_one_line("".join(root.itertext()))
    assert all(on_one_line(plain(f"{label}: {text}")) in said for label, text in table.provenance.items())
    return [
        [
            ["".join(cell.itertext()) for cell in row]
            for row in (*one.findall("thead/tr"), *one.findall("tbody/tr"))
        ]
        for one in root.findall(".//table")
    ]


def of_tex(content: bytes, table: Table) -> list[list[list[str]]]:
    source = content.decode()
    said = on_one_line(set_by_latex(source))
    for label, text in table.provenance.items():
        assert read_from_latex(on_one_line(f"{label}: {text}")) in said
    bodies = re.findall(r"\\toprule\n(.*?)\\bottomrule", source, re.DOTALL)
    return [
        [
            [set_by_latex(cell).strip() for cell in re.split(r"(?<!\\)&", line)]
            for line in body.replace("\\midrule\n", "").strip().removesuffix(r"\\").split("\\\\\n")
        ]
        for body in bodies
    ]


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def read_from_latex(text: str) -> str:
    """Text as the parser gives it back: signs of its own for three of LaTeX's, and the code point of a rare letter."""
    return text.translate({ord("−"): "-", ord("^"): "ˆ", ord("’"): "'", ord("漢"): "U+6F22"})


SYMBOL = MacroTextSpec(
    "symbol", lambda node, l2tobj: chr(int(l2tobj.nodelist_to_text(node.nodeargd.argnlist)))
)
WORDS = {"textless": "<", "textgreater": ">", "textbar": "|", "textasciitilde": "~", "ldots": "…"}


@cache
def contexts() -> tuple[LatexContextDb, LatexContextDb]:
    """The macros that are read, and what they print: hundreds, so they are put together once."""
    read, write = walker_db(), get_default_latex_context_db()
    read.add_context_category("ours", macros=[MacroSpec("symbol", "{")], prepend=True)
    words = [MacroTextSpec(name, text) for name, text in WORDS.items()]
    write.add_context_category("ours", macros=[SYMBOL, *words], prepend=True)
    return read, write


def set_by_latex(source: str) -> str:
    """What LaTeX would print, by pylatexenc, an independent parser; it refuses what does not balance."""
    read, write = contexts()
    nodes, _, _ = LatexWalker(source, latex_context=read, tolerant_parsing=False).get_latex_nodes()
    text = LatexNodes2Text(latex_context=write, math_mode="text", strict_latex_spaces=True).nodelist_to_text(
        nodes
    )
    return text.replace("\u2009", "\u202f")


MACHINES = {"csv": of_csv, "json": of_json, "xlsx": of_xlsx, "parquet": of_parquet}
PEOPLE = {"md": of_md, "tex": of_tex}


def test_every_format_has_its_reader() -> None:
    assert set(FORMATS) == {*MACHINES, *PEOPLE}


@pytest.mark.parametrize("what", EVERY)
def test_programs_find_every_row_to_the_digit(what: str, experiment: Experiment) -> None:
    table = made(what, experiment)
    wanted = without_empty_texts(table.sheet.records())
    assert wanted, "nothing to compare"
    for format, read in MACHINES.items():
        assert without_empty_texts(read(FORMATS[format].content(table), table)) == wanted, format


def without_empty_texts(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: None if value == "" else value for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("what", EVERY)
def test_people_find_the_grid_that_the_page_shows(what: str, experiment: Experiment) -> None:
    table = made(what, experiment)
    for format, read in PEOPLE.items():
        written = plain if format == "md" else read_from_latex
        wanted = [cells(sheet.grid, written) for sheet in table.sheets if sheet.rows]
        assert read(FORMATS[format].content(table), table) == wanted, format


def cells(grid: Grid, written: Callable[[str], str]) -> list[list[str]]:
    return [[" ".join(written(text).split("\n")) for text in line] for line in (grid.header, *grid.lines)]


@pytest.mark.slow
@pytest.mark.parametrize("names", [NAMES, OTHERS[:5], OTHERS[5:]])
def test_a_conditions_name_stays_text(names: Sequence[str]) -> None:
    experiment = recorded(*names, seeds=(0,))
    for table in (made(what, experiment) for what in EVERY):
        for format in MACHINES:
            content = FORMATS[format].content(table)
            found = {row["condition"] for row in MACHINES[format](content, table)}
            assert found >= {*names}, (table.name, format)
        for line in csv.reader(io.StringIO(FORMATS["csv"].content(table).decode(), newline="")):
            computed = [cell for cell in line if cell.startswith(("=", "@", "+"))]
            assert all(re.fullmatch(r"[+][\d.]+( %)?", cell) for cell in computed)
        for format, written in (("md", plain), ("tex", read_from_latex)):
            found = PEOPLE[format](FORMATS[format].content(table), table)
            shown = [text for sheet in found for line in sheet for text in line]
            for name in names:
                assert any(on_one_line(written(name)) in text for text in shown), (table.name, format, name)


@pytest.mark.parametrize("encoding", ["OT1", "T1"])
def test_latex_compiles_and_shows_the_names(encoding: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    if not INSTALLED:
        pytest.skip("no pdflatex here; its structure is read by an independent parser in the other tests")
    parts = []
    for number, name in enumerate(NAMES, 1):
        experiment = recorded(name, name=f"demo-{number}")
        parts += [FORMATS["tex"].content(made(what, experiment)).decode() for what in TABLES]
    parts.append(FORMATS["tex"].content(made("experiments", experiment)).decode())
    printed = typeset(parts, tmp_path, encoding)
    if encoding == "T1" and shutil.which("pdftotext"):  # OT1 draws _ as a rule, which is no letter
        read = subprocess.run(["pdftotext", printed, "-"], capture_output=True, check=True)
        text = read.stdout.decode().replace("”", '"').replace("’’", '"')
        for name in NAMES:
            assert name in text


def test_dynamics_are_those_of_the_points(experiment: Experiment) -> None:
    rows = made("dynamics", experiment).sheet.records()
    assert len(rows) == 4 * (10 + 4), "metrics, and the components of the reward"
    for row in rows:
        points = series([row["run"]], [row["metric"]])[row["run"], row["metric"]]
        assert (row["points"], row["first_step"], row["last_step"]) == (40, 1, 40)
        assert row["start"] == np.mean(points.values[:4]) and row["end"] == np.mean(points.values[-4:])


def test_a_table_of_one_run_holds_that_run(client: Client, experiment: Experiment) -> None:
    client.force_login(experiment.owner)
    run = factories.run_of(experiment, "mul_tokens", "grpo", 1)
    for what in ("dynamics", "findings"):
        answer = client.get(f"/experiments/demo-1/tables/{what}.json?run={run.pk}")
        assert {row["run"] for row in answer.json()["rows"]} == {run.pk}
        assert answer.headers["Content-Disposition"].endswith(f'"demo-1-run-{run.pk}-{what}.json"')
    assert client.get("/experiments/demo-1/tables/findings.csv?run=0").status_code == 400
    assert client.get("/experiments/demo-1/tables/findings.csv?run=x").status_code == 400
    answer = client.get(f"/experiments/demo-1/tables/findings.csv?run={'9' * 5000}")
    assert answer.status_code == 400 and answer.content.startswith(b"demo-1 has no run 999")
    assert client.get("/experiments/demo-1/tables/nothing.csv").status_code == 404
    assert client.get("/experiments/demo-1/tables/findings.doc").status_code == 404
    assert client.get("/experiments.doc").status_code == 404


@pytest.mark.slow
def test_every_menu_of_the_pages_leads_to_its_files(client: Client, experiment: Experiment) -> None:
    client.force_login(experiment.owner)
    run = factories.run_of(experiment, "mul_tokens", "grpo", 1)
    pages = ("/experiments/", "/experiments/demo-1/comparison/?metric=hit_limit_rate", "/experiments/demo-1/findings/",
             "/experiments/demo-1/report/", f"/runs/{run.pk}/", f"/runs/{run.pk}/findings/", f"/runs/{run.pk}/dynamics/",
             f"/runs/{run.pk}/rollouts/", f"/evaluations/{run.attempts.get().evaluations.get().pk}/")  # fmt: skip
    addresses = {
        found.replace("&amp;", "&")
        for page in pages
        for found in re.findall(r'<li><a href="([^"]+)" download>', client.get(page).content.decode())
    }
    assert len(addresses) >= 5 * 6 + 2 * 6 + 3 * 3
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "attachment" in answer.headers["Content-Disposition"]


def test_the_day_is_the_files_own(experiment: Experiment) -> None:
    table = made("findings", experiment)
    assert table.provenance["As of"].startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    assert "grpo of mul_tokens, seed 1 " in table.provenance["Data and settings (SHA-256)"]
