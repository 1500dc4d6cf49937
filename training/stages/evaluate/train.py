"""Evaluation of a checkpoint again: benchmarks only."""

from training.architecture import model
from training.engine import evaluation, stage_helpers
from training.engine.run_context import Run
from training.process import checkpoints
from training.text import tokenizer


def run(run: Run) -> None:
    """Run the stage's benchmarks on the parent's checkpoint, or on the model's start_from, either as it is."""
    if run.done is not None:
        return stage_helpers.evaluate_again(run)
    if run.parent is not None:
        found = checkpoints.read(run.parent)
        stage_helpers.announce(run, run.parent)
        trained, tokens = model.load(run.parent), tokenizer.from_checkpoint(run.parent)
        step = found.step if found else 0
    elif (start := run.spec.model.start_from) is not None:
        trained, tokens, step = model.load(start), stage_helpers.load_tokenizer(run), 0
        run.journal.log(f"{start}: {trained.num_parameters():,} parameters, {model.entries(start):,} entries")
    else:
        raise ValueError(
            f"stage {run.spec.stage!r} has nothing to evaluate: put it after a stage, or set model.start_from"
        )
    stage_helpers.note_learnt(run, trained, tokens)
    evaluation.evaluate(run, trained.to(run.device), tokens, step)
