"""Which versions of graders a table's numbers come from: no two are compared, and a mixture is named."""

from collections.abc import Iterable

from webapp.comparison.cells import Cell
from webapp.comparison.table import StageTable


def of_cells(cells: Iterable[Cell]) -> tuple[str, ...]:
    """The graders (name/version) of those that have a number, each once, in order."""
    return tuple(
        sorted({str(cell.result.settings.get("grader", "not recorded")) for cell in cells if cell.complete})
    )


def mixed(table: StageTable) -> str:
    """A warning where finished evaluations were graded by different versions; empty where they were not."""
    found = of_cells(table.cells())
    if table.imported or len(found) < 2:
        return ""
    return (
        f"Evaluations were graded by different versions ({', '.join(found)}), which are not compared with each other, "
        f"and seeds of different ones are not taken together. `mulberry regrade {table.experiment.name}`, or Grade anew "
        "on the experiment's page, grades the stored completions of all by the newest."
    )
