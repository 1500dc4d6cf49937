"""The stage table, the detail metrics and pass@k as tables that become files, with where they come from."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from webapp.comparison import groups, pass_exports
from webapp.comparison.cells import Cell, MeansComparison, Refusal, SeedsComparison, UnpairedComparison
from webapp.comparison.comparisons import Compared
from webapp.comparison.decisions import decisions
from webapp.comparison.grids import detail_grid, stage_grid
from webapp.comparison.table import StageRow, StageTable
from webapp.comparison.wording import answers, mixed_sizes
from webapp.files.table import Sheet, Table, Value, columns
from webapp.results.outcome_counts import Tally
from webapp.results.samples import planned_samples
from webapp.runs.origin import origin

IMPORTED = " (imported, counts only)"
COLUMNS = {  # name → kind
    "experiment": "text",
    "recipe": "text",
    "code_version": "text",
    "benchmark": "text",
    "problems_sha256": "text",
    "metric": "text",
    "stage": "text",
    "condition": "text",
    "baseline": "text",
    "seed": "integer",
    "over_seeds": "truth",  # of the mean over the seeds, which has no seed
    "correct": "integer",
    "problems": "integer",
    "accuracy": "number",
    "count": "integer",  # of the metric: equal to correct where that is accuracy
    "rate": "number",  # of an amount its mean; delta and the intervals are then in its unit too
    "wilson_low": "number",
    "wilson_high": "number",
    "delta": "number",
    "delta_low": "number",
    "delta_high": "number",
    "pairing": "text",  # paired, problem by problem; or unpaired, from counts alone
    "mcnemar_p": "number",
    "means_p": "number",  # of pass@k, and of an amount
    "fisher_p": "number",
    "t_p": "number",
    "holm_p": "number",
    "gained": "integer",
    "lost": "integer",
    "verdict": "text",
    "refused": "text",
    "mul_tokens_per_response": "number",
    "repetition_rate": "number",
    "hit_limit_rate": "number",
    "mean_tokens": "number",
    "steps_right_rate": "number",  # responses that write equations, all of which hold
    "steps_written": "integer",  # equations in all responses
    "steps_right": "integer",  # of them, those that hold
    "samples": "integer",  # drawn to each problem beside the greedy response
    "temperature": "number",
    "imported": "text",  # "counts only" for published numbers; empty for what ran here
    "exported_at": "time",
}
OF_DETAILS = (
    "experiment", "code_version", "benchmark", "problems_sha256", "stage", "condition", "seed", "correct", "problems",
    "accuracy", "mul_tokens_per_response", "repetition_rate", "hit_limit_rate", "mean_tokens", "steps_right_rate",
    "steps_written", "steps_right", "imported", "exported_at",
)  # fmt: skip


def rows(table: StageTable, exported_at: datetime | None = None) -> list[dict[str, Value]]:
    """One row for each stage, seed and condition with a finished evaluation, and a mean row with several seeds.

    Proportions are 0…1 in full precision; None where there is no number.
    """
    common: dict[str, Value] = dict.fromkeys(COLUMNS) | {
        "experiment": table.experiment.name,
        "recipe": table.experiment.recipe_name,
        "code_version": table.experiment.code_version,
        "benchmark": table.benchmark,
        "metric": table.metric.name,
        "over_seeds": False,
        "imported": "counts only" if table.imported else None,
        "exported_at": (exported_at or datetime.now(UTC)).replace(microsecond=0),
    }
    return [common | found for row in table.rows for found in _stage_rows(table, row)]


def stages(table: StageTable, exported_at: datetime | None = None, *, together: bool = False) -> Table:
    """The stage table with what it says, the detail metrics and pass@k; of several seeds `together` the means alone."""
    sheet = _stage_sheet(table, exported_at, together and table.several_seeds)
    return _table(table, "stages", table.metric.title, sheet, exported_at, told=True)


def details(table: StageTable, exported_at: datetime | None = None) -> Table:
    """The detail metrics of every finished evaluation."""
    return _table(table, "details", "Detail metrics", _detail_sheet(table, exported_at), exported_at)


def pass_at_k(table: StageTable, exported_at: datetime | None = None) -> Table:
    """The curves, and what the last stages did to them."""
    first, *more = pass_exports.sheets(table, exported_at)
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
    told: bool = False,
) -> Table:
    if told:
        more = [_detail_sheet(table, exported_at)]
        more += pass_exports.sheets(table, exported_at) if table.samples else []
    return Table(
        name=f"{table.experiment.name}-{table.benchmark}{'' if told else f'-{name}'}",
        heading=title,
        about=f"on {table.benchmark}, {table.experiment.name}{IMPORTED if table.imported else ''}",
        sheet=sheet,
        provenance=provenance(table, exported_at),
        more=more,
        said={"decisions": decisions(table), "answers": answers(table)} if told else {},
        warnings=[text for text in (mixed_sizes(table),) if text],
    )


def _stage_sheet(table: StageTable, exported_at: datetime | None, together: bool) -> Sheet:
    found = [tuple(row.values()) for row in rows(table, exported_at) if row["over_seeds"] or not together]
    return Sheet("stages", "Stage table", columns(COLUMNS), found, stage_grid(table, together=together))


def _detail_sheet(table: StageTable, exported_at: datetime | None) -> Sheet:
    found = [
        tuple(row[name] for name in OF_DETAILS) for row in rows(table, exported_at) if not row["over_seeds"]
    ]
    kinds = {name: COLUMNS[name] for name in OF_DETAILS}
    return Sheet("details", "Detail metrics", columns(kinds), found, detail_grid(table))


def provenance(table: StageTable, exported_at: datetime | None = None) -> dict[str, str]:
    """Where the numbers come from, label by label."""
    if table.imported:
        test = (
            f"unpaired: Fisher's exact test, Holm over {table.tests} tests, alpha {table.alpha:g}; "
            "difference with Newcombe's interval; one proportion with Wilson's; all 95 %"
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
    more["Problems (SHA-256)"] = ", ".join(digest[:12] for digest in hashes) or "none yet"
    return origin(table.experiment, more | {"Test": _test(table)}, exported_at)


def _test(table: StageTable) -> str:
    """How the conditions are compared."""
    holm = f"Holm over {table.tests} tests, alpha {table.alpha:g}"
    test = (
        f"exact McNemar on the same problems, {holm}; "
        "paired difference with Tango's score interval; one proportion with Wilson's; all 95 %"
    )
    if table.metric.k is not None:
        test = (
            f"{table.metric.title} without bias (Chen et al. 2021), paired over problems: difference with Bonett and "
            f"Price's interval and its p, {holm}; one mean with Wilson's for its effective number of problems; all 95 %"
        )
    if table.metric.kind == "mean":
        test = (
            f"{table.metric.title}, paired over problems: mean difference with Student's t and two problems added, as "
            f"Bonett and Price do, and its p, {holm}; one mean with a quasi-Poisson score interval; all 95 %"
        )
    if table.several_seeds:
        test += "; over seeds Student's t on one paired difference a seed"
    return test


def _stage_rows(table: StageTable, row: StageRow) -> Iterator[dict[str, Value]]:
    for seed in row.seeds:
        for position, cell in enumerate(seed.cells):
            if cell.complete:
                compared = comparison_values(seed.comparisons[position - 1]) if position else {}
                yield cell_values(cell) | compared | {"baseline": table.baseline if position else None}
    for position, mean in enumerate(row.means):
        if mean is not None:
            together = _seeds_values(row.over_seeds[position - 1]) if position else {}
            own: dict[str, Value] = {
                "stage": row.stage,
                "condition": table.conditions[position],
                "baseline": table.baseline if position else None,
                "over_seeds": True,
                "accuracy": mean if table.metric.name == "accuracy" else None,
                "rate": mean,
            }
            yield own | together


def cell_values(cell: Cell) -> dict[str, Value]:
    """What a finished evaluation says, by the names of COLUMNS."""
    result = cell.result
    return {
        "problems_sha256": str(result.settings.get("problems_sha256", "")),
        "stage": cell.stage,
        "condition": cell.condition,
        "seed": cell.seed,
        "correct": result.count("correct"),
        "problems": result.problems or None,
        "accuracy": cell.accuracy,
        "count": cell.count,
        "rate": cell.rate,
        "wilson_low": cell.interval.low if cell.interval else None,
        "wilson_high": cell.interval.high if cell.interval else None,
        "mul_tokens_per_response": cell.mul_tokens_per_response,
        "repetition_rate": cell.repetition_rate,
        "hit_limit_rate": cell.hit_limit_rate,
        "mean_tokens": cell.mean_tokens,
        "steps_right_rate": cell.steps_right_rate,
        "steps_written": result.steps_written,
        "steps_right": result.steps_right,
        "samples": planned_samples(result) or None,
        "temperature": _temperature(result),
    }


def _temperature(result: Tally) -> Value:
    temperature = result.settings.get("temperature")
    return temperature if isinstance(temperature, float) else None


def comparison_values(one: Compared | None) -> dict[str, Value]:
    """What a comparison says, by the names of COLUMNS; of none: nothing."""
    if one is None:
        return {}
    if isinstance(one, Refusal):
        return {"refused": one.reason}
    common: dict[str, Value] = {
        "delta": one.delta,
        "delta_low": one.interval.low,
        "delta_high": one.interval.high,
        "holm_p": one.adjusted_p,
        "verdict": one.verdict.word,
    }
    if isinstance(one, UnpairedComparison):
        return common | {"pairing": "unpaired", "fisher_p": one.p}
    if isinstance(one, MeansComparison):
        return common | {"pairing": "paired", "means_p": one.p}
    paired = {"gained": one.counts.gained, "lost": one.counts.lost}
    return common | {"pairing": "paired", "mcnemar_p": one.p} | paired


def _seeds_values(one: SeedsComparison | None) -> dict[str, Value]:
    if one is None:
        return {}
    interval = one.result.interval
    return {
        "delta": one.result.mean,
        "delta_low": interval.low if interval else None,
        "delta_high": interval.high if interval else None,
        "t_p": one.result.p,
        "holm_p": one.adjusted_p,
        "verdict": one.verdict.word,
    }
