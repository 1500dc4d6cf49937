"""The archive for a paper: whole, checked by its own sums, and of what the experiment has."""

import hashlib
import io
import json
import re
import zipfile
from xml.etree import ElementTree

import pytest
import yaml

from tests import factories, histories
from webapp.reports.bundle import bundle
from webapp.results import imports, published

pytestmark = pytest.mark.django_db


def test_the_bundle_holds_report_tables_figures_and_provenance() -> None:
    experiment = histories.make_history("demo-1", done=6)
    parts = list(bundle(experiment))
    assert len(parts) > 10, "sent while it is made"
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        files = {name.removeprefix("demo-1/"): archive.read(name) for name in archive.namelist()}
    sums = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert {"README.txt", "report.md", "report.html", "settings.yaml", "provenance.json"} <= set(files)
    assert {f"tables/stages.{end}" for end in ("csv", "tex", "xlsx")} <= set(files)
    assert yaml.safe_load(files["settings.yaml"]) == experiment.recipe
    told = json.loads(files["provenance.json"])
    assert told["seeds"] == [0]
    assert len(told["runs"]) == 12
    assert all(len(one["checkpoint"]["manifest_sha256"]) == 64 for one in told["runs"])
    figures = [name for name in files if name.startswith("figures/")]
    assert figures and all(re.fullmatch(r"figures/\d\d-[\w-]+\.svg", name) for name in figures)
    for name in figures:
        drawn = ElementTree.fromstring(files[name])
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert b"var(" not in files[name], "programs that draw for LaTeX know no variables"


def test_the_bundle_of_published_counts_has_what_there_is() -> None:
    done = imports.import_history(publication=published.read("phase_1_to_6"), owner=factories.make_user())
    name = done.experiment.name
    with zipfile.ZipFile(io.BytesIO(b"".join(bundle(done.experiment)))) as archive:
        assert f"{name}/tables/stages.csv" in archive.namelist()
