"""What corrects what in a stage table, in one sentence, for pages, files and the report."""

from webapp.comparison.table import StageTable
from webapp.files.number_text import percent_of_level
from webapp.statistics.families import Family
from webapp.statistics.planned_seeds import at_the_end, at_the_look


def corrections(table: StageTable) -> str:
    """Which comparisons share which level, and which stand alone."""
    asked, alpha = table.roles, f"α = {table.alpha:g}"
    alone = Family("exploratory", 1, table.alpha)
    if table.imported:
        return (
            f"Exploratory: published counts, of which nothing was planned here; each interval is at "
            f"{percent_of_level(alone.level)} and each p stands alone, not corrected."
        )
    if not asked.planned:
        of_all = (
            f" on all problems, and these are {table.subset.title}, which nobody planned"
            if table.subset
            else ""
        )
        return (
            f"Exploratory: the planned question is {asked.question.described}{of_all}; here each interval is at "
            f"{percent_of_level(alone.level)} and each p stands alone, not corrected for how many are looked at."
        )
    primary = f"The planned question ({asked.question.described}) is tested at {alpha}"
    if table.plan.look is not None:
        early, end = at_the_look(asked.primary), at_the_end(asked.primary, table.plan)
        primary += (
            f": p < {early.alone:.3g} for one look after {table.plan.look} seeds, and at the end the other {end.alpha:.3g}"
            f"{_shared(end) or f' (intervals at {percent_of_level(end.level)})'}"
        )
    else:
        primary += _shared(asked.primary)
    secondary = Family("secondary", max(len(asked.others), 1), table.alpha)
    others = ""
    if asked.others:
        many = len(asked.others)
        whose, other = "after the stages below", ""
        if asked.about_differences:
            beside = {stage for stage, _ in asked.others} & {stage for stage, _ in asked.contrasts}
            whose, other = ("from the baseline", "other ") if beside else ("after the other stages", "")
        noun = f"the {many} {other}differences" if many > 1 else f"the {other}difference"
        verb = "are" if many > 1 else "is"
        others = f"; {noun} {whose} {verb} secondary, tested at {alpha}{_shared(secondary, 'they')}"
    rows = "; single seeds are exploratory, each at its stage’s level" if table.several_seeds else ""
    return (
        f"{primary}{others}{rows}; other benchmarks, metrics and baselines are exploratory and not corrected."
    )


def _shared(family: Family, who: str = "") -> str:
    if family.tests == 1:
        return ""
    return (
        f", which {who or f'its {family.tests} comparisons'} share (Bonferroni: {family.alone:.3g} each, intervals at "
        f"{percent_of_level(family.level)})"
    )
