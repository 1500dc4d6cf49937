"""Every page of a large installation in headless Chromium, against its limit, without a fault that axe or the console finds;
and the web's memory during a long download.

    python -m benchmarks.pages [--rollouts 1000000] [--points 20000000] [--repeats 3] [--downloads]

A page is ready at its load event; the run's page when its first curve is drawn, a map's when the map is. The pages are those of tests/pages.py, and
searches among the rollouts. The limits: 1.5 s for a page, 1 s for a search and for a map. With --downloads no page is opened.
"""

import argparse
import os
import statistics
import sys
import time
from itertools import product

import httpx
import psutil
from playwright.sync_api import Page, sync_playwright

from tests.axe import violations, without_policy
from tests.browsers import start_browser
from tests.stack import RunningStack

PAGE, SEARCH, MAP = 1.5, 1.0, 1.0  # seconds
SEARCHES = {
    "a word of every prompt": "words=packs",
    "a rare word with two marks": "words=365&mul_tokens=on&answer=wrong",
    "a phrase": 'words="count the bags again"',
    "no such word": "words=zebra",
    "cut and repeating": "hit_limit=on&repeats=on",
    "groups by spread": "sort=spread",
    "mixed groups by length": "mixed=on&sort=long",
    "became right later, by reward": "became_right=on&sort=reward",
    "correct or long, by step": "answer=correct&to_reward=1&sort=step",
}
READY = {"run": "#charts .js-line"} | dict.fromkeys(("problem_map", "prompt_map"), ".map[data-drawn]")


def main() -> int:
    """Print a line a page and a line a format of download; 1 when the median of one is over its limit, or a page has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1_000_000)
    parser.add_argument("--points", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--downloads", action="store_true", help="measure the downloads alone")
    arguments = parser.parse_args()
    stack = RunningStack()
    try:
        stack.start()
        amount = ("--rollouts", str(arguments.rollouts), "--points", str(arguments.points))
        made = stack.mulberry("seed", *amount, timeout=1800)
        assert made.returncode == 0, made.stderr
        print(made.stdout.strip())
        slow = False
        if not arguments.downloads:
            assert stack.mulberry("import", "phase_1_to_6").returncode == 0
            _wait_for_the_index(stack)
            slow = _visit_all(stack, arguments.repeats)
        _download(stack)
        stack.stop()
    finally:
        stack.remove()
    return int(slow)


def _wait_for_the_index(stack: RunningStack) -> None:
    began = time.monotonic()
    missing = "SELECT (SELECT count(*) FROM telemetry_rollout) - (SELECT count(*) FROM telemetry_rollouttext)"
    while (left := stack.rows(missing)[0][0]) > 0:
        assert time.monotonic() - began < 1800, f"{left} rollouts are not in the index"
        time.sleep(2)
    print(f"words were in the index after {time.monotonic() - began:.0f} s more")


def _addresses(stack: RunningStack) -> dict[str, tuple[str, float]]:
    """What it is → its path and its limit."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "DATABASE_URL": stack.database_url(),
        "MULBERRY_HOME": str(stack.home),
    }
    import django

    django.setup()
    from tests import pages

    (experiment,) = stack.rows("SELECT name, id FROM experiments_experiment WHERE NOT imported")
    (published,) = stack.rows("SELECT name FROM experiments_experiment WHERE imported")
    (newest,) = stack.rows(
        "SELECT a.stage_run_id, r.id FROM telemetry_rollout r JOIN runs_attempt a ON a.id = r.attempt_id"
        " ORDER BY r.id DESC LIMIT 1"
    )
    (evaluation,) = stack.rows(
        "SELECT e.id, o.problem FROM results_evaluation e JOIN results_outcome o ON o.evaluation_id = e.id"
        " ORDER BY e.id DESC LIMIT 1"
    )
    rows = pages.Rows(
        experiment=experiment[0],
        launched=experiment[0],
        run=newest[0],
        rollout=newest[1],
        evaluation=evaluation[0],
        problem=evaluation[1],
        published=published[0],
        worker=stack.rows("SELECT max(id) FROM runs_worker")[0][0],
    )
    every = pages.PAGES | pages.MORE
    found = {name: (example(rows), MAP if "_map" in name else PAGE) for name, example in every.items()}
    for scope in ("rollouts", "experiment_rollouts"):
        searches = {f"{scope}: {text}": (f"{found[scope][0]}?{q}", SEARCH) for text, q in SEARCHES.items()}
        found |= searches
    return found


