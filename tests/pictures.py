"""Every picture in docs/, made from the running product by one command: `make pictures`.

    python -m tests.pictures [FOLDER]

Starts a stack of its own, launches the demo, records rollouts of its GRPO stage as they arrive, and takes the comparison when
all is done. Fails when a picture is larger than a reader of the README should load.
"""

import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browsers import start_browser
from tests.stack import ROOT, RunningStack

PATIENCE = 1_500  # seconds for the demo; three minutes on two idle cores
FRAMES, FRAME_MS = 14, 900
LARGEST = {"dashboard.png": 200_000, "live-rollouts.png": 1_500_000}  # bytes
CHANGED = "(before) => document.querySelector('main').innerText !== before"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def main() -> int:
    """Make them; 1 when one is too large."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    stack = RunningStack()
    try:
        stack.start()
        launched = stack.mulberry("launch", "demo")
        assert launched.returncode == 0, launched.stderr
        with sync_playwright() as playwright:
            browser = start_browser(playwright)
            page = _signed_in(browser, stack)
            (folder / "live-rollouts.png").write_bytes(animated(_live_rollouts(page, stack), FRAME_MS))
            states = stack.wait_for_runs("demo-1", PATIENCE)
            assert states.keys() == {"succeeded"}, states
            (folder / "dashboard.png").write_bytes(_answer(page, stack))
            browser.close()
    finally:
        stack.remove()
    sizes = {name: (folder / name).stat().st_size for name in LARGEST}
    for name, size in sizes.items():
        print(f"{folder / name}: {size:,} bytes{'  too large' if size > LARGEST[name] else ''}")
    return int(any(size > LARGEST[name] for name, size in sizes.items()))


def _signed_in(browser: Browser, stack: RunningStack) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(stack.sign_in_link())
    page.wait_for_url(f"{stack.address}/")
    return page


def _live_rollouts(page: Page, stack: RunningStack) -> list[bytes]:
    """The list of a GRPO run's rollouts, each time that it has changed."""
    page.set_viewport_size({"width": 960, "height": 560})
    page.goto(f"{stack.address}/runs/{_running_grpo(stack)}/rollouts/")
    expect(page.locator(".live").first).to_have_attribute("data-open", "yes")
    frames = []
    for _ in range(FRAMES):
        before = page.locator("main").inner_text()
        page.wait_for_function(CHANGED, arg=before)
        frames.append(page.screenshot())
    return frames


def _running_grpo(stack: RunningStack) -> int:
    query = (
        "SELECT r.id FROM runs_stagerun r JOIN experiments_stage s ON s.id = r.stage_id"
        " WHERE s.kind = 'grpo' AND r.state = 'running' AND r.progress_done > 0 ORDER BY r.id LIMIT 1"
    )
    deadline = time.monotonic() + PATIENCE
    while not (found := stack.rows(query)):
        assert time.monotonic() < deadline, "GRPO has not begun"
        time.sleep(0.5)
    return int(found[0][0])


def _answer(page: Page, stack: RunningStack) -> bytes:
    """The comparison: the verdict, and what it goes by."""
    page.set_viewport_size({"width": 1280, "height": 1010})
    page.goto(f"{stack.address}/experiments/demo-1/comparison/")
    expect(page.locator(".js-plotly-plot, canvas").first).to_be_visible()
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )
    page.locator("#toasts").evaluate("place => place.remove()")  # news of the demo's end would cover a figure
    return page.screenshot()


def animated(frames: Sequence[bytes], milliseconds: int) -> bytes:
    """PNG screenshots of one size as one PNG that plays them for ever (APNG); browsers without it show the first."""
    header = next(body for kind, body in _chunks(frames[0]) if kind == b"IHDR")
    parts = [SIGNATURE, _chunk(b"IHDR", header), _chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    number = 0
    for place, frame in enumerate(frames):
        found = list(_chunks(frame))
        assert found[0] == (b"IHDR", header), "frames have one size and depth"
        pixels = zlib.compress(zlib.decompress(b"".join(body for kind, body in found if kind == b"IDAT")), 9)
        timing = struct.pack(
            ">IIIIIHHBB", number, *struct.unpack(">II", header[:8]), 0, 0, milliseconds, 1000, 0, 0
        )
        parts.append(_chunk(b"fcTL", timing))
        number += 1
        if place:
            parts.append(_chunk(b"fdAT", struct.pack(">I", number) + pixels))
            number += 1
        else:
            parts.append(_chunk(b"IDAT", pixels))
    return b"".join([*parts, _chunk(b"IEND", b"")])


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


if __name__ == "__main__":
    raise SystemExit(main())
