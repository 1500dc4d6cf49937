"""The benchmarks that take minutes, in turn: `make bench`; those of whole histories (many, gallery, gpu, …) are run by name. A peer that Mulberry does not need itself is in an environment of its own."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "build" / "peers"
PACKAGES = ("tensorboard==2.20.0",)


def main() -> int:
    """Run them, the quiet ones first; 1 when one failed."""
    failed = False
    for name, python in (
        ("sampler", own()),
        ("shards", own()),
        ("ingest", own()),
        ("journal", peers()),
        ("live", own()),
        ("pages", own()),
        ("charts", own()),
    ):
        print(f"--- benchmarks/{name}.py", flush=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        failed |= (
            subprocess.run([python, "-m", f"benchmarks.{name}"], cwd=ROOT, env=environment).returncode != 0
        )
    return int(failed)


def own() -> Path:
    """This environment's interpreter."""
    return Path(sys.executable)


def peers() -> Path:
    """The interpreter of the peers' environment, which is made when it is missing or has other versions."""
    python, installed = PEERS / "bin" / "python", PEERS / "installed"
    wanted = "\n".join(PACKAGES)
    if not installed.exists() or installed.read_text() != wanted:
        print(f"--- installing {', '.join(PACKAGES)} in {PEERS.relative_to(ROOT)}", flush=True)
        venv.create(PEERS, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        installed.write_text(wanted)
    return python


if __name__ == "__main__":
    sys.exit(main())
