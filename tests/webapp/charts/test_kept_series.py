"""Series that are kept in memory: read once, forgotten when there are too many, read again when there is news."""

from typing import Any

import pytest

from tests import factories
from webapp.charts.kept_series import KeptSeries

pytestmark = pytest.mark.django_db


def test_what_is_known_costs_one_query_until_there_is_news(django_assert_num_queries: Any) -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [3.0, 2.0]})
    kept = KeptSeries()
    kept.of([run.pk], ["loss", "kl"])
    with django_assert_num_queries(1):
        assert list(kept.of([run.pk], ["loss", "kl"])) == [(run.pk, "loss")]
    factories.add_metrics(run.attempts.get(), {"loss": [1.0]}, first_step=3)
    assert kept.of([run.pk], ["loss"])[run.pk, "loss"].values.tolist() == [3.0, 2.0, 1.0]


def test_the_least_recently_used_are_forgotten(django_assert_num_queries: Any) -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [1.0] * 60, "kl": [1.0] * 60})
    kept = KeptSeries(most_points=100)
    kept.of([run.pk], ["loss"])
    kept.of([run.pk], ["kl"])
    with django_assert_num_queries(1):
        kept.of([run.pk], ["kl"])
    with django_assert_num_queries(2):  # the points themselves, in binary, are not counted
        kept.of([run.pk], ["loss"])
