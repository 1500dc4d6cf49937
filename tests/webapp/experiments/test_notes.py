"""Notes: Markdown without HTML, saved only over the version that was edited."""

import pytest
from django.test import Client

from tests import factories
from webapp.experiments.models import Experiment
from webapp.experiments.notes import rendered

pytestmark = pytest.mark.django_db
EDIT = "/experiments/demo-1/notes/edit/"


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    factories.make_experiment()
    return client


def stored() -> Experiment:
    return Experiment.objects.get(name="demo-1")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("a <b onclick='x()'>b</b>", "<b onclick"),
        ("[x](javascript:alert(1))", "href"),
        ("[x](JaVaScRiPt:alert(1))", "href"),
        ("[x](data:text/html;base64,PHNjcmlwdD4=)", "href"),
        ("[x](vbscript:x)", "href"),
        ("![x](https://example.com/spy.png)", "<img"),
        ('<https://example.com/"onmouseover=x>', '"onmouseover'),
    ],
)
def test_nothing_of_a_note_is_html_by_itself(text: str, gone: str) -> None:
    assert gone not in rendered(text)


def test_a_note_is_markdown_below_the_pages_own_headings() -> None:
    html = rendered(
        "# Why\n\n**bold** [link](https://example.com) [here](/runs/1/)\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    assert "<h3>Why</h3>" in html
    assert "<strong>bold</strong>" in html
    assert '<a href="https://example.com">link</a>' in html
    assert '<a href="/runs/1/">here</a>' in html
    assert '<div class="scroll" tabindex="0" role="group" aria-label="Table">\n<table>' in html


def test_who_edited_is_kept_and_shown(ada: Client) -> None:
    page = ada.post(EDIT, {"text": "# Plan\r\nmore *seeds*\x00", "version": "0"}, follow=True)
    assert page.redirect_chain[-1][0] == "/experiments/demo-1/#notes"
    found = stored()
    assert (found.notes, found.notes_version, found.notes_by) == ("# Plan\nmore *seeds*", 1, "ada")
    assert "<em>seeds</em>" in page.content.decode()
    assert "by ada" in page.content.decode()


def test_a_stale_edit_is_refused_and_nothing_is_lost(ada: Client) -> None:
    other = Client()
    other.force_login(factories.make_user("bob"))
    other.post(EDIT, {"text": "what bob saw", "version": "0"})
    page = ada.post(EDIT, {"text": "what ada <saw>", "version": "0"}).content.decode()
    assert stored().notes == "what bob saw"
    assert "Not saved." in page
    assert "what ada &lt;saw&gt;</textarea>" in page, "what she wrote is still there"
    assert "what bob saw</textarea>" in page
    assert 'name="version" value="1"' in page, "saving again is on purpose"
    ada.post(EDIT, {"text": "what both saw", "version": "1"})
    assert (stored().notes, stored().notes_by) == ("what both saw", "ada")


def test_a_preview_stores_nothing(ada: Client) -> None:
    page = ada.post(EDIT, {"text": "**soon**", "version": "0", "do": "preview"}).content.decode()
    assert "<strong>soon</strong>" in page
    assert "**soon**</textarea>" in page
    assert stored().notes == ""


def test_a_note_that_is_too_long_is_refused_and_kept_in_the_form(ada: Client) -> None:
    page = ada.post(EDIT, {"text": "x" * 100_001, "version": "0"}).content.decode()
    assert "at most" in page and "x" * 100_001 in page
    assert stored().notes == ""
    assert ada.post(EDIT, {"text": "x", "version": "latest"}).status_code == 400


def test_htmx_gets_fragments_and_others_pages(ada: Client) -> None:
    assert "<html" in ada.get(EDIT).content.decode()
    assert "<html" not in ada.get(EDIT, headers={"HX-Request": "true"}).content.decode()
    assert (
        "<html" not in ada.get("/experiments/demo-1/notes/", headers={"HX-Request": "true"}).content.decode()
    )
