"""Checkpoints of several experiments, each compared with the first, as a table that becomes a file."""

from datetime import UTC, datetime

from webapp.comparison.checkpoints import Across, Pick
from webapp.comparison.comparisons import Compared
from webapp.comparison.exports import COLUMNS, cell_values, comparison_values
from webapp.comparison.grids import accuracy, compared
from webapp.files.grid import Grid
from webapp.files.table import Column, Sheet, Table, Value, columns

OF_CHECKPOINTS = {
    name: COLUMNS[name]
    for name in (
        "experiment", "recipe", "code_version", "benchmark", "problems_sha256", "metric", "stage", "condition", "seed",
        "correct", "problems", "accuracy", "wilson_low", "wilson_high", "delta", "delta_low", "delta_high", "pairing",
        "mcnemar_p", "fisher_p", "holm_p", "gained", "lost", "verdict", "refused", "imported", "exported_at",
    )
}  # fmt: skip
HEADER = ["Checkpoint", "Accuracy", "Δ points", "95 % interval", "p", "Holm p", "gained / lost", "verdict"]


def checkpoints(found: Across, at: datetime | None = None) -> Table:
    """One row a checkpoint, those after the first with their comparison; and in what their settings differ."""
    pairs = list(zip(found.picks, found.comparisons, strict=True))
    moment = (at or datetime.now(UTC)).replace(microsecond=0)
    lines = [
        [pick.name, accuracy(pick.cell, found.digits), *(compared(one, found) if place else [""] * 6)]
        for place, (pick, one) in enumerate(pairs)
    ]
    grid = Grid(HEADER, lines, words=(len(HEADER) - 1,))
    rows = [tuple(_row(found, pick, one, moment).values()) for pick, one in pairs]
    return Table(
        f"checkpoints-on-{found.benchmark}",
        "Checkpoints compared",
        f"on {found.benchmark}, each with the first",
        Sheet("checkpoints", "Checkpoints", columns(OF_CHECKPOINTS), rows, grid),
        _provenance(found, moment),
        more=[_differences(found)] if found.differences else [],
    )


def _row(found: Across, pick: Pick, one: Compared | None, at: datetime) -> dict[str, Value]:
    run, experiment = pick.run, pick.experiment
    its: dict[str, Value] = cell_values(pick.cell) if pick.cell.complete else {}
    values = (
        its
        | comparison_values(one)
        | {
            "experiment": experiment.name,
            "recipe": experiment.recipe_name,
            "code_version": experiment.code_version,
            "benchmark": found.benchmark,
            "metric": found.metric.name,
            "stage": run.stage.name,
            "condition": run.condition.name,
            "seed": run.seed,
            "imported": "counts only" if experiment.imported else None,
            "exported_at": at,
        }
    )
    return {name: values.get(name) for name in OF_CHECKPOINTS}


def _differences(found: Across) -> Sheet:
    """A row a setting, a column a checkpoint."""
    names = [Column("setting", "text", "Setting")]
    names += [Column(f"checkpoint_{place}", "text", pick.name) for place, pick in enumerate(found.picks, 1)]
    rows = [(one.name, *one.values) for one in found.differences]
    return Sheet("differences", "In what their settings differ", names, rows)


def _provenance(found: Across, at: datetime) -> dict[str, str]:
    hashes = {
        str(pick.cell.result.settings.get("problems_sha256", ""))[:12]
        for pick in found.picks
        if pick.cell.complete
    }
    return {
        "Checkpoints": "; ".join(pick.name for pick in found.picks),
        "Code versions": ", ".join(
            dict.fromkeys(pick.experiment.code_version or "not recorded" for pick in found.picks)
        ),
        "Problems (SHA-256)": ", ".join(sorted(filter(None, hashes))) or "none on record",
        "Test": (
            f"the same problems: exact McNemar, Holm over {found.tests} tests, alpha {found.alpha:g}, paired difference with "
            "Tango's score interval; published counts: unpaired, Fisher's exact test, difference with Newcombe's interval; one "
            "proportion with Wilson's; all 95 %"
        ),
        "As of": f"{at:%Y-%m-%d %H:%M} UTC",
    }
