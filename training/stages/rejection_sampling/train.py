"""Rejection sampling: problems → the model's own right solutions → TRL's SFTTrainer, once or several times."""

from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training.engine import sampled_completions, stage_helpers
from training.engine.run_context import Run
from training.stages.rejection_sampling.config import RejectionSamplingSettings
from training.teacher.cache import Cache
from training.teacher.local import LocalTeacher


def run(run: Run) -> None:
    """Learn what the model solved itself."""
    settings = run.spec.settings
    assert isinstance(settings, RejectionSamplingSettings)
    if run.done:
        return stage_helpers.evaluate_again(run)
    stage_helpers.refuse_beyond_context(run, "max_length", settings.max_length)

    def itself(model: GPT2LMHeadModel, tokens: PreTrainedTokenizerFast, cache: Cache) -> LocalTeacher:
        return LocalTeacher(model, tokens, settings, cache, run.stop_if_asked)

    sampled_completions.learn(run, settings, itself, rounds=settings.rounds)
