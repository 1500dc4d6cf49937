"""Help in the pages: documents with an anchor for every heading and term, a search over them, and links that lead to terms."""

import re
from typing import get_args

import pytest
from django.test import Client

from tests import factories
from tests.stack import ROOT
from webapp.pages.help import documents
from webapp.statistics.verdicts import Word

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def test_every_term_that_a_page_leads_to_is_explained() -> None:
    in_templates = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'\{% term "([^"]+)" %\}', path.read_text())
    }
    in_columns = {
        name
        for path in (ROOT / "webapp").rglob("*.py")
        for name in re.findall(r'\bterm="([^"]+)"', path.read_text())
    }
    assert {"points", "McNemar"} <= in_templates and {"p", "adjusted-p", "points"} <= in_columns
    wanted = {documents.anchor(name) for name in in_templates | in_columns | set(get_args(Word))}
    assert wanted - documents.terms().keys() == set()


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_a_document_has_its_headings_and_no_link_that_leads_nowhere(ada: Client, name: str) -> None:
    page = ada.get(f"/help/{name}/").content.decode()
    found = documents.document(name)
    assert f"<h1>{found.title}</h1>" in page
    for entry in found.contents:
        assert f'href="#{entry.anchor}"' in page and f'id="{entry.anchor}"' in page
    article = page[page.index("<article>") : page.index("</article>")]
    for target in re.findall(r'href="([^"]+)"', article):
        path, _, place = target.partition("#")
        if path.startswith("/"):
            assert (answer := ada.get(path)).status_code == 200, target
            assert not place or f'id="{place}"' in answer.content.decode(), target
        else:
            assert "://" in target or f'id="{place}"' in article, target


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_no_page_has_the_number_of_a_record_that_is_not_in_the_help(name: str) -> None:
    found = documents.document(name)
    assert not re.search(r"\(0\d\d\)|decision 0\d\d", str(found.html))
    assert not [entry for entry in found.entries if re.search(r"\(0\d\d\)", entry.text)]


def test_the_search_finds_terms_first_and_says_when_there_is_nothing(ada: Client) -> None:
    assert documents.search(["MCNEMAR"])[0].title == "McNemar"
    assert documents.search(["mcnemar", "no-such-word"]) == []
    page = ada.get("/help/?q=newcombe+counts").content.decode()
    assert "/help/statistics/#" in page or "/help/operations/#" in page
    page = ada.get("/help/", {"q": "<b>zebra</b>"}).content.decode()
    assert "Nothing in the help has all these words" in page and "<b>zebra" not in page


def test_what_is_no_page_is_not_found(ada: Client) -> None:
    for name in ("decisions", "performance", "no-such"):
        answer = ada.get(f"/help/{name}/")
        assert answer.status_code == 404 and "The help has no page" in answer.content.decode()


def test_signed_out_there_is_no_help(client: Client) -> None:
    assert client.get("/help/").status_code == 302
