"""The stage table, the detail metrics and pass@k as tables that become files, with where they come from."""

from collections.abc import Sequence
from datetime import datetime

from webapp.comparison import groups
from webapp.comparison.cells import graders_of
from webapp.comparison.corrections import corrections
from webapp.comparison.decisions import decisions
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.warnings import warnings
from webapp.comparison.table import StageTable
from webapp.comparison.tables import pass_at_k_sheets
from webapp.comparison.tables.stage_sheets import detail_sheet, stage_sheet
from webapp.files.table import Sheet, Table, Value
from webapp.runs.origin import origin
from webapp.statistics.new_problems import FEWEST_SEEDS
from webapp.statistics.proportions import MCNEMAR_NAMES

IMPORTED = " (imported, counts only)"


def rows(table: StageTable, exported_at: datetime | None = None) -> list[dict[str, Value]]:
    """One row for each stage, seed and condition with a finished evaluation, and a mean row with several seeds."""
    return stage_sheet(table, exported_at).records()


def stages(table: StageTable, exported_at: datetime | None = None, *, together: bool = False) -> Table:
    """The stage table with what it says, the detail metrics and pass@k; of several seeds `together` the means alone."""
    sheet = stage_sheet(table, exported_at, together=together)
    return _table(table, "stages", table.metric.title, sheet, exported_at, with_statements=True)


def details(table: StageTable, exported_at: datetime | None = None) -> Table:
    """The detail metrics of every finished evaluation."""
    return _table(table, "details", "Detail metrics", detail_sheet(table, exported_at), exported_at)


def pass_at_k(table: StageTable, exported_at: datetime | None = None) -> Table:
    """The curves, and what the last stages did to them."""
    first, *more = pass_at_k_sheets.sheets(table, exported_at)
    return _table(table, "pass-at-k", "pass@k", first, exported_at, more=more)


def by_group(table: StageTable, exported_at: datetime | None = None) -> Table:
    """The comparisons after the last stages, by group of problems."""
    return _table(table, "groups", "By group of problems", groups.sheet(table, exported_at), exported_at)


def _table(
    table: StageTable,
    name: str,
    title: str,
    sheet: Sheet,
    exported_at: datetime | None,
    *,
    more: Sequence[Sheet] = (),
    with_statements: bool = False,
) -> Table:
    if with_statements:
        more = [detail_sheet(table, exported_at)]
        more += pass_at_k_sheets.sheets(table, exported_at) if table.samples else []
    subset = f"-{table.subset.written.replace(':', '-')}" if table.subset else ""
    return Table(
        name=f"{table.experiment.name}-{table.benchmark}{subset}{'' if with_statements else f'-{name}'}",
        heading=title,
        about=f"on {table.asked}, {table.experiment.name}{IMPORTED if table.imported else ''}",
        sheet=sheet,
        provenance=provenance(table, exported_at),
        more=more,
        statements={"decisions": decisions(table), "answers": verdict_sentences(table)}
        if with_statements
        else {},
        warnings=warnings(table),
    )


def provenance(table: StageTable, exported_at: datetime | None = None) -> dict[str, str]:
    """Where the numbers come from, label by label."""
    if table.imported:
        test = (
            "unpaired: Fisher's exact test; difference with Newcombe's interval; one proportion with Wilson's 95 %. "
            f"{corrections(table)}"
        )
        return origin(table.experiment, {"Test": test}, exported_at)
    hashes = sorted(
        {str(cell.result.settings.get("problems_sha256")) for cell in table.cells() if cell.complete}
    )
    reused = {
        f"{cell.stage} of {cell.condition}{f', seed {cell.seed}' if table.several_seeds else ''}": cell.reused
        for cell in table.cells()
        if cell.reused
    }
    more = {"Reused": "; ".join(f"{what} from {run}" for what, run in reused.items())} if reused else {}
    if table.subset:
        more["Problems"] = f"{table.subset.title} ({table.subset.written}), not planned: exploratory"
    more["Grader"] = ", ".join(graders_of(table.cells())) or "none yet"
    more["Problems (SHA-256)"] = ", ".join(digest[:12] for digest in hashes) or "none yet"
    return origin(table.experiment, more | {"Test": _test(table)}, exported_at)


def _test(table: StageTable) -> str:
    """How the conditions are compared."""
    test = (
        f"{MCNEMAR_NAMES[table.test]} on the same problems; paired difference with Tango's score interval; "
        "one proportion with Wilson's 95 %"
    )
    if table.metric.k is not None:
        test = (
            f"{table.metric.title} without bias (Chen et al. 2021), paired over problems: difference with Bonett and "
            "Price's interval and its p; one mean with Wilson's 95 % for its effective number of problems"
        )
    if table.metric.kind == "mean":
        test = (
            f"{table.metric.title}, paired over problems: mean difference with Student's t and two problems added, as "
            "Bonett and Price do, and its p; one mean with a quasi-Poisson score interval of 95 %"
        )
    if table.several_seeds:
        test += "; over seeds Student's t on one paired difference a seed, for the problems that all seeds share; "
        test += f"from {FEWEST_SEEDS} seeds on crossed with problems, too (Satterthwaite)"
    if table.clusters:
        test += f"; for new problems these are drawn as {table.clusters} (CR2, Bell and McCaffrey)"
    return f"{test}. {corrections(table)}"
