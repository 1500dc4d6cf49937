"""The stage table as Markdown, CSV and JSON, with where it comes from; text never becomes a formula or markup."""

import csv as csv_format
import io
import json as json_format
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.results.cells import Cell, Refusal, SeedsComparison, UnpairedComparison
from webapp.results.tables import Compared, StageRow, StageTable
from webapp.results.wording import answers, mixed_sizes, p_value, percent, plain, points, points_interval

Value = str | int | float | None
IMPORTED = " (imported, counts only)"
COLUMNS = (
    "experiment",
    "recipe",
    "code_version",
    "benchmark",
    "problems_sha256",
    "metric",
    "stage",
    "condition",
    "baseline",
    "seed",  # a number, or "mean" over the seeds
    "correct",
    "problems",
    "accuracy",
    "count",  # of the metric: equal to correct where that is accuracy
    "rate",
    "wilson_low",
    "wilson_high",
    "delta",
    "delta_low",
    "delta_high",
    "pairing",  # paired, problem by problem; or unpaired, from counts alone
    "mcnemar_p",
    "fisher_p",
    "t_p",
    "holm_p",
    "gained",
    "lost",
    "verdict",
    "refused",
    "mul_tokens_per_response",
    "repetition_rate",
    "hit_limit_rate",
    "mean_tokens",
    "imported",  # "counts only" for published numbers; empty for what ran here
    "exported_at",
)


def rows(table: StageTable, exported_at: datetime | None = None) -> list[dict[str, Value]]:
    """One row for each stage, seed and condition with a finished evaluation, and a mean row with several seeds.

    Proportions are 0…1 in full precision; None where there is no number.
    """
    at = (exported_at or datetime.now(UTC)).isoformat(timespec="seconds")
    common: dict[str, Value] = dict.fromkeys(COLUMNS) | {
        "experiment": table.experiment.name,
        "recipe": table.experiment.recipe_name,
        "code_version": table.experiment.code_version,
        "benchmark": table.benchmark,
        "metric": table.metric.name,
        "imported": "counts only" if table.imported else None,
        "exported_at": at,
    }
    return [common | found for row in table.rows for found in _stage_rows(table, row)]


def csv(table: StageTable, exported_at: datetime | None = None) -> str:
    """RFC 4180 with a header; text cells that a spreadsheet would compute get an apostrophe in front."""
    buffer = io.StringIO()
    writer = csv_format.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows(table, exported_at):
        writer.writerow(["" if row[name] is None else _not_a_formula(row[name]) for name in COLUMNS])
    return buffer.getvalue()


def json(table: StageTable, exported_at: datetime | None = None) -> str:
    """The same rows, what they say in words, and where they come from."""
    at = exported_at or datetime.now(UTC)
    return json_format.dumps(
        {
            "provenance": provenance(table, at),
            "answers": [
                {"headline": one.headline, "numbers": plain(one.numbers), "limits": plain(one.limits)}
                for one in answers(table)
            ],
            "warnings": [text for text in (mixed_sizes(table),) if text],
            "rows": rows(table, at),
        },
        indent=2,
        ensure_ascii=False,
    )


def markdown(table: StageTable, exported_at: datetime | None = None) -> str:
    """The answer, the stage table, the detail metrics and the provenance, as GitHub-flavoured Markdown."""
    said = [
        f"**{escaped(one.headline)}** {escaped(one.numbers)} {escaped(one.limits)}".strip()
        for one in answers(table)
    ]
    footer = [f"{label}: {escaped(text)}" for label, text in provenance(table, exported_at).items()]
    parts = [
        f"## {table.metric.title} on {escaped(table.benchmark)}{IMPORTED if table.imported else ''}",
        "\n\n".join(said),
        stage_grid(table).markdown(),
        escaped(mixed_sizes(table)),
        "### Detail metrics",
        detail_grid(table).markdown(),
        "---",
        "  \n".join(footer),
    ]
    return plain("\n\n".join(part for part in parts if part)) + "\n"


def provenance(table: StageTable, exported_at: datetime | None = None) -> dict[str, str]:
    """Where the numbers come from, label by label."""
    experiment, at = table.experiment, exported_at or datetime.now(UTC)
    if table.imported:
        return {
            "Experiment": f"{experiment.name}, imported, counts only",
            "Published": f"{experiment.recipe['date']}: {experiment.recipe['source']}",
            "Test": f"unpaired: Fisher's exact test, Holm over {table.tests} tests, alpha {table.alpha:g}; "
            "difference with Newcombe's interval; one proportion with Wilson's; all 95 %",
            "As of": f"{at:%Y-%m-%d %H:%M} UTC",
        }
    hashes = sorted(
        {str(cell.result.settings.get("problems_sha256")) for cell in table.cells() if cell.complete}
    )
    test = (
        f"exact McNemar on the same problems, Holm over {table.tests} tests, alpha {table.alpha:g}; "
        "paired difference with Tango's score interval; one proportion with Wilson's; all 95 %"
    )
    if table.several_seeds:
        test += "; over seeds Student's t on one paired difference a seed"
    reused = {
        f"{cell.stage} of {cell.condition}{f', seed {cell.seed}' if table.several_seeds else ''}": cell.reused
        for cell in table.cells()
        if cell.reused
    }
    return {
        "Experiment": f"{experiment.name}, started {experiment.created_at:%Y-%m-%d}",
        "Recipe": experiment.recipe_name,
        "Code version": experiment.code_version or "not recorded",
        "Seeds": ", ".join(str(seed) for seed in table.seeds),
        **({"Reused": "; ".join(f"{what} from {run}" for what, run in reused.items())} if reused else {}),
        "Problems (SHA-256)": ", ".join(digest[:12] for digest in hashes) or "none yet",
        "Test": test,
        "As of": f"{at:%Y-%m-%d %H:%M} UTC",
    }


