"""Open pages that wait, and open pages that all get the same long rollout: what they take of the web process.

python -m benchmarks.streams [--streams 200] [--megabytes 3.5]
"""

import argparse
import asyncio
import os
import statistics
import time
from contextlib import AsyncExitStack

import httpx
import psutil

from tests.stack import ROOT, RunningStack

PAGES = 10  # asked for one after the other while the streams are open
LONG = "UPDATE telemetry_rollout SET completion = repeat('seven bags of four apples ', %s) WHERE id = %s"
CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def main() -> None:
    """Print a line for the process alone, one for waiting streams, one for streams of a run with a long rollout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=3.5, help="of the one long rollout")
    arguments = parser.parse_args()
    os.environ.setdefault("MULBERRY_DATA", str(ROOT.parent / "shared" / "data"))
    stack = RunningStack({"MULBERRY_SLOTS": "1"})
    try:
        stack.start()
        made = stack.mulberry("seed", "--rollouts", "1000", "--points", "1000", timeout=300)
        assert made.returncode == 0, made.stderr
        rollout, run = stack.rows(
            "SELECT r.id, a.stage_run_id FROM telemetry_rollout r JOIN runs_attempt a ON a.id = r.attempt_id"
            " ORDER BY r.id DESC LIMIT 1"
        )[0]
        times = int(arguments.megabytes * 1e6 / len("seven bags of four apples "))
        stack.rows(f"WITH made AS ({LONG} RETURNING 1) SELECT * FROM made", [times, rollout])
        asyncio.run(_measure(stack, run, arguments.streams))
        stack.stop()
    finally:
        stack.remove()


async def _measure(stack: RunningStack, run: int, count: int) -> None:
    web = stack.web()
    limits = httpx.Limits(max_connections=count + 10)
    async with httpx.AsyncClient(timeout=300, limits=limits, base_url=stack.address) as client:
        link = stack.sign_in_link()
        answer = await client.get(link)
        token = answer.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        signed_in = await client.post(
            link, data={"csrfmiddlewaretoken": token}, headers={"Referer": link}, follow_redirects=True
        )
        assert signed_in.status_code == 200 and "sign-in" not in str(signed_in.url)
        print(f"{'':34} threads connections memory   CPU  opened  page (median, worst)", flush=True)
        await _line("alone", stack, web, client, 0.0, web.cpu_times(), web.memory_info().rss)
        for name, path, wanted in (
            (f"{count} streams that wait", "/live/?only=told", "event: told"),
            (f"{count} streams of a long rollout", f"/live/?run={run}", "event: rollouts"),
        ):
            async with AsyncExitStack() as opened:
                began, cpu, memory = time.perf_counter(), web.cpu_times(), web.memory_info().rss
                streams = (_opened(opened, client, path, wanted) for _ in range(count))
                page = asyncio.create_task(_page(client))
                failed = sum(not done for done in await asyncio.gather(*streams))
                took = time.perf_counter() - began
                await _line(name, stack, web, client, took, cpu, memory)
                print(
                    f"    a page asked for while they opened: {await page:.2f} s; streams that failed: {failed}"
                )


async def _opened(opened: AsyncExitStack, client: httpx.AsyncClient, path: str, wanted: str) -> bool:
    """Whether the stream is there and brings what is wanted."""
    try:
        response = await opened.enter_async_context(client.stream("GET", path))
        if response.status_code != 200:
            return False
        lines = response.aiter_lines()
        opened.push(lambda *_: lines is None)  # a stream whose reader is gone would be closed
        async for line in lines:
            if line == wanted:
                return True
    except httpx.HTTPError:
        pass
    return False


async def _page(client: httpx.AsyncClient) -> float:
    await asyncio.sleep(0.2)
    began = time.perf_counter()
    answer = await client.get("/")
    assert answer.status_code in (200, 500), answer.status_code
    return time.perf_counter() - began if answer.status_code == 200 else float("nan")


async def _line(
    name: str,
    stack: RunningStack,
    web: psutil.Process,
    client: httpx.AsyncClient,
    took: float,
    cpu: object,
    rss: int,
) -> None:
    spent = sum(web.cpu_times()[:2]) - sum(cpu[:2])  # type: ignore[index]
    memory, threads = (web.memory_info().rss - rss) / 1e6, web.num_threads()
    connections = stack.rows(CONNECTIONS)[0][0]
    pages = [await _page(client) for _ in range(PAGES)]
    print(
        f"{name:34} {threads:7} {connections:11} {memory:+5.0f}M {spent:4.1f}s {took:6.1f}s"
        f"  {statistics.median(pages):.2f}, {max(pages):.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
