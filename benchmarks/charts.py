"""The first request of a run's page for charts, against fetching every point of the run; and when its first chart is drawn.

    python -m benchmarks.charts [--points 2000000 20000000] [--rollouts 100000]

Server and database of `mulberry up`, synthetic records (`mulberry seed`), headless Chromium; they share this machine.
"""

import argparse
import json
import os
import time
from collections.abc import Callable

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.browsers import start_browser
from tests.stack import RunningStack

TURNS = 5
LIMIT = 1.5  # seconds from navigation to the first curve
GRPO = (
    "SELECT r.id FROM runs_stagerun r JOIN experiments_stage s ON s.id = r.stage_id WHERE s.kind = 'grpo'"
    " ORDER BY r.id DESC LIMIT 1"
)
EVERY_POINT = (
    "SELECT m.name, c.steps, c.times, c.values FROM telemetry_metricchunk c"
    " JOIN telemetry_metric m ON m.id = c.metric_id JOIN runs_attempt a ON a.id = m.attempt_id"
    " WHERE a.stage_run_id = %s ORDER BY m.name, c.first_seq"
)
DRAWN = """() => new Promise((done) => {
  const look = () => document.querySelector("#charts .js-line, #charts canvas") ? done(performance.now() / 1000) : requestAnimationFrame(look);
  look();
})"""  # performance.now() counts from the start of the navigation


def main() -> None:
    """A table for each number of points, and the load that it was measured under."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[2_000_000, 20_000_000])
    parser.add_argument("--rollouts", type=int, default=100_000)
    arguments = parser.parse_args()
    for points in arguments.points:
        stack = RunningStack({"MULBERRY_SLOTS": "1"})
        try:
            stack.start()
            made = stack.mulberry(
                "seed", "--rollouts", str(arguments.rollouts), "--points", str(points), timeout=900
            )
            assert made.returncode == 0, made.stderr
            (run,) = stack.rows(GRPO)[0]
            print(f"{points:,} points, run {run}")
            with sync_playwright() as playwright:
                browser = start_browser(playwright)
                page = browser.new_page()
                page.goto(stack.sign_in_link())
                page.wait_for_url(f"{stack.address}/")
                _in_the_browser(page, f"{stack.address}/runs/{run}/")
                cookies = {one["name"]: one["value"] for one in page.context.cookies()}
                browser.close()
            _on_the_server(stack, run, cookies)
            print(f"load {os.getloadavg()[0]:.1f}")
            stack.stop()
        finally:
            stack.remove()


def _in_the_browser(page: Page, address: str) -> None:
    taken = []
    for _ in range(TURNS):
        page.goto("about:blank")
        page.goto(address, wait_until="commit")
        taken.append(page.evaluate(DRAWN))
    print(f"  first chart drawn: {taken[0]:.2f} s at first, then {_range(taken[1:])} s (limit {LIMIT} s)")


def _on_the_server(stack: RunningStack, run: int, cookies: dict[str, str]) -> None:
    with httpx.Client(base_url=stack.address, cookies=cookies, timeout=300) as client:

        def first() -> int:
            answer = client.get(f"/runs/{run}/charts.json?keys=accuracy,reward")
            answer.raise_for_status()
            return answer.num_bytes_downloaded

        def smoothed() -> int:
            number = np.random.default_rng().uniform(
                0.1, 0.9
            )  # so that nothing but the points is known already
            answer = client.get(f"/runs/{run}/charts.json?keys=accuracy,reward&smooth={number:.4f}")
            return answer.raise_for_status().num_bytes_downloaded

        def every() -> int:
            parts = [
                {"name": name, **{key: np.frombuffer(data, kind).tolist() for key, data, kind in zip(
                    ("steps", "times", "values"), arrays, ("<i8", "<f8", "<f8"), strict=True)}}
                for name, *arrays in stack.rows(EVERY_POINT, [run])
            ]  # fmt: skip
            return len(json.dumps(parts))

        for name, ask in (("first request", first), ("the same, smoothed", smoothed), ("every point", every)):
            _say(name, ask)


def _say(name: str, ask: Callable[[], int]) -> None:
    taken, size = [], 0
    for _ in range(TURNS):
        began = time.perf_counter()
        size = ask()
        taken.append(time.perf_counter() - began)
    print(f"  {name}: {_range(taken)} s, {size / 1e3:,.0f} kB")


def _range(taken: list[float]) -> str:
    return f"{min(taken):.3f} to {max(taken):.3f}"


if __name__ == "__main__":
    main()
