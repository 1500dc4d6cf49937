"""Distillation from a real OpenAI-compatible server: `transformers serve` with a checkpoint of Mulberry's own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.training.conftest import Stages
from tests.training.solved import RECIPE, hint, points, rollouts, weights
from training.data.example import PROMPT_FORMAT
from training.text.tokenizer import from_checkpoint

pytestmark = pytest.mark.slow
PATIENCE = 200.0  # seconds: it imports torch on a machine that does other things too
TEMPLATE = "{% for message in messages %}{% if message.role == 'user' %}" + PROMPT_FORMAT.replace(
    "{question}", "{{ message.content }}"
)


@pytest.fixture(scope="module")
def served(adds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """Its address, what the model is called, and its log."""
    folder = tmp_path_factory.mktemp("served")
    checkpoint = shutil.copytree(adds, folder / "teacher")
    tokenizer = from_checkpoint(checkpoint)
    tokenizer.chat_template = TEMPLATE + "{% endif %}{% endfor %}"
    tokenizer.save_pretrained(checkpoint)
    config = checkpoint / "generation_config.json"
    config.write_text(config.read_text().replace("{", '{"do_sample": true, ', 1))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(checkpoint)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and server.poll() is None and not healthy(port):
            time.sleep(0.2)
        assert healthy(port), log.read_text()
        yield f"http://127.0.0.1:{port}/v1", str(checkpoint), log
    finally:
        server.terminate()
        server.wait(timeout=30)


def healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_second_run_costs_nothing(served: tuple[str, str, Path], stages: Stages, adds: Path) -> None:
    address, name, log = served
    endpoint = {"base_url": address, "model": name, "instructions": "", "concurrency": 4, "price_out": 1e3}
    changes = [
        ("stages.distill.teacher", {"kind": "endpoint", "endpoint": endpoint}),
        ("stages.distill.temperature", 0.5),
        ("stages.distill.samples", 4),
    ]
    first = stages.make("first", "distill", parent=adds, changes=changes, data=RECIPE)
    assert first.run() == 0, hint(first)
    found = points(first)
    assert found["samples", 1] == 120
    assert 0 < found["accuracy", 1] < 1 and 0 < found["kept", 1] <= found["accuracy", 1]
    assert found["cost", 1] > 0
    assert len({row["completion"] for row in rollouts(first)}) > 30  # sampled, not greedy
    asked = requests(log)
    assert asked == 120

    again = stages.make("again", "distill", parent=adds, changes=changes, data=RECIPE)
    assert again.run() == 0, hint(again)
    assert requests(log) == asked
    record = again.journal.records("metrics")[0]["values"]
    assert (record["cache_hits"], record["paid"]) == (1.0, 0.0)
    assert (points(again), rollouts(again)) == (found, rollouts(first))
    assert weights(again) == weights(first)


def requests(log: Path) -> int:
    return log.read_text().count('"POST /v1/chat/completions HTTP/1.1" 200')
