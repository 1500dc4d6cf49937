"""What a paper takes of an experiment, as one archive: report, tables, figures, and where all of it comes from."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import yaml
from django.template.loader import render_to_string

from webapp.experiments.models import Experiment
from webapp.files.formats import FORMATS
from webapp.files.table import Table
from webapp.files.zipped import zipped
from webapp.reports import report
from webapp.reports.drawings import PRINTED
from webapp.reports.experiment_tables import TABLES, TableChoices, build
from webapp.runs.code_versions import of_experiment
from webapp.runs.models import Attempt, Checkpoint, StageRun
from webapp.runs.origin import origin

TABLE_FORMATS = ("csv", "tex", "xlsx")
README = """{name}: {title}

report.html, report.md   the report
tables/                  each table as CSV (for programs), LaTeX (booktabs) and Excel
figures/                 the report's charts as SVG
provenance.json          code, device, seeds, data, runs and the SHA-256 of each final checkpoint's manifest
settings.yaml            the settings as they were launched
SHA256SUMS               of every file here: sha256sum -c SHA256SUMS

Written {at:%Y-%m-%d %H:%M} UTC from the experiment {name}.
"""


def bundle(experiment: Experiment) -> Iterator[bytes]:
    """The archive, part by part; a file is made when the one before was taken."""
    at = datetime.now(UTC)
    sums: list[str] = []

    def files() -> Iterator[tuple[str, bytes]]:
        for path, content in _files(experiment, at):
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
            yield f"{experiment.name}/{path}", content
        yield f"{experiment.name}/SHA256SUMS", "".join(sums).encode()

    return zipped(files(), at)


def _files(experiment: Experiment, at: datetime) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", README.format(name=experiment.name, title=experiment.title, at=at).encode()
    yield "settings.yaml", yaml.safe_dump(experiment.recipe, sort_keys=False, allow_unicode=True).encode()
    yield "provenance.json", json.dumps(provenance(experiment, at), ensure_ascii=False, indent=1).encode()
    written = report.build(experiment)
    yield "report.md", report.markdown(written).encode()
    yield "report.html", report.html(written).encode()
    styles = _printed(report.DRAWN.read_text())
    drawings = (drawing for section in written.sections for drawing in section.drawings)
    for number, drawing in enumerate(drawings, 1):
        drawn = render_to_string("results/drawing_file.svg", {"drawing": drawing, "styles": styles})
        yield f"figures/{number:02}-{_file_name(drawing.title)}.svg", drawn.strip().encode()
    for what in TABLES:
        made = _table(experiment, what)
        if made is not None:
            for format in TABLE_FORMATS:
                yield f"tables/{what}.{format}", FORMATS[format].content(made)


def _table(experiment: Experiment, what: str) -> Table | None:
    """One of its tables; None where it has no such table, or nothing is in it."""
    try:
        made = build(what, TableChoices(experiment))
    except ValueError:  # as of the diagnosis of published counts
        return None
    return made if any(sheet.rows for sheet in made.sheets) else None


def _printed(styles: str) -> str:
    """With colours for what knows no variables, as programs that draw for LaTeX."""
    for place, colour in enumerate(PRINTED):
        styles = styles.replace(f"var(--condition-{place})", colour)
    return styles


def _file_name(title: str) -> str:
    kept = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    return "-".join(part for part in kept.split("-") if part)[:60] or "figure"


def provenance(experiment: Experiment, at: datetime) -> dict[str, object]:
    """Where the numbers come from, and every run with what computed it and what it left."""
    versions = of_experiment(experiment)
    runs = StageRun.objects.filter(experiment=experiment).select_related("condition", "stage").defer("spec")
    final = Checkpoint.objects.filter(attempt__stage_run__experiment=experiment, final=True).order_by("pk")
    left = {
        run: {"step": step, "bytes": size, "manifest_sha256": digest}
        for run, step, size, digest in final.values_list(
            "attempt__stage_run", "step", "bytes", "manifest_sha256"
        )
    }
    learnt = Attempt.objects.filter(stage_run__experiment=experiment, data__isnull=False).order_by("number")
    data = dict(learnt.values_list("stage_run", "data"))
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "prediction": experiment.prediction,
        "recipe": experiment.recipe_name,
        "launched": experiment.created_at.isoformat(timespec="seconds"),
        "origin": experiment.origin_note,
        "code_version": versions.text,
        "seeds": experiment.seeds,
        "alpha": experiment.alpha,
        "written": at.isoformat(timespec="seconds"),
        "facts": origin(experiment, at=at),
        "runs": [
            {
                "condition": run.condition.name,
                "stage": run.stage.name,
                "seed": run.seed,
                "state": run.state,
                "identity_sha256": run.identity,
                "reused_from": run.reused_note,
                "code_version": versions.of_run(run.pk),
                "data": data.get(run.pk),
                "checkpoint": left.get(run.pk),
            }
            for run in runs
        ],
    }
