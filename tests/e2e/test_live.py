"""Rollouts reach the open page through the journal, ingest, NOTIFY and the stream: none lost, none doubled, whatever breaks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import factories
from tests.e2e.conftest import BROWSER_PATIENCE
from tests.served import served, session
from tests.stack import free_port
from training.process.journal import Journal, RolloutRow
from webapp.runs.models import StageRun
from webapp.telemetry import groups
from webapp.telemetry.models import Rollout
from workers.ingest import Ingest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOWN = "all => all.map((one) => one.id)"
A_STEP = 7  # rollouts


class Sampling:
    """A run that samples when it is told to, as training writes and a worker reads."""

    def __init__(self, run: StageRun, folder: Path) -> None:
        attempt = factories.make_attempt(run, run_dir=str(folder))
        folder.mkdir()
        self.journal = Journal(folder / "journal")
        self.journal.append("started", attempt=1, step=0, pid=1)
        self.ingest = Ingest(attempt.pk)
        self.step = 0

    def go(self, steps: int, *, brought_in: bool = True) -> None:
        """So many steps, each brought in by itself, or none of them yet."""
        for _ in range(steps):
            self.step += 1
            self.journal.append("rollouts", step=self.step, rows=[self._row(n) for n in range(A_STEP)])
            if brought_in:
                self.ingest.drain()

    def _row(self, number: int) -> RolloutRow:
        return RolloutRow(
            group=self.step, prompt=f"User: {self.step} × {number}?", completion=f" {self.step * number}",
            reference=str(self.step * number), final_answer=str(self.step * number), tokens=3, reward=1.0,
            components={"correct": 1.0}, advantage=0.0, correct=True, mul_tokens=0, repeats=False, hit_limit=False,
        )  # fmt: skip


@pytest.fixture
def sampling(transactional_db: None, tmp_path: Path) -> list[Sampling]:
    """Two GRPO runs of one experiment."""
    experiment = factories.make_experiment()
    found = [factories.run_of(experiment, name, "grpo") for name in ("baseline", "mul_tokens")]
    return [Sampling(run, tmp_path / str(run.pk)) for run in found]


@pytest.fixture
def open_pages(browser: Browser) -> Iterator[list[Page]]:
    """Two pages of one person that may see their server go away, which their console tells."""
    context = browser.new_context()
    context.set_default_timeout(BROWSER_PATIENCE)
    yield [context.new_page(), context.new_page()]
    context.close()


def test_nothing_is_lost_or_doubled_over_a_reconnect_and_a_restart(
    sampling: list[Sampling], open_pages: list[Page]
) -> None:
    """On the page of one run and on that of all runs of the experiment, watched side by side."""
    port, context = free_port(), open_pages[0].context
    runs = [one.ingest.run for one in sampling]
    watched = {
        f"/runs/{runs[0]}/rollouts/": (open_pages[0], runs[:1]),
        "/experiments/demo-1/rollouts/": (open_pages[1], runs),
    }

    def everybody(steps: int, *, brought_in: bool = True) -> None:
        for one in sampling:
            one.go(steps, brought_in=brought_in)

    def all_hold() -> None:
        for page, shown in watched.values():
            _holds(page, shown)

    with served(port) as (_, address):
        cookies = [{"name": name, "value": value, "url": address} for name, value in session().items()]
        context.add_cookies(cookies)  # type: ignore[arg-type]
        everybody(2)
        for path, (page, _) in watched.items():
            page.goto(address + path)
            expect(page.locator("#live")).to_have_text("live")
            page.evaluate("window.never_reloaded = true")
        everybody(3)
        all_hold()
        context.set_offline(True)  # an open stream notices nothing of it, so it is closed as well
        for page in open_pages:
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        everybody(2)
        context.set_offline(False)
        everybody(1)
        all_hold()
    for page in open_pages:
        expect(page.locator("#live")).to_have_text("connecting …")  # the server was killed
    everybody(2)
    everybody(1, brought_in=False)  # in the journal alone while the server comes back
    with served(port):
        for page in open_pages:
            expect(page.locator("#live")).to_have_text("live")
        everybody(2)
        all_hold()
        everybody(4)
        all_hold()
        for page in open_pages:
            assert page.evaluate("window.never_reloaded")
            page.goto("about:blank")


def _holds(page: Page, runs: list[int]) -> None:
    """The page shows the newest groups of the database in their order, and counts all rollouts."""
    every = Rollout.objects.filter(attempt__stage_run__in=runs)
    expect(page.locator("#rollout-count")).to_have_text(f"{every.count():,}")
    newest = [f"group-{group.pk}" for group in groups.part(groups.by_attempt(runs)).groups]
    expect(page.locator("#groups tr")).to_have_count(len(newest))
    expect(page.locator("#groups tr").first).to_have_id(newest[0])
    shown = page.locator("#groups tr").evaluate_all(SHOWN)
    assert len(set(shown)) == len(shown)
    assert shown == newest
