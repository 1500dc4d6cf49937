"""A mixture of graders' versions in a table is named: no two are compared."""

from webapp.comparison.cells import graders_of
from webapp.comparison.table import StageTable


def mixed(table: StageTable) -> str:
    """A warning where finished evaluations were graded by different versions; empty where they were not."""
    found = graders_of(table.cells())
    if table.imported or len(found) < 2:
        return ""
    return (
        f"Evaluations were graded by different versions ({', '.join(found)}), which are not compared with each other, "
        f"and seeds of different ones are not taken together. `mulberry regrade {table.experiment.name}`, or Grade anew "
        "on the experiment's page, grades the stored completions of all by the newest."
    )
