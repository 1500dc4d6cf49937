"""What a table's reader is warned of, wherever the table stands: on the page, in files and in the report."""

from webapp.comparison.alike import graders
from webapp.comparison.sentences.wording import mixed_sizes
from webapp.comparison.table import StageTable

FLOOR = 0.05  # share of right completions up to which a benchmark is too hard to tell conditions apart


def warnings(table: StageTable) -> list[str]:
    """A sentence or two each; nothing where there is nothing to warn of."""
    found = (floor(table), mixed_sizes(table), graders.mixed(table), other_examples(table))
    return [text for text in found if text]


def floor(table: StageTable) -> str:
    """That hardly a completion is right in the end, in whichever condition; empty where some are, and of published counts."""
    cells = [cell for row in table.rows if row.last for seed in row.seeds for cell in seed.cells]
    if table.imported or table.metric.name != "accuracy" or not cells:
        return ""
    if not all(cell.complete and cell.rate <= FLOOR for cell in cells):
        return ""
    counts = sorted(cell.result.count("correct") or 0 for cell in cells)
    ends = "–".join(dict.fromkeys(f"{count:,}" for count in (counts[0], counts[-1])))
    of = " or ".join(dict.fromkeys(f"{cell.result.problems:,}" for cell in cells))
    return f"{ends} of {of} right: at the floor, there is nothing to compare yet."


def other_examples(table: StageTable) -> str:
    """Which conditions learnt from other examples than the baseline, and whether their settings ask for that."""
    found: dict[tuple[str, str, bool], list[int]] = {}
    last = [row.stage for row in table.rows if row.last] or [row.stage for row in table.rows]
    for condition in table.others:
        for seed in table.seeds:
            stages = {
                (one.stage, one.asked)
                for stage in last
                for one in table.examples.differ((table.baseline, stage, seed), (condition, stage, seed))
            }
            for stage, asked in sorted(stages):
                found.setdefault((condition, stage, asked), []).append(seed)
    said = []
    for (condition, stage, asked), seeds in found.items():
        with_seeds = f", seed {', '.join(map(str, seeds))}" if table.several_seeds else ""
        text = f"{condition} learnt from other examples than {table.baseline} in {stage}{with_seeds}"
        said.append(
            f"{text}, as its settings ask for: a difference may come from them."
            if asked
            else f"{text}, though no setting asks for that: these are not compared."
        )
    return " ".join(said)
