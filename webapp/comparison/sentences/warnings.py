"""What a table's reader is warned of, wherever the table stands: on the page, in files and in the report."""

from webapp.comparison.alike import graders
from webapp.comparison.sentences.wording import mixed_sizes
from webapp.comparison.table import StageTable


def warnings(table: StageTable) -> list[str]:
    """A sentence or two each; nothing where there is nothing to warn of."""
    return [text for text in (mixed_sizes(table), graders.mixed(table), other_examples(table)) if text]


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
