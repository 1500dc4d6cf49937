"""GPT-2 124M on one GPU: pre-training, SFT and GRPO of phase6_grpo_20x, a few steps of each, with each sampler.

python -m benchmarks.gpu [--data FOLDER] [--work build/gpu]

The stages run as under a worker, `python -m training` from run directory to journal, on texts that lie beside the
project in place of those from the hub. The model is nearly random after so little, so that almost every completion goes
on to its limit: rollouts a second are the least that GRPO reaches. Each figure is the median of the records of steps.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from training.folders import data_folder
from training.process import checkpoints, journal
from training.recipes import files, recipe
from training.recipes.recipe import RunSpec, StageSpec

PLAIN = [{"source": "plain_text", "weight": 50}, {"source": "gsm8k", "weight": 50}]
SHARED: dict[str, Any] = {
    "stages.pretrain.data": PLAIN,
    "stages.pretrain.steps": 24,
    "stages.pretrain.gradient_accumulation": 4,
    "stages.pretrain.log_every": 2,
    "stages.pretrain.benchmarks": None,
    "stages.pretrain.optimizer.warmup_steps": 5,
    "stages.tulu.data": [{"source": "gsm8k"}],
    "stages.tulu.examples": 1600,
    "stages.tulu.log_every": 5,
    "stages.grpo.prompts": 12,
    "stages.grpo.log_every": 1,
}
RUNS: dict[str, tuple[str, str | None, dict[str, Any]]] = {  # name → stage, the run it starts from, settings
    "pretrain": ("pretrain", None, {}),
    "pretrain_compiled": ("pretrain", None, {"compile": True}),
    "sft": ("tulu", "pretrain", {}),
    "grpo_static_cache": ("grpo", "sft", {"sampler": "static_cache"}),
    "grpo_generate": ("grpo", "sft", {"sampler": "generate", "prompts": 8}),
    "grpo_one_pass": ("grpo", "sft", {"batch_size": 40, "gradient_accumulation": 1}),
}
SKIPPED = 2  # records of each run: the first steps choose kernels and fill memory pools
SHOWN = {
    "tokens_per_second": ",.0f",
    "rollouts_per_second": ",.1f",
    "mfu": ".1%",
    "completion_length": ".0f",
    "logprob_mismatch": ".4f",
    "system/gpu_memory_allocated": ".1f",
    "system/gpu_utilisation": ".0%",
}


def main() -> int:
    """Print a table, a row for each run; 1 when one failed."""
    args = _arguments()
    shutil.rmtree(args.work, ignore_errors=True)
    failed = False
    for name in args.runs.split(","):
        stage, parent, settings = RUNS[name]
        run_dir = args.work / name
        code, seconds = _run(run_dir, _spec(stage, settings), parent and args.work / parent, args)
        print(f"{name:20} exit {code} after {seconds:5.1f} s  {_told(run_dir)}", flush=True)
        failed |= code != 0
        if code:
            print((run_dir / "output.txt").read_text()[-4000:], flush=True)
    return int(failed)


def _spec(stage: str, settings: dict[str, Any]) -> StageSpec:
    changes = {**SHARED, **{f"stages.{stage}.{key}": value for key, value in settings.items()}}
    made = recipe.build(files.shipped("phase6_grpo_20x"), changes.items())
    return next(one for one in recipe.resolve(made) if (one.stage, one.condition) == (stage, "baseline"))


def _run(run_dir: Path, spec: StageSpec, parent: Path | None, args: argparse.Namespace) -> tuple[int, float]:
    """Run a stage to its end: its exit code, and how long it took from start to end."""
    run_dir.mkdir(parents=True)
    benchmarks = [
        one.model_copy(update={"problems": args.problems}) for one in spec.benchmarks if spec.stage == "grpo"
    ]
    run = RunSpec(
        spec=spec.model_copy(update={"benchmarks": benchmarks}),
        parent_checkpoint=str(parent / "checkpoints" / checkpoints.FINAL) if parent else None,
        data_dir=str(args.data),
        cache_dir=str(args.work / "cache"),
        device=args.device,
        threads=args.threads,
    )
    (run_dir / "spec.json").write_text(run.model_dump_json())
    start = time.monotonic()
    with (run_dir / "output.txt").open("w") as output:
        ended = subprocess.run(
            [sys.executable, "-m", "training", str(run_dir)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    return ended.returncode, time.monotonic() - start


def _told(run_dir: Path) -> str:
    """What the journal tells: times of a step, medians of metrics, how fast problems were answered."""
    records = list(journal.records(run_dir / "journal")) if (run_dir / "journal").exists() else []
    metrics = [record for record in records if record.type == "metrics"]
    said = []
    if len(metrics) > SKIPPED + 1:
        steps = metrics[-1].fields["step"] - metrics[SKIPPED].fields["step"]
        said.append(f"{(metrics[-1].time - metrics[SKIPPED].time) / steps:.3f} s/step")
    drawn = {record.fields["step"]: record.time for record in records if record.type == "rollouts"}
    learning = [r.time - drawn[r.fields["step"]] for r in metrics[SKIPPED:] if r.fields["step"] in drawn]
    if learning:
        said.append(f"{statistics.median(learning):.3f} s of it learning")
    for name, form in SHOWN.items():
        values = [r.fields["values"][name] for r in metrics[SKIPPED:] if name in r.fields["values"]]
        if values:
            said.append(f"{name} {statistics.median(values):{form}}")
    began = {r.fields["evaluation"]: r.time for r in records if r.type == "evaluation"}
    ended = {r.fields["evaluation"]: r.time for r in records if r.type == "outcomes"}
    said += [f"{name} in {ended[name] - start:.1f} s" for name, start in began.items() if name in ended]
    return ", ".join(said)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=data_folder(),
        help="folder with gsm8k, gpt2, text (default: MULBERRY_DATA)",
    )
    parser.add_argument("--work", type=Path, default=Path("build/gpu"), help="emptied first")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument(
        "--runs", default=",".join(RUNS), help="in this order; each needs the one it starts from"
    )
    parser.add_argument("--problems", type=int, default=200, help="asked after GRPO, of each benchmark")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