class Grid(NamedTuple):
    """A table to read, every cell as text."""

    header: list[str]
    lines: list[list[str]]
    labels: int = 1  # leading columns of words, set left; figures are set right

    def markdown(self, *, aligned: bool = False) -> str:
        """As a Markdown table, every cell escaped; `aligned` for a terminal: columns of one width."""
        written = [[escaped(text) for text in line] for line in (self.header, *self.lines)]
        widths = [max(map(len, column)) if aligned else 0 for column in zip(*written, strict=True)]
        rule = [
            f":{'-' * max(2, width - 1)}" if place < self.labels else f"{'-' * max(2, width - 1)}:"
            for place, width in enumerate(widths)
        ]
        placed = [
            [
                text.ljust(width) if place < self.labels else text.rjust(width)
                for place, (text, width) in enumerate(zip(line, widths, strict=True))
            ]
            for line in (written[0], rule, *written[1:])
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in placed)


def stage_grid(table: StageTable) -> Grid:
    """The stage table as people read it."""
    header = ["Stage", *table.conditions]
    for name in table.others:
        whose = f" ({name})" if len(table.others) > 1 else ""
        p, pairs = ("Fisher p (unpaired)", []) if table.imported else ("p", ["gained / lost"])
        header += [f"Δ points{whose}", f"95 % interval{whose}", p, "Holm p", *pairs, "verdict"]
    lines: list[list[str]] = []
    for row in table.rows:
        if not any(cell.complete for seed in row.seeds for cell in seed.cells):
            continue
        for seed in row.seeds:
            label = f"{row.stage}, seed {seed.seed}" if table.several_seeds else row.stage
            label = f"{label}: {row.label}" if row.label else label
            cells = [_accuracy(cell, table.digits) for cell in seed.cells]
            compared = [_compared(one, table.imported) for one in seed.comparisons]
            lines.append([label, *cells, *(x for one in compared for x in one)])
        if table.several_seeds:
            means = ["" if mean is None else percent(mean) for mean in row.means]
            together = [x for one in row.over_seeds for x in _compared(one)]
            lines.append([f"{row.stage}, mean", *means, *together])
    return Grid(header, lines)


def detail_grid(table: StageTable) -> Grid:
    """The detail metrics of every finished evaluation."""
    header = [
        "Stage",
        "Condition",
        "Mul-tokens per response",
        "Repetition",
        "Hit limit",
        "Tokens per response",
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
            ]
            if table.several_seeds:
                line.insert(2, str(cell.seed))
            lines.append(line)
    return Grid(header, lines, labels=3 if table.several_seeds else 2)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no table cell ends, no tag, no link, no emphasis begins in it."""
    text = re.sub(r"\s*[\r\n]+\s*", " ", text)
    text = re.sub(r"([\\|`*\[\]])", r"\\\1", text)
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)  # "< 0.0001" begins no tag and stays readable
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def _stage_rows(table: StageTable, row: StageRow) -> Iterator[dict[str, Value]]:
    for seed in row.seeds:
        for position, cell in enumerate(seed.cells):
            if cell.complete:
                compared = _comparison_values(seed.comparisons[position - 1]) if position else {}
                yield _cell_values(cell) | compared | {"baseline": table.baseline if position else None}
    for position, mean in enumerate(row.means):
        if mean is not None:
            together = _seeds_values(row.over_seeds[position - 1]) if position else {}
            own: dict[str, Value] = {
                "stage": row.stage,
                "condition": table.conditions[position],
                "baseline": table.baseline if position else None,
                "seed": "mean",
                "accuracy": mean if table.metric.name == "accuracy" else None,
                "rate": mean,
            }
            yield own | together


def _cell_values(cell: Cell) -> dict[str, Value]:
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
    }


def _comparison_values(one: Compared | None) -> dict[str, Value]:
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


def _accuracy(cell: Cell, digits: int) -> str:
    return f"{percent(cell.rate, digits)} ({cell.fraction})" if cell.complete else ""


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _compared(one: Compared | SeedsComparison | None, imported: bool = False) -> list[str]:
    """The cells of one comparison; published counts have none for pairs."""
    empty = [""] * (4 if imported else 5)
    if one is None:
        return [*empty, ""]
    if isinstance(one, Refusal):
        return [*empty, f"refused: {one.reason}"]
    if isinstance(one, UnpairedComparison):
        return [
            points(one.delta, 2),
            points_interval(one.interval, 2),
            p_value(one.p),
            p_value(one.adjusted_p),
            one.verdict.word,
        ]
    if isinstance(one, SeedsComparison):
        interval, p = one.result.interval, one.result.p
        return [
            points(one.result.mean),
            points_interval(interval) if interval else "",
            f"{p_value(p)} (t)" if p is not None else "",
            p_value(one.adjusted_p) if one.adjusted_p is not None else "",
            "",
            one.verdict.word,
        ]
    return [
        points(one.delta),
        points_interval(one.interval),
        p_value(one.p),
        p_value(one.adjusted_p),
        f"{one.counts.gained} / {one.counts.lost}",
        one.verdict.word,
    ]


def _not_a_formula(value: Value) -> Value:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