def _visit_all(stack: RunningStack, repeats: int) -> bool:
    """Whether a page is over its limit."""
    slow = False
    with sync_playwright() as playwright:
        browser = start_browser(playwright)
        page = browser.new_page()
        page.goto(stack.sign_in_link())
        page.wait_for_url(f"{stack.address}/")
        print(f"{'page':55} {'median':>8} {'worst':>8} {'limit':>6}   load {os.getloadavg()[0]:.1f}")
        for name, (path, limit) in _addresses(stack).items():
            times = [_seconds(page, stack.address + path, READY.get(name)) for _ in range(repeats)]
            middle, over = statistics.median(times), statistics.median(times) > limit
            slow |= over
            mark = "  over the limit" if over else ""
            print(f"{name:55} {middle:7.2f}s {max(times):7.2f}s {limit:5.1f}s{mark}", flush=True)
        print(f"load at the end {os.getloadavg()[0]:.1f}")
        faults = _faults(without_policy(browser, page), stack)
        print("\n".join([f"faults that axe and the console find: {len(faults)}", *faults]), flush=True)
        browser.close()
    return slow or bool(faults)


def _faults(page: Page, stack: RunningStack) -> list[str]:
    """What is wrong with a page at this size, page by page."""
    found: list[str] = []
    page.on(
        "console",
        lambda message: found.append(f"{page.url}: {message.text}") if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    for name, (path, _) in _addresses(stack).items():
        page.goto(stack.address + path)
        page.wait_for_timeout(1500)  # for what a page fetches after it is there
        found += [f"{name}: {text}" for text in violations(page)]
    return found


def _seconds(page: Page, url: str, ready: str | None) -> float:
    """From asking for a page to its load event, or to what it is `ready` by."""
    page.goto("about:blank")
    began = time.perf_counter()
    answer = page.goto(url)
    if ready:
        page.locator(ready).first.wait_for(state="attached")
    took = time.perf_counter() - began
    assert answer is not None and answer.status == 200, f"{url} answers {answer and answer.status}"
    return took


def _download(stack: RunningStack) -> None:
    """Take every rollout of the experiment in each format, and say how far the web's memory rises meanwhile.

    Each is taken twice: the first file of a format brings what every later one uses again, such as libraries and the
    memory pools of threads.
    """
    experiment = stack.rows("SELECT name FROM experiments_experiment WHERE NOT imported")[0][0]
    web = stack.web()
    with httpx.Client(base_url=stack.address, timeout=600) as client:
        _sign_in(client, stack)
        for format, which in product(("csv", "jsonl", "parquet"), ("first", "second")):
            before, most, size, began = _memory(web), 0, 0, time.perf_counter()
            with client.stream("GET", f"/experiments/{experiment}/rollouts.{format}") as answer:
                answer.raise_for_status()
                for part in answer.iter_bytes(1 << 22):
                    size += len(part)
                    most = max(most, _memory(web))
            took, rise = time.perf_counter() - began, (most - before) / 1e6
            print(
                f"{format}, the {which} time: {size / 1e6:,.0f} MB in {took:.0f} s, the web's memory rises by {rise:.0f} MB "
                f"from {before / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


def _sign_in(client: httpx.Client, stack: RunningStack) -> None:
    link = stack.sign_in_link()
    token = client.get(link).text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    answer = client.post(link, data={"csrfmiddlewaretoken": token}, headers={"Referer": link})
    assert answer.status_code == 302, answer.status_code


def _memory(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


if __name__ == "__main__":
    sys.exit(main())
