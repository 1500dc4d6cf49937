"""Seconds from the sampling of a rollout to its place on the open page, in headless Chromium, on a real run.

    python -m benchmarks.live [--recipe smoke]

The limit is one second for 95 of 100. Training, database, web and browser share this machine.
"""

import argparse
import time

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from tests.browsers import start_browser
from tests.stack import RunningStack

LIMIT = 1.0
WATCH = """() => {
  window.delays = [];
  const took = (article) => window.delays.push((Date.now() - Date.parse(article.dataset.sampled)) / 1000);
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) if (node.matches?.("article")) took(node);
  }).observe(document.getElementById("rollouts"), {childList: true});
}"""
RUNNING = (
    "SELECT r.id FROM runs_stagerun r JOIN experiments_stage s ON s.id = r.stage_id"
    " WHERE s.kind = 'grpo' AND r.state = 'running' AND r.progress_done > 0"
)


def main() -> None:
    """Print the median, the 95th percentile and the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="smoke", help="with a GRPO stage")
    arguments = parser.parse_args()
    stack = RunningStack()
    try:
        stack.start()
        launched = stack.mulberry("launch", arguments.recipe)
        assert launched.returncode == 0, launched.stderr
        while not (running := stack.rows(RUNNING)):
            time.sleep(0.5)
        with sync_playwright() as playwright:
            browser = start_browser(playwright)
            delays = _watched(browser.new_page(), stack, running[0][0])
            browser.close()
        stack.stop()
    finally:
        stack.remove()
    assert delays.size, "no rollout came while the page was open"
    middle, high = np.percentile(delays, (50, 95))
    print(f"{delays.size:,} rollouts: median {middle:.2f} s, 95th percentile {high:.2f} s, limit {LIMIT} s")


def _watched(page: Page, stack: RunningStack, run: int) -> np.ndarray:
    """The delays of all rollouts that come until the run is over."""
    page.goto(stack.sign_in_link())
    page.wait_for_url(f"{stack.address}/")
    page.goto(f"{stack.address}/runs/{run}/")
    expect(page.locator(".live")).to_have_text("live", timeout=30_000)
    page.evaluate(WATCH)
    while stack.rows("SELECT 1 FROM runs_stagerun WHERE id = %s AND finished_at IS NULL", [run]):
        time.sleep(0.5)
    time.sleep(2)
    return np.asarray(page.evaluate("window.delays"), dtype=float)


if __name__ == "__main__":
    main()
