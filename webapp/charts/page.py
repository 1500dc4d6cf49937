"""What the run's page shows before its charts are fetched: choices, legend, the frame of each chart, which are fetched first."""

from collections.abc import Mapping
from itertools import groupby
from urllib.parse import urlencode

from webapp.charts import choices as chart_choices
from webapp.charts.arrangement import placed
from webapp.charts.axes import TOKENS, available
from webapp.charts.kinds import ANY, kinds
from webapp.runs.models import StageRun

FIRST = 2  # charts of the first request: what is drawn soonest should wait for little
OVERVIEW = 3  # charts above the newest rollouts, one row on a wide screen; static/js/chart_places.js keeps as many there
OVERVIEW_ALONE = 6  # where no rollouts follow
NAMES = (
    "x",
    "runs",
    "smooth",
    "logx",
    "logy",
    "clip",
    "hide",
    "hide_seeds",
)  # of the address, in the order in which charts.js writes them


def context(run: StageRun, query: Mapping[str, str], cookie: str) -> dict[str, object]:
    """For the template; a choice that means nothing is told, and the charts are as nothing were chosen."""
    mistake = ""
    try:
        choices = chart_choices.read(query)
    except ValueError as error:
        choices, mistake, query = chart_choices.ChartChoices(), str(error), {}
    found = kinds(run.pk)
    main = [one for one in placed(run, found, choices, cookie) if one.kind.main]
    drawn = [one for one in main if not one.zero]
    overview = OVERVIEW if run.stage.settings_class.records_rollouts else OVERVIEW_ALONE
    first = [one.kind.key for one in drawn][:FIRST]
    chosen = {name: query[name] for name in NAMES if query.get(name)}
    xs = available(run, any(kind.key == ANY + TOKENS for kind in found))
    return {
        "choices": choices,
        "choice_mistake": mistake,
        "chart_xs": [(name, title, name in xs) for name, title in chart_choices.XS.items()],
        "chart_runs": chart_choices.RUNS.items(),
        "usual_smoothing": chart_choices.SMOOTHING,
        "first_charts": urlencode(chosen | {"keys": ",".join(first)}),
        "overview_charts": drawn[:overview],
        "overview": overview,
        "chart_groups": [
            (group, list(of))
            for group, of in groupby(drawn[overview:], lambda one: "pinned" if one.pinned else one.kind.group)
        ],
        "zero_charts": [one for one in main if one.zero],
        "more_there": any(not kind.main and not kind.group for kind in found),
        "metrics_there": bool(found),
        "find": query.get("find", ""),
    } | _legend(run, choices)


def _legend(run: StageRun, choices: chart_choices.ChartChoices) -> dict[str, object]:
    """The conditions and seeds that the stage has runs of, each with whether it is shown."""
    of_stage = StageRun.objects.filter(stage=run.stage_id).order_by("condition__position", "seed")
    rows = list(of_stage.values_list("condition__name", "condition__position", "seed"))
    return {
        "legend_conditions": [
            (name, position, name not in choices.hide)
            for name, position in dict.fromkeys((name, position) for name, position, _ in rows)
        ],
        "legend_seeds": [
            (seed, seed not in choices.hide_seeds) for seed in sorted({seed for *_, seed in rows})
        ],
    }
