"""The tokens of a group: coloured by what was recorded, every value in words, chosen by the address."""

import re
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from tests import factories
from tests.odd_texts import give_tokens
from training.process.journal import OF_TOKENS
from webapp.pages.rollouts import token_view
from webapp.pages.rollouts.token_measures import MEASURES
from webapp.pages.rollouts.token_view import MOST_TOKENS, TokenView
from webapp.telemetry.models import Rollout

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


@pytest.fixture
def group() -> list[Rollout]:
    """A group of eight different completions with tokens, the best first."""
    factories.add_rollouts(factories.make_run("grpo").attempts.get())
    for one in Rollout.objects.all():
        one.completion = f"{one.completion} {one.index}"
        one.save()
    give_tokens(Rollout.objects.all())
    return sorted(Rollout.objects.all(), key=lambda one: (-one.reward, one.index))


def address(rollout: Rollout) -> str:
    return f"/runs/{rollout.attempt.stage_run_id}/rollouts/{rollout.pk}/"


def page(client: Client, rollout: Rollout, **query: Any) -> str:
    answer = client.get(address(rollout), query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def recorded(one: Rollout, **values: Any) -> None:
    for name in OF_TOKENS:
        setattr(one, name, values.get(name))
    one.advantage = values.get("advantage")
    one.save()


def test_each_token_says_every_value(ada: Client, group: list[Rollout]) -> None:
    chosen = group[0]
    recorded(
        chosen,
        pieces=[" <b>", "56", "\n", ""],
        logprobs=[-0.05, -3.2, -8.0, None],
        trainer_logprobs=[-0.05, -2.6, -8.0, -1.0],
        entropies=[0.04, 1.2, None, 2.5],
        learnt=[True, True, False, False],
        advantage=-1.0,
    )
    text = page(ada, chosen, completion=chosen.pk)
    spans = re.findall(
        r'<span data-shade="(-?\d)" data-value="([^"]*)" (data-masked )?title="([^"]*)">', text
    )
    assert [span[:2] for span in spans] == [
        ("0", "−0.050"),
        ("4", "−3.200"),
        ("4", "−8.000"),
        ("0", "unknown"),
    ]
    assert [bool(span[2]) for span in spans] == [False, False, True, True]
    assert spans[1][3] == (
        "token 2: sampler −3.200 (4.1 %), trainer −2.600 (7.4 %), difference 0.600, entropy 1.200, advantage −1.00, "
        "learnt from"
    )
    assert "sampler −8.000 (&lt; 0.1 %), trainer" in spans[2][3]
    assert spans[3][3] == "token 4: trainer −1.000 (36.8 %), entropy 2.500, masked"
    assert "> &lt;b&gt;</span>" in text and 'data-sign="↵"' in text

    def shades(measure: str) -> list[str]:
        return re.findall(
            r'<span data-shade="(-?\d)" data-value', page(ada, chosen, completion=chosen.pk, measure=measure)
        )

    assert shades("trainer") == ["0", "3", "4", "2"]
    assert shades("difference") == ["0", "4", "0", "0"]
    assert shades("entropy") == ["0", "3", "0", "4"]
    assert shades("advantage") == ["-3", "-3", "0", "0"]
    assert shades("mask") == ["0", "0", "4", "4"]
    table = ada.get(f"{address(chosen)}tokens/table/").content.decode()
    assert table.count('<th scope="row">') == 4 and "<td>0.600</td>" in table and "masked" in table


def test_what_is_chosen_stands_in_the_address(ada: Client, group: list[Rollout]) -> None:
    text = page(ada, group[5], measure="entropy")
    assert text.count('class="token-completion"') == 4
    assert 'aria-label="Tokens of completion 6"' in text, "the chosen one is among them"
    assert f'data-address="{address(group[5])}?measure=entropy"' in text
    shown = re.findall(r'name="completion" value="(\d+)" checked', text)
    text = page(ada, group[5], measure="mask", completion=shown)
    assert f'data-address="{address(group[5])}?measure=mask"' in text, "what is shown at first needs no words"
    both = {"measure": "difference", "completion": [group[1].pk, group[3].pk]}
    text = page(ada, group[5], **both)
    assert re.findall(r'aria-label="Tokens of completion (\d)"', text) == ["2", "4"]
    again = f"measure=difference&amp;completion={group[1].pk}&amp;completion={group[3].pk}"
    assert f'data-address="{address(group[5])}?{again}"' in text
    assert text.count("<polyline") == 2
    fragment = ada.get(f"{address(group[5])}tokens/", both).content.decode()
    assert "<html" not in fragment and fragment.count('class="token-completion"') == 2


@pytest.mark.parametrize(
    "query", [{"measure": "joy"}, {"completion": "x"}, {"completion": "0"}, {"completion": "9" * 40}]
)
def test_what_there_is_not_is_refused(ada: Client, group: list[Rollout], query: dict[str, str]) -> None:
    for path in (address(group[0]), f"{address(group[0])}tokens/"):
        answer = ada.get(path, query)
        assert answer.status_code == 400 and answer.content.startswith(b"th")


def test_records_of_before_have_the_sampler_alone(ada: Client, group: list[Rollout]) -> None:
    Rollout.objects.update(trainer_logprobs=None, entropies=None, learnt=None)
    text = page(ada, group[0])
    assert text.count("(not recorded)") == 4 and "learnt from" not in text.split("token-completion", 1)[1]
    assert "It was not recorded of these completions." in page(ada, group[0], measure="entropy")
    Rollout.objects.update(pieces=None, logprobs=None)
    assert 'id="tokens"' not in page(ada, group[0])
    assert ada.get(f"{address(group[0])}tokens/").status_code == 404
    assert "No tokens were recorded" in ada.get(f"{address(group[0])}tokens/table/").content.decode()


def test_the_same_completions_are_shown_once_and_long_ones_in_part(ada: Client, group: list[Rollout]) -> None:
    Rollout.objects.update(completion="the same", reward=1)
    pieces = ["a"] * (MOST_TOKENS + 500)
    Rollout.objects.update(
        pieces=pieces, logprobs=[-0.5] * len(pieces), trainer_logprobs=None, entropies=None, learnt=None
    )
    text = page(ada, group[0])
    assert text.count('class="token-completion"') == 1 and "8 times the same" in text
    assert text.count("<span data-shade") == MOST_TOKENS + 5
    assert "… 500 more tokens" in text


def test_the_chart_has_its_zero_where_it_belongs_and_no_line_over_gaps(group: list[Rollout]) -> None:
    recorded(
        group[0],
        pieces=list("abcd"),
        logprobs=[-1.0, -1.0, None, -2.0],
        trainer_logprobs=[-0.5, -1.0, -1.0, -2.0],
    )
    sampler, difference = (_view(group[0], key).chart for key in ("sampler", "difference"))
    assert sampler is not None and difference is not None
    assert (sampler.top, sampler.bottom, sampler.zero, sampler.width) == ("0.000", "−2.000", 0.0, 4)
    ((_, strokes),) = sampler.lines
    assert strokes == ["0.5,50.0 1.5,50.0", "3.5,100.0 3.5,100.0"]
    assert (difference.top, difference.bottom, difference.zero) == ("0.500", "−0.500", 50.0)
    assert _view(group[0], "mask").chart is None and _view(group[0], "entropy").chart is None


@pytest.mark.parametrize("key", MEASURES)
def test_every_class_of_a_scale_has_words_and_a_shade(key: str) -> None:
    measure = MEASURES[key]
    assert len(measure.words) == len(measure.shades) == len(measure.limits) + 1
    assert list(measure.limits) == sorted(measure.limits)
    assert len(set(measure.shades)) == len(measure.shades) and 0 in measure.shades


def _view(rollout: Rollout, key: str) -> TokenView:
    found = token_view.of_group(rollout, [[rollout]], QueryDict(f"measure={key}"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("last", "named"),
    [(1, [1]), (4, [1, 2, 3, 4]), (11, [1, 2, 4, 6, 8, 10]), (55, [1, 10, 20, 30, 40, 50])],
)
def test_positions_along_the_drawing_are_named(last: int, named: list[int]) -> None:
    assert token_view.ticks(last) == named


def test_ticks_stand_at_the_middle_of_their_token(group: list[Rollout]) -> None:
    chart = _view(group[0], "sampler").chart
    assert chart is not None
    assert (chart.ticks[0].place, chart.ticks[0].x) == (1, 0.5)
    assert all(tick.share == pytest.approx(100 * tick.x / chart.width, abs=0.01) for tick in chart.ticks)
