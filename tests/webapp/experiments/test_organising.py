"""Titles, tags, stars and the archive: what each change leaves, who did it, and what is refused."""

import pytest

from tests import factories
from webapp.experiments import organising
from webapp.experiments.models import Experiment, ExperimentEvent, Star

pytestmark = pytest.mark.django_db


def log(experiment: Experiment) -> list[tuple[str, str]]:
    return list(ExperimentEvent.objects.filter(experiment=experiment).values_list("by", "text"))


def test_each_change_is_an_event_and_done_once() -> None:
    one, ada = factories.make_experiment("demo-1", title="First", stages=[]), factories.make_user("ada")
    assert organising.rename(experiment=one, title="  Second   try ", by="bob")
    assert not organising.rename(experiment=one, title="Second try", by="bob")
    assert organising.tag(experiments=[one], words=["paper", "to repeat"], by="ada") == [one]
    assert organising.tag(experiments=[one], words=["Paper"], by="ada") == []
    assert organising.untag(experiments=[one], words=["PAPER"], by="ada") == [one]
    assert organising.star(experiments=[one], person=ada) == [one]
    assert organising.star(experiments=[one], person=ada) == []
    assert organising.unstar(experiments=[one], person=factories.make_user("bob")) == []
    assert organising.archive(experiments=[one], by="ada") == [one]
    assert organising.archive(experiments=[one], by="ada") == []
    assert organising.restore(experiments=[one], by="bob") == [one]
    one.refresh_from_db()
    assert (one.title, one.tags, one.archived_at, one.archived_by) == ("Second try", ["to repeat"], None, "")
    assert Star.objects.get().person == ada
    assert log(one) == [
        ("bob", "renamed, before: First"),
        ("ada", "tagged paper, to repeat"),
        ("ada", "no longer tagged paper"),
        ("ada", "starred"),
        ("ada", "archived"),
        ("bob", "out of the archive"),
    ]


@pytest.mark.parametrize("title", ["", "   ", "x" * 201, "a\x00b"])
def test_a_title_that_is_none_is_refused(title: str) -> None:
    one = factories.make_experiment("demo-1", stages=[])
    with pytest.raises(ValueError, match="title"):
        organising.rename(experiment=one, title=title, by="ada")
    assert log(one) == []


def test_tags_are_words_and_not_too_many() -> None:
    assert organising.tags_of(" paper,  to   repeat ,paper,") == ["paper", "to repeat"]
    for text in ("", " , ", "x" * 41, "a\x07"):
        with pytest.raises(ValueError, match="tag"):
            organising.tags_of(text)
    one = factories.make_experiment("demo-1", stages=[])
    with pytest.raises(ValueError, match="more than 20 tags"):
        organising.tag(experiments=[one], words=[str(number) for number in range(21)], by="ada")
    assert organising.every_tag() == []
