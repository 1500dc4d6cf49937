"""Which tests run in one process of pytest-xdist, and which begin first: `pytest -n 2`.

A group runs in one worker, in its order: a module, so that its fixtures are made once; the modules of the stack that
`tests/e2e` shares, so that it starts once. Groups begin in the order of their first test: the longest first, so that
the workers end together. Groups are told by node ids alone: the controller of pytest-xdist knows no more.
"""

import os
from collections.abc import Sequence
from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

FOLDERS = ("e2e", "training", "workers", "webapp")  # in this order; then the others
STACK = "stack"
STACK_MODULES = {  # module → its turn: first what needs no training, then what waits for what was launched early
    "test_commands": 0,
    "test_sign_in": 0,
    "test_report_in_miniature": 1,
    "test_recipes": 1,
    "test_real_data": 1,
    "test_smoke_in_browser": 2,
    "test_reuse": 2,
    "test_interruptions": 3,  # it ends the stack and starts it again
}
SPLIT = {"test_every_page"}  # each case by itself: they are the longest


def group(node_id: str) -> str:
    """The group of a test; one for all where a broker was given from outside: its queue is one for all, too."""
    if "CELERY_BROKER_URL" in os.environ:
        return "broker"
    path = node_id.split("::")[0]
    module = PurePosixPath(path).stem
    if module in STACK_MODULES:
        return STACK
    return node_id if module in SPLIT else path


class Groups(LoadScopeScheduling):
    """Hands whole groups to workers."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order of their groups; those of a group stay in the order in which they were collected."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if {STACK, "new_stack"} & fixtures:
            item.add_marker("slow")
        if STACK in fixtures and item.path.stem not in STACK_MODULES:
            raise pytest.UsageError(f"{item.path}: name it in STACK_MODULES of tests/order.py")
    slow = {group(item.nodeid) for item in items if item.get_closest_marker("slow")}

    def place(item: pytest.Item) -> tuple[object, ...]:
        its = group(item.nodeid)
        return its != STACK, STACK_MODULES.get(item.path.stem, 0), its not in slow, _folder(item)

    return sorted(items, key=place)


def _folder(item: pytest.Item) -> int:
    found = [place for place, name in enumerate(FOLDERS) if name in item.path.parts]
    return found[0] if found else len(FOLDERS)
