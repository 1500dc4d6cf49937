"""The list of pages knows every URL."""

from tests import pages


def test_every_url_is_a_page_with_an_example_or_said_to_be_none():
    new, gone = pages.unknown()
    assert not new, "add an example to PAGES in tests/pages.py, or say in NO_PAGES what it is instead"
    assert not gone, "take out of tests/pages.py what is no URL any more"
