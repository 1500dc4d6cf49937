"""Every figure that a page asks for is one that Plotly draws."""

import html
import re
from typing import Any

import pytest
from django.test import Client

from tests import factories, histories
from tests.drawable import check_drawable
from webapp.results.models import Evaluation
from webapp.runs.models import StageRun

pytestmark = pytest.mark.django_db
SOURCE = re.compile(r'data-source="([^"]+/(?:charts|answer)\.json[^"]*)"')
CHOICES = ("", "runs=own&x=time&smooth=0", "logx=1&logy=1&clip=1&x=tokens", "hide=baseline&between=20,40")


@pytest.mark.slow
def test_every_figure_is_one_of_plotly_s(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    experiment = histories.make_history("demo-1", done=5, seeds=(0, 1))
    evaluation = Evaluation.objects.filter(attempt__stage_run__experiment=experiment).last()
    assert evaluation is not None
    factories.add_samples(evaluation, [[place % 3 == 0, True] for place in range(evaluation.problems)])
    of_kinds = {run.stage.kind: run.pk for run in StageRun.objects.select_related("stage")}

    def listed(source: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get(source).json()["charts"]
        return found

    for page in (
        "/experiments/demo-1/",
        "/experiments/demo-1/comparison/",
        *(f"/runs/{run}/" for run in of_kinds.values()),
    ):
        sources = [html.unescape(one) for one in SOURCE.findall(client.get(page).content.decode())]
        assert sources, page
        for source in sources:
            charts = listed(source)
            assert charts, source
            if any("figure" not in chart for chart in charts):
                keys = ",".join(chart["key"] for chart in charts)
                charts = [one for choice in CHOICES for one in listed(f"{source}?{choice}&keys={keys}")]
            for chart in charts:
                check_drawable(chart["figure"])
