"""Which tests run in one process of pytest-xdist, and which begin first: `pytest -n 2`.

A group runs in one worker, in its order: a module, so that its fixtures are made once; the tests of the stack that
`tests/e2e` shares; and, on a broker that was given from outside, all that uses it. Groups begin in the order of their
first test, so the longest come first and the last ones are short.
"""

import os
from collections.abc import Sequence

import pytest

FOLDERS = ("e2e", "training", "workers", "webapp")  # in this order; then the others
STACK, BROKER = "stack", "broker"
STACK_FIRST = ("test_commands", "test_sign_in")


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests, each marked with its group; those of a group stay in the order in which they were collected."""
    given_broker = "CELERY_BROKER_URL" in os.environ
    for item in items:
        if {STACK, "new_stack"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item, given_broker)))
    slow = {_name(item) for item in items if item.get_closest_marker("slow")}
    return sorted(
        items, key=lambda item: (_name(item) != STACK, _turn(item), _name(item) not in slow, _folder(item))
    )


def _turn(item: pytest.Item) -> int:
    """Of the shared stack: what needs no training goes first, then what waits for what was launched at its start."""
    if _name(item) != STACK or item.path.stem in STACK_FIRST:
        return 0
    return 1 if item.get_closest_marker("launches") else 2


def _group(item: pytest.Item, given_broker: bool) -> str:
    if STACK in getattr(item, "fixturenames", ()):
        return STACK
    if given_broker and item.get_closest_marker("services"):
        return BROKER
    return item.nodeid.partition("::")[0]


def _name(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    assert mark is not None
    return str(mark.args[0])


def _folder(item: pytest.Item) -> int:
    found = [place for place, name in enumerate(FOLDERS) if name in item.path.parts]
    return found[0] if found else len(FOLDERS)
