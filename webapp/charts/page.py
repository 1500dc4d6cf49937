"""What the run's page needs before its charts are fetched: the choices, and which charts to fetch first."""

from collections.abc import Mapping
from urllib.parse import urlencode

from webapp.charts import choices as chart_choices
from webapp.charts.axes import TOKENS, available
from webapp.charts.kinds import ANY, kinds
from webapp.runs.models import StageRun

FIRST = 2  # charts of the first request: what is drawn soonest should wait for little
NAMES = (
    "x",
    "runs",
    "smooth",
    "logx",
    "logy",
    "clip",
)  # of the address, in the order in which charts.js writes them


def context(run: StageRun, query: Mapping[str, str]) -> dict[str, object]:
    """For the template; a choice that means nothing is told, and the charts are as nothing were chosen."""
    mistake = ""
    try:
        choices = chart_choices.read(query)
    except ValueError as error:
        choices, mistake, query = chart_choices.ChartChoices(), str(error), {}
    found = kinds(run.pk)
    first = [kind.key for kind in found if kind.main][:FIRST]
    chosen = {name: query[name] for name in NAMES if query.get(name)}
    xs = available(run, any(kind.key == ANY + TOKENS for kind in found))
    return {
        "choices": choices,
        "choice_mistake": mistake,
        "chart_xs": [(name, title, name in xs) for name, title in chart_choices.XS.items()],
        "chart_runs": chart_choices.RUNS.items(),
        "first_charts": urlencode(chosen | {"keys": ",".join(first)}),
        "find": query.get("find", ""),
    }
