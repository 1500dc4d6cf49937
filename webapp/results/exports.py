"""The stage table as Markdown, CSV and JSON, with where it comes from; text never becomes a formula or markup."""

import csv as csv_format
import io
import json as json_format
from collections.abc import Iterator
from datetime import UTC, datetime

from webapp.results import pass_exports
from webapp.results.cells import Cell, PassComparison, Refusal, SeedsComparison, UnpairedComparison
from webapp.results.comparisons import Compared
from webapp.results.decisions import decisions
from webapp.results.grids import Value, detail_grid, escaped, stage_grid
from webapp.results.pass_curves import changes, curves
from webapp.results.querysets import Tally
from webapp.results.samples import planned_samples
from webapp.results.tables import StageRow, StageTable
from webapp.results.wording import Statement, answers, mixed_sizes, plain
from webapp.rows import not_a_formula

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
    "means_p",  # of pass@k
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
    "steps_right_rate",  # responses that write equations, all of which hold
    "steps_written",  # equations in all responses
    "steps_right",  # of them, those that hold
    "samples",  # drawn to each problem beside the greedy response
    "temperature",
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
        writer.writerow(["" if row[name] is None else not_a_formula(row[name]) for name in COLUMNS])
    return buffer.getvalue()


def json(table: StageTable, exported_at: datetime | None = None) -> str:
    """The same rows, what they say in words, and where they come from."""
    at = exported_at or datetime.now(UTC)
    return json_format.dumps(
        {
            "provenance": provenance(table, at),
            "decisions": [
                {"word": one.word} | {k: plain(getattr(one, k)) for k in ("headline", "numbers", "limits")}
                for one in decisions(table)
            ],
            "answers": [
                {"headline": one.headline, "numbers": plain(one.numbers), "limits": plain(one.limits)}
                for one in answers(table)
            ],
            "warnings": [text for text in (mixed_sizes(table),) if text],
            "rows": rows(table, at),
            "pass_at_k": pass_exports.rows(table, curves(table) if table.samples else [], at),
        },
        indent=2,
        ensure_ascii=False,
    )


def markdown(table: StageTable, exported_at: datetime | None = None) -> str:
    """The answer, the stage table, the detail metrics and the provenance, as GitHub-flavoured Markdown."""
    every: list[Statement] = [*decisions(table), *answers(table)]
    said = [
        f"**{escaped(one.headline)}** {escaped(one.numbers)} {escaped(one.limits)}".strip() for one in every
    ]
    footer = [f"{label}: {escaped(text)}" for label, text in provenance(table, exported_at).items()]
    parts = [
        f"## {table.metric.title} on {escaped(table.benchmark)}{IMPORTED if table.imported else ''}",
        "\n\n".join(said),
        stage_grid(table).markdown(),
        escaped(mixed_sizes(table)),
        "### Detail metrics",
        detail_grid(table).markdown(),
        *(_pass_at_k(table) if table.samples else []),
        "---",
        "  \n".join(footer),
    ]
    return plain("\n\n".join(part for part in parts if part)) + "\n"


def _pass_at_k(table: StageTable) -> list[str]:
    """The curves and what the last stages did to them; nothing while no evaluation has its samples."""
    found, changed = curves(table), changes(table)
    parts = ["### pass@k", pass_exports.curve_grid(table, found).markdown()] if found else []
    return [*parts, pass_exports.change_grid(table, changed).markdown()] if changed else parts


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
        "steps_right_rate": cell.steps_right_rate,
        "steps_written": result.steps_written,
        "steps_right": result.steps_right,
        "samples": planned_samples(result) or None,
        "temperature": _temperature(result),
    }


def _temperature(result: Tally) -> Value:
    temperature = result.settings.get("temperature")
    return temperature if isinstance(temperature, float) else None


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
    if isinstance(one, PassComparison):
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
