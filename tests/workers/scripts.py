"""Tiny stand-ins for training, for tests of the supervising side alone: they write real journals."""

HEAD = """
import os, signal, subprocess, sys, time
from pathlib import Path
from training.process.journal import Journal
run_dir = Path(sys.argv[1])
journal = Journal(run_dir / "journal")
journal.append("started", attempt=1, step=0, pid=os.getpid())
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
def end(code, status, reason="", hint=""):
    journal.append("finished", status=status, reason=reason, hint=hint)
    sys.exit(code)
"""
SUCCEED = (
    HEAD
    + """
for step in range(1, 21):
    journal.metrics(step, {"loss": 1 / step})
end(0, "succeeded")
"""
)
TELL_ENVIRONMENT = (
    HEAD
    + """
import json
(run_dir / "environment").write_text(json.dumps(dict(os.environ)))
end(0, "succeeded")
"""
)
REFUSE = HEAD + 'end(1, "failed", "bad_setting", "there is no GSM8K here; set MULBERRY_DATA")\n'
CRASH = HEAD + 'print("Fatal: the disk is on fire", flush=True)\nos.abort()\n'
UNTIL_TOLD = (
    HEAD
    + """
step = 0
while not told:
    step += 1
    journal.metrics(step, {"loss": 1.0})
    time.sleep(0.05)
journal.append("checkpoint", step=step, path="/s", final=False, manifest_sha256="", bytes=0)
end(75, "stopped", "terminated")
"""
)
# Deaf to TERM, with a child in a session of its own that is deaf too.
STUBBORN = (
    HEAD
    + """
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
child = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
(run_dir / "written").write_text(str(child.pid))
(run_dir / "written").rename(run_dir / "child")
journal.metrics(1, {"loss": 1.0})
time.sleep(300)
time.sleep(300)
"""
)
UNFIT = (
    HEAD
    + """
journal.append("evaluation", evaluation="x" * 500, benchmark="b", step=1, problems=1, settings={})
time.sleep(300)
"""
)
