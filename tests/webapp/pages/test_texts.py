"""Texts of models on pages: escaped, what is not seen is shown, nothing reorders or overflows, long ones are folded."""

import html
import re

import pytest
from django.test import Client

from tests import factories
from tests.odd_texts import LONG, ODD, write_odd_texts
from webapp.pages.templatetags.texts import in_line
from webapp.pages.written_text import FIRST, FIRST_LINES, folded, name_of, written, written_with_repeats
from webapp.results.models import Outcome
from webapp.telemetry.models import Rollout

LEFT_OUT = re.compile("[\x00\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def copied(page: str) -> str:
    """What a browser copies: the text without the signs, which are attributes."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def signs(page: str) -> list[str]:
    return re.findall(r'data-sign="([^"]*)"', page)


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_what_is_copied_is_the_text_but_for_what_sets_directions(text: str) -> None:
    for shown in (written(text), written_with_repeats(text)):
        assert copied(shown) == LEFT_OUT.sub("", text)
        assert set(re.findall(r"</?(\w+)", shown)) <= {"span", "i", "mark"}
        assert not LEFT_OUT.search(shown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, with <b> & \n lines", []),
        ("\x1b[31mred", ["ESC"]),
        ("a\x00b\x07\x7f\x85", ["NUL", "BEL", "DEL", "U+0085"]),
        ("a\r\nb", ["CR"]),
        ("a\t\tb", ["⇥"]),
        ("\u200b\u200b x \ufeff \u00ad", ["ZWSP×2", "BOM", "SHY"]),
        ("\u200b" * 5_000, ["ZWSP×5000"]),
        ("\u202eevil\u202c", ["RLO", "PDF"]),
        ("\ud83d alone, \ufffd", ["U+D83D", "\ufffd"]),
        ("hidden \U000e0041\U000e0042", ["U+E0041", "U+E0042"]),
        (ODD["emoji"], []),
        (ODD["persian"], []),
        ("a\u200db", ["ZWJ"]),
        ("a\ufe0f", ["U+FE0F"]),
        ("e\u0301 and a\u0323\u0302\u0301", []),
        ("z" + "\u0301" * 40, ["+36"]),
        ("\ue000 \uffff", ["U+E000", "U+FFFF"]),
        ("漢字 日本語 한국어 हिन्दी ไทยที่นี่", []),
    ],
)
def test_what_is_not_seen_is_shown_as_a_sign(text: str, expected: list[str]) -> None:
    assert signs(written(text)) == expected


def test_signs_have_names_and_mul_tokens_are_marked() -> None:
    assert name_of("\u202e") == "U+202E RIGHT-TO-LEFT OVERRIDE"
    assert name_of("\x1b") == "U+001B control character"
    shown = written("so <MUL_6_9_54>\x1b and <MUL_6_9>")
    assert '<mark class="mul">&lt;MUL_6_9_54&gt;</mark>' in shown
    assert 'title="U+001B control character"' in shown and "&lt;MUL_6_9&gt;" in shown


def test_repeated_phrases_are_marked_and_what_is_in_them_is_shown() -> None:
    shown = written_with_repeats("<b> a\x1b b c " * 3 + "end")
    assert shown.startswith('<mark class="repeat">&lt;b&gt; a<span class="odd" data-sign="ESC"')
    assert shown.endswith("</mark> end")


def test_long_texts_are_folded_between_characters() -> None:
    assert folded("x" * 5_000).whole
    part = folded(LONG)
    assert (part.text, part.characters, part.whole) == (LONG[:FIRST], len(LONG), False)
    assert folded("line\n" * 400).text.count("\n") == FIRST_LINES - 1
    accented = folded("x" * (FIRST - 1) + "e\u0301\u0302" + "x" * 9_000).text
    assert accented == "x" * (FIRST - 1), "no letter without its accents"
    assert len(folded("\u0301" * 9_000).text) >= FIRST - 50, "but a pile of them is cut"


def test_an_answer_is_isolated_and_cut() -> None:
    answer = "5\u202e6"
    assert in_line(answer) == f'<bdi class="model-text-line">{written(answer)}</bdi>'
    assert "… 1,800 more characters" in in_line("9" * 2_000)


@pytest.mark.django_db
def test_pages_show_the_beginning_and_bring_the_whole(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    factories.add_rollouts(attempt, count=len(ODD))
    write_odd_texts(Rollout.objects.order_by("pk"))
    evaluation = factories.add_evaluation(attempt, [True, False])
    Outcome.objects.filter(evaluation=evaluation, problem="p0000").update(
        completion=LONG, prompt=ODD["override"]
    )
    long = Rollout.objects.get(completion=LONG)
    outcome = Outcome.objects.get(completion=LONG)
    where = {  # a page with it → the address of the whole
        f"/runs/{run.pk}/rollouts/": f"/texts/rollout/{long.pk}/completion/",
        f"/runs/{run.pk}/rollouts/{long.pk}/": f"/texts/rollout/{long.pk}/completion/",
        f"/evaluations/{evaluation.pk}/": f"/texts/outcome/{outcome.pk}/completion/",
    }
    for page, whole in where.items():
        answer = client.get(page)
        shown = answer.content.decode()
        assert answer.status_code == 200
        assert f'hx-get="{whole}"' in shown and f"{len(LONG):,} characters" in shown
        assert "and its end" not in shown and not LEFT_OUT.search(shown)
        assert client.get(whole).content.decode() == LONG
        fragment = client.get(whole, headers={"HX-Request": "true"}).content.decode()
        assert copied(fragment) == LONG
    plain = client.get(f"/texts/outcome/{outcome.pk}/prompt/")
    assert plain.content.decode() == ODD["override"] and plain["Content-Type"].startswith("text/plain")
    for wrong in ("rollout/0/completion", f"rollout/{long.pk}/components", f"worker/{long.pk}/completion"):
        assert client.get(f"/texts/{wrong}/").status_code == 404
