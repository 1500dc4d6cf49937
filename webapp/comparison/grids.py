"""The stage table and the detail metrics as people read them, every cell as text."""

from webapp.comparison.cells import Cell, MeansComparison, Refusal, SeedsComparison, UnpairedComparison
from webapp.comparison.checkpoints import Across
from webapp.comparison.comparisons import Compared
from webapp.comparison.table import StageTable
from webapp.comparison.wording import difference, difference_interval, value
from webapp.files.grid import Grid
from webapp.files.number_text import p_value, percent


def stage_grid(table: StageTable, *, together: bool = False) -> Grid:
    """The stage table as people read it; `together`: of several seeds the means alone."""
    header = ["Stage", *table.conditions]
    for name in table.others:
        whose = f" ({name})" if len(table.others) > 1 else ""
        p, pairs = ("Fisher p (unpaired)", []) if table.imported else ("p", ["gained / lost"])
        header += [f"Δ {table.metric.unit}{whose}", f"95 % interval{whose}", p, "Holm p", *pairs, "verdict"]
    lines: list[list[str]] = []
    for row in table.rows:
        if not any(cell.complete for seed in row.seeds for cell in seed.cells):
            continue
        for seed in () if together else row.seeds:
            label = f"{row.stage}, seed {seed.seed}" if table.several_seeds else row.stage
            label = f"{label}: {row.label}" if row.label else label
            cells = [accuracy(cell, table.digits) for cell in seed.cells]
            both = [compared(one, table) for one in seed.comparisons]
            lines.append([label, *cells, *(x for one in both for x in one)])
        if table.several_seeds:
            means = ["" if mean is None else value(mean, table.metric) for mean in row.means]
            over = [x for one in row.over_seeds for x in compared(one, table)]
            lines.append([f"{row.stage}, mean", *means, *over])
    verdicts = tuple(place for place, name in enumerate(header) if name == "verdict")
    return Grid(header, lines, words=verdicts)


def detail_grid(table: StageTable) -> Grid:
    """The detail metrics of every finished evaluation."""
    header = [
        "Stage",
        "Condition",
        "Mul-tokens per response",
        "Repetition",
        "Hit limit",
        "Tokens per response",
        "All steps right",
        "Equations right",
    ]
    if table.several_seeds:
        header.insert(2, "Seed")
    lines = []
    for cell in table.cells():
        if cell.complete:
            line = [
                cell.stage,
                cell.condition,
                _number(cell.mul_tokens_per_response, ".3f"),
                _share(cell.repetition_rate),
                _share(cell.hit_limit_rate),
                _number(cell.mean_tokens, ".1f"),
                _share(cell.steps_right_rate),
                equations(cell),
            ]
            if table.several_seeds:
                line.insert(2, str(cell.seed))
            lines.append(line)
    return Grid(header, lines, labels=3 if table.several_seeds else 2)


def accuracy(cell: Cell, digits: int) -> str:
    """'58.2 % (349/600)'; nothing where it is not finished."""
    return f"{value(cell.rate, cell.metric, digits)} ({cell.fraction})" if cell.complete else ""


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def equations(cell: Cell) -> str:
    """The share of a cell's written equations that hold, and of how many: '75.0 % (6/8)'."""
    share, tally = cell.equations_right, cell.result
    return "–" if share is None else f"{percent(share)} ({tally.steps_right}/{tally.steps_written})"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def compared(one: Compared | SeedsComparison | None, table: StageTable | Across) -> list[str]:
    """The cells of one comparison; published counts have none for pairs."""
    empty, metric, digits = [""] * (4 if table.imported else 5), table.metric, table.digits
    if one is None:
        return [*empty, ""]
    if isinstance(one, Refusal):
        return [*empty, f"refused: {one.reason}"]
    if isinstance(one, UnpairedComparison):
        return [
            difference(one.delta, metric, digits),
            difference_interval(one.interval, metric, digits),
            p_value(one.p),
            p_value(one.adjusted_p),
            *([] if table.imported else [""]),  # checkpoints compared: others have pairs
            one.verdict.word,
        ]
    if isinstance(one, SeedsComparison):
        interval, p = one.result.interval, one.result.p
        return [
            difference(one.result.mean, metric),
            difference_interval(interval, metric)
            if interval
            else f"{difference_interval(one.within, metric)} in each seed",
            f"{p_value(p)} (t)" if p is not None else "",
            p_value(one.adjusted_p) if one.adjusted_p is not None else "",
            "",
            one.verdict.word,
        ]
    return [
        difference(one.delta, metric),
        difference_interval(one.interval, metric),
        p_value(one.p),
        p_value(one.adjusted_p),
        "" if isinstance(one, MeansComparison) else f"{one.counts.gained} / {one.counts.lost}",
        one.verdict.word,
    ]
